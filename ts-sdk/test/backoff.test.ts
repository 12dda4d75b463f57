import { describe, expect, test } from "vitest";
import { Backoff, kStableMs } from "../src/backoff.js";
import { makeRandom } from "./support.js";

const failed = { liveMs: 0, reconnectWindowMs: 2_000, retryAfterMs: 0 };

describe("Backoff", () => {
  test("Backoff: doubles its range from one second to twenty", () => {
    const backoff = new Backoff({}, () => 1);
    const ranges = Array.from({ length: 8 }, () => backoff.nextDelayMs(failed));
    expect(ranges).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000]);
    expect(backoff.failures).toBe(8);
  });

  test("Backoff: never overflows", () => {
    const backoff = new Backoff({}, () => 1);
    for (let i = 0; i < 5_000; i += 1) backoff.nextDelayMs(failed);
    expect(backoff.nextDelayMs(failed)).toBe(20_000);
  });

  test("Backoff: spreads evenly from zero to the end of its range", () => {
    const random = makeRandom(4);
    const tenths = new Array<number>(10).fill(0);
    let sum = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const backoff = new Backoff({ minMs: 500, maxMs: 20_000 }, random);
      backoff.nextDelayMs(failed);
      const delay = backoff.nextDelayMs(failed);
      sum += delay;
      const tenth = Math.floor(delay / 200);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(sum / 20_000).toBeGreaterThan(980);
    expect(sum / 20_000).toBeLessThan(1_020);
    for (const count of tenths) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });

  test("Backoff: comes back within the window after a stable connection and forgets earlier failures", () => {
    const backoff = new Backoff({}, () => 1);
    backoff.nextDelayMs(failed);
    backoff.nextDelayMs(failed);
    expect(backoff.nextDelayMs({ ...failed, liveMs: kStableMs - 1 })).toBe(4_000);
    expect(backoff.nextDelayMs({ ...failed, liveMs: kStableMs })).toBe(2_000);
    expect(backoff.failures).toBe(0);
    expect(backoff.nextDelayMs(failed)).toBe(1_000);
  });

  test("Backoff: never comes before retry_after", () => {
    const backoff = new Backoff({}, () => 0);
    expect(backoff.nextDelayMs({ ...failed, retryAfterMs: 30_000 })).toBe(30_000);
    expect(backoff.nextDelayMs({ liveMs: 9_999, reconnectWindowMs: 0, retryAfterMs: 70 })).toBe(70);
  });
});
