// connect: session + transport + timers + backoff. Everything an application needs hangs on the client it returns.

import { Backoff, type BackoffOptions } from "./backoff.js";
import { SyncError } from "./errors.js";
import { initHash } from "./fingerprint.js";
import { kDefaultLimits, type ServerLimits } from "./limits.js";
import type { ReuseBytes } from "./patch-context.js";
import { kPlatformTimers, logError, onNetworkBack, randomId, type Timers } from "./platform.js";
import { ClientSession } from "./session.js";
import type { SessionEvent } from "./session-output.js";
import { Store } from "./store.js";
import { type AnyTopic, TopicStore } from "./topic.js";
import {
  type OpenTransport,
  type Transport,
  type WebSocketFactory,
  webSocketTransport,
} from "./transport.js";
import type {
  ActionResult,
  ClientStats,
  ConnectionState,
  ReadableStore,
  RemoveListener,
  Topic,
  TopicReader,
  UpdateInfo,
} from "./types.js";
import { kSdkVersion } from "./version.js";

/** Time for getToken and the WebSocket handshake together. */
const kConnectTimeoutMs = 20_000;
/** Longer timers run out at once in every platform. */
const kMaxTimerMs = 0x7fff_ffff;
/** Refused upgrades in a row (HTTP 401 or 403), each with a new token, after which the client gives up. */
const kMaxRefusals = 2;
/** Where updates are counted by their kind. */
const kCounters = { patch: "patches", full: "fulls", chunkDiff: "chunkDiffs" } as const;
const kClosed = new SyncError("kClosed", "the client is closed");

export interface ConnectOptions {
  /** Address of the server, such as `wss://example.org/api/ws`. */
  readonly url: string;
  /** The token (JWT), asked for before each attempt. Default: none. */
  readonly getToken?: () => string | Promise<string>;
  /** Written by libsync-generate; the server refuses a client of another schema. Default: not checked. */
  readonly schemaFingerprint?: bigint;
  /** WebSocket class or function; needed on Node before 22. Default: the platform's. */
  readonly webSocket?: WebSocketFactory;
  /** Attempts in a row without success, after which the client fails. Default: Infinity. */
  readonly maxRetries?: number;
  /** Waits between attempts. Default: 500 and 20,000 ms. */
  readonly backoff?: BackoffOptions;
  /** Largest snapshot accepted, bytes. Default: 64 MiB. */
  readonly maxSnapshotBytes?: number;
  /** Uniform in [0, 1), for the backoff. Default: Math.random. */
  readonly random?: () => number;
  /** Clock and timers, for tests. Default: the platform's. */
  readonly timers?: Timers;
}

export interface TopicOptions {
  /** Weight among this client's topics, 0 to 255. Default 128. */
  readonly priority?: number;
  /**
   * Whether a snapshot's bytes are written over by a later one's: saves the copy, which is most of the work where little
   * changes in much. `true`: by the next one's: `read` must then take out of the bytes all that is wanted later; the
   * value and the bytes of an earlier snapshot are of no more use. "alternate": by those of the one after the next, so
   * that the last two are good. Default: false, every snapshot stays as it was.
   */
  readonly reuseBytes?: ReuseBytes;
}

/** A connection to a server that comes back by itself, its topics and actions. */
export interface Client {
  /** Where the connection stands. */
  readonly connection: ReadableStore<ConnectionState>;
  /**
   * Subscribes to a topic; `read` makes the value from each snapshot's bytes, which it must not write to or keep past
   * the value. The same name gives the same store. It survives reconnects and shows the last snapshot meanwhile.
   * A refusal by the server goes to `onError` with the topic's name.
   */
  topic<T>(name: string, read: TopicReader<T>, options?: TopicOptions): Topic<T>;
  /**
   * Has an action executed, at most once. While there is no connection it waits for the next one. `payload` is copied.
   * Rejects with SyncError: kConnectionLost (it was sent and its outcome is unknown); kTooManyActions,
   * kMessageTooBig, kClosed, or what made the client fail (it was not executed).
   */
  act(payload: Uint8Array): Promise<ActionResult>;
  stats(): ClientStats;
  /** Cuts the connection, if there is one, and makes a new one at once. Also starts a failed client again. */
  reconnect(): void;
  /** Ends the client for good. */
  close(): void;
  /** Hears of what no call returns: refused topics, lost connections, resyncs, listeners that throw. */
  onError(listener: (error: SyncError) => void): RemoveListener;
}

/** Connects, and keeps connecting until `close`. Throws SyncError kConnectFailed if there is no WebSocket to use. */
export function connect(options: ConnectOptions): Client {
  return new ConnectedClient(options, webSocketTransport(options.webSocket));
}

interface PendingAction {
  readonly resolve: (result: ActionResult) => void;
  readonly reject: (error: SyncError) => void;
}

class ConnectedClient implements Client {
  readonly #options: ConnectOptions;
  readonly #openTransport: OpenTransport;
  readonly #timers: Timers;
  readonly #backoff: Backoff;
  readonly #session: ClientSession;
  readonly #state: Store<ConnectionState>;
  readonly #topics = new Map<string, AnyTopic>();
  readonly #pendingActions = new Map<number, PendingAction>();
  readonly #errorListeners = new Set<{ readonly call: (error: SyncError) => void }>();
  readonly #stopWaitingForNetwork: () => void;

  #stats: { -readonly [K in keyof ClientStats]: ClientStats[K] } = {
    updates: 0,
    patches: 0,
    fulls: 0,
    chunkDiffs: 0,
    wireBytes: 0,
    snapshotBytes: 0,
    digestMismatches: 0,
    resyncs: 0,
    reconnects: 0,
    rttMs: undefined,
  };
  #transport: Transport | undefined;
  /** Number of the present attempt; what an earlier one still calls back is ignored. */
  #attempt = 0;
  #timer: unknown;
  #isPumping = false;
  #isClosed = false;
  #isSwitching = false;
  #refusals = 0;
  #welcomedAtMs: number | undefined;
  #wasWelcomed = false;
  #serverLimits: ServerLimits | undefined;

  constructor(options: ConnectOptions, openTransport: OpenTransport) {
    this.#options = options;
    this.#openTransport = openTransport;
    this.#timers = options.timers ?? kPlatformTimers;
    this.#backoff = new Backoff(options.backoff ?? {}, options.random ?? Math.random);
    this.#state = new Store<ConnectionState>({ state: "idle" }, (error) => this.#reportThrown(error));
    this.#session = new ClientSession({
      makeInstance: randomId,
      schemaFingerprint: options.schemaFingerprint ?? 0n,
      sdk: `libsync-ts/${kSdkVersion}`,
      limits: { maxSnapshotBytes: options.maxSnapshotBytes ?? kDefaultLimits.maxSnapshotBytes },
    });
    this.#stopWaitingForNetwork = onNetworkBack(() => {
      if (this.#state.getSnapshot().state === "reconnecting") this.#startAttempt();
    });
    this.#startAttempt();
  }

  get connection(): ReadableStore<ConnectionState> {
    return this.#state;
  }

  topic<T>(name: string, read: TopicReader<T>, options: TopicOptions = {}): Topic<T> {
    if (this.#isClosed) throw kClosed;
    this.#session.subscribe(name, options.priority ?? 128, options.reuseBytes);
    let topic = this.#topics.get(name) as TopicStore<T> | undefined;
    if (topic === undefined) {
      topic = new TopicStore(name, read, {
        report: (error) => this.#reportThrown(error),
        close: (closed) => this.#closeTopic(closed),
      });
      this.#topics.set(name, topic);
    }
    this.#pump();
    return topic;
  }

  act(payload: Uint8Array): Promise<ActionResult> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw kClosed;
      const state = this.#state.getSnapshot();
      if (state.state === "failed") throw state.error;
      const id = this.#session.act(payload.slice());
      this.#pendingActions.set(id, { resolve, reject });
      this.#pump();
    });
  }

  stats(): ClientStats {
    return { ...this.#stats };
  }

  reconnect(): void {
    if (this.#isClosed) return;
    this.#backoff.reset();
    this.#refusals = 0;
    if (this.#session.isOpen) {
      this.#isSwitching = true;
      this.#session.close(new SyncError("kConnectionLost", "the application asked to reconnect"), true);
      this.#pump();
    } else {
      this.#dropTransport("reconnect");
      this.#startAttempt();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWaitingForNetwork();
    this.#session.close(kClosed, false);
    this.#session.abandonActions(kClosed);
    this.#pump();
    this.#attempt += 1;
    this.#dropTransport("closed");
    this.#setTimer(Number.POSITIVE_INFINITY, () => undefined);
    this.#state.set({ state: "idle" });
  }

  onError(listener: (error: SyncError) => void): RemoveListener {
    const entry = { call: listener };
    this.#errorListeners.add(entry);
    return () => {
      this.#errorListeners.delete(entry);
    };
  }

  // --- Connecting ------------------------------------------------------------------------------------------

  #startAttempt(): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#state.set({ state: "connecting", attempt: this.#backoff.failures + 1 });
    if (attempt !== this.#attempt) return; // a listener decided otherwise
    this.#setTimer(this.#timers.now() + kConnectTimeoutMs, () => {
      this.#dropTransport("timeout");
      this.#attemptFailed(new SyncError("kConnectFailed", `no connection within ${kConnectTimeoutMs} ms`));
    });
    this.#openConnection(attempt).catch((error: unknown) => {
      if (attempt !== this.#attempt) return;
      const detail = error instanceof Error ? error.message : String(error);
      this.#attemptFailed(new SyncError("kConnectFailed", detail, { cause: error }));
    });
  }

  async #openConnection(attempt: number): Promise<void> {
    await initHash();
    const token = (await this.#options.getToken?.()) ?? "";
    if (attempt !== this.#attempt) return;
    let isOpen = false;
    this.#transport = this.#openTransport(this.#options.url, token, {
      onOpen: () => {
        if (attempt !== this.#attempt) return;
        isOpen = true;
        this.#refusals = 0;
        this.#session.handleOpen(this.#timers.now());
        this.#pump();
      },
      onFrame: (bytes) => {
        if (attempt !== this.#attempt) return;
        this.#session.handleFrame(this.#timers.now(), bytes);
        this.#pump();
      },
      onText: (text) => {
        if (attempt !== this.#attempt) return;
        this.#session.handleText(text);
        this.#pump();
      },
      onClosed: (code, reason, httpStatus) => {
        if (attempt !== this.#attempt) return;
        this.#transport = undefined;
        if (isOpen) {
          this.#session.handleClosed(code);
          this.#pump();
        } else {
          this.#upgradeRefused(code, reason, httpStatus);
        }
      },
    });
  }

  #upgradeRefused(code: number, reason: string, httpStatus: number | undefined): void {
    const isForbidden = httpStatus === 401 || httpStatus === 403;
    this.#refusals = isForbidden ? this.#refusals + 1 : 0;
    const detail =
      httpStatus === undefined
        ? `no connection to ${this.#options.url}${reason === "" ? "" : `: ${reason}`}`
        : `the server answered HTTP ${httpStatus} instead of an upgrade`;
    const error = new SyncError(isForbidden ? "kUnauthenticated" : "kConnectFailed", detail, {
      closeCode: code,
    });
    if (this.#refusals >= kMaxRefusals) this.#giveUp(error);
    else this.#attemptFailed(error);
  }

  #attemptFailed(error: SyncError): void {
    this.#connectAgain(error, 0);
  }

  #connectAgain(error: SyncError, retryAfterMs: number): void {
    this.#attempt += 1;
    const nowMs = this.#timers.now();
    const liveMs = this.#welcomedAtMs === undefined ? 0 : nowMs - this.#welcomedAtMs;
    this.#welcomedAtMs = undefined;
    if (this.#isSwitching) {
      this.#isSwitching = false;
      this.#startAttempt();
      return;
    }
    const reconnectWindowMs = this.#serverLimits?.reconnectWindowMs ?? 0;
    const delayMs = this.#backoff.nextDelayMs({ liveMs, reconnectWindowMs, retryAfterMs });
    const { failures } = this.#backoff;
    if (Math.max(failures, 1) > (this.#options.maxRetries ?? Number.POSITIVE_INFINITY)) {
      this.#giveUp(error);
      return;
    }
    const retryAtMs = nowMs + delayMs;
    const attempt = this.#attempt;
    this.#setTimer(retryAtMs, () => this.#startAttempt());
    this.#state.set({ state: "reconnecting", retryAtMs, attempt: failures + 1, error });
    if (attempt === this.#attempt) this.#report(error);
  }

  #giveUp(error: SyncError): void {
    this.#attempt += 1;
    this.#welcomedAtMs = undefined;
    this.#isSwitching = false;
    this.#setTimer(Number.POSITIVE_INFINITY, () => undefined);
    this.#session.abandonActions(error);
    this.#state.set({ state: "failed", error });
    this.#report(error);
    this.#pump();
  }

  #dropTransport(reason: string): void {
    const transport = this.#transport;
    this.#transport = undefined;
    transport?.close(1000, reason);
  }

  // --- The session -----------------------------------------------------------------------------------------

  /** Carries out what the session wants, until it wants nothing before a deadline. */
  #pump(): void {
    // Called from a listener inside an event: the loop below goes on after it.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (;;) {
        const output = this.#session.pollOutput(this.#timers.now());
        if (output.type === "deadline") {
          this.#armSession(output.atMs);
          return;
        }
        switch (output.type) {
          case "transmit":
            this.#send(output.bytes);
            break;
          case "close": {
            const transport = this.#transport;
            this.#transport = undefined;
            transport?.close(output.code, output.reason);
            this.#session.handleClosed(output.code);
            break;
          }
          case "event":
            this.#handleEvent(output.event);
            break;
          default:
            output satisfies never;
        }
      }
    } finally {
      this.#isPumping = false;
    }
  }

  #armSession(atMs: number): void {
    // Without a connection the timer belongs to the next attempt.
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#setTimer(atMs, () => {
      this.#session.handleTimeout(this.#timers.now());
      this.#pump();
    });
  }

  #send(bytes: Uint8Array): void {
    try {
      this.#transport?.send(bytes);
    } catch (error) {
      this.#dropTransport("send failed");
      this.#report(new SyncError("kConnectionLost", "sending failed", { cause: error }));
      this.#session.handleClosed(1006);
    }
  }

  #handleEvent(event: SessionEvent): void {
    // A listener may have closed the client while later events waited: only promises are still kept.
    if (this.#isClosed && event.type !== "actionFinished" && event.type !== "actionFailed") return;
    switch (event.type) {
      case "welcomed":
        this.#welcomedAtMs = this.#timers.now();
        this.#serverLimits = event.limits;
        if (this.#wasWelcomed) this.#stats.reconnects += 1;
        this.#wasWelcomed = true;
        if (!this.#isSwitching) this.#state.set({ state: "syncing" });
        return;
      case "settled":
        if (!this.#isSwitching) this.#state.set({ state: "live" });
        return;
      case "updated":
        this.#count(event.update);
        this.#topics.get(event.name)?.update(event.held, event.update, this.#timers.now());
        return;
      case "resyncing":
        this.#stats.resyncs += 1;
        if (event.error.code === "kDigestMismatch") this.#stats.digestMismatches += 1;
        this.#report(event.error);
        return;
      case "topicEnded":
      case "error":
        this.#report(event.error);
        return;
      case "actionFinished":
        this.#takeAction(event.id)?.resolve(event.result);
        return;
      case "actionFailed":
        this.#takeAction(event.id)?.reject(event.error);
        return;
      case "roundTrip":
        this.#stats.rttMs = event.rttMs;
        return;
      case "ended":
        if (event.reconnect) this.#connectAgain(event.error, event.retryAfterMs);
        else this.#giveUp(event.error);
        return;
      default:
        event satisfies never;
    }
  }

  // --- Small parts -----------------------------------------------------------------------------------------

  #count(update: UpdateInfo): void {
    this.#stats.updates += 1;
    this.#stats[kCounters[update.kind]] += 1;
    this.#stats.wireBytes += update.wireBytes;
    this.#stats.snapshotBytes += update.snapshotBytes;
  }

  #closeTopic(topic: AnyTopic): void {
    if (this.#topics.get(topic.name) !== topic) return;
    this.#topics.delete(topic.name);
    this.#session.unsubscribe(topic.name);
    this.#pump();
  }

  #takeAction(id: number): PendingAction | undefined {
    const action = this.#pendingActions.get(id);
    this.#pendingActions.delete(id);
    return action;
  }

  /** The client has one timer: the session's deadline, the end of an attempt, or the start of the next. */
  #setTimer(atMs: number, callback: () => void): void {
    if (this.#timer !== undefined) this.#timers.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, Math.ceil(atMs - this.#timers.now()));
    this.#timer = this.#timers.setTimeout(
      () => {
        this.#timer = undefined;
        if (delayMs > kMaxTimerMs) this.#setTimer(atMs, callback);
        else callback();
      },
      Math.min(delayMs, kMaxTimerMs),
    );
  }

  #reportThrown(cause: unknown): void {
    const detail = cause instanceof Error ? cause.message : String(cause);
    this.#report(new SyncError("kApplication", detail, { cause }));
  }

  #report(error: SyncError): void {
    // What the application itself threw must not vanish; the rest also shows in `connection`.
    if (this.#errorListeners.size === 0 && error.code === "kApplication") logError(error);
    for (const entry of [...this.#errorListeners]) {
      try {
        entry.call(error);
      } catch (thrown) {
        logError(thrown);
      }
    }
  }
}
