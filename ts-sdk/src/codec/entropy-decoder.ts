// Adaptive models and the asymmetric numeral system (rANS, Duda 2013) that is decoded with them.
// Exact arithmetic: docs/WIRE_FORMAT.md section 3.2. C++: entropy_coder.h.

/** Cells of a model of 16 symbols: what of 32,768 lies below symbol 0, 1 ... 16, and how often it learnt. */
export const kNibbleCells = 18;
export const kSeen = 17;
/** Cells of a yes or no: what of 32,768 is no, how often it learnt. */
export const kBitCells = 2;
/** Cells of a number of up to 30 bits: a nibble for its length, and one for lengths from 15. */
export const kNumberCells = 2 * kNibbleCells;

export const kOne = 1 << 15;
/** From then on a nibble learns only from every eighth symbol, which costs less. */
export const kGrown = 15;
/** Below this a nibble is new: what it learns is worth telling to the one that it began as. */
const kInfant = 14;
/** What a nibble learns at once, of 65,536, by how often it learnt: 1/5, 1/7 ... 1/33. */
const kNibbleSteps = Int32Array.from({ length: kGrown }, (_, seen) => 65536 / (2 * seen + 5));
/** The same for a bit: 1/2.5, 1/3.5 ... 1/32.5. */
export const kBitSteps = Int32Array.from({ length: 31 }, (_, seen) => 131072 / (2 * seen + 5));

/** The first cells are no models: the state of the decoder, 32 bits as a signed number; its place in the input. */
export const kState = 0;
export const kPosition = 1;
export const kFirstModel = 2;

/** The cells of a nibble whose symbols are expected as often as their weights say. */
export function expecting(weights: readonly number[]): Int32Array {
  const sum = weights.reduce((a, b) => a + b, 0);
  const nibble = new Int32Array(kNibbleCells);
  let below = 0;
  for (let i = 0; i < 16; i += 1) {
    nibble[i] = Math.floor((below * (kOne - 128)) / sum) + 8 * i;
    below += weights[i] ?? 0;
  }
  nibble[16] = kOne;
  return nibble;
}

/** The cells of a nibble that expects every symbol alike. */
export const kEvenNibble = Int32Array.from({ length: kNibbleCells }, (_, i) =>
  i === kSeen ? 0 : (i * kOne) / 16,
);

/** How often a grown nibble learnt, after one more symbol from which it does not. */
export function seenAfterGrown(seen: number): number {
  return seen === kGrown + 6 ? kGrown - 1 : seen + 1;
}

/** The cell of the last symbol of a nibble below which lies less than `wanted`. */
export function findSymbol(cells: Int32Array, nibble: number, wanted: number): number {
  // A quarter of the rest at a time; without branches, which nobody could foretell.
  const quarter =
    (((cells[nibble + 4] as number) - wanted) >>> 31) +
    (((cells[nibble + 8] as number) - wanted) >>> 31) +
    (((cells[nibble + 12] as number) - wanted) >>> 31);
  const from = nibble + 4 * quarter;
  return (
    from +
    (((cells[from + 1] as number) - wanted) >>> 31) +
    (((cells[from + 2] as number) - wanted) >>> 31) +
    (((cells[from + 3] as number) - wanted) >>> 31)
  );
}

/**
 * Reads one stream after the other with models that it keeps, all in one array: a model is known by its first cell.
 * Never fails: what comes after the end of the input decodes to something, and atEnd() says that it was not all right.
 */
export class EntropyDecoder {
  /** What is being read. */
  input: Uint8Array = new Uint8Array(0);
  #isCanonical = true;
  /** Replaced as it grows: not to be kept across a call that makes models. */
  cells: Int32Array;
  #top: number;
  /** `initial`: the first cells, kFirstModel of them without meaning, then models that are there from the start. */
  constructor(initial: Int32Array = new Int32Array(kFirstModel)) {
    this.cells = new Int32Array(initial.length + 2048);
    this.cells.set(initial);
    this.#top = initial.length;
  }

  /** Begins to read another stream, with the models as they are. */
  open(input: Uint8Array): void {
    const { length } = input;
    const stateBytes = length <= 2 ? length : 4 - (length % 2);
    let state = 0;
    for (let i = 0; i < stateBytes; i += 1) state = (state << 8) | (input[i] as number);
    this.input = input;
    this.#isCanonical = length === 0 || input[0] !== 0;
    this.cells[kState] = state;
    this.cells[kPosition] = stateBytes;
  }

  /** Goes on where another is, with the models that are here. */
  continueFrom(other: EntropyDecoder): void {
    this.input = other.input;
    this.#isCanonical = other.#isCanonical;
    this.cells[kState] = other.cells[kState] as number;
    this.cells[kPosition] = other.cells[kPosition] as number;
  }

  /** Whether the input ended exactly here, in its one valid form. */
  atEnd(): boolean {
    return this.#isCanonical && this.cells[kState] === 0 && this.cells[kPosition] === this.input.length;
  }

  // --- models ---------------------------------------------------------------------------------------------

  /** `n` cells of zeros, for whatever use. */
  allocate(n: number): number {
    const at = this.#top;
    this.#top += n;
    if (this.#top > this.cells.length) this.#grow(this.#top);
    return at;
  }
  /** The next `n` cells are made without replacing `cells`. */
  reserve(n: number): void {
    if (this.#top + n > this.cells.length) this.#grow(this.#top + n);
  }
  #grow(wanted: number): void {
    const grown = new Int32Array(2 * wanted);
    grown.set(this.cells);
    this.cells = grown;
  }
  /** A nibble that begins as `expected`. */
  nibble(expected: Int32Array): number {
    const at = this.allocate(kNibbleCells);
    this.cells.set(expected, at);
    return at;
  }
  /** A number, its first nibble beginning as `expected`, the second even. */
  number(expected: Int32Array): number {
    const at = this.nibble(expected);
    this.nibble(kEvenNibble);
    return at;
  }
  /** `n` bits that are no as often as `no` of 32,768. */
  bits(n: number, no = kOne / 2): number {
    const at = this.allocate(n * kBitCells);
    for (let i = 0; i < n; i += 1) this.cells[at + i * kBitCells] = no;
    return at;
  }
  /** A nibble that knows what another knows, but learns faster again. */
  inherit(parent: number): number {
    const at = this.allocate(kNibbleCells);
    this.cells.copyWithin(at, parent, parent + kNibbleCells);
    this.cells[at + kSeen] = Math.min(this.cells[parent + kSeen] as number, 1);
    return at;
  }

  // --- symbols --------------------------------------------------------------------------------------------

  /** A symbol of 16. */
  readNibble(at: number): number {
    const cells = this.cells;
    const state = cells[kState] as number;
    const slot = state & (kOne - 1);
    const found = findSymbol(cells, at, slot + 1);
    const low = cells[found] as number;
    const next = (Math.imul((cells[found + 1] as number) - low, state >>> 15) + slot - low) | 0;
    cells[kState] = next;
    if (next >>> 16 === 0) this.#refill();
    const symbol = found - at;
    const seen = cells[at + kSeen] as number;
    if (seen >= kGrown) cells[at + kSeen] = seenAfterGrown(seen);
    else this.#learn(at, symbol, seen);
    return symbol;
  }

  /** Makes a symbol likelier, and leaves every other at least 4 of 32,768 in the long run. */
  learn(at: number, symbol: number): void {
    const cells = this.cells;
    const seen = cells[at + kSeen] as number;
    if (seen >= kGrown) cells[at + kSeen] = seenAfterGrown(seen);
    else this.#learn(at, symbol, seen);
  }
  #learn(at: number, symbol: number, seen: number): void {
    const cells = this.cells;
    const step = kNibbleSteps[seen] as number;
    cells[at + kSeen] = seen + 1;
    let i = 1;
    for (; i <= symbol; i += 1) {
      const low = cells[at + i] as number;
      cells[at + i] = low + (Math.imul(4 * i - low, step) >> 16);
    }
    for (; i < 16; i += 1) {
      const low = cells[at + i] as number;
      cells[at + i] = low + (Math.imul(kOne - 64 + 4 * i - low, step) >> 16);
    }
  }

  /** 1 or 0. */
  readBit(at: number): number {
    const cells = this.cells;
    const state = cells[kState] as number;
    const slot = state & (kOne - 1);
    const no = cells[at] as number;
    const seen = cells[at + 1] as number;
    // All ones for yes; without branches, as above.
    const yes = (no - slot - 1) >> 31;
    const low = no & yes;
    const frequency = no + ((kOne - 2 * no) & yes);
    const next = (Math.imul(frequency, state >>> 15) + slot - low) | 0;
    cells[kState] = next;
    if (next >>> 16 === 0) this.#refill();
    const aim = kOne - 32 + ((64 - kOne) & yes);
    cells[at] = no + (Math.imul(aim - no, kBitSteps[seen] as number) >> 16);
    cells[at + 1] = seen + ((seen - 30) >>> 31);
    return yes & 1;
  }

  /** The next `n` bits as they are. Requires: n <= 31. */
  readRaw(n: number): number {
    if (n <= 16) return this.#readRaw16(n);
    const low = this.#readRaw16(16);
    return low | (this.#readRaw16(n - 16) << 16);
  }
  #readRaw16(n: number): number {
    const cells = this.cells;
    const state = cells[kState] as number;
    const next = (state >>> n) | 0;
    cells[kState] = next;
    if (next >>> 16 === 0) this.#refill();
    return state & ((1 << n) - 1);
  }

  /** A number below 2^31. */
  readNumber(at: number): number {
    let length = this.readNibble(at);
    if (length === 15) length += this.readNibble(at + kNibbleCells);
    return (this.readRaw(length) | (1 << length)) - 1;
  }

  // --- models that begin as others are ------------------------------------------------------------------------

  /** Makes the nibble that the cell `at` refers to from now on, beginning as `parent` is. */
  inheritAt(at: number, parent: number): number {
    const nibble = this.inherit(parent);
    this.cells[at] = nibble;
    return nibble;
  }

  /** Makes a symbol likelier; to `parent`, which it began as, too while it is new. */
  learnWith(parent: number, nibble: number, symbol: number): void {
    if ((this.cells[nibble + kSeen] as number) < kInfant) this.learn(parent, symbol);
    this.learn(nibble, symbol);
  }

  /** A symbol by the nibble that the cell `at` refers to. While that is 0 there is none. */
  readInherited(at: number, parent: number): number {
    let nibble = this.cells[at] as number;
    if (nibble === 0) nibble = this.inheritAt(at, parent);
    const isNew = (this.cells[nibble + kSeen] as number) < kInfant;
    const symbol = this.readNibble(nibble);
    if (isNew) this.learn(parent, symbol);
    return symbol;
  }

  #refill(): void {
    const cells = this.cells;
    const at = cells[kPosition] as number;
    const input = this.input;
    if (at === input.length) return;
    cells[kState] =
      ((cells[kState] as number) << 16) | (input[at] as number) | ((input[at + 1] as number) << 8);
    cells[kPosition] = at + 2;
  }
}
