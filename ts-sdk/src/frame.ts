// State frames: one topic from one version to another, whole or in parts. Layout: docs/WIRE_FORMAT.md section 2.

import { ByteReader } from "./byte-reader.js";
import { malformed, SyncError } from "./errors.js";
import { FullReason } from "./generated/protocol_generated.js";

const kMaxU32 = 0xffff_ffff;
const kTagPatch = 0;
const kTagFull = 1;
const kTagChunkDiff = 2;
const kTagFirst = 0x10;
const kTagLast = 0x20;

/** What the frame leads from. */
export type FrameSource =
  | { readonly kind: "patch"; readonly baseVersion: bigint }
  | { readonly kind: "full"; readonly reason: FullReason }
  /** From the bytes whose chunks were named last, held-chunks.ts. */
  | { readonly kind: "chunkDiff"; readonly reason: FullReason };

/** Where a frame stands among those of its update. `total`: bytes of the whole body. */
export type FramePart =
  | { readonly type: "whole" }
  | { readonly type: "first"; readonly total: number }
  | { readonly type: "later"; readonly index: number; readonly isLast: boolean };

export interface StateFrame {
  /** The number that Subscribed gave the topic. */
  readonly topic: number;
  readonly version: bigint;
  readonly source: FrameSource;
  readonly part: FramePart;
  /** A view of the message, at least one byte. */
  readonly body: Uint8Array;
}

export type MessageClass = "control" | "state";

/** Says what a WebSocket message is. Throws kMalformed for one that is neither. */
export function classifyMessage(bytes: Uint8Array): MessageClass {
  const first = bytes[0];
  if (first === undefined) throw malformed("an empty message");
  switch (first & 3) {
    case 0:
      return "control";
    case 1:
      return "state";
    default:
      throw malformed("neither a control message nor a state frame");
  }
}

/** Reads one state frame; the body stays a view of `bytes`. Throws kMalformed. */
export function decodeStateFrame(bytes: Uint8Array): StateFrame {
  const reader = new ByteReader(bytes);
  const tag = reader.byte();
  if ((tag & 3) !== 1 || tag >> 6 !== 0) throw malformed("unknown frame format");
  const topic = reader.varint(kMaxU32);
  const version = reader.varint64();
  if (version === 0n) throw malformed("version 0");
  const source = decodeSource((tag >> 2) & 3, version, reader);
  const part = decodePart((tag & kTagFirst) !== 0, (tag & kTagLast) !== 0, reader);
  const body = reader.rest();
  if (body.length === 0) throw malformed("a frame without a body");
  if (part.type === "first" && part.total <= body.length) throw malformed("a first part that is all");
  return { topic, version, source, part, body };
}

function decodeSource(kind: number, version: bigint, reader: ByteReader): FrameSource {
  if (kind === kTagPatch) {
    const back = reader.varint64();
    if (back === 0n || back >= version) throw malformed("a patch from no version");
    return { kind: "patch", baseVersion: version - back };
  }
  if (kind !== kTagFull && kind !== kTagChunkDiff) throw malformed("unknown kind of frame");
  const reason = reader.byte();
  if (reason === FullReason.kNone || FullReason[reason] === undefined) throw malformed("no reason");
  return { kind: kind === kTagFull ? "full" : "chunkDiff", reason };
}

function decodePart(isFirst: boolean, isLast: boolean, reader: ByteReader): FramePart {
  if (isFirst && isLast) return { type: "whole" };
  const index = reader.varint(kMaxU32);
  if (isFirst !== (index === 0)) throw malformed("a part out of place");
  // Above 2^53 the number is rounded, which the assembler's bound does not mind.
  if (isFirst) return { type: "first", total: Number(reader.varint64()) };
  return { type: "later", index, isLast };
}

/** Joins the parts of one topic's updates. Holds at most one update, never more than `maxBytes` plus its last part. */
export class PartAssembler {
  readonly #maxBytes: number;
  #pending: PendingUpdate | undefined;

  /** `maxBytes`: largest body accepted. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next frame; returns the update once its last part is in, else undefined.
   * Throws kMalformed for a part that does not follow, kSnapshotTooBig for a body above the bound.
   */
  push(frame: StateFrame, wireBytes: number): { body: Uint8Array; wireBytes: number } | undefined {
    const { part, body } = frame;
    if (part.type !== "later") this.#pending = undefined;
    switch (part.type) {
      case "whole":
        this.#checkSize(body.length);
        return { body, wireBytes };
      case "first":
        this.#checkSize(part.total);
        this.#pending = new PendingUpdate(frame, part.total);
        break;
      case "later":
        if (this.#pending === undefined) throw malformed("a part without a first one");
        this.#pending.checkFollows(frame, part.index, part.isLast);
        break;
      default:
        part satisfies never;
    }
    const pending = this.#pending;
    if (pending === undefined) return undefined;
    pending.append(body, wireBytes);
    if (part.type !== "later" || !part.isLast) return undefined;
    this.#pending = undefined;
    return { body: pending.bytes(), wireBytes: pending.wireBytes };
  }

  /** Forgets an unfinished update. */
  clear(): void {
    this.#pending = undefined;
  }

  #checkSize(bytes: number): void {
    if (bytes > this.#maxBytes) {
      throw new SyncError("kSnapshotTooBig", `an update of ${bytes} bytes, the limit is ${this.#maxBytes}`);
    }
  }
}

class PendingUpdate {
  wireBytes = 0;
  readonly #first: StateFrame;
  readonly #total: number;
  // Grows with what arrived, not with what was announced: an announcement costs the sender nothing.
  #buffer = new Uint8Array(0);
  #size = 0;
  #nextIndex = 0;

  constructor(first: StateFrame, total: number) {
    this.#first = first;
    this.#total = total;
  }

  checkFollows(frame: StateFrame, index: number, isLast: boolean): void {
    if (index !== this.#nextIndex) throw malformed("a part out of order");
    if (frame.version !== this.#first.version || !sameSource(frame.source, this.#first.source)) {
      throw malformed("parts of two updates");
    }
    const size = this.#size + frame.body.length;
    if (isLast ? size !== this.#total : size >= this.#total) throw malformed("parts that are not the total");
  }

  append(body: Uint8Array, wireBytes: number): void {
    const size = this.#size + body.length;
    if (size > this.#buffer.length) {
      const grown = new Uint8Array(Math.min(this.#total, Math.max(size, 2 * this.#buffer.length)));
      grown.set(this.#buffer.subarray(0, this.#size));
      this.#buffer = grown;
    }
    this.#buffer.set(body, this.#size);
    this.#size = size;
    this.#nextIndex += 1;
    this.wireBytes += wireBytes;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }
}

function sameSource(a: FrameSource, b: FrameSource): boolean {
  if (a.kind === "patch") return b.kind === "patch" && a.baseVersion === b.baseVersion;
  return a.kind === b.kind && a.reason === b.reason;
}
