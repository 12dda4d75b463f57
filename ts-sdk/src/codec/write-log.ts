// WriteLog: which chunks of a snapshot a patch wrote to, so that only these are hashed again; and, where it writes over
// the baseline, what was there before.

import { chunkCount, chunkSize } from "../fingerprint.js";

/** One patch after the other; its memory is used again. */
export class WriteLog {
  /** [chunks] 1: written to. */
  #isTouched = new Uint8Array(1);
  /** Chunks in the order in which they were written to first. */
  #touched = new Int32Array(8);
  #nTouched = 0;
  /** Bytes of a chunk are 2 to this power. 31, one chunk of all that there can be: nobody wants to know. */
  chunkShift = 31;
  #bytes: Uint8Array = new Uint8Array(0);
  #keepsBytes = false;
  /** The touched chunks as they were, one after the other. */
  #before = new Uint8Array(0);

  /** `keepsBytes`: undo() is possible. */
  open(bytes: Uint8Array, keepsBytes: boolean): void {
    const nChunks = chunkCount(bytes.length);
    if (this.#isTouched.length === nChunks) this.#isTouched.fill(0);
    else this.#isTouched = new Uint8Array(nChunks);
    // Chunks are powers of two.
    this.chunkShift = 31 - Math.clz32(chunkSize(bytes.length));
    this.#nTouched = 0;
    this.#bytes = bytes;
    this.#keepsBytes = keepsBytes;
  }
  /** Lets go of the bytes. */
  close(): void {
    this.#bytes = kNoBytes;
  }

  /** Before `width` > 0 bytes at `position`, at most a chunk, are written. */
  touch(position: number, width: number): void {
    const first = position >>> this.chunkShift;
    const last = (position + width - 1) >>> this.chunkShift;
    if (this.#isTouched[first] === 0) this.#add(first);
    if (this.#isTouched[last] === 0) this.#add(last);
  }
  /** The same for any number of chunks. */
  touchRange(begin: number, end: number): void {
    if (begin >= end) return;
    const last = (end - 1) >>> this.chunkShift;
    for (let chunk = begin >>> this.chunkShift; chunk <= last; chunk += 1) {
      if (this.#isTouched[chunk] === 0) this.#add(chunk);
    }
  }

  /** [chunks] 1: not written to. */
  untouched(): Uint8Array {
    const untouched = new Uint8Array(this.#isTouched.length).fill(1);
    for (let i = 0; i < this.#nTouched; i += 1) untouched[this.#touched[i] as number] = 0;
    return untouched;
  }

  /** Puts back what was there before. Requires: the bytes were kept. */
  undo(): void {
    let at = 0;
    for (let i = 0; i < this.#nTouched; i += 1) {
      const begin = (this.#touched[i] as number) << this.chunkShift;
      const size = Math.min(1 << this.chunkShift, this.#bytes.length - begin);
      this.#bytes.set(this.#before.subarray(at, at + size), begin);
      at += 1 << this.chunkShift;
    }
  }

  #add(chunk: number): void {
    const n = this.#nTouched;
    this.#isTouched[chunk] = 1;
    if (n === this.#touched.length) {
      const grown = new Int32Array(2 * n);
      grown.set(this.#touched);
      this.#touched = grown;
    }
    this.#touched[n] = chunk;
    this.#nTouched = n + 1;
    if (this.#keepsBytes) this.#keep(chunk, n << this.chunkShift);
  }
  #keep(chunk: number, at: number): void {
    const size = 1 << this.chunkShift;
    if (at + size > this.#before.length) {
      const grown = new Uint8Array(2 * (at + size));
      grown.set(this.#before);
      this.#before = grown;
    }
    const begin = chunk << this.chunkShift;
    this.#before.set(this.#bytes.subarray(begin, Math.min(begin + size, this.#bytes.length)), at);
  }
}

const kNoBytes = new Uint8Array(0);
