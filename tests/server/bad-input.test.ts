// What a broken or hostile client sends: each gets a typed answer, the documented close code and one line in the log,
// and nobody else notices. A witness is connected to the same server all the time.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Witness } from "./kit/honest.js";
import { encodeEnvelope, hello, Peer } from "./kit/peer.js";
import { makeRandom } from "./kit/random.js";
import { type FrameOptions, kOpcode, RawSocket } from "./kit/raw-socket.js";
import { CloseCode, ErrorCode, wire } from "./kit/sdk.js";
import { ServerProcess } from "./kit/server-process.js";
import { sleep, until } from "./kit/wait.js";

let server: ServerProcess;
let witness: Witness;
const peers: Peer[] = [];

beforeAll(async () => {
  const args = ["--handshakes-per-second", "10000", "--max-connections-per-address", "2000"];
  server = await ServerProcess.start({ args: [...args, "--max-sessions-per-user", "100"] });
  witness = await Witness.start(server);
});

afterAll(async () => {
  for (const peer of peers) peer.raw.destroy();
  witness?.close();
  await server?.stop();
});

/** The log writes at most 100 lines of a level per second, and each of these connections needs its line there. */
const kPaceMs = 15;
let nextOpenMs = 0;

async function paced(): Promise<void> {
  const nowMs = performance.now();
  nextOpenMs = Math.max(nextOpenMs + kPaceMs, nowMs);
  await sleep(nextOpenMs - nowMs);
}

async function open(user = "mallory"): Promise<Peer> {
  await paced();
  const peer = await Peer.open(server.port, server.token(user));
  peers.push(peer);
  return peer;
}

async function live(user = "mallory"): Promise<Peer> {
  await paced();
  const peer = await Peer.live(server.port, server.token(user));
  peers.push(peer);
  return peer;
}

interface Fate {
  readonly close: number;
  readonly code: ErrorCode;
  /** What the connection is told first. Frames that break RFC 6455 itself are answered by the close alone. */
  readonly farewell: "Disconnect" | "text" | "none";
}

/** Waits for the end, and checks what was said before it and what was written down. */
async function expectFate(peer: Peer, { close, code, farewell }: Fate, timeoutMs = 8_000): Promise<void> {
  await peer.until("the server's close", () => peer.raw.close !== undefined || peer.raw.isEnded, timeoutMs);
  expect(peer.raw.close?.code).toBe(close);
  if (farewell === "Disconnect") {
    const last = peer.messages.at(-1);
    expect(last).toBeInstanceOf(wire.DisconnectT);
    expect(last).toMatchObject({ closeCode: close, code, reconnect: close >= 4000 && close < 4500 });
  } else if (farewell === "text") {
    const [text = "{}"] = peer.texts;
    expect(JSON.parse(text)).toMatchObject({ error: { code, name: ErrorCode[code] } });
  }
  await expectLogged(peer, code);
  await peer.raw.ended();
}

/** Exactly one line of level ERROR about this connection, with this code. */
async function expectLogged(peer: Peer, code: ErrorCode): Promise<void> {
  const errors = await until("the error in the log", () => {
    const lines = server.logAbout(peer.raw.peer).filter((line) => line.includes(" ERROR "));
    return lines.length > 0 && lines;
  });
  expect(errors, errors.join("\n")).toHaveLength(1);
  expect(errors[0]).toMatch(
    new RegExp(` ERROR conn=\\d+ user=\\S+ peer=\\S+ code=${code} name=${ErrorCode[code]} `),
  );
}

const kMalformed: Fate = { close: 1007, code: ErrorCode.kMalformed, farewell: "Disconnect" };
const kUnexpected: Fate = { close: 1002, code: ErrorCode.kUnexpectedMessage, farewell: "Disconnect" };
const kSequenceGap: Fate = { close: 1002, code: ErrorCode.kSequenceGap, farewell: "Disconnect" };
const kTooBig: Fate = { close: 1009, code: ErrorCode.kMessageTooBig, farewell: "Disconnect" };
const kBadFrame: Fate = { close: 1002, code: ErrorCode.kMalformed, farewell: "none" };

const heartbeat = (): wire.HeartbeatT => new wire.HeartbeatT(1n, 0n);
const noise = makeRandom(20_260_101);

describe.concurrent("bad input: a message", () => {
  test("of text is answered in JSON and ends the connection", async () => {
    const peer = await live();
    peer.raw.sendFrame({ opcode: kOpcode.text, payload: Buffer.from('{"action":"hello"}') });
    await expectFate(peer, { close: 1003, code: ErrorCode.kTextFrame, farewell: "text" });
    expect(peer.texts).toHaveLength(1);
  });

  test("of text before Hello fares the same", async () => {
    const peer = await open();
    peer.raw.sendFrame({ opcode: kOpcode.text, payload: Buffer.from("hello?") });
    await expectFate(peer, { close: 1003, code: ErrorCode.kTextFrame, farewell: "text" });
  });

  test.each(Array.from({ length: 12 }, (_, i) => [i, 1 + Math.floor(noise() ** 4 * 4_000)]))(
    "of noise (%i: %i bytes) is malformed",
    async (_, size) => {
      const payload = Uint8Array.from({ length: size }, () => Math.floor(noise() * 256));
      const peer = await live();
      peer.sendBytes(payload);
      await expectFate(peer, kMalformed);
    },
  );

  test("that is empty is malformed", async () => {
    const peer = await live();
    peer.sendBytes(new Uint8Array(0));
    await expectFate(peer, kMalformed);
  });

  test("that is a state frame is malformed: clients send none", async () => {
    const peer = await live();
    peer.sendBytes(Uint8Array.of(0x35, 1, 1, 1, 1, 0, 0));
    await expectFate(peer, kMalformed);
  });

  test("cut at any length is malformed", async () => {
    const request = new wire.TopicRequestT("world", 128, new wire.PositionT(1n, 2n, 3n));
    const whole = encodeEnvelope(2n, wire.Message.Subscribe, new wire.SubscribeT([request]));
    for (let size = 1; size < whole.length; size += 5) {
      const peer = await live("cutter");
      peer.sendBytes(whole.subarray(0, size));
      await expectFate(peer, kMalformed);
    }
  });

  test("whose offsets lead astray is malformed", async () => {
    const whole = encodeEnvelope(
      2n,
      wire.Message.Subscribe,
      new wire.SubscribeT([new wire.TopicRequestT("world")]),
    );
    for (const value of [0x7fff_fffc, 0xffff_fffc, whole.length & ~3]) {
      const bytes = Uint8Array.from(whole);
      new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
      const peer = await live("astray");
      peer.sendBytes(bytes);
      await expectFate(peer, kMalformed);
    }
  });

  test("of a type that nobody knows ends with kUnknownMessage", async () => {
    const bytes = Uint8Array.from(encodeEnvelope(2n, wire.Message.Heartbeat, heartbeat()));
    const envelope = wire.Envelope.getRootAsEnvelope(new (await import("flatbuffers")).ByteBuffer(bytes));
    const at = envelope.bb?.__offset(envelope.bb_pos, 6) ?? 0;
    bytes[envelope.bb_pos + at] = 200;
    const peer = await live();
    peer.sendBytes(bytes);
    await expectFate(peer, { close: 1002, code: ErrorCode.kUnknownMessage, farewell: "Disconnect" });
  });

  test("with another sequence than the next one ends the connection", async () => {
    for (const sequence of [0n, 1n, 3n, 2n ** 64n - 1n]) {
      const peer = await live("counter");
      peer.sendBytes(encodeEnvelope(sequence, wire.Message.Heartbeat, heartbeat()));
      await expectFate(peer, kSequenceGap);
    }
  });

  test("before Hello is unexpected", async () => {
    const peer = await open();
    peer.subscribe("world");
    await expectFate(peer, kUnexpected);
    expect(peer.topics.size).toBe(0);
  });

  test("that is a second Hello is unexpected", async () => {
    const peer = await live();
    peer.send(wire.Message.Hello, hello());
    await expectFate(peer, kUnexpected);
  });

  test("that only servers send is unexpected", async () => {
    for (const [type, message] of [
      [wire.Message.Welcome, new wire.WelcomeT(1, 1, null, 0, 0, [], 0n, "", new wire.SessionLimitsT())],
      [wire.Message.Subscribed, new wire.SubscribedT("world", 1, 1n, 1n)],
      [wire.Message.Unsubscribed, new wire.UnsubscribedT(1)],
      [wire.Message.ActionResult, new wire.ActionResultT(1n)],
    ] as const) {
      const peer = await live("mirror");
      peer.send(type, message);
      await expectFate(peer, kUnexpected);
    }
  });

  test("that acknowledges what was never sent ends the connection", async () => {
    const unsent: Fate = { close: 1002, code: ErrorCode.kAckOfUnsent, farewell: "Disconnect" };
    const peer = await live("optimist");
    peer.subscribe("world");
    const { number, epoch, version } = await peer.topic("world");
    const ahead = new wire.TopicVersionT(number, epoch, version + 1_000n);
    peer.send(wire.Message.Ack, new wire.AckT([ahead], 0n));
    await expectFate(peer, unsent);
    const other = await live("optimist");
    other.send(wire.Message.Ack, new wire.AckT([], 1_000n));
    await expectFate(other, unsent);
  });

  test("whose chunks do not fit their size is malformed", async () => {
    for (const [size, bytes] of [
      [1024, 23],
      [1024, 25],
      [1024, 30],
      [255, 6],
      [0, 6],
      [52_000, 0],
      [2 ** 32 - 1, 6 * 4096],
    ] as const) {
      const peer = await live("chunks");
      peer.subscribe("world");
      const { number } = await peer.topic("world");
      const chunks = new wire.HeldChunksT(size, new Array(bytes).fill(7));
      peer.send(wire.Message.GetState, new wire.GetStateT(number, ErrorCode.kNone, chunks));
      await expectFate(peer, kMalformed);
    }
  });

  test("whose chunks nobody holds leads to the state whole", async () => {
    const peer = await live("dreamer");
    peer.subscribe("world");
    const { number } = await peer.topic("world");
    const held = peer.topics.get(number);
    const chunks = new wire.HeldChunksT(256 * 4096, new Array(6 * 4096).fill(0));
    const before = held?.updates.length ?? 0;
    peer.send(wire.Message.GetState, new wire.GetStateT(number, ErrorCode.kDigestMismatch, chunks));
    await peer.until("a full update", () => {
      return held?.updates.slice(before).some((update) => update.kind === "full") === true;
    });
    expect(held?.updates.some((update) => update.kind === "chunkDiff")).toBe(false);
  });

  test("of 64 KiB and one byte is too big, in one frame or in many", async () => {
    const peer = await live();
    peer.sendBytes(new Uint8Array(65_537));
    await expectFate(peer, kTooBig);
    const other = await live();
    for (let i = 0; i < 5; i += 1) {
      const opcode = i === 0 ? kOpcode.binary : kOpcode.continuation;
      other.raw.sendFrame({ opcode, fin: false, payload: new Uint8Array(16_000) });
    }
    await expectFate(other, kTooBig);
  });

  test("of exactly 64 KiB is only malformed", async () => {
    const peer = await live();
    peer.sendBytes(new Uint8Array(65_536));
    await expectFate(peer, kMalformed);
  });

  test.each([2n ** 63n, 2n ** 64n - 1n, 2n ** 63n - 1n, 2n ** 40n, 2n ** 32n, 65_537n])(
    "that announces %s bytes is refused before they come",
    async (declaredLength) => {
      const rss = server.rssBytes();
      const peer = await live();
      peer.raw.sendFrame({ payload: new Uint8Array(100), declaredLength });
      await peer.until("the server's close", () => peer.raw.close !== undefined || peer.raw.isEnded);
      // RFC 6455 section 5.2: the highest bit must be 0, so a length beyond 2^63 is also a broken frame.
      expect(peer.raw.close?.code).toBeOneOf(declaredLength >= 2n ** 63n ? [1009, 1002] : [1009]);
      expect(server.rssBytes() - rss).toBeLessThan(32 << 20);
    },
  );
});

describe.concurrent("bad input: a topic", () => {
  test("of another user is forbidden, and the connection goes on", async () => {
    const peer = await live("eve");
    peer.subscribe("player/witness", "player/eve");
    const error = await peer.message(wire.ErrorT);
    expect(error).toMatchObject({
      code: ErrorCode.kForbiddenTopic,
      recovery: wire.Recovery.kTerminal,
      topic: "player/witness",
    });
    expect((await peer.topic("player/eve")).name).toBe("player/eve");
    expect(peer.topics.size).toBe(1);
    peer.send(wire.Message.Heartbeat, heartbeat());
    await peer.message(wire.HeartbeatT);
    expect(peer.raw.close).toBeUndefined();
    const about = server.logAbout(peer.raw.peer);
    expect(about.some((line) => line.includes("code=2003 name=kForbiddenTopic"))).toBe(true);
  });

  test("that does not exist is no different from one that is another's", async () => {
    const peer = await live("eve2");
    const names = [
      "player/nobody",
      "player/witness",
      "player/",
      "player/eve2/",
      "PLAYER/eve2",
      "",
      "x".repeat(300),
    ];
    for (const name of [...names, "galaxy", "world/", "w\u0000orld", "../world"]) {
      peer.subscribe(name);
      const error = await peer.message(wire.ErrorT);
      expect(error.code).toBeOneOf([ErrorCode.kForbiddenTopic, ErrorCode.kUnknownTopic]);
      expect(error.recovery).toBe(wire.Recovery.kTerminal);
    }
    peer.subscribe("player/nobody", "player/witness");
    const codes = [(await peer.message(wire.ErrorT)).code, (await peer.message(wire.ErrorT)).code];
    expect(codes[0]).toBe(codes[1]);
    expect(peer.topics.size).toBe(0);
    expect(peer.raw.close).toBeUndefined();
  });

  test("beyond the announced number is refused", async () => {
    const peer = await live("collector");
    peer.send(
      wire.Message.Subscribe,
      new wire.SubscribeT(Array.from({ length: 66 }, (_, i) => new wire.TopicRequestT(`topic/${i}`))),
    );
    const errors: wire.ErrorT[] = [];
    while (errors.length < 66) errors.push(await peer.message(wire.ErrorT));
    expect(errors.filter((error) => error.code === ErrorCode.kTooManyTopics)).toHaveLength(2);
    expect(peer.raw.close).toBeUndefined();
  });
});

describe.concurrent("bad input: a frame", () => {
  const kPing = { opcode: kOpcode.ping } as const;
  const frames: readonly (readonly [string, readonly FrameOptions[]])[] = [
    ["without a mask", [{ masked: false, payload: new Uint8Array(20) }]],
    ["with RSV1", [{ rsv: 4, payload: new Uint8Array(20) }]],
    ["with RSV2", [{ rsv: 2, payload: new Uint8Array(20) }]],
    ["with RSV3", [{ rsv: 1, payload: new Uint8Array(20) }]],
    ["with the reserved opcode 3", [{ opcode: 3, payload: new Uint8Array(20) }]],
    ["with the reserved opcode 7", [{ opcode: 7 }]],
    ["with the reserved opcode 11", [{ opcode: 11 }]],
    ["with the reserved opcode 15", [{ opcode: 15 }]],
    ["of control with 126 bytes", [{ ...kPing, payload: new Uint8Array(126) }]],
    ["of control in fragments", [{ ...kPing, fin: false }]],
    ["of close with one byte", [{ opcode: kOpcode.close, payload: Uint8Array.of(3) }]],
    ["that continues nothing", [{ opcode: kOpcode.continuation, payload: new Uint8Array(5) }]],
    ["that begins within another message", [{ fin: false, payload: new Uint8Array(5) }, {}]],
  ];
  test.each(frames)("%s closes with 1002", async (_, sent) => {
    const peer = await live();
    for (const frame of sent) peer.raw.sendFrame(frame);
    await expectFate(peer, kBadFrame);
  });

  test.each([0, 999, 1004, 1005, 1006, 1015, 1016, 2_000, 2_999])(
    "of close with the code %i, which nobody may send, closes with 1002",
    async (code) => {
      const peer = await live();
      peer.raw.sendClose(code);
      await expectFate(peer, kBadFrame);
    },
  );

  test.each([1000, 1001, 3_000, 4_000, 4_999])(
    "of close with the code %i is answered with it",
    async (code) => {
      const peer = await live();
      peer.raw.sendClose(code);
      await peer.until("the answer", () => peer.raw.close !== undefined);
      expect(peer.raw.close?.code).toBe(code);
      await peer.raw.ended();
      expect(server.logAbout(peer.raw.peer).filter((line) => line.includes(" ERROR "))).toEqual([]);
    },
  );

  // RFC 6455 section 7.4.2 leaves codes from 5,000 undefined.
  test.each([5_000, 65_535])("of close with the code %i ends the connection", async (code) => {
    const peer = await live();
    peer.raw.sendClose(code);
    await peer.until("the server's close", () => peer.raw.close !== undefined);
    expect(peer.raw.close?.code).toBeOneOf([code, 1002]);
    await peer.raw.ended();
  });

  test("cut anywhere and left there harms nobody", async () => {
    const bytes = Buffer.concat([Buffer.from([0x82, 0xfe, 0x01, 0x00]), Buffer.alloc(40)]);
    for (let size = 1; size < bytes.length; size += 4) {
      const peer = await live();
      peer.raw.write(bytes.subarray(0, size));
      if (size % 8 === 1) peer.raw.reset();
      else peer.raw.socket.end();
    }
  });

  test("of a whole session sent byte by byte is understood", async () => {
    const raw = await RawSocket.connect(server.port, server.token("slow"));
    const peer = new Peer(raw);
    peers.push(peer);
    const write = raw.write.bind(raw);
    const pieces: Uint8Array[] = [];
    raw.write = (bytes) => pieces.push(Buffer.from(bytes as Uint8Array));
    peer.send(wire.Message.Hello, hello());
    peer.subscribe("world");
    for (const byte of Buffer.concat(pieces)) {
      write(Uint8Array.of(byte));
      await sleep(1);
    }
    expect((await peer.topic("world")).version).toBeGreaterThan(0n);
  });
});

describe.concurrent("bad input: a flood", () => {
  test("of empty fragments ends at the 65th", async () => {
    const peer = await live();
    peer.raw.sendFrame({ fin: false });
    for (let i = 0; i < 2_000; i += 1) peer.raw.sendFrame({ opcode: kOpcode.continuation, fin: false });
    await expectFate(peer, { close: 1002, code: ErrorCode.kMalformed, farewell: "Disconnect" });
  });

  test("of pings is cut, and some are answered", async () => {
    const peer = await live();
    for (let i = 0; i < 2_000; i += 1)
      peer.raw.sendFrame({ opcode: kOpcode.ping, payload: Uint8Array.of(i & 255) });
    await expectFate(peer, {
      close: CloseCode.kRateLimited,
      code: ErrorCode.kRateLimited,
      farewell: "Disconnect",
    });
  });

  test("of pongs that nobody asked for is cut", async () => {
    const peer = await live();
    for (let i = 0; i < 2_000; i += 1) peer.raw.sendFrame({ opcode: kOpcode.pong });
    await expectFate(peer, {
      close: CloseCode.kRateLimited,
      code: ErrorCode.kRateLimited,
      farewell: "Disconnect",
    });
  });

  test("of messages, 5,000 a second, is told to wait, then cut within three seconds", async () => {
    const peer = await live();
    const endMs = performance.now() + 3_000;
    while (peer.raw.close === undefined && !peer.raw.isEnded && performance.now() < endMs) {
      for (let i = 0; i < 100; i += 1) peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, 1n));
      await sleep(20);
      peer.poll();
    }
    const end = {
      close: CloseCode.kRateLimited,
      code: ErrorCode.kRateLimited,
      farewell: "Disconnect",
    } as const;
    await expectFate(peer, end);
    const warnings = peer.messages.filter((m): m is wire.ErrorT => m instanceof wire.ErrorT);
    expect(warnings.length).toBeGreaterThan(10);
    for (const warning of warnings) {
      expect(warning).toMatchObject({ code: ErrorCode.kRateLimited, recovery: wire.Recovery.kRetryable });
    }
  });

  test("of actions loses none of the answers", async () => {
    const peer = await live("eager");
    for (let i = 1n; i <= 200n; i += 1n) peer.send(wire.Message.Action, new wire.ActionT(i, [1, 2, 3]));
    await peer.until("200 results", () => peer.messages.length >= 200);
    const results = peer.messages.filter((m): m is wire.ActionResultT => m instanceof wire.ActionResultT);
    expect(results.map((result) => result.actionSequence).sort((a, b) => Number(a - b))).toEqual(
      Array.from({ length: 200 }, (_, i) => BigInt(i + 1)),
    );
    const codes = new Set(results.map((result) => ErrorCode[result.code]));
    for (const code of codes)
      expect(code).toBeOneOf(["kActionMalformed", "kRateLimited", "kActionSequence", "kTooManyActions"]);
  });

  test("of GetState costs no more than the rate of updates allows", async () => {
    const peer = await live("greedy");
    peer.subscribe("world");
    const { number } = await peer.topic("world");
    const held = peer.topics.get(number);
    for (let i = 0; i < 100; i += 1)
      peer.send(wire.Message.GetState, new wire.GetStateT(number, ErrorCode.kNone));
    const before = held?.updates.length ?? 0;
    await sleep(2_000);
    peer.poll();
    expect((held?.updates.length ?? 0) - before).toBeLessThanOrEqual(22);
  });
});

// Not concurrent: these tests look for single lines of the level INFO, of which there are more.
describe("bad input: what a client says of itself", () => {
  const kForged = '2026-01-01T00:00:00.000Z ERROR conn=1 user=root detail="forged"';
  const expectNotForged = (peer: Peer): void => {
    const lines = server.log().split("\n");
    expect(lines.filter((line) => line.startsWith(kForged))).toEqual([]);
    for (const line of server.logAbout(peer.raw.peer)) {
      expect(line.length).toBeLessThan(2_000);
      expect(line).toMatch(/^[\x20-\x7e]*$/);
    }
  };

  test("in Hello forges no line of the log, and does not fill it", async () => {
    const peer = await open("forger");
    peer.send(wire.Message.Hello, hello({ sdk: `a\n${kForged}\n\u001b[31m\u00e9${"x".repeat(50_000)}` }));
    await peer.message(wire.WelcomeT);
    await until("the session in the log", () =>
      server.logAbout(peer.raw.peer).some((l) => l.includes("session of")),
    );
    expectNotForged(peer);
  });

  test("in an Error neither, and the connection goes on", async () => {
    const peer = await live("forger");
    const text = `\n${kForged}\n${"x".repeat(50_000)}`;
    peer.send(wire.Message.Error, new wire.ErrorT(ErrorCode.kServerError, 0, 0, 0n, "world", text));
    peer.send(wire.Message.Heartbeat, heartbeat());
    await peer.message(wire.HeartbeatT);
    await until("its report in the log", () =>
      server.logAbout(peer.raw.peer).some((l) => l.includes("client reports")),
    );
    expectNotForged(peer);
  });

  test("in its name neither: users may be called anything that is text", async () => {
    const user = `"=\\ code=1 \u202e\u{1f600} ${kForged.slice(0, 60)}`;
    const peer = await Peer.live(server.port, server.token(user));
    peers.push(peer);
    peer.subscribe(`player/${user}`);
    await peer.topic(`player/${user}`);
    expectNotForged(peer);
  });

  test("in Disconnect ends the connection as it asks", async () => {
    const peer = await live("leaver");
    peer.send(wire.Message.Disconnect, new wire.DisconnectT(1000, 0, false, 0, "bye"));
    await peer.until("the server's close", () => peer.raw.close !== undefined);
    expect(peer.raw.close?.code).toBe(1000);
    await peer.raw.ended();
    expect(server.logAbout(peer.raw.peer).filter((line) => line.includes(" ERROR "))).toEqual([]);
  });
});

describe.concurrent("bad input: silence", () => {
  test("instead of Hello ends after five seconds", async () => {
    const startedMs = performance.now();
    const peer = await open();
    await peer.until("the server's close", () => peer.raw.close !== undefined, 8_000);
    expect(performance.now() - startedMs).toBeGreaterThan(4_500);
    expect(performance.now() - startedMs).toBeLessThan(6_500);
    expect(peer.raw.close?.code).toBe(CloseCode.kHeartbeatTimeout);
    expect(peer.messages.at(-1)).toMatchObject({ code: ErrorCode.kHeartbeatTimeout, reconnect: true });
    await peer.raw.ended();
  });

  test("in the middle of a message ends after ten seconds", async () => {
    const peer = await live();
    peer.raw.sendFrame({ payload: new Uint8Array(10), declaredLength: 1_000n });
    await expectFate(peer, { close: 1002, code: ErrorCode.kMalformed, farewell: "Disconnect" }, 13_000);
  });

  test("after Welcome is asked about after 9 s, and ended after 18 s", { timeout: 25_000 }, async () => {
    const startedMs = performance.now();
    const peer = await live();
    const asked = await peer.message(wire.HeartbeatT, () => true, 10_500);
    expect(asked.echoMs).toBe(0n);
    expect(performance.now() - startedMs).toBeGreaterThan(8_500);
    await peer.until("the server's close", () => peer.raw.close !== undefined, 11_000);
    expect(performance.now() - startedMs).toBeGreaterThan(17_500);
    expect(peer.raw.close?.code).toBe(CloseCode.kHeartbeatTimeout);
    expect(peer.messages.at(-1)).toMatchObject({ code: ErrorCode.kHeartbeatTimeout, reconnect: true });
  });

  test("after a Disconnect does not keep the connection", async () => {
    const peer = await live();
    peer.send(wire.Message.Hello, hello());
    peer.raw.socket.pause();
    await until(
      "the end in the log",
      () => server.logAbout(peer.raw.peer).some((line) => line.includes('"ended"')),
      5_000,
    );
  });
});

test("bad input: the witness saw every version and lost nothing meanwhile", async () => {
  const { version } = witness;
  await until("three more versions", () => witness.version >= version + 3n);
  const report = witness.report();
  console.log(
    `bad input: the witness got ${report.versions} versions, ${report.skipped} were conflated, ` +
      `longest gap ${report.longestGapMs.toFixed(0)} ms`,
  );
  expect(report).toMatchObject({
    errors: [],
    reconnects: 0,
    digestMismatches: 0,
    resyncs: 0,
    state: "live",
    isRising: true,
  });
  expect(report.skipped / report.versions).toBeLessThan(0.1);
  expect(report.longestGapMs).toBeLessThan(1_000);
});
