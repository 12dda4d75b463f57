// Shape: a vtable, and where the columns of its tables are. Definition: docs/WIRE_FORMAT.md section 3.3. C++:
// structure.h.

import { kHeadColumns, kNone, type Type } from "./schema.js";

/** Numbers for each field of a shape that refers to something. */
export const kReferenceCells = 2;
/** Its place in the table. */
export const kOffset = 0;
/** How many objects further the one was that was referred to last, far from a table. */
export const kAhead = 1;

/** A vtable. Tables of one type have several where fields were left out or padded otherwise. */
export class Shape {
  position = 0;
  type = kNone;
  /** Among the shapes of the schema; kNone: it is not there. */
  index = kNone;
  readonly size: number;
  readonly tableSize: number;
  /** [fields] 0: absent. */
  readonly offsets: Uint16Array;
  /** [fields] Bytes up to the next field or the end of the table. */
  readonly widths: Uint16Array;
  /** Fields that are not absent. */
  readonly present: Int32Array;
  /** Four bytes of a table each, or fewer at the end of a field; by column. Set by assignColumns. */
  laneColumn: Int32Array = new Int32Array(0);
  laneOffset: Int32Array = new Int32Array(0);
  laneWidth: Int32Array = new Int32Array(0);
  /** kReferenceCells for each field that refers to something; made by who needs them. */
  references: Int32Array | undefined;

  constructor(
    size: number,
    tableSize: number,
    offsets: Uint16Array,
    widths: Uint16Array,
    present: Int32Array,
  ) {
    this.size = size;
    this.tableSize = tableSize;
    this.offsets = offsets;
    this.widths = widths;
    this.present = present;
  }
}

/**
 * Offsets and widths of the fields of the vtable [at, at + size); undefined if the bytes are none. `work.nRead` counts
 * up by the fields that were looked at.
 */
export function readShape(
  bytes: DataView,
  at: number,
  size: number,
  work: { nRead: number },
): Shape | undefined {
  if (size < 4 || bytes.getUint16(at, true) !== size || size % 2 !== 0) return undefined;
  const tableSize = bytes.getUint16(at + 2, true);
  if (tableSize < 4) return undefined;
  const count = (size - 4) / 2;
  const offsets = new Uint16Array(count);
  let nPresent = 0;
  for (let field = 0; field < count; field += 1) {
    const offset = bytes.getUint16(at + 4 + 2 * field, true);
    work.nRead += 1;
    if (offset === 0) continue;
    if (offset < 4 || offset >= tableSize) return undefined;
    offsets[field] = offset;
    nPresent += 1;
  }
  const present = new Int32Array(nPresent);
  // An offset above, the field below: sorted by offset.
  const byOffset = new Float64Array(nPresent);
  for (let field = 0, n = 0; field < count; field += 1) {
    const offset = offsets[field] as number;
    if (offset === 0) continue;
    present[n] = field;
    byOffset[n] = offset * 0x10000 + field;
    n += 1;
  }
  if (nPresent > 1) byOffset.sort();
  const widths = new Uint16Array(count);
  let end = tableSize;
  for (let i = nPresent - 1; i >= 0; i -= 1) {
    const field = (byOffset[i] as number) % 0x10000;
    const offset = offsets[field] as number;
    if (offset === end) return undefined;
    widths[field] = end - offset;
    end = offset;
  }
  return new Shape(size, tableSize, offsets, widths, present);
}

/** Fills the lanes of a shape; new columns are added to the type's. */
export function assignColumns(shape: Shape, type: Type): void {
  const { columns } = type;
  const column: number[] = [];
  const offset: number[] = [];
  const width: number[] = [];
  const add = (key: number, laneOffset: number, laneWidth: number) => {
    let known = columns.get(key);
    if (known === undefined) {
      known = columns.size;
      columns.set(key, known);
    }
    column.push(known);
    offset.push(laneOffset);
    width.push(laneWidth);
  };
  add(0, 0, 4);
  let first = shape.tableSize;
  for (let i = 0; i < shape.present.length; i += 1) {
    const field = shape.present[i] as number;
    const begin = shape.offsets[field] as number;
    const size = shape.widths[field] as number;
    first = Math.min(first, begin);
    for (let at = 0; at < size; at += 4) {
      add((field + 1) * 0x10000 + at / 4, begin + at, Math.min(4, size - at));
    }
  }
  for (let at = 4; at < first; at += 4) {
    column.push(kHeadColumns + at / 4);
    offset.push(at);
    width.push(Math.min(4, first - at));
  }
  const order = orderOf(column);
  shape.laneColumn = pick(column, order);
  shape.laneOffset = pick(offset, order);
  shape.laneWidth = pick(width, order);
}

/** The places of a list by what is there, equal ones as they come; undefined: it is sorted. */
function orderOf(list: readonly number[]): Uint32Array | undefined {
  let i = 1;
  while (i < list.length && (list[i - 1] as number) <= (list[i] as number)) i += 1;
  if (i >= list.length) return undefined;
  const order = Uint32Array.from(list.keys());
  return order.sort((a, b) => (list[a] as number) - (list[b] as number) || a - b);
}
function pick(list: readonly number[], order: Uint32Array | undefined): Int32Array {
  if (order === undefined) return new Int32Array(list);
  const picked = new Int32Array(list.length);
  for (let i = 0; i < picked.length; i += 1) picked[i] = list[order[i] as number] as number;
  return picked;
}
