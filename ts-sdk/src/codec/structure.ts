// Structure: what a snapshot is made of: its tables, strings and vectors. Found by find-structure.ts, or left by an
// arrangement. Definition: docs/WIRE_FORMAT.md section 3.3. C++: structure.h.

import { type Schema, shapeOfTag, type Type, typeOfTag } from "./schema.js";
import type { Shape } from "./shape.js";

/** Objects side by side, by position. */
export interface ObjectList {
  readonly schema: Schema;
  /** [objects + 1] First bytes: where one begins the one before ends. Then the size of all. */
  readonly start: Int32Array;
  /** [objects] See tagOf(). */
  readonly tag: Uint32Array;
}

/** Of a table or vtable. */
export function shapeOf({ schema, tag }: ObjectList, object: number): Shape {
  return schema.shapes[shapeOfTag(tag[object] as number)] as Shape;
}

/** Objects of one type, by position. */
export class Group {
  readonly type: Type;
  readonly objects: ObjectList;
  /** Their indices in `objects`, and those of others of the type. */
  readonly members: Int32Array;
  /** Places in `members` of those others, ascending. */
  readonly #leftOut: Int32Array;
  #nRows = -1;

  constructor(type: Type, objects: ObjectList, members: Int32Array, leftOut: Int32Array = kNothing) {
    this.type = type;
    this.objects = objects;
    this.members = members;
    this.#leftOut = leftOut;
  }
  /** The same without those that are at some places in `members`, ascending. */
  without(places: Int32Array): Group {
    return new Group(this.type, this.objects, this.members, places);
  }

  get count(): number {
    return this.members.length - this.#leftOut.length;
  }
  /** Index of the object of this rank. */
  at(rank: number): number {
    return this.members[this.placeOf(rank)] as number;
  }
  /** Place in `members` of the object of this rank. */
  placeOf(rank: number): number {
    const leftOut = this.#leftOut;
    let low = 0;
    let high = leftOut.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((leftOut[middle] as number) - middle <= rank) low = middle + 1;
      else high = middle;
    }
    return rank + low;
  }
  /** Rank of the object at a place in `members`. */
  rankOf(place: number): number {
    return place - lowerBound(this.#leftOut, place);
  }

  /** Of all of them. Cost: one pass over the objects, the first time. */
  get nRows(): number {
    if (this.#nRows < 0) {
      if (this.type.hasOneRow) this.#nRows = this.count;
      else this.#count();
    }
    return this.#nRows;
  }
  #count(): void {
    const { start } = this.objects;
    let nRows = 0;
    for (let rank = 0; rank < this.count; rank += 1) {
      const object = this.at(rank);
      nRows += this.type.rowsOf((start[object + 1] as number) - (start[object] as number));
    }
    this.#nRows = nRows;
  }
}

const kNothing = new Int32Array(0);

export class Structure implements ObjectList {
  readonly isFlatbuffer: boolean;
  readonly schema: Schema;
  /** Objects: they cover the buffer without gaps. */
  readonly count: number;
  readonly start: Int32Array;
  readonly tag: Uint32Array;
  readonly #members: Int32Array;
  /** [types + 1] Where those of a type begin. */
  readonly #firstMember: Int32Array;
  readonly #groups: (Group | undefined)[] = [];

  /** `members`: room for as many numbers as there are objects. `counts`: [types] objects of each. */
  constructor(
    isFlatbuffer: boolean,
    { schema, start, tag }: ObjectList,
    counts: ArrayLike<number>,
    members: Int32Array,
  ) {
    this.isFlatbuffer = isFlatbuffer;
    this.schema = schema;
    this.count = tag.length;
    this.start = start;
    this.tag = tag;
    this.#members = members;
    this.#firstMember = new Int32Array(schema.types.length + 1);
    this.#listMembers(counts);
  }
  #listMembers(counts: ArrayLike<number>): void {
    const first = this.#firstMember;
    for (let type = 0; type + 1 < first.length; type += 1) {
      first[type + 1] = (first[type] as number) + (counts[type] as number);
    }
    const next = first.slice();
    const members = this.#members;
    const { tag, count } = this;
    for (let object = 0; object < count; object += 1) {
      const type = typeOfTag(tag[object] as number);
      const at = next[type] as number;
      members[at] = object;
      next[type] = at + 1;
    }
  }

  get sizeBytes(): number {
    return this.start[this.count] as number;
  }
  /** How many objects a type has. */
  countOf(type: number): number {
    return (this.#firstMember[type + 1] as number) - (this.#firstMember[type] as number);
  }
  /** Objects of a type. */
  group(type: number): Group {
    let group = this.#groups[type];
    if (group === undefined) {
      const members = this.#members.subarray(this.#firstMember[type], this.#firstMember[type + 1]);
      group = new Group(this.schema.types[type] as Type, this, members);
      this.#groups[type] = group;
    }
    return group;
  }

  /** Index of the object that holds this byte. Requires: position < sizeBytes. */
  objectAt(position: number): number {
    return lowerBound(this.start, position + 1) - 1;
  }
}

/** The first place of an ascending list with a number of at least `wanted`, or its length. */
export function lowerBound(list: Int32Array, wanted: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
