// TypeModel: what a receiver has learnt of one type: which of its columns change, and what the last step changed.
// Rules: docs/WIRE_FORMAT.md section 3.5. C++: models.h.

import { Columns } from "./columns.js";
import { type EntropyDecoder, expecting, kBitCells, kEvenNibble } from "./entropy-decoder.js";
import type { FreshColumns } from "./fresh-decoder.js";
import { kModels, kOften, kSeldom } from "./model-layout.js";
import { Motions } from "./motions.js";
import { RowEntries } from "./rows.js";

const kGapNibble = expecting([178, 147, 121, 99, 82, 67, 55, 45, 37, 31, 25, 21, 17, 14, 12, 60]);

export class TypeModel {
  readonly #decoder: EntropyDecoder;
  /** Whether anything changed in the last patch. */
  #wasAny = 0;
  /** Two bits: for when nothing did, and for when something did. */
  readonly #isAny: number;
  /** 0: nothing has changed so far, and the models that follow are not there. */
  #isNewColumn = 0;
  #isAgain = 0;
  #nearGap = 0;
  #farGap = 0;
  #count = 0;
  /** Those that changed ever. */
  readonly columns = new Columns();
  /** What the last step changed, and room for what this one does. */
  motions = new Motions();
  nextMotions = new Motions();
  /** Of objects without a predecessor; made by who reads them. */
  fresh: FreshColumns | undefined;
  readonly entries: RowEntries;

  constructor(decoder: EntropyDecoder) {
    this.#decoder = decoder;
    this.entries = new RowEntries(decoder, this.columns);
    this.#isAny = decoder.bits(1, kSeldom);
    decoder.bits(1, kOften);
  }

  /** Whether anything of the type changes in this patch. */
  readAny(): boolean {
    this.#wasAny = this.#decoder.readBit(this.#isAny + this.#wasAny * kBitCells);
    if (this.#wasAny === 0) return false;
    if (this.#isNewColumn === 0) this.#begin();
    return true;
  }
  #begin(): void {
    const decoder = this.#decoder;
    this.#isNewColumn = decoder.bits(1, kSeldom);
    this.#isAgain = decoder.bits(1);
    this.#nearGap = decoder.nibble(kGapNibble);
    this.#farGap = decoder.number(kEvenNibble);
  }

  /** Which columns take part. `room`: how many more all types may come to know. False: malformed. */
  readColumns(room: number): boolean {
    return this.columns.read(this.#decoder, this.#isNewColumn, room);
  }
  /** Whether a row with motions has an entry that is other than expected. */
  readIsAgain(): boolean {
    return this.#decoder.readBit(this.#isAgain) !== 0;
  }

  /** What this step changed is what the next begins with. */
  swapMotions(): void {
    const { motions } = this;
    this.motions = this.nextMotions;
    this.nextMotions = motions;
  }

  /** How many rows or strings changed that did not change last time. */
  readCount(): number {
    const decoder = this.#decoder;
    if (this.#count === 0) {
      this.#count = decoder.inherit(kModels.count);
      decoder.nibble(kEvenNibble);
    }
    const n = decoder.readNumber(this.#count);
    decoder.learn(kModels.count, Math.min(31 - Math.clz32(n + 1), 15));
    return n;
  }

  /**
   * Rows to leave out before the next of `nLeft` changed ones among the last `nRows`; -1: malformed. What an even
   * spread would give is known to both ends: the bits below it are not modelled.
   */
  readGap(nRows: number, nLeft: number): number {
    const most = nRows - nLeft;
    if (most === 0) return 0;
    const decoder = this.#decoder;
    const rawBits = Math.max(0, 29 - Math.clz32(nRows / nLeft));
    let high = decoder.readNibble(this.#nearGap);
    if (high === 15) high += decoder.readNumber(this.#farGap);
    if (high > most >>> rawBits) return -1;
    const gap = (high << rawBits) | decoder.readRaw(rawBits);
    return gap <= most ? gap : -1;
  }
}
