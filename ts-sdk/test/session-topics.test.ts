import { beforeAll, describe, expect, test } from "vitest";
import { digestOf, initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEpoch, kOne, Pair } from "./session-pair.js";
import { codeOf, makeRandom, randomBytes } from "./support.js";

beforeAll(initHash);

const kTwo = Uint8Array.of(2, 2, 2, 2, 2);

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
