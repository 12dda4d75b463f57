// PatchContext: what a receiver of a row of patches has learnt, so that the next one need not say it.

import type { Context } from "./codec/context.js";
import type { Snapshot } from "./snapshot.js";

/**
 * One for each topic at its receiver, handed to applyPatch() with every patch, in the order in which they were made:
 * which tables there are, how each column changes, by how much it did last time. Who missed one patch cannot read the
 * next, until the sender begins anew. Memory: a few times that of what changes in a step, at most some times that of the
 * snapshot.
 */
export class PatchContext {
  #context: Context | undefined;
  #at = 0n;

  /** Whether a patch from this baseline may continue it. */
  isAt(baseline: Snapshot): boolean {
    return this.#context !== undefined && this.#at === baseline.digest;
  }

  /** The next patch has to stand alone. */
  close(): void {
    this.#context = undefined;
  }

  /** For applyPatch(): takes out what is known, and closes it. */
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
}
