// Copies: where the objects of a baseline went in its target. Definition: docs/WIRE_FORMAT.md section 3.4, "where s
// went". C++: arrangement.cpp, copy_of.

import { type Blocks, kBehind, kCount, kSource } from "./blocks.js";
import { kNone } from "./schema.js";

/** In `placed`: not at one place, or not from it alone. */
const kMany = -2;

/** Objects of the target that come from one of the baseline. */
interface Several {
  /** Ascending. */
  readonly all: number[];
  /** The one that is not fresh, or kNone. */
  readonly known: number;
}

/** Of one arrangement after the other; its memory is used again. */
export class Copies {
  /** [objects of the baseline, or more] First cell of the block that it was placed with; below 0: see copyOf(). */
  placed = new Int32Array(0);
  readonly #blocks: Blocks;
  #nObjects = 0;
  /** Objects of the target. */
  #nCopies = 0;
  readonly #several = new Map<number, Several>();
  /** [objects of the baseline] The next that has a copy; made when it is needed first. */
  #next: Int32Array | undefined;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  open(nObjects: number): void {
    const { length } = this.placed;
    if (length < nObjects || length > 8 * nObjects + 4096) {
      this.placed = new Int32Array(nObjects + (nObjects >>> 3) + 64);
    }
    this.placed.fill(kNone, 0, nObjects);
    this.#nObjects = nObjects;
    this.#several.clear();
    this.#next = undefined;
  }

  /** All that are not fresh are in `placed`. */
  finish(nCopies: number): void {
    this.#nCopies = nCopies;
  }
  /** A fresh copy; they come in ascending order, after finish(). */
  addFresh(object: number, copy: number): void {
    const several = this.#several.get(object);
    if (several !== undefined) {
      several.all.push(copy);
      return;
    }
    const known = this.knownCopyOf(object);
    this.#several.set(object, { all: known === kNone ? [copy] : [known, copy], known });
    this.placed[object] = kMany;
  }
  /** All fresh ones are added. */
  sort(): void {
    for (const { all, known } of this.#several.values()) if (known !== kNone) all.sort((a, b) => a - b);
  }

  /** What the object of the baseline became, as seen from the object `from` of the target; kNone: nothing at all. */
  copyOf(object: number, from: number): number {
    let source = object;
    if (this.placed[object] === kNone) {
      this.#next ??= this.#findNext();
      source = this.#next[object] as number;
      if (source === kNone) return kNone;
    }
    const block = this.placed[source] as number;
    if (block >= 0) return this.#copyIn(block, source);
    const { all } = this.#several.get(source) as Several;
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((all[middle] as number) <= from) low = middle + 1;
      else high = middle;
    }
    return all[Math.min(low, all.length - 1)] as number;
  }

  /** The copy that is not fresh, or kNone. */
  knownCopyOf(object: number): number {
    const block = this.placed[object] as number;
    if (block >= 0) return this.#copyIn(block, object);
    return block === kMany ? (this.#several.get(object) as Several).known : kNone;
  }
  #copyIn(block: number, source: number): number {
    const { cells } = this.#blocks;
    const fromFirst = source - (cells[block + kSource] as number);
    return this.#nCopies - (cells[block + kBehind] as number) - (cells[block + kCount] as number) + fromFirst;
  }

  #findNext(): Int32Array {
    const next = new Int32Array(this.#nObjects);
    let last = kNone;
    for (let object = this.#nObjects - 1; object >= 0; object -= 1) {
      if (this.placed[object] !== kNone) last = object;
      next[object] = last;
    }
    return next;
  }
}
