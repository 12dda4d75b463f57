// TextReader: characters, and strings that are like others. Format: docs/WIRE_FORMAT.md section 3.5.
// C++: text_coder.h.

import { type EntropyDecoder, kNibbleCells } from "./entropy-decoder.js";
import { kModels } from "./model-layout.js";

export class TextReader {
  readonly #decoder: EntropyDecoder;

  constructor(decoder: EntropyDecoder) {
    this.#decoder = decoder;
  }

  character(previous: number): number {
    const high = this.#decoder.readNibble(kModels.high + (previous >>> 4) * kNibbleCells);
    return (high << 4) | this.#decoder.readNibble(kModels.low + high * kNibbleCells);
  }

  /** Fills [begin, end) of `bytes` with characters. */
  characters(bytes: Uint8Array, begin: number, end: number, previous: number): void {
    let last = previous;
    for (let at = begin; at < end; at += 1) {
      last = this.character(last);
      bytes[at] = last;
    }
  }

  /**
   * Writes the string at [start, end) of `bytes` that begins and ends like `source`, which is no part of `bytes`.
   * False: no text fits.
   */
  text(source: Uint8Array, predictedLength: number, bytes: Uint8Array, start: number, end: number): boolean {
    const decoder = this.#decoder;
    const room = end - start;
    if (decoder.readBit(kModels.isRawText) !== 0) {
      this.characters(bytes, start, end, 0);
      return true;
    }
    const zigzag = decoder.readNumber(kModels.lengthStep);
    const length = (predictedLength + ((zigzag >>> 1) ^ -(zigzag & 1))) >>> 0;
    if (room < 5 || length > room - 5) return false;
    const most = Math.min(source.length, length);
    const prefix = decoder.readNumber(kModels.prefix);
    if (prefix > most) return false;
    const suffix = decoder.readNumber(kModels.suffix);
    if (suffix > most - prefix) return false;
    for (let i = 0; i < 4; i += 1) bytes[start + i] = length >>> (8 * i);
    const begin = start + 4;
    if (prefix > 0) bytes.set(source.subarray(0, prefix), begin);
    const middleEnd = begin + length - suffix;
    this.characters(bytes, begin + prefix, middleEnd, prefix > 0 ? (source[prefix - 1] as number) : 0);
    if (suffix > 0) bytes.set(source.subarray(source.length - suffix), middleEnd);
    bytes.fill(0, begin + length, end);
    return true;
  }
}
