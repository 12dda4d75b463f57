// WriteLog: which chunks of a snapshot a patch wrote to, so that only these are hashed again.

import { chunkCount, chunkSize } from "../fingerprint.js";

export class WriteLog {
  /** [chunks] 1: written to. */
  readonly isTouched: Uint8Array;
  readonly #shift: number;

  /** `sizeBytes`: of the snapshot; undefined: nobody wants to know. */
  constructor(sizeBytes: number | undefined) {
    this.isTouched = new Uint8Array(sizeBytes === undefined ? 1 : chunkCount(sizeBytes));
    // Chunks are powers of two. Positions are below 2^31.
    this.#shift = sizeBytes === undefined ? 31 : 31 - Math.clz32(chunkSize(sizeBytes));
  }

  /** Before `width` > 0 bytes at `position` are written. */
  touch(position: number, width: number): void {
    this.isTouched[position >>> this.#shift] = 1;
    this.isTouched[(position + width - 1) >>> this.#shift] = 1;
  }
  /** The same for any number of chunks. */
  touchRange(begin: number, end: number): void {
    if (begin < end) this.isTouched.fill(1, begin >>> this.#shift, ((end - 1) >>> this.#shift) + 1);
  }

  /** [chunks] 1: not written to. */
  untouched(): Uint8Array {
    return this.isTouched.map((touched) => 1 - touched);
  }
}
