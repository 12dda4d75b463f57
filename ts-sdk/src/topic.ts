// TopicStore: what a client keeps for one topic of the application.

import { Store } from "./store.js";
import type { Held } from "./subscription.js";
import type { RemoveListener, Topic, TopicReader, TopicSnapshot, UpdateInfo } from "./types.js";

/** What a topic needs of its client. */
export interface TopicOwner {
  readonly report: (error: unknown) => void;
  readonly close: (topic: AnyTopic) => void;
}

/** What the client needs of a topic, whatever its value. */
export interface AnyTopic {
  readonly name: string;
  update(held: Held, update: UpdateInfo, receivedAtMs: number): void;
}

/** The current snapshot of a topic, undefined until the first has arrived. */
export class TopicStore<T> implements Topic<T>, AnyTopic {
  readonly name: string;
  readonly subscribe: (listener: () => void) => RemoveListener;
  readonly getSnapshot: () => TopicSnapshot<T> | undefined;
  readonly #store: Store<TopicSnapshot<T> | undefined>;
  readonly #read: TopicReader<T>;
  readonly #owner: TopicOwner;

  constructor(name: string, read: TopicReader<T>, owner: TopicOwner) {
    this.name = name;
    this.#read = read;
    this.#owner = owner;
    this.#store = new Store<TopicSnapshot<T> | undefined>(undefined, owner.report);
    this.subscribe = this.#store.subscribe;
    this.getSnapshot = this.#store.getSnapshot;
  }

  readonly close = (): void => this.#owner.close(this);

  update(held: Held, update: UpdateInfo, receivedAtMs: number): void {
    const { epoch, version, snapshot } = held;
    const { bytes, digest } = snapshot;
    let value: T;
    try {
      value = this.#read(bytes);
    } catch (error) {
      this.#owner.report(error);
      return;
    }
    this.#store.set({ value, bytes, epoch, version, digest, receivedAtMs, update });
  }
}
