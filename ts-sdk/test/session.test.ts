import { beforeAll, describe, expect, test } from "vitest";
import { digestOf, initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEpoch, kOne, Pair } from "./session-pair.js";
import { codeOf, envelope, makeRandom, randomBytes, stateFrame, welcome, wholePatch } from "./support.js";
import { type ChainStep, readChain } from "./vectors.js";

beforeAll(initHash);

const kTwo = Uint8Array.of(2, 2, 2, 2, 2);
const kThree = Uint8Array.of(3);

/** A message with a sequence that was used already. */
const firstMessage = () => envelope(1n, wire.Message.Welcome, welcome());

describe("session: hello", () => {
  test("session: says Hello first and nothing else before Welcome", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.act(1);
    pair.open();
    pair.sleep(3_000);
    expect(pair.peer.received).toHaveLength(1);
    expect(pair.peer.received[0]).toMatchObject({
      protocolMin: 1,
      protocolMax: 1,
      patchFormatMax: 2,
      isNew: true,
      schemaFingerprint: 55n,
      sdk: "test",
    });
  });

  test("session: keeps its instance once the server knows it, and its action sequence goes on", () => {
    const pair = new Pair().open().closed().open();
    expect(pair.peer.all(wire.HelloT)[0]).toMatchObject({ isNew: true, instance: { low: 3n } });
    pair.peer.welcome();
    pair.closed().open();
    expect(pair.peer.all(wire.HelloT)[0]).toMatchObject({ isNew: false, instance: { low: 3n } });
    pair.peer.welcome({ lastActionSequence: 41n });
    pair.act(1);
    expect(pair.peer.all(wire.ActionT)[0]?.actionSequence).toBe(42n);
  });

  test("session: hears why it is refused before Welcome", () => {
    const pair = new Pair().open();
    pair.peer.error(wire.ErrorCode.kTooManySessions, { message: "five already" });
    pair.peer.disconnect(wire.CloseCode.kTooManySessions, wire.ErrorCode.kTooManySessions, true);
    pair.closed(4007);
    expect(pair.of("error")[0]?.error.detail).toBe("five already");
    expect(pair.ended()).toBe("kTooManySessions");
  });

  test("session: makes a fresh instance when the server lost its record", () => {
    const pair = new Pair().live();
    pair.peer.disconnect(wire.CloseCode.kStateInvalid, wire.ErrorCode.kUnknownInstance, true);
    pair.closed();
    expect(pair.ended()).toBe("kUnknownInstance");
    expect(pair.open().peer.all(wire.HelloT)[0]).toMatchObject({ isNew: true });
  });

  test.each([
    ["a message before Welcome", (pair: Pair) => pair.peer.unsubscribed(1), "kUnexpectedMessage", 1002],
    ["state before Welcome", (pair: Pair) => pair.peer.full(1, 1n, kOne), "kUnexpectedMessage", 1002],
    [
      "another protocol version",
      (pair: Pair) => pair.peer.welcome({ protocol: 2 }),
      "kVersionUnsupported",
      4501,
    ],
    [
      "a newer patch format",
      (pair: Pair) => pair.peer.welcome({ patchFormat: 3 }),
      "kVersionUnsupported",
      4501,
    ],
    ["bytes that are no message", (pair: Pair) => pair.peer.deliver(kTwo), "kMalformed", 1007],
    ["text", (pair: Pair) => pair.session.handleText('{"error":{}}'), "kTextFrame", 1003],
  ])("session: ends for good at %s", (_, act, code, closeCode) => {
    const pair = new Pair().open();
    act(pair);
    pair.poll();
    expect(pair.closes).toEqual([closeCode]);
    pair.closed(1006);
    expect(pair.ended()).toBe(`${code}, for good`);
  });

  test.each([
    ["a second Welcome", (pair: Pair) => pair.peer.welcome(), "kUnexpectedMessage", 1002],
    ["a repeated sequence", (pair: Pair) => pair.peer.deliver(firstMessage()), "kSequenceGap", 1002],
    [
      "a message too big",
      (pair: Pair) => pair.peer.deliver(new Uint8Array(2_000_000)),
      "kMessageTooBig",
      1009,
    ],
    ["Subscribed unasked", (pair: Pair) => pair.peer.subscribed("x", 2, 1n, 1n), "kUnexpectedMessage", 1002],
    ["Unsubscribed from nothing", (pair: Pair) => pair.peer.unsubscribed(9), "kUnexpectedMessage", 1002],
    ["a malformed frame", (pair: Pair) => pair.peer.deliver(Uint8Array.of(0x31, 1)), "kMalformed", 1007],
    [
      "a part without a first",
      (pair: Pair) => pair.peer.deliver(Uint8Array.of(5, 1, 2, 1, 1, 1)),
      "kMalformed",
      1007,
    ],
  ])("session: ends for good at %s while live", (_, act, code, closeCode) => {
    const pair = new Pair().live();
    act(pair);
    expect(pair.closes).toEqual([closeCode]);
    pair.closed();
    expect(pair.ended()).toBe(`${code}, for good`);
  });
});

describe("session: topics", () => {
  test("session: subscribes after Welcome, applies full and patch, settles once", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.session.subscribe("player/me", 200);
    pair.open();
    pair.peer.welcome();
    const [subscribe] = pair.peer.all(wire.SubscribeT);
    expect(subscribe?.topics).toEqual([
      new wire.TopicRequestT("world", 128, null),
      new wire.TopicRequestT("player/me", 200, null),
    ]);
    pair.peer.subscribed("world", 1, kEpoch, 1n);
    pair.peer.subscribed("player/me", 2, kEpoch, 0n);
    expect(pair.of("settled")).toHaveLength(0);
    pair.peer.full(1, 1n, kOne);
    expect(pair.of("settled")).toHaveLength(1);
    pair.peer.patch(1, 4n, kOne, kTwo, 3n);
    const [full, patch] = pair.of("updated");
    expect(full).toMatchObject({ name: "world", update: { kind: "full", snapshotBytes: 4 } });
    expect(patch).toMatchObject({
      held: { epoch: kEpoch, version: 4n },
      update: { kind: "patch", snapshotBytes: 5 },
    });
    expect(pair.held()).toEqual(kTwo);
    expect(pair.of("settled")).toHaveLength(1);
  });

  test("session: settles at once without topics", () => {
    const pair = new Pair().open();
    pair.peer.welcome();
    expect(pair.events.map((event) => event.type)).toEqual(["welcomed", "roundTrip", "settled"]);
  });

  test("session: asks with what it holds after a reconnect, and goes on from it", () => {
    const pair = new Pair().live().closed();
    expect(pair.ended()).toBe("kConnectionLost");
    pair.open();
    pair.peer.welcome();
    const have = new wire.PositionT(kEpoch, 1n, digestOf(kOne));
    expect(pair.peer.all(wire.SubscribeT)[0]?.topics).toEqual([new wire.TopicRequestT("world", 128, have)]);
    pair.peer.subscribed("world", 5, kEpoch, 1n, wire.TopicOutcome.kUpToDate);
    expect(pair.of("settled")).toHaveLength(2);
    pair.peer.patch(5, 2n, kOne, kTwo);
    expect(pair.held()).toEqual(kTwo);
    expect(pair.peer.all(wire.GetStateT)).toEqual([]);
  });

  test("session: asks for the state if it is said to be up to date and is not", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.open();
    pair.peer.welcome();
    pair.peer.subscribed("world", 1, kEpoch, 3n, wire.TopicOutcome.kUpToDate);
    expect(pair.peer.all(wire.GetStateT)).toEqual([new wire.GetStateT(1, wire.ErrorCode.kWrongBaseline)]);
  });

  test("session: joins parts with other messages in between", () => {
    const pair = new Pair().live();
    const big = randomBytes(makeRandom(1), 5_000);
    const frames = pair.peer.fullInParts(1, 2n, big, 1_000);
    for (const [i, frame] of frames.entries()) {
      pair.peer.deliver(frame);
      if (i < frames.length - 1) pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(5n, 0n));
    }
    expect(pair.held()).toEqual(big);
    const wireBytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    expect(pair.of("updated").at(-1)?.update.wireBytes).toBe(wireBytes);
  });

  test("session: takes a new epoch only by a full update", () => {
    const pair = new Pair().live();
    pair.peer.subscribed("world", 1, 8n, 1n);
    pair.peer.patch(1, 2n, kOne, kTwo);
    expect(pair.peer.all(wire.GetStateT)).toEqual([new wire.GetStateT(1, wire.ErrorCode.kWrongBaseline)]);
    expect(pair.held()).toEqual(kOne);
    pair.peer.full(1, 2n, kTwo);
    expect(pair.of("updated").at(-1)).toMatchObject({ held: { epoch: 8n, version: 2n } });
  });

  test("session: unsubscribes, drops frames meanwhile, and subscribes anew", () => {
    const pair = new Pair().live();
    pair.session.unsubscribe("world");
    pair.poll();
    expect(pair.peer.all(wire.UnsubscribeT)).toEqual([new wire.UnsubscribeT([1])]);
    pair.session.subscribe("world");
    pair.peer.patch(1, 2n, kOne, kTwo);
    expect(pair.held()).toEqual(kOne);
    expect(pair.peer.all(wire.SubscribeT)).toHaveLength(1);
    pair.peer.unsubscribed(1);
    expect(pair.peer.all(wire.SubscribeT)[1]?.topics).toEqual([new wire.TopicRequestT("world", 128, null)]);
    pair.peer.subscribed("world", 1, kEpoch, 2n);
    pair.peer.full(1, 2n, kTwo);
    expect(pair.held()).toEqual(kTwo);
    pair.peer.patch(9, 2n, kOne, kTwo);
    expect(pair.closes).toEqual([]);
  });

  test("session: unsubscribes as soon as it may from what it asked for", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.open();
    pair.peer.welcome();
    pair.session.unsubscribe("world");
    pair.poll();
    expect(pair.peer.all(wire.UnsubscribeT)).toEqual([]);
    pair.peer.subscribed("world", 1, kEpoch, 1n);
    expect(pair.peer.all(wire.UnsubscribeT)).toEqual([new wire.UnsubscribeT([1])]);
    pair.peer.unsubscribed(1);
    pair.closed().open();
    pair.peer.welcome();
    expect(pair.peer.all(wire.SubscribeT)).toEqual([]);
  });

  test("session: tells of a refused topic and does not ask again", () => {
    const pair = new Pair();
    pair.session.subscribe("secret");
    pair.open();
    pair.peer.welcome();
    pair.peer.error(wire.ErrorCode.kForbiddenTopic, { topic: "secret" });
    expect(pair.of("topicEnded")).toMatchObject([
      { name: "secret", error: { code: "kForbiddenTopic", topic: "secret" } },
    ]);
    expect(pair.of("settled")).toHaveLength(1);
    pair.closed().open();
    pair.peer.welcome();
    expect(pair.peer.all(wire.SubscribeT)).toEqual([]);
  });

  test("session: asks again for a topic that is refused for now", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.open();
    pair.peer.welcome();
    const retry = { topic: "world", recovery: wire.Recovery.kRetryable, retryAfterMs: 3_000 };
    pair.peer.error(wire.ErrorCode.kStoreUnavailable, retry);
    pair.sleep(2_999);
    expect(pair.peer.all(wire.SubscribeT)).toHaveLength(1);
    pair.sleep(1);
    expect(pair.peer.all(wire.SubscribeT)).toHaveLength(2);
  });

  test("session: tells when the server ends a topic", () => {
    const pair = new Pair().live();
    pair.peer.unsubscribed(1, wire.ErrorCode.kForbiddenTopic);
    expect(pair.of("topicEnded")).toMatchObject([{ name: "world", error: { code: "kForbiddenTopic" } }]);
  });

  test("session: gives up a topic whose snapshot is above its limit", () => {
    const pair = new Pair({ maxSnapshotBytes: 4 }).live();
    pair.peer.patch(1, 2n, kOne, kTwo);
    expect(pair.of("topicEnded")).toMatchObject([{ error: { code: "kSnapshotTooBig", topic: "world" } }]);
    expect(pair.peer.all(wire.UnsubscribeT)).toHaveLength(1);
    expect(pair.closes).toEqual([]);
  });

  test("session: refuses topic names that no server takes", () => {
    const { session } = new Pair();
    expect(codeOf(() => session.subscribe(""))).toBe("kUnknownTopic");
    expect(codeOf(() => session.subscribe("\u00fc".repeat(129)))).toBe("kUnknownTopic");
  });
});

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

describe("session: acks", () => {
  test("session: acks a version at once, then at most once a second", () => {
    const pair = new Pair().live();
    expect(pair.peer.all(wire.AckT)).toEqual([new wire.AckT([new wire.TopicVersionT(1, kEpoch, 1n)], 2n)]);
    for (let version = 2n; version <= 21n; version += 1n) {
      pair.sleep(100);
      pair.peer.patch(1, version, kOne, kOne);
    }
    pair.sleep(1_000);
    const versions = pair.peer.all(wire.AckT).map((ack) => ack.versions[0]?.version);
    expect(versions).toEqual([1n, 10n, 20n, 21n]);
    pair.sleep(5_000);
    expect(pair.peer.all(wire.AckT)).toHaveLength(4);
  });

  test("session: acks each 64 KiB of state", () => {
    const pair = new Pair().live();
    const big = new Uint8Array(40 * 1024);
    pair.peer.full(1, 2n, big);
    expect(pair.peer.all(wire.AckT)).toHaveLength(1);
    pair.peer.full(1, 3n, big);
    expect(pair.peer.all(wire.AckT)).toHaveLength(2);
  });

  test("session: acks nothing that was not sent on this connection", () => {
    const pair = new Pair().live().closed().open();
    pair.peer.welcome();
    pair.peer.subscribed("world", 1, kEpoch, 1n, wire.TopicOutcome.kUpToDate);
    pair.sleep(5_000);
    expect(pair.peer.all(wire.AckT)).toEqual([]);
  });
});

describe("session: heartbeats", () => {
  test("session: answers a heartbeat at once and ignores one that is an answer to nothing", () => {
    const pair = new Pair().live();
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(123n, 0n));
    const [answer] = pair.peer.all(wire.HeartbeatT);
    expect(answer?.echoMs).toBe(123n);
    expect(answer?.sentMs).not.toBe(0n);
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, 99n));
    expect(pair.of("roundTrip")).toHaveLength(1);
  });

  test("session: asks after 9 s of silence, measures the round trip, gives up after 18 s", () => {
    const pair = new Pair().live();
    pair.sleep(8_999);
    expect(pair.peer.all(wire.HeartbeatT)).toEqual([]);
    pair.sleep(1);
    const [question] = pair.peer.all(wire.HeartbeatT);
    expect(question?.echoMs).toBe(0n);
    pair.nowMs += 30;
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, question?.sentMs ?? 0n));
    expect(pair.of("roundTrip").at(-1)?.rttMs).toBe(30);
    pair.sleep(17_999);
    expect(pair.closes).toEqual([]);
    pair.sleep(1);
    expect(pair.closes).toEqual([4003]);
    pair.closed();
    expect(pair.ended()).toBe("kHeartbeatTimeout");
  });

  test("session: gives up on a server that never answers Hello", () => {
    const pair = new Pair().open();
    pair.sleep(18_000);
    expect(pair.closes).toEqual([4003]);
  });

  test("session: keeps one answer for a flood of heartbeats", () => {
    const pair = new Pair().open();
    pair.peer.welcome({}, { messagesPerSecond: 2, messagesBurst: 4 });
    for (let i = 1n; i <= 1_000n; i += 1n) {
      pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(i, 0n));
    }
    pair.sleep(5_000);
    const echoes = pair.peer.all(wire.HeartbeatT).map((heartbeat) => heartbeat.echoMs);
    expect(echoes).toEqual([1n, 2n, 1_000n]);
  });
});

describe("session: actions", () => {
  test("session: numbers actions and hands on their results", () => {
    const pair = new Pair().live();
    const [a, b] = [pair.act(1), pair.act(2)];
    expect(pair.peer.all(wire.ActionT)).toEqual([new wire.ActionT(1n, [1]), new wire.ActionT(2n, [2])]);
    pair.peer.actionResult(2n, wire.ActionStatus.kRefused, wire.ErrorCode.kActionRefused);
    pair.peer.actionResult(1n);
    pair.peer.actionResult(1n);
    expect(pair.of("actionFinished")).toEqual([
      {
        type: "actionFinished",
        id: b,
        result: expect.objectContaining({ status: "refused", code: "kActionRefused", message: "said" }),
      },
      {
        type: "actionFinished",
        id: a,
        result: {
          status: "accepted",
          code: "kNone",
          message: "said",
          visibleAt: [{ topic: "world", epoch: kEpoch, version: 2n }],
          durable: false,
          payload: Uint8Array.of(5),
        },
      },
    ]);
  });

  test("session: keeps to the number of actions in flight", () => {
    const pair = new Pair().live();
    for (let i = 0; i < 9; i += 1) pair.act(i);
    expect(pair.peer.all(wire.ActionT)).toHaveLength(4);
    pair.peer.actionResult(1n);
    pair.peer.actionResult(2n);
    expect(pair.peer.all(wire.ActionT)).toHaveLength(6);
  });

  test("session: says that the outcome of a sent action is unknown, and keeps the others for later", () => {
    const pair = new Pair().live();
    for (let i = 1; i <= 6; i += 1) pair.act(i);
    pair.closed();
    expect(pair.of("actionFailed").map(({ id, error }) => [id, error.code])).toEqual(
      [1, 2, 3, 4].map((id) => [id, "kConnectionLost"]),
    );
    pair.open();
    pair.peer.welcome({ lastActionSequence: 3n });
    expect(pair.peer.all(wire.ActionT)).toEqual([new wire.ActionT(4n, [5]), new wire.ActionT(5n, [6])]);
  });

  test("session: gives up waiting actions when it ends for good", () => {
    const pair = new Pair();
    pair.act(1);
    pair.open();
    pair.peer.disconnect(wire.CloseCode.kSchemaMismatch, wire.ErrorCode.kSchemaMismatch, false);
    pair.closed(4506);
    expect(pair.of("actionFailed")).toMatchObject([{ id: 1, error: { code: "kSchemaMismatch" } }]);
  });

  test("session: bounds the actions that wait", () => {
    const pair = new Pair({ maxQueuedActions: 2, maxQueuedActionBytes: 10 });
    pair.act(1);
    expect(codeOf(() => pair.session.act(new Uint8Array(10)))).toBe("kTooManyActions");
    pair.act(2);
    expect(codeOf(() => pair.act(3))).toBe("kTooManyActions");
  });

  test("session: refuses an action above the server's message limit", () => {
    const pair = new Pair();
    const big = pair.act(...new Array<number>(5_000).fill(0));
    const small = pair.act(1);
    pair.open();
    pair.peer.welcome({}, { maxMessageBytes: 1_000 });
    expect(pair.of("actionFailed")).toMatchObject([{ id: big, error: { code: "kMessageTooBig" } }]);
    expect(pair.peer.all(wire.ActionT)).toEqual([new wire.ActionT(1n, [1])]);
    expect(codeOf(() => pair.session.act(new Uint8Array(1_000)))).toBe("kMessageTooBig");
    pair.peer.actionResult(1n);
    expect(pair.of("actionFinished")).toMatchObject([{ id: small }]);
  });
});

describe("session: pacing", () => {
  test("session: keeps to the announced message rate, whatever the application does", () => {
    const pair = new Pair().open();
    pair.peer.welcome({}, { messagesPerSecond: 10, messagesBurst: 20, maxActionsInFlight: 1_000 });
    const times: number[] = [];
    const take = pair.peer.take.bind(pair.peer);
    pair.peer.take = (bytes) => {
      times.push(pair.nowMs);
      take(bytes);
    };
    for (let i = 0; i < 200; i += 1) pair.act(1);
    pair.sleep(8_000);
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, 0n));
    pair.sleep(8_000);
    for (const [i, at] of times.entries()) {
      const inWindow = times.filter((time, j) => j >= i && time < at + 5_000).length;
      expect(inWindow).toBeLessThanOrEqual(20 + 5 * 10);
    }
    expect(times.length).toBeGreaterThan(100);
    expect(pair.closes).toEqual([]);
  });

  test("session: waits and repeats what the server dropped for its rate", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.open();
    pair.peer.welcome();
    const slow = { recovery: wire.Recovery.kRetryable, retryAfterMs: 2_000, refSequence: 2n };
    pair.peer.error(wire.ErrorCode.kRateLimited, slow);
    pair.sleep(1_999);
    expect(pair.peer.received).toHaveLength(2);
    pair.sleep(1);
    expect(pair.peer.all(wire.SubscribeT)).toHaveLength(2);
    expect(pair.peer.all(wire.SubscribeT)[1]).toEqual(pair.peer.all(wire.SubscribeT)[0]);
  });
});

describe("session: closing", () => {
  test.each([
    [wire.CloseCode.kServiceRestart, wire.ErrorCode.kShuttingDown, true, "kShuttingDown"],
    [wire.CloseCode.kTokenExpired, wire.ErrorCode.kTokenExpired, true, "kTokenExpired"],
    [wire.CloseCode.kReplaced, wire.ErrorCode.kNone, true, "kConnectionLost, for good"],
    [wire.CloseCode.kRateLimited, wire.ErrorCode.kRateLimited, false, "kRateLimited, for good"],
  ])("session: believes Disconnect %i more than the close code", (closeCode, code, reconnect, ended) => {
    const pair = new Pair().live();
    pair.peer.disconnect(closeCode, code, reconnect, 700);
    pair.closed(1006);
    expect(pair.ended()).toBe(ended);
    expect(pair.of("ended").at(-1)?.retryAfterMs).toBe(700);
  });

  test.each([
    [1000, "kConnectionLost"],
    [1001, "kConnectionLost"],
    [1006, "kConnectionLost"],
    [1012, "kConnectionLost"],
    [4001, "kConnectionLost"],
    [4499, "kConnectionLost"],
    [1002, "kUnexpectedMessage, for good"],
    [1003, "kTextFrame, for good"],
    [1007, "kMalformed, for good"],
    [1009, "kMessageTooBig, for good"],
    [4501, "kVersionUnsupported, for good"],
    [4502, "kUnauthenticated, for good"],
    [4999, "kConnectionLost, for good"],
  ])("session: close code %i alone means %s", (code, ended) => {
    expect(new Pair().live().closed(code).ended()).toBe(ended);
  });

  test("session: says nothing after it closed, and lives again", () => {
    const pair = new Pair().live();
    pair.peer.deliver(Uint8Array.of(2));
    const received = pair.peer.received.length;
    expect(pair.peer.received.at(-1)).toMatchObject({ closeCode: 1007, code: wire.ErrorCode.kMalformed });
    pair.act(1);
    pair.peer.patch(1, 2n, kOne, kTwo);
    pair.sleep(60_000);
    expect(pair.peer.received).toHaveLength(received);
    expect(pair.closes).toEqual([1007]);
    expect(pair.held()).toEqual(kOne);
  });

  test("session: meets any bytes at any time with a close, never with a throw", () => {
    const random = makeRandom(31);
    for (let round = 0; round < 400; round += 1) {
      const pair = new Pair().live();
      const frames = [
        ...pair.peer.fullInParts(1, 2n, randomBytes(random, 300), 100),
        stateFrame({ kind: "patch", topic: 1, version: 2n, back: 1n, body: wholePatch(kOne, kTwo) }),
        envelope(3n, wire.Message.Heartbeat, new wire.HeartbeatT(1n, 0n)),
        envelope(3n, wire.Message.Subscribed, new wire.SubscribedT("world", 1, kEpoch, 2n)),
      ];
      for (const frame of frames) {
        for (let flips = 0; flips < round % 3; flips += 1) {
          const at = Math.floor(random() * frame.length);
          frame[at] = (frame[at] ?? 0) ^ (1 << Math.floor(random() * 8));
        }
        pair.peer.deliver(frame);
      }
      pair.sleep(20_000);
      pair.closed();
    }
  });
});
