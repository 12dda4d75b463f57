import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEpoch, kOne, Pair } from "./session-pair.js";
import { envelope, makeRandom, randomBytes, stateFrame, wholePatch } from "./support.js";

beforeAll(initHash);

const kTwo = Uint8Array.of(2, 2, 2, 2, 2);

describe("session: closing", () => {
  test.each([
    [wire.CloseCode.kServiceRestart, wire.ErrorCode.kShuttingDown, true, "kShuttingDown"],
    [wire.CloseCode.kTokenExpired, wire.ErrorCode.kTokenExpired, true, "kTokenExpired"],
    [wire.CloseCode.kReplaced, wire.ErrorCode.kReplaced, true, "kReplaced, for good"],
    [wire.CloseCode.kStateInvalid, wire.ErrorCode.kSessionRevoked, true, "kSessionRevoked"],
    [wire.CloseCode.kStateInvalid, wire.ErrorCode.kUnknownInstance, true, "kUnknownInstance"],
    [wire.CloseCode.kRateLimited, wire.ErrorCode.kRateLimited, false, "kRateLimited, for good"],
  ])("session: believes Disconnect %i more than the close code", (closeCode, code, reconnect, ended) => {
    const pair = new Pair().live();
    pair.peer.disconnect(closeCode, code, reconnect, 700);
    pair.closed(1006);
    expect(pair.ended()).toBe(ended);
    expect(pair.of("ended").at(-1)?.retryAfterMs).toBe(700);
  });

  test.each([
    [1000, "kConnectionLost"],
    [1001, "kConnectionLost"],
    [1006, "kConnectionLost"],
    [1012, "kConnectionLost"],
    [4001, "kConnectionLost"],
    [4499, "kConnectionLost"],
    [1002, "kUnexpectedMessage, for good"],
    [1003, "kTextFrame, for good"],
    [1007, "kMalformed, for good"],
    [1009, "kMessageTooBig, for good"],
    [4501, "kVersionUnsupported, for good"],
    [4502, "kUnauthenticated, for good"],
    [4504, "kReplaced, for good"],
    [4999, "kConnectionLost, for good"],
  ])("session: close code %i alone means %s", (code, ended) => {
    expect(new Pair().live().closed(code).ended()).toBe(ended);
  });

  test("session: says nothing after it closed, and lives again", () => {
    const pair = new Pair().live();
    pair.peer.deliver(Uint8Array.of(2));
    const received = pair.peer.received.length;
    expect(pair.peer.received.at(-1)).toMatchObject({ closeCode: 1007, code: wire.ErrorCode.kMalformed });
    pair.act(1);
    pair.peer.patch(1, 2n, kOne, kTwo);
    pair.sleep(60_000);
    expect(pair.peer.received).toHaveLength(received);
    expect(pair.closes).toEqual([1007]);
    expect(pair.held()).toEqual(kOne);
  });

  test("session: meets any bytes at any time with a close, never with a throw", () => {
    const random = makeRandom(31);
    for (let round = 0; round < 400; round += 1) {
      const pair = new Pair().live();
      const frames = [
        ...pair.peer.fullInParts(1, 2n, randomBytes(random, 300), 100),
        stateFrame({ kind: "patch", topic: 1, version: 2n, back: 1n, body: wholePatch(kOne, kTwo) }),
        envelope(3n, wire.Message.Heartbeat, new wire.HeartbeatT(1n, 0n)),
        envelope(3n, wire.Message.Subscribed, new wire.SubscribedT("world", 1, kEpoch, 2n)),
      ];
      for (const frame of frames) {
        for (let flips = 0; flips < round % 3; flips += 1) {
          const at = Math.floor(random() * frame.length);
          frame[at] = (frame[at] ?? 0) ^ (1 << Math.floor(random() * 8));
        }
        pair.peer.deliver(frame);
      }
      pair.sleep(20_000);
      pair.closed();
    }
  });
});
