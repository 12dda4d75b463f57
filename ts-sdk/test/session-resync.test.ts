import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEpoch, kOne, Pair } from "./session-pair.js";
import { stateFrame, wholePatch } from "./support.js";
import { type ChainStep, readChain } from "./vectors.js";

beforeAll(initHash);

const kTwo = Uint8Array.of(2, 2, 2, 2, 2);
const kThree = Uint8Array.of(3);

describe("session: patches that continue others", () => {
  const chain = readChain("shots fly");
  const step = (i: number) => chain[i] as ChainStep;
  /** Patch `i` of the chain leads to version i + 2. */
  const deliver = (pair: Pair, i: number) =>
    pair.peer.deliver(
      stateFrame({ kind: "patch", topic: 1, version: BigInt(i + 2), back: 1n, body: step(i).patch }),
    );
  /** Holds the target of the first three patches, at version 4. */
  const flying = () => {
    const pair = new Pair().live();
    pair.peer.full(1, 1n, step(0).baseline);
    for (let i = 0; i < 3; i += 1) deliver(pair, i);
    expect(pair.held()).toEqual(step(2).target);
    return pair;
  };
  const expectRefused = (pair: Pair) => {
    deliver(pair, 3);
    expect(pair.peer.all(wire.GetStateT)).toEqual([new wire.GetStateT(1, wire.ErrorCode.kWrongBaseline)]);
    expect(pair.held()).toEqual(step(3).baseline);
  };

  test("session: applies a row of them", () => {
    const pair = flying();
    for (let i = 3; i < chain.length; i += 1) deliver(pair, i);
    expect(pair.held()).toEqual(chain.at(-1)?.target);
    expect(pair.peer.all(wire.GetStateT)).toEqual([]);
  });

  test("session: none continues over a full update", () => {
    const pair = flying();
    pair.peer.full(1, 4n, step(3).baseline);
    expectRefused(pair);
  });

  test("session: none continues over a new connection", () => {
    const pair = flying().closed().open();
    pair.peer.welcome();
    pair.peer.subscribed("world", 1, kEpoch, 4n, wire.TopicOutcome.kUpToDate);
    expectRefused(pair);
  });

  test("session: none continues over another answer to the subscription", () => {
    const pair = flying();
    pair.peer.subscribed("world", 1, kEpoch, 4n, wire.TopicOutcome.kUpToDate);
    expectRefused(pair);
  });

  test("session: none continues after one that does not apply", () => {
    const pair = flying();
    deliver(pair, 4);
    pair.peer.full(1, 4n, step(3).baseline);
    deliver(pair, 3);
    expect(pair.peer.all(wire.GetStateT)).toHaveLength(2);
  });
});

describe("session: resync", () => {
  const wrongDigest = (topic: number, version: bigint) => {
    const body = wholePatch(kOne, kTwo);
    body[5] = (body[5] ?? 0) ^ 1;
    return stateFrame({ kind: "patch", topic, version, back: 1n, body });
  };

  test("session: keeps what it holds at a digest mismatch and ignores patches until a full update", () => {
    const pair = new Pair().live();
    pair.peer.deliver(wrongDigest(1, 2n));
    expect(pair.peer.all(wire.GetStateT)).toEqual([new wire.GetStateT(1, wire.ErrorCode.kDigestMismatch)]);
    expect(pair.of("resyncing")).toMatchObject([{ name: "world", error: { code: "kDigestMismatch" } }]);
    pair.peer.patch(1, 2n, kOne, kTwo);
    expect(pair.held()).toEqual(kOne);
    pair.peer.full(1, 3n, kThree, wire.FullReason.kDigestMismatch);
    expect(pair.held()).toEqual(kThree);
    pair.peer.patch(1, 4n, kThree, kTwo);
    expect(pair.held()).toEqual(kTwo);
    expect(pair.peer.all(wire.GetStateT)).toHaveLength(1);
  });

  test.each([
    ["a base version it does not hold", 3n, 1n, kOne, wire.ErrorCode.kWrongBaseline],
    ["a baseline of another size", 2n, 1n, kTwo, wire.ErrorCode.kWrongBaseline],
  ])("session: asks for the state at %s", (_, version, back, baseline, cause) => {
    const pair = new Pair().live();
    pair.peer.patch(1, version, baseline, kThree, back);
    expect(pair.peer.all(wire.GetStateT)).toEqual([new wire.GetStateT(1, cause)]);
  });

  test("session: asks for the state at a malformed patch in a sound frame", () => {
    const pair = new Pair().live();
    pair.peer.deliver(stateFrame({ kind: "patch", topic: 1, version: 2n, back: 1n, body: kOne }));
    expect(pair.peer.all(wire.GetStateT)).toEqual([new wire.GetStateT(1, wire.ErrorCode.kMalformed)]);
    expect(pair.closes).toEqual([]);
  });

  test("session: gives up after three resyncs in a row, even if the full updates apply", () => {
    const pair = new Pair().live();
    for (let i = 0n; i < 3n; i += 1n) {
      pair.peer.deliver(wrongDigest(1, 2n + i));
      expect(pair.closes).toEqual([]);
      pair.peer.full(1, 2n + i, kOne);
    }
    expect(pair.peer.all(wire.GetStateT)).toHaveLength(3);
    pair.peer.deliver(wrongDigest(1, 5n));
    expect(pair.closes).toEqual([wire.CloseCode.kResyncLoop]);
    pair.closed();
    expect(pair.ended()).toBe("kDigestMismatch, for good");
  });

  test("session: starts counting anew once a patch applies", () => {
    const pair = new Pair().live();
    for (let i = 0n; i < 20n; i += 1n) {
      pair.peer.deliver(wrongDigest(1, 2n + 2n * i));
      pair.peer.full(1, 2n + 2n * i, kOne);
      pair.peer.patch(1, 3n + 2n * i, kOne, kOne);
    }
    expect(pair.closes).toEqual([]);
  });
});
