// Control messages <-> plain values. The one place that reads FlatBuffers of the protocol from outside.

import { Builder, ByteBuffer } from "flatbuffers";
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

export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  readonly patchFormat: number;
  readonly outcome: wire.SessionOutcome;
  readonly schemaFingerprint: bigint;
  readonly server: string;
  readonly limits: ServerLimits;
  readonly lastActionSequence: bigint;
  /** Milliseconds; 0: the token does not expire. */
  readonly tokenExpiresInMs: number;
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
  | Heartbeat
  | ErrorMessage
  | Disconnect;

export type ClientMessage =
  | {
      readonly type: "hello";
      readonly protocolMin: number;
      readonly protocolMax: number;
      readonly patchFormatMax: number;
      readonly instance: Id128;
      readonly isNew: boolean;
      readonly schemaFingerprint: bigint;
      readonly sdk: string;
      readonly maxSnapshotBytes: number;
    }
  | { readonly type: "subscribe"; readonly topics: readonly TopicRequest[] }
  | { readonly type: "unsubscribe"; readonly topics: readonly number[] }
  | {
      readonly type: "getState";
      readonly topic: number;
      readonly cause: wire.ErrorCode;
      /** Absent: the state is wanted whole. */
      readonly chunks: HeldChunks | undefined;
    }
  | { readonly type: "action"; readonly actionSequence: bigint; readonly payload: Uint8Array }
  | {
      readonly type: "ack";
      readonly versions: readonly NumberedVersion[];
      readonly receivedSequence: bigint;
    }
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
  return {
    type: "welcome",
    protocol: m.protocol(),
    patchFormat: m.patchFormat(),
    outcome: m.outcome(),
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
    tokenExpiresInMs: Number(m.tokenExpiresInMs()),
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
  };
}

/** flatc types a string as string or bytes; without an encoding argument it is a string. */
function text(value: string | Uint8Array | null): string {
  return typeof value === "string" ? value : "";
}

/** Writes a control message. */
export function encodeMessage(sequence: bigint, message: ClientMessage): Uint8Array {
  const envelope = new wire.EnvelopeT(sequence);
  switch (message.type) {
    case "hello":
      envelope.messageType = wire.Message.Hello;
      envelope.message = new wire.HelloT(
        message.protocolMin,
        message.protocolMax,
        message.patchFormatMax,
        new wire.Id128T(message.instance.low, message.instance.high),
        message.isNew,
        message.schemaFingerprint,
        message.sdk,
        message.maxSnapshotBytes,
      );
      break;
    case "subscribe":
      envelope.messageType = wire.Message.Subscribe;
      envelope.message = new wire.SubscribeT(message.topics.map(packRequest));
      break;
    case "unsubscribe":
      envelope.messageType = wire.Message.Unsubscribe;
      envelope.message = new wire.UnsubscribeT([...message.topics]);
      break;
    case "getState":
      return encodeGetState(sequence, message.topic, message.cause, message.chunks);
    case "action":
      return encodeAction(sequence, message.actionSequence, message.payload);
    case "ack":
      envelope.messageType = wire.Message.Ack;
      envelope.message = new wire.AckT(
        message.versions.map((v) => new wire.TopicVersionT(v.topic, v.epoch, v.version)),
        message.receivedSequence,
      );
      break;
    case "heartbeat":
      envelope.messageType = wire.Message.Heartbeat;
      envelope.message = new wire.HeartbeatT(message.sentMs, message.echoMs);
      break;
    case "disconnect":
      envelope.messageType = wire.Message.Disconnect;
      envelope.message = new wire.DisconnectT(
        message.closeCode,
        message.code,
        message.reconnect,
        0,
        message.message,
      );
      break;
    default:
      message satisfies never;
  }
  const builder = new Builder(256);
  wire.Envelope.finishEnvelopeBuffer(builder, envelope.pack(builder));
  return builder.asUint8Array();
}

function packRequest(request: TopicRequest): wire.TopicRequestT {
  const { have } = request;
  const position = have === undefined ? null : new wire.PositionT(have.epoch, have.version, have.digest);
  return new wire.TopicRequestT(request.name, request.priority, position);
}

// Without the object API, which would copy bytes into an array of numbers:

function encodeGetState(
  sequence: bigint,
  topic: number,
  cause: wire.ErrorCode,
  chunks: HeldChunks | undefined,
): Uint8Array {
  const builder = new Builder((chunks?.fingerprints.length ?? 0) + kEnvelopeBytes);
  const held = chunks && createHeldChunks(builder, chunks);
  wire.GetState.startGetState(builder);
  wire.GetState.addTopic(builder, topic);
  wire.GetState.addCause(builder, cause);
  if (held !== undefined) wire.GetState.addChunks(builder, held);
  return finishMessage(builder, sequence, wire.Message.GetState, wire.GetState.endGetState(builder));
}

function createHeldChunks(builder: Builder, { sizeBytes, fingerprints }: HeldChunks): number {
  const vector = wire.HeldChunks.createFingerprintsVector(builder, fingerprints);
  return wire.HeldChunks.createHeldChunks(builder, sizeBytes, vector);
}

function encodeAction(sequence: bigint, actionSequence: bigint, payload: Uint8Array): Uint8Array {
  const builder = new Builder(payload.length + kEnvelopeBytes);
  const vector = wire.Action.createPayloadVector(builder, payload);
  const action = wire.Action.createAction(builder, actionSequence, vector);
  return finishMessage(builder, sequence, wire.Message.Action, action);
}

function finishMessage(builder: Builder, sequence: bigint, type: wire.Message, message: number): Uint8Array {
  const envelope = wire.Envelope.createEnvelope(builder, sequence, type, message);
  wire.Envelope.finishEnvelopeBuffer(builder, envelope);
  return builder.asUint8Array();
}
