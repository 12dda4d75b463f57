// Actions through a whole client: docs/PROTOCOL.md section 4.

import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import type { SentAction } from "../src/types.js";
import { FakeStorage, settle, World } from "./client-world.js";

beforeAll(initHash);

const bytes = (...values: number[]) => Uint8Array.from(values);
const { kFailed, kRefused } = wire.ActionStatus;

/** What the promises have come to: "pending", "done" or the code of an error, of stored, result and durable. */
async function stateOf(action: SentAction): Promise<string> {
  const states: string[] = [];
  for (const promise of [action.stored, action.result, action.durable]) {
    let state = "pending";
    promise.then(
      () => {
        state = "done";
      },
      (error: { code: string }) => {
        state = error.code;
      },
    );
    await settle();
    states.push(state);
  }
  return states.join(" ");
}

describe("client: actions", () => {
  test("client: an action is stored, answered, durable; awaiting it gives its result", async () => {
    const world = await new World().settled();
    const action = world.client.act(bytes(1, 2));
    expect(action.id).toBeUndefined();
    expect(await stateOf(action)).toBe("done pending pending");
    expect(action.id).toBe(1n);
    expect(world.sent()).toEqual(["1:1,2"]);
    world.peer.actionResult(1n);
    await expect(action).resolves.toMatchObject({ status: "accepted", message: "said" });
    expect(await stateOf(action)).toBe("done done pending");
    world.peer.actionsDurable(1n);
    expect(await stateOf(action)).toBe("done done done");
  });

  test("client: a refused action resolves, too, and is durable when its refusal is", async () => {
    const world = await new World().settled();
    const action = world.client.act(bytes(1));
    await settle();
    world.peer.actionResult(1n, kRefused, wire.ErrorCode.kActionRefused, { durable: true });
    await expect(action).resolves.toMatchObject({ status: "refused", code: "kActionRefused" });
    expect(await stateOf(action)).toBe("done done done");
  });

  test("client: payloads are copied, also before the storage was read", async () => {
    const world = new World();
    const payload = bytes(1);
    const action = world.client.act(payload);
    payload.fill(9);
    await world.settled();
    expect(world.sent()).toEqual(["1:1"]);
    expect(action.id).toBe(1n);
  });

  test("client: a sent action outlives its connection and is sent again", async () => {
    const world = await new World().settled();
    const [a, b] = [world.client.act(bytes(1)), world.client.act(bytes(2))];
    await settle();
    await world.reopened();
    world.peer.welcome({ lastActionSequence: 1n });
    await settle();
    // The first was executed; its result comes without being asked for.
    expect(world.sent()).toEqual(["2:2"]);
    world.peer.actionResult(1n);
    world.peer.actionResult(2n);
    await expect(a).resolves.toMatchObject({ status: "accepted" });
    await expect(b).resolves.toMatchObject({ status: "accepted" });
  });

  test("client: an action that failed is sent again after its time, with those after it; nobody hears of it", async () => {
    const world = await new World().settled();
    const action = world.client.act(bytes(1));
    world.client.act(bytes(2));
    await settle();
    world.peer.actionFailed(1n, 2_000);
    world.peer.actionResult(2n, kFailed, wire.ErrorCode.kActionSequence);
    await world.timers.sleep(1_999);
    expect(world.sent()).toEqual(["1:1", "2:2"]);
    await world.timers.sleep(1);
    expect(world.sent()).toEqual(["1:1", "2:2", "1:1", "2:2"]);
    expect(await stateOf(action)).toBe("done pending pending");
    expect(world.errors).toEqual([]);
  });

  test("client: what a crash of the server took is sent again, and the refused one as withdrawn", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled();
    for (let i = 1; i <= 3; i += 1) world.client.act(bytes(i));
    await settle();
    world.peer.actionResult(1n);
    world.peer.actionResult(2n, kRefused, wire.ErrorCode.kActionRefused);
    world.peer.actionResult(3n);
    await settle();
    // Also by a later process.
    const later = new World({ storage: storage.copy() });
    for (const each of [world, later]) {
      if (each === world) await world.reopened();
      else await later.open();
      each.peer.welcome({ lastActionSequence: 0n });
      await settle();
      expect(each.sent()).toEqual(["1:1", "2:withdrawn", "3:3"]);
    }
  });

  test("client: keeps to the actions that may be sent and not confirmed", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled({}, { maxActionsInFlight: 2 });
    for (let i = 1; i <= 4; i += 1) world.client.act(bytes(i));
    await settle();
    expect(world.sent()).toEqual(["1:1", "2:2"]);
    storage.isWaiting = true;
    world.peer.actionResult(1n, 0, 0, { durable: true });
    await settle();
    // It has ended, but the server does not know that yet.
    expect(world.sent()).toHaveLength(2);
    await storage.finish();
    expect(world.sent()).toEqual(["1:1", "2:2", "3:3"]);
  });

  test("client: confirms an action only when it is durable and its end is stored", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled();
    world.client.act(bytes(1));
    await settle();
    const confirmed = () => world.peer.all(wire.AckT).map((ack) => ack.confirmedAction);
    world.peer.actionResult(1n);
    await world.timers.sleep(3_000);
    expect(confirmed()).toEqual([]);
    storage.isWaiting = true;
    world.peer.actionsDurable(1n);
    await world.timers.sleep(3_000);
    expect(confirmed()).toEqual([]);
    // A process that starts now asks for the result again.
    expect(storage.keys).toContain("action/00000000000000000001");
    await storage.finish();
    await world.timers.sleep(3_000);
    expect(confirmed()).toEqual([1n]);
    expect(storage.keys).toEqual(["identity"]);
    await world.reopened();
    expect(world.hello()).toMatchObject({ confirmedAction: 1n });
  });

  test("client: an instance that the server does not know begins anew with what was not sent", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled({}, { maxActionsInFlight: 3 });
    const actions = [1, 2, 3, 4].map((i) => world.client.act(bytes(i)));
    await settle();
    world.peer.actionResult(1n, 0, 0, { durable: true });
    world.peer.actionResult(2n);
    await settle();
    const before = world.hello();
    world.drop();
    await world.timers.sleep(world.retryInMs());
    await world.open();
    world.peer.disconnect(wire.CloseCode.kStateInvalid, wire.ErrorCode.kUnknownInstance, true);
    expect(await Promise.all(actions.map(stateOf))).toEqual([
      "done done done",
      "done done kUnknownInstance", // it was answered, but never durable
      "done kUnknownInstance kUnknownInstance",
      "done kUnknownInstance kUnknownInstance",
    ]);
    const fifth = world.client.act(bytes(5));
    expect(world.errors.at(-1)).toMatchObject({ code: "kUnknownInstance" });
    await world.timers.sleep(world.retryInMs());
    await world.settled();
    expect(world.hello()).toMatchObject({ isNew: true, attempt: 1n, ledger: null, confirmedAction: 0n });
    expect(world.hello().instance).not.toEqual(before.instance);
    expect(world.sent()).toEqual(["1:5"]);
    world.peer.actionResult(1n);
    await expect(fifth).resolves.toMatchObject({ status: "accepted" });
    expect(fifth.id).toBe(5n);
  });

  test("client: confirms nothing of the instance before, though its end is stored late", async () => {
    const storage = new FakeStorage();
    const world = await new World({ storage }).settled();
    for (let i = 1; i <= 3; i += 1) world.client.act(bytes(i));
    await settle();
    storage.isWaiting = true;
    for (let i = 1n; i <= 3n; i += 1n) world.peer.actionResult(i, 0, 0, { durable: true });
    await settle();
    world.peer.disconnect(wire.CloseCode.kStateInvalid, wire.ErrorCode.kUnknownInstance, true);
    storage.isWaiting = false;
    await storage.finish();
    await world.timers.sleep(world.retryInMs());
    await world.settled();
    expect(world.hello()).toMatchObject({ isNew: true, confirmedAction: 0n });
    world.client.act(bytes(4));
    await settle();
    expect(world.peer.all(wire.ActionT)).toEqual([new wire.ActionT(1n, [4], 0n)]);
  });

  test("client: a sequence that was used for another action makes the outcome unknown", async () => {
    const world = await new World().settled();
    const action = world.client.act(bytes(1));
    await settle();
    world.peer.actionResult(1n, kFailed, wire.ErrorCode.kActionConflict);
    expect(await stateOf(action)).toBe("done kActionConflict kActionConflict");
    // A goodbye, so that the session of that instance ends.
    expect(world.peer.received.at(-1)).toMatchObject({ closeCode: 1000 });
    await world.timers.sleep(world.retryInMs());
    await world.open();
    expect(world.hello()).toMatchObject({ isNew: true, resume: null });
  });

  test("client: a server that has executed what was never sent means another instance", async () => {
    const world = await new World().settled();
    const action = world.client.act(bytes(1));
    await settle();
    await world.reopened();
    world.peer.welcome({ lastActionSequence: 2n });
    expect(await stateOf(action)).toBe("done kUnknownInstance kUnknownInstance");
    expect(world.state).toBe("reconnecting");
    await world.timers.sleep(world.retryInMs());
    await world.open();
    expect(world.hello()).toMatchObject({ isNew: true });
  });

  test("client: an action that a server with smaller messages does not take is withdrawn, once the server says so", async () => {
    const world = new World();
    const big = world.client.act(new Uint8Array(5_000));
    const small = world.client.act(bytes(1));
    await world.settled({}, { maxMessageBytes: 1_000 });
    expect(await stateOf(big)).toBe("done kMessageTooBig kMessageTooBig");
    expect(world.sent()).toEqual(["1:withdrawn", "2:1"]);
    world.peer.actionResult(2n);
    await expect(small).resolves.toMatchObject({ status: "accepted" });
    expect(await stateOf(world.client.act(new Uint8Array(1_000)))).toBe(
      "kMessageTooBig kMessageTooBig kMessageTooBig",
    );
  });

  test("client: failing for good leaves actions for the next start, closing ends their promises", async () => {
    const world = new World({ maxRetries: 0 });
    const action = world.client.act(bytes(1));
    await settle();
    world.drop();
    expect(world.state).toBe("failed");
    const later = world.client.act(bytes(2));
    expect(await stateOf(action)).toBe("done pending pending");
    world.client.reconnect();
    await world.settled();
    expect(world.sent()).toEqual(["1:1", "2:2"]);
    world.peer.actionResult(1n);
    await expect(action).resolves.toMatchObject({ status: "accepted" });
    world.client.close();
    expect(await stateOf(action)).toBe("done done kClosed");
    expect(await stateOf(later)).toBe("done kClosed kClosed");
    expect(await stateOf(world.client.act(bytes(3)))).toBe("kClosed kClosed kClosed");
  });

  test("client: a promise that rejects unheard ends no process", async () => {
    const unheard: unknown[] = [];
    const listener = (reason: unknown) => unheard.push(reason);
    process.on("unhandledRejection", listener);
    try {
      const world = await new World().settled();
      const action = world.client.act(bytes(1));
      await expect(action.stored).resolves.toBeUndefined();
      world.client.close();
      await expect(action).rejects.toMatchObject({ code: "kClosed" });
      await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      process.off("unhandledRejection", listener);
    }
    expect(unheard).toEqual([]);
  });
});
