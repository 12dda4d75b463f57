// What a snapshot is made of: its tables, strings and vectors, as find-structure.ts finds them without a schema.
// Definition: docs/WIRE_FORMAT.md section 3.3. C++: structure.h.

/** No type, shape or object. */
export const kNone = -1;

/** Columns of what no field covers: between the vtable offset and the first field, and behind the table. */
export const kHeadColumns = 0x10000;
export const kTailColumns = 0x20000;

export enum Kind {
  /** The root offset and file identifier; all of a buffer that is no FlatBuffer. */
  kOther = 0,
  kVTable = 1,
  kTable = 2,
  /** A vector of tables or of strings. */
  kReferences = 3,
  /** A string. */
  kText = 4,
  /** A vector of scalars or structs. */
  kData = 5,
}

export enum FieldKind {
  kUndecided = 0,
  kScalar = 1,
  kPending = 2,
  kTable = 3,
  kTables = 4,
  kTexts = 5,
  kText = 6,
  kData = 7,
}

/** A vtable. Tables of one type have several where fields were left out or padded otherwise. */
export class Shape {
  position = 0;
  type = kNone;
  readonly size: number;
  readonly tableSize: number;
  /** [fields] 0: absent. */
  readonly offsets: Uint16Array;
  /** [fields] Bytes up to the next field or the end of the table. */
  readonly widths: Uint16Array;
  /** Fields that are not absent. */
  readonly present: Int32Array;
  /** Four bytes of a table each, or fewer at the end of a field; by column. Set by assignColumns. */
  laneColumn = new Int32Array(0);
  laneOffset = new Int32Array(0);
  laneWidth = new Int32Array(0);

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

  #byOffset: Uint32Array | undefined;

  /** The lanes that begin in the first `sizeBytes` of a table, by column. Cost: as many, after the first time. */
  lanesBefore(sizeBytes: number): Uint32Array {
    const { laneOffset } = this;
    if (this.#byOffset === undefined) {
      this.#byOffset = Uint32Array.from(laneOffset.keys());
      this.#byOffset.sort((a, b) => (laneOffset[a] as number) - (laneOffset[b] as number));
    }
    let n = 0;
    while (n < laneOffset.length && (laneOffset[this.#byOffset[n] as number] as number) < sizeBytes) n += 1;
    return this.#byOffset.slice(0, n).sort();
  }
}

/** Objects of one meaning. */
export class Type {
  readonly kind: Kind;
  /** One row per object, although it is a vector. */
  isWhole = false;
  /** Elements of 8 bytes, on multiples of 8. */
  isAligned = false;
  /** Of kReferences: type of what the elements refer to. */
  element = kNone;
  /** Of kData: bytes per element. */
  stride = 0;
  /** [fields] What they are, and the type of what they refer to. See fieldKind(), childOf(). */
  fieldKinds: FieldKind[] = [];
  fieldChildren: number[] = [];
  /** In order of discovery. */
  shapes: number[] = [];
  /** Number of (field + 1) << 16 | lane in it; of 0: the vtable's. */
  columns = new Map<number, number>();
  /** Indices of its objects, by position. */
  objects = new Int32Array(0);
  /** Of all of them. Set by countRows. */
  nRows = 0;
  nBytes = 0;

  constructor(kind: Kind) {
    this.kind = kind;
  }

  fieldKind(field: number): FieldKind {
    return this.fieldKinds[field] ?? FieldKind.kUndecided;
  }
  /** Type of what a field refers to, or kNone. */
  childOf(field: number): number {
    return this.fieldChildren[field] ?? kNone;
  }
  setField(field: number, kind: FieldKind, child: number): void {
    while (this.fieldKinds.length <= field) {
      this.fieldKinds.push(FieldKind.kUndecided);
      this.fieldChildren.push(kNone);
    }
    this.fieldKinds[field] = kind;
    this.fieldChildren[field] = child;
  }

  /** The same type, to which shapes can be added without the other having them. */
  copy(): Type {
    const copy = new Type(this.kind);
    copy.isWhole = this.isWhole;
    copy.isAligned = this.isAligned;
    copy.element = this.element;
    copy.stride = this.stride;
    copy.fieldKinds = this.fieldKinds;
    copy.fieldChildren = this.fieldChildren;
    copy.shapes = this.shapes.slice();
    copy.columns = new Map(this.columns);
    copy.objects = this.objects;
    copy.nRows = this.nRows;
    copy.nBytes = this.nBytes;
    return copy;
  }

  get hasOneRow(): boolean {
    return this.kind === Kind.kTable || this.kind === Kind.kText || this.isWhole;
  }
  get hasLength(): boolean {
    return this.kind === Kind.kData || this.kind === Kind.kReferences;
  }
  get rowBytes(): number {
    return this.kind === Kind.kData && this.stride >= 8 ? this.stride : 32;
  }
  /** Rows that an object of this many bytes has. */
  rowsOf(sizeBytes: number): number {
    if (this.hasOneRow) return 1;
    if (!this.hasLength) return Math.ceil(sizeBytes / 32);
    return sizeBytes <= 4 ? 1 : 1 + Math.ceil((sizeBytes - 4) / this.rowBytes);
  }
}

/** Objects side by side, by position: first byte, byte behind the last, shape (of tables and vtables). */
export interface ObjectList {
  readonly start: Int32Array;
  readonly end: Int32Array;
  readonly shape: Int32Array;
}

/** Rows and bytes of the objects `members` of a type. */
export function countRows(
  type: Type,
  objects: ObjectList,
  members: Int32Array,
): { nRows: number; nBytes: number } {
  let nRows = type.hasOneRow ? members.length : 0;
  let nBytes = 0;
  for (let i = 0; i < members.length; i += 1) {
    const object = members[i] as number;
    const size = (objects.end[object] as number) - (objects.start[object] as number);
    nBytes += size;
    if (!type.hasOneRow) nRows += type.rowsOf(size);
  }
  return { nRows, nBytes };
}

export class Structure {
  readonly sizeBytes: number;
  readonly isFlatbuffer: boolean;
  readonly shapes: readonly Shape[];
  /** [0] kOther, [1] kVTable, then as discovered. */
  readonly types: readonly Type[];
  /** They cover the buffer without gaps. */
  readonly objects: ObjectList;
  /** [objects] Type, and place among the objects of the type. */
  readonly typeOf: Int32Array;
  readonly rankOf: Int32Array;
  /** [blocks of 64 bytes] How many objects begin before. */
  readonly #firstAt: Int32Array;

  constructor(
    sizeBytes: number,
    isFlatbuffer: boolean,
    shapes: readonly Shape[],
    types: readonly Type[],
    objects: ObjectList,
    typeOf: Int32Array,
    rankOf: Int32Array,
    firstAt: Int32Array,
  ) {
    this.sizeBytes = sizeBytes;
    this.isFlatbuffer = isFlatbuffer;
    this.shapes = shapes;
    this.types = types;
    this.objects = objects;
    this.typeOf = typeOf;
    this.rankOf = rankOf;
    this.#firstAt = firstAt;
  }

  /** Index of the object that holds this byte. Requires: position < sizeBytes. */
  objectAt(position: number): number {
    const { start } = this.objects;
    const n = start.length;
    let behind = this.#firstAt[position >>> 6] as number;
    // Objects begin at even positions, so these are 32 at most.
    while (behind < n && (start[behind] as number) <= position) behind += 1;
    return behind - 1;
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
  byOffset.sort();
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
  const column: number[] = [];
  const offset: number[] = [];
  const width: number[] = [];
  const add = (key: number, laneOffset: number, laneWidth: number) => {
    let known = type.columns.get(key);
    if (known === undefined) {
      known = type.columns.size;
      type.columns.set(key, known);
    }
    column.push(known);
    offset.push(laneOffset);
    width.push(laneWidth);
  };
  add(0, 0, 4);
  let first = shape.tableSize;
  for (const field of shape.present) {
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
  const order = Uint32Array.from(column.keys());
  order.sort((a, b) => (column[a] as number) - (column[b] as number) || a - b);
  shape.laneColumn = Int32Array.from(order, (i) => column[i] as number);
  shape.laneOffset = Int32Array.from(order, (i) => offset[i] as number);
  shape.laneWidth = Int32Array.from(order, (i) => width[i] as number);
}
