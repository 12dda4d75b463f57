import { beforeAll, describe, expect, test } from "vitest";
import { ByteReader } from "../src/byte-reader.js";
import { digestOf, initHash } from "../src/fingerprint.js";
import { applyPatch } from "../src/patch.js";
import { makeSnapshot, type Snapshot } from "../src/snapshot.js";
import {
  codeOf,
  makeRandom,
  PatchWriter,
  randomBytes,
  randomPatch,
  uint64,
  varint,
  wholePatch,
} from "./support.js";
import { readWhole } from "./vectors.js";

const kLimits = { maxSnapshotBytes: 1 << 20 };
const kBytes = randomBytes(makeRandom(7), 64);
let baseline: Snapshot;
let empty: Snapshot;

beforeAll(async () => {
  await initHash();
  baseline = makeSnapshot(kBytes);
  empty = makeSnapshot(new Uint8Array(0));
});

const apply = (patch: Uint8Array, from = baseline) => applyPatch(from, patch, kLimits);
const on = (bytes = kBytes) => new PatchWriter(bytes);

describe("applyPatch", () => {
  test("applyPatch: rebuilds the target of every kind of op", () => {
    const writer = on()
      .copy(8)
      .add([1, 2, 3])
      .seek(16)
      .lanes([0, 1, -1, 2 ** 31 - 1, -(2 ** 31)])
      .seek(-40)
      .copy(10);
    const target = apply(writer.bytes());
    expect([...target.bytes]).toEqual(writer.target);
    expect(target.digest).toBe(digestOf(target.bytes));
    expect([...baseline.bytes]).toEqual([...kBytes]);
  });

  test("applyPatch: takes a patch to and from the empty snapshot", () => {
    expect(apply(wholePatch(new Uint8Array(0), kBytes), empty).bytes).toEqual(kBytes);
    expect(apply(wholePatch(kBytes, new Uint8Array(0))).bytes.length).toBe(0);
    expect(apply(wholePatch(new Uint8Array(0), new Uint8Array(0)), empty).digest).toBe(empty.digest);
  });

  test.each([0, 1, 1023, 1024, 1025, 4096, 70_000])(
    "applyPatch: agrees with the model on %i bytes",
    (size) => {
      const random = makeRandom(size + 1);
      for (let round = 0; round < 60; round += 1) {
        const bytes = randomBytes(random, size);
        const writer = randomPatch(random, bytes);
        const target = apply(writer.bytes(), makeSnapshot(bytes));
        expect(Buffer.compare(target.bytes, Uint8Array.from(writer.target))).toBe(0);
        expect(target.fingerprints).toEqual(makeSnapshot(target.bytes).fingerprints);
      }
    },
  );

  test("applyPatch: carries fingerprints of untouched chunks over a row of patches", () => {
    const random = makeRandom(3);
    let held = makeSnapshot(randomBytes(random, 300_000));
    for (let round = 0; round < 30; round += 1) {
      const writer = new PatchWriter(held.bytes);
      const at = 4 + Math.floor(random() * (held.bytes.length - 8));
      writer.copy(at).lanes([round + 1]);
      if (held.bytes.length > writer.cursor) writer.copy(held.bytes.length - writer.cursor);
      if (round % 3 === 0) writer.add([round]);
      const patch = writer.bytes();
      held = apply(patch, held);
      expect(held.fingerprints).toEqual(makeSnapshot(held.bytes).fingerprints);
    }
  });

  test("applyPatch: hashes all chunks again when the chunk size changes", () => {
    const limit = 1024 * 4096;
    const small = makeSnapshot(new Uint8Array(limit).fill(7));
    const copyAll = varint(limit * 4);
    const bytes = new Uint8Array(limit + 1).fill(7);
    const header = (from: number, to: Uint8Array) => [
      1,
      ...varint(from),
      ...varint(to.length),
      ...uint64(digestOf(to)),
    ];
    const limits = { maxSnapshotBytes: 2 * limit };
    const grow = Uint8Array.from([...header(limit, bytes), ...copyAll, 5, 7]);
    const large = applyPatch(small, grow, limits);
    expect(large.digest).toBe(digestOf(bytes));
    const shrink = Uint8Array.from([...header(limit + 1, small.bytes), ...copyAll]);
    expect(applyPatch(large, shrink, limits).fingerprints).toEqual(small.fingerprints);
  });

  test("applyPatch: refuses a patch cut at any length", () => {
    const patch = on().copy(8).add([1, 2, 3]).seek(16).lanes([5, 1000, -70_000]).copy(4).bytes();
    for (let size = 0; size < patch.length; size += 1) {
      expect(
        codeOf(() => apply(patch.slice(0, size))),
        `cut to ${size} bytes`,
      ).toBe("kMalformed");
    }
  });

  test("applyPatch: refuses a byte too many", () => {
    for (const extra of [[0], [1], [4], [5, 9], [0x80]]) {
      const patch = Uint8Array.from([...on().copy(8).bytes(), ...extra]);
      expect(
        codeOf(() => apply(patch)),
        `${extra}`,
      ).toBe("kMalformed");
    }
  });

  test("applyPatch: refuses a baseline of another size", () => {
    expect(codeOf(() => apply(on().copy(8).bytes({ baselineSize: 65 })))).toBe("kWrongBaseline");
    expect(codeOf(() => apply(on().copy(8).bytes(), empty))).toBe("kWrongBaseline");
  });

  test("applyPatch: refuses a target above the limit before it allocates", () => {
    const patch = on().copy(8).bytes({ targetSize: 0xffff_ffff });
    expect(codeOf(() => apply(patch))).toBe("kSnapshotTooBig");
    expect(codeOf(() => applyPatch(baseline, on().copy(8).bytes(), { maxSnapshotBytes: 7 }))).toBe(
      "kSnapshotTooBig",
    );
    expect(applyPatch(baseline, on().copy(8).bytes(), { maxSnapshotBytes: 8 }).bytes.length).toBe(8);
  });

  test("applyPatch: refuses another digest, and the baseline stays", () => {
    const patch = on().copy(8).bytes({ digest: 1n });
    expect(codeOf(() => apply(patch))).toBe("kDigestMismatch");
    expect(baseline.digest).toBe(digestOf(kBytes));
  });

  const malformedPatches: [string, () => Uint8Array][] = [
    ["another kind", () => on().copy(8).bytes({ format: 8 })],
    ["a copy past the end of the baseline", () => on().op(0, 65).bytes({ targetSize: 65 })],
    ["a copy past the end of the target", () => on().copy(9).bytes({ targetSize: 8 })],
    ["an add past the end of the target", () => on().add([1, 2]).bytes({ targetSize: 1 })],
    ["an add past the end of the patch", () => on().op(1, 9).bytes({ targetSize: 9 })],
    ["lanes past the end of the baseline", () => on().seek(61).lanes([0]).bytes()],
    ["lanes past the end of the target", () => on().lanes([0, 0]).bytes({ targetSize: 7 })],
    ["a seek before the start", () => on().op(2, 1).op(0, 1).bytes({ targetSize: 1 })],
    ["a seek past the end", () => on().op(2, 130).op(0, 1).bytes({ targetSize: 1 })],
    ["a seek at the end of the patch", () => on().copy(1).seek(1).bytes()],
    ["a seek alone", () => on().seek(1).bytes()],
    ["a seek before an add", () => on().seek(1).add([1]).bytes()],
    ["a seek after a seek", () => on().seek(1).seek(1).copy(1).bytes()],
    ["a copy after a copy", () => on().copy(1).copy(1).bytes()],
    ["an add after an add", () => on().add([1]).add([2]).bytes()],
    ["a copy of nothing", () => on().copy(1).op(0, 0).bytes()],
    ["an add of nothing", () => on().copy(1).op(1, 0).bytes()],
    ["a seek of nothing", () => on().op(2, 0).copy(1).bytes()],
    ["lanes of nothing", () => on().copy(1).op(3, 0).bytes()],
    ["a target that is not full", () => on().copy(7).bytes({ targetSize: 8 })],
    ["no ops for a target", () => on().bytes({ targetSize: 8 })],
    ["a count of 2^62", () => Uint8Array.from([...on().bytes({ targetSize: 8 }), ...varint(2n ** 64n - 4n)])],
    ["a baseline size of 2^32", () => on().bytes({ baselineSize: 2 ** 32 })],
    ["a target size of 2^32", () => on().bytes({ targetSize: 2 ** 32 })],
    ["a lane of 2^32", () => Uint8Array.from([...on().bytes({ targetSize: 4 }), 7, ...varint(2 ** 32)])],
    ["a lane in a long form", () => Uint8Array.from([...on().bytes({ targetSize: 4 }), 7, 0x80, 0])],
    ["an op in a long form", () => Uint8Array.from([...on().bytes({ targetSize: 1 }), 0x84, 0])],
    ["a size in a long form", () => Uint8Array.from([1, 0xc0, 0, 0, ...uint64(digestOf(new Uint8Array(0)))])],
    ["an endless varint", () => Uint8Array.from([1, ...new Array(200_000).fill(0x80)])],
  ];
  test.each(malformedPatches)("applyPatch: refuses %s", (_, make) => {
    expect(codeOf(() => apply(make()))).toBe("kMalformed");
  });

  test("applyPatch: refuses from nothing a target longer than the patch", () => {
    const patch = new PatchWriter(new Uint8Array(0)).bytes({ targetSize: 1 << 20 });
    expect(codeOf(() => apply(patch, empty))).toBe("kMalformed");
  });

  test("applyPatch: meets flipped bits with a typed error or the right bytes", () => {
    const random = makeRandom(11);
    const codes = new Set<string>();
    for (let round = 0; round < 3_000; round += 1) {
      const writer = randomPatch(random, kBytes);
      const patch = writer.bytes();
      for (let flips = 0; flips <= round % 3; flips += 1) {
        const at = Math.floor(random() * patch.length);
        patch[at] = (patch[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      }
      codes.add(
        codeOf(() => {
          expect([...apply(patch).bytes]).toEqual(writer.target);
        }),
      );
    }
    expect([...codes].sort()).toEqual(
      ["kDigestMismatch", "kMalformed", "kSnapshotTooBig", "kWrongBaseline", "nothing thrown"].filter(
        (code) => code !== "nothing thrown" || codes.has(code),
      ),
    );
  });
});

describe("applyPatch: whole states", () => {
  const { patch, target } = readWhole("40 bodies");
  /** A header, then an empty stream. */
  const header = (size: number, excerptSize: number, kind = 0) =>
    Uint8Array.from([
      kind,
      ...varint(size),
      ...uint64(digestOf(new Uint8Array(size))),
      ...varint(excerptSize),
    ]);

  test("applyPatch: a whole state is the same whatever is held", () => {
    const random = makeRandom(5);
    for (const held of [new Uint8Array(0), kBytes, target, randomBytes(random, 5000), target.slice(8)]) {
      const snapshot = makeSnapshot(held.slice());
      const result = apply(patch, snapshot);
      expect(result.bytes).toEqual(target);
      expect(result.fingerprints).toEqual(makeSnapshot(target).fingerprints);
      expect(snapshot.bytes).toEqual(held);
    }
  });

  test("applyPatch: a whole state may be as large as the limit", () => {
    const applyWithin = (maxSnapshotBytes: number) => applyPatch(empty, patch, { maxSnapshotBytes });
    expect(applyWithin(target.length).bytes).toEqual(target);
    expect(codeOf(() => applyWithin(target.length - 1))).toBe("kSnapshotTooBig");
    // What the header says by itself is looked at first.
    const large = [0, ...varint(2 ** 31 - 1), ...uint64(0n)];
    expect(codeOf(() => apply(Uint8Array.from([...large, 1])))).toBe("kSnapshotTooBig");
    expect(codeOf(() => apply(Uint8Array.from([...large, 0])))).toBe("kMalformed");
    expect(codeOf(() => apply(Uint8Array.from(large)))).toBe("kMalformed");
  });

  test("applyPatch: an excerpt is at least one byte and not too large", () => {
    // Of an empty stream it is zeros: one object, and the target another.
    for (const size of [1, 8, 5000, 5461, 5462, 60_000]) {
      const most = Math.min(size, Math.floor(size / 4) + 4096);
      for (const excerptSize of [1, most]) {
        expect(apply(header(size, excerptSize)).bytes).toEqual(new Uint8Array(size));
      }
      for (const excerptSize of [0, most + 1]) {
        expect(codeOf(() => apply(header(size, excerptSize)))).toBe("kMalformed");
      }
    }
  });

  test("applyPatch: a whole state continues nothing", () => {
    expect(codeOf(() => apply(header(8, 8, 4)))).toBe("kMalformed");
  });

  test("applyPatch: meets whole states that are cut or bent with a typed error", () => {
    const few = readWhole("2 bodies");
    for (let at = 0; at < few.patch.length; at += 1) {
      expect(codeOf(() => apply(few.patch.slice(0, at)))).not.toBe("nothing thrown");
      for (let bit = 0; bit < 8; bit += 1) {
        const bent = few.patch.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
        expect(["kMalformed", "kDigestMismatch", "kSnapshotTooBig", "kWrongBaseline"]).toContain(
          codeOf(() => apply(bent)),
        );
      }
    }
  });
});

describe("ByteReader", () => {
  const read = (...bytes: number[]) => new ByteReader(Uint8Array.from(bytes));

  test("ByteReader: reads varints of every length", () => {
    for (let bits = 0; bits < 64; bits += 1) {
      for (const value of [2n ** BigInt(bits), 2n ** BigInt(bits) - 1n]) {
        expect(read(...varint(value)).varint64()).toBe(value);
        if (value < 2n ** 32n) expect(read(...varint(value)).varint32()).toBe(Number(value));
        else expect(codeOf(() => read(...varint(value)).varint32())).toBe("kMalformed");
        if (bits < 53) expect(read(...varint(value)).varint(Number.MAX_SAFE_INTEGER)).toBe(Number(value));
      }
    }
    expect(read(...varint(2n ** 64n - 1n)).varint64()).toBe(2n ** 64n - 1n);
  });

  test("ByteReader: refuses hostile varints", () => {
    const hostile = [
      [],
      [0x80],
      [0x80, 0],
      [0xff, 0x80, 0],
      [...new Array(9).fill(0xff), 2],
      new Array(11).fill(0x81),
    ];
    for (const bytes of hostile) {
      expect(
        codeOf(() => read(...bytes).varint64()),
        `${bytes}`,
      ).toBe("kMalformed");
      expect(
        codeOf(() => read(...bytes).varint(0xffff_ffff)),
        `${bytes}`,
      ).toBe("kMalformed");
    }
    expect(codeOf(() => read(...varint(256)).varint(255))).toBe("kMalformed");
    expect(codeOf(() => read(1, 2, 3, 4, 5, 6, 7).uint64())).toBe("kMalformed");
    expect(codeOf(() => read().byte())).toBe("kMalformed");
  });
});
