// SentAction: what the application has in hand of an action, from `act` until the action has ended durably.

import type { SyncError } from "./errors.js";
import type { ActionResult, SentAction } from "./types.js";

class Deferred<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => undefined;
  reject: (error: SyncError) => void = () => undefined;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Who looks at one of the promises only must not end its process with another.
    this.promise.catch(() => undefined);
  }
}

/** The client's end of a SentAction. Each promise takes what comes first. */
export class ActionPromises implements SentAction {
  id: bigint | undefined;
  readonly #stored = new Deferred<void>();
  readonly #result = new Deferred<ActionResult>();
  readonly #durable = new Deferred<void>();

  get stored(): Promise<void> {
    return this.#stored.promise;
  }

  get result(): Promise<ActionResult> {
    return this.#result.promise;
  }

  get durable(): Promise<void> {
    return this.#durable.promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: `await client.act(payload)` is to give the result.
  then<A = ActionResult, B = never>(
    onResult?: ((result: ActionResult) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result.then(onResult, onError);
  }

  confirmStored(id: bigint): void {
    this.id = id;
    this.#stored.resolve();
  }

  answer(result: ActionResult): void {
    this.#result.resolve(result);
  }

  end(): void {
    this.#durable.resolve();
  }

  lose(error: SyncError): void {
    this.#stored.reject(error);
    this.#result.reject(error);
    this.#durable.reject(error);
  }
}
