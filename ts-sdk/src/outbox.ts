// Outbox: which message a live client sends next, and when. Messages are not queued: what is to be said is read off the
// state at the moment it can be sent, so whatever the application does, there is little to hold and nothing out of date.

import type { ActionQueue } from "./action-queue.js";
import type { ServerLimits } from "./limits.js";
import { type ClientMessage, encodeMessage, kEnvelopeBytes, type NumberedVersion } from "./message.js";
import type { Subscription } from "./subscription.js";
import { TokenBucket } from "./token-bucket.js";

const kAckIntervalMs = 1_000;
const kAckBytes = 64 * 1024;
/** Part of the announced message rate that is used: on the way, messages bunch up. */
const kRateMargin = 0.8;
/** Messages remembered so that they can be repeated if the server drops them for their rate. */
const kMaxRepeatable = 64;

export class Outbox {
  readonly #subscriptions: ReadonlyMap<string, Subscription>;
  readonly #byTopic: ReadonlyMap<number, Subscription>;
  readonly #actions: ActionQueue;

  /** Sequence of the last control message received, for acks. */
  receivedSequence = 0n;
  /** sent_ms of the server's latest heartbeat that is to be answered. */
  echoDue: bigint | undefined;
  /** The server is to be asked whether it is there. */
  isHeartbeatDue = false;
  /** Bytes of state received since the last ack. */
  bytesSinceAck = 0;
  #bucket = new TokenBucket(1, 1, 0);
  #maxActionsInFlight = 0;
  #maxMessageBytes = 0;
  #sentSequence = 0n;
  #lastAckMs = 0;
  #blockedUntilMs = 0;
  #askedMs: bigint | undefined;
  readonly #repeatable = new Map<bigint, () => void>();

  /** Both maps and the queue stay the session's. `byTopic` holds what has a number on this connection. */
  constructor(
    subscriptions: ReadonlyMap<string, Subscription>,
    byTopic: ReadonlyMap<number, Subscription>,
    actions: ActionQueue,
  ) {
    this.#subscriptions = subscriptions;
    this.#byTopic = byTopic;
    this.#actions = actions;
  }

  /** A new connection begins. */
  reset(): void {
    this.receivedSequence = 0n;
    this.echoDue = undefined;
    this.isHeartbeatDue = false;
    this.bytesSinceAck = 0;
    this.#sentSequence = 0n;
    this.#lastAckMs = Number.NEGATIVE_INFINITY;
    this.#blockedUntilMs = 0;
    this.#askedMs = undefined;
    this.#repeatable.clear();
  }

  /** Keeps to what the server announced from here on. */
  keepTo(limits: ServerLimits, nowMs: number): void {
    const { messagesPerSecond, messagesBurst, maxActionsInFlight, maxMessageBytes } = limits;
    this.#maxActionsInFlight = maxActionsInFlight;
    this.#maxMessageBytes = maxMessageBytes;
    this.#bucket = new TokenBucket(
      Math.max(messagesPerSecond * kRateMargin, 0.1),
      Math.max(Math.floor(messagesBurst * kRateMargin) - 1, 1),
      nowMs,
    );
  }

  /** The server asks for silence until then. */
  block(untilMs: number): void {
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
  }

  /** The server dropped the message of this sequence: what it said becomes due again. */
  repeat(sequence: bigint): void {
    this.#repeatable.get(sequence)?.();
    this.#repeatable.delete(sequence);
  }

  /** Whether this echoes our latest heartbeat, which it does once. */
  takeEcho(echoMs: bigint): boolean {
    if (echoMs !== this.#askedMs) return false;
    this.#askedMs = undefined;
    return true;
  }

  /** When the next message becomes due or may be sent; Infinity if there is none. To be asked after `take`. */
  nextAtMs(nowMs: number): number {
    let atMs = Number.POSITIVE_INFINITY;
    // With something to send, `take` gave nothing only because the rate does not allow it yet.
    if (this.#hasMessage(nowMs)) atMs = Math.max(this.#bucket.readyAtMs(nowMs), this.#blockedUntilMs);
    const ackDueMs = this.#ackDueMs();
    if (ackDueMs > nowMs) atMs = Math.min(atMs, ackDueMs);
    for (const { phase, isWanted, retryAtMs } of this.#subscriptions.values()) {
      if (isWanted && phase.phase === "idle" && retryAtMs > nowMs) atMs = Math.min(atMs, retryAtMs);
    }
    return atMs;
  }

  /** The most urgent message that the rate allows now. */
  take(nowMs: number): Uint8Array | undefined {
    if (!this.#hasMessage(nowMs) || nowMs < this.#blockedUntilMs || !this.#bucket.take(nowMs))
      return undefined;
    const message =
      this.#takeHeartbeat(nowMs) ??
      this.#takeStateRequest() ??
      this.#takeUnsubscribe() ??
      this.#takeSubscribe(nowMs) ??
      this.#takeAck(nowMs) ??
      this.#takeAction();
    return message && this.encode(message);
  }

  /** Whether `take` would find something, so that no token is taken in vain. */
  #hasMessage(nowMs: number): boolean {
    if (this.echoDue !== undefined || this.isHeartbeatDue || this.#ackDueMs() <= nowMs) return true;
    if (this.#actions.canSend(this.#maxActionsInFlight)) return true;
    for (const subscription of this.#subscriptions.values()) {
      if (isToAskState(subscription) || isToLeave(subscription) || isToRequest(subscription, nowMs))
        return true;
    }
    return false;
  }

  #takeHeartbeat(nowMs: number): ClientMessage | undefined {
    const sentMs = BigInt(Math.max(1, Math.floor(nowMs)));
    if (this.echoDue !== undefined) {
      const echoMs = this.echoDue;
      this.echoDue = undefined;
      return { type: "heartbeat", sentMs, echoMs };
    }
    if (!this.isHeartbeatDue) return undefined;
    this.isHeartbeatDue = false;
    this.#askedMs = sentMs;
    return { type: "heartbeat", sentMs, echoMs: 0n };
  }

  #takeStateRequest(): ClientMessage | undefined {
    for (const subscription of this.#subscriptions.values()) {
      const { phase, stateRequest } = subscription;
      if (stateRequest === undefined || phase.phase !== "subscribed") continue;
      const chunks = subscription.takeStateRequest(this.#maxMessageBytes - kEnvelopeBytes);
      this.#rememberRepeatable(() => {
        if (subscription.phase === phase && subscription.isResyncing)
          subscription.stateRequest = stateRequest;
      });
      return { type: "getState", topic: phase.topic, cause: stateRequest.cause, chunks };
    }
    return undefined;
  }

  #takeUnsubscribe(): ClientMessage | undefined {
    const topics: number[] = [];
    for (const { phase } of this.#subscriptions.values()) {
      if (phase.phase !== "leaving" || phase.isSent) continue;
      phase.isSent = true;
      topics.push(phase.topic);
      this.#rememberRepeatable(() => {
        phase.isSent = false;
      });
    }
    return topics.length === 0 ? undefined : { type: "unsubscribe", topics };
  }

  #takeSubscribe(nowMs: number): ClientMessage | undefined {
    const requested = [...this.#subscriptions.values()].filter((s) => isToRequest(s, nowMs));
    if (requested.length === 0) return undefined;
    for (const subscription of requested) {
      const phase = { phase: "requested", isHolding: subscription.held !== undefined } as const;
      subscription.phase = phase;
      this.#rememberRepeatable(() => {
        if (subscription.phase === phase) subscription.phase = { phase: "idle" };
      });
    }
    const topics = requested.map((s) => ({ name: s.name, priority: s.priority, have: s.position() }));
    return { type: "subscribe", topics };
  }

  #takeAck(nowMs: number): ClientMessage | undefined {
    if (this.#ackDueMs() > nowMs) return undefined;
    const versions: NumberedVersion[] = [];
    for (const [topic, subscription] of this.#byTopic) {
      const { held } = subscription;
      if (subscription.isAckDue && held !== undefined) {
        versions.push({ topic, epoch: held.epoch, version: held.version });
      }
      subscription.isAckDue = false;
    }
    this.#lastAckMs = nowMs;
    this.bytesSinceAck = 0;
    return { type: "ack", versions, receivedSequence: this.receivedSequence };
  }

  #takeAction(): ClientMessage | undefined {
    if (!this.#actions.canSend(this.#maxActionsInFlight)) return undefined;
    const taken = this.#actions.take();
    return taken && { type: "action", actionSequence: taken.sequence, payload: taken.action.payload };
  }

  /** Gives the message its sequence and writes it; out of turn, whatever the rate says. */
  encode(message: ClientMessage): Uint8Array {
    this.#sentSequence += 1n;
    return encodeMessage(this.#sentSequence, message);
  }

  /** Remembers how to repeat a part of the message that is about to be encoded. */
  #rememberRepeatable(repeat: () => void): void {
    const sequence = this.#sentSequence + 1n;
    const before = this.#repeatable.get(sequence);
    this.#repeatable.set(sequence, () => {
      before?.();
      repeat();
    });
    if (this.#repeatable.size <= kMaxRepeatable) return;
    for (const oldest of this.#repeatable.keys()) {
      this.#repeatable.delete(oldest);
      break;
    }
  }

  #ackDueMs(): number {
    let isDue = false;
    for (const subscription of this.#byTopic.values()) isDue ||= subscription.isAckDue;
    if (!isDue) return Number.POSITIVE_INFINITY;
    return this.bytesSinceAck >= kAckBytes ? 0 : this.#lastAckMs + kAckIntervalMs;
  }
}

function isToRequest(subscription: Subscription, nowMs: number): boolean {
  return subscription.isWanted && subscription.phase.phase === "idle" && subscription.retryAtMs <= nowMs;
}

function isToAskState({ phase, stateRequest }: Subscription): boolean {
  return phase.phase === "subscribed" && stateRequest !== undefined;
}

function isToLeave({ phase }: Subscription): boolean {
  return phase.phase === "leaving" && !phase.isSent;
}
