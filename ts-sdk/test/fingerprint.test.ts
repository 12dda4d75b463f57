import { beforeAll, describe, expect, test } from "vitest";
import { chunkCount, chunkSize, digestOf, initHash, makeFingerprints, xxh3 } from "../src/fingerprint.js";
import { makeRandom, randomBytes, uint64 } from "./support.js";

beforeAll(initHash);

/** The digest as WIRE_FORMAT.md section 4 says it, step by step. */
function slowDigest(bytes: Uint8Array): bigint {
  const size = chunkSize(bytes.length);
  const fingerprints: number[][] = [];
  for (let at = 0; at < bytes.length; at += size) {
    fingerprints.push(uint64(xxh3(bytes.slice(at, at + size))));
  }
  const groups: number[] = [];
  for (let at = 0; at < fingerprints.length; at += 64) {
    groups.push(...uint64(xxh3(Uint8Array.from(fingerprints.slice(at, at + 64).flat()))));
  }
  return xxh3(Uint8Array.from([...uint64(BigInt(bytes.length)), ...groups]));
}

describe("fingerprint", () => {
  test("xxh3: gives the published value of a known input", () => {
    expect(xxh3(new TextEncoder().encode("abc")).toString(16)).toBe("78af5f94892f3950");
    expect(xxh3(new Uint8Array(0)).toString(16)).toBe("2d06800538d394c2");
  });

  test("chunkSize: is the smallest power of two that is at least 1,024 and makes at most 4,096 chunks", () => {
    const limit = 1024 * 16384;
    expect([0, 1, 1024, limit].map(chunkSize)).toEqual([1024, 1024, 1024, 1024]);
    expect([limit + 1, 2 * limit, 2 * limit + 1].map(chunkSize)).toEqual([2048, 2048, 4096]);
    expect(chunkCount(0)).toBe(0);
    expect(chunkCount(2 * limit)).toBe(16384);
  });

  test("digest: of the empty snapshot is the hash of eight zero bytes", () => {
    expect(digestOf(new Uint8Array(0))).toBe(xxh3(new Uint8Array(8)));
  });

  test.each([1, 1023, 1024, 1025, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 130 * 1024 + 7])(
    "digest: agrees with the slow model at %i bytes",
    (size) => {
      const bytes = randomBytes(makeRandom(size), size);
      expect(digestOf(bytes)).toBe(slowDigest(bytes));
    },
  );

  test("makeFingerprints: reuses what is known and gives the same digest", () => {
    const random = makeRandom(1);
    const before = randomBytes(random, 200_000);
    const known = makeFingerprints(before);
    for (let round = 0; round < 50; round += 1) {
      const bytes = before.slice();
      const isKnown = new Uint8Array(chunkCount(bytes.length)).fill(1);
      for (let i = 0; i < round % 5; i += 1) {
        const at = Math.floor(random() * bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        isKnown[Math.floor(at / 1024)] = 0;
      }
      expect(makeFingerprints(bytes, known, isKnown).digest).toBe(digestOf(bytes));
    }
  });

  test("makeFingerprints: hashes a group again that has grown by unknown chunks only", () => {
    const bytes = randomBytes(makeRandom(2), 3 * 1024);
    const known = makeFingerprints(bytes.slice(0, 2 * 1024));
    expect(makeFingerprints(bytes, known, Uint8Array.of(1, 1, 0)).digest).toBe(digestOf(bytes));
    const shorter = makeFingerprints(bytes.slice(0, 1024), known, Uint8Array.of(1));
    expect(shorter.digest).toBe(digestOf(bytes.slice(0, 1024)));
  });
});
