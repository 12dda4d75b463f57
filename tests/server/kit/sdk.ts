// What the tests use of the SDK: its public surface for the honest side, its codec for looking at single messages.

export { decodeStateFrame, PartAssembler, type StateFrame } from "../../../ts-sdk/src/frame.js";
export * as wire from "../../../ts-sdk/src/generated/protocol_generated.js";
export { heldChunksOf } from "../../../ts-sdk/src/held-chunks.js";
export {
  applyPatch,
  type Client,
  CloseCode,
  connect,
  digestOf,
  ErrorCode,
  initHash,
  makeSnapshot,
  PatchContext,
  type Position,
  type Snapshot,
  SyncError,
  type Topic,
  type UpdateInfo,
  type UpdateKind,
} from "../../../ts-sdk/src/index.js";
