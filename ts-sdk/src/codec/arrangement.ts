// Arrangement: which objects of the baseline a target is made of, in which order and where.
// Format: docs/WIRE_FORMAT.md section 3.4. C++: arrangement.h.
//
// A target is described from its end to its start, in the order in which a builder created it: padding and vtables
// then follow from what is known already. Most of it is long runs of objects that all moved by the same distance, so
// there is little per object: where it begins, and what it is.

import { Blocks, How, kBehind, kBlockCells, kCount, kHow, kLength, kSource } from "./blocks.js";
import { Copies } from "./copies.js";
import { Inspector, State } from "./inspector.js";
import type { Splices } from "./overrides.js";
import { Kind, kNone, type Schema, shapeOfTag, typeOfTag } from "./schema.js";
import { type Group, lowerBound, type ObjectList, Structure } from "./structure.js";

/** Room for the objects of a structure. */
export class ObjectMemory {
  /** One more than the others. */
  start = new Int32Array(1);
  tag = new Uint32Array(0);
  /** What is known of them: State. */
  state = new Uint8Array(0);
  members = new Int32Array(0);

  get capacity(): number {
    return this.tag.length;
  }
  /** Makes room for at least `n` objects, and for not many times as many. What is there may be lost. */
  fit(n: number): void {
    if (this.capacity >= n && this.capacity <= 8 * n + 4096) return;
    const capacity = n + (n >>> 3) + 64;
    this.start = new Int32Array(capacity + 1);
    this.tag = new Uint32Array(capacity);
    this.state = new Uint8Array(capacity);
  }
  /** Doubles the room at least; what is there stays at the end. */
  grow(n: number): void {
    const capacity = Math.max(n, 2 * this.capacity);
    const { start, tag, state } = this;
    this.start = new Int32Array(capacity + 1);
    this.start.set(start, capacity + 1 - start.length);
    this.tag = new Uint32Array(capacity);
    this.tag.set(tag, capacity - tag.length);
    this.state = new Uint8Array(capacity);
    this.state.set(state, capacity - state.length);
  }
}

/** What arrangements need one after the other. */
export class Workspace {
  readonly blocks = new Blocks();
  readonly copies = new Copies(this.blocks);
}

export class Arrangement implements ObjectList {
  readonly base: Structure;
  /** [objects of the baseline] State; what is found out is added. */
  readonly baseState: Uint8Array;
  readonly baseline: Uint8Array;
  readonly baselineView: DataView;
  readonly targetSize: number;
  /** The baseline's, or a copy with new shapes. */
  schema: Schema;
  readonly splices: Splices[] = [];
  readonly blocks: Blocks;
  readonly copies: Copies;
  /** Objects of the target: of what it holds, the last `count`; `start` has the target's size behind them. */
  readonly memory: ObjectMemory;
  count = 0;
  /** [types] How many of each; and the source of the one that was placed last, or kNone. */
  readonly counts: Int32Array;
  readonly lastSource: Int32Array;
  /** [shapes of the baseline] Where their vtable was. */
  readonly oldShapePosition: Int32Array;
  readonly inspector: Inspector;

  /** After finish(): those objects, front to back. */
  start = new Int32Array(0);
  tag = new Uint32Array(0);
  /** State: what the baseline's were, unless they were not moved together. */
  state: Uint8Array = new Uint8Array(0);
  /** [shapes] After finish(): where their vtable is. */
  shapePosition: Int32Array = new Int32Array(0);
  #structure: Structure | undefined;
  /** By type: objects that are fresh or raw. */
  readonly #unknown = new Map<number, number[]>();
  readonly #known = new Map<number, Group>();

  /** `memory`: the result is in it. */
  constructor(
    base: Structure,
    baseline: Uint8Array,
    targetSize: number,
    baseState: Uint8Array = new Uint8Array(base.count),
    memory = new ObjectMemory(),
    workspace = new Workspace(),
  ) {
    this.base = base;
    this.baseState = baseState;
    this.baseline = baseline;
    this.baselineView = new DataView(baseline.buffer, baseline.byteOffset, baseline.byteLength);
    this.targetSize = targetSize;
    this.schema = base.schema;
    this.blocks = workspace.blocks;
    this.copies = workspace.copies;
    this.memory = memory;
    const nTypes = base.schema.types.length;
    this.counts = new Int32Array(nTypes);
    this.lastSource = new Int32Array(nTypes).fill(kNone);
    this.blocks.clear();
    this.copies.open(base.count);
    // Most targets are of about as many objects as their baselines.
    memory.fit(base.count + 64);
    memory.start[memory.capacity] = targetSize;
    this.oldShapePosition = positionsOfShapes(base);
    this.inspector = new Inspector(this);
  }

  // --- placing --------------------------------------------------------------------------------------------

  /** Makes room for `n` more objects. */
  reserve(n: number): void {
    if (this.count + n > this.memory.capacity) this.memory.grow(this.count + n);
  }

  push(
    start: number,
    tag: number,
    source: number,
    length: number,
    spliced: number,
    how: How.kPlaced | How.kFresh | How.kRaw,
  ): void {
    this.reserve(1);
    const { memory, counts } = this;
    const at = memory.capacity - this.count - 1;
    memory.start[at] = start;
    memory.tag[at] = tag;
    memory.state[at] = State.kUnknown;
    const block = this.blocks.push(source, 1, this.count, length, spliced, how);
    if (how === How.kPlaced) this.copies.placed[source] = block;
    const type = typeOfTag(tag);
    counts[type] = (counts[type] as number) + 1;
    if (source !== kNone) this.lastSource[type] = source;
    this.count += 1;
  }

  /** `n` objects like those of the baseline from `source` on. Where they begin is in the memory already. */
  pushMoved(source: number, n: number): void {
    const { memory, base } = this;
    const at = memory.capacity - this.count - n;
    memory.tag.set(base.tag.subarray(source, source + n), at);
    memory.state.set(this.baseState.subarray(source, source + n), at);
    const block = this.blocks.push(source, n, this.count, 0, kNone, How.kMoved);
    this.copies.placed.fill(block, source, source + n);
    this.#countMoved(source, n);
    this.count += n;
  }
  #countMoved(source: number, n: number): void {
    const { counts, lastSource, base } = this;
    if (n < 32 * counts.length) {
      for (let object = source + n - 1; object >= source; object -= 1) {
        const type = typeOfTag(base.tag[object] as number);
        counts[type] = (counts[type] as number) + 1;
        lastSource[type] = object;
      }
      return;
    }
    for (let type = 0; type < counts.length; type += 1) {
      const { members } = base.group(type);
      const first = lowerBound(members, source);
      const nOfType = lowerBound(members, source + n) - first;
      if (nOfType === 0) continue;
      counts[type] = (counts[type] as number) + nOfType;
      lastSource[type] = members[first] as number;
    }
  }

  /** Whether an object of the baseline was placed, other than as a fresh one. */
  isUsed(source: number): boolean {
    return this.copies.placed[source] !== kNone;
  }

  // --- when all is placed -----------------------------------------------------------------------------------

  /** Makes the lists by type and by object of the baseline. */
  finish(): void {
    const { memory, count } = this;
    const first = memory.capacity - count;
    this.start = memory.start.subarray(first);
    this.tag = memory.tag.subarray(first);
    this.state = memory.state.subarray(first);
    if (memory.members.length < count || memory.members.length > 2 * memory.capacity) {
      memory.members = new Int32Array(memory.capacity);
    }
    this.#structure = new Structure(this.base.isFlatbuffer, this, this.counts, memory.members);
    this.shapePosition = positionsOfShapes(this.#structure);
    this.copies.finish(count);
    this.#listUnknown();
  }
  #listUnknown(): void {
    const { cells } = this.blocks;
    for (let block = this.blocks.count - 1; block >= 0; block -= 1) {
      const at = block * kBlockCells;
      const how: How = cells[at + kHow] as number;
      if (how === How.kMoved || how === How.kPlaced) continue;
      const object = this.count - 1 - (cells[at + kBehind] as number);
      const type = typeOfTag(this.tag[object] as number);
      const unknown = this.#unknown.get(type);
      if (unknown === undefined) this.#unknown.set(type, [object]);
      else unknown.push(object);
      if (how === How.kFresh) this.copies.addFresh(cells[at + kSource] as number, object);
    }
    this.copies.sort();
  }

  /** What the target is made of, in the words of the baseline. */
  get structure(): Structure {
    return this.#structure as Structure;
  }

  /** Objects of a type that are fresh. */
  fresh(type: number): readonly number[] {
    const unknown = this.#unknown.get(type) ?? [];
    // Raw ones are all of type 0.
    return type === Kind.kOther ? unknown.filter((object) => this.isFresh(object)) : unknown;
  }
  /** Those that are neither fresh nor raw. */
  known(type: number): Group {
    const group = this.structure.group(type);
    const unknown = this.#unknown.get(type);
    if (unknown === undefined) return group;
    let known = this.#known.get(type);
    if (known === undefined) {
      known = group.without(placesOf(unknown, group.members));
      this.#known.set(type, known);
    }
    return known;
  }

  // --- single objects ---------------------------------------------------------------------------------------

  /** First cell of its block. */
  #blockOf(object: number): number {
    return this.blocks.find(this.count - 1 - object);
  }
  isFresh(object: number): boolean {
    return this.blocks.cells[this.#blockOf(object) + kHow] === How.kFresh;
  }
  /** Object of the baseline, or kNone. */
  sourceOf(object: number): number {
    const { cells } = this.blocks;
    const at = this.#blockOf(object);
    const fromLast = this.count - 1 - object - (cells[at + kBehind] as number);
    return (cells[at + kSource] as number) + (cells[at + kCount] as number) - 1 - fromLast;
  }
  /** Characters or elements. */
  lengthOf(object: number): number {
    const { cells } = this.blocks;
    const at = this.#blockOf(object);
    if (cells[at + kHow] === How.kMoved) return this.oldCount(this.sourceOf(object));
    return cells[at + kLength] as number;
  }

  /** The u32 that an object of the baseline begins with: its length. 0 if it is too short. */
  oldCount(source: number): number {
    const { start } = this.base;
    const from = start[source] as number;
    return (start[source + 1] as number) - from >= 4 ? this.baselineView.getUint32(from, true) : 0;
  }
  /** Bytes of the text of a string of the baseline. */
  oldLength(source: number): number {
    const { start } = this.base;
    const size = (start[source + 1] as number) - (start[source] as number);
    return size < 4 ? 0 : Math.min(this.oldCount(source), size - 4);
  }
  /** The text that the string `object` of the target comes from. */
  sourceText(object: number): Uint8Array {
    const source = this.sourceOf(object);
    const begin = (this.base.start[source] as number) + 4;
    return this.baseline.subarray(begin, begin + this.oldLength(source));
  }
}

/** Where the numbers of `some` are among `all`; both ascend. */
function placesOf(some: readonly number[], all: Int32Array): Int32Array {
  const places = new Int32Array(some.length);
  let place = 0;
  for (let i = 0; i < places.length; i += 1, place += 1) {
    while ((all[place] as number) < (some[i] as number)) place += 1;
    places[i] = place;
  }
  return places;
}

/** [shapes] Where the vtable is, the last if there are several; 0: nowhere. */
function positionsOfShapes(structure: Structure): Int32Array {
  const { schema, start, tag } = structure;
  const positions = new Int32Array(schema.shapes.length);
  for (const vtable of structure.group(Kind.kVTable).members) {
    positions[shapeOfTag(tag[vtable] as number)] = start[vtable] as number;
  }
  return positions;
}
