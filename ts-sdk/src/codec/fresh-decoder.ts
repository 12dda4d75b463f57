// FreshColumns: the models of objects without a predecessor, of which every entry may differ.
// Format: docs/WIRE_FORMAT.md section 3.5. C++: residual.h, fresh_object.

import { type EntropyDecoder, kBitCells } from "./entropy-decoder.js";
import { Kind, kHeadColumns, kTailColumns, type Type } from "./schema.js";
import type { Shape } from "./shape.js";
import { type ObjectList, shapeOf } from "./structure.js";
import { addDelta, readValue } from "./values.js";

/** Cells of a column: whether it differs, then its value model. */
const kFreshCells = kBitCells + 1;

/** Of one type. */
export class FreshColumns {
  readonly #decoder: EntropyDecoder;
  readonly #type: Type;
  /** Fields, head and tail: where the models of a column are; 0: none yet. */
  readonly #models = [new Int32Array(16), new Int32Array(16), new Int32Array(16)];
  /** Columns from here on share a model, so that memory does not grow with the target. */
  readonly #last: number;

  constructor(decoder: EntropyDecoder, type: Type) {
    this.#decoder = decoder;
    this.#type = type;
    this.#last = type.kind !== Kind.kTable && type.isWhole ? 15 : kTailColumns + 15;
  }

  /** Turns the prediction in `view` into the object. */
  read(objects: ObjectList, object: number, view: DataView): void {
    const type = this.#type;
    const start = objects.start[object] as number;
    const end = objects.start[object + 1] as number;
    if (type.kind === Kind.kTable) {
      this.#readTable(shapeOf(objects, object), start, end, view);
    } else if (type.isWhole) {
      this.#readLanes(0, start, end, view);
    } else {
      let begin = start;
      let column = 0;
      if (type.hasLength) {
        begin = Math.min(start + 4, end);
        column = 1;
        this.#readLanes(0, start, begin, view);
      }
      const { rowBytes } = type;
      for (; begin < end; begin += rowBytes) {
        this.#readLanes(column, begin, Math.min(begin + rowBytes, end), view);
      }
    }
  }

  #readTable(shape: Shape, start: number, end: number, view: DataView): void {
    const { laneColumn, laneOffset, laneWidth } = shape;
    for (let lane = 0; lane < laneColumn.length; lane += 1) {
      const at = start + (laneOffset[lane] as number);
      if (at >= end) continue;
      this.#readEntry(laneColumn[lane] as number, at, Math.min(laneWidth[lane] as number, end - at), view);
    }
    this.#readLanes(kTailColumns, start + shape.tableSize, end, view);
  }
  #readLanes(first: number, begin: number, end: number, view: DataView): void {
    let column = first;
    for (let at = begin; at < end; at += 4, column += 1) {
      this.#readEntry(column, at, Math.min(4, end - at), view);
    }
  }
  #readEntry(column: number, position: number, width: number, view: DataView): void {
    const models = this.#modelsOf(Math.min(column, this.#last));
    if (this.#decoder.readBit(models) === 0) return;
    addDelta(view, position, width, readValue(this.#decoder, models + kBitCells));
  }

  #modelsOf(column: number): number {
    const part = column < kHeadColumns ? 0 : column < kTailColumns ? 1 : 2;
    const index = column - (part === 0 ? 0 : part === 1 ? kHeadColumns : kTailColumns);
    let known = this.#models[part] as Int32Array;
    if (index >= known.length) {
      const grown = new Int32Array(2 * index);
      grown.set(known);
      known = grown;
      this.#models[part] = grown;
    }
    let models = known[index] as number;
    if (models === 0) {
      models = this.#decoder.bits(1);
      this.#decoder.allocate(kFreshCells - kBitCells);
      known[index] = models;
    }
    return models;
  }
}
