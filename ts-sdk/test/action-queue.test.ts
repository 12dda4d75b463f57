import { describe, expect, test } from "vitest";
import { type ActionId, ActionQueue, type ActionVerdict } from "../src/action-queue.js";
import { kDefaultLimits, type Limits } from "../src/limits.js";
import { codeOf } from "./support.js";

const kWindow = 4;

function queueWith(n: number, limits: Partial<Limits> = {}): ActionQueue {
  const queue = new ActionQueue({ ...kDefaultLimits, ...limits });
  for (let i = 1; i <= n; i += 1) queue.stored(queue.add(Uint8Array.of(i)));
  expect(queue.begin(0n)).toBe(true);
  return queue;
}

/** Sends all that may be sent: "sequence:payload". */
function sendAll(queue: ActionQueue, nowMs = 0, window = kWindow): string[] {
  const sent: string[] = [];
  for (let action = queue.next(nowMs, window); action !== undefined; action = queue.next(nowMs, window)) {
    sent.push(`${action.sequence}:${action.isWithdrawn ? "withdrawn" : action.payload}`);
  }
  return sent;
}

const verdict = (sequence: number, changes: Partial<ActionVerdict> = {}): ActionVerdict => ({
  sequence: BigInt(sequence),
  outcome: "accepted",
  isConflict: false,
  isDurable: false,
  retryAfterMs: 0,
  ...changes,
});
const ids = (...numbers: number[]): ActionId[] => numbers.map(BigInt);

describe("ActionQueue", () => {
  test("ActionQueue: sends in order, each once, as many as the window takes", () => {
    const queue = queueWith(6);
    expect(sendAll(queue)).toEqual(["1:1", "2:2", "3:3", "4:4"]);
    expect(queue.takeResult(0, verdict(1, { isDurable: true }))).toBe("answered");
    // Answered is not ended: the window moves when it is settled.
    expect(sendAll(queue)).toEqual([]);
    expect(queue.settle()).toEqual(ids(1));
    expect(sendAll(queue)).toEqual(["5:5"]);
  });

  test("ActionQueue: sends nothing that is not stored, nor what comes after it", () => {
    const queue = queueWith(0);
    const first = queue.add(Uint8Array.of(1));
    const second = queue.add(Uint8Array.of(2));
    queue.stored(second);
    expect(sendAll(queue)).toEqual([]);
    queue.stored(first);
    expect(sendAll(queue)).toEqual(["1:1", "2:2"]);
  });

  test("ActionQueue: sends one that failed again after its time, and all that follow it", () => {
    const queue = queueWith(4);
    sendAll(queue);
    expect(queue.takeResult(100, verdict(2, { outcome: "failed", retryAfterMs: 300 }))).toBe("again");
    expect(queue.takeResult(100, verdict(3, { outcome: "failed" }))).toBe("again");
    expect(sendAll(queue, 399)).toEqual([]);
    expect(queue.nextAtMs(399, kWindow)).toBe(400);
    expect(sendAll(queue, 400)).toEqual(["2:2", "3:3", "4:4"]);
    expect(queue.nextAtMs(400, kWindow)).toBe(Number.POSITIVE_INFINITY);
  });

  test("ActionQueue: waits a little even where the server asks for no wait", () => {
    const queue = queueWith(1);
    sendAll(queue);
    queue.takeResult(0, verdict(1, { outcome: "failed" }));
    expect(sendAll(queue, 49)).toEqual([]);
    expect(sendAll(queue, 50)).toEqual(["1:1"]);
  });

  test("ActionQueue: ends only what is answered and durable, oldest first", () => {
    const queue = queueWith(3);
    sendAll(queue);
    queue.takeResult(0, verdict(2));
    expect(queue.takeDurable(2n)).toBe(true);
    expect(queue.settle()).toEqual([]);
    queue.takeResult(0, verdict(1));
    queue.takeResult(0, verdict(3));
    expect(queue.settle()).toEqual(ids(1, 2));
    expect(queue.confirmed).toBe(2n);
    expect(queue.takeDurable(3n)).toBe(true);
    expect(queue.settle()).toEqual(ids(3));
  });

  test("ActionQueue: takes an answer once, and none for what was not sent", () => {
    const queue = queueWith(2);
    expect(queue.takeResult(0, verdict(1))).toBe("nothing");
    expect(queue.takeDurable(1n)).toBe(false);
    sendAll(queue, 0, 1);
    expect(queue.takeResult(0, verdict(1))).toBe("answered");
    expect(queue.takeResult(0, verdict(1))).toBe("nothing");
    expect(queue.takeResult(0, verdict(1, { outcome: "failed" }))).toBe("nothing");
    expect(queue.takeResult(0, verdict(2))).toBe("nothing");
    expect(queue.takeResult(0, verdict(9))).toBe("nothing");
  });

  test("ActionQueue: knows a conflict, but not as the answer to what it never sent", () => {
    const queue = queueWith(2);
    sendAll(queue, 0, 1);
    const conflict = { outcome: "failed", isConflict: true } as const;
    expect(queue.takeResult(0, verdict(2, conflict))).toBe("nothing");
    expect(queue.takeResult(0, verdict(1, conflict))).toBe("conflict");
  });

  test("ActionQueue: goes on on a new connection after what the server has executed", () => {
    const queue = queueWith(4);
    sendAll(queue);
    expect(queue.begin(2n)).toBe(true);
    expect(sendAll(queue)).toEqual(["3:3", "4:4"]);
  });

  test("ActionQueue: sends again what a crash of the server took, and waits for its answer", () => {
    const queue = queueWith(3);
    sendAll(queue);
    for (const sequence of [1, 2, 3]) queue.takeResult(0, verdict(sequence));
    queue.takeDurable(1n);
    expect(queue.settle()).toEqual(ids(1));
    expect(queue.begin(1n)).toBe(true);
    queue.takeDurable(3n);
    expect(queue.settle()).toEqual([]);
    expect(sendAll(queue)).toEqual(["2:2", "3:3"]);
    expect(queue.takeResult(0, verdict(2))).toBe("answered");
    expect(queue.settle()).toEqual(ids(2));
  });

  test("ActionQueue: one that was refused takes its place and is not executed after a crash", () => {
    const queue = queueWith(2);
    sendAll(queue);
    expect(queue.takeResult(0, verdict(1, { outcome: "refused" }))).toBe("refused");
    expect(queue.begin(0n)).toBe(true);
    expect(sendAll(queue)).toEqual(["1:withdrawn", "2:2"]);
    expect(queue.takeResult(0, verdict(1, { outcome: "refused", isDurable: true }))).toBe("nothing");
    expect(queue.settle()).toEqual(ids(1));
  });

  test.each([
    ["more than it sent", 4n],
    ["less than was durable", 1n],
  ])("ActionQueue: the instance is lost if the server has executed %s", (_, last) => {
    const queue = queueWith(3);
    sendAll(queue);
    queue.takeDurable(2n);
    expect(queue.begin(last)).toBe(false);
  });

  test("ActionQueue: the instance is lost if the server has forgotten what was confirmed", () => {
    const queue = queueWith(0);
    queue.restore(10n, 5n, [], true);
    expect(queue.begin(4n)).toBe(false);
    expect(queue.begin(5n)).toBe(true);
  });

  test("ActionQueue: a new instance begins with what was not sent", () => {
    const queue = queueWith(4);
    sendAll(queue, 0, 2);
    queue.takeResult(0, verdict(1, { isDurable: true }));
    queue.settle();
    expect(queue.renounce()).toEqual(ids(2));
    expect(queue).toMatchObject({ base: 2n, confirmed: 0n, last: 4n });
    expect(queue.begin(0n)).toBe(true);
    expect(sendAll(queue)).toEqual(["1:3", "2:4"]);
    expect(queue.takeResult(0, verdict(1))).toBe("answered");
    expect(queue.idOf(1n)).toBe(3n);
  });

  test("ActionQueue: what an earlier process left may have been sent, save by a new instance", () => {
    const actions = [1, 2].map((n) => ({ payload: Uint8Array.of(n), isWithdrawn: n === 2 }));
    const queue = queueWith(0);
    queue.restore(10n, 5n, actions, true);
    expect(queue).toMatchObject({ base: 10n, confirmed: 5n, last: 17n });
    expect(queue.begin(7n)).toBe(true);
    queue.takeResult(0, verdict(6, { isDurable: true }));
    expect(queue.settle()).toEqual(ids(16));
    const again = queueWith(0);
    again.restore(10n, 5n, actions, true);
    expect(again.renounce()).toEqual(ids(16, 17));
    const unsent = queueWith(0);
    unsent.restore(10n, 5n, actions, false);
    expect(unsent.renounce()).toEqual([]);
    expect(unsent.begin(0n)).toBe(true);
    expect(sendAll(unsent)).toEqual(["1:1", "2:withdrawn"]);
  });

  test("ActionQueue: is bounded in actions and bytes until they have ended", () => {
    const queue = queueWith(0, { maxQueuedActions: 2, maxQueuedActionBytes: 10 });
    queue.stored(queue.add(new Uint8Array(9)));
    expect(codeOf(() => queue.add(new Uint8Array(2)))).toBe("kTooManyActions");
    queue.stored(queue.add(new Uint8Array(1)));
    expect(codeOf(() => queue.add(new Uint8Array(0)))).toBe("kTooManyActions");
    sendAll(queue);
    queue.takeResult(0, verdict(1, { isDurable: true }));
    expect(codeOf(() => queue.add(new Uint8Array(9)))).toBe("kTooManyActions");
    queue.settle();
    expect(codeOf(() => queue.add(new Uint8Array(9)))).toBe("nothing thrown");
  });
});
