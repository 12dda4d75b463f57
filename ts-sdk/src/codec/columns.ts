// Columns: those of a type that changed ever, and which of them a patch speaks of. Format: docs/WIRE_FORMAT.md section
// 3.5. C++: column_coder.h.

import { type EntropyDecoder, kBitCells } from "./entropy-decoder.js";
import { kModels, kOrders, orderAfter } from "./model-layout.js";
import { kEndColumns } from "./schema.js";

/** Cells of a column's models: a bit by whether the column before in the row changed, whether any did (2), whether the
 * entry changed last time (4); then two value models, of entries without and with a prediction. */
export const kColumnBits = 8;
export const kColumnValues = kColumnBits * kBitCells;
const kColumnCells = kColumnValues + 2;

const kNoNumbers = new Int32Array(0);
const kNoBytes = new Uint8Array(0);

export class Columns {
  /** How many are known. */
  count = 0;
  /** [known] Ascending. */
  number: Int32Array = kNoNumbers;
  /** [known] How it is predicted: 0 stays, 1 goes on, 2 accelerates. */
  order: Uint8Array = kNoBytes;
  /** [known] Whether it takes part in this patch, or did in the last. */
  #isActive: Uint8Array = kNoBytes;
  /** [known] Where its models are; 0: there are none yet. */
  #models: Int32Array = kNoNumbers;
  /** Places of those that take part, ascending. */
  active: Int32Array = kNoNumbers;
  nActive = 0;
  /** Changes whenever others take part, or those that do are at other places. */
  generation = 0;
  /** Whether any that takes part is predicted from its steps. */
  isPredicting = false;

  /**
   * Reads which columns take part. `isNewColumn`: a bit's model. `room`: how many more all types
   * together may come to know. False: malformed.
   */
  read(decoder: EntropyDecoder, isNewColumn: number, room: number): boolean {
    const { count } = this;
    let isOther = false;
    let isPredicting = false;
    for (let i = 0; i < count; i += 1) {
      const was = this.#isActive[i] as number;
      const isActive = decoder.readBit(kModels.isActive + was * kBitCells);
      if (isActive !== 0) {
        const order = decoder.readNibble(orderAfter(this.order[i] as number));
        if (order >= kOrders) return false;
        this.order[i] = order;
        isPredicting ||= order !== 0;
      }
      if (isActive !== was) {
        this.#isActive[i] = isActive;
        isOther = true;
      }
    }
    this.isPredicting = isPredicting;
    if (count === 0 || decoder.readBit(isNewColumn) !== 0) {
      if (!this.#readNew(decoder, room)) return false;
      isOther = true;
    }
    if (isOther) this.#listActive();
    return this.nActive > 0;
  }

  /** The models of the column at this place. */
  modelsOf(decoder: EntropyDecoder, place: number): number {
    let models = this.#models[place] as number;
    if (models === 0) {
      models = decoder.bits(kColumnBits);
      decoder.allocate(kColumnCells - kColumnValues);
      this.#models[place] = models;
    }
    return models;
  }

  #readNew(decoder: EntropyDecoder, most: number): boolean {
    const n = decoder.readNumber(kModels.nColumns) + 1;
    if (n > most) return false;
    const added = new Int32Array(n);
    let next = 0;
    for (let i = 0; i < n; i += 1) {
      const gap = decoder.readNumber(kModels.columnGap);
      if (gap >= kEndColumns - next) return false;
      added[i] = next + gap;
      next += gap + 1;
    }
    return this.#merge(added);
  }

  /** Makes these known and active. False: one of them was known. */
  #merge(added: Int32Array): boolean {
    const total = this.count + added.length;
    if (total > this.number.length) this.#grow(2 * total + 4);
    let from = this.count - 1;
    let next = added.length - 1;
    for (let to = total - 1; next >= 0; to -= 1) {
      const wanted = added[next] as number;
      const known = from < 0 ? -1 : (this.number[from] as number);
      if (known === wanted) return false;
      if (known > wanted) {
        this.number[to] = known;
        this.order[to] = this.order[from] as number;
        this.#isActive[to] = this.#isActive[from] as number;
        this.#models[to] = this.#models[from] as number;
        from -= 1;
      } else {
        this.number[to] = wanted;
        this.order[to] = 0;
        this.#isActive[to] = 1;
        this.#models[to] = 0;
        next -= 1;
      }
    }
    this.count = total;
    return true;
  }
  #grow(capacity: number): void {
    const grown = <T extends Int32Array | Uint8Array>(from: T, to: T) => {
      to.set(from);
      return to;
    };
    this.number = grown(this.number, new Int32Array(capacity));
    this.order = grown(this.order, new Uint8Array(capacity));
    this.#isActive = grown(this.#isActive, new Uint8Array(capacity));
    this.#models = grown(this.#models, new Int32Array(capacity));
    this.active = new Int32Array(capacity);
  }

  #listActive(): void {
    let n = 0;
    for (let i = 0; i < this.count; i += 1) {
      if (this.#isActive[i] === 0) continue;
      this.active[n] = i;
      n += 1;
    }
    this.nActive = n;
    this.generation += 1;
  }
}
