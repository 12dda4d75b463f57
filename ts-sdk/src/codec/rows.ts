// RowEntries: where a row of an object has the columns that a patch speaks of. Definition: docs/WIRE_FORMAT.md
// section 3.5. C++: residual.h, for_each_entry.

import { Kind, kTailColumns, type ObjectList, type Shape, type Type } from "./structure.js";

/** The lanes of a shape that are among the columns. */
class Match {
  count = 0;
  readonly column: Int32Array;
  readonly offset: Int32Array;
  readonly width: Int32Array;

  constructor(most: number) {
    this.column = new Int32Array(most);
    this.offset = new Int32Array(most);
    this.width = new Int32Array(most);
  }
  add(column: number, shape: Shape, lane: number): void {
    const n = this.count;
    this.column[n] = column;
    this.offset[n] = shape.laneOffset[lane] as number;
    this.width[n] = shape.laneWidth[lane] as number;
    this.count = n + 1;
  }
}

export class RowEntries {
  readonly #shapes: readonly Shape[];
  /** The columns spoken of, ascending. */
  #columns: Int32Array = new Int32Array(0);
  #nColumns = 0;
  /** First of them behind a table. */
  #firstTail = 0;
  #matches = new Map<number, Match>();
  #lastShape = -1;
  #lastMatch = new Match(0);
  /** What find() found: number of the column, first byte, bytes. */
  count = 0;
  column = new Int32Array(16);
  position = new Int32Array(16);
  width = new Int32Array(16);

  constructor(shapes: readonly Shape[]) {
    this.#shapes = shapes;
  }

  /** From now on it is about the first `n` of these columns. Keeps them. */
  setColumns(columns: Int32Array, n: number): void {
    this.#columns = columns;
    this.#nColumns = n;
    this.#firstTail = firstAtLeast(columns, n, kTailColumns);
    this.#matches.clear();
    this.#lastShape = -1;
    if (this.column.length < 2 * n) {
      this.column = new Int32Array(2 * n);
      this.position = new Int32Array(2 * n);
      this.width = new Int32Array(2 * n);
    }
  }

  /** Fills `count`, `column`, `position` and `width`, by column. */
  find(type: Type, objects: ObjectList, object: number, row: number): void {
    this.count = 0;
    const start = objects.start[object] as number;
    const end = objects.end[object] as number;
    if (type.kind === Kind.kTable) {
      const shape = this.#shapes[objects.shape[object] as number] as Shape;
      if (end - start < shape.tableSize) this.#findInPart(shape, start, end);
      else this.#findInTable(objects.shape[object] as number, shape, start, end);
    } else {
      let begin = start;
      let rowEnd = end;
      let column = 0;
      if (type.hasLength && !type.isWhole) {
        const rowsBegin = Math.min(start + 4, end);
        if (row === 0) {
          rowEnd = rowsBegin;
        } else {
          begin = rowsBegin + (row - 1) * type.rowBytes;
          rowEnd = Math.min(end, begin + type.rowBytes);
          column = 1;
        }
      } else if (!type.isWhole) {
        begin = start + 32 * row;
        rowEnd = Math.min(end, begin + 32);
      }
      this.#findLanes(
        column,
        begin,
        rowEnd,
        column === 0 ? 0 : firstAtLeast(this.#columns, this.#nColumns, column),
      );
    }
  }

  #findInTable(index: number, shape: Shape, start: number, end: number): void {
    if (this.#lastShape !== index) {
      let match = this.#matches.get(index);
      if (match === undefined) {
        match = this.#match(shape);
        this.#matches.set(index, match);
      }
      this.#lastShape = index;
      this.#lastMatch = match;
    }
    const { count: n, column, offset, width } = this.#lastMatch;
    for (let i = 0; i < n; i += 1) {
      this.column[i] = column[i] as number;
      this.position[i] = start + (offset[i] as number);
      this.width[i] = width[i] as number;
    }
    this.count = n;
    if (this.#firstTail < this.#nColumns) {
      this.#findLanes(kTailColumns, start + shape.tableSize, end, this.#firstTail);
    }
  }

  /** A table that another object begins in: only the lanes before that, so that work stays linear in the bytes. */
  #findInPart(shape: Shape, start: number, end: number): void {
    const { laneColumn, laneOffset, laneWidth } = shape;
    for (const lane of shape.lanesBefore(end - start)) {
      const wanted = laneColumn[lane] as number;
      const at = firstAtLeast(this.#columns, this.#nColumns, wanted);
      if (at === this.#nColumns || this.#columns[at] !== wanted) continue;
      const position = start + (laneOffset[lane] as number);
      if (this.count > 0 && this.column[this.count - 1] === at) this.count -= 1;
      this.#add(at, position, Math.min(laneWidth[lane] as number, end - position));
    }
  }

  /** Column `first` is at `begin`, the next four bytes behind it, and so on up to `end`. */
  #findLanes(first: number, begin: number, end: number, at: number): void {
    for (let i = at; i < this.#nColumns; i += 1) {
      const position = begin + 4 * ((this.#columns[i] as number) - first);
      if (position >= end) break;
      this.#add(i, position, Math.min(4, end - position));
    }
  }

  #add(column: number, position: number, width: number): void {
    const n = this.count;
    this.column[n] = column;
    this.position[n] = position;
    this.width[n] = width;
    this.count = n + 1;
  }

  #match(shape: Shape): Match {
    const columns = this.#columns;
    const n = this.#nColumns;
    const { laneColumn } = shape;
    const most = Math.min(n, laneColumn.length);
    const match = new Match(most);
    // The fewer are looked up among the more.
    if (n < laneColumn.length) {
      for (let i = 0; i < n; i += 1) {
        const wanted = columns[i] as number;
        const lane = firstAtLeast(laneColumn, laneColumn.length, wanted + 1) - 1;
        if (lane >= 0 && laneColumn[lane] === wanted) match.add(i, shape, lane);
      }
    } else {
      for (let lane = 0; lane < laneColumn.length; lane += 1) {
        const wanted = laneColumn[lane] as number;
        if (laneColumn[lane + 1] === wanted) continue;
        const i = firstAtLeast(columns, n, wanted);
        if (i < n && columns[i] === wanted) match.add(i, shape, lane);
      }
    }
    return match;
  }
}

/** Index of the first of `n` ascending numbers that is not below `wanted`; n: none. */
function firstAtLeast(numbers: Int32Array, n: number, wanted: number): number {
  let low = 0;
  let high = n;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
