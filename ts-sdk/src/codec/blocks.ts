// Blocks: the objects of an arrangement in the order in which they were placed, the last one of the target first.

/** How the objects of a block were made. */
export enum How {
  /** Moved together, all by the same distance, and otherwise as they were. */
  kMoved = 0,
  /** One, perhaps of another length, vtable or padding. */
  kPlaced = 1,
  /** The same, but its source may be placed elsewhere too. */
  kFresh = 2,
  /** Bytes without a source. */
  kRaw = 3,
}

/** Numbers of a block, in `cells`. */
export const kBlockCells = 6;
/** The first of its sources in the baseline, which follow each other. */
export const kSource = 0;
/** Objects. */
export const kCount = 1;
/** How many objects of the target are behind it. */
export const kBehind = 2;
/** Characters or elements, of one that was not moved. */
export const kLength = 3;
/** Index among the splices of the arrangement, or kNone. */
export const kSpliced = 4;
export const kHow = 5;

const kFew = 64;

export class Blocks {
  cells = new Int32Array(kFew * kBlockCells);
  count = 0;

  /** Keeps the memory, unless the last arrangement needed next to nothing of it. */
  clear(): void {
    const isFar = this.cells.length > 16 * (this.count + kFew) * kBlockCells;
    if (isFar) this.cells = new Int32Array(kFew * kBlockCells);
    this.count = 0;
  }

  /** Returns the first cell. */
  push(source: number, count: number, behind: number, length: number, spliced: number, how: How): number {
    const first = this.count * kBlockCells;
    let at = first;
    if (at + kBlockCells > this.cells.length) {
      const grown = new Int32Array(2 * this.cells.length);
      grown.set(this.cells);
      this.cells = grown;
    }
    const { cells } = this;
    cells[at++] = source;
    cells[at++] = count;
    cells[at++] = behind;
    cells[at++] = length;
    cells[at++] = spliced;
    cells[at++] = how;
    this.count += 1;
    return first;
  }

  /** First cell of the block with the object that `behind` others of the target are behind. */
  find(behind: number): number {
    const { cells } = this;
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((cells[middle * kBlockCells + kBehind] as number) <= behind) low = middle;
      else high = middle - 1;
    }
    return low * kBlockCells;
  }
}
