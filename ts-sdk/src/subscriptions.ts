// Subscriptions: all topics of a session, wanted or being left, by their names and by the numbers they have on the
// present connection.

import { type ErrorName, SyncError } from "./errors.js";
import { decodeStateFrame } from "./frame.js";
import { Recovery } from "./generated/protocol_generated.js";
import type { Limits } from "./limits.js";
import type { ErrorMessage, Subscribed } from "./message.js";
import type { ReuseBytes } from "./patch-context.js";
import { utf8 } from "./platform.js";
import type { SessionEvent } from "./session-output.js";
import type { Snapshot } from "./snapshot.js";
import { makeEmptySnapshot, Subscription } from "./subscription.js";

/** A refused request that may be repeated waits at least this long. */
export const kMinRetryMs = 1_000;
const kMaxTopicNameBytes = 256;

export class Subscriptions {
  readonly #limits: Limits;
  readonly #emit: (event: SessionEvent) => void;
  readonly #byName = new Map<string, Subscription>();
  readonly #byTopic = new Map<number, Subscription>();
  #emptySnapshot: Snapshot | undefined;

  constructor(limits: Limits, emit: (event: SessionEvent) => void) {
    this.#limits = limits;
    this.#emit = emit;
  }

  all(): Iterable<Subscription> {
    return this.#byName.values();
  }

  /** Those with a number on this connection. */
  numbered(): Iterable<readonly [number, Subscription]> {
    return this.#byTopic;
  }

  /** Empty if no topic has this number. */
  nameOf(topic: number): string {
    return this.#byTopic.get(topic)?.name ?? "";
  }

  /** Every wanted topic has its state, or there is none to come. */
  get isSettled(): boolean {
    for (const { isWanted, isSettled } of this.#byName.values()) if (isWanted && !isSettled) return false;
    return true;
  }

  /** The connection is gone. What is held stays. */
  disconnect(): void {
    this.#byTopic.clear();
    for (const subscription of [...this.#byName.values()]) {
      subscription.disconnect();
      if (!subscription.isWanted) this.#byName.delete(subscription.name);
    }
  }

  /** Nothing happens if it is wanted already. Throws kUnknownTopic for a name that no server takes. */
  subscribe(name: string, priority: number, reuseBytes: ReuseBytes): void {
    const nameBytes = utf8(name).length;
    if (nameBytes === 0 || nameBytes > kMaxTopicNameBytes) {
      throw new SyncError("kUnknownTopic", `a topic's name has 1 to ${kMaxTopicNameBytes} bytes`, {
        topic: name,
      });
    }
    const subscription = this.#byName.get(name);
    if (subscription === undefined) {
      this.#byName.set(name, new Subscription(name, priority, this.#limits, reuseBytes));
      return;
    }
    // One that is being left is requested again once the server has answered.
    subscription.isWanted = true;
  }

  /** Wants a topic no longer and forgets what is held of it. */
  unsubscribe(name: string): void {
    const subscription = this.#byName.get(name);
    if (subscription === undefined) return;
    subscription.isWanted = false;
    subscription.held = undefined;
    if (subscription.phase.phase === "idle") this.#byName.delete(name);
    if (subscription.phase.phase === "subscribed") leave(subscription, subscription.phase.topic);
  }

  // --- From the server -------------------------------------------------------------------------------------

  /**
   * A state frame. Throws kMalformed for one that no server sends; otherwise returns why the connection must end, if it
   * must: the state cannot be brought into step.
   */
  handleFrame(bytes: Uint8Array): SyncError | undefined {
    const frame = decodeStateFrame(bytes);
    // Frames of a topic that was left may still be under way.
    const subscription = this.#byTopic.get(frame.topic);
    if (subscription === undefined) return undefined;
    const { name } = subscription;
    this.#emptySnapshot ??= makeEmptySnapshot();
    const result = subscription.handleFrame(frame, bytes.length, this.#emptySnapshot);
    switch (result.outcome) {
      case "none":
        return undefined;
      case "updated":
        this.#emit({ type: "updated", name, held: result.held, update: result.update });
        return undefined;
      case "resync": {
        const error = withTopic(result.error, name);
        this.#emit({ type: "resyncing", name, error });
        return subscription.resyncsInRow > this.#limits.maxResyncsInRow ? error : undefined;
      }
      case "refused":
        this.#emit({ type: "topicEnded", name, error: withTopic(result.error, name) });
        this.unsubscribe(name);
        return undefined;
      default:
        result satisfies never;
        return undefined;
    }
  }

  /** Throws kUnexpectedMessage. */
  handleSubscribed(message: Subscribed): void {
    const subscription = this.#byName.get(message.name);
    const holder = this.#byTopic.get(message.topic);
    if (subscription === undefined || subscription.phase.phase === "idle") {
      throw new SyncError("kUnexpectedMessage", "Subscribed for a topic that was not asked for");
    }
    if (holder !== undefined && holder !== subscription) {
      throw new SyncError("kUnexpectedMessage", "Subscribed with the number of another topic");
    }
    const { phase } = subscription;
    if (phase.phase !== "requested") this.#byTopic.delete(phase.topic);
    this.#byTopic.set(message.topic, subscription);
    if (phase.phase === "leaving") {
      if (phase.topic !== message.topic) leave(subscription, message.topic);
      return;
    }
    if (subscription.isWanted) subscription.bind(message);
    else leave(subscription, message.topic);
  }

  /** Throws kUnexpectedMessage. */
  handleUnsubscribed(topic: number, code: ErrorName): void {
    const subscription = this.#byTopic.get(topic);
    if (subscription === undefined) throw new SyncError("kUnexpectedMessage", "Unsubscribed from nothing");
    this.#byTopic.delete(topic);
    const wasLeaving = subscription.phase.phase === "leaving";
    subscription.disconnect();
    // Wanted again meanwhile: it is requested anew.
    if (subscription.isWanted && !wasLeaving) {
      const { name } = subscription;
      this.#end(subscription, new SyncError(code, "the server ended the subscription", { topic: name }));
    }
    if (!subscription.isWanted) this.#byName.delete(subscription.name);
  }

  /** An Error message, about a topic or not; `error` is what it says. */
  handleError(nowMs: number, message: ErrorMessage, error: SyncError): void {
    const { code, topic, retryAfterMs } = message;
    const subscription = this.#byName.get(topic);
    if (subscription?.phase.phase !== "requested") {
      // An Unsubscribe that crossed the end of the topic.
      if (code !== "kNotSubscribed") this.#emit({ type: "error", error });
      return;
    }
    subscription.disconnect();
    if (!subscription.isWanted) {
      this.#byName.delete(topic);
    } else if (message.recovery === Recovery.kRetryable) {
      subscription.retryAtMs = nowMs + Math.max(retryAfterMs, kMinRetryMs);
      this.#emit({ type: "error", error });
    } else {
      this.#end(subscription, error);
    }
  }

  #end(subscription: Subscription, error: SyncError): void {
    this.#byName.delete(subscription.name);
    this.#emit({ type: "topicEnded", name: subscription.name, error });
  }
}

function leave(subscription: Subscription, topic: number): void {
  subscription.disconnect();
  subscription.phase = { phase: "leaving", topic, isSent: false };
}

function withTopic(error: SyncError, topic: string): SyncError {
  return new SyncError(error.code, error.detail, { topic, cause: error.cause });
}
