// decodeElements: what the vectors of references of an arrangement refer to. Format: docs/WIRE_FORMAT.md section 3.4.
// C++: arrangement_coder.h, elements_of.

import type { Arrangement } from "./arrangement.js";
import { unzigzag } from "./arrangement-decoder.js";
import type { EntropyDecoder } from "./entropy-decoder.js";
import { kModels } from "./model-layout.js";
import { Kind, kNone, type Type, typeOfTag } from "./schema.js";
import { lowerBound, type Structure } from "./structure.js";

/** Writes the elements of all vectors of references to `bytes`. False: malformed. */
export function decodeElements(
  decoder: EntropyDecoder,
  arrangement: Arrangement,
  bytes: Uint8Array,
): boolean {
  const { schema, start, tag, structure } = arrangement;
  const elements = new ElementDecoder(decoder, arrangement, bytes);
  for (const vector of vectorsOf(structure)) {
    const { element } = schema.types[typeOfTag(tag[vector] as number)] as Type;
    if (element === kNone || structure.countOf(element) === 0) {
      // It may have been copied.
      bytes.fill(0, Math.min((start[vector] as number) + 4, start[vector + 1] as number), start[vector + 1]);
    } else if (!elements.decode(vector, structure.group(element).members)) {
      return false;
    }
  }
  return true;
}

/** All vectors of references, front to back. */
function vectorsOf(structure: Structure): Int32Array {
  const { kinds } = structure.schema;
  const vectors: number[] = [];
  for (let type = 0; type < kinds.length; type += 1) {
    if (kinds[type] !== Kind.kReferences) continue;
    for (const vector of structure.group(type).members) vectors.push(vector);
  }
  return Int32Array.from(vectors).sort();
}

class ElementDecoder {
  readonly #decoder: EntropyDecoder;
  readonly #arrangement: Arrangement;
  readonly #view: DataView;
  /** By object of the baseline: 1 or -1. A vector may have many copies. */
  readonly #directions = new Map<number, number>();

  constructor(decoder: EntropyDecoder, arrangement: Arrangement, bytes: Uint8Array) {
    this.#decoder = decoder;
    this.#arrangement = arrangement;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** `list`: the objects that the elements of vector `index` may refer to. */
  decode(index: number, list: Int32Array): boolean {
    const n = list.length;
    const { start } = this.#arrangement;
    const begin = (start[index] as number) + 4;
    // An object is of four bytes at least, so there is room for the length.
    const count = Math.min(this.#arrangement.lengthOf(index), ((start[index + 1] as number) - begin) >>> 2);
    const source = this.#arrangement.sourceOf(index);
    const view = this.#view;
    const direction = this.#directionOf(source);
    let expected = this.#firstRank(source, index, list, direction);
    for (let i = 0; i < count; ) {
      const run = this.#decoder.readNumber(kModels.elementRun);
      if (run > count - i) return false;
      for (const end = i + run; i < end; expected += direction) {
        // All that are in the list, then those outside, which are told only by who knows why.
        const rank = clamp(expected, n);
        const most = direction > 0 ? n - rank : rank + 1;
        const nInList = rank === expected ? Math.min(end - i, most) : 1;
        expected += (nInList - 1) * direction;
        for (let k = rank, left = nInList; left > 0; left -= 1, k += direction, i += 1) {
          const at = begin + 4 * i;
          view.setInt32(at, (start[list[k] as number] as number) - at, true);
        }
      }
      if (i === count) break;
      const actual = clamp(expected, n) + unzigzag(this.#decoder.readNumber(kModels.elementStep));
      if (actual < 0 || actual >= n) return false;
      const at = begin + 4 * i;
      view.setInt32(at, (start[list[actual] as number] as number) - at, true);
      i += 1;
      expected = actual + direction;
    }
    return true;
  }

  /** Where the first element was leads to where it is. */
  #firstRank(source: number, index: number, list: Int32Array, direction: number): number {
    const { base, baselineView, copies } = this.#arrangement;
    const otherwise = direction > 0 ? 0 : list.length - 1;
    if (this.#oldCount(source) === 0) return otherwise;
    const begin = (base.start[source] as number) + 4;
    const target = begin + baselineView.getUint32(begin, true);
    if (target >= base.sizeBytes) return otherwise;
    const copy = copies.copyOf(base.objectAt(target), index);
    if (copy === kNone) return otherwise;
    return lowerBound(list, copy);
  }

  /** Whole elements of a vector of the baseline. */
  #oldCount(source: number): number {
    const { start } = this.#arrangement.base;
    const words = ((start[source + 1] as number) - (start[source] as number)) >>> 2;
    return Math.min(this.#arrangement.oldCount(source), Math.max(words, 1) - 1);
  }

  /** Whether the elements of the baseline's vector go up or down in memory. */
  #directionOf(source: number): number {
    let direction = this.#directions.get(source);
    if (direction === undefined) {
      const view = this.#arrangement.baselineView;
      const begin = this.#arrangement.base.start[source] as number;
      const count = this.#oldCount(source);
      let up = 0;
      for (let i = 1; i < count; i += 1) {
        const at = begin + 4 * i;
        if ((view.getUint32(at + 4, true) + 4) >>> 0 > view.getUint32(at, true)) up += 1;
      }
      direction = 2 * up + 1 >= count ? 1 : -1;
      this.#directions.set(source, direction);
    }
    return direction;
  }
}

function clamp(rank: number, n: number): number {
  return rank < 0 ? 0 : rank >= n ? n - 1 : rank;
}
