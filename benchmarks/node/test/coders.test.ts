import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { initHash } from "../../../ts-sdk/src/index.js";
import { measureColyseus } from "../coders/colyseus.js";
import { measureFossil } from "../coders/fossil.js";
import { measureLibsync } from "../coders/libsync.js";
import { makeRow, percentile } from "../coders/measure.js";
import { readChain, readTrace } from "../coders/trace.js";
import { differences } from "../coders/world-compare.js";
import { World } from "../coders/world-schema.js";
import { updateWorld } from "../coders/world-update.js";
import { encodeWorld, makeTrace, makeWorld } from "./worlds.js";

const kSeconds = 0.001;

test("updateWorld: after every snapshot the state is the snapshot", () => {
  const state = new World();
  for (let tick = 0; tick < 6; tick += 1) {
    const snapshot = encodeWorld(makeWorld(tick));
    updateWorld(state, snapshot);
    assert.deepEqual(differences(state, snapshot), []);
  }
});

test("differences: one field, one entry too many and one missing are found", () => {
  const state = new World();
  updateWorld(state, encodeWorld(makeWorld(1)));
  const change = (edit: (world: ReturnType<typeof makeWorld>) => void) => {
    const world = makeWorld(1);
    edit(world);
    return differences(state, encodeWorld(world));
  };
  assert.match(
    change((world) => (world.bodies[3] ?? assert.fail()).hp--)[0] ?? "",
    /bodies\[5\]\.hp: 100, not 99/,
  );
  assert.match(change((world) => (world.bodies[0]?.position ?? assert.fail()).z++)[0] ?? "", /position\.z/);
  assert.match(change((world) => world.chat.pop())[0] ?? "", /chat: 4 of 3/);
  assert.match(change((world) => world.players.push(...makeWorld(1).players))[0] ?? "", /players: 1 of 2/);
  assert.match(change((world) => world.cubes[1] && world.cubes[1].touched++)[0] ?? "", /cubes\[1\]\.touched/);
});

test("@colyseus/schema: the client ends with the last snapshot, and sends less than it", () => {
  const trace = makeTrace(5);
  const { patches, verified } = measureColyseus(trace, kSeconds);
  assert.ok(verified);
  assert.equal(patches.length, 4);
  for (const { bytes, snapshotBytes } of patches) assert.ok(bytes > 0 && bytes < snapshotBytes);
});

test("fossil-delta: every result is the next snapshot", () => {
  const { patches, verified } = measureFossil(makeTrace(5), 10);
  assert.ok(verified);
  assert.equal(patches.length, 4);
});

test("libsync: a chain that leads elsewhere than the trace is not verified", async () => {
  await initHash();
  const trace = makeTrace(1);
  const [only = assert.fail()] = trace.snapshots;
  assert.ok(measureLibsync(trace, { baseline: only, patches: [] }, false, kSeconds).verified);
  assert.ok(!measureLibsync(makeTrace(2), { baseline: only, patches: [] }, false, kSeconds).verified);
});

test("makeRow: medians per patch, speeds of all together", () => {
  const patch = { bytes: 10, snapshotBytes: 1000, encode: [2, 9, 1], apply: [] };
  const measured = { coder: "x", patches: [patch, { ...patch, bytes: 30, encode: [4] }], verified: true };
  const row = makeRow({ ...makeTrace(3), field: { mean: 40, p99: 50 } }, 1e9, measured);
  assert.equal(row.patch_bytes_mean, 20);
  assert.equal(row.patch_bytes_p99, 30);
  assert.equal(row.encode_us_median, 2);
  assert.equal(row.encode_bytes_per_second, (2000 / 6) * 1e6);
  assert.equal(row.apply_us_median, null);
  assert.equal(row.of_field_delta, 0.5);
});

test("percentile: nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile([3], 0.99), 3);
});

test("readTrace, readChain: the parts are read; a file cut short or too long is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "libsync-trace-"));
  const u32 = (value: number) => [value, 0, 0, 0];
  const parts = [...u32(2), 1, 2, ...u32(3), 3, 4, 5];
  const read = <T>(reader: (file: string) => T, bytes: readonly number[]) => {
    writeFileSync(join(folder, "x.fbtrace"), Uint8Array.from(bytes));
    return reader(join(folder, "x.fbtrace"));
  };
  try {
    const trace = [...Buffer.from("FBTRACE1"), ...u32(2), ...u32(0), ...parts];
    assert.deepEqual(
      read(readTrace, trace).snapshots.map((snapshot) => [...snapshot]),
      [
        [1, 2],
        [3, 4, 5],
      ],
    );
    assert.throws(() => read(readTrace, trace.slice(0, -1)), /cut short/);
    assert.throws(() => read(readTrace, [...trace, 0]), /after the last/);
    assert.throws(() => read(readTrace, [0, ...trace]), /not a trace/);
    const chain = [...u32(1), ...parts];
    assert.equal(read(readChain, chain).patches.length, 1);
    assert.throws(() => read(readChain, chain.slice(0, -4)), /cut short/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
