// Coming back as the same client, leaving when asked to, and tokens: docs/PROTOCOL.md section 2.

import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { FakeSocket, settle, World } from "./client-world.js";

beforeAll(initHash);

const kSession = new wire.Id128T(1n, 2n);
const secret = (...bytes: number[]) => ({ session: kSession, secret: bytes });

describe("client: resume", () => {
  test("client: keeps its instance over attempts, new until a Welcome has come", async () => {
    const world = await new World().open();
    const { instance } = world.hello();
    expect(world.hello()).toMatchObject({ isNew: true, attempt: 1n, resume: null, firstSeenMs: 0n });
    await world.reopened();
    expect(world.hello()).toMatchObject({ instance, isNew: true, attempt: 2n });
    world.peer.welcome({ firstSeenMs: 99n });
    await world.reopened();
    expect(world.hello()).toMatchObject({ instance, isNew: false, attempt: 3n, firstSeenMs: 99n });
  });

  test("client: names the ledger of the last Welcome and the time of the first", async () => {
    const world = await new World().settled({ ledger: new wire.Id128T(5n, 6n), firstSeenMs: 99n });
    await world.reopened();
    world.peer.welcome({ ledger: new wire.Id128T(7n, 8n), firstSeenMs: 111n });
    await world.reopened();
    expect(world.hello()).toMatchObject({ ledger: new wire.Id128T(7n, 8n), firstSeenMs: 99n });
  });

  test("client: asks for its session with the secret of the last Welcome", async () => {
    const world = await new World().settled(secret(1));
    await world.reopened();
    expect(world.hello().resume).toEqual(new wire.SessionResumeT(kSession, [1]));
    world.peer.welcome(secret(2));
    await world.reopened();
    expect(world.hello().resume?.secret).toEqual([2]);
    world.peer.welcome(secret());
    await world.reopened();
    expect(world.hello().resume).toBeNull();
  });

  test("client: comes back without resume when the secret is revoked", async () => {
    const world = await new World().settled(secret(1));
    await world.reopened();
    const { instance } = world.hello();
    world.peer.disconnect(wire.CloseCode.kStateInvalid, wire.ErrorCode.kSessionRevoked, true);
    expect(world.state).toBe("reconnecting");
    await world.timers.sleep(world.retryInMs());
    await world.open();
    expect(world.hello()).toMatchObject({ instance, isNew: false, resume: null });
  });

  test("client: fails when a newer connection of the same client is there", async () => {
    const world = await new World().settled();
    world.peer.disconnect(wire.CloseCode.kReplaced, wire.ErrorCode.kReplaced, false);
    expect(world.client.connection.getSnapshot()).toMatchObject({
      state: "failed",
      error: { code: "kReplaced" },
    });
    const cut = await new World().settled();
    cut.drop(4504);
    expect(cut.state).toBe("failed");
    cut.client.reconnect();
    await cut.open();
    expect(cut.hello().attempt).toBe(2n);
  });

  test("client: says goodbye when it is closed, not when it comes back", async () => {
    const world = await new World().settled();
    world.client.reconnect();
    await settle();
    expect(world.peer.all(wire.DisconnectT)).toEqual([]);
    await world.settled();
    world.client.close();
    expect(world.peer.all(wire.DisconnectT)).toMatchObject([{ closeCode: 1000, reconnect: false }]);
  });
});

describe("client: suspend and wake", () => {
  test("client: suspended it has no connection and makes none, until it is told to", async () => {
    const world = await new World().settled(secret(1));
    world.client.suspend();
    expect(world.client.connection.getSnapshot()).toEqual({ state: "suspended" });
    expect(world.peer.all(wire.DisconnectT)).toEqual([]);
    expect(world.socket.closedWith?.[0]).toBe(1000);
    const action = world.client.act(Uint8Array.of(1));
    await world.timers.sleep(1_000_000);
    expect(world.sockets).toHaveLength(1);
    expect(world.timers.pending).toBe(0);
    world.client.wake();
    expect(world.state).toBe("connecting");
    await world.settled();
    expect(world.hello().resume?.secret).toEqual([1]);
    world.peer.actionResult(1n);
    await expect(action).resolves.toMatchObject({ status: "accepted" });
    world.client.suspend();
    world.client.suspend();
    world.client.reconnect();
    expect(world.state).toBe("connecting");
  });

  test("client: may be suspended while it connects or waits", async () => {
    const world = new World();
    world.client.suspend();
    await settle();
    expect(world.sockets).toHaveLength(0);
    world.client.reconnect();
    await settle();
    world.client.suspend();
    expect(world.socket.closedWith?.[0]).toBe(1000);
    world.client.reconnect();
    await settle();
    world.drop();
    expect(world.state).toBe("reconnecting");
    world.client.suspend();
    await world.timers.sleep(100_000);
    expect(world.state).toBe("suspended");
    expect(world.sockets).toHaveLength(2);
  });

  test("client: awake it waits no longer, and finds out that the connection is dead", async () => {
    const world = await new World().settled();
    world.client.wake();
    expect(world.sockets).toHaveLength(1);
    // As after a sleep: the clock went on, no timer ran.
    world.timers.nowMs += 60_000;
    world.client.wake();
    expect(world.state).toBe("reconnecting");
    expect(world.errors.at(-1)).toMatchObject({ code: "kHeartbeatTimeout" });
    world.client.wake();
    expect(world.state).toBe("connecting");
  });
});

describe("client: the platform", () => {
  const listeners = new Map<string, Set<() => void>>();
  const target = {
    visibilityState: "hidden",
    addEventListener: (type: string, listener: () => void) => {
      listeners.set(type, (listeners.get(type) ?? new Set()).add(listener));
    },
    removeEventListener: (type: string, listener: () => void) => listeners.get(type)?.delete(listener),
  };
  const fire = (type: string) => {
    for (const listener of listeners.get(type) ?? []) listener();
  };
  const names = ["addEventListener", "removeEventListener", "document"] as const;
  afterEach(() => {
    for (const name of names) Reflect.deleteProperty(globalThis, name);
    listeners.clear();
  });

  test("client: wakes when the network is back or the page is seen again, unless it is suspended", async () => {
    const { addEventListener, removeEventListener } = target;
    Object.assign(globalThis, { addEventListener, removeEventListener, document: target });
    const world = new World();
    const waits = async () => {
      await settle();
      world.drop();
      expect(world.state).toBe("reconnecting");
    };
    for (const event of ["online", "pageshow"]) {
      await waits();
      fire(event);
      expect(world.state).toBe("connecting");
    }
    await waits();
    fire("visibilitychange");
    expect(world.state).toBe("reconnecting");
    target.visibilityState = "visible";
    fire("visibilitychange");
    expect(world.state).toBe("connecting");
    world.client.suspend();
    for (const event of ["online", "pageshow", "visibilitychange"]) fire(event);
    expect(world.state).toBe("suspended");
    world.client.close();
    expect([...listeners.values()].map((each) => each.size)).toEqual([0, 0, 0]);
  });
});

describe("client: GoAway", () => {
  test("client: leaves at a random moment within the time and comes back at once", async () => {
    const world = await new World().settled();
    await world.timers.sleep(5_000);
    world.peer.goAway(30_000);
    await world.timers.sleep(14_999);
    expect(world.sockets).toHaveLength(1);
    await world.timers.sleep(1);
    expect(world.sockets).toHaveLength(2);
    expect(world.sockets[0]?.closedWith?.[0]).toBe(1000);
    expect(world.peer.all(wire.DisconnectT)).toEqual([]);
    expect(world.state).toBe("connecting");
  });

  test("client: waits longer each time if every connection is asked to go", async () => {
    const world = new World();
    const waits: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      await world.settled();
      world.peer.goAway(0);
      await world.timers.sleep(0);
      waits.push(world.retryInMs());
      await world.timers.sleep(world.retryInMs());
    }
    expect(waits).toEqual([500, 1_000, 2_000]);
  });

  test("client: forgets that it was asked to go when the connection ended by itself", async () => {
    const world = await new World().settled();
    world.peer.goAway(30_000);
    await world.reopened();
    world.peer.welcome();
    for (let i = 0n; i < 8n; i += 1n) {
      await world.timers.sleep(5_000);
      world.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, 0n));
    }
    expect(world.sockets).toHaveLength(2);
  });
});

describe("client: tokens", () => {
  /** A client whose tokens are t1, t2, ...; the first is good for `expiresInMs`. */
  async function renewing(expiresInMs: bigint) {
    let tokens = 0;
    const tell = { fails: false };
    const getToken = async () => {
      if (tell.fails) throw new Error("logged out");
      tokens += 1;
      return `t${tokens}`;
    };
    const world = await new World({ getToken }).settled({ tokenExpiresInMs: expiresInMs });
    /** The server lives. */
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 1_000) {
        await world.timers.sleep(Math.min(left, 1_000));
        world.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, 0n));
      }
    };
    return {
      world,
      tell,
      pass,
      renewals: () => world.peer.all(wire.RefreshTokenT).map(({ token }) => token),
    };
  }

  test("client: renews its token a minute before it expires, each time", async () => {
    const { world, pass, renewals } = await renewing(200_000n);
    await pass(139_000);
    expect(renewals()).toEqual([]);
    await pass(1_000);
    expect(renewals()).toEqual(["t2"]);
    world.peer.send(wire.Message.TokenRefreshed, new wire.TokenRefreshedT(80_000n));
    await pass(39_000);
    expect(renewals()).toEqual(["t2"]);
    // Of a short one half is left.
    await pass(1_000);
    expect(renewals()).toEqual(["t2", "t3"]);
    expect(world.sockets).toHaveLength(1);
  });

  test("client: renews nothing that does not expire", async () => {
    const { pass, renewals } = await renewing(0n);
    await pass(100_000);
    expect(renewals()).toEqual([]);
  });

  test("client: says that there is no new token and keeps the connection while it may", async () => {
    const { world, tell, pass, renewals } = await renewing(100_000n);
    tell.fails = true;
    await pass(60_000);
    expect(renewals()).toEqual([]);
    expect(world.errors).toMatchObject([{ code: "kUnauthenticated", detail: "no new token: logged out" }]);
    expect(world.state).toBe("live");
    tell.fails = false;
    world.peer.disconnect(wire.CloseCode.kTokenExpired, wire.ErrorCode.kTokenExpired, true);
    await world.timers.sleep(world.retryInMs());
    expect(world.socket).toBeInstanceOf(FakeSocket);
    expect(world.socket.protocols).toEqual(["libsync.v1", "libsync.jwt.t2"]);
  });
});
