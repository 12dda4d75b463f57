// trace.ts: the files of libsync-traces and libsync-replay. Layouts: libsync/include/libsync/trace_writer.h,
// benchmarks/tools/chain.h.

import { existsSync, readFileSync } from "node:fs";

/** What a hand-written encoder would send, as libsync-traces noted it beside the trace. */
export interface FieldFigures {
  readonly mean: number;
  readonly p99: number;
}

export interface Trace {
  readonly file: string;
  readonly snapshots: readonly Uint8Array[];
  readonly field?: FieldFigures;
}

/** A first snapshot, and patches each made for the result of the one before. */
export interface Chain {
  readonly baseline: Uint8Array;
  readonly patches: readonly Uint8Array[];
}

const kMagic = "FBTRACE1";

/** Throws when the file is not a whole trace. */
export function readTrace(file: string): Trace {
  const bytes = readFileSync(file);
  if (bytes.length < 16 || bytes.toString("latin1", 0, 8) !== kMagic || bytes.readUInt32LE(12) !== 0) {
    throw new Error(`${file}: not a trace`);
  }
  const field = readFieldFigures(file);
  return { file, snapshots: readParts(file, bytes, 16, bytes.readUInt32LE(8)), ...(field && { field }) };
}

/** Throws when the file is not a whole chain. */
export function readChain(file: string): Chain {
  const bytes = readFileSync(file);
  if (bytes.length < 8) throw new Error(`${file}: not a chain`);
  const [baseline, ...patches] = readParts(file, bytes, 4, bytes.readUInt32LE(0) + 1);
  if (baseline === undefined) throw new Error(`${file}: not a chain`);
  return { baseline, patches };
}

/** u32 length and that many bytes, `count` times, and nothing after them. Each part has a buffer of its own. */
function readParts(file: string, bytes: Buffer, begin: number, count: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = begin;
  for (let i = 0; i < count; i += 1) {
    const end = at + 4 <= bytes.length ? at + 4 + bytes.readUInt32LE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new Error(`${file}: cut short`);
    parts.push(Uint8Array.from(bytes.subarray(at + 4, end)));
    at = end;
  }
  if (at !== bytes.length) throw new Error(`${file}: bytes after the last part`);
  return parts;
}

function readFieldFigures(file: string): FieldFigures | undefined {
  const path = file.replace(/\.fbtrace$/, ".json");
  if (path === file || !existsSync(path)) return undefined;
  const { lag1 } = JSON.parse(readFileSync(path, "utf8"));
  return { mean: lag1.field_delta_mean, p99: lag1.field_delta_p99 };
}
