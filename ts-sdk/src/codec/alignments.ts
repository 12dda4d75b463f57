// Alignments: which vtable a table of a baseline would have if it ended at another alignment. Definition:
// docs/WIRE_FORMAT.md section 3.4. C++: arrangement.cpp.

import { Kind, kNone, shapeOfTag } from "./schema.js";
import type { Structure } from "./structure.js";

export class Alignments {
  readonly #base: Structure;
  /** [shapes of the baseline, two each] That of the first table of this kind that ends at an even or odd word. */
  readonly #atWord: Int32Array;
  /** The table that is to be looked at next: its type, its rank in that. */
  #type = 0;
  #rank = 0;

  constructor(base: Structure) {
    this.#base = base;
    this.#atWord = new Int32Array(2 * base.schema.shapes.length).fill(kNone);
  }

  /**
   * The shape of a table like those of `shape` that ends at an even (0) or odd (1) word. Cost: one look at each table, all
   * calls together.
   */
  shapeLike(shape: number, word: number): number {
    const wanted = 2 * (this.#base.schema.firstOfKind[shape] as number) + word;
    if (this.#atWord[wanted] === kNone) this.#search(wanted);
    const other = this.#atWord[wanted] as number;
    return other === kNone ? shape : other;
  }

  #search(wanted: number): void {
    const { schema, start, tag } = this.#base;
    const { firstOfKind, kinds } = schema;
    for (; this.#type < kinds.length; this.#type += 1, this.#rank = 0) {
      if (kinds[this.#type] !== Kind.kTable) continue;
      const { members } = this.#base.group(this.#type);
      while (this.#rank < members.length) {
        const table = members[this.#rank] as number;
        this.#rank += 1;
        const own = shapeOfTag(tag[table] as number);
        const at = 2 * (firstOfKind[own] as number) + (((start[table + 1] as number) >>> 2) & 1);
        if (this.#atWord[at] !== kNone) continue;
        this.#atWord[at] = own;
        if (at === wanted) return;
      }
    }
  }
}
