// FoundObjects: what the search for structure has found so far, and what the bytes at a position could be.
// C++: structure.cpp.

import type { Coverage } from "./coverage.js";
import { Kind, kMaxTags, kNone, Schema, Type, tagOf, typeOfTag } from "./schema.js";
import { assignColumns, readShape, type Shape } from "./shape.js";
import { type Group, Structure } from "./structure.js";

const kMaxStride = 256;
/** Vtables that are found without a search. */
const kRecent = 64;

/** What a type and what a vtable costs, in bytes that are looked at. */
const kTypeCost = 64;
const kVTableCost = 32;

export class FoundObjects {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly sizeBytes: number;
  /** Below zero the search has failed: the buffer is made to take long. */
  workLeft: number;
  readonly types: Type[] = [];
  /** Those that are of a type. */
  readonly shapes: Shape[] = [];
  /** By position of the vtable; undefined: none there. */
  readonly #shapeAt = new Map<number, Shape | undefined>();
  /** Positions of vtables that were asked for lately, by some of their bits, and what #shapeAt says of them. */
  readonly #recentVTables = new Int32Array(kRecent).fill(kNone);
  readonly #recentShapes = new Array<Shape | undefined>(kRecent).fill(undefined);
  /** Starts of vectors that are known to refer to tables or strings only. */
  readonly #tableVectors = new Set<number>();
  readonly #textVectors = new Set<number>();
  /** For every second byte: a bit that says if an object begins there, and its tag. */
  readonly #claimed: Uint32Array;
  readonly #tagAt: Uint32Array;
  #nClaimed = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.sizeBytes = bytes.length;
    this.workLeft = bytes.length + 4096;
    this.#tagAt = new Uint32Array(Math.floor(bytes.length / 2) + 1);
    this.#claimed = new Uint32Array(Math.floor(bytes.length / 64) + 1);
  }

  /** Requires: position + 4 <= size. */
  load32(position: number): number {
    return this.#view.getUint32(position, true);
  }

  type(index: number): Type {
    return this.types[index] as Type;
  }
  newType(kind: Kind): number {
    if (kind !== Kind.kOther && kind !== Kind.kVTable) this.workLeft -= kTypeCost;
    this.types.push(new Type(kind));
    this.#limitTags();
    return this.types.length - 1;
  }
  shape(index: number): Shape {
    return this.shapes[index] as Shape;
  }
  /** The shape is of this type from now on. */
  addShape(shape: Shape, type: number): void {
    this.workLeft -= kVTableCost;
    shape.type = type;
    shape.index = this.shapes.push(shape) - 1;
    this.type(type).shapes.push(shape.index);
    this.#limitTags();
  }
  /** With more, the search has failed. */
  #limitTags(): void {
    if (this.types.length + this.shapes.length > kMaxTags) this.workLeft = Number.NEGATIVE_INFINITY;
  }

  // --- objects --------------------------------------------------------------------------------------------

  isClaimed(start: number): boolean {
    return (((this.#claimed[start >>> 6] as number) >>> ((start >>> 1) & 31)) & 1) !== 0;
  }
  claim(start: number, type: number, shape: number): void {
    this.#tagAt[start >>> 1] = tagOf(type, shape);
    this.#claimed[start >>> 6] = (this.#claimed[start >>> 6] as number) | (1 << ((start >>> 1) & 31));
    this.#nClaimed += 1;
  }
  /** Returns the type of the string, which is `type` unless that is kNone. */
  claimText(start: number, type: number, covered: Coverage): number {
    if (this.isClaimed(start)) return type;
    const own = type === kNone ? this.newType(Kind.kText) : type;
    this.claim(start, own, kNone);
    covered.add(start, start + 5 + this.load32(start));
    return own;
  }

  // --- what bytes could be --------------------------------------------------------------------------------

  /** Where the reference at `position` leads, or kNone if it can be none. Requires: position + 4 <= size. */
  targetOf(position: number): number {
    const offset = this.load32(position);
    if (offset < 4 || offset > this.sizeBytes - position - 4) return kNone;
    const target = position + offset;
    return (target & 3) === 0 ? target : kNone;
  }

  isTable(start: number): boolean {
    return this.shapeOfTable(start) !== undefined;
  }
  shapeOfTable(start: number): Shape | undefined {
    if (start % 4 !== 0 || this.sizeBytes - start < 4) return undefined;
    const vtable = (start - this.load32(start)) >>> 0;
    if (vtable % 2 !== 0 || vtable >= this.sizeBytes) return undefined;
    const recent = (vtable >>> 1) % kRecent;
    const isRecent = this.#recentVTables[recent] === vtable;
    const shape = isRecent ? this.#recentShapes[recent] : this.#shapeOf(vtable);
    return shape !== undefined && shape.tableSize <= this.sizeBytes - start ? shape : undefined;
  }
  #shapeOf(vtable: number): Shape | undefined {
    let shape = this.#shapeAt.get(vtable);
    if (shape === undefined && !this.#shapeAt.has(vtable)) {
      shape = this.#readShape(vtable);
      this.#shapeAt.set(vtable, shape);
    }
    const recent = (vtable >>> 1) % kRecent;
    this.#recentVTables[recent] = vtable;
    this.#recentShapes[recent] = shape;
    return shape;
  }
  #readShape(vtable: number): Shape | undefined {
    if (this.sizeBytes - vtable < 4) return undefined;
    const size = this.#view.getUint16(vtable, true);
    if (size > this.sizeBytes - vtable) return undefined;
    const work = { nRead: 0 };
    const shape = readShape(this.#view, vtable, size, work);
    this.workLeft -= work.nRead;
    if (shape !== undefined) shape.position = vtable;
    return shape;
  }

  isText(start: number): boolean {
    if (start % 4 !== 0 || this.sizeBytes - start < 5) return false;
    const length = this.load32(start);
    if (length > this.sizeBytes - start - 5 || this.bytes[start + 4 + length] !== 0) return false;
    this.workLeft -= Math.floor(length / 8);
    let at = start + 4;
    const end = at + length;
    while (at < end && this.bytes[at] !== 0) at += 1;
    return at === end;
  }

  /** Elements of a vector that all refer to tables, or all to strings; -1: there is none. */
  countReferences(start: number, texts: boolean): number {
    if (start % 4 !== 0 || this.sizeBytes - start < 4) return -1;
    const count = this.load32(start);
    if (count > Math.floor((this.sizeBytes - start - 4) / 4)) return -1;
    const known = texts ? this.#textVectors : this.#tableVectors;
    if (known.has(start)) return count;
    for (let i = 0; i < count; i += 1) {
      this.workLeft -= 1;
      if (this.workLeft < 0) return -1;
      const target = this.targetOf(start + 4 + 4 * i);
      if (target === kNone || !(texts ? this.isText(target) : this.isTable(target))) return -1;
    }
    if (count > 0) known.add(start);
    return count;
  }

  // --- the result -----------------------------------------------------------------------------------------

  finish(isFlatbuffer: boolean): Structure {
    const schema = new Schema(this.types, this.shapes);
    const n = this.#nClaimed;
    const start = new Int32Array(n + 1);
    const tag = new Uint32Array(n);
    const counts = new Int32Array(this.types.length);
    let rank = 0;
    for (let word = 0; word < this.#claimed.length; word += 1) {
      for (let bits = this.#claimed[word] as number; bits !== 0; bits &= bits - 1) {
        const half = word * 32 + 31 - Math.clz32(bits & -bits);
        const own = this.#tagAt[half] as number;
        const type = typeOfTag(own);
        start[rank] = 2 * half;
        tag[rank] = own;
        counts[type] = (counts[type] as number) + 1;
        rank += 1;
      }
    }
    start[n] = this.sizeBytes;
    const structure = new Structure(isFlatbuffer, { schema, start, tag }, counts, new Int32Array(n));
    this.types.forEach((type, index) => {
      if (type.kind === Kind.kTable) {
        for (const shape of type.shapes) assignColumns(this.shape(shape), type);
      } else if (type.kind === Kind.kData) {
        this.#finishData(structure.group(index));
      }
    });
    return structure;
  }

  #finishData({ type, objects, members }: Group): void {
    const smallest = new SmallestStride();
    let isAligned = true;
    let isSmall = true;
    for (const object of members) {
      const begin = objects.start[object] as number;
      const size = (objects.start[object + 1] as number) - begin;
      smallest.add(this.load32(begin), Math.max(size - 4, 0));
      isAligned &&= begin % 8 === 4;
      isSmall &&= size <= 64;
    }
    type.stride = smallest.stride();
    type.isAligned = type.stride !== 0 && type.stride % 8 === 0 && isAligned;
    type.isWhole = !(type.stride >= 8 && members.length < 8) && isSmall;
  }
}

/** Bytes per element of some vectors: as many as fit everywhere. */
export class SmallestStride {
  #stride = kMaxStride;
  /** No padding could hide an element more. */
  #isExact = false;

  /** A vector of `count` elements, with `room` bytes behind its length. */
  add(count: number, room: number): void {
    if (count === 0) return;
    this.#stride = Math.min(this.#stride, Math.floor(room / count));
    if (count >= 16) this.#isExact = true;
  }
  stride(): number {
    if (this.#isExact || this.#stride < 2) return this.#stride;
    return this.#stride >= 4 ? this.#stride - (this.#stride % 4) : 2;
  }
  static get most(): number {
    return kMaxStride;
  }
}
