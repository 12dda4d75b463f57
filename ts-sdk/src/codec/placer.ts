// Placer: where the next objects of an arrangement begin. Format: docs/WIRE_FORMAT.md section 3.4, "Placing".
// C++: arrangement.cpp, place.

import { Alignments } from "./alignments.js";
import type { Arrangement } from "./arrangement.js";
import { How } from "./blocks.js";
import { countSpliced, type Overrides } from "./overrides.js";
import { Kind, kNone, shapeOfTag, type Type, tagOf, typeOfTag } from "./schema.js";
import type { Shape } from "./shape.js";

export class Placer {
  readonly #out: Arrangement;
  /** What was placed last begins there. */
  end: number;
  /** [shapes, or more] 1: a vtable of the baseline is of this shape, or it is in `freshShapes`. */
  #hasVTable: Uint8Array;
  /** What tables look like that end elsewhere; made when it is needed first. */
  #alignments: Alignments | undefined;

  constructor(arrangement: Arrangement) {
    const { base } = arrangement;
    this.#out = arrangement;
    this.end = arrangement.targetSize;
    this.#hasVTable = new Uint8Array(base.schema.shapes.length);
    for (const vtable of base.group(Kind.kVTable).members) {
      this.#hasVTable[shapeOfTag(base.tag[vtable] as number)] = 1;
    }
  }

  /** A copy of `source`. False: it does not fit. */
  place(source: number, isFresh: boolean, overrides: Overrides): boolean {
    const out = this.#out;
    const { end } = this;
    const { start, tag } = out.base;
    const typeIndex = typeOfTag(tag[source] as number);
    const type = out.schema.types[typeIndex] as Type;
    const from = start[source] as number;
    if (overrides.resizes && type.kind !== Kind.kText && !type.hasLength) return false;
    if (overrides.reshapes && type.kind !== Kind.kTable && type.kind !== Kind.kVTable) return false;
    let shape = kNone;
    let count = 0;
    let spliced = kNone;
    let core = end;
    let isRounded = true;
    switch (type.kind) {
      case Kind.kOther:
        if (from !== 0) core = (start[source + 1] as number) - from;
        isRounded = false;
        break;
      case Kind.kVTable:
        shape = overrides.reshapes ? overrides.shape : shapeOfTag(tag[source] as number);
        core = (out.schema.shapes[shape] as Shape).size;
        isRounded = false;
        break;
      case Kind.kTable:
        shape = overrides.reshapes ? overrides.shape : this.#expectedShape(source);
        core = (out.schema.shapes[shape] as Shape).tableSize;
        break;
      case Kind.kText:
        count = overrides.resizes ? overrides.count : out.oldCount(source);
        core = 5 + count;
        break;
      case Kind.kReferences:
        count = overrides.resizes ? overrides.count : this.#expectedCount(source, type);
        core = 4 + 4 * count;
        break;
      case Kind.kData:
        count = out.oldCount(source);
        if (overrides.resizes) {
          count = countSpliced(count, overrides.splices);
          if (count < 0) return false;
          spliced = out.splices.push(overrides.splices) - 1;
        }
        if (count > end) return false;
        core = 4 + type.stride * count;
        break;
      default:
        type.kind satisfies never;
    }
    if (overrides.pads) core += overrides.padding;
    if (core > end || core === 0) return false;
    let begin = end - core;
    if (isRounded) {
      // Elements on multiples of 8 begin behind their length.
      const isAligned = type.kind === Kind.kData && type.isAligned && !overrides.pads && begin >= 4;
      begin = isAligned ? ((begin + 4) & -8) - 4 : begin & -4;
    }
    if (begin % 2 !== 0) return false;
    if (type.kind === Kind.kTable) this.#noteShape(shape);
    out.push(begin, tagOf(typeIndex, shape), source, count, spliced, isFresh ? How.kFresh : How.kPlaced);
    this.end = begin;
    return true;
  }

  /** Bytes like nothing in the baseline. */
  placeRaw(start: number): void {
    this.#out.push(start, tagOf(0, kNone), kNone, 0, kNone, How.kRaw);
    this.end = start;
  }

  /**
   * Places as many as it can of the `most` objects up to `source`, from this one downward, that are not used and that
   * place() would move by the same distance, a multiple of 8, without any other change: so that afterwards all their
   * bytes can be copied at once. Returns how many.
   */
  placeRun(source: number, most: number): number {
    const out = this.#out;
    const { base, baseline, baselineView, counts, lastSource } = out;
    const { start, tag, schema } = base;
    const { kinds, types, tableSizes, shapeTypes } = schema;
    const { placed } = out.copies;
    const hasVTable = this.#hasVTable;
    let behind = start[source + 1] as number;
    const distance = this.end - behind;
    if (distance % 8 !== 0) return 0;
    const last = Math.max(0, source + 1 - most);
    out.reserve(source + 1 - last);
    const newStart = out.memory.start;
    const newTag = out.memory.tag;
    const nBehind = out.count;
    let to = out.memory.capacity - nBehind - 1;
    let object = source;
    for (; object >= last; object -= 1, to -= 1) {
      const begin = start[object] as number;
      if (placed[object] !== kNone || begin + distance < 0 || begin % 4 !== 0) break;
      const own = tag[object] as number;
      const typeIndex = own >>> 16;
      const kind = kinds[typeIndex] as number;
      // Bytes that are not zero, and how many zeros may follow.
      let used = 0;
      let spare = 3;
      if (kind === Kind.kTable) {
        const shape = (own & 0xffff) - 1;
        if (shapeTypes[shape] !== typeIndex) break;
        used = tableSizes[shape] as number;
      } else {
        if (kind < Kind.kTable || behind - begin < 4) break;
        const count = baselineView.getUint32(begin, true);
        if (count > behind - begin) break;
        if (kind === Kind.kText) {
          used = 4 + count;
          if (used === behind - begin) break;
          spare = 4;
        } else {
          const type = types[typeIndex] as Type;
          if (kind === Kind.kReferences) {
            // The one list of all objects of a type grows and shrinks with them.
            if (type.element !== kNone && count === base.countOf(type.element)) break;
            used = 4 + 4 * count;
          } else {
            used = 4 + type.stride * count;
            if (type.isAligned) {
              if (begin % 8 !== 4) break;
              spare = 7;
            }
          }
        }
      }
      let at = begin + used;
      if (at > behind || behind - at > spare) break;
      while (at < behind && baseline[at] === 0) at += 1;
      if (at < behind) break;
      if (kind === Kind.kTable && hasVTable[(own & 0xffff) - 1] === 0) this.#noteShape((own & 0xffff) - 1);
      newStart[to] = begin + distance;
      newTag[to] = own;
      placed[object] = nBehind + source - object;
      counts[typeIndex] = (counts[typeIndex] as number) + 1;
      lastSource[typeIndex] = object;
      behind = begin;
    }
    const n = source - object;
    if (n > 0) {
      out.blocks.push(object + 1, n, nBehind, 0, kNone, How.kMoved);
      out.count += n;
      this.end = behind + distance;
    }
    return n;
  }

  #expectedShape(source: number): number {
    const { base } = this.#out;
    const own = shapeOfTag(base.tag[source] as number);
    const word = (this.end >>> 2) & 1;
    if ((((base.start[source + 1] as number) >>> 2) & 1) === word) return own;
    this.#alignments ??= new Alignments(base);
    return this.#alignments.shapeLike(own, word);
  }
  /** Elements of a vector of references, as far as the objects placed so far tell. */
  #expectedCount(source: number, { element }: Type): number {
    const out = this.#out;
    const count = out.oldCount(source);
    // The one list of all objects of a type grows and shrinks with them.
    const isAll = element !== kNone && count === out.base.countOf(element);
    return isAll ? (out.counts[element] as number) : count;
  }

  /** Of a placed table: if no vtable of the baseline is of this shape, one is to come. */
  #noteShape(shape: number): void {
    if (shape >= this.#hasVTable.length) {
      const grown = new Uint8Array(2 * shape + 8);
      grown.set(this.#hasVTable);
      this.#hasVTable = grown;
    }
    if (this.#hasVTable[shape] === 1) return;
    this.#hasVTable[shape] = 1;
    this.#out.freshShapes.push(shape);
  }
}
