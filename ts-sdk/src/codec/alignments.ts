// Alignments: which vtable a table of a baseline would have if it ended at another alignment. Definition:
// docs/WIRE_FORMAT.md section 3.4. C++: arrangement.cpp.

import { Kind, kNone, type Schema, shapeOfTag } from "./schema.js";
import type { Structure } from "./structure.js";

export class Alignments {
  readonly #schema: Schema;
  /** [shapes of the baseline, two each] That of the first table of this kind that ends at an even or odd word. */
  readonly #atWord: Int32Array;

  constructor(base: Structure) {
    const { schema, start, tag } = base;
    const { firstOfKind, types } = schema;
    this.#schema = schema;
    this.#atWord = new Int32Array(2 * schema.shapes.length).fill(kNone);
    for (let type = 0; type < types.length; type += 1) {
      if (schema.kinds[type] !== Kind.kTable) continue;
      for (const object of base.group(type).members) {
        const own = shapeOfTag(tag[object] as number);
        const at = 2 * (firstOfKind[own] as number) + (((start[object + 1] as number) >>> 2) & 1);
        if (this.#atWord[at] === kNone) this.#atWord[at] = own;
      }
    }
  }

  /** The shape of a table like those of `shape` that ends at an even (0) or odd (1) word. */
  shapeLike(shape: number, word: number): number {
    const other = this.#atWord[2 * (this.#schema.firstOfKind[shape] as number) + word] as number;
    return other === kNone ? shape : other;
  }
}
