// Adaptive models and the asymmetric numeral system (rANS, Duda 2013) that is decoded with them.
// Exact arithmetic: docs/WIRE_FORMAT.md section 3.2. C++: entropy_coder.h.

/** Cells of a model of 16 symbols: how often it learnt, then what of 32,768 lies below symbol 1, 2 ... 15. */
export const kNibbleCells = 16;
/** Cells of a yes or no: what of 32,768 is no, how often it learnt. */
export const kBitCells = 2;
/** Cells of a number of up to 30 bits: a nibble for its length, and one for lengths from 15. */
export const kNumberCells = 2 * kNibbleCells;

const kOne = 1 << 15;
/** What a nibble learns at once, of 65,536, by how often it learnt: 1/5, 1/7 ... 1/33. */
const kNibbleSteps = Uint16Array.from({ length: 15 }, (_, seen) => 65536 / (2 * seen + 5));
/** The same for a bit: 1/2.5, 1/3.5 ... 1/32.5. */
const kBitSteps = Uint16Array.from({ length: 31 }, (_, seen) => 131072 / (2 * seen + 5));

/** A nibble whose symbols are expected as often as their weights say. */
export function expecting(weights: readonly number[]): Uint16Array {
  const sum = weights.reduce((a, b) => a + b, 0);
  const nibble = new Uint16Array(kNibbleCells);
  let below = 0;
  for (let i = 0; i < 16; i += 1) {
    if (i > 0) nibble[i] = Math.floor((below * (kOne - 128)) / sum) + 8 * i;
    below += weights[i] ?? 0;
  }
  return nibble;
}

/**
 * Reads a stream with models that it keeps itself, all in one array: a model is known by its first cell. Never fails:
 * what comes after the end of the input decodes to something, and atEnd() says that it was not all right.
 */
export class EntropyDecoder {
  readonly #input: Uint8Array;
  #position: number;
  /** 32 bits, as a signed number, which is what the engine computes fastest with. */
  #state = 0;
  readonly #isCanonical: boolean;
  #cells = new Uint16Array(4096);
  #top = 0;

  constructor(input: Uint8Array) {
    const { length } = input;
    const stateBytes = length <= 2 ? length : 4 - (length % 2);
    for (let i = 0; i < stateBytes; i += 1) this.#state = (this.#state << 8) | (input[i] as number);
    this.#input = input;
    this.#position = stateBytes;
    this.#isCanonical = length === 0 || input[0] !== 0;
  }

  /** Whether the input ended exactly here, in its one valid form. */
  atEnd(): boolean {
    return this.#isCanonical && this.#state === 0 && this.#position === this.#input.length;
  }

  // --- models ---------------------------------------------------------------------------------------------

  /** `n` nibbles that expect every symbol alike; two of them are a number. */
  nibbles(n: number): number {
    const at = this.#allocate(n * kNibbleCells);
    const cells = this.#cells;
    for (let i = 0; i < n * kNibbleCells; i += 1) cells[at + i] = (i & 15) * (kOne / 16);
    return at;
  }
  numbers(n: number): number {
    return this.nibbles(2 * n);
  }
  /** `n` bits that expect no and yes alike. */
  bits(n: number): number {
    const at = this.#allocate(n * kBitCells);
    for (let i = 0; i < n; i += 1) {
      this.#cells[at + i * kBitCells] = kOne / 2;
      this.#cells[at + i * kBitCells + 1] = 0;
    }
    return at;
  }
  /** A nibble that knows what another knows, but learns faster again. */
  inherit(parent: number): number {
    const at = this.#allocate(kNibbleCells);
    const cells = this.#cells;
    for (let i = 0; i < kNibbleCells; i += 1) cells[at + i] = cells[parent + i] as number;
    if ((cells[at] as number) > 1) cells[at] = 1;
    return at;
  }
  expect(nibble: number, expected: Uint16Array): void {
    const cells = this.#cells;
    for (let i = 0; i < kNibbleCells; i += 1) cells[nibble + i] = expected[i] as number;
  }
  /** Models made after mark() are gone after release(). */
  mark(): number {
    return this.#top;
  }
  release(mark: number): void {
    this.#top = mark;
  }

  #allocate(n: number): number {
    const at = this.#top;
    this.#top += n;
    if (this.#top > this.#cells.length) {
      const grown = new Uint16Array(2 * this.#top);
      grown.set(this.#cells);
      this.#cells = grown;
    }
    return at;
  }

  // --- symbols --------------------------------------------------------------------------------------------

  /** A symbol of 16. */
  nibble(at: number): number {
    const cells = this.#cells;
    const state = this.#state;
    const slot = state & (kOne - 1);
    let symbol = (cells[at + 8] as number) <= slot ? 8 : 0;
    if ((cells[at + symbol + 4] as number) <= slot) symbol += 4;
    if ((cells[at + symbol + 2] as number) <= slot) symbol += 2;
    if ((cells[at + symbol + 1] as number) <= slot) symbol += 1;
    const low = symbol === 0 ? 0 : (cells[at + symbol] as number);
    const high = symbol === 15 ? kOne : (cells[at + symbol + 1] as number);
    this.#state = (Math.imul(high - low, state >>> 15) + slot - low) | 0;
    this.#refill();
    this.learn(at, symbol);
    return symbol;
  }

  /** Makes a symbol likelier, and leaves every other at least 4 of 32,768 in the long run. */
  learn(at: number, symbol: number): void {
    const cells = this.#cells;
    const seen = cells[at] as number;
    const step = kNibbleSteps[seen] as number;
    if (seen < 14) cells[at] = seen + 1;
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

  bit(at: number): boolean {
    const cells = this.#cells;
    const state = this.#state;
    const slot = state & (kOne - 1);
    const no = cells[at] as number;
    const seen = cells[at + 1] as number;
    const step = kBitSteps[seen] as number;
    if (seen < 30) cells[at + 1] = seen + 1;
    const yes = slot >= no;
    if (yes) {
      this.#state = (Math.imul(kOne - no, state >>> 15) + slot - no) | 0;
      cells[at] = no + (Math.imul(32 - no, step) >> 16);
    } else {
      this.#state = (Math.imul(no, state >>> 15) + slot) | 0;
      cells[at] = no + (Math.imul(kOne - 32 - no, step) >> 16);
    }
    this.#refill();
    return yes;
  }

  /** The next `n` bits as they are. Requires: n <= 31. */
  raw(n: number): number {
    if (n <= 16) return this.#raw16(n);
    const low = this.#raw16(16);
    return low | (this.#raw16(n - 16) << 16);
  }

  /** A number below 2^31. */
  number(at: number): number {
    let length = this.nibble(at);
    if (length === 15) length += this.nibble(at + kNibbleCells);
    return (this.raw(length) | (1 << length)) - 1;
  }

  #raw16(n: number): number {
    const value = this.#state & ((1 << n) - 1);
    this.#state = (this.#state >>> n) | 0;
    this.#refill();
    return value;
  }

  #refill(): void {
    if (this.#state >>> 16 !== 0 || this.#position === this.#input.length) return;
    const at = this.#position;
    this.#state = (this.#state << 16) | (this.#input[at] as number) | ((this.#input[at + 1] as number) << 8);
    this.#position = at + 2;
  }
}
