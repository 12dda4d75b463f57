import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytes, duration, multiple, roundDuration } from "../report/format.js";
import { makePage } from "../report/page.js";
import { readReport } from "../report/read.js";

const folder = mkdtempSync(join(tmpdir(), "libsync-report-"));
after(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly coder: string;
  readonly file?: string;
  readonly lag?: number;
  readonly bytes?: number;
  readonly verified?: boolean;
  readonly us?: number;
  readonly pairs?: number;
}

function row({
  coder,
  file = "x/a.fbtrace",
  lag = 1,
  bytes: size = 100,
  verified = true,
  us,
  pairs = 9,
}: Line): string {
  return JSON.stringify({
    file,
    coder,
    lag,
    pairs,
    pairs_of_trace: 99,
    snapshot_bytes_mean: 300_000,
    patch_bytes_mean: size,
    patch_bytes_p99: size * 2,
    encode_bytes_per_second: us === undefined ? 5e9 : null,
    apply_bytes_per_second: 1e9,
    memcmp_bytes_per_second: 10e9,
    ...(us !== undefined && { apply_us_median: us, encode_us_median: null }),
    field_delta_mean: 200,
    field_delta_p99: 250,
    of_field_delta: size / 200,
    verified,
  });
}

function write(replay: readonly Line[], node: readonly Line[]): void {
  const text = (lines: readonly Line[]) => lines.map((line) => `${row(line)}\n`).join("");
  writeFileSync(join(folder, "about.txt"), "commit\tabc <1>\nmachine\ttwo cores\n");
  writeFileSync(join(folder, "commands.txt"), "libsync-replay --json a & b\n");
  writeFileSync(join(folder, "replay.jsonl"), text(replay));
  writeFileSync(join(folder, "node.jsonl"), text(node));
  const benchmarks = [
    { run_name: "history_oldest/a", aggregate_name: "mean", memory: 1 },
    { run_name: "history_oldest/a", aggregate_name: "median", memory: 1.25 },
    { run_name: "compare/a", bytes_per_second: 8e9 },
    { run_name: "apply_in_place/a/manual_time", bytes_per_second: 2e9 },
  ];
  writeFileSync(join(folder, "workloads.json"), JSON.stringify({ benchmarks }));
}

const kReplay = [
  { coder: "zstd", bytes: 150 },
  { coder: "libsync", bytes: 110 },
  { coder: "libsync", bytes: 130, lag: 5 },
];
const kNode = [
  { coder: "@colyseus/schema", bytes: 300, us: 50 },
  { coder: "libsync, TypeScript", bytes: 110, us: 25 },
];

test("readReport: a coder's place, speeds of memcmp, and what Google Benchmark measured", () => {
  write(kReplay, kNode);
  const { sections } = readReport(folder);
  assert.equal(sections.length, 1);
  const [section = assert.fail()] = sections;
  assert.deepEqual(
    section.coders.map((coder) => coder.name),
    ["libsync", "zstd", "@colyseus/schema"],
  );
  assert.deepEqual(
    section.coders5.map((coder) => coder.bytes),
    [130],
  );
  assert.equal(section.coders[0]?.encodeSpeed, 0.5);
  assert.equal(section.sdk[0]?.applyUs, 25);
  assert.equal(section.historyMemory, 1.25);
  assert.equal(section.inPlaceSpeed, 0.25);
});

test("makePage: says whether the goal is met, and escapes what it was told", () => {
  write(kReplay, kNode);
  assert.match(makePage(readReport(folder)), /Goal 0\.54×, <span class="above">above</);
  write([{ coder: "libsync", bytes: 108 }], []);
  const page = makePage(readReport(folder));
  assert.match(page, /Goal 0\.54×, <span class="met">met</);
  assert.match(page, /abc &#60;1&#62;/);
  assert.match(page, /--json a &#38; b/);
  assert.doesNotMatch(page, /NaN|undefined|Infinity/);
});

test("makePage: a mean of a few pairs is not called the smallest", () => {
  const smallest = /zstd {2}0\.75/;
  write(kReplay, []);
  assert.match(makePage(readReport(folder)), smallest);
  write([...kReplay, { coder: "lucky", bytes: 120, pairs: 4 }], []);
  assert.match(makePage(readReport(folder)), smallest);
  write([...kReplay, { coder: "better", bytes: 120, pairs: 5 }], []);
  assert.match(makePage(readReport(folder)), /better {2}0\.60/);
});

test("makePage: needs nothing from elsewhere, and every link leads somewhere", () => {
  write(kReplay, kNode);
  const page = makePage(readReport(folder));
  assert.doesNotMatch(page, /https?:|<link|<script|<img|url\(/);
  for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(page.includes(`id="${id}"`), id);
});

test("makePage: a result that differs is said first", () => {
  write([...kReplay, { coder: "broken", verified: false }], kNode);
  const page = makePage(readReport(folder));
  assert.match(page, /Not equal:<\/strong> a: broken\./);
  assert.doesNotMatch(page, /all were equal/);
});

test("numbers are written as people read them", () => {
  assert.deepEqual([133.4, 9_999, 68_912, 14.9e6].map(bytes), ["133", "9999", "68.9k", "14.9M"]);
  assert.deepEqual([0.54, 0.0012, 12.34, 13_000].map(multiple), ["0.54", "0.0012", "12.3", "13,000"]);
  assert.deepEqual([0.5, 25, 1_234, 2.5e6].map(duration), ["0.50 µs", "25.0 µs", "1.23 ms", "2.50 s"]);
  assert.deepEqual([0.1, 10, 1000].map(roundDuration), ["0.10 µs", "10 µs", "1 ms"]);
  assert.equal(bytes(undefined), "–");
});
