// Overrides: what a patch says of the next object of an arrangement before it is placed. Format: docs/WIRE_FORMAT.md
// section 3.4, steps 5 to 7. C++: arrangement.h.

import { kNone } from "./schema.js";

/** Splices of a vector of data, three numbers each: copy elements of the source, leave out some, put in some. */
export type Splices = readonly number[];
export const kSpliceNumbers = 3;

export class Overrides {
  resizes = false;
  reshapes = false;
  pads = false;
  /** `splices` tell how it is resized, not `count`. */
  isSpliced = false;
  /** Characters or elements. */
  count = 0;
  splices: Splices = [];
  shape = kNone;
  /** From there to the next multiple of 4, whatever the elements would need. */
  padding = 0;

  get any(): boolean {
    return this.resizes || this.reshapes || this.pads;
  }
  clear(): void {
    this.resizes = false;
    this.reshapes = false;
    this.pads = false;
    this.isSpliced = false;
    this.count = 0;
    this.splices = [];
    this.shape = kNone;
    this.padding = 0;
  }
}

/** Elements of a vector of `count` after the splices; -1: they want more than there are. */
export function countSpliced(count: number, splices: Splices): number {
  let left = count;
  let result = count;
  for (let i = 0; i < splices.length; i += kSpliceNumbers) {
    const remove = splices[i + 1] as number;
    const taken = (splices[i] as number) + remove;
    if (taken > left) return -1;
    left -= taken;
    result += (splices[i + 2] as number) - remove;
  }
  return result;
}
