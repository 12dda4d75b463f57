// Many clients at once, round after round: everyone ends with the server's bytes, and the server as it was before.

import { afterAll, beforeAll, expect, test } from "vitest";
import { createBody, startResearch } from "./kit/actions.js";
import { connectUser, live } from "./kit/honest.js";
import type { Client, Topic } from "./kit/sdk.js";
import { ServerProcess, type Stats } from "./kit/server-process.js";
import { kFull } from "./kit/tier.js";
import { sleep, until } from "./kit/wait.js";

const kClients = kFull ? 200 : 50;
// A topic's history takes 6.4 s to fill: 64 versions, ten a second. Before, memory grows with reason.
const kSeconds = kFull ? 30 : 7;
const kRounds = Number(process.env["LIBSYNC_TEST_ROUNDS"] ?? 2);
/** Versions of the world that a client remembers, to be compared with what the server says. */
const kRemembered = 64;

// All clients are in one process: what one browser follows easily, two hundred of them cannot.
const kBodies = 200;

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({ dev: true, args: ["--bodies", String(kBodies)] });
});

afterAll(async () => {
  await server?.stop();
});

class SoakClient {
  readonly client: Client;
  readonly world: Topic<undefined>;
  readonly #digests = new Map<bigint, bigint>();
  #last = 0n;
  isRising = true;
  errors: string[] = [];

  constructor(user: string) {
    this.client = connectUser(server, user);
    this.client.onError((error) => this.errors.push(error.message));
    // A reader that does nothing: the point is the bytes.
    this.world = this.client.topic("world", () => undefined);
    this.client.topic(`player/${user}`, () => undefined);
    this.world.subscribe(() => this.#note());
  }

  #note(): void {
    const snapshot = this.world.getSnapshot();
    if (snapshot === undefined) return;
    this.isRising &&= snapshot.version > this.#last;
    this.#last = snapshot.version;
    this.#digests.set(snapshot.version, snapshot.digest);
    if (this.#digests.size <= kRemembered) return;
    for (const oldest of this.#digests.keys()) {
      this.#digests.delete(oldest);
      break;
    }
  }

  get version(): bigint {
    return this.#last;
  }

  /** The digest it had at this version, as /debug/stats writes it. */
  digestAt(version: number): string | undefined {
    return this.#digests.get(BigInt(version))?.toString(16).padStart(16, "0");
  }
}

/** Asks until only HTTP is spoken, so that two moments can be compared. */
function idle(): Promise<Stats> {
  return until(
    "an idle server",
    async () => {
      const stats = await server.stats();
      return stats.connections === 0 && stats.sessions === 0 && stats.subscriptions === 0 && stats;
    },
    5_000,
    50,
  );
}

async function round(number: number): Promise<void> {
  const clients = Array.from({ length: kClients }, (_, i) => new SoakClient(`soak${i}`));
  try {
    await Promise.all(clients.map(({ client }) => live(client, 20_000)));
    const started = await server.stats();
    const startedMs = performance.now();
    const endMs = startedMs + kSeconds * 1000;
    // Some of them also play. Only the first round adds bodies, or a larger world would look like a leak.
    for (let i = number; performance.now() < endMs; i += 1) {
      await clients[i % 10]?.client.act(number === 1 ? createBody() : startResearch(0));
      await sleep(500);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    const during = await server.stats();

    // The server goes on while it is asked: each client is compared at versions that both name.
    const agreed = new Set<SoakClient>();
    await until(
      "every client at a version and digest of the server",
      async () => {
        const said = (await server.stats()).topics["world"];
        if (said === undefined) throw new Error("no topic world");
        await until(
          "the version that the server named",
          () => clients.every((c) => c.version >= said.version),
          10_000,
        );
        for (const client of clients) {
          const digest = client.digestAt(said.version);
          if (digest === undefined) continue; // conflated
          expect(digest).toBe(said.digest);
          agreed.add(client);
        }
        return agreed.size === clients.length;
      },
      15_000,
      50,
    );

    const sum = {
      updates: 0,
      wireBytes: 0,
      snapshotBytes: 0,
      digestMismatches: 0,
      resyncs: 0,
      reconnects: 0,
      fulls: 0,
    };
    for (const { client } of clients) {
      const stats = client.stats();
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += stats[key];
    }
    const perUpdate = sum.wireBytes / sum.updates;
    const perSnapshot = sum.snapshotBytes / sum.updates;
    console.log(
      `soak round ${number}: ${kClients} clients, ${seconds.toFixed(0)} s, ${sum.updates} updates ` +
        `(${((during.updates_sent - started.updates_sent) / seconds / kClients).toFixed(1)} per client and second), ` +
        `${perUpdate.toFixed(0)} bytes per update against ${perSnapshot.toFixed(0)} per snapshot ` +
        `(${((100 * perUpdate) / perSnapshot).toFixed(1)} %), ${sum.digestMismatches} digest mismatches; ` +
        `longest tick ${(during.tick_us_max / 1000).toFixed(1)} ms, ${during.ticks_skipped} skipped, ` +
        `rss ${mib(during.rss_bytes)} MiB, ${during.fds} fds`,
    );
    expect(sum).toMatchObject({ digestMismatches: 0, resyncs: 0, reconnects: 0, fulls: 2 * kClients });
    expect(clients.flatMap((client) => client.errors)).toEqual([]);
    expect(clients.every((client) => client.isRising)).toBe(true);
    expect(perUpdate).toBeLessThan(perSnapshot);
    expect(during).toMatchObject({ connections: kClients, sessions: kClients, subscriptions: 2 * kClients });
  } finally {
    for (const { client } of clients) client.close();
  }
}

const kTitle =
  `soak: ${kClients} clients, ${kRounds} times ${kSeconds} s: ` +
  "all end on the server's version and digest, and nothing is left";

test(kTitle, { timeout: kRounds * (kSeconds + 40) * 1000 }, async () => {
  const before = await idle();
  const rss: number[] = [];
  let timers: number | undefined;
  for (let number = 1; number <= kRounds; number += 1) {
    await round(number);
    const after = await idle();
    timers ??= after.timers;
    expect(after).toMatchObject({
      connections: 0,
      sessions: 0,
      users: 0,
      players: 0,
      fds: before.fds,
      timers,
    });
    await sleep(500);
    rss.push(server.rssBytes());
  }
  console.log(
    `soak: after each round ${before.fds} fds and ${timers} timers; rss ${rss.map(mib).join(", ")} MiB`,
  );
  const [first = 0] = rss;
  for (const bytes of rss) expect(bytes).toBeLessThan(first * 1.05);
});

function mib(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(1);
}
