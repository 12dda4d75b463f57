// A server small enough to be read at once: it answers as it is told, and keeps the books a server keeps.

import { ByteBuffer } from "flatbuffers";
import * as wire from "../src/generated/protocol_generated.js";
import { envelope, stateFrame, stateFrames, welcome, wholePatch } from "./support.js";

type WireMessage = NonNullable<wire.EnvelopeT["message"]>;

/** Undoes the nulls of the object API in what tests look at. */
export type Received =
  | wire.HelloT
  | wire.SubscribeT
  | wire.UnsubscribeT
  | wire.GetStateT
  | wire.ActionT
  | wire.AckT
  | wire.RefreshTokenT
  | wire.HeartbeatT
  | wire.DisconnectT;

export class ScriptedPeer {
  /** Where messages to the client go. */
  deliver: (bytes: Uint8Array) => void = () => undefined;
  /** All messages from the client on this connection, in order. */
  received: Received[] = [];
  #sequence = 0n;
  #expected = 1n;

  /** A new connection begins. */
  reset(): void {
    this.received = [];
    this.#sequence = 0n;
    this.#expected = 1n;
  }

  /** Takes a message from the client and checks its sequence. */
  take(bytes: Uint8Array): void {
    const { sequence, message } = wire.Envelope.getRootAsEnvelope(new ByteBuffer(bytes)).unpack();
    if (sequence !== this.#expected) throw new Error(`sequence ${sequence}, expected ${this.#expected}`);
    this.#expected += 1n;
    this.received.push(message as Received);
  }

  /** The messages of one type received so far. */
  all<T extends Received>(type: new () => T): T[] {
    return this.received.filter((message): message is T => message instanceof type);
  }

  send(type: wire.Message, message: WireMessage): void {
    this.#sequence += 1n;
    this.deliver(envelope(this.#sequence, type, message));
  }

  welcome(changes: Partial<wire.WelcomeT> = {}, limits: Partial<wire.SessionLimitsT> = {}): void {
    this.send(wire.Message.Welcome, welcome(changes, limits));
  }

  subscribed(
    name: string,
    topic: number,
    epoch: bigint,
    version: bigint,
    outcome = wire.TopicOutcome.kFull,
  ): void {
    this.send(wire.Message.Subscribed, new wire.SubscribedT(name, topic, epoch, version, outcome));
  }

  unsubscribed(topic: number, code = wire.ErrorCode.kNone): void {
    this.send(wire.Message.Unsubscribed, new wire.UnsubscribedT(topic, code));
  }

  full(topic: number, version: bigint, target: Uint8Array, reason = wire.FullReason.kFirst): void {
    const body = wholePatch(new Uint8Array(0), target);
    this.deliver(stateFrame({ kind: "full", topic, version, reason, body }));
  }

  fullInParts(topic: number, version: bigint, target: Uint8Array, partBytes: number): Uint8Array[] {
    const body = wholePatch(new Uint8Array(0), target);
    return stateFrames({ kind: "full", topic, version, reason: wire.FullReason.kFirst, body }, partBytes);
  }

  /** `body`: a patch from the bytes whose chunks the client named. */
  chunkDiff(topic: number, version: bigint, body: Uint8Array, reason = wire.FullReason.kBaselineGone): void {
    this.deliver(stateFrame({ kind: "chunkDiff", topic, version, reason, body }));
  }

  patch(topic: number, version: bigint, baseline: Uint8Array, target: Uint8Array, back = 1n): void {
    this.deliver(stateFrame({ kind: "patch", topic, version, back, body: wholePatch(baseline, target) }));
  }

  actionResult(
    sequence: bigint,
    status = wire.ActionStatus.kAccepted,
    code = wire.ErrorCode.kNone,
    changes: Partial<wire.ActionResultT> = {},
  ): void {
    const seen = [new wire.TopicVersionT(1, 7n, 2n)];
    const result = new wire.ActionResultT(sequence, status, code, "said", seen, false, [5]);
    this.send(wire.Message.ActionResult, Object.assign(result, changes));
  }

  /** The action was not executed and is to be sent again. */
  actionFailed(sequence: bigint, retryAfterMs: number, code = wire.ErrorCode.kStoreUnavailable): void {
    this.actionResult(sequence, wire.ActionStatus.kFailed, code, { retryAfterMs });
  }

  actionsDurable(sequence: bigint): void {
    this.send(wire.Message.ActionsDurable, new wire.ActionsDurableT(sequence));
  }

  goAway(withinMs: number): void {
    this.send(wire.Message.GoAway, new wire.GoAwayT(withinMs, "maintenance"));
  }

  error(code: wire.ErrorCode, changes: Partial<wire.ErrorT> = {}): void {
    this.send(wire.Message.Error, Object.assign(new wire.ErrorT(code), changes));
  }

  disconnect(closeCode: wire.CloseCode, code: wire.ErrorCode, reconnect: boolean, retryAfterMs = 0): void {
    this.send(wire.Message.Disconnect, new wire.DisconnectT(closeCode, code, reconnect, retryAfterMs, "bye"));
  }
}
