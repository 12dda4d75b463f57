// The protocol as an honest client meets it: docs/PROTOCOL.md, and the reference game behind it.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { schemaFingerprint } from "./generated/world_schema.js";
import {
  BodyType,
  bodyNames,
  createBody,
  ResearchStatus,
  readOutcome,
  readPlayer,
  readWorld,
  saveGame,
  startResearch,
} from "./kit/actions.js";
import { connectUser, live, playerOf, worldOf } from "./kit/honest.js";
import { hello, Peer } from "./kit/peer.js";
import { type Client, CloseCode, ErrorCode, type SyncError, wire } from "./kit/sdk.js";
import { ServerProcess } from "./kit/server-process.js";
import { sleep, until } from "./kit/wait.js";

let server: ServerProcess;
const clients: Client[] = [];
const peers: Peer[] = [];

beforeAll(async () => {
  server = await ServerProcess.start({ dev: true });
});

afterAll(async () => {
  for (const client of clients) client.close();
  for (const peer of peers) peer.raw.destroy();
  await server?.stop();
});

function user(name: string): Client {
  const client = connectUser(server, name);
  clients.push(client);
  return client;
}

async function livePeer(name: string): Promise<Peer> {
  const peer = await Peer.live(server.port, server.token(name));
  peers.push(peer);
  return peer;
}

describe.concurrent("protocol: a session", () => {
  test("begins with Welcome, which says who answers, the schema and every limit", async () => {
    const peer = await Peer.open(server.port, server.token("greeter"));
    peers.push(peer);
    peer.send(wire.Message.Hello, hello({ schemaFingerprint }));
    const welcome = await peer.message(wire.WelcomeT);
    expect(welcome).toMatchObject({ protocol: 1, patchFormat: 2, schemaFingerprint, lastActionSequence: 0n });
    expect(welcome.outcome).toBe(wire.SessionOutcome.kFresh);
    expect(String(welcome.server)).toMatch(/^libsync-server \d+\.\d+\.\d+/);
    expect(welcome.tokenExpiresInMs).toBeGreaterThan(3_500_000n);
    expect(welcome.tokenExpiresInMs).toBeLessThanOrEqual(3_600_000n);
    for (const [name, limit] of Object.entries(welcome.limits ?? {})) {
      if (typeof limit === "number") expect(limit, name).toBeGreaterThan(0);
    }
    expect(welcome.limits).toMatchObject({
      maxMessageBytes: 65_536,
      updatesPerSecond: 10,
      heartbeatIntervalMs: 9_000,
      heartbeatTimeoutMs: 9_000,
    });
  });

  test("that asks to resume is fresh, and says why", async () => {
    const peer = await Peer.open(server.port, server.token("resumer"));
    peers.push(peer);
    const resume = new wire.SessionResumeT(new wire.Id128T(1n, 2n), [1, 2, 3], 5n);
    peer.send(wire.Message.Hello, hello({ resume }));
    const welcome = await peer.message(wire.WelcomeT);
    expect(welcome.outcome).toBe(wire.SessionOutcome.kFresh);
    expect(welcome.freshReason).toBe(wire.FreshReason.kUnknownSession);
  });

  test("of two connections has two identities", async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 3; i += 1) {
      const peer = await Peer.open(server.port, server.token("twin"));
      peers.push(peer);
      peer.send(wire.Message.Hello, hello());
      const { session } = await peer.message(wire.WelcomeT);
      ids.add(`${session?.low} ${session?.high}`);
    }
    expect(ids.size).toBe(3);
  });

  test("answers a heartbeat at once with its own time", async () => {
    const peer = await livePeer("heart");
    peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(4711n, 0n));
    const answer = await peer.message(wire.HeartbeatT);
    expect(answer.echoMs).toBe(4711n);
    expect(answer.sentMs).not.toBe(0n);
  });

  test("does not begin with a protocol or a patch format that the server does not speak", async () => {
    for (const changes of [{ protocolMin: 2, protocolMax: 9 }, { protocolMax: 0 }, { patchFormatMax: 1 }]) {
      const peer = await Peer.open(server.port, server.token("stranger"));
      peers.push(peer);
      peer.send(wire.Message.Hello, hello(changes));
      const farewell = await peer.message(wire.DisconnectT);
      expect(farewell).toMatchObject({ code: ErrorCode.kVersionUnsupported, reconnect: false });
      await until("the close", () => peer.raw.close);
      expect(peer.raw.close?.code).toBe(CloseCode.kVersionUnsupported);
    }
  });

  test("does not begin with another schema", async () => {
    const peer = await Peer.open(server.port, server.token("stranger"));
    peers.push(peer);
    peer.send(wire.Message.Hello, hello({ schemaFingerprint: schemaFingerprint + 1n }));
    const farewell = await peer.message(wire.DisconnectT);
    expect(farewell).toMatchObject({ code: ErrorCode.kSchemaMismatch, reconnect: false });
    await until("the close", () => peer.raw.close);
    expect(peer.raw.close?.code).toBe(CloseCode.kSchemaMismatch);
  });

  test("ends on the client's wish with close 1000", async () => {
    const peer = await livePeer("leaver");
    peer.raw.sendClose(1000);
    await until("the answer to the close", () => peer.raw.close);
    expect(peer.raw.close?.code).toBe(1000);
    await peer.raw.ended();
  });

  test("ends without a word when one side has left the page", async () => {
    const client = user("leaver2");
    worldOf(client);
    await live(client);
    client.close();
    await until("the end in the log", () => /user=leaver2 .*detail="ended"/.test(server.log()));
    expect(server.log()).not.toMatch(/ERROR .*user=leaver2/);
  });
});

describe.concurrent("protocol: a topic", () => {
  test("comes whole first, then as patches, each checked by its digest", async () => {
    const client = user("viewer");
    const world = worldOf(client);
    const kinds: string[] = [];
    const versions: bigint[] = [];
    world.subscribe(() => {
      const snapshot = world.getSnapshot();
      kinds.push(snapshot?.update.kind ?? "none");
      versions.push(snapshot?.version ?? 0n);
    });
    await live(client);
    await until("20 versions", () => versions.length >= 20);
    expect(kinds[0]).toBe("full");
    expect(kinds.slice(1).every((kind) => kind === "patch")).toBe(true);
    expect(versions.every((version, i) => i === 0 || version > (versions[i - 1] ?? 0n))).toBe(true);
    expect(client.stats()).toMatchObject({ digestMismatches: 0, resyncs: 0, fulls: 1, reconnects: 0 });
    const snapshot = world.getSnapshot();
    expect(snapshot?.value.bodiesLength()).toBeGreaterThanOrEqual(1000);
    expect(client.stats().wireBytes).toBeLessThan(client.stats().snapshotBytes);
  });

  test("is what the server says it is: version and digest of /debug/stats", async () => {
    const client = user("auditor");
    const world = worldOf(client);
    const held = new Map<bigint, string>();
    world.subscribe(() => {
      const snapshot = world.getSnapshot();
      if (snapshot !== undefined) held.set(snapshot.version, snapshot.digest.toString(16).padStart(16, "0"));
    });
    await live(client);
    for (let i = 0; i < 5; i += 1) {
      const { topics } = await server.stats();
      const said = topics["world"];
      if (said === undefined) throw new Error("no topic world");
      await until(
        "the version that the server named",
        () => (world.getSnapshot()?.version ?? 0n) >= said.version,
      );
      const digest = held.get(BigInt(said.version));
      if (digest !== undefined) expect(digest).toBe(said.digest);
      expect(world.getSnapshot()?.epoch.toString(16).padStart(16, "0")).toBe(said.epoch);
    }
  });

  test("comes at most ten times a second, and at least eight times where it always changes", async () => {
    const peer = await livePeer("counter");
    const askedMs = performance.now();
    peer.subscribe("world", "player/counter");
    const world = await peer.topic("world");
    await peer.until("some updates", () => world.updates.length >= 3);
    const before = world.updates.length;
    const startedMs = performance.now();
    await peer.until("five seconds", () => performance.now() - startedMs >= 5_000);
    // From the question on, because what was late on the way comes in a bunch. The first state may be one that was made for
    // others, with what came since right behind it.
    expect(world.updates.length).toBeLessThanOrEqual((performance.now() - askedMs) / 100 + 2);
    const perSecond = (world.updates.length - before) / ((performance.now() - startedMs) / 1000);
    expect(perSecond).toBeGreaterThanOrEqual(8);
    // A player to whom nothing happens: the amounts follow from rates, so not a byte travels.
    const player = await peer.topic("player/counter");
    expect(player.updates).toHaveLength(1);
    expect(peer.strayFrames).toBe(0);
  });

  test("comes whole when the client asks for it", async () => {
    const peer = await livePeer("asker");
    peer.subscribe("world");
    const { number } = await peer.topic("world");
    const held = peer.topics.get(number);
    await peer.until("some patches", () => (held?.updates.length ?? 0) >= 3);
    peer.send(wire.Message.GetState, new wire.GetStateT(number, ErrorCode.kNone));
    await peer.until("a second full update", () => {
      return held?.updates.filter((update) => update.kind === "full").length === 2;
    });
    await peer.until("patches after it", () => held?.updates.at(-1)?.kind === "patch");
  });

  test("ends with Unsubscribed, and no frame of it follows", async () => {
    const peer = await livePeer("unsubscriber");
    peer.subscribe("world");
    const { number } = await peer.topic("world");
    peer.send(wire.Message.Unsubscribe, new wire.UnsubscribeT([number]));
    const ended = await peer.message(wire.UnsubscribedT);
    expect(ended).toMatchObject({ topic: number, code: ErrorCode.kNone });
    const bytes = peer.raw.receivedBytes;
    await sleep(500);
    peer.poll();
    expect(peer.raw.receivedBytes).toBe(bytes);
    peer.subscribe("world");
    expect((await peer.topic("world")).reason).toBe(wire.FullReason.kFirst);
  });

  test("that is subscribed already, or was never, is answered with an error", async () => {
    const peer = await livePeer("confused");
    peer.subscribe("world");
    await peer.topic("world");
    peer.subscribe("world");
    const twice = await peer.message(wire.ErrorT);
    expect(twice).toMatchObject({ code: ErrorCode.kUnexpectedMessage, topic: "world" });
    peer.send(wire.Message.Unsubscribe, new wire.UnsubscribeT([4_000_000]));
    expect((await peer.message(wire.ErrorT)).code).toBe(ErrorCode.kNotSubscribed);
    peer.send(wire.Message.GetState, new wire.GetStateT(4_000_000, ErrorCode.kNone));
    expect((await peer.message(wire.ErrorT)).code).toBe(ErrorCode.kNotSubscribed);
    const { version } = await peer.topic("world");
    await peer.until("the next version", () => [...peer.topics.values()].some((t) => t.version > version));
  });

  test("of one user is shown to him on all his connections, and to nobody else", async () => {
    const [ann, ann2, ben] = [user("ann"), user("ann"), user("ben")];
    const stores = [playerOf(ann, "ann"), playerOf(ann2, "ann")];
    const foreign = playerOf(ben, "ann");
    const own = playerOf(ben, "ben");
    const errors: SyncError[] = [];
    ben.onError((error) => errors.push(error));
    await Promise.all([live(ann), live(ann2), live(ben)]);
    await ann.act(startResearch(1));
    for (const store of stores) {
      await until(
        "the research of ann",
        () => store.getSnapshot()?.value.research(0)?.status() === ResearchStatus.kRunning,
      );
      expect(store.getSnapshot()?.value.user()).toBe("ann");
    }
    expect(own.getSnapshot()?.value.research(0)?.status()).toBe(ResearchStatus.kAvailable);
    expect(foreign.getSnapshot()).toBeUndefined();
    expect(errors).toMatchObject([{ code: "kForbiddenTopic", topic: "player/ann" }]);
  });
});

describe.concurrent("protocol: an action", () => {
  test("CreateCelestialBody is accepted, and its body is there at visible_at", async () => {
    const client = user("builder");
    const world = worldOf(client);
    const player = playerOf(client, "builder");
    const firstSeen = new Map<string, bigint>();
    world.subscribe(() => {
      const snapshot = world.getSnapshot();
      if (snapshot === undefined) return;
      for (const name of bodyNames(snapshot.value)) {
        if (!firstSeen.has(name)) firstSeen.set(name, snapshot.version);
      }
    });
    await live(client);
    const before = player.getSnapshot()?.value.resources()?.energy() ?? 0;
    const result = await client.act(createBody({ name: "Built by hand" }));
    expect(result).toMatchObject({ status: "accepted", code: "kNone" });
    const { bodyId } = readOutcome(result.payload);
    expect(bodyId).toBeGreaterThan(1000);
    expect(result.visibleAt.map((at) => at.topic).sort()).toEqual(["player/builder", "world"]);
    for (const at of result.visibleAt) {
      const store = at.topic === "world" ? world : player;
      await until("the version that shows it", () => (store.getSnapshot()?.version ?? 0n) >= at.version);
      expect(store.getSnapshot()?.epoch).toBe(at.epoch);
    }
    const visibleAt = result.visibleAt.find((at) => at.topic === "world")?.version ?? 0n;
    expect(firstSeen.get("Built by hand")).toBeLessThanOrEqual(visibleAt);
    expect(world.getSnapshot()?.value.nextBodyId()).toBeGreaterThan(bodyId);
    expect(player.getSnapshot()?.value.bodiesCreated()).toBe(1);
    expect(player.getSnapshot()?.value.resources()?.energy()).toBeLessThan(before);
  });

  test("that the rules refuse says why and changes nothing", async () => {
    const client = user("cheat");
    const world = worldOf(client);
    const player = playerOf(client, "cheat");
    await live(client);
    const before = player.getSnapshot();
    const refused = [
      createBody({ type: BodyType.kStar, name: "CHEAT star" }),
      createBody({ type: BodyType.kPlanet, name: "CHEAT planet" }),
      createBody({ type: 99 as BodyType, name: "CHEAT type" }),
      createBody({ at: [Number.NaN, 0, 0], name: "CHEAT nan" }),
      createBody({ at: [Number.POSITIVE_INFINITY, 0, 0], name: "CHEAT inf" }),
      createBody({ at: [3e38, 3e38, 3e38], name: "CHEAT far" }),
      createBody({ at: [0, 0, 0], name: "CHEAT inside the star" }),
      createBody({ name: `CHEAT ${"long ".repeat(50)}` }),
      createBody({ name: "CHEAT\u0000name" }),
      createBody({ name: "CHEAT\u202ename" }),
      startResearch(11),
      startResearch(999),
    ];
    for (const payload of refused) {
      const result = await client.act(payload);
      expect(result).toMatchObject({
        status: "refused",
        code: "kActionRefused",
        durable: false,
        visibleAt: [],
      });
      expect(result.message).not.toBe("");
    }
    await sleep(300);
    expect(player.getSnapshot()).toBe(before);
    const names = bodyNames(world.getSnapshot()?.value ?? readWorld(new Uint8Array(0)));
    expect(names.filter((name) => name.startsWith("CHEAT"))).toEqual([]);
  });

  test("whose payload is none is refused, and the connection goes on", async () => {
    const client = user("garbler");
    const world = worldOf(client);
    await live(client);
    const good = createBody();
    const payloads = [
      new Uint8Array(0),
      Uint8Array.of(1),
      new Uint8Array(64),
      new Uint8Array(64).fill(255),
      good.subarray(0, good.length - 9),
      new Uint8Array(5_000),
      ...Array.from({ length: 10 }, (_, i) => good.map((byte, at) => (at === 4 * i ? byte ^ 0x80 : byte))),
    ];
    const results = await Promise.all(payloads.map((payload) => client.act(payload)));
    for (const result of results.slice(0, 6)) {
      expect(result).toMatchObject({ status: "refused", code: "kActionMalformed" });
    }
    const version = world.getSnapshot()?.version ?? 0n;
    await until("the next version", () => (world.getSnapshot()?.version ?? 0n) > version);
    expect(client.stats().reconnects).toBe(0);
  });

  test("SaveGame is durable and tells the player which tick was saved", async () => {
    const client = user("saver");
    const player = playerOf(client, "saver");
    await live(client);
    // A save at tick 0 could not be told from none.
    await until("the first step of the game", async () => (await server.stats()).ticks > 0);
    const result = await client.act(saveGame());
    expect(result).toMatchObject({ status: "accepted", durable: true });
    const { savedTick } = readOutcome(result.payload);
    expect(savedTick).toBeGreaterThan(0n);
    await until(
      "the tick in the player's state",
      () => player.getSnapshot()?.value.lastSavedTick() === savedTick,
    );
    const again = await client.act(saveGame());
    expect(again).toMatchObject({ status: "refused" });
    expect(readPlayer(player.getSnapshot()?.bytes ?? new Uint8Array(0)).lastSavedTick()).toBe(savedTick);
  });

  test("StartResearch costs, runs, and is refused a second time", async () => {
    const client = user("scholar");
    const player = playerOf(client, "scholar");
    await live(client);
    const science = player.getSnapshot()?.value.resources()?.science() ?? 0;
    expect(await client.act(startResearch(1))).toMatchObject({ status: "accepted" });
    await until("the running research", () => {
      const research = player.getSnapshot()?.value.research(0);
      return research?.status() === ResearchStatus.kRunning && research.doneAtMs() > 0n;
    });
    expect(player.getSnapshot()?.value.resources()?.science()).toBeLessThan(science);
    expect(await client.act(startResearch(1))).toMatchObject({ status: "refused", code: "kActionRefused" });
    expect(await client.act(startResearch(2))).toMatchObject({ status: "refused", code: "kActionRefused" });
  });

  test("out of sequence is not executed", async () => {
    const peer = await livePeer("jumper");
    const send = (sequence: bigint): void => {
      const payload = [...createBody({ name: "JUMPED" })];
      peer.send(wire.Message.Action, new wire.ActionT(sequence, payload));
    };
    send(5n);
    expect(await peer.message(wire.ActionResultT)).toMatchObject({
      actionSequence: 5n,
      status: wire.ActionStatus.kFailed,
      code: ErrorCode.kActionSequence,
    });
    expect(await peer.act(createBody({ name: "Leapfrog" }))).toMatchObject({
      status: wire.ActionStatus.kAccepted,
    });
    send(1n);
    expect((await peer.message(wire.ActionResultT)).code).toBe(ErrorCode.kActionConflict);
    peer.subscribe("world");
    const { snapshot } = await peer.topic("world");
    expect(bodyNames(readWorld(snapshot.bytes))).not.toContain("JUMPED");
    expect(bodyNames(readWorld(snapshot.bytes)).filter((name) => name === "Leapfrog")).toHaveLength(1);
  });
});

describe.concurrent("protocol: a connection that comes back", () => {
  test("with what it holds gets the difference and no snapshot", async () => {
    const client = user("comeback");
    const world = worldOf(client);
    const player = playerOf(client, "comeback");
    await live(client);
    await until("some versions", () => client.stats().patches >= 5);
    const { fulls, wireBytes } = client.stats();
    const last = world.getSnapshot();
    client.reconnect();
    await until(
      "the reconnect",
      () => client.stats().reconnects === 1 && client.connection.getSnapshot().state === "live",
    );
    await until("news of the world", () => (world.getSnapshot()?.version ?? 0n) > (last?.version ?? 0n));
    expect(world.getSnapshot()?.epoch).toBe(last?.epoch);
    expect(client.stats()).toMatchObject({ fulls, digestMismatches: 0, resyncs: 0 });
    expect(client.stats().wireBytes - wireBytes).toBeLessThan(world.getSnapshot()?.bytes.length ?? 0);
    expect(player.getSnapshot()?.value.user()).toBe("comeback");
  });

  test("after a cut, too: none of its topics travels whole", async () => {
    const first = await livePeer("cut off");
    first.subscribe("world", "player/cut off");
    const held = [await first.topic("world"), await first.topic("player/cut off")];
    first.raw.reset();
    await until("the end in the log", () =>
      server.logAbout(first.raw.peer).some((l) => l.includes('"ended"')),
    );
    const second = await livePeer("cut off");
    for (const { name, epoch, version, snapshot } of held) {
      second.cache.set(name, { version, snapshot });
      second.subscribeHaving(name, { epoch, version, digest: snapshot.digest });
      const answer = await second.message(wire.SubscribedT, (message) => message.name === name);
      expect({ name, reason: wire.FullReason[answer.reason] }).toEqual({ name, reason: "kNone" });
    }
  });

  test("with a small state that is no baseline gets it whole, and the reason", async () => {
    const peer = await livePeer("small liar");
    peer.subscribeHaving("player/small liar", { epoch: 1n, version: 1n, digest: 1n });
    const held = await peer.topic("player/small liar");
    expect(held.outcome).toBe(wire.TopicOutcome.kFull);
    expect(held.reason).toBe(wire.FullReason.kEpochChanged);
  });

  test("holding the newest version hears that it is up to date", async () => {
    const first = await livePeer("newest");
    first.subscribe("player/newest");
    const { epoch, version, snapshot } = await first.topic("player/newest");
    // The first connection stays: the player is there for as long as one of his sessions is.
    const second = await livePeer("newest");
    second.cache.set("player/newest", { version, snapshot });
    second.subscribeHaving("player/newest", { epoch, version, digest: snapshot.digest });
    const answer = await second.message(wire.SubscribedT);
    expect(answer).toMatchObject({ outcome: wire.TopicOutcome.kUpToDate, epoch, version });
    await sleep(300);
    second.poll();
    expect([...second.topics.values()].flatMap((topic) => topic.updates)).toEqual([]);
  });

  test("with another epoch, an unknown version or another digest is asked for its chunks, and told why", async () => {
    const first = await livePeer("liar");
    first.subscribe("world");
    const { epoch, version, snapshot } = await first.topic("world");
    const { digest } = snapshot;
    for (const [have, reason] of [
      [{ epoch: epoch + 1n, version, digest }, wire.FullReason.kEpochChanged],
      [{ epoch, version: version + 1_000_000n, digest }, wire.FullReason.kBaselineGone],
      [{ epoch, version, digest: digest ^ 1n }, wire.FullReason.kDigestMismatch],
    ] as const) {
      const peer = await livePeer("liar");
      peer.subscribeHaving("world", have);
      // It holds nothing: what it gets is the whole.
      const held = await peer.topic("world");
      expect(held.outcome).toBe(wire.TopicOutcome.kChunkDiff);
      expect(held.reason).toBe(reason);
      expect(held.updates[0]?.kind).toBe("full");
      peer.raw.destroy();
    }
  });
});

test("protocol: nothing of an honest client is in the log as an error", () => {
  const kLiars = /user=(stranger|confused|jumper|ben)\b/;
  const errors = server
    .log()
    .split("\n")
    .filter((line) => line.includes(" ERROR ") && !kLiars.test(line));
  expect(errors).toEqual([]);
});
