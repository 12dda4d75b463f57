// What a client stores of itself, when, and what becomes of it in a later process.

import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { FakeStorage, settle, World } from "./client-world.js";

beforeAll(initHash);

const bytes = (...values: number[]) => Uint8Array.from(values);
const kSecret = { session: new wire.Id128T(1n, 2n), secret: [1, 2, 3] };
const kLedger = new wire.Id128T(5n, 6n);

describe("client: storage", () => {
  test("client: connects only when a later process would know of it", async () => {
    const storage = new FakeStorage();
    storage.isWaiting = true;
    const world = new World({ storage });
    await settle();
    expect(world.sockets).toHaveLength(0);
    await storage.finish();
    expect(world.sockets).toHaveLength(1);
  });

  test("client: counts its connection attempts, over processes, and stores ahead", async () => {
    const storage = new FakeStorage();
    const world = new World({ storage });
    for (let i = 1n; i <= 70n; i += 1n) {
      await world.open();
      expect(world.hello().attempt).toBe(i);
      if (i === 64n) expect(storage.writes).toBe(1);
      world.drop();
      await world.timers.sleep(world.retryInMs());
    }
    expect(storage.writes).toBe(2);
    const later = new World({ storage: storage.copy() });
    await later.open();
    expect(later.hello().attempt).toBe(129n);
  });

  test("client: sends an action only after it is stored", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled();
    storage.isWaiting = true;
    const action = world.client.act(bytes(1));
    await settle();
    expect(world.sent()).toEqual([]);
    await storage.finish();
    expect(world.sent()).toEqual(["1:1"]);
    await expect(action.stored).resolves.toBeUndefined();
  });

  test("client: sends no action before it is stored that the server knows it", async () => {
    const storage = new FakeStorage();
    const world = new World({ storage });
    world.client.act(bytes(1));
    await world.open();
    storage.isWaiting = true;
    world.peer.welcome();
    await settle();
    expect(world.sent()).toEqual([]);
    // A process that starts now is new, so it may send the action.
    const later = new World({ storage: storage.copy() });
    await later.settled();
    expect(later.hello()).toMatchObject({ isNew: true });
    expect(later.sent()).toEqual(["1:1"]);
    await storage.finish();
    expect(world.sent()).toEqual(["1:1"]);
  });

  test("client: a later process is the same client and goes on with its actions", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled({
      ...kSecret,
      ledger: kLedger,
      firstSeenMs: 77n,
    });
    for (let i = 1; i <= 3; i += 1) world.client.act(bytes(i));
    await settle();
    world.peer.actionResult(1n, 0, 0, { durable: true });
    await settle();
    const before = world.hello();
    const later = new World({ storage: storage.copy() });
    later.client.act(bytes(4));
    await later.open();
    expect(later.hello()).toMatchObject({
      instance: before.instance,
      isNew: false,
      attempt: 65n,
      ledger: kLedger,
      firstSeenMs: 77n,
      confirmedAction: 1n,
      resume: { session: kSecret.session, secret: kSecret.secret },
    });
    later.peer.welcome({ lastActionSequence: 2n });
    await settle();
    expect(later.sent()).toEqual(["3:3", "4:4"]);
    const restored = await later.client.restoredActions();
    expect(restored.map(({ id }) => id)).toEqual([2n, 3n]);
    later.peer.actionResult(2n, wire.ActionStatus.kRefused, wire.ErrorCode.kActionRefused);
    await expect(restored[0]).resolves.toMatchObject({ status: "refused" });
  });

  test("client: an action that cannot be stored is not executed, by no process, and says so", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled();
    storage.isFailing = true;
    const lost = world.client.act(bytes(1));
    await expect(lost.stored).rejects.toMatchObject({ code: "kStoreUnavailable" });
    await expect(lost).rejects.toMatchObject({ code: "kStoreUnavailable" });
    expect(world.errors).toMatchObject([{ code: "kStoreUnavailable" }]);
    storage.isFailing = false;
    const kept = world.client.act(bytes(2));
    await kept.stored;
    await settle();
    const later = new World({ storage: storage.copy() });
    await later.settled();
    for (const each of [world, later]) expect(each.sent()).toEqual(["1:withdrawn", "2:2"]);
  });

  test("client: sends no action while it cannot be stored that the server knows it, but shows topics", async () => {
    const storage = new FakeStorage();
    const world = new World({ storage });
    const topic = world.client.topic("world", (state) => [...state]);
    world.client.act(bytes(1));
    await world.open();
    storage.isFailing = true;
    world.peer.welcome();
    world.peer.subscribed("world", 1, 7n, 1n);
    world.peer.full(1, 1n, bytes(1, 1));
    await world.timers.sleep(5_000);
    expect(world.state).toBe("live");
    expect(topic.getSnapshot()?.value).toEqual([1, 1]);
    expect(world.sent()).toEqual([]);
    expect(world.errors.map(({ code }) => code)).toEqual(["kStoreUnavailable"]);
    storage.isFailing = false;
    await world.timers.sleep(1_000);
    expect(world.sent()).toEqual(["1:1"]);
  });

  test("client: confirms nothing while its end cannot be stored", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled();
    world.client.act(bytes(1));
    await settle();
    storage.isFailing = true;
    world.peer.actionResult(1n, 0, 0, { durable: true });
    await world.timers.sleep(5_000);
    expect(world.peer.all(wire.AckT)).toEqual([]);
    storage.isFailing = false;
    await world.timers.sleep(2_000);
    expect(world.peer.all(wire.AckT)).toEqual([new wire.AckT([], 2n, 1n)]);
  });

  test("client: begins anew where it cannot read what it kept, and leaves none of it behind", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled();
    world.client.act(bytes(1));
    world.client.act(bytes(2));
    await settle();
    storage.values.set("identity", bytes(0));
    const later = new World({ storage });
    await later.settled();
    expect(later.errors).toMatchObject([{ code: "kStoreUnavailable" }]);
    expect(later.hello()).toMatchObject({ isNew: true });
    expect(later.sent()).toEqual([]);
    expect(storage.keys).toEqual(["identity"]);
    later.client.act(bytes(3));
    await settle();
    const last = new World({ storage });
    await last.settled();
    expect(last.sent()).toEqual(["1:3"]);
  });

  test("client: without a storage that can be read topics go on and actions do not", async () => {
    const storage = new FakeStorage();
    storage.values.set("identity", bytes(0));
    storage.failsToLoad = true;
    const world = new World({ storage });
    const early = world.client.act(bytes(1));
    await world.settled();
    await expect(early).rejects.toMatchObject({ code: "kStoreUnavailable" });
    await expect(world.client.act(bytes(2))).rejects.toMatchObject({ code: "kStoreUnavailable" });
    expect(world.errors).toMatchObject([
      { code: "kStoreUnavailable", detail: expect.stringContaining("no such disk") },
    ]);
    expect(world.state).toBe("live");
    // What is in it may be good.
    expect(storage.writes).toBe(0);
  });
});
