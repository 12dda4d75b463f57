// Context: what a receiver knows after a patch, which the next can continue. Definition: docs/WIRE_FORMAT.md section
// 3.7. C++: codec.h, Context.

import { ObjectMemory, Workspace } from "./arrangement.js";
import { Models } from "./models.js";
import type { Structure } from "./structure.js";

export class Context {
  /** Of the snapshot that it is at. */
  #structure: Structure;
  readonly models: Models;
  readonly workspace = new Workspace();
  /** [objects] See State. */
  #state: Uint8Array;
  /** What `structure` is in; undefined: it is not this context's alone. */
  #memory: ObjectMemory | undefined;
  /** What the structure before was in. */
  #spare: ObjectMemory | undefined;

  /** A new one: it knows nothing but the structure of a baseline. */
  constructor(structure: Structure) {
    this.#structure = structure;
    this.#state = new Uint8Array(structure.count);
    this.models = new Models(structure.schema.types.length);
  }

  get structure(): Structure {
    return this.#structure;
  }

  get state(): Uint8Array {
    return this.#state;
  }

  /** Room for the structure that comes next. */
  takeMemory(): ObjectMemory {
    const memory = this.#spare ?? new ObjectMemory();
    this.#spare = undefined;
    return memory;
  }
  /** Goes on to a structure that is in `memory`. The one before must not be used any more. */
  moveTo(structure: Structure, state: Uint8Array, memory: ObjectMemory): void {
    this.#structure = structure;
    this.#state = state;
    this.#spare = this.#memory;
    this.#memory = memory;
  }
}
