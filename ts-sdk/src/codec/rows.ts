// RowEntries: where a row of an object has the columns that a patch speaks of. Definition: docs/WIRE_FORMAT.md
// section 3.5. C++: row_entries.h.

import type { Columns } from "./columns.js";
import type { EntropyDecoder } from "./entropy-decoder.js";
import { Kind, kTailColumns, shapeOfTag, type Type } from "./schema.js";
import type { Shape } from "./shape.js";
import type { ObjectList } from "./structure.js";

/** Numbers of an entry: its column, the column's place among those that are known and where its models are; the first
 * byte, counted from `base`, and how many they are. */
export const kEntryCells = 5;
export const kColumnOf = 0;
export const kPlace = 1;
export const kModelsOf = 2;
export const kOffset = 3;
export const kWidth = 4;

const kNoCells = new Int32Array(0);

/** Entries of a row, by column. */
export class Entries {
  cells: Int32Array = kNoCells;
  count = 0;

  add(column: number, place: number, models: number, offset: number, width: number): void {
    let at = this.count * kEntryCells;
    if (at + kEntryCells > this.cells.length) {
      const grown = new Int32Array(2 * at + 8 * kEntryCells);
      grown.set(this.cells);
      this.cells = grown;
    }
    const { cells } = this;
    cells[at++] = column;
    cells[at++] = place;
    cells[at++] = models;
    cells[at++] = offset;
    cells[at++] = width;
    this.count += 1;
  }
}

/** The entries of all whole tables of a shape, kept as long as the same columns take part. */
class Plan {
  readonly entries = new Entries();
  generation = -1;
}

/** Of one type. */
export class RowEntries {
  readonly #decoder: EntropyDecoder;
  readonly #columns: Columns;
  /** [shapes] */
  readonly #plans: (Plan | undefined)[] = [];
  readonly #others = new Entries();
  /** What find() found. */
  found: Entries = this.#others;
  base = 0;

  constructor(decoder: EntropyDecoder, columns: Columns) {
    this.#decoder = decoder;
    this.#columns = columns;
  }

  /** Sets `found` and `base`. */
  find(type: Type, { schema, start: starts, tag }: ObjectList, object: number, row: number): void {
    const start = starts[object] as number;
    const end = starts[object + 1] as number;
    if (type.kind === Kind.kTable)
      this.#findInTable(shapeOfTag(tag[object] as number), schema.shapes, start, end);
    else this.#findInLanes(type, start, end, row);
  }

  #findInTable(index: number, shapes: readonly Shape[], start: number, end: number): void {
    const shape = shapes[index] as Shape;
    const { active, nActive, number } = this.#columns;
    const isWhole = end - start >= shape.tableSize;
    const hasTail =
      end - start > shape.tableSize && (number[active[nActive - 1] as number] as number) >= kTailColumns;
    if (isWhole && !hasTail) {
      this.found = this.#entriesOf(index, shape);
      this.base = start;
      return;
    }
    this.#others.count = 0;
    this.found = this.#others;
    this.base = 0;
    this.#match(shape, start, end, this.#others);
    this.#addLanes(kTailColumns, start + shape.tableSize, end);
  }

  #findInLanes(type: Type, start: number, end: number, row: number): void {
    this.#others.count = 0;
    this.found = this.#others;
    this.base = 0;
    if (type.isWhole) {
      this.#addLanes(0, start, end);
    } else if (!type.hasLength) {
      this.#addLanes(0, start + 32 * row, Math.min(end, start + 32 * row + 32));
    } else {
      const rowsBegin = Math.min(start + 4, end);
      const begin = rowsBegin + (row - 1) * type.rowBytes;
      if (row === 0) this.#addLanes(0, start, rowsBegin);
      else this.#addLanes(1, begin, Math.min(end, begin + type.rowBytes));
    }
  }

  /** Column `first` is at `begin`, the next four bytes behind it, and so on up to `end`. */
  #addLanes(first: number, begin: number, end: number): void {
    const { active, nActive, number } = this.#columns;
    for (let i = this.#firstActive(first, 0); i < nActive; i += 1) {
      const place = active[i] as number;
      const column = number[place] as number;
      const position = begin + 4 * (column - first);
      if (position >= end) break;
      const models = this.#columns.modelsOf(this.#decoder, place);
      this.#others.add(column, place, models, position, Math.min(4, end - position));
    }
  }

  #entriesOf(index: number, shape: Shape): Entries {
    let plan = this.#plans[index];
    if (plan === undefined) {
      plan = new Plan();
      this.#plans[index] = plan;
    }
    const { entries } = plan;
    if (plan.generation !== this.#columns.generation) {
      plan.generation = this.#columns.generation;
      entries.count = 0;
      this.#match(shape, 0, shape.tableSize, entries);
    }
    return entries;
  }

  /** Adds the lanes of a table at `start` that begin before `end` and are of active columns. */
  #match(shape: Shape, start: number, end: number, out: Entries): void {
    const { active, nActive, number } = this.#columns;
    const { laneColumn, laneOffset, laneWidth } = shape;
    let i = 0;
    for (let lane = 0; lane < laneColumn.length; lane += 1) {
      const column = laneColumn[lane] as number;
      // Mostly the next, if any.
      if (i < nActive && (number[active[i] as number] as number) < column)
        i = this.#firstActive(column, i + 1);
      if (i === nActive) break;
      const place = active[i] as number;
      const offset = laneOffset[lane] as number;
      if (number[place] !== column || start + offset >= end) continue;
      const models = this.#columns.modelsOf(this.#decoder, place);
      out.add(
        column,
        place,
        models,
        start + offset,
        Math.min(laneWidth[lane] as number, end - start - offset),
      );
    }
  }

  /** The first active column that is not below `wanted`, from the `from`th on; nActive: none. */
  #firstActive(wanted: number, from: number): number {
    const { active, nActive, number } = this.#columns;
    let low = from;
    if (low < nActive && (number[active[low] as number] as number) >= wanted) return low;
    let high = nActive;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((number[active[middle] as number] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
