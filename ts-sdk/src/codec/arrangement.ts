// Arrangement: which objects of the baseline a target is made of, in which order and where.
// Format: docs/WIRE_FORMAT.md section 3.4. C++: arrangement.h.
//
// A target is described from its end to its start, in the order in which a builder created it: padding and vtables
// then follow from what is known already.

import { Alignments } from "./alignments.js";
import { assignColumns, type Shape } from "./shape.js";
import { Group, Kind, kNone, type ObjectList, Structure, type Type } from "./structure.js";

/** Splices of a vector of data, three numbers each: copy elements of the source, leave out some, put in some. */
export type Splices = readonly number[];
export const kSpliceNumbers = 3;

const kMany = -2;

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
  types: readonly Type[];
  /** The baseline's, then new ones. */
  shapes: readonly Shape[];
  /** Those of placed tables that no vtable of the baseline has, in the order in which they came. */
  readonly freshShapes: number[] = [];
  readonly splices: Splices[] = [];

  /** Objects of the target, front to back; until finish() only the last `count` entries have a meaning. */
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
  groups: Group[] = [];
  known: Group[] = [];
  /** [objects of the baseline] After finish(): the place among `known` of the one that it is now; kNone: it is gone. */
  knownAt = new Int32Array(0);
  /** [shapes] After finish(): where their vtable is. */
  shapePosition = new Int32Array(0);

  /** [types] */
  readonly #nPlaced: Int32Array;
  /** Shapes that are vtables of the baseline, or in `freshShapes`; made when it is needed first. */
  #hasVTable: Set<number> | undefined;
  #lastShape = -1;
  /** `types` and `shapes` once they are no longer the baseline's. */
  #types: Type[] | undefined;
  #shapes: Shape[] | undefined;
  /** What tables look like that end elsewhere; made when it is needed first. */
  #alignments: Alignments | undefined;
  /**
   * [objects of the baseline] The only object of the target that comes from it, or, if there is none, from the next
   * that has one; kNone: from none; kMany - that object: there are several, in #copies.
   */
  #copyAt = new Int32Array(0);
  readonly #copies = new Map<number, number[]>();

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
    this.types = base.types;
    this.shapes = base.shapes;
    this.#nPlaced = new Int32Array(this.types.length);
  }

  // --- placing --------------------------------------------------------------------------------------------

  #expectedShape(source: number, end: number): number {
    const { objects } = this.base;
    const own = objects.shape[source] as number;
    const word = (end >>> 2) & 1;
    if ((((objects.end[source] as number) >>> 2) & 1) === word) return own;
    this.#alignments ??= new Alignments(this.base);
    return this.#alignments.shapeLike(own, word);
  }

  /** The u32 that an object of the baseline begins with: its length. 0 if it is too short. */
  oldCount(source: number): number {
    const { start, end } = this.base.objects;
    const from = start[source] as number;
    return (end[source] as number) - from >= 4 ? this.baselineView.getUint32(from, true) : 0;
  }
  /** Elements of a vector of references, as far as the objects placed so far tell. */
  #expectedCount(source: number): number {
    const count = this.oldCount(source);
    const { element } = this.types[this.base.typeOf[source] as number] as Type;
    // The one list of all objects of a type grows and shrinks with them.
    const isAll = element !== kNone && count === (this.base.groups[element] as Group).members.length;
    return isAll ? (this.#nPlaced[element] as number) : count;
  }

  /** A vtable that the baseline's type does not have. Returns its index in `shapes`. */
  addShape(typeIndex: number, shape: Shape): number {
    if (this.#shapes === undefined) {
      this.#shapes = this.shapes.slice();
      this.#types = this.types.slice();
      this.shapes = this.#shapes;
      this.types = this.#types;
    }
    const types = this.#types as Type[];
    if (types[typeIndex] === this.base.types[typeIndex]) types[typeIndex] = (types[typeIndex] as Type).copy();
    const type = types[typeIndex] as Type;
    shape.type = typeIndex;
    assignColumns(shape, type);
    const index = this.#shapes.push(shape) - 1;
    type.shapes.push(index);
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
    let isRounded = true;
    switch (type.kind) {
      case Kind.kOther:
        if (from !== 0) core = (objects.end[source] as number) - from;
        isRounded = false;
        break;
      case Kind.kVTable:
        shape = overrides.reshapes ? overrides.shape : (objects.shape[source] as number);
        core = (this.shapes[shape] as Shape).size;
        isRounded = false;
        break;
      case Kind.kTable:
        shape = overrides.reshapes ? overrides.shape : this.#expectedShape(source, end);
        core = (this.shapes[shape] as Shape).tableSize;
        break;
      case Kind.kText:
        count = overrides.resizes ? overrides.count : this.oldCount(source);
        core = 5 + count;
        break;
      case Kind.kReferences:
        count = overrides.resizes ? overrides.count : this.#expectedCount(source);
        core = 4 + 4 * count;
        break;
      case Kind.kData:
        count = this.oldCount(source);
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
    if (isRounded) {
      // Elements on multiples of 8 begin behind their length.
      const isAligned = type.kind === Kind.kData && type.isAligned && !overrides.pads && start >= 4;
      start = isAligned ? ((start + 4) & -8) - 4 : start & -4;
    }
    if (start % 2 !== 0) return -1;
    if (type.kind === Kind.kTable) this.#noteShape(shape);
    this.#push(start, end, shape, typeIndex, source, spliced, count, isFresh);
    return start;
  }

  /** Of a placed table: if no vtable of the baseline is of this shape, one is to come. */
  #noteShape(shape: number): void {
    if (shape === this.#lastShape) return;
    this.#lastShape = shape;
    if (this.#hasVTable === undefined) {
      const { members } = this.base.groups[1] as Group;
      this.#hasVTable = new Set(Array.from(members, (object) => this.base.objects.shape[object] as number));
    }
    if (this.#hasVTable.has(shape)) return;
    this.#hasVTable.add(shape);
    this.freshShapes.push(shape);
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
    if (this.count === this.start.length) this.#grow(2 * this.count);
    const i = this.start.length - this.count - 1;
    this.start[i] = start;
    this.end[i] = end;
    this.shape[i] = shape;
    this.type[i] = type;
    this.source[i] = source;
    this.spliced[i] = spliced;
    this.length[i] = length;
    this.isFresh[i] = isFresh ? 1 : 0;
    this.count += 1;
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
    isFresh.set(this.isFresh, size - this.isFresh.length);
    this.isFresh = isFresh;
  }

  // --- when all is placed -----------------------------------------------------------------------------------

  /** Makes the lists by type and by object of the baseline. */
  finish(): void {
    const first = this.start.length - this.count;
    this.start = this.start.subarray(first);
    this.end = this.end.subarray(first);
    this.shape = this.shape.subarray(first);
    this.type = this.type.subarray(first);
    this.source = this.source.subarray(first);
    this.spliced = this.spliced.subarray(first);
    this.length = this.length.subarray(first);
    this.isFresh = this.isFresh.subarray(first);
    this.#listByType();
    this.shapePosition = new Int32Array(this.shapes.length);
    this.#listCopies();
  }

  #listCopies(): void {
    const nObjects = this.base.typeOf.length;
    const copyAt = new Int32Array(nObjects).fill(kNone);
    for (let i = 0; i < this.count; i += 1) {
      const source = this.source[i] as number;
      if (source === kNone) continue;
      const isVTable = (this.types[this.type[i] as number] as Type).kind === Kind.kVTable;
      if (isVTable) this.shapePosition[this.shape[i] as number] = this.start[i] as number;
      const known = copyAt[source] as number;
      if (known === kNone) {
        copyAt[source] = i;
      } else if (known > kNone) {
        copyAt[source] = kMany - source;
        this.#copies.set(source, [known, i]);
      } else {
        (this.#copies.get(source) as number[]).push(i);
      }
    }
    let next = kNone;
    for (let object = nObjects - 1; object >= 0; object -= 1) {
      if (copyAt[object] === kNone) copyAt[object] = next;
      else next = copyAt[object] as number;
    }
    this.#copyAt = copyAt;
  }

  #listByType(): void {
    const nTypes = this.types.length;
    const nKnown = new Int32Array(nTypes);
    for (let i = 0; i < this.count; i += 1) {
      const type = this.type[i] as number;
      if (this.#isKnown(i)) nKnown[type] = (nKnown[type] as number) + 1;
    }
    const members = Array.from(this.#nPlaced, (n) => new Int32Array(n));
    // Mostly all have one.
    const known = Array.from(
      nKnown,
      (n, t) => (n === this.#nPlaced[t] ? members[t] : undefined) ?? new Int32Array(n),
    );
    this.knownAt = new Int32Array(this.base.typeOf.length).fill(kNone);
    nKnown.fill(0);
    const nMembers = new Int32Array(nTypes);
    for (let i = 0; i < this.count; i += 1) {
      const type = this.type[i] as number;
      const member = nMembers[type] as number;
      (members[type] as Int32Array)[member] = i;
      nMembers[type] = member + 1;
      if (!this.#isKnown(i)) continue;
      const at = nKnown[type] as number;
      (known[type] as Int32Array)[at] = i;
      nKnown[type] = at + 1;
      this.knownAt[this.source[i] as number] = at;
    }
    // The lists outlive the arrangement, which has much that nobody needs then.
    const objects = { start: this.start, end: this.end, shape: this.shape };
    this.groups = this.types.map((type, t) => new Group(type, objects, members[t] as Int32Array));
    this.known = this.groups.map((group, t) =>
      known[t] === group.members ? group : new Group(group.type, objects, known[t] as Int32Array),
    );
  }
  #isKnown(i: number): boolean {
    return this.source[i] !== kNone && this.isFresh[i] === 0;
  }

  /** What the target is made of, in the words of the baseline. */
  structure(): Structure {
    const objects = { start: this.start, end: this.end, shape: this.shape };
    return new Structure(
      this.targetSize,
      this.base.isFlatbuffer,
      this.shapes,
      this.types,
      objects,
      this.type,
      this.groups,
    );
  }

  /** What the object of the baseline became, as seen from the object `from` of the target; kNone: nothing at all. */
  copyOf(object: number, from: number): number {
    const copy = this.#copyAt[object] as number;
    if (copy >= kNone) return copy;
    const copies = this.#copies.get(kMany - copy) as number[];
    let low = 0;
    let high = copies.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((copies[middle] as number) <= from) low = middle + 1;
      else high = middle;
    }
    return copies[Math.min(low, copies.length - 1)] as number;
  }

  /**
   * Behind the last of the objects from `first` on that lie side by side as their sources do, each of the same size and
   * shape; `first` if it is none.
   */
  endOfBlock(first: number): number {
    const { objects } = this.base;
    const { start, end, shape, source, spliced, count } = this;
    const from = source[first] as number;
    if (from === kNone) return first;
    const shift = (start[first] as number) - (objects.start[from] as number);
    let i = first;
    for (let own = from; i < count && source[i] === own; i += 1, own += 1) {
      if ((end[i] as number) - (objects.end[own] as number) !== shift) break;
      if (shape[i] !== objects.shape[own] || spliced[i] !== kNone) break;
    }
    return i;
  }

  /** The text that the string `object` of the target comes from. */
  sourceText(object: number): Uint8Array {
    const source = this.source[object] as number;
    const begin = (this.base.objects.start[source] as number) + 4;
    return this.baseline.subarray(begin, begin + this.oldLength(source));
  }
  /** Bytes of the text of a string of the baseline. */
  oldLength(source: number): number {
    const { start, end } = this.base.objects;
    const size = (end[source] as number) - (start[source] as number);
    return size < 4 ? 0 : Math.min(this.oldCount(source), size - 4);
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
  result.set(list, size - list.length);
  return result;
}
