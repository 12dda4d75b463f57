// XXH3-64 and what is built from it: fingerprints of chunks, hashes of groups, the digest of a snapshot.
// Layout: docs/WIRE_FORMAT.md section 4.

import { createXXHash3, type IHasher } from "hash-wasm";
import { loadModule } from "./platform.js";
import { kChunkRoom, kChunksAt, kHashesAt, kLeastBytes, kMostHashes, makeXxh3Module } from "./xxh3-module.js";

/** Fingerprints in one group. */
export const kGroupSize = 64;
const kMinChunkBytes = 1024;
const kMaxChunks = 16384;

/** What makeXxh3Module() exports. */
interface Xxh3Module {
  readonly memory: { readonly buffer: ArrayBuffer };
  hashAll(count: number, sizeBytes: number): void;
}

/** For inputs of any size, one at a time; and for many of the same size, which is what most of the work is. */
let hasher: IHasher | undefined;
let module: (Xxh3Module & { readonly bytes: Uint8Array }) | undefined;
let loading: Promise<void> | undefined;

/** Loads the hash function once; everything that hashes needs it to have resolved. Calling it again is free. */
export function initHash(): Promise<void> {
  loading ??= load();
  return loading;
}
async function load(): Promise<void> {
  const { memory, hashAll } = (await loadModule(makeXxh3Module())) as Xxh3Module;
  module = { memory, hashAll, bytes: new Uint8Array(memory.buffer) };
  hasher = await createXXHash3();
}

const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Uint8Array(scratch.buffer);

/** XXH3-64, seed 0. Requires: initHash() has resolved. */
export function xxh3(bytes: Uint8Array): bigint {
  hashAll(bytes, 0, 1, bytes.length, scratchBytes, 0);
  return scratch.getBigUint64(0, true);
}

/**
 * Writes the XXH3-64 of `count` inputs of `size` bytes, side by side from `begin` on, to a table of little-endian
 * numbers, from entry `index` on.
 */
function hashAll(
  bytes: Uint8Array,
  begin: number,
  count: number,
  size: number,
  table: Uint8Array,
  index: number,
): void {
  if (hasher === undefined || module === undefined) throw new Error("call and await initHash() first");
  if (size < kLeastBytes || size > kChunkRoom) {
    for (let i = 0; i < count; i += 1) {
      const at = begin + i * size;
      // The library gives the 8 bytes of a big-endian number.
      const hash = hasher
        .init()
        .update(bytes.subarray(at, at + size))
        .digest("binary");
      for (let k = 0; k < 8; k += 1) table[(index + i) * 8 + k] = hash[7 - k] ?? 0;
    }
    return;
  }
  const most = Math.min(kMostHashes, Math.floor(kChunkRoom / size));
  for (let done = 0; done < count; done += most) {
    const n = Math.min(most, count - done);
    const at = begin + done * size;
    module.bytes.set(bytes.subarray(at, at + n * size), kChunksAt);
    module.hashAll(n, size);
    const out = (index + done) * 8;
    if (n > 4) table.set(module.bytes.subarray(kHashesAt, kHashesAt + n * 8), out);
    else for (let k = 0; k < n * 8; k += 1) table[out + k] = module.bytes[kHashesAt + k] as number;
  }
}

/** Bytes per chunk of a snapshot of `sizeBytes`: the smallest power of two >= 1,024 that makes <= 4,096 chunks. */
export function chunkSize(sizeBytes: number): number {
  let size = kMinChunkBytes;
  while (size * kMaxChunks < sizeBytes) size *= 2;
  return size;
}

/** Number of chunks of a snapshot of `sizeBytes`. */
export function chunkCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / chunkSize(sizeBytes));
}

/** The hashes of one snapshot, each 8 bytes little-endian: a fingerprint per chunk, a hash per group of 64. */
export interface Fingerprints {
  readonly chunks: Uint8Array;
  readonly groups: Uint8Array;
  readonly digest: bigint;
}

/**
 * Hashes `bytes`. Where `known` is given, chunk i is taken from it if `isKnown[i]` is 1; the caller vouches that these
 * chunks have the same bytes and extent. Cost: one pass over the other chunks and their groups.
 * Requires: initHash() has resolved.
 */
export function makeFingerprints(
  bytes: Uint8Array,
  known?: Fingerprints,
  isKnown?: Uint8Array,
): Fingerprints {
  const size = chunkSize(bytes.length);
  const count = chunkCount(bytes.length);
  const groupCount = Math.ceil(count / kGroupSize);
  const chunks = new Uint8Array(count * 8);
  // The size comes before the group hashes, so that the digest is one hash over one buffer.
  const root = new Uint8Array(8 + groupCount * 8);
  const groups = root.subarray(8);
  new DataView(root.buffer).setBigUint64(0, BigInt(bytes.length), true);
  if (known !== undefined) chunks.set(known.chunks.subarray(0, chunks.length));

  for (let group = 0; group < groupCount; group += 1) {
    const first = group * kGroupSize;
    const end = Math.min(first + kGroupSize, count);
    const changed = hashUnknown(bytes, size, first, end, chunks, known === undefined ? undefined : isKnown);
    // A group whose chunks are all known has the known hash, if it is the same number of chunks.
    const extentBytes = (end - first) * 8;
    const knownBytes = known === undefined ? 0 : Math.min(known.chunks.length - first * 8, kGroupSize * 8);
    if (known !== undefined && !changed && knownBytes === extentBytes) {
      groups.set(known.groups.subarray(group * 8, group * 8 + 8), group * 8);
    } else {
      hashAll(chunks, first * 8, 1, extentBytes, groups, group);
    }
  }
  return { chunks, groups, digest: xxh3(root) };
}

/** Hashes those of the chunks [first, end) that are not known, as many as stand together at once. True: some. */
function hashUnknown(
  bytes: Uint8Array,
  size: number,
  first: number,
  end: number,
  table: Uint8Array,
  isKnown: Uint8Array | undefined,
): boolean {
  let changed = false;
  for (let chunk = first; chunk < end; ) {
    if (isKnown?.[chunk] === 1) {
      chunk += 1;
      continue;
    }
    const begin = chunk;
    // The last one may be shorter, and is hashed alone.
    while (chunk < end && isKnown?.[chunk] !== 1 && (chunk + 1) * size <= bytes.length) chunk += 1;
    if (chunk > begin) {
      hashAll(bytes, begin * size, chunk - begin, size, table, begin);
    } else {
      hashAll(bytes, begin * size, 1, bytes.length - begin * size, table, begin);
      chunk += 1;
    }
    changed = true;
  }
  return changed;
}

/** Digest of a snapshot. Requires: initHash() has resolved. */
export function digestOf(bytes: Uint8Array): bigint {
  return makeFingerprints(bytes).digest;
}
