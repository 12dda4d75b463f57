// Models: what a receiver has learnt from the patches of a context: how the values of each column change, and by how
// much each changed in the last step. Rules: docs/WIRE_FORMAT.md section 3.5. C++: models.h.

import { newDecoder } from "./model-layout.js";
import { TypeModel } from "./type-model.js";

export class Models {
  /** Keeps all models, and reads with them. */
  readonly decoder = newDecoder();
  /** [types] */
  readonly types: readonly TypeModel[];
  /** How many columns all types together may still come to know. */
  columnRoom = 65536;
  /** What the vtables that were added take. */
  nShapeBytes = 0;

  constructor(nTypes: number) {
    this.types = Array.from({ length: nTypes }, () => new TypeModel(this.decoder));
  }
}
