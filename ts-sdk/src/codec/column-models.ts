// ColumnModels: how often the columns of a type change, and by how much. Format: docs/WIRE_FORMAT.md section 3.5.
// C++: residual.h, ColumnModel and value().

import { type EntropyDecoder, expecting, kBitCells, kNibbleCells } from "./entropy-decoder.js";

const kSizeNibble = expecting([30, 25, 20, 12, 12, 10, 6, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
const kShortNibble = expecting([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);

/** Per column: its bits, the nibble of sizes, 16 nibbles of details. 0: not there yet. */
const kReferences = 18;
const kBits = 0;
const kSize = 1;
const kDetails = 2;

export class ColumnModels {
  readonly #decoder: EntropyDecoder;
  readonly #allSizes: number;
  readonly #allDetails: number;
  #models = new Int32Array(64 * kReferences);
  #count = 0;

  constructor(decoder: EntropyDecoder) {
    this.#decoder = decoder;
    this.#allSizes = decoder.nibbles(1);
    decoder.expect(this.#allSizes, kSizeNibble);
    this.#allDetails = decoder.nibbles(16);
    for (let i = 0; i < 16; i += 1) decoder.expect(this.#allDetails + i * kNibbleCells, kShortNibble);
  }

  /** Models of `n` columns; returns the first. */
  add(n: number): number {
    const first = this.#count;
    this.#count += n;
    const end = this.#count * kReferences;
    if (end > this.#models.length) {
      const grown = new Int32Array(2 * end);
      grown.set(this.#models);
      this.#models = grown;
    }
    this.#models.fill(0, first * kReferences, end);
    let bits = this.#decoder.bits(4 * n);
    for (let at = first * kReferences; at < end; at += kReferences) {
      this.#models[at + kBits] = bits;
      bits += 4 * kBitCells;
    }
    return first;
  }
  /** Forgets this column and all added after it. The decoder's models are released by the caller. */
  removeFrom(column: number): void {
    this.#count = column;
  }

  isChanged(column: number, context: number): boolean {
    return this.#decoder.bit((this.#models[column * kReferences + kBits] as number) + context * kBitCells);
  }

  /** A difference that is not zero: its length in bits and its sign by models, the rest as it is. */
  difference(column: number): number {
    const decoder = this.#decoder;
    const high = decoder.nibble(this.#inherit(column * kReferences + kSize, this.#allSizes));
    decoder.learn(this.#allSizes, high);
    const parent = this.#allDetails + high * kNibbleCells;
    const detail = decoder.nibble(this.#inherit(column * kReferences + kDetails + high, parent));
    decoder.learn(parent, detail);
    const length = ((high << 2) | (detail >> 1)) & 31;
    const magnitude = (1 << length) | decoder.raw(length);
    return (detail & 1) !== 0 ? -magnitude | 0 : magnitude;
  }

  /** A column's models begin as those of all columns are when it needs them first. */
  #inherit(at: number, parent: number): number {
    let model = this.#models[at] as number;
    if (model === 0) {
      model = this.#decoder.inherit(parent);
      this.#models[at] = model;
    }
    return model;
  }
}
