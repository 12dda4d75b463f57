// Motions: what the last patch of a context changed in the rows of a type. Rules: docs/WIRE_FORMAT.md section 3.5.

/** Numbers of a motion, in `cells`. */
export const kMotionCells = 4;
export const kRow = 0;
export const kColumn = 1;
/** By how much the entry changed, a number with the sign of its highest bit. */
export const kStep = 2;
/** The same in the patch before; 0: it did not. */
export const kBefore = 3;

const kNoCells = new Int32Array(0);

export class Motions {
  /** By row, then column: kMotionCells numbers for each. */
  cells: Int32Array = kNoCells;
  count = 0;

  clear(): void {
    this.count = 0;
  }

  /** Makes room for `n` more. */
  reserve(n: number): void {
    const wanted = (this.count + n) * kMotionCells;
    if (wanted <= this.cells.length) return;
    const grown = new Int32Array(2 * wanted + 8);
    grown.set(this.cells);
    this.cells = grown;
  }

  /** Requires: there is room. */
  push(row: number, column: number, step: number, before: number): void {
    const { cells } = this;
    let at = this.count * kMotionCells;
    cells[at++] = row;
    cells[at++] = column;
    cells[at++] = step;
    cells[at++] = before;
    this.count += 1;
  }

  countRows(): number {
    const { cells } = this;
    const end = this.count * kMotionCells;
    let n = 0;
    let last = -1;
    for (let at = 0; at < end; at += kMotionCells) {
      const row = cells[at + kRow] as number;
      if (row !== last) n += 1;
      last = row;
    }
    return n;
  }

  /** Row `r` is from now on row `rowOf(r)`; below 0: it is no more. */
  renumber(rowOf: (row: number) => number): void {
    const { cells } = this;
    const end = this.count * kMotionCells;
    let to = 0;
    let last = -1;
    let isSorted = true;
    let old = -1;
    let row = -1;
    for (let at = 0; at < end; at += kMotionCells) {
      if (cells[at + kRow] !== old) {
        old = cells[at + kRow] as number;
        row = rowOf(old);
      }
      if (row < 0) continue;
      isSorted &&= last <= row;
      last = row;
      cells[to + kRow] = row;
      cells[to + kColumn] = cells[at + kColumn] as number;
      cells[to + kStep] = cells[at + kStep] as number;
      cells[to + kBefore] = cells[at + kBefore] as number;
      to += kMotionCells;
    }
    this.count = to / kMotionCells;
    if (!isSorted) this.#sort();
  }

  /** By row; what is in one row keeps its order. */
  #sort(): void {
    const { cells, count } = this;
    const from = cells.slice(0, count * kMotionCells);
    const rowOf = (i: number) => from[i * kMotionCells + kRow] as number;
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    order.sort((a, b) => rowOf(a) - rowOf(b) || a - b);
    for (let i = 0; i < count; i += 1) {
      const at = (order[i] as number) * kMotionCells;
      cells.set(from.subarray(at, at + kMotionCells), i * kMotionCells);
    }
  }
}
