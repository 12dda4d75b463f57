// XXH3-64 and what is built from it: fingerprints of chunks, hashes of groups, the digest of a snapshot.
// Layout: docs/WIRE_FORMAT.md section 4.

import { copyBytes } from "./byte-copy.js";
import { loadModule } from "./platform.js";
import { kChunkRoom, kChunksAt, kHashesAt, kMostHashes, makeXxh3Module } from "./xxh3-module.js";

/** Fingerprints in one group. */
export const kGroupSize = 64;
const kMinChunkBytes = 1024;
const kMaxChunks = 16384;

/** What makeXxh3Module() exports. */
interface Xxh3Module {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  hashAll(count: number, sizeBytes: number): void;
}

let exported: Xxh3Module | undefined;
/** Its memory. */
let memory = new Uint8Array(0);
let memoryView = new DataView(memory.buffer);
let loading: Promise<void> | undefined;

/** Loads the hash function once; everything that hashes needs it to have resolved. Calling it again is free. */
export function initHash(): Promise<void> {
  loading ??= load();
  return loading;
}
async function load(): Promise<void> {
  const loaded = (await loadModule(makeXxh3Module())) as Xxh3Module;
  useMemory(loaded);
  exported = loaded;
}
function useMemory({ memory: { buffer } }: Xxh3Module): void {
  memory = new Uint8Array(buffer);
  memoryView = new DataView(buffer);
}
function theModule(): Xxh3Module {
  if (exported === undefined) throw new Error("call and await initHash() first");
  return exported;
}

/**
 * XXH3-64, seed 0. Of more than 300 kB the memory for a copy is made, and kept for the next.
 * Requires: initHash() has resolved.
 */
export function xxh3(bytes: Uint8Array): bigint {
  const module = theModule();
  if (bytes.length > memory.length - kChunksAt) {
    module.memory.grow(Math.ceil((bytes.length - (memory.length - kChunksAt)) / 65536));
    useMemory(module);
  }
  memory.set(bytes, kChunksAt);
  module.hashAll(1, bytes.length);
  return memoryView.getBigUint64(kHashesAt, true);
}

/**
 * Writes the XXH3-64 of `count` inputs of `size` bytes, side by side from `begin` on, to a table of little-endian
 * numbers, from entry `index` on. Requires: size <= kChunkRoom.
 */
function hashAll(
  module: Xxh3Module,
  bytes: Uint8Array,
  begin: number,
  count: number,
  size: number,
  table: Uint8Array,
  index: number,
): void {
  const most = Math.min(kMostHashes, Math.floor(kChunkRoom / size));
  for (let done = 0; done < count; done += most) {
    const n = Math.min(most, count - done);
    copyBytes(bytes, begin + done * size, memory, kChunksAt, n * size);
    module.hashAll(n, size);
    copyBytes(memory, kHashesAt, table, (index + done) * 8, n * 8);
  }
}

/** Bytes per chunk of a snapshot of `sizeBytes`: the smallest power of two >= 1,024 that makes <= 16,384 chunks. */
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
  const module = theModule();
  const size = chunkSize(bytes.length);
  const count = Math.ceil(bytes.length / size);
  const groupCount = Math.ceil(count / kGroupSize);
  const chunks = new Uint8Array(count * 8);
  const groups = new Uint8Array(groupCount * 8);
  const knownCount = known === undefined ? 0 : known.chunks.length / 8;
  const isKnownChunk = known === undefined ? undefined : isKnown;
  if (known !== undefined) copyBytes(known.chunks, 0, chunks, 0, Math.min(knownCount, count) * 8);

  for (let group = 0; group < groupCount; group += 1) {
    const first = group * kGroupSize;
    const end = Math.min(first + kGroupSize, count);
    const changed = hashUnknown(module, bytes, size, first, end, chunks, isKnownChunk);
    // A group whose chunks are all known has the known hash, if it is the same number of chunks.
    if (known !== undefined && !changed && Math.min(knownCount, first + kGroupSize) === end) {
      copyBytes(known.groups, group * 8, groups, group * 8, 8);
    } else {
      hashAll(module, chunks, first * 8, 1, (end - first) * 8, groups, group);
    }
  }
  return { chunks, groups, digest: hashRoot(module, bytes.length, groups) };
}

/** The digest: one hash over the size and the hashes of the groups. */
function hashRoot(module: Xxh3Module, sizeBytes: number, groups: Uint8Array): bigint {
  memoryView.setUint32(kChunksAt, sizeBytes, true);
  memoryView.setUint32(kChunksAt + 4, Math.floor(sizeBytes / 2 ** 32), true);
  copyBytes(groups, 0, memory, kChunksAt + 8, groups.length);
  module.hashAll(1, 8 + groups.length);
  return memoryView.getBigUint64(kHashesAt, true);
}

/** Hashes those of the chunks [first, end) that are not known, as many as stand together at once. True: some. */
function hashUnknown(
  module: Xxh3Module,
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
      hashAll(module, bytes, begin * size, chunk - begin, size, table, begin);
    } else {
      hashAll(module, bytes, begin * size, 1, bytes.length - begin * size, table, begin);
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
