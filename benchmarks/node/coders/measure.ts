// measure.ts: from sizes and times of the patches of a trace to the line that libsync-replay --json prints too.

import type { Trace } from "./trace.js";

/** One patch, each snapshot of the trace from the one before. */
export interface Patch {
  readonly bytes: number;
  readonly snapshotBytes: number;
  /** Microseconds, one per pass; empty: not measured. */
  readonly encode: readonly number[];
  readonly apply: readonly number[];
}

export interface Measured {
  readonly coder: string;
  readonly patches: readonly Patch[];
  /** Every result was compared and equal. */
  readonly verified: boolean;
}

/** The keys of libsync-replay --json, and the median time per patch in microseconds. */
export interface Row {
  readonly file: string;
  readonly coder: string;
  readonly lag: number;
  readonly pairs: number;
  readonly pairs_of_trace: number;
  readonly snapshot_bytes_mean: number;
  readonly patch_bytes_mean: number;
  readonly patch_bytes_p99: number;
  readonly encode_bytes_per_second: number | null;
  readonly apply_bytes_per_second: number | null;
  readonly encode_us_median: number | null;
  readonly apply_us_median: number | null;
  readonly memcmp_bytes_per_second: number;
  readonly field_delta_mean?: number;
  readonly field_delta_p99?: number;
  readonly of_field_delta?: number;
  readonly verified: boolean;
}

export function makeRow(
  trace: Trace,
  memcmpBytesPerSecond: number,
  { coder, patches, verified }: Measured,
): Row {
  const bytes = patches.map((patch) => patch.bytes);
  const snapshotBytes = patches.map((patch) => patch.snapshotBytes);
  const encode = patches.flatMap((patch) => (patch.encode.length > 0 ? [median(patch.encode)] : []));
  const apply = patches.flatMap((patch) => (patch.apply.length > 0 ? [median(patch.apply)] : []));
  const speed = (times: readonly number[]) =>
    times.length > 0 ? (sum(snapshotBytes) / sum(times)) * 1e6 : null;
  return {
    file: trace.file,
    coder,
    lag: 1,
    pairs: patches.length,
    pairs_of_trace: trace.snapshots.length - 1,
    snapshot_bytes_mean: mean(snapshotBytes),
    patch_bytes_mean: mean(bytes),
    patch_bytes_p99: percentile(bytes, 0.99),
    encode_bytes_per_second: speed(encode),
    apply_bytes_per_second: speed(apply),
    encode_us_median: encode.length > 0 ? median(encode) : null,
    apply_us_median: apply.length > 0 ? median(apply) : null,
    memcmp_bytes_per_second: memcmpBytesPerSecond,
    ...(trace.field && {
      field_delta_mean: trace.field.mean,
      field_delta_p99: trace.field.p99,
      of_field_delta: mean(bytes) / trace.field.mean,
    }),
    verified,
  };
}

/** Calls `pass` until `seconds` are used, twice at least. The times of the first are left out: it warms up. */
export function repeat(seconds: number, pass: () => readonly Patch[]): Patch[] {
  const end = performance.now() + seconds * 1000;
  pass();
  const all = pass().map((patch) => ({ ...patch, encode: [...patch.encode], apply: [...patch.apply] }));
  while (performance.now() < end) {
    for (const [i, { encode, apply }] of pass().entries()) {
      all[i]?.encode.push(...encode);
      all[i]?.apply.push(...apply);
    }
  }
  return all;
}

/** The result of `work`, and the microseconds it took. */
export function timed<T>(work: () => T): { readonly result: T; readonly us: number } {
  const begin = performance.now();
  const result = work();
  return { result, us: (performance.now() - begin) * 1000 };
}

/** Bytes per second of memcmp over a snapshot and its copy. */
export function memcmpSpeed({ snapshots }: Trace): number {
  const one = snapshots[0] ?? new Uint8Array(1);
  const two = one.slice();
  const times = Array.from({ length: 51 }, () => timed(() => Buffer.compare(one, two)).us);
  return (one.length / median(times)) * 1e6;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function mean(values: readonly number[]): number {
  return values.length > 0 ? sum(values) / values.length : 0;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The smallest value that at least `share` of all do not exceed (nearest rank), as benchmarks/tools/statistics.h. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
