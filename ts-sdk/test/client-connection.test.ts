import { beforeAll, describe, expect, test } from "vitest";
import { connect } from "../src/client.js";
import { SyncError } from "../src/errors.js";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEpoch, kOne, settle, World } from "./client-world.js";

beforeAll(initHash);

const read = (bytes: Uint8Array) => [...bytes];

describe("connect: coming back", () => {
  test("connect: waits longer after each failure, asks for a token each time, and says when it tries", async () => {
    let tokens = 0;
    const world = new World({
      getToken: async () => {
        tokens += 1;
        return `t${tokens}`;
      },
    });
    const waits: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      await settle();
      world.drop();
      waits.push(world.retryInMs());
      await world.timers.sleep(world.retryInMs());
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(world.socket.protocols).toEqual(["libsync.v1", `libsync.jwt.t${tokens}`]);
    expect(tokens).toBe(8);
    expect(world.client.connection.getSnapshot()).toEqual({ state: "connecting", attempt: 8 });
  });

  test("connect: comes back within the announced window after a stable connection", async () => {
    const world = new World();
    await world.welcomed();
    await world.timers.sleep(5_000);
    world.drop();
    expect(world.retryInMs()).toBe(1_000);
  });

  test("connect: honours retry_after", async () => {
    const world = new World();
    await world.welcomed();
    world.peer.disconnect(wire.CloseCode.kTryAgainLater, wire.ErrorCode.kServerError, true, 60_000);
    expect(world.retryInMs()).toBeGreaterThanOrEqual(60_000);
    expect(world.errors.at(-1)).toMatchObject({ code: "kServerError", closeCode: 1013 });
  });

  test("connect: fails for good where the server says so, and starts again when told to", async () => {
    const world = new World();
    await world.open();
    world.peer.disconnect(wire.CloseCode.kSchemaMismatch, wire.ErrorCode.kSchemaMismatch, false);
    expect(world.client.connection.getSnapshot()).toMatchObject({
      state: "failed",
      error: { code: "kSchemaMismatch", closeCode: 4506 },
    });
    await world.timers.sleep(100_000);
    expect(world.sockets).toHaveLength(1);
    expect(world.timers.pending).toBe(0);
    world.client.reconnect();
    await settle();
    expect(world.sockets).toHaveLength(2);
  });

  test("connect: gives up after maxRetries attempts", async () => {
    const world = new World({ maxRetries: 2 });
    for (let i = 0; i < 3; i += 1) {
      await settle();
      world.drop(1006, "refused");
      await world.timers.sleep(20_000);
    }
    expect(world.sockets).toHaveLength(3);
    expect(world.client.connection.getSnapshot()).toMatchObject({
      state: "failed",
      error: { code: "kConnectFailed" },
    });
  });

  test("connect: gives up a token that is refused twice, where the WebSocket tells", async () => {
    const world = new World();
    for (let i = 0; i < 2; i += 1) {
      await settle();
      world.socket.onerror?.({ message: "Unexpected server response: 401" });
      world.drop();
      await world.timers.sleep(10_000);
    }
    expect(world.sockets).toHaveLength(2);
    expect(world.client.connection.getSnapshot()).toMatchObject({
      state: "failed",
      error: { code: "kUnauthenticated" },
    });
  });

  test("connect: says what text the server sent instead of the protocol", async () => {
    const world = new World();
    await world.open();
    world.socket.onmessage?.({ data: "hello, I echo" });
    const state = world.client.connection.getSnapshot();
    expect(state).toMatchObject({ state: "failed", error: { code: "kTextFrame" } });
    expect(String(world.errors[0])).toContain("hello, I echo");
    expect(world.socket.closedWith).toEqual([1000, "kTextFrame"]);
  });

  test("connect: takes getToken and the WebSocket that never answer for a failure", async () => {
    const world = new World({ getToken: () => new Promise(() => undefined) });
    await world.timers.sleep(20_000);
    expect(world.errors[0]?.code).toBe("kConnectFailed");
    const mute = new World();
    await mute.timers.sleep(20_000);
    expect(mute.state).toBe("reconnecting");
    expect(mute.socket.closedWith).toEqual([1000, "timeout"]);
    const bad = new World({ getToken: () => Promise.reject(new Error("no login")) });
    await settle();
    expect(bad.errors[0]).toMatchObject({ code: "kConnectFailed", detail: "no login" });
  });

  test("connect: reconnect cuts and comes back at once, whatever the state", async () => {
    const world = new World();
    world.client.topic("world", read);
    await world.live();
    world.client.reconnect();
    await settle();
    expect(world.sockets).toHaveLength(2);
    expect(world.sockets[0]?.closedWith?.[0]).toBe(1000);
    await world.open(); // Hello sent, no Welcome yet
    world.client.reconnect();
    await settle();
    expect(world.sockets).toHaveLength(3);
    world.client.reconnect(); // not open yet
    await settle();
    expect(world.sockets).toHaveLength(4);
    world.drop();
    expect(world.state).toBe("reconnecting");
    world.client.reconnect();
    await world.live();
    expect(world.state).toBe("live");
    expect(world.client.stats().reconnects).toBe(1);
  });

  test("connect: closing ends everything and leaves no timer", async () => {
    const world = new World();
    world.client.topic("world", read);
    await world.live();
    world.client.close();
    world.client.close();
    world.client.reconnect();
    expect(world.state).toBe("idle");
    expect(world.socket.closedWith).toEqual([1000, "kClosed"]);
    await world.timers.sleep(100_000);
    expect(world.timers.pending).toBe(0);
    expect(world.sockets).toHaveLength(1);
    expect(() => world.client.topic("other", read)).toThrow(SyncError);
    const early = new World();
    early.client.close();
    await settle();
    expect(early.sockets).toHaveLength(0);
    expect(early.timers.pending).toBe(0);
  });

  test("connect: may be closed or reconnected by its own listeners", async () => {
    const world = new World();
    world.client.topic("world", read).subscribe(() => world.client.close());
    await world.live();
    expect(world.state).toBe("idle");
    expect(world.timers.pending).toBe(0);
    const other = new World();
    let times = 0;
    other.client.connection.subscribe(() => {
      times += 1;
      if (times === 1) other.client.reconnect();
    });
    await other.open();
    other.peer.welcome();
    await settle();
    expect(other.sockets).toHaveLength(2);
  });

  test("connect: shows an update that arrived before a listener cut the connection", async () => {
    const world = new World();
    const topic = world.client.topic("world", read);
    world.client.connection.subscribe(() => {
      if (world.state === "live") world.client.reconnect();
    });
    await world.open();
    world.peer.welcome();
    world.peer.subscribed("world", 1, kEpoch, 0n); // live before the first update
    await world.open();
    world.peer.welcome();
    world.peer.subscribed("world", 1, kEpoch, 1n);
    world.peer.full(1, 1n, kOne);
    expect(topic.getSnapshot()?.version).toBe(1n);
    await settle();
    expect(world.sockets).toHaveLength(3);
  });

  test("connect: says that the platform has no WebSocket", () => {
    const webSocket = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
    Reflect.deleteProperty(globalThis, "WebSocket");
    try {
      expect(() => connect({ url: "ws://test" })).toThrow(/pass one/);
    } finally {
      if (webSocket !== undefined) Object.defineProperty(globalThis, "WebSocket", webSocket);
    }
  });
});
