// Connection: a client's connections, one after the other: attempts, waits, tokens, and the session that each carries.
//
//   connecting --open, Welcome--> syncing --all topics there--> live --lost--> reconnecting --> connecting ...
//        '------- refused for good -------> failed         suspend() --> suspended        close() --> idle

import { Alarms } from "./alarms.js";
import { type Backoff, kStableMs } from "./backoff.js";
import type { ClientActions } from "./client-actions.js";
import { SyncError } from "./errors.js";
import { initHash } from "./fingerprint.js";
import type { ServerLimits } from "./limits.js";
import type { Timers } from "./platform.js";
import type { ClientSession } from "./session.js";
import type { SessionEvent } from "./session-output.js";
import type { Store } from "./store.js";
import type { OpenTransport, Transport } from "./transport.js";
import type { ConnectionState } from "./types.js";

/** Time for getToken and the WebSocket handshake together. */
const kConnectTimeoutMs = 20_000;
/** Refused upgrades in a row (HTTP 401 or 403), each with a new token, after which the client gives up. */
const kMaxRefusals = 2;
/** A token is renewed when so much of its time is left, or half of it. */
const kRenewBeforeMs = 60_000;
const kNever = Number.POSITIVE_INFINITY;
const kClosed = new SyncError("kClosed", "the client is closed");

/** What the connection waits for: the session's deadline, the next attempt, the end of one, leaving, a new token. */
type Due = "session" | "attempt" | "giveUp" | "leave" | "renew";

export interface ConnectionConfig {
  readonly url: string;
  readonly getToken: (() => string | Promise<string>) | undefined;
  readonly maxRetries: number;
  readonly openTransport: OpenTransport;
  readonly timers: Timers;
  readonly backoff: Backoff;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly session: ClientSession;
  readonly actions: ClientActions;
  readonly state: Store<ConnectionState>;
  /** What the connection does not handle itself, and "welcomed". */
  readonly onEvent: (event: SessionEvent) => void;
  readonly report: (error: SyncError) => void;
}

export class Connection {
  readonly #config: ConnectionConfig;
  readonly #timers: Timers;
  readonly #session: ClientSession;
  readonly #actions: ClientActions;
  readonly #alarms: Alarms<Due>;
  #transport: Transport | undefined;
  /** Number of the present attempt; what an earlier one still calls back is ignored. */
  #attempt = 0;
  #isPumping = false;
  #isClosed = false;
  /** What follows the end of the present connection, in place of the usual wait. */
  #after: "wait" | "connect" | "suspend" = "wait";
  #refusals = 0;
  #welcomedAtMs: number | undefined;
  #serverLimits: ServerLimits | undefined;

  constructor(config: ConnectionConfig) {
    this.#config = config;
    this.#timers = config.timers;
    this.#session = config.session;
    this.#actions = config.actions;
    this.#alarms = new Alarms(config.timers, (due) => this.#handleDue(due));
  }

  // --- From the application --------------------------------------------------------------------------------

  /** Cuts the connection, if there is one, and makes a new one at once. */
  reconnect(): void {
    if (this.#isClosed) return;
    this.#config.backoff.reset();
    this.#refusals = 0;
    this.#leave("connect", new SyncError("kConnectionLost", "the application asked to reconnect"));
  }

  /** Cuts the connection and makes no other until reconnect() or wake(). */
  suspend(): void {
    if (this.#isClosed || this.#state === "suspended") return;
    this.#leave("suspend", new SyncError("kConnectionLost", "the application suspended the client"));
  }

  /**
   * The network is back, or the process ran again after a sleep: waits no longer, and finds out whether the connection is
   * still there. `isWanted`: also if the application had suspended the client.
   */
  wake(isWanted: boolean): void {
    if (this.#isClosed) return;
    if (this.#state === "reconnecting" || (isWanted && this.#state === "suspended")) {
      this.#startAttempt();
      return;
    }
    this.#session.handleTimeout(this.#timers.now());
    this.pump();
  }

  /** Says goodbye and ends for good. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session.disconnect(kClosed, false);
    this.pump();
    this.#attempt += 1;
    this.#dropTransport("closed");
    this.#alarms.clear();
    this.#config.state.set({ state: "idle" });
  }

  /** Carries out what the session wants, until it wants nothing before a deadline. */
  pump(): void {
    // Called from a listener inside an event: the loop below goes on after it.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (;;) {
        const output = this.#session.pollOutput(this.#timers.now());
        if (output.type === "deadline") {
          if (!this.#isClosed) this.#alarms.set("session", output.atMs);
          return;
        }
        switch (output.type) {
          case "transmit":
            this.#send(output.bytes);
            break;
          case "close":
            this.#dropTransport(output.reason, output.code);
            this.#session.handleClosed(output.code);
            break;
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

  start(): void {
    this.#startAttempt();
  }

  // --- Attempts --------------------------------------------------------------------------------------------

  get #state(): ConnectionState["state"] {
    return this.#config.state.getSnapshot().state;
  }

  #startAttempt(): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#alarms.clear();
    this.#alarms.set("giveUp", this.#timers.now() + kConnectTimeoutMs);
    this.#config.state.set({ state: "connecting", attempt: this.#config.backoff.failures + 1 });
    if (attempt !== this.#attempt) return; // a listener decided otherwise
    this.#openConnection(attempt).catch((error: unknown) => {
      if (attempt !== this.#attempt) return;
      const detail = error instanceof Error ? error.message : String(error);
      this.#connectAgain(new SyncError("kConnectFailed", detail, { cause: error }), 0);
    });
  }

  async #openConnection(attempt: number): Promise<void> {
    await initHash();
    await this.#actions.reserveAttempt();
    if (attempt !== this.#attempt) return;
    const token = (await this.#config.getToken?.()) ?? "";
    if (attempt !== this.#attempt) return;
    let isOpen = false;
    const isPresent = () => attempt === this.#attempt;
    this.#transport = this.#config.openTransport(this.#config.url, token, {
      onOpen: () => {
        if (!isPresent()) return;
        isOpen = true;
        this.#refusals = 0;
        this.#alarms.set("giveUp", kNever);
        this.#session.handleOpen(this.#timers.now(), this.#actions.beginAttempt());
        this.pump();
      },
      onFrame: (bytes) => {
        if (!isPresent()) return;
        this.#session.handleFrame(this.#timers.now(), bytes);
        this.pump();
      },
      onText: (text) => {
        if (!isPresent()) return;
        this.#session.handleText(text);
        this.pump();
      },
      onClosed: (code, reason, httpStatus) => {
        if (!isPresent()) return;
        this.#transport = undefined;
        if (isOpen) {
          this.#session.handleClosed(code);
          this.pump();
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
        ? `no connection to ${this.#config.url}${reason === "" ? "" : `: ${reason}`}`
        : `the server answered HTTP ${httpStatus} instead of an upgrade`;
    const error = new SyncError(isForbidden ? "kUnauthenticated" : "kConnectFailed", detail, {
      closeCode: code,
    });
    if (this.#refusals >= kMaxRefusals) this.#giveUp(error);
    else this.#connectAgain(error, 0);
  }

  /** Ends what there is of a connection or an attempt. */
  #leave(then: "connect" | "suspend", error: SyncError): void {
    if (this.#session.isOpen) {
      this.#after = then;
      this.#session.close(error, true);
      this.pump();
      return;
    }
    this.#dropTransport(then);
    if (then === "connect") this.#startAttempt();
    else this.#rest();
  }

  #rest(): void {
    this.#attempt += 1;
    this.#alarms.clear();
    this.#config.state.set({ state: "suspended" });
  }

  #connectAgain(error: SyncError, retryAfterMs: number): void {
    this.#attempt += 1;
    this.#alarms.clear();
    const nowMs = this.#timers.now();
    const liveMs = this.#liveMs(nowMs);
    this.#welcomedAtMs = undefined;
    const after = this.#after;
    this.#after = "wait";
    if (after === "connect") {
      this.#startAttempt();
      return;
    }
    if (after === "suspend") {
      this.#rest();
      return;
    }
    const { backoff, maxRetries, state } = this.#config;
    const reconnectWindowMs = this.#serverLimits?.reconnectWindowMs ?? 0;
    const delayMs = backoff.nextDelayMs({ liveMs, reconnectWindowMs, retryAfterMs });
    const { failures } = backoff;
    if (Math.max(failures, 1) > maxRetries) {
      this.#giveUp(error);
      return;
    }
    const attempt = this.#attempt;
    const retryAtMs = nowMs + delayMs;
    this.#alarms.set("attempt", retryAtMs);
    state.set({ state: "reconnecting", retryAtMs, attempt: failures + 1, error });
    if (attempt === this.#attempt) this.#config.report(error);
  }

  #giveUp(error: SyncError): void {
    this.#attempt += 1;
    this.#welcomedAtMs = undefined;
    this.#after = "wait";
    this.#alarms.clear();
    this.#config.state.set({ state: "failed", error });
    this.#config.report(error);
  }

  #liveMs(nowMs: number): number {
    return this.#welcomedAtMs === undefined ? 0 : nowMs - this.#welcomedAtMs;
  }

  #dropTransport(reason: string, code = 1000): void {
    const transport = this.#transport;
    this.#transport = undefined;
    transport?.close(code, reason);
  }

  // --- The session -----------------------------------------------------------------------------------------

  #send(bytes: Uint8Array): void {
    try {
      this.#transport?.send(bytes);
    } catch (error) {
      this.#dropTransport("send failed");
      this.#config.report(new SyncError("kConnectionLost", "sending failed", { cause: error }));
      this.#session.handleClosed(1006);
    }
  }

  #handleEvent(event: SessionEvent): void {
    const nowMs = this.#timers.now();
    switch (event.type) {
      case "welcomed":
        if (this.#isClosed || this.#cutIf(this.#actions.handleWelcome(event.welcome))) return;
        this.#welcomedAtMs = nowMs;
        this.#serverLimits = event.limits;
        this.#renewIn(event.welcome.tokenExpiresInMs);
        this.#config.onEvent(event);
        if (this.#after === "wait") this.#config.state.set({ state: "syncing" });
        return;
      case "settled":
        if (!this.#isClosed && this.#after === "wait") this.#config.state.set({ state: "live" });
        return;
      case "actionAnswered":
        this.#cutIf(this.#actions.handleAnswer(nowMs, event.answer, event.visibleAt));
        return;
      case "actionsDurable":
        this.#actions.handleDurable(event.sequence);
        return;
      case "tokenRenewed":
        this.#renewIn(event.expiresInMs);
        return;
      case "goingAway":
        this.#alarms.set("leave", nowMs + this.#config.random() * event.withinMs);
        return;
      case "ended":
        this.#actions.handleEnded(event.error);
        if (this.#isClosed) return;
        if (event.reconnect) this.#connectAgain(event.error, event.retryAfterMs);
        else this.#giveUp(event.error);
        return;
      default:
        // A listener may have closed the client while later events waited.
        if (!this.#isClosed) this.#config.onEvent(event);
    }
  }

  /** Whether there is an error: the server and this client do not mean the same instance. */
  #cutIf(error: SyncError | undefined): boolean {
    if (error !== undefined) this.#session.disconnect(error, true);
    return error !== undefined;
  }

  /** The server no longer wants this connection. */
  #leaveAsAsked(): void {
    // One that asks so of every connection is not to be asked all the time.
    if (this.#liveMs(this.#timers.now()) >= kStableMs) this.#after = "connect";
    this.#session.close(new SyncError("kShuttingDown", "the server asked for a new connection"), true);
    this.pump();
  }

  #renewIn(expiresInMs: number): void {
    const hasNew = this.#config.getToken !== undefined && expiresInMs !== kNever;
    const inMs = Math.max(expiresInMs / 2, expiresInMs - kRenewBeforeMs);
    this.#alarms.set("renew", hasNew ? this.#timers.now() + inMs : kNever);
  }

  async #renewToken(attempt: number): Promise<void> {
    try {
      const token = (await this.#config.getToken?.()) ?? "";
      if (attempt !== this.#attempt) return;
      this.#session.renewToken(token);
      this.pump();
    } catch (cause) {
      if (attempt !== this.#attempt) return;
      // The connection ends when the token does; the next one asks again.
      const detail = `no new token: ${cause instanceof Error ? cause.message : String(cause)}`;
      this.#config.report(new SyncError("kUnauthenticated", detail, { cause }));
    }
  }

  #handleDue(due: Due): void {
    switch (due) {
      case "session":
        this.#session.handleTimeout(this.#timers.now());
        this.pump();
        return;
      case "attempt":
        this.#startAttempt();
        return;
      case "giveUp":
        this.#dropTransport("timeout");
        this.#connectAgain(
          new SyncError("kConnectFailed", `no connection within ${kConnectTimeoutMs} ms`),
          0,
        );
        return;
      case "leave":
        this.#leaveAsAsked();
        return;
      case "renew":
        void this.#renewToken(this.#attempt);
        return;
      default:
        due satisfies never;
    }
  }
}
