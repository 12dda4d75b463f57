// Models: what a receiver has learnt from the patches of a context: how the values of each column change, and by how
// much each changed in the last step. Rules: docs/WIRE_FORMAT.md section 3.5. C++: models.h.

import { newDecoder } from "./model-layout.js";
import { TypeModel } from "./type-model.js";

/**
 * Columns that all types of a context together know, at most. The densest table has one for each three bytes: a field of
 * one and its two in the vtable.
 */
export function maxKnownColumns(sizeBytes: number): number {
  return Math.min(65536, Math.floor(sizeBytes / 3) + 64);
}

export class Models {
  /** Keeps all models, and reads with them. */
  readonly decoder = newDecoder();
  /** [types] */
  readonly types: readonly TypeModel[];
  /** Of all types together. */
  nKnownColumns = 0;
  /** What the vtables that were added take. */
  nShapeBytes = 0;

  constructor(nTypes: number) {
    this.types = Array.from({ length: nTypes }, () => new TypeModel(this.decoder));
  }
}
