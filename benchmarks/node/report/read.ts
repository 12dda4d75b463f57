// read.ts: what script/bench left in a folder, as one value. Every part but about.txt may be missing.
//
//   about.txt       lines "what<TAB>value", for the top of the page    commands.txt  what was run, one per line
//   replay.jsonl    libsync-replay --json                              node.jsonl    npm run bench of benchmarks/node
//   workloads.json  workload_bench, Google Benchmark's JSON

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { kWorkloads, type Workload } from "./workloads.js";

/** A coder on one workload. Speeds are multiples of memcmp on the same snapshots, times microseconds per patch. */
export interface Coder {
  readonly name: string;
  readonly bytes: number;
  readonly p99: number;
  readonly ofField?: number;
  readonly encodeSpeed?: number;
  readonly applySpeed?: number;
  readonly encodeUs?: number;
  readonly applyUs?: number;
  readonly pairs: number;
  readonly pairsOfTrace: number;
  readonly verified: boolean;
}

export interface Section {
  readonly workload: Workload;
  readonly snapshotBytes: number;
  readonly fieldDelta?: { readonly mean: number; readonly p99: number };
  /** From the version before: libsync first, then by size; those of Node.js among them. */
  readonly coders: readonly Coder[];
  /** From the fifth version before, in the same order. */
  readonly coders5: readonly Coder[];
  /** libsync's patches as the SDK applies them. */
  readonly sdk: readonly Coder[];
  /** Applying to the receiver's own bytes, as a multiple of memcmp. */
  readonly inPlaceSpeed?: number;
  /** A hundred versions, as a multiple of one snapshot. */
  readonly historyMemory?: number;
}

export interface Report {
  readonly about: readonly (readonly [string, string])[];
  readonly commands: readonly string[];
  readonly sections: readonly Section[];
}

type Json = { readonly [key: string]: unknown };

export const kLibsync = "libsync";
export const kColyseus = "@colyseus/schema";

export function readReport(folder: string): Report {
  const lines = (name: string) => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  };
  const rows = [...lines("replay.jsonl"), ...lines("node.jsonl")].map((line) => JSON.parse(line) as Json);
  const benchmarks = readBenchmarks(lines("workloads.json").join("\n"));
  return {
    about: lines("about.txt").map((line) => {
      const [what = "", value = ""] = line.split("\t");
      return [what, value];
    }),
    commands: lines("commands.txt"),
    sections: kWorkloads.flatMap((workload) => {
      const own = rows.filter((row) => basename(String(row["file"]), ".fbtrace") === workload.name);
      return own.length > 0 ? [makeSection(workload, own, benchmarks)] : [];
    }),
  };
}

function makeSection(workload: Workload, rows: readonly Json[], benchmarks: Benchmarks): Section {
  const all = rows.map((row) => ({ lag: row["lag"], coder: makeCoder(row) }));
  const isSdk = (coder: Coder) => coder.name.startsWith(`${kLibsync}, TypeScript`);
  const order = (a: Coder, b: Coder) =>
    Number(b.name === kLibsync) - Number(a.name === kLibsync) || a.bytes - b.bytes;
  const of = (lag: number) => all.flatMap((row) => (row.lag === lag ? [row.coder] : []));
  const before = rows.find((row) => row["lag"] === 1) ?? {};
  const mean = number(before, "field_delta_mean");
  const compare = benchmarks(`compare/${workload.name}`, "bytes_per_second");
  const inPlace = benchmarks(`apply_in_place/${workload.name}`, "bytes_per_second");
  return {
    workload,
    snapshotBytes: number(before, "snapshot_bytes_mean") ?? 0,
    ...optional(
      "fieldDelta",
      mean === undefined ? mean : { mean, p99: number(before, "field_delta_p99") ?? 0 },
    ),
    coders: of(1)
      .filter((coder) => !isSdk(coder))
      .sort(order),
    coders5: of(5).sort(order),
    sdk: of(1).filter(isSdk),
    ...optional("inPlaceSpeed", inPlace && compare && inPlace / compare),
    ...optional("historyMemory", benchmarks(`history_oldest/${workload.name}`, "memory")),
  };
}

function makeCoder(row: Json): Coder {
  const memcmp = number(row, "memcmp_bytes_per_second");
  const speed = (key: string) => {
    const bytesPerSecond = number(row, key);
    return bytesPerSecond && memcmp && bytesPerSecond / memcmp;
  };
  return {
    name: String(row["coder"]),
    bytes: number(row, "patch_bytes_mean") ?? 0,
    p99: number(row, "patch_bytes_p99") ?? 0,
    ...optional("ofField", number(row, "of_field_delta")),
    ...optional("encodeSpeed", speed("encode_bytes_per_second")),
    ...optional("applySpeed", speed("apply_bytes_per_second")),
    ...optional("encodeUs", number(row, "encode_us_median")),
    ...optional("applyUs", number(row, "apply_us_median")),
    pairs: number(row, "pairs") ?? 0,
    pairsOfTrace: number(row, "pairs_of_trace") ?? 0,
    verified: row["verified"] === true,
  };
}

/** The value of a counter of a benchmark: the median where it was repeated. */
type Benchmarks = (name: string, counter: string) => number | undefined;

function readBenchmarks(text: string): Benchmarks {
  const all: readonly Json[] = text === "" ? [] : JSON.parse(text).benchmarks;
  return (name, counter) => {
    const own = all.filter((one) => String(one["run_name"]).replace("/manual_time", "") === name);
    const one = own.find((candidate) => candidate["aggregate_name"] === "median") ?? own[0];
    return one && number(one, counter);
  };
}

function number(row: Json, key: string): number | undefined {
  const value = row[key];
  return typeof value === "number" ? value : undefined;
}

/** { [key]: value }, or nothing where there is no value. */
function optional<Key extends string, T>(key: Key, value: T | undefined): { [K in Key]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]: T });
}
