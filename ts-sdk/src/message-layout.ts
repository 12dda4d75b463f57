// The tables that a server sends, field by field in the order of schemas/protocol.fbs, for the verifier.
// test/message.test.ts holds them against buffers that the generated code wrote.

import { Message } from "./generated/protocol_generated.js";
import {
  type Field,
  kBytes,
  kString,
  kU8,
  kU16,
  kU32,
  kU64,
  required,
  type TableLayout,
  table,
  tables,
} from "./verify.js";

const kId128: Field = { kind: "inline", size: 16, alignment: 8 };

const kSessionLimits: TableLayout = [kU32, kU32, kU32, kU32, kU32, kU32, kU32, kU32, kU32, kU32];
const kTopicVersion: TableLayout = [kU32, kU64, kU64];

const kWelcome: TableLayout = [
  kU16, // protocol
  kU8, // patch_format
  kId128, // session
  kU8, // outcome
  kU8, // fresh_reason
  kBytes, // secret
  kU64, // schema_fingerprint
  kString, // server
  required(table(kSessionLimits)),
  kU64, // last_action_sequence
  kU64, // token_expires_in_ms
  kId128, // ledger
  kU64, // first_seen_ms
];
const kSubscribed: TableLayout = [required(kString), kU32, kU64, kU64, kU8, kU8];
const kUnsubscribed: TableLayout = [kU32, kU16];
const kActionResult: TableLayout = [kU64, kU8, kU16, kString, tables(kTopicVersion), kU8, kBytes, kU32];
const kActionsDurable: TableLayout = [kU64];
const kTokenRefreshed: TableLayout = [kU64];
const kGoAway: TableLayout = [kU32, kString];
const kHeartbeat: TableLayout = [kU64, kU64];
const kError: TableLayout = [kU16, kU8, kU32, kU64, kString, kString];
const kDisconnect: TableLayout = [kU16, kU16, kU8, kU32, kString];

/** The envelope without what its union holds, and the tables of the union that a server may send. */
export const kServerMessages: {
  readonly envelope: TableLayout;
  readonly byType: ReadonlyMap<Message, TableLayout>;
} = {
  envelope: [kU64, kU8, required(table([]))],
  byType: new Map([
    [Message.Welcome, kWelcome],
    [Message.Subscribed, kSubscribed],
    [Message.Unsubscribed, kUnsubscribed],
    [Message.ActionResult, kActionResult],
    [Message.ActionsDurable, kActionsDurable],
    [Message.TokenRefreshed, kTokenRefreshed],
    [Message.GoAway, kGoAway],
    [Message.Heartbeat, kHeartbeat],
    [Message.Error, kError],
    [Message.Disconnect, kDisconnect],
  ]),
};
