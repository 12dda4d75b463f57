// Values that are not zero, and entries that change by them. Format: docs/WIRE_FORMAT.md section 3.5.
// C++: value_coder.h, and row_coder.h, move().

import { type EntropyDecoder, kNibbleCells } from "./entropy-decoder.js";
import { kModels } from "./model-layout.js";

/** Cells of a value model, which refer to nibbles: for each high part of the length the rest, then the high parts. */
export const kSizeOfValue = 16;
const kValueCells = 17;
/** Cells that reading a value makes at most. */
export const kMostValueCells = kValueCells + 2 * kNibbleCells;

/** How an entry is predicted: by as much as last time. 0: it stays; 2: its step changes by as much as last time. */
export const kGoesOn = 1;

/** Makes the value model that the cell `at` refers to from now on. */
export function makeValue(decoder: EntropyDecoder, at: number): number {
  const value = decoder.allocate(kValueCells);
  decoder.cells[at] = value;
  return value;
}

/**
 * A number of 32 bits that is not zero: its length in bits by fours, then the rest of that and the sign, by models; the
 * other bits as they are. `at`: the cell that refers to the value model; 0 in it: not made so far. See also readRow().
 */
export function readValue(decoder: EntropyDecoder, at: number): number {
  let value = decoder.cells[at] as number;
  if (value === 0) value = makeValue(decoder, at);
  const high = decoder.readInherited(value + kSizeOfValue, kModels.size);
  const detail = decoder.readInherited(value + high, kModels.details + high * kNibbleCells);
  const length = ((high << 2) | (detail >> 1)) & 31;
  const magnitude = (1 << length) | decoder.readRaw(length);
  const sign = -(detail & 1);
  return ((magnitude ^ sign) - sign) | 0;
}

/** Of a difference its lowest `width` bytes, with their sign. */
export function cut(difference: number, width: number): number {
  const spare = 32 - 8 * width;
  return (difference << spare) >> spare;
}

/** Adds to an entry of 1 to 4 bytes, modulo its width. */
export function addDelta(view: DataView, position: number, width: number, delta: number): void {
  if (width === 4) {
    view.setInt32(position, (view.getInt32(position, true) + delta) | 0, true);
    return;
  }
  let carry = delta;
  for (let at = position; at < position + width; at += 1) {
    const sum = view.getUint8(at) + (carry & 255);
    view.setUint8(at, sum);
    carry = (carry >> 8) + (sum >> 8);
  }
}
