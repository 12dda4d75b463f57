// PatchContext: what a receiver of a row of patches has learnt, so that the next one need not say it.

import type { Context } from "./codec/context.js";
import { WriteLog } from "./codec/write-log.js";
import { chunkSize } from "./fingerprint.js";
import type { Snapshot } from "./snapshot.js";

/**
 * Whether a result may be written over the bytes of an earlier snapshot instead of to new memory: faster, the more the
 * larger the snapshot. `true`: over those of its baseline, or of one before: earlier snapshots are of no more use, whoever
 * holds them. "alternate": over those of the one before its baseline: the last two snapshots stay as they were.
 */
export type ReuseBytes = boolean | "alternate";

export interface PatchContextOptions {
  /** After an error the baseline is as it was, the snapshot before it perhaps not. Default: false. */
  readonly reuseBytes?: ReuseBytes;
}

/**
 * One for each topic at its receiver, handed to applyPatch() with every patch, in the order in which they were made:
 * which tables there are, how each column changes, by how much it did last time. Who missed one patch cannot read the
 * next, until the sender begins anew. Memory: a few times that of what changes in a step, at most some times that of the
 * snapshot.
 */
export class PatchContext {
  readonly #reuseBytes: ReuseBytes;
  /** For applyPatch(). */
  readonly log = new WriteLog();
  #context: Context | undefined;
  #at = 0n;
  /** Bytes of a snapshot that is no more; in which chunks they are those of the one that it is at. */
  #spare: Uint8Array | undefined;
  #spareIsEqual: Uint8Array = new Uint8Array(0);
  /** Memory that was made here, of which snapshots may have only the first part. */
  readonly #made = new WeakSet<ArrayBufferLike>();

  constructor(options: PatchContextOptions = {}) {
    this.#reuseBytes = options.reuseBytes ?? false;
  }

  /** Whether a patch in place is to be written over its baseline. */
  get writesOverBaseline(): boolean {
    return this.#reuseBytes === true;
  }

  /** Whether a patch from this baseline may continue it. */
  isAt(baseline: Snapshot): boolean {
    return this.#context !== undefined && this.#at === baseline.digest;
  }

  /** The next patch has to stand alone. */
  close(): void {
    this.#context = undefined;
    this.#spare = undefined;
  }

  /** For applyPatch(): takes out what is known, before a patch from this baseline. */
  release(baseline: Snapshot): Context | undefined {
    const context = this.#context;
    // What is spare is so only as seen from the snapshot that it is at, and must not be read from meanwhile.
    if (!this.isAt(baseline) || this.#spare?.buffer === baseline.bytes.buffer) this.#spare = undefined;
    this.#context = undefined;
    return context;
  }
  /** For applyPatch(). */
  hold(context: Context, at: Snapshot): void {
    this.#context = context;
    this.#at = at.digest;
  }

  /** For applyPatch(): where bytes may be used again those of a snapshot that is no more, whatever they hold. */
  takeBytes(size: number): Uint8Array {
    const spare = this.#takeSpare(size);
    if (spare !== undefined) return spare;
    if (this.#reuseBytes === false) return new Uint8Array(size);
    // Snapshots that grow a little find room.
    const bytes = new Uint8Array(size + (size >>> 3));
    this.#made.add(bytes.buffer);
    return bytes.subarray(0, size);
  }
  /** For applyPatch(): the bytes of the snapshot that it is at once more, to be written to. */
  takeCopy(bytes: Uint8Array): Uint8Array {
    const isEqual = this.#spare?.length === bytes.length ? this.#spareIsEqual : undefined;
    const copy = this.#takeSpare(bytes.length);
    // Not slice(), which makes zeros first.
    if (copy === undefined) return new Uint8Array(bytes);
    if (isEqual === undefined) copy.set(bytes);
    else copyOtherChunks(bytes, copy, isEqual);
    return copy;
  }
  /** For applyPatch(): nobody needs these bytes any more. `isEqual`: [chunks] 1 where they are those that it is at. */
  giveBack(bytes: Uint8Array, isEqual: Uint8Array): void {
    if (this.#reuseBytes === false) return;
    this.#spare = bytes;
    this.#spareIsEqual = isEqual;
  }
  #takeSpare(size: number): Uint8Array | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare === undefined || this.#reuseBytes === false) return undefined;
    const whole = this.#made.has(spare.buffer) ? new Uint8Array(spare.buffer) : spare;
    return whole.length >= size ? whole.subarray(0, size) : undefined;
  }
}

function copyOtherChunks(from: Uint8Array, to: Uint8Array, isEqual: Uint8Array): void {
  const size = chunkSize(from.length);
  for (let chunk = isEqual.indexOf(0); chunk >= 0; ) {
    const equal = isEqual.indexOf(1, chunk);
    const end = equal < 0 ? isEqual.length : equal;
    to.set(from.subarray(chunk * size, end * size), chunk * size);
    chunk = isEqual.indexOf(0, end);
  }
}
