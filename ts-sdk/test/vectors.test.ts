// The bytes that both languages agree on: ../tests/vectors/*.json, written by C++ (see make_vectors.cpp there).

import { beforeAll, describe, expect, test } from "vitest";
import { chunkSize, initHash, makeFingerprints, xxh3 } from "../src/fingerprint.js";
import { decodeStateFrame, PartAssembler, type StateFrame } from "../src/frame.js";
import { heldChunkSize, heldChunksOf } from "../src/held-chunks.js";
import { kPatchOverheadBytes } from "../src/limits.js";
import { decodeMessage } from "../src/message.js";
import { applyPatch } from "../src/patch.js";
import { PatchContext } from "../src/patch-context.js";
import { makeSnapshot } from "../src/snapshot.js";
import { codeOf } from "./support.js";
import { bytesOf, readVectors } from "./vectors.js";

/** The default of C++, with which the vectors were made. */
const kMaxSnapshotBytes = 16 * 1024 * 1024;

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const hex64 = (value: bigint) => value.toString(16).padStart(16, "0");
const expectedCode = (error: string) => (error === "" ? "nothing thrown" : error);

beforeAll(initHash);

describe("vectors: digests", () => {
  type Key = "size" | "chunk_size" | "first_fingerprint" | "digest";
  type HeldKey = "held_chunk_size" | "held_fingerprints" | "first_held_fingerprint";
  const vectors = readVectors<Key | HeldKey>("digests.json");
  test.each(vectors)("vectors: digest of $size bytes", (vector) => {
    const size = Number(vector.size);
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) % 251);
    const { chunks, digest } = makeFingerprints(bytes);
    expect(chunkSize(size)).toBe(Number(vector.chunk_size));
    expect(hex64(digest)).toBe(vector.digest);
    expect(hexOf(chunks.slice(0, 8).reverse())).toBe(vector.first_fingerprint);
    const held = heldChunksOf(bytes);
    expect(held.sizeBytes).toBe(size);
    expect(heldChunkSize(size)).toBe(Number(vector.held_chunk_size));
    expect(hex64(xxh3(held.fingerprints))).toBe(vector.held_fingerprints);
    expect(hexOf(held.fingerprints.subarray(0, 6))).toBe(vector.first_held_fingerprint);
  });
});

describe("vectors: patches", () => {
  type Key = "name" | "after" | "baseline" | "patch" | "error" | "target" | "digest";
  const vectors = readVectors<Key>("patches.json");

  /** What the vectors before this one leave behind: those that it comes after, in their order. */
  function contextBefore(index: number): PatchContext {
    const context = new PatchContext();
    let first = index;
    while (vectors[first]?.after !== "") {
      expect(vectors[first]?.after).toBe(vectors[first - 1]?.name);
      first -= 1;
    }
    for (const { baseline, patch } of vectors.slice(first, index)) {
      codeOf(() => apply(baseline, patch, context));
    }
    return context;
  }
  const apply = (baseline: string, patch: string, context: PatchContext) =>
    applyPatch(
      makeSnapshot(bytesOf(baseline)),
      bytesOf(patch),
      { maxSnapshotBytes: kMaxSnapshotBytes },
      context,
    );

  test.each(vectors.map((vector, index) => ({ ...vector, index })))("vectors: patch, $name", (vector) => {
    const run = () => apply(vector.baseline, vector.patch, contextBefore(vector.index));
    expect(codeOf(run)).toBe(expectedCode(vector.error));
    if (vector.error !== "") return;
    expect(hexOf(run().bytes)).toBe(vector.target);
    expect(hex64(run().digest)).toBe(vector.digest);
  });

  test("vectors: there are patches that continue others", () => {
    expect(vectors.filter(({ after, error }) => after !== "" && error === "").length).toBeGreaterThan(20);
    expect(vectors.filter(({ after, error }) => after !== "" && error !== "").length).toBeGreaterThan(5);
  });

  test("vectors: there are patches that apply and patches that do not", () => {
    expect(vectors.filter((vector) => vector.error === "").length).toBeGreaterThan(5);
    expect(vectors.filter((vector) => vector.error !== "").length).toBeGreaterThan(10);
  });
});

describe("vectors: frames", () => {
  type Key =
    | "topic"
    | "version"
    | "kind"
    | "base_version"
    | "reason"
    | "first"
    | "last"
    | "part"
    | "total_bytes"
    | "body";
  const vectors = readVectors<Key | "name" | "frame" | "error">("frames.json");
  test.each(vectors)("vectors: frame, $name", (vector) => {
    const bytes = bytesOf(vector.frame);
    // C++ checks the announced size where it reads the frame, the SDK where it joins the parts.
    const run = () => {
      const frame = decodeStateFrame(bytes);
      const assembler = new PartAssembler(kMaxSnapshotBytes + kPatchOverheadBytes);
      if (frame.part.type === "first") assembler.push(frame, bytes.length);
      return frame;
    };
    expect(codeOf(run)).toBe(expectedCode(vector.error));
    if (vector.error !== "") return;
    expect(flatten(run())).toEqual(
      Object.fromEntries(Object.entries(vector).filter(([key]) => !["name", "frame", "error"].includes(key))),
    );
  });

  function flatten({ topic, version, source, part, body }: StateFrame): Record<Key, string> {
    const isFirst = part.type !== "later";
    const isLast = part.type === "whole" || (part.type === "later" && part.isLast);
    const total = part.type === "whole" ? body.length : part.type === "first" ? part.total : 0;
    return {
      topic: `${topic}`,
      version: `${version}`,
      kind: source.kind === "chunkDiff" ? "chunk diff" : source.kind,
      base_version: source.kind === "patch" ? `${source.baseVersion}` : "0",
      reason: source.kind === "patch" ? "0" : `${source.reason}`,
      first: isFirst ? "1" : "0",
      last: isLast ? "1" : "0",
      part: part.type === "later" ? `${part.index}` : "0",
      total_bytes: `${total}`,
      body: hexOf(body),
    };
  }
});

test("vectors: there are frames of every kind", () => {
  const vectors = readVectors<"kind" | "error">("frames.json");
  const kinds = new Set(vectors.filter(({ error }) => error === "").map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(["chunk diff", "full", "patch"]);
});

describe("vectors: messages", () => {
  const vectors = readVectors<"type" | "sequence" | "message" | "sample" | "value">("messages.json");
  const values: Record<string, object> = {
    Welcome: {
      schemaFingerprint: 0xfedcba9876543210n,
      server: "libsync 0.1.0",
      limits: expect.objectContaining({ maxMessageBytes: 65_536, heartbeatIntervalMs: 9_000 }),
      tokenExpiresInMs: 86_400_000,
    },
    Subscribed: { name: "player/al\u00e9a", topic: 7, epoch: 0x0123456789abcdefn, version: 42n },
    Unsubscribed: { topic: 7, code: "kUnknownTopic" },
    ActionResult: {
      actionSequence: 5n,
      code: "kActionRefused",
      message: "not enough energy",
      visibleAt: [{ topic: 1, epoch: 0n, version: 99n }],
      payload: Uint8Array.of(1, 2, 3),
    },
    Heartbeat: { sentMs: 1_234_567_890_123n, echoMs: 0n },
    Error: { code: "kRateLimited", retryAfterMs: 250, message: "too many messages" },
    Disconnect: { closeCode: 1012, code: "kShuttingDown", reconnect: true },
  };
  test.each(vectors)("vectors: message, $type", (vector) => {
    const { sequence, message } = decodeMessage(bytesOf(vector.message));
    expect(`${sequence}`).toBe(vector.sequence);
    expect(message).toMatchObject(values[vector.type] ?? { unknown: vector.type });
  });
});
