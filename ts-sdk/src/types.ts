// The values of the public API. What the words mean: topic, epoch, version, digest, patch in docs/PROTOCOL.md.

import type { ErrorName, SyncError } from "./errors.js";

/** One unbroken run of versions of a topic. Versions of two epochs are never compared. Unsigned 64 bits. */
export type Epoch = bigint;
/** Number of a snapshot within its epoch: 1, 2, 3 ... Unsigned 64 bits. */
export type Version = bigint;
/** Hash over the size and the fingerprints of a snapshot, docs/WIRE_FORMAT.md section 4. Unsigned 64 bits. */
export type Digest = bigint;

/** What a client holds of a topic; epoch and version are one value. */
export interface Position {
  readonly epoch: Epoch;
  readonly version: Version;
  readonly digest: Digest;
}

/** A version of a topic, by the topic's name. */
export interface TopicVersion {
  /** Empty if the topic is not subscribed on this connection. */
  readonly topic: string;
  readonly epoch: Epoch;
  readonly version: Version;
}

/**
 * `patch` carried only the difference to the version before, `full` the whole snapshot. `chunkDiff` carried what was not
 * among the bytes that were held, whatever version of whatever epoch they were.
 */
export type UpdateKind = "patch" | "full" | "chunkDiff";

/** How one version of a topic arrived. */
export interface UpdateInfo {
  readonly kind: UpdateKind;
  /** Bytes of the state frames that carried it, headers included. */
  readonly wireBytes: number;
  /** Bytes of the snapshot it led to. */
  readonly snapshotBytes: number;
}

/** One version of a topic as the application sees it. A new object for each version, never changed later. */
export interface TopicSnapshot<T> {
  /** What the topic's reader made of `bytes`. */
  readonly value: T;
  /** The snapshot itself. Read only: the next patch is applied to these bytes. */
  readonly bytes: Uint8Array;
  readonly epoch: Epoch;
  readonly version: Version;
  readonly digest: Digest;
  /** When it arrived, milliseconds since the Unix epoch, never running backwards. */
  readonly receivedAtMs: number;
  readonly update: UpdateInfo;
}

/** Where the connection stands. `live`: every subscribed topic was brought up to date once since connecting. */
export type ConnectionState =
  | { readonly state: "idle" }
  | { readonly state: "connecting"; readonly attempt: number }
  | { readonly state: "syncing" }
  | { readonly state: "live" }
  /** `retryAtMs` is in milliseconds since the Unix epoch; `attempt` counts failures in a row; `error` is the cause. */
  | {
      readonly state: "reconnecting";
      readonly retryAtMs: number;
      readonly attempt: number;
      readonly error: SyncError | undefined;
    }
  /** The application asked for it; `reconnect()` or `wake()` ends it. */
  | { readonly state: "suspended" }
  /** The client gave up; `reconnect()` starts it again. */
  | { readonly state: "failed"; readonly error: SyncError };

/** The server's answer to one action. */
export interface ActionResult {
  /** `accepted`: executed. `refused`: the game's rules say no, nothing changed. */
  readonly status: "accepted" | "refused";
  /** kNone where the status is `accepted`. */
  readonly code: ErrorName;
  /** Why it was refused, for people; may be empty. */
  readonly message: string;
  /** Versions from which on the effect can be seen. */
  readonly visibleAt: readonly TopicVersion[];
  /** Whether the effect survives a crash of the server already; SentAction.durable tells when it does. */
  readonly durable: boolean;
  /** The game's own answer; may be empty. */
  readonly payload: Uint8Array;
}

/**
 * An action on its way: stored, sent as often as it takes, executed once. Awaiting it gives its result. The promises may be
 * ignored: one that rejects unheard ends no process.
 */
export interface SentAction extends PromiseLike<ActionResult> {
  /** The client's own number of it, 1, 2, 3 ... over all processes that use its storage. Known once it is stored. */
  readonly id: bigint | undefined;
  /**
   * It is in the client's storage: from now on it will be executed, however often connections and servers fail.
   * Rejects, as the others then do: it will not be executed (kStoreUnavailable, kTooManyActions, kMessageTooBig, kClosed).
   */
  readonly stored: Promise<void>;
  /**
   * The first answer. Should the server crash before the action is durable, it is executed anew, unless it was refused.
   * Rejects: the outcome is unknown (kUnknownInstance, kActionConflict), kClosed if the client was closed first, or with
   * kMessageTooBig if the server takes only smaller actions.
   */
  readonly result: Promise<ActionResult>;
  /** Result and effect survive any crash of the server. Rejects as `result` does, also after that has resolved. */
  readonly durable: Promise<void>;
}

/** Counters since `connect`. */
export interface ClientStats {
  /** Versions received: `patches` + `fulls` + `chunkDiffs`. */
  readonly updates: number;
  readonly patches: number;
  readonly fulls: number;
  readonly chunkDiffs: number;
  /** Bytes of all state frames. */
  readonly wireBytes: number;
  /** Sum of the sizes of all snapshots received: what sending every snapshot whole would have cost. */
  readonly snapshotBytes: number;
  /** Updates whose bytes were not what the server had; never shown to the application. */
  readonly digestMismatches: number;
  /** Times the state of a topic was asked for again. */
  readonly resyncs: number;
  /** Connections lost and established again. */
  readonly reconnects: number;
  /** Latest round trip in milliseconds; undefined before the first. */
  readonly rttMs: number | undefined;
}

/** Removes the listener it was returned for; calling it twice does nothing. */
export type RemoveListener = () => void;

/** A value and its changes; both functions fit React's `useSyncExternalStore` unchanged and need no `this`. */
export interface ReadableStore<T> {
  /** Calls `listener` after each change. A listener that throws is reported to `onError` and harms no other. */
  readonly subscribe: (listener: () => void) => RemoveListener;
  /** The current value: the same object until the next change. */
  readonly getSnapshot: () => T;
}

/** Makes the application's value from a snapshot's bytes, usually `getRootAs...` of the generated class. */
export type TopicReader<T> = (bytes: Uint8Array) => T;

/** A subscribed topic: its current snapshot, undefined until the first has arrived, and its changes. */
export interface Topic<T> extends ReadableStore<TopicSnapshot<T> | undefined> {
  readonly name: string;
  /** Unsubscribes. The store keeps its last snapshot and changes no more. Needs no `this`. */
  readonly close: () => void;
}
