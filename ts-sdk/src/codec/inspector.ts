// Inspector: whether an object of a baseline is as placing it where it is would make it, so that it can move together
// with its neighbours; and how far what it refers to is. What was found is remembered until the object changes.
// Placing: docs/WIRE_FORMAT.md section 3.4.

import type { Arrangement } from "./arrangement.js";
import { Kind, kNone, shapeOfTag, type Type, typeOfTag } from "./schema.js";
import { kOffset, kReferenceCells, type Shape } from "./shape.js";
import type { Structure } from "./structure.js";

/** What is known of an object. */
export enum State {
  /** Nothing; all that is not a table, a string or a vector of data stays so. */
  kUnknown = 0,
  /** It is regular. */
  kRegular = 1,
  /**
   * Besides, its vtable is where it says; and each reference leads to where one of the next kNearObjects begins: none of
   * these change when all move together.
   */
  kNear = 2,
}
export const kNearObjects = 8;

export class Inspector {
  readonly #arrangement: Arrangement;
  readonly #base: Structure;
  readonly #baseline: Uint8Array;
  readonly #view: DataView;
  /** [objects of the baseline] */
  readonly #state: Uint8Array;

  constructor(arrangement: Arrangement) {
    this.#arrangement = arrangement;
    this.#base = arrangement.base;
    this.#baseline = arrangement.baseline;
    this.#view = arrangement.baselineView;
    this.#state = arrangement.baseState;
  }

  /** Whether the object is regular: no byte but its own length and shape decide about its size; padding is zero. */
  inspect(object: number): boolean {
    const { schema, start, tag } = this.#base;
    const begin = start[object] as number;
    const behind = start[object + 1] as number;
    const size = behind - begin;
    if (begin % 4 !== 0 || size < 4) return false;
    const own = tag[object] as number;
    const typeIndex = typeOfTag(own);
    const type = schema.types[typeIndex] as Type;
    // Bytes that are not zero, and how many zeros may follow.
    let used = 0;
    let spare = 3;
    if (type.kind === Kind.kTable) {
      used = schema.tableSizes[shapeOfTag(own)] as number;
    } else {
      const count = this.#view.getUint32(begin, true);
      // Then it is not a matter of the target's size either.
      if (count > size) return false;
      switch (type.kind) {
        case Kind.kText:
          used = 4 + count;
          if (used === size) return false;
          spare = 4;
          break;
        case Kind.kReferences:
          // The one list of all objects of a type grows and shrinks with them.
          if (type.element !== kNone && count === this.#base.countOf(type.element)) return false;
          used = 4 + 4 * count;
          break;
        case Kind.kData:
          used = 4 + type.stride * count;
          if (type.isAligned) {
            if (begin % 8 !== 4) return false;
            spare = 7;
          }
          break;
        default:
          return false;
      }
    }
    const baseline = this.#baseline;
    let at = begin + used;
    if (at > behind || behind - at > spare) return false;
    while (at < behind && baseline[at] === 0) at += 1;
    if (at < behind) return false;
    if (type.kind === Kind.kTable) this.#state[object] = this.#stateOf(object, shapeOfTag(own), begin);
    else if (type.kind !== Kind.kReferences) this.#state[object] = State.kNear;
    return true;
  }

  #stateOf(object: number, shape: number, begin: number): State {
    const { oldShapePosition } = this.#arrangement;
    const { start, count } = this.#base;
    const view = this.#view;
    if (view.getInt32(begin, true) !== begin - (oldShapePosition[shape] as number)) {
      return State.kRegular;
    }
    const references = this.referencesOf(shape);
    for (let i = 0; i < references.length; i += kReferenceCells) {
      const position = begin + (references[i + kOffset] as number);
      const target = position + view.getUint32(position, true);
      let refersTo = object;
      const last = Math.min(object + kNearObjects, count - 1);
      while (refersTo <= last && start[refersTo] !== target) refersTo += 1;
      if (refersTo > last) return State.kRegular;
    }
    return State.kNear;
  }

  /** kReferenceCells for each reference in tables of a shape, and of the shape's type. */
  referencesOf(index: number): Int32Array {
    const { types, shapes } = this.#arrangement.schema;
    const shape = shapes[index] as Shape;
    shape.references ??= findReferences(shape, types[shape.type] as Type);
    return shape.references;
  }
}

function findReferences({ present, widths, offsets }: Shape, type: Type): Int32Array {
  const isReference = (field: number) => type.childOf(field) !== kNone && (widths[field] as number) >= 4;
  const fields = Array.from(present).filter(isReference);
  return Int32Array.from(fields.flatMap((field) => [offsets[field] as number, 0]));
}
