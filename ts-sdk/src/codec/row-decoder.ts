// RowDecoder: what is left between a prediction and the target, row by row and column by column.
// Format: docs/WIRE_FORMAT.md section 3.5. C++: residual.h.

import { ColumnModels } from "./column-models.js";
import { type EntropyDecoder, expecting, kNibbleCells } from "./entropy-decoder.js";
import { RowEntries } from "./rows.js";
import {
  countRows,
  Kind,
  kHeadColumns,
  kTailColumns,
  type ObjectList,
  type Shape,
  type Type,
} from "./structure.js";

const kFewNibble = expecting([60, 8, 6, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1]);
const kRareNibble = expecting([500, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
const kNearNibble = expecting([40, 20, 15, 10, 8, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
const kGapNibble = expecting([178, 147, 121, 99, 82, 67, 55, 45, 37, 31, 25, 21, 17, 14, 12, 60]);

/** One behind the last column that can be spoken of. */
const kEndOfColumns = 0x40000;

export class RowDecoder {
  readonly #decoder: EntropyDecoder;
  readonly #shapes: readonly Shape[];
  readonly #bytes: Uint8Array;
  readonly #entries: RowEntries;
  readonly #models: ColumnModels;
  /** How many rows changed: of tables and data, of all else, of strings. */
  readonly #count: number;
  readonly #rareCount: number;
  readonly #textCount: number;
  readonly #nColumns: number;
  readonly #columnGap: number;
  #columns = new Int32Array(16);
  /** By type: the columns of rows without a predecessor. */
  readonly #fresh: FreshColumns[] = [];

  /** `bytes`: the prediction, which becomes the target. `shapes`: may grow. */
  constructor(decoder: EntropyDecoder, shapes: readonly Shape[], bytes: Uint8Array) {
    this.#decoder = decoder;
    this.#shapes = shapes;
    this.#bytes = bytes;
    this.#entries = new RowEntries(shapes);
    this.#models = new ColumnModels(decoder);
    this.#count = decoder.numbers(1);
    decoder.expect(this.#count, kFewNibble);
    this.#rareCount = decoder.numbers(1);
    decoder.expect(this.#rareCount, kRareNibble);
    this.#textCount = decoder.numbers(1);
    decoder.expect(this.#textCount, kFewNibble);
    this.#nColumns = decoder.numbers(1);
    this.#columnGap = decoder.numbers(1);
    decoder.expect(this.#columnGap, kNearNibble);
  }

  /** The changed rows of the objects `members` of a type, by position. False: malformed. */
  rows(type: Type, objects: ObjectList, members: Int32Array): boolean {
    const decoder = this.#decoder;
    const isOften = type.kind === Kind.kTable || type.kind === Kind.kData;
    const nChanged = decoder.number(isOften ? this.#count : this.#rareCount);
    if (nChanged === 0) return true;
    const { hasOneRow } = type;
    const { nRows, nBytes } = members === type.objects ? type : countRows(type, objects, members);
    if (nChanged > nRows) return false;
    const mark = decoder.mark();
    const n = this.#readColumns(nBytes);
    if (n === 0) return false;
    this.#entries.setColumns(this.#columns, n);
    const first = this.#models.add(n);
    const gaps = this.#newGaps();
    let row = 0;
    let rank = 0;
    /** Of that object. */
    let firstRow = 0;
    for (let left = nChanged; left > 0; left -= 1, row += 1) {
      const gap = this.#readGap(gaps, nRows - row, left);
      if (gap < 0) return false;
      row += gap;
      if (hasOneRow) {
        rank = row;
        firstRow = row;
      } else {
        for (;;) {
          const rows = type.rowsOf(sizeOf(objects, members[rank] as number));
          if (firstRow + rows > row) break;
          firstRow += rows;
          rank += 1;
        }
      }
      this.#entries.find(type, objects, members[rank] as number, row - firstRow);
      if (!this.#readRow(first)) return false;
    }
    this.#models.removeFrom(first);
    decoder.release(mark);
    return true;
  }

  /** Reads the columns that occur, ascending, into #columns. Returns how many they are; 0: malformed. */
  #readColumns(nBytes: number): number {
    const n = this.#decoder.number(this.#nColumns) + 1;
    // Each is of at least one byte.
    if (n > nBytes) return 0;
    if (this.#columns.length < n) this.#columns = new Int32Array(2 * n);
    let next = 0;
    for (let i = 0; i < n; i += 1) {
      const gap = this.#decoder.number(this.#columnGap);
      if (gap >= kEndOfColumns - next) return 0;
      this.#columns[i] = next + gap;
      next += gap + 1;
    }
    return n;
  }

  /** The row that #entries describes. `first`: model of the first column. */
  #readRow(first: number): boolean {
    const { count, column, position, width } = this.#entries;
    if (count === 0) return false;
    const last = count - 1;
    let wasChanged = 1;
    let isAny = 0;
    for (let i = 0; i < count; i += 1) {
      const model = first + (column[i] as number);
      // A row without a change would not be told of.
      const isSure = i === last && isAny === 0;
      if (isSure || this.#models.isChanged(model, wasChanged + isAny)) {
        this.#change(model, position[i] as number, width[i] as number);
        wasChanged = 1;
        isAny = 2;
      } else {
        wasChanged = 0;
      }
    }
    return true;
  }

  #change(model: number, position: number, width: number): void {
    const bytes = this.#bytes;
    let carry = this.#models.difference(model);
    for (let at = position; at < position + width; at += 1) {
      const sum = (bytes[at] as number) + (carry & 255);
      bytes[at] = sum;
      carry = (carry >>> 8) + (sum >>> 8);
    }
  }

  /** An object without a predecessor: every entry may differ. */
  freshObject(typeIndex: number, type: Type, objects: ObjectList, object: number): void {
    let fresh = this.#fresh[typeIndex];
    if (fresh === undefined) {
      fresh = new FreshColumns(this.#models, type);
      this.#fresh[typeIndex] = fresh;
    }
    const start = objects.start[object] as number;
    const end = objects.end[object] as number;
    if (type.kind === Kind.kTable) {
      const shape = this.#shapes[objects.shape[object] as number] as Shape;
      const { laneColumn, laneOffset, laneWidth } = shape;
      for (let i = 0; i < laneColumn.length; i += 1) {
        const at = start + (laneOffset[i] as number);
        this.#freshEntry(fresh.model(laneColumn[i] as number), at, laneWidth[i] as number);
      }
      this.#freshEntries(fresh, kTailColumns, start + shape.tableSize, end);
    } else if (type.isWhole) {
      this.#freshEntries(fresh, 0, start, end);
    } else {
      let begin = start;
      let column = 0;
      if (type.hasLength) {
        begin = Math.min(start + 4, end);
        column = 1;
        this.#freshEntries(fresh, 0, start, begin);
      }
      const { rowBytes } = type;
      for (; begin < end; begin += rowBytes) {
        this.#freshEntries(fresh, column, begin, Math.min(begin + rowBytes, end));
      }
    }
  }
  #freshEntries(fresh: FreshColumns, first: number, begin: number, end: number): void {
    let column = first;
    for (let at = begin; at < end; at += 4, column += 1) {
      this.#freshEntry(fresh.model(column), at, Math.min(4, end - at));
    }
  }
  #freshEntry(model: number, position: number, width: number): void {
    if (this.#models.isChanged(model, 0)) this.#change(model, position, width);
  }

  /** Which of `n` strings differ: their ranks, ascending. Undefined: malformed. */
  texts(n: number): Int32Array | undefined {
    const nChanged = this.#decoder.number(this.#textCount);
    if (nChanged > n) return undefined;
    const changed = new Int32Array(nChanged);
    if (nChanged === 0) return changed;
    const mark = this.#decoder.mark();
    const gaps = this.#newGaps();
    let rank = 0;
    for (let i = 0; i < nChanged; i += 1, rank += 1) {
      const gap = this.#readGap(gaps, n - rank, nChanged - i);
      if (gap < 0) return undefined;
      rank += gap;
      changed[i] = rank;
    }
    this.#decoder.release(mark);
    return changed;
  }

  #newGaps(): number {
    const gaps = this.#decoder.nibbles(3);
    this.#decoder.expect(gaps, kGapNibble);
    return gaps;
  }

  /**
   * Rows to leave out before the next of `nLeft` changed ones among the last `nRows`; -1: malformed. What an even
   * spread would give is known to both ends: the bits below it are not modelled.
   */
  #readGap(gaps: number, nRows: number, nLeft: number): number {
    const most = nRows - nLeft;
    if (most === 0) return 0;
    const decoder = this.#decoder;
    const rawBits = Math.max(0, 29 - Math.clz32(nRows / nLeft));
    let high = decoder.nibble(gaps);
    if (high === 15) high += decoder.number(gaps + kNibbleCells);
    if (high > most >>> rawBits) return -1;
    const gap = (high << rawBits) | decoder.raw(rawBits);
    return gap <= most ? gap : -1;
  }
}

/** The models of a type's columns, made when they are needed first. */
class FreshColumns {
  readonly #models: ColumnModels;
  /** Fields, head and tail: 1 + model; 0: none yet. */
  readonly #known = [new Int32Array(16), new Int32Array(16), new Int32Array(16)];

  /** Columns from here on, which no baseline had, share a model, so that memory does not grow with the target. */
  readonly #last: number;

  constructor(models: ColumnModels, type: Type) {
    this.#models = models;
    this.#last = type.kind !== Kind.kTable && type.isWhole ? 15 : kTailColumns + 15;
  }

  model(wanted: number): number {
    const column = Math.min(wanted, this.#last);
    const part = column < kHeadColumns ? 0 : column < kTailColumns ? 1 : 2;
    const index = column - part * kHeadColumns;
    let known = this.#known[part] as Int32Array;
    if (index >= known.length) {
      const grown = new Int32Array(2 * index);
      grown.set(known);
      known = grown;
      this.#known[part] = grown;
    }
    let model = known[index] as number;
    if (model === 0) {
      model = this.#models.add(1) + 1;
      known[index] = model;
    }
    return model - 1;
  }
}

function sizeOf(objects: ObjectList, object: number): number {
  return (objects.end[object] as number) - (objects.start[object] as number);
}
