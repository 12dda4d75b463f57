// PatchContext: what a receiver of a row of patches has learnt, so that the next one need not say it.

import type { Context } from "./codec/context.js";
import { WriteLog } from "./codec/write-log.js";
import type { Snapshot } from "./snapshot.js";

export interface PatchContextOptions {
  /**
   * Whether applyPatch() may write its result over the bytes of the baseline, or of one before, instead of to new
   * memory: faster, the more the larger the snapshot. Earlier snapshots are then of no more use, whoever holds them.
   * After an error the baseline is as it was. Default: false.
   */
  readonly reuseBytes?: boolean;
}

/**
 * One for each topic at its receiver, handed to applyPatch() with every patch, in the order in which they were made:
 * which tables there are, how each column changes, by how much it did last time. Who missed one patch cannot read the
 * next, until the sender begins anew. Memory: a few times that of what changes in a step, at most some times that of the
 * snapshot.
 */
export class PatchContext {
  readonly reusesBytes: boolean;
  /** For applyPatch(). */
  readonly log = new WriteLog();
  #context: Context | undefined;
  #at = 0n;
  /** Bytes of a snapshot that is no more. */
  #spare: Uint8Array | undefined;
  /** Memory that was made here, of which snapshots may have only the first part. */
  readonly #made = new WeakSet<ArrayBufferLike>();

  constructor(options: PatchContextOptions = {}) {
    this.reusesBytes = options.reuseBytes ?? false;
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

  /** For applyPatch(): takes out what is known. */
  release(): Context | undefined {
    const context = this.#context;
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
    const spare = this.#spare;
    this.#spare = undefined;
    if (!this.reusesBytes) return new Uint8Array(size);
    if (spare !== undefined) {
      const whole = this.#made.has(spare.buffer) ? new Uint8Array(spare.buffer) : spare;
      if (whole.length >= size) return whole.subarray(0, size);
    }
    // Snapshots that grow a little find room.
    const bytes = new Uint8Array(size + (size >>> 3));
    this.#made.add(bytes.buffer);
    return bytes.subarray(0, size);
  }
  /** For applyPatch(): nobody needs these bytes any more. */
  giveBack(bytes: Uint8Array): void {
    if (this.reusesBytes) this.#spare = bytes;
  }
}
