// Placer: where the next objects of an arrangement begin. Format: docs/WIRE_FORMAT.md section 3.4, "Placing".
// C++: arrangement.cpp, place.

import { Alignments } from "./alignments.js";
import type { Arrangement } from "./arrangement.js";
import { How } from "./blocks.js";
import { State } from "./inspector.js";
import { countSpliced, type Overrides } from "./overrides.js";
import { Kind, kNone, shapeOfTag, type Type, tagOf, typeOfTag } from "./schema.js";
import type { Shape } from "./shape.js";

export class Placer {
  readonly #out: Arrangement;
  /** What was placed last begins there. */
  end: number;
  /** See freshShape(). */
  readonly #freshShapes: number[] = [];
  #nLookedAt = 0;
  /** [shapes, or more] 1: a vtable of the baseline is of this shape, or it is in #freshShapes. */
  #hasVTable = new Uint8Array(0);
  /** What tables look like that end elsewhere; made when it is needed first. */
  #alignments: Alignments | undefined;

  constructor(arrangement: Arrangement) {
    this.#out = arrangement;
    this.end = arrangement.targetSize;
  }

  /** A copy of `source`. False: it does not fit. */
  place(source: number, isFresh: boolean, overrides: Overrides): boolean {
    const out = this.#out;
    const { end } = this;
    const { start, tag } = out.base;
    const typeIndex = typeOfTag(tag[source] as number);
    const type = out.schema.types[typeIndex] as Type;
    const from = start[source] as number;
    if (overrides.resizes) {
      const hasCount = type.kind === Kind.kText || type.kind === Kind.kReferences;
      if (overrides.isSpliced ? type.kind !== Kind.kData : !hasCount) return false;
    }
    if (overrides.reshapes && type.kind !== Kind.kVTable) {
      if (type.kind !== Kind.kTable || (out.schema.shapes[overrides.shape] as Shape).type !== typeIndex)
        return false;
    }
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
    const { base, baseState, inspector } = out;
    const { start } = base;
    const distance = this.end - (start[source + 1] as number);
    if (distance % 8 !== 0) return 0;
    const last = Math.max(0, source + 1 - most);
    out.reserve(source + 1 - last);
    const { placed } = out.copies;
    const newStart = out.memory.start;
    let to = out.memory.capacity - out.count - 1;
    let object = source;
    for (; object >= last; object -= 1, to -= 1) {
      const begin = (start[object] as number) + distance;
      if (placed[object] !== kNone || begin < 0) break;
      if (baseState[object] === State.kUnknown && !inspector.inspect(object)) break;
      newStart[to] = begin;
    }
    const n = source - object;
    if (n > 0) {
      out.pushMoved(object + 1, n);
      this.end = (start[object + 1] as number) + distance;
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

  /**
   * Shapes of placed tables that no vtable of the baseline has, in the order in which they came: the one of this index, or
   * kNone. Cost: one look at each object placed so far, all calls together.
   */
  freshShape(index: number): number {
    const { memory, count, schema, base } = this.#out;
    if (this.#hasVTable.length < schema.shapes.length) {
      const grown = new Uint8Array(2 * schema.shapes.length);
      grown.set(this.#hasVTable);
      this.#hasVTable = grown;
    }
    if (this.#nLookedAt === 0) {
      for (const vtable of base.group(Kind.kVTable).members) {
        this.#hasVTable[shapeOfTag(base.tag[vtable] as number)] = 1;
      }
    }
    for (; this.#nLookedAt < count && index >= this.#freshShapes.length; this.#nLookedAt += 1) {
      const tag = memory.tag[memory.capacity - 1 - this.#nLookedAt] as number;
      const shape = shapeOfTag(tag);
      if (schema.kinds[typeOfTag(tag)] !== Kind.kTable || this.#hasVTable[shape] === 1) continue;
      this.#hasVTable[shape] = 1;
      this.#freshShapes.push(shape);
    }
    return this.#freshShapes[index] ?? kNone;
  }
}
