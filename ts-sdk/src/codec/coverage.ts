// Coverage: which words of a snapshot belong to something found already.

export class Coverage {
  readonly #sizeBytes: number;
  /** A bit for every four bytes. */
  readonly #bits: Uint32Array;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#bits = new Uint32Array(Math.floor(sizeBytes / 128) + 1);
  }

  /** Whether the word that holds this byte does. Requires: position <= size. */
  has(position: number): boolean {
    return (((this.#bits[position >>> 7] as number) >>> ((position >>> 2) & 31)) & 1) !== 0;
  }

  /** Whole words from the first that begins at or after `begin`, up to the one that holds the last byte. */
  add(begin: number, end: number): void {
    const first = Math.ceil(begin / 4);
    const last = Math.ceil(Math.min(end, this.#sizeBytes) / 4);
    if (first >= last) return;
    const bits = this.#bits;
    const head = 0xffff_ffff << (first & 31);
    const tail = 0xffff_ffff >>> (31 - ((last - 1) & 31));
    const begins = first >>> 5;
    const ends = (last - 1) >>> 5;
    if (begins === ends) {
      bits[begins] = (bits[begins] as number) | (head & tail);
      return;
    }
    bits[begins] = (bits[begins] as number) | head;
    for (let i = begins + 1; i < ends; i += 1) bits[i] = 0xffff_ffff;
    bits[ends] = (bits[ends] as number) | tail;
  }
}
