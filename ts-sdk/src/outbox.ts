// Outbox: which message a live client sends next, and when. Messages are not queued: what is to be said is read off the
// state at the moment it can be sent, so whatever the application does, there is little to hold and nothing out of date.

import type { OutgoingAction } from "./action-queue.js";
import type { ServerLimits } from "./limits.js";
import { type ClientMessage, kEnvelopeBytes, type NumberedVersion } from "./message.js";
import { encodeMessage } from "./message-writer.js";
import type { Subscription } from "./subscription.js";
import type { Subscriptions } from "./subscriptions.js";
import { TokenBucket } from "./token-bucket.js";

const kAckIntervalMs = 1_000;
const kAckBytes = 64 * 1024;
/** Part of the announced message rate that is used: on the way, messages bunch up. */
const kRateMargin = 0.8;
/** Messages remembered so that they can be repeated if the server drops them for their rate. */
const kMaxRepeatable = 64;

/** Where the actions come from; `window`: how many may be sent and not confirmed. */
export interface ActionSource {
  /** All actions up to this sequence have ended, durably; said with the next action or ack. */
  readonly confirmed: bigint;
  canSend(nowMs: number, window: number): boolean;
  /** The next action, which counts as sent. */
  next(nowMs: number, window: number, maxPayloadBytes: number): OutgoingAction | undefined;
  /** When there may be one although there is none now. */
  nextAtMs(nowMs: number, window: number): number;
}

export class Outbox {
  readonly #subscriptions: Subscriptions;
  readonly #actions: ActionSource;

  /** Sequence of the last control message received, for acks. */
  receivedSequence = 0n;
  /** sent_ms of the server's latest heartbeat that is to be answered. */
  echoDue: bigint | undefined;
  /** The server is to be asked whether it is there. */
  isHeartbeatDue = false;
  /** Bytes of state received since the last ack. */
  bytesSinceAck = 0;
  /** To be sent in place of the present one. */
  tokenDue: string | undefined;
  #toldConfirmed = 0n;
  #bucket = new TokenBucket(1, 1, 0);
  #maxActionsInFlight = 0;
  #maxMessageBytes = 0;
  #sentSequence = 0n;
  #lastAckMs = 0;
  #blockedUntilMs = 0;
  #askedMs: bigint | undefined;
  readonly #repeatable = new Map<bigint, () => void>();

  /** Both stay the session's. */
  constructor(subscriptions: Subscriptions, actions: ActionSource) {
    this.#subscriptions = subscriptions;
    this.#actions = actions;
  }

  /** A new connection begins; Hello tells what is confirmed. */
  reset(confirmedAction: bigint): void {
    this.receivedSequence = 0n;
    this.echoDue = undefined;
    this.isHeartbeatDue = false;
    this.bytesSinceAck = 0;
    this.tokenDue = undefined;
    this.#toldConfirmed = confirmedAction;
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
    atMs = Math.min(atMs, this.#actions.nextAtMs(nowMs, this.#maxActionsInFlight));
    for (const { phase, isWanted, retryAtMs } of this.#subscriptions.all()) {
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
      this.#takeToken() ??
      this.#takeStateRequest() ??
      this.#takeUnsubscribe() ??
      this.#takeSubscribe(nowMs) ??
      this.#takeAck(nowMs) ??
      this.#takeAction(nowMs);
    return message && this.encode(message);
  }

  /** Whether `take` would find something, so that no token is taken in vain. */
  #hasMessage(nowMs: number): boolean {
    if (this.echoDue !== undefined || this.isHeartbeatDue || this.#ackDueMs() <= nowMs) return true;
    if (this.tokenDue !== undefined || this.#actions.canSend(nowMs, this.#maxActionsInFlight)) return true;
    for (const subscription of this.#subscriptions.all()) {
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

  #takeToken(): ClientMessage | undefined {
    const token = this.tokenDue;
    if (token === undefined) return undefined;
    this.tokenDue = undefined;
    this.#rememberRepeatable(() => {
      this.tokenDue ??= token;
    });
    return { type: "refreshToken", token };
  }

  #takeStateRequest(): ClientMessage | undefined {
    for (const subscription of this.#subscriptions.all()) {
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
    for (const { phase } of this.#subscriptions.all()) {
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
    const requested = [...this.#subscriptions.all()].filter((s) => isToRequest(s, nowMs));
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
    for (const [topic, subscription] of this.#subscriptions.numbered()) {
      const { held } = subscription;
      if (subscription.isAckDue && held !== undefined) {
        versions.push({ topic, epoch: held.epoch, version: held.version });
      }
      subscription.isAckDue = false;
    }
    this.#lastAckMs = nowMs;
    this.bytesSinceAck = 0;
    const { receivedSequence } = this;
    const confirmedAction = this.#actions.confirmed;
    this.#toldConfirmed = confirmedAction;
    return { type: "ack", versions, receivedSequence, confirmedAction };
  }

  #takeAction(nowMs: number): ClientMessage | undefined {
    const maxPayloadBytes = this.#maxMessageBytes - kEnvelopeBytes;
    const action = this.#actions.next(nowMs, this.#maxActionsInFlight, maxPayloadBytes);
    if (action === undefined) return undefined;
    const { sequence, payload, isWithdrawn } = action;
    const confirmedAction = this.#actions.confirmed;
    this.#toldConfirmed = confirmedAction;
    return { type: "action", actionSequence: sequence, payload, confirmedAction, isWithdrawn };
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
    const nToTell = this.#actions.confirmed - this.#toldConfirmed;
    let isDue = nToTell > 0n;
    for (const [, subscription] of this.#subscriptions.numbered()) isDue ||= subscription.isAckDue;
    if (!isDue) return Number.POSITIVE_INFINITY;
    // Results that wait for this keep the server from executing more.
    const isUrgent = this.bytesSinceAck >= kAckBytes || 2n * nToTell >= BigInt(this.#maxActionsInFlight);
    return isUrgent ? 0 : this.#lastAckMs + kAckIntervalMs;
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
