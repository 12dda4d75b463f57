// Plain values -> control messages. How they are read: message.ts.

import { Builder } from "flatbuffers";
import * as wire from "./generated/protocol_generated.js";
import type { HeldChunks } from "./held-chunks.js";
import {
  type ClientMessage,
  type Id128,
  kEnvelopeBytes,
  type SessionSecret,
  type TopicRequest,
} from "./message.js";

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
        packId(message.instance),
        message.isNew,
        message.schemaFingerprint,
        message.sdk,
        message.maxSnapshotBytes,
        message.resume === undefined ? null : packResume(message.resume),
        message.attempt,
        message.ledger === undefined ? null : packId(message.ledger),
        message.firstSeenMs,
        message.confirmedAction,
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
      return encodeAction(sequence, message);
    case "ack":
      envelope.messageType = wire.Message.Ack;
      envelope.message = new wire.AckT(
        message.versions.map((v) => new wire.TopicVersionT(v.topic, v.epoch, v.version)),
        message.receivedSequence,
        message.confirmedAction,
      );
      break;
    case "refreshToken":
      envelope.messageType = wire.Message.RefreshToken;
      envelope.message = new wire.RefreshTokenT(message.token);
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

function packId({ low, high }: Id128): wire.Id128T {
  return new wire.Id128T(low, high);
}

function packResume({ session, secret }: SessionSecret): wire.SessionResumeT {
  return new wire.SessionResumeT(packId(session), [...secret]);
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

function encodeAction(sequence: bigint, action: Extract<ClientMessage, { type: "action" }>): Uint8Array {
  const { actionSequence, payload, confirmedAction, isWithdrawn } = action;
  const builder = new Builder(payload.length + kEnvelopeBytes);
  const vector = wire.Action.createPayloadVector(builder, payload);
  const table = wire.Action.createAction(builder, actionSequence, vector, confirmedAction, isWithdrawn);
  return finishMessage(builder, sequence, wire.Message.Action, table);
}

function finishMessage(builder: Builder, sequence: bigint, type: wire.Message, message: number): Uint8Array {
  const envelope = wire.Envelope.createEnvelope(builder, sequence, type, message);
  wire.Envelope.finishEnvelopeBuffer(builder, envelope);
  return builder.asUint8Array();
}
