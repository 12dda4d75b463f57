// Arrangement: which objects of the baseline a target is made of, in which order and where.
// Format: docs/WIRE_FORMAT.md section 3.4. C++: arrangement.h.
//
// A target is described from its end to its start, in the order in which a builder created it: padding and vtables
// then follow from what is known already.

import {
  assignColumns,
  Kind,
  kNone,
  type ObjectList,
  type Shape,
  type Structure,
  type Type,
} from "./structure.js";

/** Splices of a vector of data, three numbers each: copy elements of the source, leave out some, put in some. */
export type Splices = readonly number[];
export const kSpliceNumbers = 3;

/** What the object that follows has other than expected. */
export class Overrides {
  resizes = false;
  reshapes = false;
  pads = false;
  /** Characters or elements. */
  count = 0;
  splices: Splices = [];
  shape = kNone;
  /** From there to the next multiple of 4, whatever the elements would need. */
  padding = 0;

  get any(): boolean {
    return this.resizes || this.reshapes || this.pads;
  }
  clear(): void {
    this.resizes = false;
    this.reshapes = false;
    this.pads = false;
    this.count = 0;
    this.splices = [];
    this.shape = kNone;
    this.padding = 0;
  }
}

export class Arrangement implements ObjectList {
  readonly base: Structure;
  readonly baseline: Uint8Array;
  readonly baselineView: DataView;
  readonly targetSize: number;
  /** The baseline's, some of them with new shapes and columns. */
  readonly types: Type[];
  /** The baseline's, then new ones. */
  readonly shapes: Shape[];
  readonly freshShapes: number[] = [];
  readonly splices: Splices[] = [];

  /** Objects of the target: back to front until finish(), then front to back. */
  count = 0;
  start: Int32Array;
  end: Int32Array;
  shape: Int32Array;
  type: Int32Array;
  /** Object of the baseline; kNone: raw bytes. */
  source: Int32Array;
  /** Index in `splices`, or kNone. */
  spliced: Int32Array;
  /** Characters or elements. */
  length: Int32Array;
  isFresh: Uint8Array;

  /** [types] After finish(): their objects; those with a predecessor. */
  members: Int32Array[] = [];
  known: Int32Array[] = [];
  /** [shapes] After finish(): where their vtable is. */
  shapePosition = new Int32Array(0);

  /** [types] */
  readonly #nPlaced: Int32Array;
  /** [shapes of the baseline] First shape with the same fields. */
  readonly #firstOfKind: Int32Array;
  /** [shapes of the baseline, two each] The first of this kind that ends at an even or odd word. */
  readonly #atAlignment: Int32Array;
  /** Objects of the target, by object of the baseline. */
  #copies = new Int32Array(0);
  #copiesBegin = new Int32Array(0);
  /** [objects of the baseline + 1] The next that has copies. */
  #nextCopied = new Int32Array(0);

  constructor(base: Structure, baseline: Uint8Array, targetSize: number) {
    this.base = base;
    this.baseline = baseline;
    this.baselineView = new DataView(baseline.buffer, baseline.byteOffset, baseline.byteLength);
    this.targetSize = targetSize;
    // Most targets are of about as many objects as their baselines.
    const capacity = base.typeOf.length + 64;
    this.start = new Int32Array(capacity);
    this.end = new Int32Array(capacity);
    this.shape = new Int32Array(capacity);
    this.type = new Int32Array(capacity);
    this.source = new Int32Array(capacity);
    this.spliced = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.isFresh = new Uint8Array(capacity);
    this.types = base.types.slice();
    this.shapes = base.shapes.slice();
    this.#nPlaced = new Int32Array(this.types.length);
    this.#firstOfKind = new Int32Array(this.shapes.length).fill(kNone);
    this.#atAlignment = new Int32Array(2 * this.shapes.length).fill(kNone);
    for (const type of this.types) this.#groupShapes(type);
    const { end, shape } = base.objects;
    for (const type of this.types) {
      if (type.kind !== Kind.kTable) continue;
      for (const object of type.objects) {
        const own = shape[object] as number;
        const at = 2 * (this.#firstOfKind[own] as number) + (((end[object] as number) >>> 2) & 1);
        if (this.#atAlignment[at] === kNone) this.#atAlignment[at] = own;
      }
    }
  }

  /** Shapes are of one kind if they have the same fields, whatever the places of these. */
  #groupShapes(type: Type): void {
    if (type.shapes.length === 1) {
      const only = type.shapes[0] as number;
      this.#firstOfKind[only] = only;
      return;
    }
    const first = new Map<string, number>();
    for (const index of type.shapes) {
      const fields = (this.shapes[index] as Shape).present.join();
      const known = first.get(fields);
      if (known === undefined) first.set(fields, index);
      this.#firstOfKind[index] = known ?? index;
    }
  }

  // --- placing --------------------------------------------------------------------------------------------

  #expectedShape(source: number, end: number): number {
    const { objects } = this.base;
    const own = objects.shape[source] as number;
    const word = (end >>> 2) & 1;
    if ((((objects.end[source] as number) >>> 2) & 1) === word) return own;
    const other = this.#atAlignment[2 * (this.#firstOfKind[own] as number) + word] as number;
    return other === kNone ? own : other;
  }

  /** Elements of a vector of references, as far as the objects placed so far tell. */
  #expectedCount(source: number): number {
    const count = this.baselineView.getUint32(this.base.objects.start[source] as number, true);
    const { element } = this.types[this.base.typeOf[source] as number] as Type;
    // The one list of all objects of a type grows and shrinks with them.
    const isAll = element !== kNone && count === (this.types[element] as Type).objects.length;
    return isAll ? (this.#nPlaced[element] as number) : count;
  }

  /** A vtable that the baseline's type does not have. Returns its index in `shapes`. */
  addShape(typeIndex: number, shape: Shape): number {
    let type = this.types[typeIndex] as Type;
    if (type === this.base.types[typeIndex]) {
      type = type.copy();
      this.types[typeIndex] = type;
    }
    shape.type = typeIndex;
    assignColumns(shape, type);
    const index = this.shapes.push(shape) - 1;
    type.shapes.push(index);
    this.freshShapes.push(index);
    return index;
  }

  /** Places a copy of `source` so that it ends at `end`. Returns its start, or -1: it does not fit. */
  place(source: number, isFresh: boolean, overrides: Overrides, end: number): number {
    const { objects } = this.base;
    const typeIndex = this.base.typeOf[source] as number;
    const type = this.types[typeIndex] as Type;
    const from = objects.start[source] as number;
    if (overrides.resizes && type.kind !== Kind.kText && !type.hasLength) return -1;
    if (overrides.reshapes && type.kind !== Kind.kTable && type.kind !== Kind.kVTable) return -1;
    let shape = kNone;
    let count = 0;
    let spliced = kNone;
    let core = end;
    switch (type.kind) {
      case Kind.kOther:
        if (from !== 0) return -1;
        break;
      case Kind.kVTable:
        shape = overrides.reshapes ? overrides.shape : (objects.shape[source] as number);
        core = (this.shapes[shape] as Shape).size;
        break;
      case Kind.kTable:
        shape = overrides.reshapes ? overrides.shape : this.#expectedShape(source, end);
        core = (this.shapes[shape] as Shape).tableSize;
        break;
      case Kind.kText:
        count = overrides.resizes ? overrides.count : this.baselineView.getUint32(from, true);
        core = 5 + count;
        break;
      case Kind.kReferences:
        count = overrides.resizes ? overrides.count : this.#expectedCount(source);
        core = 4 + 4 * count;
        break;
      case Kind.kData:
        if ((objects.end[source] as number) - from >= 4) count = this.baselineView.getUint32(from, true);
        if (overrides.resizes) {
          count = countSpliced(count, overrides.splices);
          if (count < 0) return -1;
          spliced = this.splices.push(overrides.splices) - 1;
        }
        if (count > end) return -1;
        core = 4 + type.stride * count;
    }
    if (overrides.pads) core += overrides.padding;
    if (core > end || core === 0) return -1;
    let start = end - core;
    if (type.kind !== Kind.kVTable) {
      // Elements on multiples of 8 begin behind their length.
      const isAligned = type.kind === Kind.kData && type.isAligned && !overrides.pads && start >= 4;
      start = isAligned ? ((start + 4) & -8) - 4 : start & -4;
    }
    this.#push(start, end, shape, typeIndex, source, spliced, count, isFresh);
    return start;
  }

  /** Bytes like nothing in the baseline. */
  placeRaw(start: number, end: number): void {
    this.#push(start, end, kNone, 0, kNone, kNone, 0, false);
  }

  #push(
    start: number,
    end: number,
    shape: number,
    type: number,
    source: number,
    spliced: number,
    length: number,
    isFresh: boolean,
  ): void {
    const i = this.count;
    if (i === this.start.length) this.#grow(2 * i);
    this.start[i] = start;
    this.end[i] = end;
    this.shape[i] = shape;
    this.type[i] = type;
    this.source[i] = source;
    this.spliced[i] = spliced;
    this.length[i] = length;
    this.isFresh[i] = isFresh ? 1 : 0;
    this.count = i + 1;
    this.#nPlaced[type] = (this.#nPlaced[type] as number) + 1;
  }
  #grow(size: number): void {
    this.start = grown(this.start, size);
    this.end = grown(this.end, size);
    this.shape = grown(this.shape, size);
    this.type = grown(this.type, size);
    this.source = grown(this.source, size);
    this.spliced = grown(this.spliced, size);
    this.length = grown(this.length, size);
    const isFresh = new Uint8Array(size);
    isFresh.set(this.isFresh);
    this.isFresh = isFresh;
  }

  // --- when all is placed -----------------------------------------------------------------------------------

  /** Makes the lists by type and by object of the baseline. */
  finish(): void {
    const n = this.count;
    this.start = this.start.subarray(0, n).reverse();
    this.end = this.end.subarray(0, n).reverse();
    this.shape = this.shape.subarray(0, n).reverse();
    this.type = this.type.subarray(0, n).reverse();
    this.source = this.source.subarray(0, n).reverse();
    this.spliced = this.spliced.subarray(0, n).reverse();
    this.length = this.length.subarray(0, n).reverse();
    this.isFresh = this.isFresh.subarray(0, n).reverse();
    this.#listByType();
    this.shapePosition = new Int32Array(this.shapes.length);
    const nObjects = this.base.typeOf.length;
    const begin = new Int32Array(nObjects + 1);
    for (let i = 0; i < n; i += 1) {
      const source = this.source[i] as number;
      if (source === kNone) continue;
      begin[source + 1] = (begin[source + 1] as number) + 1;
      const isVTable = (this.types[this.type[i] as number] as Type).kind === Kind.kVTable;
      if (isVTable) this.shapePosition[this.shape[i] as number] = this.start[i] as number;
    }
    for (let i = 0; i < nObjects; i += 1) begin[i + 1] = (begin[i + 1] as number) + (begin[i] as number);
    const copies = new Int32Array(begin[nObjects] as number);
    const next = begin.slice();
    for (let i = 0; i < n; i += 1) {
      const source = this.source[i] as number;
      if (source === kNone) continue;
      const at = next[source] as number;
      copies[at] = i;
      next[source] = at + 1;
    }
    const nextCopied = new Int32Array(nObjects + 1).fill(kNone);
    for (let i = nObjects - 1; i >= 0; i -= 1) {
      nextCopied[i] = begin[i] !== begin[i + 1] ? i : (nextCopied[i + 1] as number);
    }
    this.#copies = copies;
    this.#copiesBegin = begin;
    this.#nextCopied = nextCopied;
  }

  #listByType(): void {
    const isKnown = (i: number) => this.source[i] !== kNone && this.isFresh[i] === 0;
    const nKnown = new Int32Array(this.types.length);
    for (let i = 0; i < this.count; i += 1) {
      const type = this.type[i] as number;
      if (isKnown(i)) nKnown[type] = (nKnown[type] as number) + 1;
    }
    this.members = this.types.map((_, type) => new Int32Array(this.#nPlaced[type] as number));
    this.known = this.types.map((_, type) => new Int32Array(nKnown[type] as number));
    nKnown.fill(0);
    const nMembers = new Int32Array(this.types.length);
    for (let i = 0; i < this.count; i += 1) {
      const type = this.type[i] as number;
      const member = nMembers[type] as number;
      (this.members[type] as Int32Array)[member] = i;
      nMembers[type] = member + 1;
      if (!isKnown(i)) continue;
      const known = nKnown[type] as number;
      (this.known[type] as Int32Array)[known] = i;
      nKnown[type] = known + 1;
    }
  }

  /** What the object of the baseline became, as seen from the object `from` of the target; kNone: nothing at all. */
  copyOf(object: number, from: number): number {
    const copied = this.#nextCopied[object] as number;
    if (copied === kNone) return kNone;
    const copies = this.#copies;
    const end = this.#copiesBegin[copied + 1] as number;
    let low = this.#copiesBegin[copied] as number;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((copies[middle] as number) <= from) low = middle + 1;
      else high = middle;
    }
    return copies[low === end ? end - 1 : low] as number;
  }

  sourceText(object: number): Uint8Array {
    const begin = this.base.objects.start[this.source[object] as number] as number;
    return this.baseline.subarray(begin + 4, begin + 4 + this.baselineView.getUint32(begin, true));
  }
}

/** Elements of a vector of `count` after the splices; -1: they want more than there are. */
function countSpliced(count: number, splices: Splices): number {
  let left = count;
  let result = count;
  for (let i = 0; i < splices.length; i += kSpliceNumbers) {
    const remove = splices[i + 1] as number;
    const taken = (splices[i] as number) + remove;
    if (taken > left) return -1;
    left -= taken;
    result += (splices[i + 2] as number) - remove;
  }
  return result;
}

function grown(list: Int32Array, size: number): Int32Array {
  const result = new Int32Array(size);
  result.set(list);
  return result;
}
