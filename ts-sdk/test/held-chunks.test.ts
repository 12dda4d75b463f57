import { describe, expect, test } from "vitest";
import { heldChunkSize, heldChunksOf } from "../src/held-chunks.js";
import { makeRandom, randomBytes } from "./support.js";

/** The six bytes of a chunk as WIRE_FORMAT.md section 5 says it, as a number: sums of powers, modulo 2^32 at the end. */
function slowFingerprint(chunk: Uint8Array): bigint {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const k = chunk.length / 4;
  const mixed = Array.from({ length: k }, (_, i) => {
    const x = BigInt(view.getUint32(4 * i, true));
    const y = BigInt.asUintN(32, (x ^ (x >> 15n)) * 2246822507n);
    return y ^ (y >> 13n);
  });
  const sum = (factor: bigint) =>
    mixed.reduce((total, m, i) => BigInt.asUintN(32, total + m * factor ** BigInt(k - 1 - i)), 0n);
  return sum(2654435761n) | ((sum(2246822519n) >> 16n) << 32n);
}

const fingerprintsOf = ({ fingerprints }: { readonly fingerprints: Uint8Array }): bigint[] =>
  Array.from({ length: fingerprints.length / 6 }, (_, i) =>
    fingerprints.subarray(6 * i, 6 * i + 6).reduceRight((value, byte) => value * 256n + BigInt(byte), 0n),
  );

describe("heldChunkSize", () => {
  test("heldChunkSize: at least 256, at most 4,096 chunks, powers of two", () => {
    const limit = 256 * 4096;
    expect([0, 1, 256, limit].map(heldChunkSize)).toEqual([256, 256, 256, 256]);
    expect([limit + 1, 2 * limit, 2 * limit + 1].map(heldChunkSize)).toEqual([512, 512, 1024]);
    expect(heldChunkSize(2 ** 32 - 1)).toBe(2 ** 20);
  });
});

describe("heldChunksOf", () => {
  test.each([0, 1, 255, 256, 257, 511, 512, 513, 3000])(
    "heldChunksOf: agrees with the slow model at %i bytes",
    (size) => {
      const bytes = randomBytes(makeRandom(size), size);
      const held = heldChunksOf(bytes);
      expect(held.sizeBytes).toBe(size);
      const chunks = Array.from({ length: Math.floor(size / 256) }, (_, i) =>
        bytes.slice(256 * i, 256 * i + 256),
      );
      expect(fingerprintsOf(held)).toEqual(chunks.map(slowFingerprint));
    },
  );

  test("heldChunksOf: agrees with it where chunks are larger, and for bytes of all ones", () => {
    const bytes = new Uint8Array(256 * 4096 + 1).fill(0xff);
    const { fingerprints } = heldChunksOf(bytes);
    expect(fingerprints.length).toBe(6 * 2048);
    expect(fingerprintsOf({ fingerprints: fingerprints.subarray(0, 6) })).toEqual([
      slowFingerprint(bytes.slice(0, 512)),
    ]);
  });

  test("heldChunksOf: any byte of a chunk counts, and only there", () => {
    const bytes = randomBytes(makeRandom(1), 1000);
    const same = fingerprintsOf(heldChunksOf(bytes));
    for (const at of [0, 255, 256, 511, 767, 768, 999]) {
      const other = bytes.slice();
      other[at] = (other[at] ?? 0) ^ 0x80;
      const changed = fingerprintsOf(heldChunksOf(other));
      expect(changed.map((value, i) => value !== same[i])).toEqual(
        [0, 1, 2].map((i) => i === Math.floor(at / 256)),
      );
    }
  });

  test("heldChunksOf: reads bytes that begin anywhere in their buffer", () => {
    const bytes = randomBytes(makeRandom(2), 1027);
    for (const offset of [1, 2, 3]) {
      expect(heldChunksOf(bytes.subarray(offset)).fingerprints).toEqual(
        heldChunksOf(bytes.slice(offset)).fingerprints,
      );
    }
  });
});
