import { beforeAll, describe, expect, test } from "vitest";
import { type Client, type ConnectOptions, connect } from "../src/client.js";
import { SyncError } from "../src/errors.js";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import type { Timers } from "../src/platform.js";
import type { WebSocketFactory, WebSocketLike } from "../src/transport.js";
import { ScriptedPeer } from "./scripted-peer.js";
import { wholePatch } from "./support.js";

beforeAll(initHash);

const kOne = Uint8Array.of(1, 1, 1, 1);
const kTwo = Uint8Array.of(2, 2, 2, 2, 2);
const kEpoch = 7n;
const read = (bytes: Uint8Array) => [...bytes];

/** A clock that stands still until it is told to go on. */
class FakeTimers implements Timers {
  nowMs = 1_700_000_000_000;
  #next = 1;
  readonly #timers = new Map<number, { atMs: number; callback: () => void }>();

  now = () => this.nowMs;

  setTimeout(callback: () => void, delayMs: number): number {
    const timer = this.#next;
    this.#next += 1;
    this.#timers.set(timer, { atMs: this.nowMs + delayMs, callback });
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  get pending(): number {
    return this.#timers.size;
  }

  async sleep(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].sort((a, b) => a[1].atMs - b[1].atMs)[0];
      if (due === undefined || due[1].atMs > untilMs) break;
      this.#timers.delete(due[0]);
      this.nowMs = Math.max(this.nowMs, due[1].atMs);
      due[1].callback();
    }
    this.nowMs = untilMs;
  }
}

/** Lets promises run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

class FakeSocket implements WebSocketLike {
  binaryType = "blob";
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  onclose: ((event: object) => void) | null = null;
  closedWith: [number | undefined, string | undefined] | undefined;
  onSend: (bytes: Uint8Array) => void = () => undefined;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(bytes: Uint8Array): void {
    this.onSend(bytes);
  }

  close(code?: number, reason?: string): void {
    // As browsers do.
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999))
      throw new RangeError(`code ${code}`);
    this.closedWith = [code, reason];
  }
}

/** A client on fake sockets, with the server's end of the latest one. */
class World {
  readonly timers = new FakeTimers();
  readonly peer = new ScriptedPeer();
  readonly sockets: FakeSocket[] = [];
  readonly errors: SyncError[] = [];
  readonly states: string[] = [];
  readonly client: Client;

  constructor(options: Partial<ConnectOptions> = {}) {
    this.client = connect({
      url: "ws://test/api/ws",
      getToken: () => "to.k.en",
      webSocket: this.#open,
      random: () => 0.5,
      timers: this.timers,
      ...options,
    });
    this.client.onError((error) => this.errors.push(error));
    this.client.connection.subscribe(() => this.states.push(this.state));
  }

  readonly #open: WebSocketFactory = (url, protocols) => {
    const socket = new FakeSocket(url, protocols);
    this.sockets.push(socket);
    return socket;
  };

  get state(): string {
    return this.client.connection.getSnapshot().state;
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket yet");
    return socket;
  }

  /** The server accepts the latest socket. */
  async open(): Promise<this> {
    await settle();
    const { socket, peer } = this;
    peer.reset();
    peer.deliver = (bytes) => socket.onmessage?.({ data: bytes.slice().buffer });
    socket.onSend = (bytes) => peer.take(bytes);
    socket.onopen?.({});
    return this;
  }

  async welcomed(): Promise<this> {
    await this.open();
    this.peer.welcome();
    return this;
  }

  async live(topic = 1): Promise<this> {
    await this.open();
    this.peer.welcome();
    this.peer.subscribed("world", topic, kEpoch, 1n);
    this.peer.full(topic, 1n, kOne);
    return this;
  }

  drop(code = 1006, reason = ""): void {
    this.socket.onclose?.({ code, reason });
  }

  retryInMs(): number {
    const state = this.client.connection.getSnapshot();
    return state.state === "reconnecting" ? state.retryAtMs - this.timers.nowMs : Number.NaN;
  }
}

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

describe("connect: actions", () => {
  test("connect: an action resolves with its result", async () => {
    const world = new World();
    await world.welcomed();
    const result = world.client.act(Uint8Array.of(1, 2));
    expect(world.peer.all(wire.ActionT)).toEqual([new wire.ActionT(1n, [1, 2])]);
    world.peer.actionResult(1n, wire.ActionStatus.kRefused, wire.ErrorCode.kActionRefused);
    await expect(result).resolves.toMatchObject({
      status: "refused",
      code: "kActionRefused",
      message: "said",
    });
  });

  test("connect: an action rejects when its outcome is unknown, and one not yet sent goes out later", async () => {
    const world = new World();
    const payload = Uint8Array.of(1);
    const before = world.client.act(payload);
    payload.fill(9);
    await world.open();
    world.peer.welcome({}, { maxActionsInFlight: 1 });
    expect(world.peer.all(wire.ActionT)).toEqual([new wire.ActionT(1n, [1])]);
    const after = world.client.act(Uint8Array.of(2));
    world.drop();
    await expect(before).rejects.toMatchObject({ code: "kConnectionLost" });
    await world.timers.sleep(2_000);
    await world.open();
    world.peer.welcome({ lastActionSequence: 1n });
    world.peer.actionResult(2n);
    await expect(after).resolves.toMatchObject({ status: "accepted" });
  });

  test("connect: actions reject once the client is closed or failed", async () => {
    const world = new World();
    await world.welcomed();
    const sent = world.client.act(Uint8Array.of(1));
    world.client.close();
    await expect(sent).rejects.toMatchObject({ code: "kConnectionLost" });
    await expect(world.client.act(Uint8Array.of(1))).rejects.toMatchObject({ code: "kClosed" });
    const failed = new World({ maxRetries: 0 });
    const waiting = failed.client.act(Uint8Array.of(1));
    await settle();
    failed.drop();
    await expect(waiting).rejects.toMatchObject({ code: "kConnectFailed" });
    await expect(failed.client.act(Uint8Array.of(1))).rejects.toMatchObject({ code: "kConnectFailed" });
  });
});

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
