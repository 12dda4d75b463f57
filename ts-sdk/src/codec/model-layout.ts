// The models that every context has from the start, and what they expect at first. Rules: docs/WIRE_FORMAT.md
// sections 3.4 to 3.6. C++: models.h, Models.

import { EntropyDecoder, expecting, kEvenNibble, kNibbleCells, kNumberCells } from "./entropy-decoder.js";

/** Steps of an arrangement. */
export const kSteps = 9;
/** Ways to predict an entry from its steps so far. */
export const kOrders = 3;

const kFewNibble = expecting([60, 8, 6, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1]);
const kNearNibble = expecting([40, 20, 15, 10, 8, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
const kSizeNibble = expecting([30, 25, 20, 12, 12, 10, 6, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
const kShortNibble = expecting([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
/** What of 32,768 is no in a bit that is one often, and seldom. */
export const kOften = 4096;
export const kSeldom = 28672;

/** Models that every context has: the cells at which they begin. */
interface Layout {
  /** Of all types and columns: what a new one's begin as. */
  readonly count: number;
  readonly size: number;
  readonly details: number;
  readonly isActive: number;
  readonly orders: number;
  readonly nColumns: number;
  readonly columnGap: number;
  readonly isRawText: number;
  readonly lengthStep: number;
  readonly prefix: number;
  readonly suffix: number;
  readonly high: number;
  readonly low: number;
  /** Of an arrangement. */
  readonly steps: number;
  readonly counts: number;
  readonly jump: number;
  readonly jumpType: number;
  readonly freshType: number;
  readonly padding: number;
  readonly length: number;
  readonly reshapeType: number;
  readonly whichShape: number;
  readonly shapeEntry: number;
  readonly nSplices: number;
  readonly spliceNumbers: number;
  readonly elementRun: number;
  readonly elementStep: number;
  readonly isData: number;
}

function layOut(): { readonly at: Layout; readonly cells: Int32Array } {
  const decoder = new EntropyDecoder();
  const nibbles = (n: number, expected: Int32Array = kEvenNibble) => {
    const first = decoder.nibble(expected);
    for (let i = 1; i < n; i += 1) decoder.nibble(expected);
    return first;
  };
  const number = () => nibbles(2);
  const isActive = decoder.bits(1, kSeldom);
  decoder.bits(1, kOften);
  const at: Layout = {
    count: decoder.number(kFewNibble),
    size: nibbles(1, kSizeNibble),
    details: nibbles(16, kShortNibble),
    isActive,
    orders: nibbles(kOrders),
    nColumns: number(),
    columnGap: decoder.number(kNearNibble),
    isRawText: decoder.bits(1),
    lengthStep: number(),
    prefix: number(),
    suffix: number(),
    high: nibbles(16),
    low: nibbles(16),
    steps: nibbles(kSteps),
    counts: nibbles(2 * kSteps * kSteps),
    jump: number(),
    jumpType: number(),
    freshType: number(),
    padding: number(),
    length: number(),
    reshapeType: number(),
    whichShape: number(),
    shapeEntry: number(),
    nSplices: number(),
    spliceNumbers: nibbles(3 * 2),
    elementRun: number(),
    elementStep: number(),
    isData: decoder.bits(1),
  };
  return { at, cells: decoder.cells.slice(0, decoder.allocate(0)) };
}

const kLayout = layOut();
/** Where the models that every context has are. */
export const kModels = kLayout.at;
/** A decoder that has these models and no others. */
export function newDecoder(): EntropyDecoder {
  return new EntropyDecoder(kLayout.cells);
}

/** How often step `step` is repeated after step `previous`. */
export function countsOf(previous: number, step: number): number {
  return kModels.counts + (previous * kSteps + step) * kNumberCells;
}
/** How a column is predicted that was predicted in the way `order`. */
export function orderAfter(order: number): number {
  return kModels.orders + order * kNibbleCells;
}
