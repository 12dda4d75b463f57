// ClientSession: the client's end of the protocol, without I/O. States, timers and rules: docs/PROTOCOL.md.
// libsync/client_session.h is its twin, save that this one outlives its connections.
//
// Feed it with handleOpen, handleFrame, handleTimeout, handleClosed and the application's verbs; after each call
// pollOutput until it returns a deadline. Times are milliseconds of one clock that never runs backwards.
// Requires: initHash() has resolved before the first frame.

import { closeCodeOf, errorNumber, errorOfClose, mayReconnect, SyncError } from "./errors.js";
import { classifyMessage } from "./frame.js";
import { CloseCode, Recovery } from "./generated/protocol_generated.js";
import { kDefaultLimits, kDefaultServerLimits, type Limits, type ServerLimits } from "./limits.js";
import {
  type Disconnect,
  decodeMessage,
  type ErrorMessage,
  type HelloIdentity,
  kEnvelopeBytes,
  type ServerMessage,
  type Welcome,
} from "./message.js";
import { type ActionSource, Outbox } from "./outbox.js";
import { kPatchFormat } from "./patch.js";
import type { ReuseBytes } from "./patch-context.js";
import type { Output, SessionEvent } from "./session-output.js";
import { kMinRetryMs, Subscriptions } from "./subscriptions.js";

const kProtocolVersion = 1;

export interface SessionConfig {
  /** XXH3-64 of the binary schema of the game; 0n: not checked. */
  readonly schemaFingerprint: bigint;
  /** Name and version, for the server's logs. */
  readonly sdk: string;
  readonly limits: Limits;
  /** What is sent as soon as it may be. */
  readonly actions: ActionSource;
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
  readonly #subscriptions: Subscriptions;
  readonly #outbox: Outbox;

  #state: State = "closed";
  #serverLimits: ServerLimits = kDefaultServerLimits;
  #openedAtMs = 0;
  #lastReceivedMs = 0;
  #isSettled = false;
  /** The server was asked whether it is there, since it was last heard. */
  #hasAsked = false;
  #outputs: Output[] = [];
  #ending: Ending | undefined;

  constructor(config: Omit<SessionConfig, "limits"> & { readonly limits?: Partial<Limits> }) {
    this.#limits = { ...kDefaultLimits, ...config.limits };
    this.#config = { ...config, limits: this.#limits };
    this.#subscriptions = new Subscriptions(this.#limits, (event) => this.#emit(event));
    this.#outbox = new Outbox(this.#subscriptions, config.actions);
  }

  /** Whether there is a connection that handleClosed has not reported. */
  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  /** Largest payload of an action; the server may announce another one with the next Welcome. */
  get maxPayloadBytes(): number {
    return this.#serverLimits.maxMessageBytes - kEnvelopeBytes;
  }

  // --- From the connection ---------------------------------------------------------------------------------

  /** A connection is open, by this client. Requires: the one before was reported closed. */
  handleOpen(nowMs: number, identity: HelloIdentity): void {
    if (this.#state !== "closed") throw new Error("handleOpen: the connection before is not closed");
    this.#state = "waiting";
    this.#openedAtMs = nowMs;
    this.#lastReceivedMs = nowMs;
    this.#isSettled = false;
    this.#hasAsked = false;
    this.#outbox.reset(identity.confirmedAction);
    this.#ending = undefined;
    this.#serverLimits = kDefaultServerLimits;
    const hello = this.#outbox.encode({
      type: "hello",
      protocolMin: kProtocolVersion,
      protocolMax: kProtocolVersion,
      patchFormatMax: kPatchFormat,
      schemaFingerprint: this.#config.schemaFingerprint,
      sdk: this.#config.sdk,
      maxSnapshotBytes: this.#limits.maxSnapshotBytes,
      ...identity,
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
    this.#outputs = this.#outputs.filter((output) => output.type === "event");
    this.#subscriptions.disconnect();
    this.#emit({ type: "ended", ...ending });
  }

  // --- From the application --------------------------------------------------------------------------------

  /**
   * Wants a topic; `priority` is its weight among this session's, 0 to 255. `reuseBytes`: see PatchContextOptions.
   * Nothing happens if it is wanted.
   */
  subscribe(name: string, priority = 128, reuseBytes: ReuseBytes = false): void {
    this.#subscriptions.subscribe(name, priority, reuseBytes);
  }

  /** Wants a topic no longer and forgets what is held of it. */
  unsubscribe(name: string): void {
    this.#subscriptions.unsubscribe(name);
    this.#checkSettled();
  }

  /** A new token of the same user. Nothing happens if the session is not live. */
  renewToken(token: string): void {
    if (this.#state === "live") this.#outbox.tokenDue = token;
  }

  /** Ends the connection on the application's wish. */
  close(error: SyncError, reconnect: boolean): void {
    this.#close(CloseCode.kNormal, error, reconnect);
  }

  /** Says goodbye: the server ends the session, too. */
  disconnect(error: SyncError, reconnect: boolean): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    this.#sayDisconnect(CloseCode.kNormal, error, reconnect);
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

  // --- State and control -----------------------------------------------------------------------------------

  #handleState(bytes: Uint8Array): void {
    if (this.#state !== "live") throw new SyncError("kUnexpectedMessage", "state before Welcome");
    const error = this.#subscriptions.handleFrame(bytes);
    this.#outbox.bytesSinceAck += bytes.length;
    if (error !== undefined) this.#fail(error, CloseCode.kResyncLoop, false);
    this.#checkSettled();
  }

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
    this.#checkSettled();
  }

  #handleMessage(nowMs: number, message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        this.#handleWelcome(nowMs, message);
        return;
      case "subscribed":
        this.#subscriptions.handleSubscribed(message);
        return;
      case "unsubscribed":
        this.#subscriptions.handleUnsubscribed(message.topic, message.code);
        return;
      case "actionResult": {
        const visibleAt = message.visibleAt.map(({ topic, epoch, version }) => ({
          topic: this.#subscriptions.nameOf(topic),
          epoch,
          version,
        }));
        this.#emit({ type: "actionAnswered", answer: message, visibleAt });
        return;
      }
      case "actionsDurable":
        this.#emit({ type: "actionsDurable", sequence: message.actionSequence });
        return;
      case "tokenRefreshed":
        this.#emit({ type: "tokenRenewed", expiresInMs: message.expiresInMs });
        return;
      case "goAway":
        this.#emit({ type: "goingAway", withinMs: message.withinMs });
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
    this.#serverLimits = withDefaults(welcome.limits);
    this.#outbox.keepTo(this.#serverLimits, nowMs);
    this.#emit({ type: "welcomed", welcome, limits: this.#serverLimits });
    this.#emit({ type: "roundTrip", rttMs: nowMs - this.#openedAtMs });
  }

  #handleError(nowMs: number, message: ErrorMessage): void {
    const { code, topic, retryAfterMs, refSequence } = message;
    const error = new SyncError(code, message.message, {
      topic: topic === "" ? undefined : topic,
      retryAfterMs: retryAfterMs === 0 ? undefined : retryAfterMs,
    });
    if (message.recovery === Recovery.kRetryable && code === "kRateLimited") {
      this.#outbox.block(nowMs + Math.max(retryAfterMs, kMinRetryMs));
      this.#outbox.repeat(refSequence);
    }
    this.#subscriptions.handleError(nowMs, message, error);
  }

  #handleDisconnect(message: Disconnect): void {
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

  /** Ends the connection for what the server did. */
  #fail(error: SyncError, code = closeCodeOf(error.code), reconnect = mayReconnect(code)): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    this.#sayDisconnect(code, error, reconnect);
    this.#close(code, error, reconnect);
  }

  /** Goes before a close: browsers cannot send most close codes. */
  #sayDisconnect(closeCode: number, error: SyncError, reconnect: boolean): void {
    const code = errorNumber(error.code);
    const message = error.detail;
    const bytes = this.#outbox.encode({ type: "disconnect", closeCode, code, reconnect, message });
    this.#outputs.push({ type: "transmit", bytes });
  }

  #close(code: number, error: SyncError, reconnect: boolean, retryAfterMs = 0): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    this.#state = "closing";
    this.#ending = { error, reconnect, retryAfterMs };
    this.#outputs.push({ type: "close", code, reason: error.code });
  }

  #checkSettled(): void {
    if (this.#isSettled || this.#state !== "live" || !this.#subscriptions.isSettled) return;
    this.#isSettled = true;
    this.#emit({ type: "settled" });
  }

  #deadline(nowMs: number): number {
    if (this.#state !== "waiting" && this.#state !== "live") return Number.POSITIVE_INFINITY;
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#serverLimits;
    const asksAgain = this.#state === "live" && !this.#hasAsked;
    const silentAtMs = this.#lastReceivedMs + heartbeatIntervalMs + (asksAgain ? 0 : heartbeatTimeoutMs);
    return this.#state === "waiting" ? silentAtMs : Math.min(silentAtMs, this.#outbox.nextAtMs(nowMs));
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
