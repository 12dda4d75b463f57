// Chunk diffs: a client whose baseline is gone, or whose bytes went wrong, names the chunks of what it holds.

import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { heldChunksOf } from "../src/held-chunks.js";
import type { Limits } from "../src/limits.js";
import type { ReuseBytes } from "../src/patch-context.js";
import { kEpoch, kOne, Pair } from "./session-pair.js";
import { makeRandom, PatchWriter, randomBytes, stateFrame, stateFrames, wholePatch } from "./support.js";
import { readChain } from "./vectors.js";

beforeAll(initHash);

const kSize = 40_000;
const kBase = randomBytes(makeRandom(11), kSize);

/** Bytes that no compression helps with; a few of them change with the version. */
function state(version: number): Uint8Array {
  const bytes = kBase.slice();
  for (let i = 1; i <= 4; i += 1) bytes.fill(version, 1000 * i, 1000 * i + 4);
  return bytes;
}

/** What a server makes of the chunks of state(a): chunks that are copied, others that are not. */
function diff(held: Uint8Array, target: Uint8Array): Uint8Array {
  const writer = new PatchWriter(held);
  writer.add(target.subarray(0, 4352)).seek(4352);
  return writer.copy(held.length - 4352).bytes();
}

const named = (bytes: Uint8Array) => {
  const { sizeBytes, fingerprints } = heldChunksOf(bytes);
  return new wire.HeldChunksT(sizeBytes, [...fingerprints]);
};
const getState = (cause: wire.ErrorCode, held?: Uint8Array) =>
  new wire.GetStateT(1, cause, held === undefined ? null : named(held));

/** Live, holding state(1) as version 1 of `world`. */
function holding(limits: Partial<Limits> = {}, reuseBytes: ReuseBytes = false): Pair {
  const pair = new Pair(limits);
  pair.session.subscribe("world", 128, reuseBytes);
  pair.open();
  pair.peer.welcome();
  pair.peer.subscribed("world", 1, kEpoch, 1n);
  pair.peer.full(1, 1n, state(1));
  return pair;
}

/** Wants `world` and holds nothing. */
function subscribing(): Pair {
  const pair = new Pair();
  pair.session.subscribe("world");
  return pair;
}

/** As holding(), but away since; the server, at version 9, wants to know the chunks. */
function returned(
  limits: Partial<Limits> = {},
  announced: Partial<wire.SessionLimitsT> = {},
  epoch = kEpoch,
): Pair {
  const pair = holding(limits).closed().open();
  pair.events = [];
  pair.peer.welcome({}, announced);
  pair.peer.subscribed("world", 1, epoch, 9n, wire.TopicOutcome.kChunkDiff);
  return pair;
}

const asked = (pair: Pair) => pair.peer.all(wire.GetStateT);

/** A patch from state(1) with another digest than that of its target. */
function wrongPatch(version = 2n): Uint8Array {
  const body = diff(state(1), state(2));
  body[9] = (body[9] ?? 0) ^ 1;
  return stateFrame({ kind: "patch", topic: 1, version, back: 1n, body });
}

describe("session: a chunk diff that the server proposes", () => {
  test("session: names the chunks of what it holds, takes what it lacks, then patches", () => {
    const pair = returned();
    expect(asked(pair)).toEqual([getState(wire.ErrorCode.kNone, state(1))]);
    expect(pair.of("settled")).toEqual([]);
    pair.peer.chunkDiff(1, 9n, diff(state(1), state(9)));
    expect(pair.held()).toEqual(state(9));
    expect(pair.of("updated")).toMatchObject([
      { held: { epoch: kEpoch, version: 9n }, update: { kind: "chunkDiff", snapshotBytes: kSize } },
    ]);
    expect(pair.of("updated")[0]?.update.wireBytes).toBeLessThan(5_000);
    expect(pair.of("settled")).toHaveLength(1);
    expect(pair.of("resyncing")).toEqual([]);
    pair.peer.patch(1, 10n, state(9), state(10));
    expect(pair.held()).toEqual(state(10));
    expect(pair.of("updated").at(-1)?.update.kind).toBe("patch");
    expect(asked(pair)).toHaveLength(1);
    pair.sleep(1_000);
    expect(pair.peer.all(wire.AckT).at(-1)?.versions[0]).toMatchObject({ version: 10n });
  });

  test("session: takes it in a new epoch, and in parts", () => {
    const pair = returned({}, {}, kEpoch + 1n);
    const body = diff(state(1), state(9));
    const reason = wire.FullReason.kEpochChanged;
    for (const frame of stateFrames({ kind: "chunkDiff", topic: 1, version: 9n, reason, body }, 1000))
      pair.peer.deliver(frame);
    expect(pair.held()).toEqual(state(9));
    expect(pair.of("updated")).toMatchObject([{ held: { epoch: kEpoch + 1n, version: 9n } }]);
    expect(asked(pair)).toHaveLength(1);
  });

  test("session: names chunks of small states too, if the server wants them", () => {
    const pair = new Pair().live().closed().open();
    pair.peer.welcome();
    pair.peer.subscribed("world", 1, kEpoch, 9n, wire.TopicOutcome.kChunkDiff);
    expect(asked(pair)).toEqual([getState(wire.ErrorCode.kNone, kOne)]);
  });

  test("session: takes a full update instead", () => {
    const pair = returned();
    pair.peer.full(1, 9n, state(9), wire.FullReason.kBaselineGone);
    expect(pair.held()).toEqual(state(9));
    pair.peer.patch(1, 10n, state(9), state(10));
    expect(pair.held()).toEqual(state(10));
  });

  test("session: asks for the whole where chunks do not fit into a message of the server", () => {
    const bytes = heldChunksOf(state(1)).fingerprints.length;
    const allowed = returned({}, { maxMessageBytes: bytes + 128 });
    expect(asked(allowed)).toEqual([getState(wire.ErrorCode.kNone, state(1))]);
    const pair = returned({}, { maxMessageBytes: bytes + 127 });
    expect(asked(pair)).toEqual([getState(wire.ErrorCode.kNone)]);
    pair.peer.chunkDiff(1, 9n, diff(state(1), state(9)));
    expect(pair.of("resyncing")).toMatchObject([{ error: { code: "kWrongBaseline" } }]);
    pair.peer.full(1, 9n, state(9));
    expect(pair.held()).toEqual(state(9));
  });

  test("session: ignores patches until it comes", () => {
    const pair = returned();
    pair.peer.patch(1, 10n, state(9), state(10));
    pair.peer.patch(1, 2n, state(1), state(2));
    expect(pair.of("updated")).toEqual([]);
    expect(asked(pair)).toHaveLength(1);
    pair.peer.chunkDiff(1, 11n, diff(state(1), state(11)));
    expect(pair.held()).toEqual(state(11));
  });

  test("session: names them again when the server drops the message for its rate", () => {
    const pair = returned();
    pair.peer.error(wire.ErrorCode.kRateLimited, {
      recovery: wire.Recovery.kRetryable,
      retryAfterMs: 2_000,
      refSequence: 3n,
    });
    pair.sleep(2_500);
    const request = getState(wire.ErrorCode.kNone, state(1));
    expect(asked(pair)).toEqual([request, request]);
    pair.peer.chunkDiff(1, 9n, diff(state(1), state(9)));
    expect(pair.held()).toEqual(state(9));
  });

  test("session: ends for good if it holds nothing and never said so", () => {
    const pair = subscribing().open();
    pair.peer.welcome();
    pair.peer.subscribed("world", 1, kEpoch, 9n, wire.TopicOutcome.kChunkDiff);
    expect(pair.closes).toEqual([wire.CloseCode.kProtocolError]);
    pair.closed();
    expect(pair.ended()).toBe("kUnexpectedMessage, for good");
  });

  test("session: asks for the whole if the application gave up what it held meanwhile", () => {
    const pair = holding().closed().open();
    pair.peer.welcome();
    pair.session.unsubscribe("world");
    pair.session.subscribe("world");
    pair.peer.subscribed("world", 1, kEpoch, 9n, wire.TopicOutcome.kChunkDiff);
    expect(asked(pair)).toEqual([getState(wire.ErrorCode.kNone)]);
    expect(pair.closes).toEqual([]);
    pair.peer.full(1, 9n, state(9));
    expect(pair.held()).toEqual(state(9));
  });

  test.each([
    ["holding something", () => holding().closed().open()],
    ["holding nothing", () => subscribing().open()],
  ])("session: leaves instead of answering once the topic is not wanted, %s", (_, open) => {
    const pair = open();
    pair.peer.welcome();
    pair.session.unsubscribe("world");
    pair.peer.subscribed("world", 1, kEpoch, 9n, wire.TopicOutcome.kChunkDiff);
    expect(asked(pair)).toEqual([]);
    expect(pair.peer.all(wire.UnsubscribeT)).toEqual([new wire.UnsubscribeT([1])]);
    expect(pair.closes).toEqual([]);
  });
});

describe("session: chunks after a failure", () => {
  const kMismatch = wire.ErrorCode.kDigestMismatch;

  test("session: a patch that does not apply is healed by a chunk diff", () => {
    const pair = holding();
    pair.peer.deliver(wrongPatch());
    expect(asked(pair)).toEqual([getState(kMismatch, state(1))]);
    pair.peer.patch(1, 3n, state(2), state(3));
    expect(pair.held()).toEqual(state(1));
    pair.peer.chunkDiff(1, 4n, diff(state(1), state(4)), wire.FullReason.kDigestMismatch);
    expect(pair.held()).toEqual(state(4));
    pair.peer.patch(1, 5n, state(4), state(5));
    expect(pair.held()).toEqual(state(5));
    expect(asked(pair)).toHaveLength(1);
  });

  test("session: names them the first time in a row only", () => {
    const pair = holding();
    pair.peer.deliver(wrongPatch());
    // A chunk diff of other bytes than are held: the digest tells.
    const body = diff(state(1), state(4));
    body[9] = (body[9] ?? 0) ^ 1;
    pair.peer.chunkDiff(1, 4n, body);
    expect(asked(pair)).toEqual([getState(kMismatch, state(1)), getState(kMismatch)]);
    expect(pair.held()).toEqual(state(1));
    pair.peer.full(1, 4n, state(4));
    expect(pair.held()).toEqual(state(4));
    // A chunk diff or a full update that applies does not end the row; a patch does.
    pair.peer.patch(1, 7n, state(6), state(7));
    expect(asked(pair).at(-1)).toEqual(getState(wire.ErrorCode.kWrongBaseline));
    pair.peer.full(1, 7n, state(7));
    pair.peer.patch(1, 8n, state(7), state(8));
    pair.peer.patch(1, 10n, state(9), state(10));
    expect(asked(pair).at(-1)).toEqual(getState(wire.ErrorCode.kWrongBaseline, state(8)));
  });

  test("session: takes none for the chunks that it named before the last failure", () => {
    const pair = holding();
    pair.peer.deliver(wrongPatch());
    pair.peer.chunkDiff(1, 4n, Uint8Array.of(77));
    pair.peer.chunkDiff(1, 5n, diff(state(1), state(5)));
    expect(pair.held()).toEqual(state(1));
    expect(asked(pair).slice(1)).toEqual([
      getState(wire.ErrorCode.kMalformed),
      getState(wire.ErrorCode.kWrongBaseline),
    ]);
  });

  test("session: gives up after three in a row, even if the chunk diffs apply", () => {
    const pair = holding();
    for (let i = 0n; i < 4n; i += 1n) {
      expect(pair.closes).toEqual([]);
      pair.peer.deliver(wrongPatch(2n + i));
      if (i === 0n) pair.peer.chunkDiff(1, 2n, diff(state(1), state(1)));
      else pair.peer.full(1, 2n + i, state(1));
    }
    expect(asked(pair)).toHaveLength(3);
    expect(pair.closes).toEqual([wire.CloseCode.kResyncLoop]);
  });

  test.each([
    ["below", kSize + 1, false],
    ["at", kSize, true],
  ])("session: a state %s the limit", (_, minChunkDiffBytes, isNamed) => {
    const pair = holding({ minChunkDiffBytes });
    pair.peer.deliver(wrongPatch());
    expect(asked(pair)).toEqual([getState(kMismatch, isNamed ? state(1) : undefined)]);
  });

  test("session: names none of states below 32 KiB unless told otherwise", () => {
    const target = (size: number) => randomBytes(makeRandom(3), size);
    for (const [size, isNamed] of [
      [32 * 1024 - 1, false],
      [32 * 1024, true],
    ] as const) {
      const pair = new Pair().live();
      pair.peer.full(1, 2n, target(size));
      pair.peer.patch(1, 9n, kOne, kOne);
      expect(asked(pair)).toEqual([
        getState(wire.ErrorCode.kWrongBaseline, isNamed ? target(size) : undefined),
      ]);
    }
  });

  test("session: a chunk diff that was not asked for is one more failure, not one for each part", () => {
    const pair = holding();
    const body = diff(state(1), state(4));
    const fields = { kind: "chunkDiff", topic: 1, version: 4n, reason: 2, body } as const;
    for (const frame of stateFrames(fields, 1000)) pair.peer.deliver(frame);
    expect(pair.held()).toEqual(state(1));
    expect(pair.of("resyncing")).toMatchObject([{ error: { code: "kWrongBaseline" } }]);
    expect(asked(pair)).toEqual([getState(wire.ErrorCode.kWrongBaseline, state(1))]);
    for (const frame of stateFrames(fields, 1000)) pair.peer.deliver(frame);
    expect(pair.held()).toEqual(state(4));
  });

  test("session: one that comes after a full update is from bytes that are held no longer", () => {
    const pair = returned();
    pair.peer.full(1, 9n, state(9));
    pair.peer.chunkDiff(1, 10n, diff(state(1), state(10)));
    expect(pair.held()).toEqual(state(9));
    expect(asked(pair).at(-1)).toEqual(getState(wire.ErrorCode.kWrongBaseline, state(9)));
  });

  test("session: one asked for on a connection before is not asked for on this one", () => {
    const pair = returned().closed().open();
    pair.peer.welcome();
    pair.peer.subscribed("world", 1, kEpoch, 9n, wire.TopicOutcome.kFull);
    pair.peer.chunkDiff(1, 9n, diff(state(1), state(9)));
    expect(pair.of("updated")).toEqual([]);
    expect(asked(pair)).toEqual([getState(wire.ErrorCode.kWrongBaseline, state(1))]);
  });

  test("session: a chunk diff without a patch in it is a failure like any other", () => {
    const pair = returned();
    pair.peer.chunkDiff(1, 9n, Uint8Array.of(77));
    expect(asked(pair).at(-1)).toEqual(getState(wire.ErrorCode.kMalformed, state(1)));
    expect(pair.closes).toEqual([]);
  });

  test("session: one to a state above the limit ends the topic", () => {
    const pair = returned({ maxSnapshotBytes: kSize });
    pair.peer.chunkDiff(1, 9n, wholePatch(state(1), new Uint8Array(kSize + 1)));
    expect(pair.of("topicEnded")).toMatchObject([{ name: "world", error: { code: "kSnapshotTooBig" } }]);
  });
});

describe("session: chunks of bytes that are used again", () => {
  const chain = readChain("shots fly");

  test.each([false, true, "alternate"] as const)(
    "session: what is held stays as named until the chunk diff is there, reuseBytes %s",
    (reuseBytes) => {
      const pair = new Pair({ minChunkDiffBytes: 1 });
      pair.session.subscribe("world", 128, reuseBytes);
      pair.open();
      pair.peer.welcome();
      pair.peer.subscribed("world", 1, kEpoch, 1n);
      const baseline = (i: number) => chain[i]?.baseline ?? kOne;
      const body = (i: number) => chain[i]?.patch ?? kOne;
      pair.peer.full(1, 1n, baseline(0));
      const deliver = (i: number, patch: Uint8Array) =>
        pair.peer.deliver(
          stateFrame({ kind: "patch", topic: 1, version: BigInt(i + 2), back: 1n, body: patch }),
        );
      for (let i = 0; i < 4; i += 1) deliver(i, body(i));
      const held = baseline(4);
      expect(pair.held()).toEqual(held);
      // Applied over the held bytes before the digest says that it is wrong.
      const bent = body(4).slice();
      bent[1] = (bent[1] ?? 0) ^ 1;
      deliver(4, bent);
      expect(asked(pair)).toEqual([getState(wire.ErrorCode.kDigestMismatch, held)]);
      deliver(4, body(4));
      deliver(5, body(5));
      const writer = new PatchWriter(held).copy(400).add(kBase.subarray(0, 8)).seek(8);
      writer.copy(held.length - 408);
      const target = Uint8Array.from(writer.target);
      pair.peer.chunkDiff(1, 7n, writer.bytes());
      expect(pair.held()).toEqual(target);
      pair.peer.patch(1, 8n, target, baseline(0));
      expect(pair.held()).toEqual(baseline(0));
      expect(asked(pair)).toHaveLength(1);
    },
  );
});
