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
  type Disconnect,
  decodeMessage,
  type ErrorMessage,
  type Id128,
  kEnvelopeBytes,
  type ServerMessage,
  type Subscribed,
  type Welcome,
} from "./message.js";
import { Outbox } from "./outbox.js";
import { kPatchFormat } from "./patch.js";
import type { ReuseBytes } from "./patch-context.js";
import { utf8Length } from "./platform.js";
import type { Output, SessionEvent } from "./session-output.js";
import type { Snapshot } from "./snapshot.js";
import { makeEmptySnapshot, Subscription } from "./subscription.js";
import type { ActionResult } from "./types.js";

const kProtocolVersion = 1;
/** A refused request that may be repeated waits at least this long. */
const kMinRetryMs = 1_000;
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
  readonly #outbox: Outbox;

  #state: State = "closed";
  #instance: Id128;
  #isNewInstance = true;
  #serverLimits: ServerLimits = kDefaultServerLimits;
  #openedAtMs = 0;
  #lastReceivedMs = 0;
  #isSettled = false;
  /** The server was asked whether it is there, since it was last heard. */
  #hasAsked = false;
  #emptySnapshot: Snapshot | undefined;
  #outputs: Output[] = [];
  #ending: Ending | undefined;

  constructor(config: Omit<SessionConfig, "limits"> & { readonly limits?: Partial<Limits> }) {
    this.#limits = { ...kDefaultLimits, ...config.limits };
    this.#config = { ...config, limits: this.#limits };
    this.#actions = new ActionQueue(this.#limits);
    this.#outbox = new Outbox(this.#subscriptions, this.#byTopic, this.#actions);
    this.#instance = config.makeInstance();
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
    this.#openedAtMs = nowMs;
    this.#lastReceivedMs = nowMs;
    this.#isSettled = false;
    this.#hasAsked = false;
    this.#outbox.reset();
    this.#ending = undefined;
    this.#serverLimits = kDefaultServerLimits;
    // "New" means made for this connection: until the server has answered once, each attempt has its own.
    if (this.#isNewInstance) this.#instance = this.#config.makeInstance();
    const hello = this.#outbox.encode({
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
    this.#outputs.push({ type: "transmit", bytes: hello });
  }

  /** One binary message. Never throws: what is wrong with it ends the connection. */
  handleFrame(nowMs: number, bytes: Uint8Array): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    this.#lastReceivedMs = nowMs;
    this.#hasAsked = false;
    this.#outbox.isHeartbeatDue = false;
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
      this.#outbox.isHeartbeatDue = true;
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

  /**
   * Wants a topic; `priority` is its weight among this session's, 0 to 255. `reuseBytes`: see PatchContextOptions.
   * Nothing happens if it is wanted.
   */
  subscribe(name: string, priority = 128, reuseBytes: ReuseBytes = false): void {
    const nameBytes = utf8Length(name);
    if (nameBytes === 0 || nameBytes > kMaxTopicNameBytes) {
      throw new SyncError("kUnknownTopic", `a topic's name has 1 to ${kMaxTopicNameBytes} bytes`, {
        topic: name,
      });
    }
    const subscription = this.#subscriptions.get(name);
    if (subscription === undefined) {
      this.#subscriptions.set(name, new Subscription(name, priority, this.#limits, reuseBytes));
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
    if (payload.length > this.#maxPayloadBytes()) throw this.#tooBig(payload);
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
      const bytes = this.#outbox.take(nowMs);
      if (bytes !== undefined) return { type: "transmit", bytes };
    }
    return { type: "deadline", atMs: this.#deadline(nowMs) };
  }

  // --- State -----------------------------------------------------------------------------------------------

  #handleState(bytes: Uint8Array): void {
    if (this.#state !== "live") throw new SyncError("kUnexpectedMessage", "state before Welcome");
    const frame = decodeStateFrame(bytes);
    this.#outbox.bytesSinceAck += bytes.length;
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
          this.#fail(withTopic(result.error, name), CloseCode.kResyncLoop, false);
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
    const { receivedSequence } = this.#outbox;
    if (sequence !== receivedSequence + 1n) {
      throw new SyncError("kSequenceGap", `message ${sequence} after ${receivedSequence}`);
    }
    this.#outbox.receivedSequence = sequence;
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
        if (message.echoMs === 0n) this.#outbox.echoDue = message.sentMs;
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
    if (this.#outbox.takeEcho(echoMs))
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
    this.#outbox.keepTo(this.#serverLimits, nowMs);
    this.#actions.begin(welcome.lastActionSequence);
    this.#emit({ type: "welcomed", limits: this.#serverLimits, server: welcome.server });
    this.#emit({ type: "roundTrip", rttMs: nowMs - this.#openedAtMs });
    // Actions queued before now were checked against the default; what the server says may be less.
    for (const { id, payload } of this.#actions.takeBigger(this.#maxPayloadBytes())) {
      this.#emit({ type: "actionFailed", id, error: this.#tooBig(payload) });
    }
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
    if (subscription.isWanted) subscription.bind(message);
    else this.#leave(subscription, message.topic);
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
      this.#outbox.block(nowMs + Math.max(retryAfterMs, kMinRetryMs));
      this.#outbox.repeat(refSequence);
    }
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

  // --- Small parts -----------------------------------------------------------------------------------------

  #emit(event: SessionEvent): void {
    this.#outputs.push({ type: "event", event });
  }

  /** Ends the connection for what the server did. Disconnect goes first: browsers cannot send most close codes. */
  #fail(error: SyncError, code = closeCodeOf(error.code), reconnect = mayReconnect(code)): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    const disconnect = this.#outbox.encode({
      type: "disconnect",
      closeCode: code,
      code: errorNumber(error.code),
      reconnect,
      message: error.detail,
    });
    this.#outputs.push({ type: "transmit", bytes: disconnect });
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

  #maxPayloadBytes(): number {
    return this.#serverLimits.maxMessageBytes - kEnvelopeBytes;
  }

  #tooBig({ length }: Uint8Array): SyncError {
    return new SyncError(
      "kMessageTooBig",
      `an action of ${length} bytes, the limit is ${this.#maxPayloadBytes()}`,
    );
  }

  #deadline(nowMs: number): number {
    if (this.#state !== "waiting" && this.#state !== "live") return Number.POSITIVE_INFINITY;
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#serverLimits;
    const asksAgain = this.#state === "live" && !this.#hasAsked;
    const silentAtMs = this.#lastReceivedMs + heartbeatIntervalMs + (asksAgain ? 0 : heartbeatTimeoutMs);
    return this.#state === "waiting" ? silentAtMs : Math.min(silentAtMs, this.#outbox.nextAtMs(nowMs));
  }
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
