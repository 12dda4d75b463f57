import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEpoch, kOne, Pair } from "./session-pair.js";

beforeAll(initHash);

describe("session: acks", () => {
  test("session: acks a version at once, then at most once a second", () => {
    const pair = new Pair().live();
    expect(pair.peer.all(wire.AckT)).toEqual([new wire.AckT([new wire.TopicVersionT(1, kEpoch, 1n)], 2n)]);
    for (let version = 2n; version <= 21n; version += 1n) {
      pair.sleep(100);
      pair.peer.patch(1, version, kOne, kOne);
    }
    pair.sleep(1_000);
    const versions = pair.peer.all(wire.AckT).map((ack) => ack.versions[0]?.version);
    expect(versions).toEqual([1n, 10n, 20n, 21n]);
    pair.sleep(5_000);
    expect(pair.peer.all(wire.AckT)).toHaveLength(4);
  });

  test("session: acks each 64 KiB of state", () => {
    const pair = new Pair().live();
    const big = new Uint8Array(40 * 1024);
    pair.peer.full(1, 2n, big);
    expect(pair.peer.all(wire.AckT)).toHaveLength(1);
    pair.peer.full(1, 3n, big);
    expect(pair.peer.all(wire.AckT)).toHaveLength(2);
  });

  test("session: acks nothing that was not sent on this connection", () => {
    const pair = new Pair().live().closed().open();
    pair.peer.welcome();
    pair.peer.subscribed("world", 1, kEpoch, 1n, wire.TopicOutcome.kUpToDate);
    pair.sleep(5_000);
    expect(pair.peer.all(wire.AckT)).toEqual([]);
  });
});

describe("session: heartbeats", () => {
  test("session: answers a heartbeat at once and ignores one that is an answer to nothing", () => {
    const pair = new Pair().live();
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(123n, 0n));
    const [answer] = pair.peer.all(wire.HeartbeatT);
    expect(answer?.echoMs).toBe(123n);
    expect(answer?.sentMs).not.toBe(0n);
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, 99n));
    expect(pair.of("roundTrip")).toHaveLength(1);
  });

  test("session: asks after 9 s of silence, measures the round trip, gives up after 18 s", () => {
    const pair = new Pair().live();
    pair.sleep(8_999);
    expect(pair.peer.all(wire.HeartbeatT)).toEqual([]);
    pair.sleep(1);
    const [question] = pair.peer.all(wire.HeartbeatT);
    expect(question?.echoMs).toBe(0n);
    pair.nowMs += 30;
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, question?.sentMs ?? 0n));
    expect(pair.of("roundTrip").at(-1)?.rttMs).toBe(30);
    pair.sleep(17_999);
    expect(pair.closes).toEqual([]);
    pair.sleep(1);
    expect(pair.closes).toEqual([4003]);
    pair.closed();
    expect(pair.ended()).toBe("kHeartbeatTimeout");
  });

  test("session: gives up on a server that never answers Hello", () => {
    const pair = new Pair().open();
    pair.sleep(18_000);
    expect(pair.closes).toEqual([4003]);
  });

  test("session: keeps one answer for a flood of heartbeats", () => {
    const pair = new Pair().open();
    pair.peer.welcome({}, { messagesPerSecond: 2, messagesBurst: 4 });
    for (let i = 1n; i <= 1_000n; i += 1n) {
      pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(i, 0n));
    }
    pair.sleep(5_000);
    const echoes = pair.peer.all(wire.HeartbeatT).map((heartbeat) => heartbeat.echoMs);
    expect(echoes).toEqual([1n, 2n, 1_000n]);
  });
});

describe("session: pacing", () => {
  test("session: keeps to the announced message rate, whatever the application does", () => {
    const pair = new Pair().open();
    pair.peer.welcome({}, { messagesPerSecond: 10, messagesBurst: 20, maxActionsInFlight: 1_000 });
    const times: number[] = [];
    const take = pair.peer.take.bind(pair.peer);
    pair.peer.take = (bytes) => {
      times.push(pair.nowMs);
      take(bytes);
    };
    for (let i = 0; i < 200; i += 1) pair.act(1);
    pair.sleep(8_000);
    pair.peer.send(wire.Message.Heartbeat, new wire.HeartbeatT(1n, 0n));
    pair.sleep(8_000);
    for (const [i, at] of times.entries()) {
      const inWindow = times.filter((time, j) => j >= i && time < at + 5_000).length;
      expect(inWindow).toBeLessThanOrEqual(20 + 5 * 10);
    }
    expect(times.length).toBeGreaterThan(100);
    expect(pair.closes).toEqual([]);
  });

  test("session: waits and repeats what the server dropped for its rate", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.open();
    pair.peer.welcome();
    const slow = { recovery: wire.Recovery.kRetryable, retryAfterMs: 2_000, refSequence: 2n };
    pair.peer.error(wire.ErrorCode.kRateLimited, slow);
    pair.sleep(1_999);
    expect(pair.peer.received).toHaveLength(2);
    pair.sleep(1);
    expect(pair.peer.all(wire.SubscribeT)).toHaveLength(2);
    expect(pair.peer.all(wire.SubscribeT)[1]).toEqual(pair.peer.all(wire.SubscribeT)[0]);
  });
});
