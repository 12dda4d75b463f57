// Context: what a receiver knows after a patch, which the next can continue. Definition: docs/WIRE_FORMAT.md section
// 3.7. C++: codec.h, Context.

import { Models } from "./models.js";
import type { Structure } from "./structure.js";

export class Context {
  /** Of the snapshot that it is at. */
  structure: Structure;
  readonly models: Models;

  /** A new one: it knows nothing but the structure of a baseline. */
  constructor(structure: Structure) {
    this.structure = structure;
    this.models = new Models(structure.types.length);
  }
}
