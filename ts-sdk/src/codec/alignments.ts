// Alignments: which vtable a table of a baseline would have if it ended at another alignment. Definition:
// docs/WIRE_FORMAT.md section 3.4. C++: arrangement.cpp.

import type { Shape } from "./shape.js";
import { type Group, Kind, kNone, type Structure, type Type } from "./structure.js";

export class Alignments {
  /** [shapes of the baseline] First shape of its type with the same fields, whatever the places of these. */
  readonly #firstOfKind: Int32Array;
  /** [shapes of the baseline, two each] That of the first table of this kind that ends at an even or odd word. */
  readonly #atWord: Int32Array;

  constructor(base: Structure) {
    this.#firstOfKind = new Int32Array(base.shapes.length).fill(kNone);
    this.#atWord = new Int32Array(2 * base.shapes.length).fill(kNone);
    for (const type of base.types) this.#groupShapes(base.shapes, type);
    for (const { type, members } of base.groups) {
      if (type.kind === Kind.kTable) this.#collect(base, members);
    }
  }

  /** The shape of a table like those of `shape` that ends at an even (0) or odd (1) word. */
  shapeLike(shape: number, word: number): number {
    const other = this.#atWord[2 * (this.#firstOfKind[shape] as number) + word] as number;
    return other === kNone ? shape : other;
  }

  #groupShapes(shapes: readonly Shape[], type: Type): void {
    if (type.shapes.length === 1) {
      const only = type.shapes[0] as number;
      this.#firstOfKind[only] = only;
      return;
    }
    const first = new Map<string, number>();
    for (const index of type.shapes) {
      const fields = (shapes[index] as Shape).present.join();
      const known = first.get(fields);
      if (known === undefined) first.set(fields, index);
      this.#firstOfKind[index] = known ?? index;
    }
  }

  #collect({ objects }: Structure, members: Group["members"]): void {
    const { end, shape } = objects;
    for (const object of members) {
      const own = shape[object] as number;
      const at = 2 * (this.#firstOfKind[own] as number) + (((end[object] as number) >>> 2) & 1);
      if (this.#atWord[at] === kNone) this.#atWord[at] = own;
    }
  }
}
