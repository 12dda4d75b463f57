// What a restart keeps: everything after a clean stop, everything that was saved after a crash, and nothing twice.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { bodyNames, createBody, readWorld, saveGame, startResearch } from "./kit/actions.js";
import { connectUser, live, playerOf, worldOf } from "./kit/honest.js";
import { type Held, Peer } from "./kit/peer.js";
import { makeRandom } from "./kit/random.js";
import { type Client, wire } from "./kit/sdk.js";
import { runProgram, ServerFolders, ServerProcess } from "./kit/server-process.js";
import { kFull } from "./kit/tier.js";
import { sleep, until } from "./kit/wait.js";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function newFolders(): ServerFolders {
  const folders = new ServerFolders();
  cleanUps.push(() => folders.remove());
  return folders;
}

async function start(
  folders: ServerFolders,
  port?: number,
  args: readonly string[] = [],
): Promise<ServerProcess> {
  const server = await ServerProcess.start({
    dev: true,
    folders,
    args,
    ...(port === undefined ? {} : { port }),
  });
  cleanUps.push(() => server.kill());
  return server;
}

function user(server: ServerProcess, name: string): Client {
  const client = connectUser(server, name, { backoff: { baseMs: 50, maxMs: 200 } });
  cleanUps.push(() => client.close());
  return client;
}

async function peerOf(server: ServerProcess, name: string): Promise<Peer> {
  const peer = await Peer.live(server.port, server.token(name));
  cleanUps.push(() => peer.raw.destroy());
  return peer;
}

/** How often each name of a body is there. */
async function namesNow(server: ServerProcess): Promise<Map<string, number>> {
  const peer = await peerOf(server, "census");
  peer.subscribe("world");
  const { snapshot } = await peer.topic("world");
  const count = new Map<string, number>();
  for (const name of bodyNames(readWorld(snapshot.bytes))) count.set(name, (count.get(name) ?? 0) + 1);
  peer.raw.destroy();
  return count;
}

describe("restart: after SIGTERM", () => {
  test("everything goes on where it was, in the same epoch, and a client pays for the difference", async () => {
    const folders = newFolders();
    const first = await start(folders);
    const client = user(first, "keeper");
    const world = worldOf(client);
    const player = playerOf(client, "keeper");
    const errors: string[] = [];
    client.onError((error) => errors.push(error.code));
    await live(client);
    expect(await client.act(createBody({ name: "Kept" }))).toMatchObject({ status: "accepted" });
    expect(await client.act(startResearch(1))).toMatchObject({ status: "accepted" });
    expect(await client.act(saveGame())).toMatchObject({ status: "accepted", durable: true });
    expect(await client.act(createBody({ name: "Kept, though after the save" }))).toMatchObject({
      status: "accepted",
    });
    await until("both bodies", () => {
      const value = world.getSnapshot()?.value;
      const isInWorld = value !== undefined && bodyNames(value).includes("Kept, though after the save");
      return isInWorld && player.getSnapshot()?.value.bodiesCreated() === 2;
    });
    const fullTopics: string[] = [];
    for (const topic of [world, player]) {
      topic.subscribe(() => topic.getSnapshot()?.update.kind === "full" && fullTopics.push(topic.name));
    }

    const exit = await first.end("SIGTERM");
    expect(exit.code).toBe(0);
    expect(exit.tookMs).toBeLessThan(3_000);
    const held = world.getSnapshot();
    const heldPlayer = player.getSnapshot();
    if (held === undefined || heldPlayer === undefined) throw new Error("nothing held");
    const second = await start(folders, first.port);
    await until("a newer version", () => (world.getSnapshot()?.version ?? 0n) > held.version, 8_000);
    await until("a live client", () => client.connection.getSnapshot().state === "live");

    expect(errors).toContain("kShuttingDown");
    const now = world.getSnapshot();
    expect(now?.epoch).toBe(held.epoch);
    const missedTicks = Number((now?.value.tick() ?? 0n) - held.value.tick());
    expect(missedTicks).toBeGreaterThan(0);
    expect(missedTicks).toBeLessThan(100);
    expect(now?.value.bodiesLength()).toBe(held.value.bodiesLength());
    const names = await namesNow(second);
    expect([names.get("Kept"), names.get("Kept, though after the save")]).toEqual([1, 1]);
    expect(player.getSnapshot()?.epoch).toBe(heldPlayer.epoch);
    expect(player.getSnapshot()?.value.bodiesCreated()).toBe(2);
    expect(player.getSnapshot()?.value.research(0)?.doneAtMs()).toBe(
      heldPlayer.value.research(0)?.doneAtMs(),
    );
    expect(client.stats()).toMatchObject({ digestMismatches: 0, resyncs: 0 });
    expect(fullTopics).toEqual([]);
    await second.stop();
  });

  test("clients are told to come back: Disconnect with kShuttingDown, close 1012", async () => {
    const server = await start(newFolders());
    const peer = await peerOf(server, "told");
    peer.subscribe("world");
    await peer.topic("world");
    const ended = server.end("SIGTERM");
    await peer.until("the close", () => peer.raw.close !== undefined);
    expect(peer.raw.close?.code).toBe(1012);
    expect(peer.messages.at(-1)).toMatchObject({ code: 5003, reconnect: true, closeCode: 1012 });
    expect((peer.messages.at(-1) as wire.DisconnectT).retryAfterMs).toBeLessThanOrEqual(2_000);
    expect((await ended).code).toBe(0);
  });

  test("a client that never answers does not hold up the end", async () => {
    const server = await start(newFolders());
    const peers = await Promise.all(Array.from({ length: 5 }, () => peerOf(server, "deaf")));
    for (const peer of peers) {
      peer.subscribe("world");
      await peer.topic("world");
      peer.raw.socket.pause();
    }
    await sleep(500);
    const exit = await server.end("SIGTERM");
    expect(exit.code).toBe(0);
    expect(exit.tookMs).toBeLessThan(3_000);
  });

  test("restart after restart keeps the epoch, and no client needs a topic whole", async () => {
    const folders = newFolders();
    const topics = ["world", "player/patient"];
    const reasons: string[] = [];
    const held = new Map<string, Held>();
    const kRestarts = kFull ? 20 : 5;
    for (let i = 0; i <= kRestarts; i += 1) {
      const server = await start(folders);
      const peer = await peerOf(server, "patient");
      for (const name of topics) {
        const before = held.get(name);
        if (before === undefined) {
          peer.subscribe(name);
        } else {
          peer.cache.set(name, before);
          const { epoch, version, snapshot } = before;
          peer.subscribeHaving(name, { epoch, version, digest: snapshot.digest });
        }
        const { epoch, reason } = await peer.message(wire.SubscribedT, (message) => message.name === name);
        if (before !== undefined) {
          expect(epoch).toBe(before.epoch);
          reasons.push(`${name} ${wire.FullReason[reason]}`);
        }
        held.set(name, await peer.topic(name));
      }
      const world = held.get("world");
      await peer.until("some versions", () => (world?.updates.length ?? 0) >= 3);
      await sleep(17 * i); // the signal comes at any moment between two ticks
      const ended = server.end("SIGTERM");
      await peer.until("the end", () => peer.raw.isEnded);
      expect((await ended).code).toBe(0);
    }
    expect(reasons.sort()).toEqual(
      topics.flatMap((name) => Array.from({ length: kRestarts }, () => `${name} kNone`)).sort(),
    );
  });

  test("a start that fails for another reason costs nothing", async () => {
    const folders = newFolders();
    const first = await start(folders);
    const client = user(first, "careful");
    const world = worldOf(client);
    await live(client);
    await first.stop();
    const epoch = world.getSnapshot()?.epoch;
    const other = await start(newFolders());
    const failed = runProgram([
      "--port",
      `${other.port}`,
      "--data-dir",
      folders.data,
      "--log-dir",
      folders.logs,
    ]);
    expect(failed.status).toBe(1);
    const second = await start(folders, first.port);
    await until("a live client", () => client.connection.getSnapshot().state === "live", 8_000);
    expect(world.getSnapshot()?.epoch).toBe(epoch);
    await second.stop();
  });
});

describe("restart: after kill -9", () => {
  test("what was accepted is there, once, whether it was durable or not, and the epoch is new", async () => {
    const folders = newFolders();
    const first = await start(folders);
    const client = user(first, "victim");
    const world = worldOf(client);
    const player = playerOf(client, "victim");
    await live(client);
    expect(await client.act(createBody({ name: "Saved" }))).toMatchObject({ status: "accepted" });
    const saved = await client.act(saveGame());
    expect(saved).toMatchObject({ status: "accepted", durable: true });
    expect(await client.act(createBody({ name: "At the last moment" }))).toMatchObject({
      status: "accepted",
    });
    await until("both bodies", () => {
      const value = world.getSnapshot()?.value;
      const isInWorld = value !== undefined && bodyNames(value).includes("At the last moment");
      return isInWorld && player.getSnapshot()?.value.bodiesCreated() === 2;
    });
    const held = world.getSnapshot();
    if (held === undefined) throw new Error("nothing held");
    const { fulls, chunkDiffs } = client.stats();
    await first.kill();

    const second = await start(folders, first.port);
    await until("a new epoch", () => world.getSnapshot()?.epoch !== held.epoch, 8_000);
    await until("a live client", () => client.connection.getSnapshot().state === "live");
    await until("both bodies of the player", () => player.getSnapshot()?.value.bodiesCreated() === 2);
    expect(client.stats().fulls + client.stats().chunkDiffs).toBeGreaterThan(fulls + chunkDiffs);
    expect(client.stats().digestMismatches).toBe(0);
    await until("both bodies", () => world.getSnapshot()?.value.bodiesLength() === held.value.bodiesLength());
    const names = await namesNow(second);
    expect([names.get("Saved"), names.get("At the last moment")]).toEqual([1, 1]);
    expect(await client.act(createBody({ name: "Afterwards" }))).toMatchObject({ status: "accepted" });
    await second.stop();
  });

  test("a client that holds a version of the lost epoch is told why no patch can follow", async () => {
    const folders = newFolders();
    const first = await start(folders);
    const peer = await peerOf(first, "witness");
    peer.subscribe("world");
    const { epoch, version, snapshot } = await peer.topic("world");
    await first.kill();
    const second = await start(folders);
    const again = await peerOf(second, "witness");
    again.cache.set("world", { version, snapshot });
    again.subscribeHaving("world", { epoch, version, digest: snapshot.digest });
    const held = await again.topic("world");
    expect(held.epoch).not.toBe(epoch);
    expect(held.reason).toBe(wire.FullReason.kEpochChanged);
    expect(held.outcome).toBe(wire.TopicOutcome.kChunkDiff);
    expect(held.updates[0]?.kind).toBeOneOf(["chunkDiff", "full"]);
    await second.stop();
  });

  test("at any moment of building and saving loses nothing that was durable and doubles nothing", async () => {
    const folders = newFolders();
    const random = makeRandom(4_711);
    const durable = new Set<string>();
    const asked = new Set<string>();
    const rounds = kFull ? 25 : 4;
    for (let round = 0; round < rounds; round += 1) {
      const server = await start(folders);
      const builders = Array.from({ length: 4 }, async (_, i) => {
        const peer = await peerOf(server, `builder${round}-${i}`);
        const built: string[] = [];
        for (let n = 0; n < 10 && !peer.raw.isEnded; n += 1) {
          const name = `R${round} B${i} N${n}`;
          asked.add(name);
          const result = await peer.act(createBody({ name }));
          if (result.status === wire.ActionStatus.kAccepted) built.push(name);
          if (n % 3 !== 2) continue;
          const before = [...built];
          const saved = await peer.act(saveGame());
          if (saved.status === wire.ActionStatus.kAccepted && saved.durable)
            for (const one of before) durable.add(one);
        }
      });
      const settled = Promise.allSettled(builders);
      await sleep(150 + random() * 900);
      await server.kill();
      await settled;
    }
    const last = await start(folders);
    const names = await namesNow(last);
    for (const name of durable) expect(names.get(name), name).toBe(1);
    for (const name of asked) expect(names.get(name) ?? 0, name).toBeLessThanOrEqual(1);
    console.log(
      `kill -9: ${rounds} times, ${asked.size} bodies asked for, ${durable.size} durable, 0 lost, 0 doubled`,
    );
    expect(durable.size).toBeGreaterThan(0);
    await last.stop();
  });
});

describe("restart: the saved game", () => {
  test("is used by one server at a time", async () => {
    const folders = newFolders();
    const server = await start(folders);
    const second = runProgram([
      "--port",
      "0",
      "--data-dir",
      folders.data,
      "--log-dir",
      join(folders.root, "logs2"),
    ]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/libsync-server: .*(lock|use)/i);
    await server.stop();
  });

  test("that is damaged stops the start with a clear text, and is left as it is", async () => {
    const folders = newFolders();
    const server = await start(folders);
    await server.stop();
    const path = join(folders.data, readdirSync(folders.data).find((name) => name.endsWith(".sqlite")) ?? "");
    const bytes = readFileSync(path);
    const random = makeRandom(7);
    for (const [what, damaged] of [
      ["noise", Buffer.from(bytes.map(() => Math.floor(random() * 256)))],
      ["the first half", bytes.subarray(0, bytes.length / 2)],
    ] as const) {
      writeFileSync(path, damaged);
      const failed = runProgram(["--port", "0", "--data-dir", folders.data, "--log-dir", folders.logs]);
      expect(failed.status, what).toBe(1);
      expect(failed.stderr, what).toContain("libsync-server: ");
      expect(readFileSync(path).equals(damaged), what).toBe(true);
    }
    writeFileSync(path, bytes);
    const healed = await start(folders);
    await healed.stop();
  });
});
