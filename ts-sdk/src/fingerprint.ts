// XXH3-64 and what is built from it: fingerprints of chunks, hashes of groups, the digest of a snapshot.
// Layout: docs/WIRE_FORMAT.md section 4.

import { createXXHash3, type IHasher } from "hash-wasm";

/** Fingerprints in one group. */
export const kGroupSize = 64;
const kMinChunkBytes = 1024;
const kMaxChunks = 4096;

let hasher: IHasher | undefined;
let loading: Promise<void> | undefined;

/** Loads the hash function once; everything that hashes needs it to have resolved. Calling it again is free. */
export function initHash(): Promise<void> {
  loading ??= createXXHash3().then((made) => {
    hasher = made;
  });
  return loading;
}

function requireHasher(): IHasher {
  if (hasher === undefined) throw new Error("call and await initHash() first");
  return hasher;
}

/** XXH3-64, seed 0, as the 8 bytes of a big-endian number, which is how the library gives it. */
function xxh3Bytes(bytes: Uint8Array): Uint8Array {
  return requireHasher().init().update(bytes).digest("binary");
}

/** XXH3-64, seed 0. Requires: initHash() has resolved. */
export function xxh3(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of xxh3Bytes(bytes)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** Writes the XXH3-64 of `bytes` as entry `index` of a table of little-endian numbers. */
function xxh3Into(table: Uint8Array, index: number, bytes: Uint8Array): void {
  const hash = xxh3Bytes(bytes);
  const at = index * 8;
  for (let i = 0; i < 8; i += 1) table[at + i] = hash[7 - i] ?? 0;
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
    let changed = false;
    for (let chunk = first; chunk < end; chunk += 1) {
      if (known !== undefined && isKnown?.[chunk] === 1) continue;
      xxh3Into(chunks, chunk, bytes.subarray(chunk * size, (chunk + 1) * size));
      changed = true;
    }
    // A group whose chunks are all known has the known hash, if it is the same number of chunks.
    const extentBytes = (end - first) * 8;
    const knownBytes = known === undefined ? 0 : Math.min(known.chunks.length - first * 8, kGroupSize * 8);
    if (known !== undefined && !changed && knownBytes === extentBytes) {
      groups.set(known.groups.subarray(group * 8, group * 8 + 8), group * 8);
    } else {
      xxh3Into(groups, group, chunks.subarray(first * 8, end * 8));
    }
  }
  return { chunks, groups, digest: xxh3(root) };
}

/** Digest of a snapshot. Requires: initHash() has resolved. */
export function digestOf(bytes: Uint8Array): bigint {
  return makeFingerprints(bytes).digest;
}
