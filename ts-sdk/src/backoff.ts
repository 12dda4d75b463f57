// When to connect again. Full jitter after Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015;
// the rules are those of docs/PROTOCOL.md section 5.

export interface BackoffOptions {
  /** Scale of the first wait, ms. Default 500. */
  readonly minMs?: number | undefined;
  /** No wait is longer, save where the server asks for it, ms. Default 20,000. */
  readonly maxMs?: number | undefined;
}

/** A connection that was live for this long clears the failures before it. */
export const kStableMs = 5_000;

const kDefaultMinMs = 500;
const kDefaultMaxMs = 20_000;

export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #failures = 0;

  /** `random`: uniform in [0, 1). */
  constructor(options: BackoffOptions, random: () => number) {
    this.#minMs = options.minMs ?? kDefaultMinMs;
    this.#maxMs = options.maxMs ?? kDefaultMaxMs;
    this.#random = random;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  reset(): void {
    this.#failures = 0;
  }

  /**
   * A connection ended or did not come about: how long to wait, ms. A connection that was live for `liveMs` of at least
   * kStableMs is not a failure; its successor comes at random within `reconnectWindowMs`, so that the clients of a
   * restarted server do not come all at once. Never less than `retryAfterMs`.
   */
  nextDelayMs(ended: { liveMs: number; reconnectWindowMs: number; retryAfterMs: number }): number {
    let rangeMs: number;
    if (ended.liveMs >= kStableMs) {
      this.#failures = 0;
      rangeMs = ended.reconnectWindowMs;
    } else {
      this.#failures += 1;
      rangeMs = Math.min(this.#maxMs, this.#minMs * 2 ** this.#failures);
    }
    return ended.retryAfterMs + this.#random() * rangeMs;
  }
}
