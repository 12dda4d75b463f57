// npm run bench -- CHAIN...: what applying each patch of a recorded row takes, the digest included.
//
// CHAIN: written by libsync-replay --chains; layout: benchmarks/tools/chain.h. Times are medians over the patches that
// continue the context, after a warm-up; beside them the time as a share of what it takes to copy the snapshot to memory
// that is there.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { applyPatch, initHash, makeSnapshot, PatchContext, type ReuseBytes } from "../src/index.js";

const kWarmUpMs = 1500;
const kMeasureMs = 3000;
const kLimits = { maxSnapshotBytes: 1 << 30 };

interface Chain {
  readonly baseline: Uint8Array;
  readonly patches: readonly Uint8Array[];
}

function readChain(path: string): Chain {
  const file = readFileSync(path);
  let at = 4;
  const next = () => {
    const end = at + 4 + file.readUInt32LE(at);
    const bytes = Uint8Array.from(file.subarray(at + 4, end));
    at = end;
    return bytes;
  };
  const baseline = next();
  return { baseline, patches: Array.from({ length: file.readUInt32LE(0) }, next) };
}

/** Microseconds that each patch but the first takes. */
function follow({ baseline, patches }: Chain, reuseBytes: ReuseBytes): number[] {
  const context = new PatchContext({ reuseBytes });
  let snapshot = makeSnapshot(baseline.slice());
  return patches
    .map((patch) => {
      const begin = performance.now();
      snapshot = applyPatch(snapshot, patch, kLimits, context);
      return (performance.now() - begin) * 1000;
    })
    .slice(1);
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >>> 1] ?? Number.NaN;
}

function measure(run: () => number[]): number {
  for (const end = performance.now() + kWarmUpMs; performance.now() < end; ) run();
  const times: number[] = [];
  for (const end = performance.now() + kMeasureMs; performance.now() < end; ) times.push(...run());
  return median(times);
}

function copyTime(bytes: Uint8Array): number {
  const to = new Uint8Array(bytes.length);
  return measure(() => {
    const begin = performance.now();
    for (let i = 0; i < 20; i += 1) to.set(bytes);
    return [((performance.now() - begin) * 1000) / 20];
  });
}

await initHash();
const columns = [
  "snapshot",
  "patch",
  "us",
  "of a copy",
  "us, reuseBytes",
  "of a copy",
  "us, alternate",
  "of a copy",
];
console.log(["chain".padEnd(8), ...columns.map((name) => name.padStart(14))].join(" "));
for (const path of process.argv.slice(2)) {
  const chain = readChain(path);
  const patchBytes = chain.patches.reduce((sum, { length }) => sum + length, 0) / chain.patches.length;
  const copy = copyTime(chain.baseline);
  const ways = [false, true, "alternate"] as const;
  const times = ways.map((reuseBytes) => measure(() => follow(chain, reuseBytes)));
  const cells = [
    `${chain.baseline.length}`,
    patchBytes.toFixed(0),
    ...times.flatMap((time) => [time.toFixed(1), `${(time / copy).toFixed(1)} x`]),
  ];
  console.log([basename(path, ".chain").padEnd(8), ...cells.map((cell) => cell.padStart(14))].join(" "));
}
