// Alarms: several things that are due at some time, with one timer of the platform.

import type { Timers } from "./platform.js";

/** Longer timers run out at once in every platform. */
const kMaxTimerMs = 0x7fff_ffff;

export class Alarms<Kind extends string> {
  readonly #timers: Timers;
  readonly #onDue: (kind: Kind) => void;
  readonly #atMs = new Map<Kind, number>();
  #timer: unknown;
  #timerAtMs = Number.POSITIVE_INFINITY;

  /** `onDue`: a thing is due; it will not be again unless it is set. */
  constructor(timers: Timers, onDue: (kind: Kind) => void) {
    this.#timers = timers;
    this.#onDue = onDue;
  }

  /** Infinity: never. */
  set(kind: Kind, atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) this.#atMs.delete(kind);
    else this.#atMs.set(kind, atMs);
    this.#arm();
  }

  /** Nothing is due any more. */
  clear(): void {
    this.#atMs.clear();
    this.#arm();
  }

  #arm(): void {
    const atMs = Math.min(...this.#atMs.values());
    if (atMs === this.#timerAtMs) return;
    if (this.#timer !== undefined) this.#timers.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, Math.ceil(atMs - this.#timers.now()));
    this.#timer = this.#timers.setTimeout(() => this.#ring(), Math.min(delayMs, kMaxTimerMs));
  }

  #ring(): void {
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#timers.now();
    for (const kind of [...this.#atMs.keys()]) {
      // One that was due may have changed another.
      const atMs = this.#atMs.get(kind);
      if (atMs === undefined || atMs > nowMs) continue;
      this.#atMs.delete(kind);
      this.#onDue(kind);
    }
    this.#arm();
  }
}
