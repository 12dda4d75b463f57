// Clients that take and do not give back: many at once, those that vanish, those that never read.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Witness } from "./kit/honest.js";
import { hello, Peer } from "./kit/peer.js";
import { RawSocket } from "./kit/raw-socket.js";
import { CloseCode, ErrorCode, wire } from "./kit/sdk.js";
import { ServerProcess, type Stats } from "./kit/server-process.js";
import { kFull } from "./kit/tier.js";
import { sleep, until } from "./kit/wait.js";

let server: ServerProcess;
let witness: Witness;

beforeAll(async () => {
  server = await ServerProcess.start({ dev: true, args: ["--session-linger", "1"] });
  witness = await Witness.start(server);
});

afterEach(() => {
  expect(witness.report()).toMatchObject({ errors: [], reconnects: 0, digestMismatches: 0, state: "live" });
  expect(witness.report().longestGapMs).toBeLessThan(1_500);
});

afterAll(async () => {
  witness?.close();
  await server?.stop();
});

/** Waits until only the witness is left. */
function onlyWitness(timeoutMs: number): Promise<Stats> {
  return until(
    "the witness alone",
    async () => {
      const stats = await server.stats();
      return stats.connections === 1 && stats.sessions === 1 && stats.users === 1 && stats.http <= 1 && stats;
    },
    timeoutMs,
    50,
  );
}

async function inBatches(count: number, size: number, run: (index: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < count; i += size) {
    await Promise.all(Array.from({ length: Math.min(size, count - i) }, (_, j) => run(i + j)));
  }
}

describe("exhaustion: 500 connections that vanish", () => {
  test("leave nothing: not their sessions, users, subscriptions, timers or descriptors", async () => {
    const before = await onlyWitness(5_000);
    await inBatches(500, 50, async (i) => {
      const peer = await Peer.open(server.port, server.token(`ghost${i % 100}`));
      // At every stage of a session's life.
      if (i % 5 > 0) peer.send(wire.Message.Hello, hello());
      if (i % 5 > 1) {
        await peer.message(wire.WelcomeT);
        peer.subscribe("world", `player/ghost${i % 100}`);
      }
      if (i % 5 > 2) await peer.topic("world");
      if (i % 5 > 3) peer.sendBytes(new Uint8Array(100));
      if (i % 2 === 0) peer.raw.reset();
      else peer.raw.destroy();
    });
    const startedMs = performance.now();
    const after = await onlyWitness(3_000);
    console.log(
      `vanished: 500 connections gone from /debug/stats after ${(performance.now() - startedMs).toFixed(0)} ms; ` +
        `fds ${before.fds} -> ${after.fds}, rss ${mib(before.rss_bytes)} -> ${mib(after.rss_bytes)} MiB`,
    );
    expect(after).toMatchObject({
      fds: before.fds,
      players: before.players,
      subscriptions: before.subscriptions,
      admitted: before.admitted,
    });
    expect(after.timers).toBeLessThanOrEqual(before.timers + 1);
  });

  test("and those that leave half of a request or of a handshake neither", async () => {
    const before = await onlyWitness(5_000);
    await inBatches(200, 50, async (i) => {
      const raw = await RawSocket.open(server.port);
      raw.write("GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\n".slice(0, i % 40));
      await sleep(5);
      raw.reset();
    });
    const after = await onlyWitness(3_000);
    expect(after).toMatchObject({ fds: before.fds, admitted: before.admitted });
  });
});

describe("exhaustion: readers that never read", () => {
  test("cost a bounded amount of memory and hold nobody up", { timeout: 60_000 }, async () => {
    const rssBefore = server.rssBytes();
    const sleepers = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const peer = await Peer.live(server.port, server.token(`sleeper${i}`));
        peer.subscribe("world");
        await peer.topic("world");
        peer.raw.socket.pause();
        return peer;
      }),
    );
    const pausedMs = kFull ? 40_000 : 5_000;
    const versionBefore = witness.version;
    await sleep(pausedMs);
    const grown = server.rssBytes() - rssBefore;
    const seen = Number(witness.version - versionBefore);
    console.log(
      `slow readers: 20 paused for ${pausedMs / 1000} s, rss +${mib(grown)} MiB, the witness saw ${seen} versions`,
    );
    expect(grown).toBeLessThan(32 << 20);
    expect(seen).toBeGreaterThan((pausedMs / 1000) * 8);

    // Those that are still connected catch up with what is true now, not with what they missed.
    const now = (await server.stats()).topics["world"]?.version ?? 0;
    let caughtUp = 0;
    let cutOff = 0;
    for (const peer of sleepers) {
      peer.raw.socket.resume();
      await peer.until(
        "the present version or the end",
        () => peer.raw.isEnded || [...peer.topics.values()].some((topic) => topic.version >= BigInt(now)),
      );
      if (peer.raw.isEnded) cutOff += 1;
      else caughtUp += 1;
      peer.raw.destroy();
    }
    console.log(`slow readers: ${caughtUp} caught up, ${cutOff} were cut off`);
    expect(caughtUp + cutOff).toBe(20);
    if (!kFull) expect(caughtUp).toBe(20);
    await onlyWitness(5_000);
  });
});

describe("exhaustion: a crowd", () => {
  let capped: ServerProcess;
  let raws: RawSocket[] = [];

  beforeAll(async () => {
    capped = await ServerProcess.start({
      args: [
        "--handshakes-per-second",
        "1000",
        "--max-connections-per-address",
        "30",
        "--max-connections",
        "45",
      ],
    });
  });

  afterEach(() => {
    for (const raw of raws.splice(0)) raw.destroy();
  });

  afterAll(async () => {
    await capped?.stop();
  });

  async function connectMany(
    count: number,
    user: (i: number) => string,
    localAddress: string,
  ): Promise<number[]> {
    const opened = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        RawSocket.upgrade(capped.port, { token: capped.token(user(i)), localAddress }),
      ),
    );
    raws = raws.concat(opened);
    return opened.map((raw) => raw.reply.status);
  }

  test("of one user's sessions ends at eight, and one that closes makes room", async () => {
    const peers = await Promise.all(
      Array.from({ length: 10 }, () => Peer.open(capped.port, capped.token("tabs"))),
    );
    for (const peer of peers) peer.send(wire.Message.Hello, hello());
    raws = raws.concat(peers.map((peer) => peer.raw));
    const refused: Peer[] = [];
    await until("two refusals", () => {
      for (const peer of peers) peer.poll();
      refused.splice(0, refused.length, ...peers.filter((peer) => peer.raw.close !== undefined));
      return refused.length >= 2;
    });
    await sleep(200);
    expect(peers.filter((peer) => peer.raw.close !== undefined)).toHaveLength(2);
    for (const peer of refused) {
      expect(peer.raw.close?.code).toBe(CloseCode.kTooManySessions);
      expect(peer.messages.at(-1)).toMatchObject({ code: ErrorCode.kTooManySessions, reconnect: true });
    }
    peers.find((peer) => peer.raw.close === undefined)?.raw.reset();
    await until("room for one more", async () => {
      const peer = await Peer.open(capped.port, capped.token("tabs"));
      raws.push(peer.raw);
      peer.send(wire.Message.Hello, hello());
      await peer.until("an answer", () => peer.messages.length > 0);
      return peer.messages[0] instanceof wire.WelcomeT;
    });
  });

  test("from one address ends at the cap with HTTP 503, and other addresses still get in", async () => {
    const statuses = await connectMany(40, (i) => `crowd${i}`, "127.0.0.5");
    expect(statuses.filter((status) => status === 101)).toHaveLength(30);
    expect(statuses.filter((status) => status === 503)).toHaveLength(10);
    expect(raws.find((raw) => raw.reply.status === 503)?.reply.headers.get("retry-after")).toBe("1");
    expect(await connectMany(5, (i) => `other${i}`, "127.0.0.6")).toEqual([101, 101, 101, 101, 101]);
  });

  test("from many addresses ends at the cap of the server", async () => {
    await sleep(100);
    const statuses: number[] = [];
    for (let i = 0; i < 12; i += 1)
      statuses.push(...(await connectMany(5, (n) => `many${i}-${n}`, `127.0.1.${i + 1}`)));
    expect(statuses.filter((status) => status === 101)).toHaveLength(45);
    expect(statuses.filter((status) => status === 503)).toHaveLength(15);
  });

  test("that gave its places back finds them free again", async () => {
    await until("all places", async () => {
      const statuses = await connectMany(30, (i) => `again${i}`, "127.0.0.5");
      for (const raw of raws.splice(0)) raw.destroy();
      await sleep(50);
      return statuses.every((status) => status === 101);
    });
  });

  test("of new connections from one address is slowed down by default", async () => {
    const plain = await ServerProcess.start({ args: ["--shards", "1"] });
    try {
      const replies = await Promise.all(
        Array.from({ length: 80 }, () =>
          RawSocket.upgrade(plain.port, { token: "garbage", localAddress: "127.0.0.9" }),
        ),
      );
      raws = raws.concat(replies);
      const statuses = replies.map((raw) => raw.reply.status);
      expect(statuses.filter((status) => status === 401).length).toBeLessThan(60);
      expect(statuses.filter((status) => status === 503).length).toBeGreaterThan(15);
      const other = await RawSocket.upgrade(plain.port, {
        token: plain.token("calm"),
        localAddress: "127.0.0.10",
      });
      raws.push(other);
      expect(other.reply.status).toBe(101);
    } finally {
      await plain.stop();
    }
  });
});

function mib(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(1);
}
