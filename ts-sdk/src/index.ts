// The public surface of @libsync/sdk, and nothing else.

export type { BackoffOptions } from "./backoff.js";
export { type Client, type ConnectOptions, connect, type TopicOptions } from "./client.js";
export { type ClientStorage, memoryStorage, type StoredRecord } from "./client-store.js";
export { type ErrorCodeName, type ErrorName, errorName, type LocalErrorName, SyncError } from "./errors.js";
export { chunkSize, digestOf, type Fingerprints, initHash, makeFingerprints, xxh3 } from "./fingerprint.js";
export { CloseCode, ErrorCode } from "./generated/protocol_generated.js";
export { indexedDbStorage } from "./indexeddb-storage.js";
export { kDefaultLimits, type Limits } from "./limits.js";
export { applyPatch } from "./patch.js";
export { PatchContext, type PatchContextOptions, type ReuseBytes } from "./patch-context.js";
export type { Timers } from "./platform.js";
export { makeSnapshot, type Snapshot } from "./snapshot.js";
export type { WebSocketFactory, WebSocketLike } from "./transport.js";
export type {
  ActionResult,
  ClientStats,
  ConnectionState,
  Digest,
  Epoch,
  Position,
  ReadableStore,
  RemoveListener,
  SentAction,
  Topic,
  TopicReader,
  TopicSnapshot,
  TopicVersion,
  UpdateInfo,
  UpdateKind,
  Version,
} from "./types.js";
export { kSdkVersion } from "./version.js";
