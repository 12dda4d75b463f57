// RowDecoder: what is left between a prediction and the target, row by row and column by column.
// Format: docs/WIRE_FORMAT.md section 3.5. C++: residual.h, row_coder.h.

import type { EntropyDecoder } from "./entropy-decoder.js";
import { FreshColumns } from "./fresh-decoder.js";
import { State } from "./inspector.js";
import { type Models, maxKnownColumns } from "./models.js";
import { kBefore, kColumn, kMotionCells, kRow, kStep, type Motions } from "./motions.js";
import { readRow } from "./read-row.js";
import { kColumnOf, kEntryCells, kOffset, kPlace, kWidth } from "./rows.js";
import type { Group } from "./structure.js";
import type { TypeModel } from "./type-model.js";
import { addDelta, cut, kGoesOn } from "./values.js";
import type { WriteLog } from "./write-log.js";

export class RowDecoder {
  readonly #decoder: EntropyDecoder;
  readonly #models: Models;
  readonly #view: DataView;
  readonly #log: WriteLog;
  readonly #state: Uint8Array;
  // Of the type at hand.
  #group: Group | undefined;
  #type: TypeModel | undefined;
  /** The object that the row at hand is in, and the first row of that. */
  #rank = 0;
  #firstRow = 0;

  /** `bytes`: the prediction, which becomes the target. `state`: [objects] see State; of those that change it is reset. */
  constructor(models: Models, bytes: Uint8Array, log: WriteLog, state: Uint8Array) {
    this.#decoder = models.decoder;
    this.#models = models;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#log = log;
    this.#state = state;
  }

  /** The rows of type number `index` that changed. False: malformed. */
  rows(index: number, group: Group): boolean {
    const type = this.#models.types[index] as TypeModel;
    if (!type.readAny()) {
      type.motions.clear();
      return true;
    }
    const nKnown = type.columns.count;
    const most = maxKnownColumns(this.#view.byteLength);
    if (!type.readColumns(most - this.#models.nKnownColumns)) return false;
    this.#models.nKnownColumns += type.columns.count - nKnown;
    this.#group = group;
    this.#type = type;
    this.#rank = 0;
    this.#firstRow = 0;
    return this.#readRows(type, group);
  }

  #readRows(type: TypeModel, group: Group): boolean {
    const { motions, nextMotions } = type;
    // Rows from `row` on that the last step did not change.
    let nOthers = group.nRows - motions.countRows();
    let nTold = type.readCount();
    if (motions.count === 0) nTold += 1;
    if (nTold > nOthers) return false;
    nextMotions.clear();
    const { cells } = motions;
    const end = motions.count * kMotionCells;
    let m = 0;
    let row = 0;
    for (; nTold > 0; nTold -= 1) {
      let gap = type.readGap(nOthers, nTold);
      if (gap < 0) return false;
      nOthers -= gap + 1;
      while (m < end && (cells[m + kRow] as number) - row <= gap) {
        const moved = cells[m + kRow] as number;
        gap -= moved - row;
        m = this.#readMovedRow(moved, motions, m);
        if (m < 0) return false;
        row = moved + 1;
      }
      row += gap;
      this.#find(row);
      if (!this.#readRow(row, motions, m, m)) return false;
      row += 1;
    }
    while (m < end) {
      m = this.#readMovedRow(cells[m + kRow] as number, motions, m);
      if (m < 0) return false;
    }
    type.swapMotions();
    return true;
  }

  /** A row with the motions from cell `m` on. Returns the first cell behind them; -1: malformed. */
  #readMovedRow(row: number, motions: Motions, m: number): number {
    const type = this.#type as TypeModel;
    const { cells } = motions;
    const last = motions.count * kMotionCells;
    let end = m + kMotionCells;
    while (end < last && cells[end + kRow] === row) end += kMotionCells;
    if (type.readIsAgain()) {
      this.#find(row);
      if (!this.#readRow(row, motions, m, end)) return -1;
    } else if (type.columns.isPredicting) {
      this.#find(row);
      this.#keepGoing(row, motions, m, end);
    }
    return end;
  }

  /** Finds the entries of a row; rows ascend. */
  #find(row: number): void {
    const group = this.#group as Group;
    const { type, objects } = group;
    if (type.hasOneRow) {
      this.#rank = row;
      this.#firstRow = row;
    } else {
      for (;;) {
        const object = group.at(this.#rank);
        const n = type.rowsOf((objects.start[object + 1] as number) - (objects.start[object] as number));
        if (this.#firstRow + n > row) break;
        this.#firstRow += n;
        this.#rank += 1;
      }
    }
    const object = group.at(this.#rank);
    this.#state[object] = State.kUnknown;
    (this.#type as TypeModel).entries.find(type, objects, object, row - this.#firstRow);
  }

  #readRow(row: number, motions: Motions, m: number, end: number): boolean {
    return readRow(this.#decoder, this.#type as TypeModel, motions, row, m, end, this.#view, this.#log);
  }

  /** The row that was found last, of which every entry is as expected. Its motions: the cells [m, end). */
  #keepGoing(row: number, motions: Motions, m: number, end: number): void {
    const { entries, columns, nextMotions } = this.#type as TypeModel;
    const { found, base } = entries;
    const plan = found.cells;
    const { cells } = motions;
    nextMotions.reserve(found.count);
    let at = m;
    for (let i = 0; i < found.count && at < end; i += 1) {
      const entry = i * kEntryCells;
      const column = plan[entry + kColumnOf] as number;
      while (at < end && (cells[at + kColumn] as number) < column) at += kMotionCells;
      if (at === end || cells[at + kColumn] !== column) continue;
      const order = columns.order[plan[entry + kPlace] as number] as number;
      if (order === 0) continue;
      const before = cells[at + kStep] as number;
      const width = plan[entry + kWidth] as number;
      const delta = cut(
        order === kGoesOn ? before : ((before << 1) - (cells[at + kBefore] as number)) | 0,
        width,
      );
      if (delta !== 0)
        this.#move(row, column, base + (plan[entry + kOffset] as number), width, delta, before);
    }
  }

  #move(row: number, column: number, position: number, width: number, delta: number, before: number): void {
    (this.#type as TypeModel).nextMotions.push(row, column, delta, before);
    this.#log.touch(position, width);
    addDelta(this.#view, position, width, delta);
  }

  /** An object without a predecessor. */
  freshObject(index: number, group: Group, object: number): void {
    const type = this.#models.types[index] as TypeModel;
    type.fresh ??= new FreshColumns(this.#decoder, group.type);
    type.fresh.read(group.objects, object, this.#view);
  }

  /** Which of the `n` strings of a type differ: their ranks, ascending. Undefined: malformed. */
  texts(index: number, n: number): Int32Array | undefined {
    const type = this.#models.types[index] as TypeModel;
    if (!type.readAny()) return kNoTexts;
    const nChanged = type.readCount() + 1;
    if (nChanged > n) return undefined;
    const changed = new Int32Array(nChanged);
    let rank = 0;
    for (let i = 0; i < nChanged; i += 1, rank += 1) {
      const gap = type.readGap(n - rank, nChanged - i);
      if (gap < 0) return undefined;
      rank += gap;
      changed[i] = rank;
    }
    return changed;
  }
}

const kNoTexts = new Int32Array(0);
