// What several tests share: seeded randomness, patches and frames written by hand, messages as a server writes them.

import { Builder } from "flatbuffers";
import { SyncError } from "../src/errors.js";
import { digestOf } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import type { UpdateKind } from "../src/types.js";

/** Uniform in [0, 1), the same for the same seed (mulberry32, Tommy Ettinger). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomBytes(random: () => number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
}

export function varint(value: number | bigint): number[] {
  let rest = BigInt(value);
  const bytes: number[] = [];
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

export function uint64(value: bigint): number[] {
  return Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

/** The code of the SyncError that `run` throws. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SyncError) return error.code;
    throw error;
  }
  return "nothing thrown";
}

/** Ops of a patch and, beside them, what they make of the baseline. */
export class PatchWriter {
  readonly #baseline: Uint8Array;
  readonly ops: number[] = [];
  readonly target: number[] = [];
  cursor = 0;

  constructor(baseline: Uint8Array) {
    this.#baseline = baseline;
  }

  op(kind: number, count: number): this {
    this.ops.push(...varint(count * 4 + kind));
    return this;
  }

  copy(count: number): this {
    for (const byte of this.#baseline.subarray(this.cursor, this.cursor + count)) this.target.push(byte);
    this.cursor += count;
    return this.op(0, count);
  }

  add(bytes: ArrayLike<number>): this {
    this.op(1, bytes.length);
    for (const byte of Array.from(bytes)) {
      this.target.push(byte);
      this.ops.push(byte);
    }
    return this;
  }

  seek(distance: number): this {
    this.cursor += distance;
    return this.op(2, distance >= 0 ? 2 * distance : -2 * distance - 1);
  }

  lanes(differences: readonly number[]): this {
    this.op(3, differences.length);
    for (const difference of differences) {
      this.ops.push(...varint(difference >= 0 ? 2 * difference : -2 * difference - 1));
      let lane = 0;
      for (let i = 3; i >= 0; i -= 1) lane = lane * 256 + (this.#baseline[this.cursor + i] ?? 0);
      lane = (lane + difference) >>> 0;
      for (let i = 0; i < 4; i += 1) this.target.push((lane >>> (8 * i)) & 255);
      this.cursor += 4;
    }
    return this;
  }

  /** The patch; what is given takes the place of what is right. */
  bytes(
    other: { format?: number; baselineSize?: number; targetSize?: number; digest?: bigint } = {},
  ): Uint8Array {
    return Uint8Array.from([
      other.format ?? 1,
      ...varint(other.baselineSize ?? this.#baseline.length),
      ...varint(other.targetSize ?? this.target.length),
      ...uint64(other.digest ?? digestOf(Uint8Array.from(this.target))),
      ...this.ops,
    ]);
  }
}

/** A patch from `baseline` of random ops, all valid. */
export function randomPatch(random: () => number, baseline: Uint8Array): PatchWriter {
  const writer = new PatchWriter(baseline);
  const pick = (below: number) => Math.floor(random() * below);
  let last = -1;
  for (let i = 0; i < 12; i += 1) {
    const kind = pick(4);
    const left = baseline.length - writer.cursor;
    if (kind === 0 && last !== 0 && left > 0) writer.copy(1 + pick(left));
    else if (kind === 1 && last !== 1) writer.add(randomBytes(random, 1 + pick(200)));
    else if (kind === 3 && left >= 4) {
      const count = 1 + pick(Math.min(20, Math.floor(left / 4)));
      writer.lanes(Array.from({ length: count }, () => pick(2 ** 32) - 2 ** 31));
    } else if (kind === 2 && baseline.length > 8) {
      const to = pick(baseline.length - 8);
      if (to === writer.cursor) continue;
      writer.seek(to - writer.cursor).copy(1 + pick(8));
      last = 0;
      continue;
    } else continue;
    last = kind;
  }
  return writer;
}

/** A patch that puts whole `target` in the place of `baseline`. */
export function wholePatch(baseline: Uint8Array, target: Uint8Array): Uint8Array {
  const writer = new PatchWriter(baseline);
  if (target.length > 0) writer.add(target);
  return writer.bytes();
}

const kKindBits = { patch: 0, full: 4, chunkDiff: 8 } as const;

interface FrameFields {
  readonly kind: UpdateKind;
  readonly topic: number;
  readonly version: number | bigint;
  readonly back?: number | bigint;
  readonly reason?: number;
  readonly body: Uint8Array;
}

/** One state frame that is a whole update. */
export function stateFrame(fields: FrameFields): Uint8Array {
  return Uint8Array.from([0x31 | kKindBits[fields.kind], ...header(fields), ...fields.body]);
}

/** The frames of one update, each with `partBytes` of the body. */
export function stateFrames(fields: FrameFields, partBytes: number): Uint8Array[] {
  const { body } = fields;
  if (body.length <= partBytes) return [stateFrame(fields)];
  const frames: Uint8Array[] = [];
  for (let at = 0, part = 0; at < body.length; at += partBytes, part += 1) {
    const isLast = at + partBytes >= body.length;
    const tag = 1 | kKindBits[fields.kind] | (part === 0 ? 0x10 : 0) | (isLast ? 0x20 : 0);
    const total = part === 0 ? varint(body.length) : [];
    frames.push(
      Uint8Array.from([
        tag,
        ...header(fields),
        ...varint(part),
        ...total,
        ...body.subarray(at, at + partBytes),
      ]),
    );
  }
  return frames;
}

function header({ kind, topic, version, back = 1, reason = 1 }: FrameFields): number[] {
  return [...varint(topic), ...varint(version), ...(kind === "patch" ? varint(back) : [reason])];
}

type WireMessage = NonNullable<wire.EnvelopeT["message"]>;

/** A control message as the generated code writes it. */
export function envelope(sequence: bigint, type: wire.Message, message: WireMessage): Uint8Array {
  const builder = new Builder(256);
  const root = new wire.EnvelopeT(sequence, type, message).pack(builder);
  wire.Envelope.finishEnvelopeBuffer(builder, root);
  return builder.asUint8Array().slice();
}

export function welcome(changes: Partial<wire.WelcomeT> = {}, limits: Partial<wire.SessionLimitsT> = {}) {
  const all = Object.assign(
    new wire.SessionLimitsT(65_536, 1 << 24, 64, 4, 60, 120, 10, 9_000, 9_000, 2_000),
    limits,
  );
  const message = new wire.WelcomeT(
    1,
    1,
    new wire.Id128T(1n, 2n),
    wire.SessionOutcome.kFresh,
    wire.FreshReason.kNotAsked,
    [],
    0n,
    "test",
    all,
    0n,
    0n,
  );
  return Object.assign(message, changes);
}
