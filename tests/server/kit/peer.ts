// A conversation in the libsync protocol, message by message: it says only what the test tells it to say, and checks
// what the server says: sequences without a gap, patches that fit, digests.

import { Builder, ByteBuffer } from "flatbuffers";
import { kOpcode, RawSocket, type UpgradeOptions } from "./raw-socket.js";
import {
  applyPatch,
  decodeStateFrame,
  heldChunksOf,
  initHash,
  makeSnapshot,
  PartAssembler,
  PatchContext,
  type Position,
  type Snapshot,
  type UpdateKind,
  wire,
} from "./sdk.js";
import { until } from "./wait.js";

const kMaxSnapshotBytes = 16 << 20;

type WireMessage = NonNullable<wire.EnvelopeT["message"]>;
type Constructor<T> = new (...args: never[]) => T;

/** An update of a topic that arrived. */
export interface Update {
  readonly kind: UpdateKind;
  readonly version: bigint;
  readonly wireBytes: number;
  readonly atMs: number;
}

export interface Held {
  readonly name: string;
  readonly epoch: bigint;
  readonly outcome: wire.TopicOutcome;
  readonly reason: wire.FullReason;
  readonly updates: Update[];
  readonly parts: PartAssembler;
  version: bigint;
  snapshot: Snapshot;
  /** Of the patches so far. */
  readonly context: PatchContext;
}

/** Bytes of a control message. */
export function encodeEnvelope(sequence: bigint, type: wire.Message, message: WireMessage): Uint8Array {
  const builder = new Builder(256);
  const envelope = new wire.EnvelopeT(sequence, type, message);
  wire.Envelope.finishEnvelopeBuffer(builder, envelope.pack(builder));
  return builder.asUint8Array();
}

export function hello(changes: Partial<wire.HelloT> = {}): wire.HelloT {
  const id = new wire.Id128T(BigInt(Math.floor(Math.random() * 2 ** 50)), 7n);
  return Object.assign(new wire.HelloT(1, 1, 2, id, true, 0n, "tests/server", 0), changes);
}

export class Peer {
  readonly raw: RawSocket;
  /** Control messages that arrived, in order. */
  readonly messages: WireMessage[] = [];
  /** Texts that arrived. */
  readonly texts: string[] = [];
  /** By the number of Subscribed. */
  readonly topics = new Map<number, Held>();
  /** State frames of topics that are not subscribed. */
  strayFrames = 0;
  #sent = 0n;
  #received = 0n;
  #actions = 0n;

  constructor(raw: RawSocket) {
    this.raw = raw;
  }

  /** Connects and says nothing. */
  static async open(port: number, token: string, options: UpgradeOptions = {}): Promise<Peer> {
    await initHash();
    return new Peer(await RawSocket.connect(port, token, options));
  }

  /** Connects, says Hello and waits for Welcome. */
  static async live(port: number, token: string, options: UpgradeOptions = {}): Promise<Peer> {
    const peer = await Peer.open(port, token, options);
    peer.send(wire.Message.Hello, hello());
    await peer.message(wire.WelcomeT);
    return peer;
  }

  /** Sends a message with the next sequence. */
  send(type: wire.Message, message: WireMessage): void {
    this.#sent += 1n;
    this.sendBytes(encodeEnvelope(this.#sent, type, message));
  }

  /** Sends anything as one binary message. */
  sendBytes(payload: Uint8Array): void {
    this.raw.sendFrame({ payload });
  }

  subscribe(...names: string[]): void {
    this.send(
      wire.Message.Subscribe,
      new wire.SubscribeT(names.map((name) => new wire.TopicRequestT(name, 128, null))),
    );
  }

  /** Subscribes with what it claims to hold. */
  subscribeHaving(name: string, have: Position): void {
    const position = new wire.PositionT(have.epoch, have.version, have.digest);
    this.send(wire.Message.Subscribe, new wire.SubscribeT([new wire.TopicRequestT(name, 128, position)]));
  }

  /** Sends an action with the next action sequence and waits for its result. */
  async act(payload: Uint8Array): Promise<wire.ActionResultT> {
    this.#actions += 1n;
    const sequence = this.#actions;
    this.send(wire.Message.Action, new wire.ActionT(sequence, [...payload]));
    return this.message(wire.ActionResultT, (result) => result.actionSequence === sequence);
  }

  /** Takes all that has arrived. */
  poll(): void {
    for (const frame of this.raw.frames.splice(0)) {
      if (frame.opcode === kOpcode.text) this.texts.push(Buffer.from(frame.payload).toString("utf8"));
      else if (frame.opcode === kOpcode.binary) this.#take(frame.payload);
    }
  }

  /** Takes what arrives until `holds`. */
  async until(what: string, holds: () => boolean, timeoutMs = 5_000): Promise<void> {
    const holdsNow = (): boolean => {
      this.poll();
      return holds();
    };
    await until(what, holdsNow, timeoutMs, 5);
  }

  /** Waits for a message of this type, taking it out of `messages`; those before it stay. */
  message<T extends WireMessage>(
    type: Constructor<T>,
    accepts: (message: T) => boolean = () => true,
    timeoutMs = 5_000,
  ): Promise<T> {
    return until(
      `a ${type.name}`,
      () => {
        this.poll();
        const at = this.messages.findIndex((m) => m instanceof type && accepts(m as T));
        if (at >= 0) return this.messages.splice(at, 1)[0] as T;
        if (this.raw.isEnded) throw new Error(`the connection ended before a ${type.name}`);
        return undefined;
      },
      timeoutMs,
      5,
    );
  }

  /** Waits until the topic is subscribed and holds a version. */
  topic(name: string, timeoutMs = 5_000): Promise<Held & { readonly number: number }> {
    return until(
      `the topic ${name}`,
      () => {
        this.poll();
        for (const [number, held] of this.topics) {
          if (held.name === name && held.version > 0n) return Object.assign(held, { number });
        }
        if (this.raw.isEnded) throw new Error(`the connection ended before the topic ${name}`);
        return undefined;
      },
      timeoutMs,
      5,
    );
  }

  #take(bytes: Uint8Array): void {
    if (((bytes[0] ?? 0) & 3) === 1) {
      this.#takeState(bytes);
      return;
    }
    const { sequence, message } = wire.Envelope.getRootAsEnvelope(new ByteBuffer(bytes)).unpack();
    this.#received += 1n;
    if (sequence !== this.#received)
      throw new Error(`sequence ${sequence} from the server after ${this.#received - 1n}`);
    if (message === null) throw new Error("an envelope without a message");
    if (message instanceof wire.SubscribedT) this.#bind(message);
    if (message instanceof wire.UnsubscribedT) this.topics.delete(message.topic);
    this.messages.push(message);
  }

  /** What to hold before Subscribed says kUpToDate, kPatch or, without its version, kChunkDiff. */
  readonly cache = new Map<string, { readonly version: bigint; readonly snapshot: Snapshot }>();

  #bind(message: wire.SubscribedT): void {
    const name = String(message.name);
    const cached = message.outcome === wire.TopicOutcome.kFull ? undefined : this.cache.get(name);
    const wantsChunks = message.outcome === wire.TopicOutcome.kChunkDiff;
    if (wantsChunks) this.#nameChunks(message.topic, cached?.snapshot);
    this.topics.set(message.topic, {
      name,
      epoch: message.epoch,
      outcome: message.outcome,
      reason: message.reason,
      updates: [],
      parts: new PartAssembler(kMaxSnapshotBytes),
      version: wantsChunks ? 0n : (cached?.version ?? 0n),
      snapshot: cached?.snapshot ?? makeSnapshot(new Uint8Array(0)),
      context: new PatchContext(),
    });
  }

  /** Asks for the whole if nothing is held. */
  #nameChunks(topic: number, snapshot: Snapshot | undefined): void {
    const getState = new wire.GetStateT(topic, wire.ErrorCode.kNone);
    if (snapshot !== undefined) {
      const { sizeBytes, fingerprints } = heldChunksOf(snapshot.bytes);
      getState.chunks = new wire.HeldChunksT(sizeBytes, [...fingerprints]);
    }
    this.send(wire.Message.GetState, getState);
  }

  #takeState(bytes: Uint8Array): void {
    const frame = decodeStateFrame(bytes);
    const held = this.topics.get(frame.topic);
    if (held === undefined) {
      this.strayFrames += 1;
      return;
    }
    const whole = held.parts.push(frame, bytes.length);
    if (whole === undefined) return;
    const isFull = frame.source.kind === "full";
    if (frame.source.kind === "patch" && frame.source.baseVersion !== held.version) {
      throw new Error(`a patch from version ${frame.source.baseVersion}, held is ${held.version}`);
    }
    const baseline = isFull ? makeSnapshot(new Uint8Array(0)) : held.snapshot;
    held.snapshot = applyPatch(baseline, whole.body, { maxSnapshotBytes: kMaxSnapshotBytes }, held.context);
    held.version = frame.version;
    held.updates.push({
      kind: frame.source.kind,
      version: frame.version,
      wireBytes: whole.wireBytes,
      atMs: performance.now(),
    });
  }
}
