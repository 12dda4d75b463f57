// Store: a value and who wants to know when it changes. Framework-free; fits React's useSyncExternalStore unchanged.

import type { ReadableStore, RemoveListener } from "./types.js";

export class Store<T> implements ReadableStore<T> {
  #value: T;
  readonly #listeners = new Set<{ readonly call: () => void }>();
  readonly #report: (error: unknown) => void;

  /** `report` gets what a listener throws; it must not throw itself. */
  constructor(value: T, report: (error: unknown) => void) {
    this.#value = value;
    this.#report = report;
  }

  // Arrow functions, so that they can be handed on without the store.
  readonly getSnapshot = (): T => this.#value;

  readonly subscribe = (listener: () => void): RemoveListener => {
    // Wrapped, so that the same function added twice is two listeners with a removal each.
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  };

  /** Replaces the value and calls the listeners, unless it is the same one. */
  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    // A copy: a listener may add or remove others, which counts from the next change on.
    for (const entry of [...this.#listeners]) {
      if (!this.#listeners.has(entry)) continue;
      try {
        entry.call();
      } catch (error) {
        this.#report(error);
      }
    }
  }
}
