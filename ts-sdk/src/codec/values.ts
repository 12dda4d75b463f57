// Values that are not zero, and entries that change by them. Format: docs/WIRE_FORMAT.md section 3.5.
// C++: residual.h, value() and move().

import { type EntropyDecoder, kNibbleCells } from "./entropy-decoder.js";
import { kModels } from "./model-layout.js";

/** Cells of a value model: for each high part of the length the nibble of the rest, then that of the high parts. */
const kSize = 16;
const kValueCells = 17;

/**
 * A number of 32 bits that is not zero: its length in bits by fours, then the rest of that and the sign, by models; the
 * other bits as they are. `at`: the cell that refers to the value model; 0 in it: not made so far.
 */
export function readValue(decoder: EntropyDecoder, at: number): number {
  let model = decoder.cells[at] as number;
  if (model === 0) {
    model = decoder.allocate(kValueCells);
    decoder.cells[at] = model;
  }
  const high = decoder.readInherited(model + kSize, kModels.size);
  const detail = decoder.readInherited(model + high, kModels.details + high * kNibbleCells);
  const length = ((high << 2) | (detail >> 1)) & 31;
  const magnitude = (1 << length) | decoder.readRaw(length);
  const sign = -(detail & 1);
  return (magnitude ^ sign) - sign;
}

/** Of a difference its lowest `width` bytes, with their sign. */
export function cut(difference: number, width: number): number {
  const shift = 32 - 8 * width;
  return (difference << shift) >> shift;
}

/** Adds to an entry of 1 to 4 bytes, modulo its width. */
export function addDelta(view: DataView, position: number, width: number, delta: number): void {
  if (width === 4) {
    view.setInt32(position, view.getInt32(position, true) + delta, true);
    return;
  }
  let carry = delta;
  for (let at = position; at < position + width; at += 1) {
    const sum = view.getUint8(at) + (carry & 255);
    view.setUint8(at, sum);
    carry = (carry >> 8) + (sum >> 8);
  }
}
