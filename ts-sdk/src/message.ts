// Control messages as plain values, and how they are read: the one place that reads FlatBuffers of the protocol from
// outside. How they are written: message-writer.ts.

import { ByteBuffer } from "flatbuffers";
import { type ErrorName, errorName, SyncError } from "./errors.js";
import * as wire from "./generated/protocol_generated.js";
import type { HeldChunks } from "./held-chunks.js";
import type { ServerLimits } from "./limits.js";
import { kServerMessages } from "./message-layout.js";
import type { Position } from "./types.js";
import { Verifier } from "./verify.js";

const kIdentifier = "LSP1";
const kEnvelopeType = 1;
const kEnvelopeMessage = 2;
/** The envelope around an action's payload, or around chunks, takes less than this. */
export const kEnvelopeBytes = 128;

/** 128 random bits. */
export interface Id128 {
  readonly low: bigint;
  readonly high: bigint;
}

/** A version of a topic by its number on this connection. */
export interface NumberedVersion {
  readonly topic: number;
  readonly epoch: bigint;
  readonly version: bigint;
}

/** A session that a later connection may take up again. */
export interface SessionSecret {
  readonly session: Id128;
  readonly secret: Uint8Array;
}

export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  readonly patchFormat: number;
  /** Absent: the server keeps none for a later connection. */
  readonly resume: SessionSecret | undefined;
  readonly outcome: wire.SessionOutcome;
  readonly freshReason: wire.FreshReason;
  readonly schemaFingerprint: bigint;
  readonly server: string;
  readonly limits: ServerLimits;
  readonly lastActionSequence: bigint;
  /** Infinity: never. */
  readonly tokenExpiresInMs: number;
  readonly ledger: Id128 | undefined;
  readonly firstSeenMs: bigint;
}

export interface Subscribed {
  readonly type: "subscribed";
  readonly name: string;
  readonly topic: number;
  readonly epoch: bigint;
  readonly version: bigint;
  readonly outcome: wire.TopicOutcome;
}

export interface Unsubscribed {
  readonly type: "unsubscribed";
  readonly topic: number;
  readonly code: ErrorName;
}

export interface ActionAnswer {
  readonly type: "actionResult";
  readonly actionSequence: bigint;
  readonly status: wire.ActionStatus;
  readonly code: ErrorName;
  readonly message: string;
  readonly visibleAt: readonly NumberedVersion[];
  readonly durable: boolean;
  readonly payload: Uint8Array;
  /** Where status is kFailed. */
  readonly retryAfterMs: number;
}

export interface ActionsDurable {
  readonly type: "actionsDurable";
  readonly actionSequence: bigint;
}

export interface TokenRefreshed {
  readonly type: "tokenRefreshed";
  /** Infinity: never. */
  readonly expiresInMs: number;
}

export interface GoAway {
  readonly type: "goAway";
  readonly withinMs: number;
  readonly message: string;
}

export interface Heartbeat {
  readonly type: "heartbeat";
  readonly sentMs: bigint;
  readonly echoMs: bigint;
}

export interface ErrorMessage {
  readonly type: "error";
  readonly code: ErrorName;
  readonly recovery: wire.Recovery;
  readonly retryAfterMs: number;
  readonly refSequence: bigint;
  /** Empty: it is about no topic. */
  readonly topic: string;
  readonly message: string;
}

export interface Disconnect {
  readonly type: "disconnect";
  readonly closeCode: number;
  readonly code: ErrorName;
  readonly reconnect: boolean;
  readonly retryAfterMs: number;
  readonly message: string;
}

export type ServerMessage =
  | Welcome
  | Subscribed
  | Unsubscribed
  | ActionAnswer
  | ActionsDurable
  | TokenRefreshed
  | GoAway
  | Heartbeat
  | ErrorMessage
  | Disconnect;

/** What a Hello says of who the client is. */
export interface HelloIdentity {
  readonly instance: Id128;
  /** No Welcome has come for it yet. */
  readonly isNew: boolean;
  /** 1, 2, 3 ... per instance. */
  readonly attempt: bigint;
  /** Of the last Welcome. */
  readonly ledger: Id128 | undefined;
  /** Of the first Welcome; 0 while it is new. */
  readonly firstSeenMs: bigint;
  /** All actions up to here have ended, durably. */
  readonly confirmedAction: bigint;
  readonly resume: SessionSecret | undefined;
}

export type ClientMessage =
  | ({
      readonly type: "hello";
      readonly protocolMin: number;
      readonly protocolMax: number;
      readonly patchFormatMax: number;
      readonly schemaFingerprint: bigint;
      readonly sdk: string;
      readonly maxSnapshotBytes: number;
    } & HelloIdentity)
  | { readonly type: "subscribe"; readonly topics: readonly TopicRequest[] }
  | { readonly type: "unsubscribe"; readonly topics: readonly number[] }
  | {
      readonly type: "getState";
      readonly topic: number;
      readonly cause: wire.ErrorCode;
      /** Absent: the state is wanted whole. */
      readonly chunks: HeldChunks | undefined;
    }
  | {
      readonly type: "action";
      readonly actionSequence: bigint;
      readonly payload: Uint8Array;
      readonly confirmedAction: bigint;
      readonly isWithdrawn: boolean;
    }
  | {
      readonly type: "ack";
      readonly versions: readonly NumberedVersion[];
      readonly receivedSequence: bigint;
      readonly confirmedAction: bigint;
    }
  | { readonly type: "refreshToken"; readonly token: string }
  | Heartbeat
  | {
      readonly type: "disconnect";
      readonly closeCode: number;
      readonly code: wire.ErrorCode;
      readonly reconnect: boolean;
      readonly message: string;
    };

export interface TopicRequest {
  readonly name: string;
  readonly priority: number;
  /** Absent: the client holds nothing. */
  readonly have: Position | undefined;
}

/** Reads a control message. Throws kMalformed, kUnknownMessage, kUnexpectedMessage (a message only clients send). */
export function decodeMessage(bytes: Uint8Array): { sequence: bigint; message: ServerMessage } {
  const verifier = new Verifier(bytes);
  const root = verifier.root(kIdentifier);
  const typeAt = verifier.fieldAt(root, kEnvelopeType);
  const messageAt = verifier.fieldAt(root, kEnvelopeMessage);
  verifier.verifyTable(root, kServerMessages.envelope);
  const type: wire.Message = typeAt === 0 ? wire.Message.NONE : (bytes[typeAt] ?? 0);
  const layout = kServerMessages.byType.get(type);
  if (layout === undefined) {
    if (type === wire.Message.NONE) throw new SyncError("kMalformed", "an envelope without a message");
    if (wire.Message[type] === undefined) throw new SyncError("kUnknownMessage", `message type ${type}`);
    throw new SyncError("kUnexpectedMessage", `the server sent ${wire.Message[type]}`);
  }
  verifier.verifyTable(verifier.follow(messageAt), layout);

  const envelope = wire.Envelope.getRootAsEnvelope(new ByteBuffer(bytes));
  return { sequence: envelope.sequence(), message: readMessage(envelope, type) };
}

function readMessage(envelope: wire.Envelope, type: wire.Message): ServerMessage {
  switch (type) {
    case wire.Message.Welcome:
      return readWelcome(envelope.message(new wire.Welcome()) as wire.Welcome);
    case wire.Message.Subscribed: {
      const m = envelope.message(new wire.Subscribed()) as wire.Subscribed;
      return {
        type: "subscribed",
        name: text(m.name()),
        topic: m.topic(),
        epoch: m.epoch(),
        version: m.version(),
        outcome: m.outcome(),
      };
    }
    case wire.Message.Unsubscribed: {
      const m = envelope.message(new wire.Unsubscribed()) as wire.Unsubscribed;
      return { type: "unsubscribed", topic: m.topic(), code: errorName(m.code()) };
    }
    case wire.Message.ActionResult:
      return readActionResult(envelope.message(new wire.ActionResult()) as wire.ActionResult);
    case wire.Message.ActionsDurable: {
      const m = envelope.message(new wire.ActionsDurable()) as wire.ActionsDurable;
      return { type: "actionsDurable", actionSequence: m.actionSequence() };
    }
    case wire.Message.TokenRefreshed: {
      const m = envelope.message(new wire.TokenRefreshed()) as wire.TokenRefreshed;
      return { type: "tokenRefreshed", expiresInMs: expiry(m.expiresInMs()) };
    }
    case wire.Message.GoAway: {
      const m = envelope.message(new wire.GoAway()) as wire.GoAway;
      return { type: "goAway", withinMs: m.withinMs(), message: text(m.message()) };
    }
    case wire.Message.Heartbeat: {
      const m = envelope.message(new wire.Heartbeat()) as wire.Heartbeat;
      return { type: "heartbeat", sentMs: m.sentMs(), echoMs: m.echoMs() };
    }
    case wire.Message.Error: {
      const m = envelope.message(new wire.Error()) as wire.Error;
      return {
        type: "error",
        code: errorName(m.code()),
        recovery: m.recovery(),
        retryAfterMs: m.retryAfterMs(),
        refSequence: m.refSequence(),
        topic: text(m.topic()),
        message: text(m.message()),
      };
    }
    case wire.Message.Disconnect: {
      const m = envelope.message(new wire.Disconnect()) as wire.Disconnect;
      return {
        type: "disconnect",
        closeCode: m.closeCode(),
        code: errorName(m.code()),
        reconnect: m.reconnect(),
        retryAfterMs: m.retryAfterMs(),
        message: text(m.message()),
      };
    }
    default:
      throw new SyncError("kUnexpectedMessage", `the server sent ${wire.Message[type]}`);
  }
}

function readWelcome(m: wire.Welcome): Welcome {
  const limits = m.limits();
  if (limits === null) throw new SyncError("kMalformed", "a Welcome without limits");
  const session = id128(m.session());
  // Copies: the message's buffer need not live as long as the session.
  const secret = m.secretArray()?.slice() ?? new Uint8Array(0);
  return {
    type: "welcome",
    protocol: m.protocol(),
    patchFormat: m.patchFormat(),
    resume: session && secret.length > 0 ? { session, secret } : undefined,
    outcome: m.outcome(),
    freshReason: m.freshReason(),
    schemaFingerprint: m.schemaFingerprint(),
    server: text(m.server()),
    limits: {
      maxMessageBytes: limits.maxMessageBytes(),
      maxSnapshotBytes: limits.maxSnapshotBytes(),
      maxTopics: limits.maxTopics(),
      maxActionsInFlight: limits.maxActionsInFlight(),
      messagesPerSecond: limits.messagesPerSecond(),
      messagesBurst: limits.messagesBurst(),
      updatesPerSecond: limits.updatesPerSecond(),
      heartbeatIntervalMs: limits.heartbeatIntervalMs(),
      heartbeatTimeoutMs: limits.heartbeatTimeoutMs(),
      reconnectWindowMs: limits.reconnectWindowMs(),
    },
    lastActionSequence: m.lastActionSequence(),
    tokenExpiresInMs: expiry(m.tokenExpiresInMs()),
    ledger: id128(m.ledger()),
    firstSeenMs: m.firstSeenMs(),
  };
}

function readActionResult(m: wire.ActionResult): ActionAnswer {
  const visibleAt: NumberedVersion[] = [];
  for (let i = 0; i < m.visibleAtLength(); i += 1) {
    const at = m.visibleAt(i);
    if (at !== null) visibleAt.push({ topic: at.topic(), epoch: at.epoch(), version: at.version() });
  }
  return {
    type: "actionResult",
    actionSequence: m.actionSequence(),
    status: m.status(),
    code: errorName(m.code()),
    message: text(m.message()),
    visibleAt,
    durable: m.durable(),
    // A copy: the message's buffer need not live as long as the result.
    payload: m.payloadArray()?.slice() ?? new Uint8Array(0),
    retryAfterMs: m.retryAfterMs(),
  };
}

function id128(value: wire.Id128 | null): Id128 | undefined {
  return value === null ? undefined : { low: value.low(), high: value.high() };
}

function expiry(ms: bigint): number {
  return ms === 0n ? Number.POSITIVE_INFINITY : Number(ms);
}

/** flatc types a string as string or bytes; without an encoding argument it is a string. */
function text(value: string | Uint8Array | null): string {
  return typeof value === "string" ? value : "";
}
