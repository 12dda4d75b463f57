import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEpoch, kOne, World } from "./client-world.js";
import { wholePatch } from "./support.js";

beforeAll(initHash);

const kTwo = Uint8Array.of(2, 2, 2, 2, 2);
const read = (bytes: Uint8Array) => [...bytes];

describe("connect", () => {
  test("connect: goes from connecting over syncing to live", async () => {
    const world = new World();
    expect(world.client.connection.getSnapshot()).toEqual({ state: "connecting", attempt: 1 });
    const topic = world.client.topic("world", read);
    await world.live();
    expect(world.states).toEqual(["syncing", "live"]);
    expect(world.socket).toMatchObject({
      url: "ws://test/api/ws",
      protocols: ["libsync.v1", "libsync.jwt.to.k.en"],
      binaryType: "arraybuffer",
    });
    expect(topic.getSnapshot()).toMatchObject({
      value: [1, 1, 1, 1],
      bytes: kOne,
      epoch: kEpoch,
      version: 1n,
    });
  });

  test("connect: gives each version its own identity and keeps it between versions", async () => {
    const world = new World();
    const topic = world.client.topic("world", read);
    expect(topic.getSnapshot()).toBeUndefined();
    expect(world.client.topic("world", read)).toBe(topic);
    let calls = 0;
    const remove = topic.subscribe(() => {
      calls += 1;
    });
    await world.live();
    const first = topic.getSnapshot();
    expect(topic.getSnapshot()).toBe(first);
    world.peer.patch(1, 2n, kOne, kTwo);
    const second = topic.getSnapshot();
    expect(second).not.toBe(first);
    expect(second).toMatchObject({
      version: 2n,
      receivedAtMs: world.timers.nowMs,
      update: { kind: "patch" },
    });
    expect(first?.bytes).toEqual(kOne);
    expect(calls).toBe(2);
    remove();
    world.peer.patch(1, 3n, kTwo, kOne);
    expect(calls).toBe(2);
  });

  test("connect: keeps a topic's store over a reconnect and goes on from what it holds", async () => {
    const world = new World();
    const topic = world.client.topic("world", read);
    await world.live();
    await world.timers.sleep(6_000);
    const held = topic.getSnapshot();
    world.drop();
    expect(world.state).toBe("reconnecting");
    expect(topic.getSnapshot()).toBe(held);
    await world.timers.sleep(2_000);
    expect(world.sockets).toHaveLength(2);
    await world.open();
    world.peer.welcome();
    expect(world.peer.all(wire.SubscribeT)[0]?.topics[0]?.have?.version).toBe(1n);
    world.peer.subscribed("world", 1, kEpoch, 2n, wire.TopicOutcome.kPatch);
    world.peer.patch(1, 2n, kOne, kTwo);
    expect(world.state).toBe("live");
    expect(topic.getSnapshot()?.value).toEqual([2, 2, 2, 2, 2]);
    expect(world.client.stats()).toMatchObject({
      updates: 2,
      fulls: 1,
      patches: 1,
      reconnects: 1,
      snapshotBytes: 9,
    });
  });

  test("connect: tells and counts what came as a chunk diff", async () => {
    const world = new World();
    const topic = world.client.topic("world", read);
    await world.live();
    world.drop();
    await world.timers.sleep(2_000);
    await world.open();
    world.peer.welcome();
    world.peer.subscribed("world", 1, kEpoch + 1n, 2n, wire.TopicOutcome.kChunkDiff);
    expect(world.state).toBe("syncing");
    world.peer.chunkDiff(1, 2n, wholePatch(kOne, kTwo));
    expect(world.state).toBe("live");
    expect(topic.getSnapshot()).toMatchObject({ epoch: kEpoch + 1n, update: { kind: "chunkDiff" } });
    expect(world.client.stats()).toMatchObject({ updates: 2, fulls: 1, patches: 0, chunkDiffs: 1 });
  });

  test("connect: a listener or reader that throws goes to onError and harms nothing", async () => {
    const world = new World();
    const bad = world.client.topic("world", (bytes) => {
      if (bytes.length === 5) throw new Error("reader");
      return bytes.length;
    });
    bad.subscribe(() => {
      throw new Error("listener");
    });
    await world.live();
    world.peer.patch(1, 2n, kOne, kTwo);
    world.peer.patch(1, 3n, kTwo, kOne);
    expect(world.errors.map(({ code, detail }) => `${code} ${detail}`)).toEqual([
      "kApplication listener",
      "kApplication reader",
      "kApplication listener",
    ]);
    expect(bad.getSnapshot()?.version).toBe(3n);
    expect(world.state).toBe("live");
  });

  test("connect: closing a topic unsubscribes, and the name may be taken again", async () => {
    const world = new World();
    const topic = world.client.topic("world", read);
    await world.live();
    topic.close();
    topic.close();
    expect(world.peer.all(wire.UnsubscribeT)).toEqual([new wire.UnsubscribeT([1])]);
    world.peer.unsubscribed(1);
    world.peer.received = [];
    const again = world.client.topic("world", read);
    expect(again).not.toBe(topic);
    expect(world.peer.all(wire.SubscribeT)).toHaveLength(1);
    expect(topic.getSnapshot()?.version).toBe(1n);
  });

  test("connect: counts digest mismatches and resyncs", async () => {
    const world = new World();
    const topic = world.client.topic("world", read);
    await world.live();
    world.peer.patch(1, 2n, kTwo, kOne);
    expect(world.client.stats()).toMatchObject({ resyncs: 1, digestMismatches: 0 });
    expect(world.errors.at(-1)).toMatchObject({ code: "kWrongBaseline", topic: "world" });
    world.peer.full(1, 2n, kTwo, wire.FullReason.kRequested);
    expect(topic.getSnapshot()?.value).toEqual([...kTwo]);
  });
});
