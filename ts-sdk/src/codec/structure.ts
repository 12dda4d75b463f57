// What a snapshot is made of: its tables, strings and vectors, as find-structure.ts finds them without a schema.
// Definition: docs/WIRE_FORMAT.md section 3.3. C++: structure.h.

import type { Shape } from "./shape.js";

/** No type, shape or object. */
export const kNone = -1;

/** Columns of what no field covers: between the vtable offset and the first field, and behind the table. */
export const kHeadColumns = 2 ** 28;
export const kTailColumns = 2 ** 29;
/** One behind the last column there can be. */
export const kEndColumns = 2 ** 30;

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

/** What objects of one meaning have in common. */
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

/** Objects of one type. */
export class Group {
  readonly type: Type;
  readonly objects: ObjectList;
  /** Indices in `objects`, by position. */
  readonly members: Int32Array;
  #nRows = -1;
  #nBytes = -1;

  constructor(type: Type, objects: ObjectList, members: Int32Array) {
    this.type = type;
    this.objects = objects;
    this.members = members;
  }

  /** Of all of them. Cost: one pass over the objects, the first time. */
  get nRows(): number {
    if (this.#nRows < 0) {
      if (this.type.hasOneRow) this.#nRows = this.members.length;
      else this.#count();
    }
    return this.#nRows;
  }
  get nBytes(): number {
    if (this.#nBytes < 0) this.#count();
    return this.#nBytes;
  }
  #count(): void {
    const { start, end } = this.objects;
    let nRows = 0;
    let nBytes = 0;
    for (const object of this.members) {
      const size = (end[object] as number) - (start[object] as number);
      nBytes += size;
      nRows += this.type.rowsOf(size);
    }
    this.#nRows = nRows;
    this.#nBytes = nBytes;
  }
}

/** Bytes for which Structure knows how many objects begin before. */
const kBlockShift = 6;

export class Structure {
  readonly sizeBytes: number;
  readonly isFlatbuffer: boolean;
  readonly shapes: readonly Shape[];
  /** [0] kOther, [1] kVTable, then as discovered. */
  readonly types: readonly Type[];
  /** They cover the buffer without gaps. */
  readonly objects: ObjectList;
  /** [objects] */
  readonly typeOf: Int32Array;
  /** [types] */
  readonly groups: readonly Group[];
  /** [blocks] How many objects begin before. Made when it is needed first. */
  #firstAt: Int32Array | undefined;

  constructor(
    sizeBytes: number,
    isFlatbuffer: boolean,
    shapes: readonly Shape[],
    types: readonly Type[],
    objects: ObjectList,
    typeOf: Int32Array,
    groups: readonly Group[],
  ) {
    this.sizeBytes = sizeBytes;
    this.isFlatbuffer = isFlatbuffer;
    this.shapes = shapes;
    this.types = types;
    this.objects = objects;
    this.typeOf = typeOf;
    this.groups = groups;
  }

  /** Index of the object that holds this byte. Requires: position < sizeBytes. */
  objectAt(position: number): number {
    this.#firstAt ??= this.#countBlocks();
    const { start } = this.objects;
    const n = start.length;
    let behind = this.#firstAt[position >>> kBlockShift] as number;
    // Objects begin at even positions, so these are 32 at most.
    while (behind < n && (start[behind] as number) <= position) behind += 1;
    return behind - 1;
  }
  #countBlocks(): Int32Array {
    const { start } = this.objects;
    const firstAt = new Int32Array((this.sizeBytes >>> kBlockShift) + 1);
    let block = 0;
    for (let i = 0; i < start.length; i += 1) {
      const own = (start[i] as number) >>> kBlockShift;
      // All blocks up to that of object i, unless one before begins in it too.
      for (; block <= own; block += 1) firstAt[block] = i;
    }
    for (; block < firstAt.length; block += 1) firstAt[block] = start.length;
    return firstAt;
  }
}
