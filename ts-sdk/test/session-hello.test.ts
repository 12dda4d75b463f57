import { beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kOne, Pair } from "./session-pair.js";
import { envelope, welcome } from "./support.js";

beforeAll(initHash);

const kTwo = Uint8Array.of(2, 2, 2, 2, 2);

/** A message with a sequence that was used already. */
const firstMessage = () => envelope(1n, wire.Message.Welcome, welcome());

describe("session: hello", () => {
  test("session: says Hello first and nothing else before Welcome", () => {
    const pair = new Pair();
    pair.session.subscribe("world");
    pair.act(1);
    pair.open();
    pair.sleep(3_000);
    expect(pair.peer.received).toHaveLength(1);
    expect(pair.peer.received[0]).toMatchObject({
      protocolMin: 1,
      protocolMax: 1,
      patchFormatMax: 2,
      isNew: true,
      schemaFingerprint: 55n,
      sdk: "test",
    });
  });

  test("session: says in Hello who the client is and what it may take up again", () => {
    const secret = Uint8Array.of(9, 8, 7);
    const pair = new Pair().open({
      isNew: false,
      attempt: 7n,
      ledger: { low: 5n, high: 6n },
      firstSeenMs: 1_234n,
      confirmedAction: 11n,
      resume: { session: { low: 1n, high: 2n }, secret },
    });
    expect(pair.peer.all(wire.HelloT)).toEqual([
      expect.objectContaining({
        instance: new wire.Id128T(3n, 4n),
        isNew: false,
        attempt: 7n,
        ledger: new wire.Id128T(5n, 6n),
        firstSeenMs: 1_234n,
        confirmedAction: 11n,
        resume: new wire.SessionResumeT(new wire.Id128T(1n, 2n), [9, 8, 7]),
      }),
    ]);
  });

  test("session: hears why it is refused before Welcome", () => {
    const pair = new Pair().open();
    pair.peer.error(wire.ErrorCode.kTooManySessions, { message: "five already" });
    pair.peer.disconnect(wire.CloseCode.kTooManySessions, wire.ErrorCode.kTooManySessions, true);
    pair.closed(4007);
    expect(pair.of("error")[0]?.error.detail).toBe("five already");
    expect(pair.ended()).toBe("kTooManySessions");
  });

  test.each([
    ["a message before Welcome", (pair: Pair) => pair.peer.unsubscribed(1), "kUnexpectedMessage", 1002],
    ["state before Welcome", (pair: Pair) => pair.peer.full(1, 1n, kOne), "kUnexpectedMessage", 1002],
    [
      "another protocol version",
      (pair: Pair) => pair.peer.welcome({ protocol: 2 }),
      "kVersionUnsupported",
      4501,
    ],
    [
      "a newer patch format",
      (pair: Pair) => pair.peer.welcome({ patchFormat: 3 }),
      "kVersionUnsupported",
      4501,
    ],
    ["bytes that are no message", (pair: Pair) => pair.peer.deliver(kTwo), "kMalformed", 1007],
    ["text", (pair: Pair) => pair.session.handleText('{"error":{}}'), "kTextFrame", 1003],
  ])("session: ends for good at %s", (_, act, code, closeCode) => {
    const pair = new Pair().open();
    act(pair);
    pair.poll();
    expect(pair.closes).toEqual([closeCode]);
    pair.closed(1006);
    expect(pair.ended()).toBe(`${code}, for good`);
  });

  test.each([
    ["a second Welcome", (pair: Pair) => pair.peer.welcome(), "kUnexpectedMessage", 1002],
    ["a repeated sequence", (pair: Pair) => pair.peer.deliver(firstMessage()), "kSequenceGap", 1002],
    [
      "a message too big",
      (pair: Pair) => pair.peer.deliver(new Uint8Array(2_000_000)),
      "kMessageTooBig",
      1009,
    ],
    ["Subscribed unasked", (pair: Pair) => pair.peer.subscribed("x", 2, 1n, 1n), "kUnexpectedMessage", 1002],
    ["Unsubscribed from nothing", (pair: Pair) => pair.peer.unsubscribed(9), "kUnexpectedMessage", 1002],
    ["a malformed frame", (pair: Pair) => pair.peer.deliver(Uint8Array.of(0x31, 1)), "kMalformed", 1007],
    [
      "a part without a first",
      (pair: Pair) => pair.peer.deliver(Uint8Array.of(5, 1, 2, 1, 1, 1)),
      "kMalformed",
      1007,
    ],
  ])("session: ends for good at %s while live", (_, act, code, closeCode) => {
    const pair = new Pair().live();
    act(pair);
    expect(pair.closes).toEqual([closeCode]);
    pair.closed();
    expect(pair.ended()).toBe(`${code}, for good`);
  });
});
