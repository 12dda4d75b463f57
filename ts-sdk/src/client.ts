// connect: what an application needs hangs on the client it returns. connection.ts makes its connections,
// client-actions.ts keeps its actions; here are its topics, counters and errors.

import { Backoff, type BackoffOptions } from "./backoff.js";
import { ClientActions } from "./client-actions.js";
import { type ClientStorage, memoryStorage } from "./client-store.js";
import { Connection } from "./connection.js";
import { SyncError } from "./errors.js";
import { kDefaultLimits } from "./limits.js";
import type { ReuseBytes } from "./patch-context.js";
import { kPlatformTimers, logError, onWake, randomId, type Timers } from "./platform.js";
import { ActionPromises } from "./sent-action.js";
import { ClientSession } from "./session.js";
import type { SessionEvent } from "./session-output.js";
import { Store } from "./store.js";
import { type AnyTopic, TopicStore } from "./topic.js";
import { type OpenTransport, type WebSocketFactory, webSocketTransport } from "./transport.js";
import type {
  ClientStats,
  ConnectionState,
  ReadableStore,
  RemoveListener,
  SentAction,
  Topic,
  TopicReader,
  UpdateInfo,
} from "./types.js";
import { kSdkVersion } from "./version.js";

/** Where updates are counted by their kind. */
const kCounters = { patch: "patches", full: "fulls", chunkDiff: "chunkDiffs" } as const;
const kClosed = new SyncError("kClosed", "the client is closed");

export interface ConnectOptions {
  /** Address of the server, such as `wss://example.org/api/ws`. */
  readonly url: string;
  /** The token (JWT), asked for before each attempt, and before the present one expires. Default: none. */
  readonly getToken?: () => string | Promise<string>;
  /** Written by libsync-generate; the server refuses a client of another schema. Default: not checked. */
  readonly schemaFingerprint?: bigint;
  /**
   * Where the client keeps who it is and the actions that have not ended; with one that outlives the process they are
   * executed although it ends. Default: memory.
   */
  readonly storage?: ClientStorage;
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
   * Has an action executed, once, after those before it. It is kept over lost connections, and while there is none; what
   * SentAction tells of it. `payload` is copied. Never throws.
   */
  act(payload: Uint8Array): SentAction;
  /** The actions in the storage that earlier processes left; they are sent, too. */
  restoredActions(): Promise<readonly SentAction[]>;
  stats(): ClientStats;
  /** Cuts the connection, if there is one, and makes a new one at once. Also starts a suspended or failed client again. */
  reconnect(): void;
  /** Cuts the connection and makes no other until `reconnect` or `wake`. The server keeps the session for a while. */
  suspend(): void;
  /**
   * Waits no longer for the next attempt, ends `suspend`, and finds out whether the connection is still there. The client
   * does the first and the last by itself where the platform says that the network is back or the page is seen again.
   */
  wake(): void;
  /** Says goodbye and ends the client for good. Actions in a storage that outlives it are left to the next one. */
  close(): void;
  /** Hears of what no call returns: refused topics, lost connections, resyncs, a storage that fails, listeners that throw. */
  onError(listener: (error: SyncError) => void): RemoveListener;
}

/** Connects, and keeps connecting until `close`. Throws SyncError kConnectFailed if there is no WebSocket to use. */
export function connect(options: ConnectOptions): Client {
  return new ConnectedClient(options, webSocketTransport(options.webSocket));
}

class ConnectedClient implements Client {
  readonly #timers: Timers;
  readonly #session: ClientSession;
  readonly #actions: ClientActions;
  readonly #connection: Connection;
  readonly #state: Store<ConnectionState>;
  readonly #topics = new Map<string, AnyTopic>();
  readonly #errorListeners = new Set<{ readonly call: (error: SyncError) => void }>();
  readonly #stopListening: () => void;

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
  #isClosed = false;
  #wasWelcomed = false;

  constructor(options: ConnectOptions, openTransport: OpenTransport) {
    const random = options.random ?? Math.random;
    const limits = {
      ...kDefaultLimits,
      maxSnapshotBytes: options.maxSnapshotBytes ?? kDefaultLimits.maxSnapshotBytes,
    };
    const report = (error: SyncError) => this.#report(error);
    this.#timers = options.timers ?? kPlatformTimers;
    this.#state = new Store<ConnectionState>({ state: "idle" }, (error) => this.#reportThrown(error));
    this.#actions = new ClientActions({
      storage: options.storage ?? memoryStorage(),
      timers: this.#timers,
      limits,
      makeInstance: randomId,
      onChange: () => this.#connection.pump(),
      report,
    });
    this.#session = new ClientSession({
      schemaFingerprint: options.schemaFingerprint ?? 0n,
      sdk: `libsync-ts/${kSdkVersion}`,
      limits,
      actions: this.#actions,
    });
    this.#connection = new Connection({
      url: options.url,
      getToken: options.getToken,
      maxRetries: options.maxRetries ?? Number.POSITIVE_INFINITY,
      openTransport,
      timers: this.#timers,
      backoff: new Backoff(options.backoff ?? {}, random),
      random,
      session: this.#session,
      actions: this.#actions,
      state: this.#state,
      onEvent: (event) => this.#handleEvent(event),
      report,
    });
    this.#stopListening = onWake(() => this.#connection.wake(false));
    this.#connection.start();
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
    this.#connection.pump();
    return topic;
  }

  act(payload: Uint8Array): SentAction {
    const { maxPayloadBytes } = this.#session;
    if (payload.length <= maxPayloadBytes) return this.#actions.act(payload.slice());
    const refused = new ActionPromises();
    const detail = `an action of ${payload.length} bytes, the limit is ${maxPayloadBytes}`;
    refused.lose(new SyncError("kMessageTooBig", detail));
    return refused;
  }

  restoredActions(): Promise<readonly SentAction[]> {
    return this.#actions.restored();
  }

  stats(): ClientStats {
    return { ...this.#stats };
  }

  reconnect(): void {
    this.#connection.reconnect();
  }

  suspend(): void {
    this.#connection.suspend();
  }

  wake(): void {
    this.#connection.wake(true);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopListening();
    this.#actions.close();
    this.#connection.close();
  }

  onError(listener: (error: SyncError) => void): RemoveListener {
    const entry = { call: listener };
    this.#errorListeners.add(entry);
    return () => {
      this.#errorListeners.delete(entry);
    };
  }

  // --- From the connection ---------------------------------------------------------------------------------

  #handleEvent(event: SessionEvent): void {
    switch (event.type) {
      case "welcomed":
        if (this.#wasWelcomed) this.#stats.reconnects += 1;
        this.#wasWelcomed = true;
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
      case "roundTrip":
        this.#stats.rttMs = event.rttMs;
        return;
      default:
        return; // the connection's own
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
    this.#connection.pump();
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
