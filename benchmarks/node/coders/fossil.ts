// fossil.ts: fossil-delta, which Colyseus used before @colyseus/schema: deltas of bytes that know no schema.

import { applyDelta, createDelta } from "fossil-delta";
import { type Measured, type Patch, timed } from "./measure.js";
import type { Trace } from "./trace.js";

const kPasses = 3;

/**
 * Pairs in an order that is spread evenly over the trace, until `seconds` are used, because large snapshots take a
 * second each: those done are a fair sample. All of them once before any of them again.
 */
export function measureFossil({ snapshots }: Trace, seconds: number): Measured {
  const all = new Map<number, Patch>();
  let verified = true;
  const order = spreadOrder(snapshots.length - 1);
  const end = performance.now() + seconds * 1000;
  for (let pass = 0; pass < kPasses; pass += 1) {
    for (const index of order) {
      const [from, to] = [snapshots[index], snapshots[index + 1]];
      if (from === undefined || to === undefined) continue;
      const made = timed(() => createDelta(from, to));
      const applied = timed(() => applyDelta(from, made.result));
      verified &&= Buffer.compare(applied.result, to) === 0;
      const before = all.get(index);
      all.set(index, {
        bytes: made.result.length,
        snapshotBytes: to.length,
        encode: [...(before?.encode ?? []), made.us],
        apply: [...(before?.apply ?? []), applied.us],
      });
      if (performance.now() >= end) return { coder: "fossil-delta", patches: [...all.values()], verified };
    }
  }
  return { coder: "fossil-delta", patches: [...all.values()], verified };
}

/** 0 to count - 1, each once: multiples of the golden ratio, as in benchmarks/tools/measure.cpp. */
function spreadOrder(count: number): number[] {
  const order = new Set<number>();
  for (let place = 0.5; order.size < count; ) {
    place = (place + 0.6180339887498949) % 1;
    let index = Math.floor(place * count);
    while (order.has(index)) index = (index + 1) % count;
    order.add(index);
  }
  return [...order];
}
