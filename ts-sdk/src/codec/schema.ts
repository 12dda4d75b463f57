// Schema: of which types the objects of a snapshot are, and which vtables their tables have. Definition:
// docs/WIRE_FORMAT.md section 3.3. C++: structure.h.

import { assignColumns, type Shape } from "./shape.js";

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

/** Types and vtables of a schema together. */
export const kMaxTags = 65535;

/** What an object is, in one number: its type, and the shape of a table or vtable, else kNone. */
export function tagOf(type: number, shape: number): number {
  return ((type << 16) | (shape + 1)) >>> 0;
}
export function typeOfTag(tag: number): number {
  return tag >>> 16;
}
export function shapeOfTag(tag: number): number {
  return (tag & 0xffff) - 1;
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

/** Of at most kMaxTags types and shapes. Shared by structures: who adds to it makes a copy before. */
export class Schema {
  /** [0] kOther, [1] kVTable, then as discovered. */
  readonly types: readonly Type[];
  readonly shapes: readonly Shape[];
  /** [types] */
  readonly kinds: Uint8Array;
  /** [shapes, or more] Bytes of a table. */
  tableSizes: Uint16Array;

  readonly #types: Type[];
  readonly #shapes: Shape[];
  /** Types that are not those of another schema too. */
  readonly #own = new Set<Type>();
  #firstOfKind: Int32Array | undefined;

  constructor(types: Type[], shapes: Shape[]) {
    this.#types = types;
    this.#shapes = shapes;
    this.types = types;
    this.shapes = shapes;
    this.kinds = Uint8Array.from(types, ({ kind }) => kind);
    this.tableSizes = Uint16Array.from(shapes, ({ tableSize }) => tableSize);
  }

  copy(): Schema {
    return new Schema(this.#types.slice(), this.#shapes.slice());
  }

  get isFull(): boolean {
    return this.types.length + this.shapes.length >= kMaxTags;
  }
  /** A vtable that the type does not have. Returns its index. Requires: a copy that is not full. */
  addShape(shape: Shape, typeIndex: number): number {
    let type = this.#types[typeIndex] as Type;
    if (!this.#own.has(type)) {
      type = type.copy();
      this.#types[typeIndex] = type;
      this.#own.add(type);
    }
    shape.type = typeIndex;
    assignColumns(shape, type);
    const index = this.#shapes.push(shape) - 1;
    type.shapes.push(index);
    if (index >= this.tableSizes.length) this.tableSizes = grown(this.tableSizes);
    this.tableSizes[index] = shape.tableSize;
    this.#firstOfKind = undefined;
    return index;
  }

  /** [shapes] First shape of its type with the same fields, whatever the places of these. */
  get firstOfKind(): Int32Array {
    this.#firstOfKind ??= this.#groupShapes();
    return this.#firstOfKind;
  }
  #groupShapes(): Int32Array {
    const firstOfKind = new Int32Array(this.shapes.length);
    for (const type of this.types) {
      const first = new Map<string, number>();
      for (const index of type.shapes) {
        const fields = (this.shapes[index] as Shape).present.join();
        const known = first.get(fields);
        if (known === undefined) first.set(fields, index);
        firstOfKind[index] = known ?? index;
      }
    }
    return firstOfKind;
  }
}

function grown(list: Uint16Array): Uint16Array {
  const result = new Uint16Array(2 * list.length + 8);
  result.set(list);
  return result;
}
