// What a session tells its shell.

import type { SyncError } from "./errors.js";
import type { ServerLimits } from "./limits.js";
import type { ActionAnswer, Welcome } from "./message.js";
import type { Held } from "./subscription.js";
import type { TopicVersion, UpdateInfo } from "./types.js";

export type SessionEvent =
  /** The server has answered Hello. */
  | { readonly type: "welcomed"; readonly welcome: Welcome; readonly limits: ServerLimits }
  /** Every wanted topic has its state, once per connection. */
  | { readonly type: "settled" }
  | { readonly type: "updated"; readonly name: string; readonly held: Held; readonly update: UpdateInfo }
  /** What arrived could not be used; what is held stays, and the state was asked for again. */
  | { readonly type: "resyncing"; readonly name: string; readonly error: SyncError }
  /** The server refused or ended the subscription; it will not be asked again. */
  | { readonly type: "topicEnded"; readonly name: string; readonly error: SyncError }
  /** An action was executed or refused; or, kFailed, not executed: it may be sent again. */
  | {
      readonly type: "actionAnswered";
      readonly answer: ActionAnswer;
      readonly visibleAt: readonly TopicVersion[];
    }
  /** All actions up to this one, and what they did, survive a crash of the server. */
  | { readonly type: "actionsDurable"; readonly sequence: bigint }
  /** Infinity: the token does not expire. */
  | { readonly type: "tokenRenewed"; readonly expiresInMs: number }
  /** The server wants a new connection to be made within the time. */
  | { readonly type: "goingAway"; readonly withinMs: number }
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
