import { beforeAll, describe, expect, test } from "vitest";
import { SyncError } from "../src/errors.js";
import { initHash } from "../src/fingerprint.js";
import * as wire from "../src/generated/protocol_generated.js";
import { kEnvelopeBytes } from "../src/message.js";
import { kEpoch, Pair } from "./session-pair.js";

beforeAll(initHash);

describe("session: actions", () => {
  test("session: sends what waits, as often as the server and its source allow", () => {
    const pair = new Pair().live();
    pair.actions.notBeforeMs = pair.nowMs + 500;
    pair.act(1);
    pair.sleep(499);
    expect(pair.peer.all(wire.ActionT)).toEqual([]);
    pair.sleep(1);
    expect(pair.peer.all(wire.ActionT)).toEqual([new wire.ActionT(1n, [1])]);
    expect(pair.actions.asked).toEqual({ window: 4, maxPayloadBytes: 65_536 - kEnvelopeBytes });
  });

  test("session: hands on results, and the names of the topics that show them", () => {
    const pair = new Pair().live();
    pair.act(1);
    pair.peer.actionResult(1n, wire.ActionStatus.kAccepted, wire.ErrorCode.kNone, {
      visibleAt: [new wire.TopicVersionT(1, kEpoch, 2n), new wire.TopicVersionT(9, 3n, 4n)],
    });
    expect(pair.of("actionAnswered")).toEqual([
      {
        type: "actionAnswered",
        answer: expect.objectContaining({ actionSequence: 1n, message: "said", payload: Uint8Array.of(5) }),
        visibleAt: [
          { topic: "world", epoch: kEpoch, version: 2n },
          { topic: "", epoch: 3n, version: 4n },
        ],
      },
    ]);
    pair.peer.actionsDurable(1n);
    expect(pair.of("actionsDurable")).toEqual([{ type: "actionsDurable", sequence: 1n }]);
  });

  test("session: confirms with the next action", () => {
    const pair = new Pair().live();
    pair.sleep(1_000);
    pair.actions.confirmed = 1n;
    pair.peer.received = [];
    pair.act(1);
    pair.sleep(5_000);
    // At once with the ack that was due anyway, and in the action; not again after that.
    expect(pair.peer.all(wire.AckT).map((ack) => ack.confirmedAction)).toEqual([1n]);
    expect(pair.peer.all(wire.ActionT)).toEqual([new wire.ActionT(1n, [1], 1n)]);
  });

  test("session: confirms with an ack of its own within a second, and at once where half of what may be sent waits for it", () => {
    const pair = new Pair().live();
    pair.actions.confirmed = 1n;
    pair.poll();
    pair.sleep(999);
    expect(pair.peer.all(wire.AckT).map((ack) => ack.confirmedAction)).toEqual([0n]);
    pair.sleep(1);
    expect(pair.peer.all(wire.AckT).map((ack) => ack.confirmedAction)).toEqual([0n, 1n]);
    pair.actions.confirmed = 2n;
    pair.poll();
    expect(pair.peer.all(wire.AckT)).toHaveLength(2);
    pair.actions.confirmed = 3n;
    pair.poll();
    expect(pair.peer.all(wire.AckT).at(-1)).toEqual(new wire.AckT([], 2n, 3n));
  });

  test("session: confirms nothing that Hello has said already", () => {
    const pair = new Pair().open({ isNew: false, confirmedAction: 8n });
    pair.actions.confirmed = 8n;
    pair.peer.welcome({ lastActionSequence: 8n });
    pair.sleep(5_000);
    expect(pair.peer.all(wire.AckT)).toEqual([]);
  });

  test("session: confirms after Welcome what was stored while it waited for it", () => {
    const pair = new Pair().open({ isNew: false, confirmedAction: 8n });
    pair.actions.confirmed = 9n;
    pair.poll();
    pair.peer.welcome({ lastActionSequence: 9n });
    pair.sleep(1_000);
    expect(pair.peer.all(wire.AckT).map((ack) => ack.confirmedAction)).toEqual([9n]);
  });
});

describe("session: tokens and leaving", () => {
  test("session: sends a new token while it lives, and tells how long it is good", () => {
    const pair = new Pair().open();
    pair.session.renewToken("early");
    pair.peer.welcome();
    expect(pair.peer.all(wire.RefreshTokenT)).toEqual([]);
    pair.session.renewToken("new");
    pair.poll();
    expect(pair.peer.all(wire.RefreshTokenT)).toEqual([new wire.RefreshTokenT("new")]);
    pair.peer.send(wire.Message.TokenRefreshed, new wire.TokenRefreshedT(90_000n));
    pair.peer.send(wire.Message.TokenRefreshed, new wire.TokenRefreshedT(0n));
    expect(pair.of("tokenRenewed").map((event) => event.expiresInMs)).toEqual([
      90_000,
      Number.POSITIVE_INFINITY,
    ]);
  });

  test("session: sends a token again that was dropped for its rate", () => {
    const pair = new Pair().live();
    pair.session.renewToken("new");
    pair.poll();
    const refSequence = BigInt(pair.peer.received.length);
    const slow = { recovery: wire.Recovery.kRetryable, retryAfterMs: 2_000, refSequence };
    pair.peer.error(wire.ErrorCode.kRateLimited, slow);
    pair.sleep(2_000);
    expect(pair.peer.all(wire.RefreshTokenT)).toHaveLength(2);
  });

  test("session: hands on that it is to go, and says goodbye when it does", () => {
    const pair = new Pair().live();
    pair.peer.goAway(30_000);
    expect(pair.of("goingAway")).toEqual([{ type: "goingAway", withinMs: 30_000 }]);
    expect(pair.closes).toEqual([]);
    pair.session.disconnect(new SyncError("kClosed", "enough"), false);
    pair.poll();
    expect(pair.peer.received.at(-1)).toMatchObject({ closeCode: 1000, code: 0, reconnect: false });
    expect(pair.closes).toEqual([1000]);
  });
});
