// Every bound the SDK keeps, with unit and default. What the server announces in Welcome comes on top.

/** Bounds on what a server can make the client store or do. */
export interface Limits {
  /** Largest snapshot accepted, bytes. Above it: kSnapshotTooBig, the topic ends. Default 64 MiB. */
  readonly maxSnapshotBytes: number;
  /** Largest control message accepted, bytes. Above it: kMessageTooBig, the connection ends. Default 1 MiB. */
  readonly maxControlBytes: number;
  /** Actions that have not ended. Above it: `act` rejects with kTooManyActions. Default 1,000. */
  readonly maxQueuedActions: number;
  /** Bytes of their payloads. Above it: `act` rejects with kTooManyActions. Default 1 MiB. */
  readonly maxQueuedActionBytes: number;
  /** Updates of a topic that fail without a patch that applies in between. Above it: the client ends. Default 3. */
  readonly maxResyncsInRow: number;
  /**
   * Of a smaller state that is held no chunks are named when it went wrong, bytes: the whole costs little more. Default
   * 32 KiB.
   */
  readonly minChunkDiffBytes: number;
}

export const kDefaultLimits: Limits = {
  maxSnapshotBytes: 64 * 1024 * 1024,
  maxControlBytes: 1024 * 1024,
  maxQueuedActions: 1_000,
  maxQueuedActionBytes: 1024 * 1024,
  maxResyncsInRow: 3,
  minChunkDiffBytes: 32 * 1024,
};

/** A sender never makes a patch larger than its target by more than this: format, two sizes, digest, one op. */
export const kPatchOverheadBytes = 32;

/** What the server announces in Welcome. A bound announced as 0 counts as not announced: the default holds. */
export interface ServerLimits {
  /** Largest message the server accepts, bytes. */
  readonly maxMessageBytes: number;
  /** Largest snapshot the server sends, bytes. */
  readonly maxSnapshotBytes: number;
  /** Subscriptions per session. */
  readonly maxTopics: number;
  /** Actions that are sent and not confirmed. */
  readonly maxActionsInFlight: number;
  /** Sustained rate and burst of messages from client to server. */
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  /** State updates per topic from server to client. */
  readonly updatesPerSecond: number;
  /** Silence after which a side sends a heartbeat, ms. */
  readonly heartbeatIntervalMs: number;
  /** Further silence after which the peer is taken for dead, ms. */
  readonly heartbeatTimeoutMs: number;
  /** The first reconnect after a lost connection is spread over this time, ms. 0: at once. */
  readonly reconnectWindowMs: number;
}

/** Used until Welcome arrives. */
export const kDefaultServerLimits: ServerLimits = {
  maxMessageBytes: 64 * 1024,
  maxSnapshotBytes: 0,
  maxTopics: 64,
  maxActionsInFlight: 16,
  messagesPerSecond: 20,
  messagesBurst: 40,
  updatesPerSecond: 10,
  heartbeatIntervalMs: 9_000,
  heartbeatTimeoutMs: 9_000,
  reconnectWindowMs: 0,
};
