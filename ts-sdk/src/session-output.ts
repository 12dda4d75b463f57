// What a session tells its shell.

import type { SyncError } from "./errors.js";
import type { ServerLimits } from "./limits.js";
import type { Held } from "./subscription.js";
import type { ActionResult, UpdateInfo } from "./types.js";

export type SessionEvent =
  /** The server has answered Hello. */
  | { readonly type: "welcomed"; readonly limits: ServerLimits; readonly server: string }
  /** Every wanted topic has its state, once per connection. */
  | { readonly type: "settled" }
  | { readonly type: "updated"; readonly name: string; readonly held: Held; readonly update: UpdateInfo }
  /** What arrived could not be used; what is held stays, and the state was asked for again. */
  | { readonly type: "resyncing"; readonly name: string; readonly error: SyncError }
  /** The server refused or ended the subscription; it will not be asked again. */
  | { readonly type: "topicEnded"; readonly name: string; readonly error: SyncError }
  | { readonly type: "actionFinished"; readonly id: number; readonly result: ActionResult }
  /** No answer will come. kConnectionLost: the outcome is unknown; any other code: it was not executed. */
  | { readonly type: "actionFailed"; readonly id: number; readonly error: SyncError }
  | { readonly type: "roundTrip"; readonly rttMs: number }
  /** The server reports something that ends nothing. */
  | { readonly type: "error"; readonly error: SyncError }
  /** The connection is over. `reconnect`: whether another one may be made, not before `retryAfterMs` from now. */
  | {
      readonly type: "ended";
      readonly error: SyncError;
      readonly reconnect: boolean;
      readonly retryAfterMs: number;
    };

export type Output =
  /** Send this as one binary message. */
  | { readonly type: "transmit"; readonly bytes: Uint8Array }
  | { readonly type: "event"; readonly event: SessionEvent }
  /** Close the WebSocket with this code, then call handleClosed. */
  | { readonly type: "close"; readonly code: number; readonly reason: string }
  /** Nothing more to do before `atMs`; call handleTimeout then. Infinity: nothing is due. */
  | { readonly type: "deadline"; readonly atMs: number };
