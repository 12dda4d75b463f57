// fossil.ts: fossil-delta, which Colyseus used before @colyseus/schema: deltas of bytes that know no schema.

import { applyDelta, createDelta } from "fossil-delta";
import { type Measured, type Patch, timed } from "./measure.js";
import type { Trace } from "./trace.js";

const kPasses = 3;

/**
 * Pairs in an order that is spread evenly over the trace, until `seconds` are used: large snapshots take a second each,
 * and those done are a fair sample.
 */
export function measureFossil({ snapshots }: Trace, seconds: number): Measured {
  const patches: Patch[] = [];
  let verified = true;
  const end = performance.now() + seconds * 1000;
  for (const index of spreadOrder(snapshots.length - 1)) {
    const [from, to] = [snapshots[index], snapshots[index + 1]];
    if (from === undefined || to === undefined) continue;
    const encode: number[] = [];
    const apply: number[] = [];
    let bytes = 0;
    // The first time warms up, unless it is so slow that the time is up.
    for (let i = 0; i <= kPasses && (i < 1 || performance.now() < end); i += 1) {
      const made = timed(() => createDelta(from, to));
      const applied = timed(() => applyDelta(from, made.result));
      bytes = made.result.length;
      verified &&= Buffer.compare(applied.result, to) === 0;
      encode.push(made.us);
      apply.push(applied.us);
    }
    patches.push({
      bytes,
      snapshotBytes: to.length,
      encode: withoutFirst(encode),
      apply: withoutFirst(apply),
    });
    if (performance.now() >= end) break;
  }
  return { coder: "fossil-delta", patches, verified };
}

function withoutFirst(times: readonly number[]): readonly number[] {
  return times.length > 1 ? times.slice(1) : times;
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
