import { createXXHash3, type IHasher } from "hash-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { chunkCount, chunkSize, initHash, makeFingerprints, xxh3 } from "../src/fingerprint.js";
import { loadModule } from "../src/platform.js";
import { kChunkRoom, kChunksAt, kHashesAt, makeXxh3Module } from "../src/xxh3-module.js";
import { makeRandom, randomBytes } from "./support.js";

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  hashAll(count: number, sizeBytes: number): void;
}

let hasher: IHasher;
let exported: Exports;
beforeAll(async () => {
  await initHash();
  hasher = await createXXHash3();
  exported = (await loadModule(makeXxh3Module())) as Exports;
});

const expectedHash = (bytes: Uint8Array) => BigInt(`0x${hasher.init().update(bytes).digest()}`);

/** What the module says of `count` inputs of `size` bytes. */
function hashesOf(bytes: Uint8Array, count: number, size: number): bigint[] {
  const { buffer } = exported.memory;
  new Uint8Array(buffer).set(bytes, kChunksAt);
  exported.hashAll(count, size);
  return Array.from(new BigUint64Array(buffer, kHashesAt, count));
}

describe("xxh3", () => {
  test("xxh3: agrees with hash-wasm at every size up to 2,200 bytes", () => {
    const bytes = randomBytes(makeRandom(1), 2200);
    for (let size = 0; size <= bytes.length; size += 1) {
      const part = bytes.subarray(0, size);
      expect(xxh3(part)).toBe(expectedHash(part));
    }
  });

  test("xxh3: agrees with hash-wasm at large sizes, up to and beyond the module's room", () => {
    const bytes = randomBytes(makeRandom(2), 2 * kChunkRoom);
    for (const size of [
      4095,
      4096,
      4097,
      16_384,
      50_001,
      kChunkRoom - 1,
      kChunkRoom,
      kChunkRoom + 1,
      bytes.length,
    ]) {
      expect(xxh3(bytes.subarray(0, size))).toBe(expectedHash(bytes.subarray(0, size)));
    }
  });

  test("xxh3: bytes that are all zeros or all ones", () => {
    for (const value of [0, 255]) {
      for (const size of [1, 4, 9, 16, 17, 128, 129, 240, 241, 1024, 1025, 4096]) {
        const bytes = new Uint8Array(size).fill(value);
        expect(xxh3(bytes)).toBe(expectedHash(bytes));
      }
    }
  });
});

describe("makeXxh3Module", () => {
  test.each([
    [64, 1024],
    [16, 4096],
    [1, kChunkRoom],
    [64, 241],
    [64, 240],
    [64, 129],
    [3, 128],
    [64, 16],
    [2, 8],
    [9, 3],
    [7, 999],
  ])("makeXxh3Module: hashes %i inputs of %i bytes in one call", (count, size) => {
    const bytes = randomBytes(makeRandom(size), count * size);
    const expected = Array.from({ length: count }, (_, i) =>
      expectedHash(bytes.subarray(i * size, (i + 1) * size)),
    );
    expect(hashesOf(bytes, count, size)).toEqual(expected);
  });
});

describe("makeFingerprints", () => {
  test.each([300_000, 70_000, 4 * 1024 * 1024 + 5000])(
    "makeFingerprints: of %i bytes, of which any chunks are known",
    (sizeBytes) => {
      const random = makeRandom(sizeBytes);
      const bytes = new Uint8Array(sizeBytes).map((_, i) => (i * 31) >>> 3);
      const all = makeFingerprints(bytes);
      const size = chunkSize(sizeBytes);
      for (let i = 0; i < all.chunks.length / 8; i += 1) {
        const view = new DataView(all.chunks.buffer, all.chunks.byteOffset + 8 * i);
        expect(view.getBigUint64(0, true)).toBe(expectedHash(bytes.subarray(i * size, (i + 1) * size)));
      }
      for (let round = 0; round < 10; round += 1) {
        const isKnown = Uint8Array.from({ length: chunkCount(sizeBytes) }, () =>
          random() < round / 10 ? 1 : 0,
        );
        // What is not known must not be looked at.
        const chunks = all.chunks.map((byte, at) => (isKnown[at >>> 3] === 1 ? byte : 0));
        expect(makeFingerprints(bytes, { ...all, chunks }, isKnown)).toEqual(all);
      }
    },
  );
});
