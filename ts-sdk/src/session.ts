// ClientSession: the client's end of the protocol, without I/O. States, timers and rules: docs/PROTOCOL.md.
// libsync/client_session.h is its twin, save that this one outlives its connections.
//
// Feed it with handleOpen, handleFrame, handleTimeout, handleClosed and the application's verbs; after each call
// pollOutput until it returns a deadline. Times are milliseconds of one clock that never runs backwards.
// Requires: initHash() has resolved before the first frame.

import { ActionQueue } from "./action-queue.js";
import { closeCodeOf, type ErrorName, errorNumber, errorOfClose, mayReconnect, SyncError } from "./errors.js";
import { classifyMessage, decodeStateFrame } from "./frame.js";
import { ActionStatus, CloseCode, Recovery } from "./generated/protocol_generated.js";
import { kDefaultLimits, kDefaultServerLimits, type Limits, type ServerLimits } from "./limits.js";
import {
  type ActionAnswer,
  type ClientMessage,
  type Disconnect,
  decodeMessage,
  type ErrorMessage,
  encodeMessage,
  type Id128,
  type NumberedVersion,
  type ServerMessage,
  type Subscribed,
  type Welcome,
} from "./message.js";
import { utf8Length } from "./platform.js";
import type { Output, SessionEvent } from "./session-output.js";
import type { Snapshot } from "./snapshot.js";
import { makeEmptySnapshot, Subscription } from "./subscription.js";
import { TokenBucket } from "./token-bucket.js";
import type { ActionResult } from "./types.js";

const kProtocolVersion = 1;
const kPatchFormat = 1;
const kAckIntervalMs = 1_000;
const kAckBytes = 64 * 1024;
/** A refused request that may be repeated waits at least this long. */
const kMinRetryMs = 1_000;
/** Part of the announced message rate that is used: on the way, messages bunch up. */
const kRateMargin = 0.8;
/** Room for the envelope around an action's payload. */
const kActionOverheadBytes = 128;
/** Messages remembered so that they can be repeated if the server drops them for their rate. */
const kMaxRepeatable = 64;
const kMaxTopicNameBytes = 256;

export interface SessionConfig {
  /** 128 random bits, a new value at each call. */
  readonly makeInstance: () => Id128;
  /** XXH3-64 of the binary schema of the game; 0n: not checked. */
  readonly schemaFingerprint: bigint;
  /** Name and version, for the server's logs. */
  readonly sdk: string;
  readonly limits: Limits;
}

type State = "closed" | "waiting" | "live" | "closing";

interface Ending {
  readonly error: SyncError;
  readonly reconnect: boolean;
  readonly retryAfterMs: number;
}

export class ClientSession {
  readonly #config: SessionConfig;
  readonly #limits: Limits;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #byTopic = new Map<number, Subscription>();
  readonly #actions: ActionQueue;

  #state: State = "closed";
  #instance: Id128;
  #isNewInstance = true;
  #serverLimits: ServerLimits = kDefaultServerLimits;
  #bucket: TokenBucket;
  #sentSequence = 0n;
  #receivedSequence = 0n;
  #openedAtMs = 0;
  #lastReceivedMs = 0;
  #lastAckMs = 0;
  #bytesSinceAck = 0;
  #blockedUntilMs = 0;
  #isSettled = false;
  /** The server was asked whether it is there, since it was last heard. */
  #hasAsked = false;
  #heartbeatDue = false;
  /** sent_ms of our own heartbeat that is to be answered. */
  #askedMs: bigint | undefined;
  /** sent_ms of the server's latest heartbeat that is to be answered. */
  #echoDue: bigint | undefined;
  readonly #repeatable = new Map<bigint, () => void>();
  #emptySnapshot: Snapshot | undefined;
  #outputs: Output[] = [];
  #ending: Ending | undefined;

  constructor(config: Omit<SessionConfig, "limits"> & { readonly limits?: Partial<Limits> }) {
    this.#limits = { ...kDefaultLimits, ...config.limits };
    this.#config = { ...config, limits: this.#limits };
    this.#actions = new ActionQueue(this.#limits);
    this.#instance = config.makeInstance();
    this.#bucket = new TokenBucket(1, 1, 0);
  }

  /** Whether there is a connection that handleClosed has not reported. */
  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  // --- From the connection ---------------------------------------------------------------------------------

  /** A connection is open. Requires: the one before was reported closed. */
  handleOpen(nowMs: number): void {
    if (this.#state !== "closed") throw new Error("handleOpen: the connection before is not closed");
    this.#state = "waiting";
    this.#sentSequence = 0n;
    this.#receivedSequence = 0n;
    this.#openedAtMs = nowMs;
    this.#lastReceivedMs = nowMs;
    this.#lastAckMs = Number.NEGATIVE_INFINITY;
    this.#bytesSinceAck = 0;
    this.#blockedUntilMs = 0;
    this.#isSettled = false;
    this.#hasAsked = false;
    this.#heartbeatDue = false;
    this.#echoDue = undefined;
    this.#repeatable.clear();
    this.#ending = undefined;
    this.#serverLimits = kDefaultServerLimits;
    // "New" means made for this connection: until the server has answered once, each attempt has its own.
    if (this.#isNewInstance) this.#instance = this.#config.makeInstance();
    this.#transmit({
      type: "hello",
      protocolMin: kProtocolVersion,
      protocolMax: kProtocolVersion,
      patchFormatMax: kPatchFormat,
      instance: this.#instance,
      isNew: this.#isNewInstance,
      schemaFingerprint: this.#config.schemaFingerprint,
      sdk: this.#config.sdk,
      maxSnapshotBytes: this.#limits.maxSnapshotBytes,
    });
  }

  /** One binary message. Never throws: what is wrong with it ends the connection. */
  handleFrame(nowMs: number, bytes: Uint8Array): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    this.#lastReceivedMs = nowMs;
    this.#hasAsked = false;
    this.#heartbeatDue = false;
    try {
      if (classifyMessage(bytes) === "state") this.#handleState(bytes);
      else this.#handleControl(nowMs, bytes);
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      this.#fail(error);
    }
  }

  /** A text message: the protocol has none, so something else is at the other end, or it reports an error. */
  handleText(text: string): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
    this.#fail(new SyncError("kTextFrame", `the server sent text, is this a libsync endpoint? ${shown}`));
  }

  handleTimeout(nowMs: number): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#serverLimits;
    const silenceMs = nowMs - this.#lastReceivedMs;
    if (silenceMs >= heartbeatIntervalMs + heartbeatTimeoutMs) {
      this.#fail(new SyncError("kHeartbeatTimeout", `the server was silent for ${silenceMs} ms`));
    } else if (this.#state === "live" && !this.#hasAsked && silenceMs >= heartbeatIntervalMs) {
      this.#hasAsked = true;
      this.#heartbeatDue = true;
    }
  }

  /** The connection is gone; `code` as the WebSocket reports it. What is held stays. */
  handleClosed(code: number): void {
    if (this.#state === "closed") return;
    const ending = this.#ending ?? {
      error: errorOfClose(code),
      reconnect: mayReconnect(code),
      retryAfterMs: 0,
    };
    this.#state = "closed";
    this.#byTopic.clear();
    this.#outputs = this.#outputs.filter((output) => output.type === "event");
    for (const subscription of [...this.#subscriptions.values()]) {
      subscription.disconnect();
      if (!subscription.isWanted) this.#subscriptions.delete(subscription.name);
    }
    const lost = new SyncError("kConnectionLost", "the connection ended before the result arrived", {
      cause: ending.error,
    });
    for (const { id } of this.#actions.takeInFlight()) {
      this.#emit({ type: "actionFailed", id, error: lost });
    }
    if (!ending.reconnect) this.abandonActions(ending.error);
    this.#emit({ type: "ended", ...ending });
  }

  // --- From the application --------------------------------------------------------------------------------

  /** Wants a topic; `priority` is its weight among this session's, 0 to 255. Nothing happens if it is wanted. */
  subscribe(name: string, priority = 128): void {
    const nameBytes = utf8Length(name);
    if (nameBytes === 0 || nameBytes > kMaxTopicNameBytes) {
      throw new SyncError("kUnknownTopic", `a topic's name has 1 to ${kMaxTopicNameBytes} bytes`, {
        topic: name,
      });
    }
    const subscription = this.#subscriptions.get(name);
    if (subscription === undefined) {
      this.#subscriptions.set(name, new Subscription(name, priority, this.#limits));
      return;
    }
    // One that is being left is requested again once the server has answered.
    subscription.isWanted = true;
  }

  /** Wants a topic no longer and forgets what is held of it. */
  unsubscribe(name: string): void {
    const subscription = this.#subscriptions.get(name);
    if (subscription === undefined) return;
    subscription.isWanted = false;
    subscription.held = undefined;
    if (subscription.phase.phase === "idle") this.#subscriptions.delete(name);
    if (subscription.phase.phase === "subscribed") this.#leave(subscription, subscription.phase.topic);
    this.#checkSettled();
  }

  /**
   * Queues an action for the present connection or, if there is none, the next one; its id comes back with
   * actionFinished or actionFailed. Takes over `payload`. Throws kTooManyActions, kMessageTooBig.
   */
  act(payload: Uint8Array): number {
    this.#checkActionSize(payload);
    return this.#actions.add(payload);
  }

  /** Gives up the actions that were not sent yet. */
  abandonActions(error: SyncError): void {
    for (const { id } of this.#actions.takeWaiting()) this.#emit({ type: "actionFailed", id, error });
  }

  /** Ends the connection on the application's wish. */
  close(error: SyncError, reconnect: boolean): void {
    this.#close(CloseCode.kNormal, error, reconnect);
  }

  // --- To the shell ----------------------------------------------------------------------------------------

  pollOutput(nowMs: number): Output {
    const output = this.#outputs.shift();
    if (output !== undefined) return output;
    if (this.#state === "live") {
      const message = this.#takeMessage(nowMs);
      if (message !== undefined) return { type: "transmit", bytes: this.#encode(message) };
      // Taking a message may have brought something else to light, such as an action that is too big.
      const next = this.#outputs.shift();
      if (next !== undefined) return next;
    }
    return { type: "deadline", atMs: this.#deadline(nowMs) };
  }

  // --- State -----------------------------------------------------------------------------------------------

  #handleState(bytes: Uint8Array): void {
    if (this.#state !== "live") throw new SyncError("kUnexpectedMessage", "state before Welcome");
    const frame = decodeStateFrame(bytes);
    this.#bytesSinceAck += bytes.length;
    // Frames of a topic that was left may still be under way.
    const subscription = this.#byTopic.get(frame.topic);
    if (subscription === undefined) return;
    const { name } = subscription;
    this.#emptySnapshot ??= makeEmptySnapshot();
    const result = subscription.handleFrame(frame, bytes.length, this.#emptySnapshot);
    switch (result.outcome) {
      case "none":
        return;
      case "updated":
        this.#emit({ type: "updated", name, held: result.held, update: result.update });
        this.#checkSettled();
        return;
      case "resync":
        this.#emit({ type: "resyncing", name, error: withTopic(result.error, name) });
        if (subscription.resyncsInRow > this.#limits.maxResyncsInRow) {
          this.#fail(withTopic(result.error, name), CloseCode.kStateInvalid, false);
        }
        return;
      case "refused":
        this.#emit({ type: "topicEnded", name, error: withTopic(result.error, name) });
        this.unsubscribe(name);
        return;
      default:
        result satisfies never;
    }
  }

  // --- Control ---------------------------------------------------------------------------------------------

  #handleControl(nowMs: number, bytes: Uint8Array): void {
    if (bytes.length > this.#limits.maxControlBytes) {
      throw new SyncError("kMessageTooBig", `a control message of ${bytes.length} bytes`);
    }
    const { sequence, message } = decodeMessage(bytes);
    if (sequence !== this.#receivedSequence + 1n) {
      throw new SyncError("kSequenceGap", `message ${sequence} after ${this.#receivedSequence}`);
    }
    this.#receivedSequence = sequence;
    // A server that refuses says why instead of Welcome.
    const isEither = message.type === "error" || message.type === "disconnect";
    if (!isEither && (this.#state === "waiting") !== (message.type === "welcome")) {
      throw new SyncError("kUnexpectedMessage", `${message.type} in state ${this.#state}`);
    }
    this.#handleMessage(nowMs, message);
  }

  #handleMessage(nowMs: number, message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        this.#handleWelcome(nowMs, message);
        return;
      case "subscribed":
        this.#handleSubscribed(message);
        return;
      case "unsubscribed":
        this.#handleUnsubscribed(message.topic, message.code);
        return;
      case "actionResult":
        this.#handleActionResult(message);
        return;
      case "heartbeat":
        if (message.echoMs === 0n) this.#echoDue = message.sentMs;
        else this.#handleEcho(nowMs, message.echoMs);
        return;
      case "error":
        this.#handleError(nowMs, message);
        return;
      case "disconnect":
        this.#handleDisconnect(message);
        return;
      default:
        message satisfies never;
    }
  }

  #handleEcho(nowMs: number, echoMs: bigint): void {
    // Only the latest question counts, so that the figure is our own clock's.
    if (echoMs !== this.#askedMs) return;
    this.#askedMs = undefined;
    this.#emit({ type: "roundTrip", rttMs: Math.max(0, nowMs - Number(echoMs)) });
  }

  #handleWelcome(nowMs: number, welcome: Welcome): void {
    if (welcome.protocol !== kProtocolVersion || welcome.patchFormat > kPatchFormat) {
      throw new SyncError(
        "kVersionUnsupported",
        `the server speaks protocol ${welcome.protocol}, patch format ${welcome.patchFormat}`,
      );
    }
    this.#state = "live";
    this.#isNewInstance = false;
    this.#serverLimits = withDefaults(welcome.limits);
    const { messagesPerSecond, messagesBurst } = this.#serverLimits;
    this.#bucket = new TokenBucket(
      Math.max(messagesPerSecond * kRateMargin, 0.1),
      Math.max(Math.floor(messagesBurst * kRateMargin) - 1, 1),
      nowMs,
    );
    this.#actions.begin(welcome.lastActionSequence);
    this.#emit({ type: "welcomed", limits: this.#serverLimits, server: welcome.server });
    this.#emit({ type: "roundTrip", rttMs: nowMs - this.#openedAtMs });
    this.#checkSettled();
  }

  #handleSubscribed(message: Subscribed): void {
    const subscription = this.#subscriptions.get(message.name);
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
      if (phase.topic !== message.topic) this.#leave(subscription, message.topic);
      return;
    }
    subscription.bind(message);
    if (!subscription.isWanted) this.#leave(subscription, message.topic);
    this.#checkSettled();
  }

  #handleUnsubscribed(topic: number, code: ErrorName): void {
    const subscription = this.#byTopic.get(topic);
    if (subscription === undefined) throw new SyncError("kUnexpectedMessage", "Unsubscribed from nothing");
    this.#byTopic.delete(topic);
    const wasLeaving = subscription.phase.phase === "leaving";
    subscription.disconnect();
    // Wanted again meanwhile: it is requested anew.
    if (subscription.isWanted && !wasLeaving) {
      const { name } = subscription;
      this.#endTopic(subscription, new SyncError(code, "the server ended the subscription", { topic: name }));
    }
    if (!subscription.isWanted) this.#subscriptions.delete(subscription.name);
    this.#checkSettled();
  }

  #handleActionResult(answer: ActionAnswer): void {
    const action = this.#actions.finish(answer.actionSequence);
    if (action === undefined) return;
    this.#emit({ type: "actionFinished", id: action.id, result: this.#resultOf(answer) });
  }

  #resultOf(answer: ActionAnswer): ActionResult {
    const { code, message, durable, payload } = answer;
    const visibleAt = answer.visibleAt.map(({ topic, epoch, version }) => ({
      topic: this.#byTopic.get(topic)?.name ?? "",
      epoch,
      version,
    }));
    return { status: statusName(answer.status), code, message, visibleAt, durable, payload };
  }

  #handleError(nowMs: number, message: ErrorMessage): void {
    const { code, topic, retryAfterMs, refSequence } = message;
    const error = new SyncError(code, message.message, {
      topic: topic === "" ? undefined : topic,
      retryAfterMs: retryAfterMs === 0 ? undefined : retryAfterMs,
    });
    if (code === "kUnknownInstance") this.#isNewInstance = true;
    if (message.recovery === Recovery.kRetryable && code === "kRateLimited") {
      this.#blockedUntilMs = Math.max(this.#blockedUntilMs, nowMs + Math.max(retryAfterMs, kMinRetryMs));
      this.#repeatable.get(refSequence)?.();
    }
    this.#repeatable.delete(refSequence);
    const subscription = this.#subscriptions.get(topic);
    if (subscription?.phase.phase !== "requested") {
      // An Unsubscribe that crossed the end of the topic.
      if (code !== "kNotSubscribed") this.#emit({ type: "error", error });
      return;
    }
    subscription.disconnect();
    if (!subscription.isWanted) {
      this.#subscriptions.delete(topic);
    } else if (message.recovery === Recovery.kRetryable) {
      subscription.retryAtMs = nowMs + Math.max(retryAfterMs, kMinRetryMs);
      this.#emit({ type: "error", error });
    } else {
      this.#endTopic(subscription, error);
    }
    this.#checkSettled();
  }

  #handleDisconnect(message: Disconnect): void {
    if (message.code === "kUnknownInstance") this.#isNewInstance = true;
    const code = message.code === "kNone" ? "kConnectionLost" : message.code;
    const error = new SyncError(code, message.message, {
      closeCode: message.closeCode,
      retryAfterMs: message.retryAfterMs,
    });
    const reconnect = message.reconnect && mayReconnect(message.closeCode);
    this.#close(CloseCode.kNormal, error, reconnect, message.retryAfterMs);
  }

  // --- Sending ---------------------------------------------------------------------------------------------

  /** The most urgent message that the rate allows now. */
  #takeMessage(nowMs: number): ClientMessage | undefined {
    if (!this.#hasMessage(nowMs) || nowMs < this.#blockedUntilMs || !this.#bucket.take(nowMs))
      return undefined;
    return (
      this.#takeHeartbeat(nowMs) ??
      this.#takeStateRequest() ??
      this.#takeUnsubscribe() ??
      this.#takeSubscribe(nowMs) ??
      this.#takeAck(nowMs) ??
      this.#takeAction()
    );
  }

  /** Whether takeMessage would find something, so that no token is taken in vain. */
  #hasMessage(nowMs: number): boolean {
    this.#dropBigActions();
    if (this.#echoDue !== undefined || this.#heartbeatDue || this.#ackDueMs() <= nowMs) return true;
    if (this.#actions.canSend(this.#serverLimits.maxActionsInFlight)) return true;
    for (const subscription of this.#subscriptions.values()) {
      if (isToAskState(subscription) || isToLeave(subscription) || isToRequest(subscription, nowMs))
        return true;
    }
    return false;
  }

  #takeHeartbeat(nowMs: number): ClientMessage | undefined {
    const sentMs = BigInt(Math.max(1, Math.floor(nowMs)));
    if (this.#echoDue !== undefined) {
      const echoMs = this.#echoDue;
      this.#echoDue = undefined;
      return { type: "heartbeat", sentMs, echoMs };
    }
    if (!this.#heartbeatDue) return undefined;
    this.#heartbeatDue = false;
    this.#askedMs = sentMs;
    return { type: "heartbeat", sentMs, echoMs: 0n };
  }

  #takeStateRequest(): ClientMessage | undefined {
    for (const subscription of this.#subscriptions.values()) {
      const { phase, stateRequest } = subscription;
      if (stateRequest === undefined || phase.phase !== "subscribed") continue;
      subscription.stateRequest = undefined;
      this.#rememberRepeatable(() => {
        if (subscription.phase === phase && subscription.isResyncing)
          subscription.stateRequest = stateRequest;
      });
      return { type: "getState", topic: phase.topic, cause: stateRequest };
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
      const phase = { phase: "requested" } as const;
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
    this.#bytesSinceAck = 0;
    return { type: "ack", versions, receivedSequence: this.#receivedSequence };
  }

  #takeAction(): ClientMessage | undefined {
    if (!this.#actions.canSend(this.#serverLimits.maxActionsInFlight)) return undefined;
    const taken = this.#actions.take();
    return taken && { type: "action", actionSequence: taken.sequence, payload: taken.action.payload };
  }

  #transmit(message: ClientMessage): void {
    this.#outputs.push({ type: "transmit", bytes: this.#encode(message) });
  }

  #encode(message: ClientMessage): Uint8Array {
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

  // --- Small parts -----------------------------------------------------------------------------------------

  #emit(event: SessionEvent): void {
    this.#outputs.push({ type: "event", event });
  }

  /** Ends the connection for what the server did. Disconnect goes first: browsers cannot send most close codes. */
  #fail(error: SyncError, code = closeCodeOf(error.code), reconnect = mayReconnect(code)): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    this.#transmit({
      type: "disconnect",
      closeCode: code,
      code: errorNumber(error.code),
      reconnect,
      message: error.detail,
    });
    this.#close(code, error, reconnect);
  }

  #close(code: number, error: SyncError, reconnect: boolean, retryAfterMs = 0): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    this.#state = "closing";
    this.#ending = { error, reconnect, retryAfterMs };
    this.#outputs.push({ type: "close", code, reason: error.code });
  }

  #leave(subscription: Subscription, topic: number): void {
    subscription.disconnect();
    subscription.phase = { phase: "leaving", topic, isSent: false };
  }

  #endTopic(subscription: Subscription, error: SyncError): void {
    this.#subscriptions.delete(subscription.name);
    this.#emit({ type: "topicEnded", name: subscription.name, error });
  }

  #checkSettled(): void {
    if (this.#isSettled || this.#state !== "live") return;
    for (const { isWanted, isSettled } of this.#subscriptions.values()) {
      if (isWanted && !isSettled) return;
    }
    this.#isSettled = true;
    this.#emit({ type: "settled" });
  }

  #checkActionSize(payload: Uint8Array): void {
    const limit = this.#serverLimits.maxMessageBytes - kActionOverheadBytes;
    if (payload.length > limit) {
      throw new SyncError("kMessageTooBig", `an action of ${payload.length} bytes, the limit is ${limit}`);
    }
  }

  /** Actions queued before Welcome were checked against the default; what the server said may be less. */
  #dropBigActions(): void {
    for (let action = this.#actions.peek(); action !== undefined; action = this.#actions.peek()) {
      try {
        this.#checkActionSize(action.payload);
        return;
      } catch (error) {
        if (!(error instanceof SyncError)) throw error;
        this.#actions.drop();
        this.#emit({ type: "actionFailed", id: action.id, error });
      }
    }
  }

  #ackDueMs(): number {
    let isDue = false;
    for (const subscription of this.#byTopic.values()) isDue ||= subscription.isAckDue;
    if (!isDue) return Number.POSITIVE_INFINITY;
    return this.#bytesSinceAck >= kAckBytes ? 0 : this.#lastAckMs + kAckIntervalMs;
  }

  #deadline(nowMs: number): number {
    if (this.#state !== "waiting" && this.#state !== "live") return Number.POSITIVE_INFINITY;
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#serverLimits;
    const asksAgain = this.#state === "live" && !this.#hasAsked;
    let atMs = this.#lastReceivedMs + heartbeatIntervalMs + (asksAgain ? 0 : heartbeatTimeoutMs);
    if (this.#state === "waiting") return atMs;
    // With something to send, pollOutput gets here only when the rate does not allow it yet.
    if (this.#hasMessage(nowMs)) {
      atMs = Math.min(atMs, Math.max(this.#bucket.readyAtMs(nowMs), this.#blockedUntilMs));
    }
    const ackDueMs = this.#ackDueMs();
    if (ackDueMs > nowMs) atMs = Math.min(atMs, ackDueMs);
    for (const { phase, isWanted, retryAtMs } of this.#subscriptions.values()) {
      if (isWanted && phase.phase === "idle" && retryAtMs > nowMs) atMs = Math.min(atMs, retryAtMs);
    }
    return atMs;
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

function withTopic(error: SyncError, topic: string): SyncError {
  return new SyncError(error.code, error.detail, { topic, cause: error.cause });
}

function statusName(status: ActionStatus): ActionResult["status"] {
  switch (status) {
    case ActionStatus.kAccepted:
      return "accepted";
    case ActionStatus.kRefused:
      return "refused";
    case ActionStatus.kFailed:
      return "failed";
    default:
      status satisfies never;
      return "failed";
  }
}

/** A bound announced as 0 counts as not announced. */
function withDefaults(announced: ServerLimits): ServerLimits {
  const limits: Record<keyof ServerLimits, number> = { ...kDefaultServerLimits };
  for (const key of Object.keys(limits) as (keyof ServerLimits)[]) {
    if (announced[key] !== 0) limits[key] = announced[key];
  }
  return limits;
}
