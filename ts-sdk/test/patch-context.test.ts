import { beforeAll, describe, expect, test } from "vitest";
import { kColumn, kMotionCells, kRow, kStep, Motions } from "../src/codec/motions.js";
import { initHash } from "../src/fingerprint.js";
import { applyPatch } from "../src/patch.js";
import { PatchContext } from "../src/patch-context.js";
import { makeSnapshot, type Snapshot } from "../src/snapshot.js";
import { codeOf, wholePatch } from "./support.js";
import { type ChainStep, readChain, readWhole } from "./vectors.js";

beforeAll(initHash);

const kLimits = { maxSnapshotBytes: 1 << 20 };

/** Applies these steps in turn. */
function follow(steps: readonly ChainStep[], context: PatchContext): Snapshot {
  let snapshot = makeSnapshot(steps[0]?.baseline.slice() ?? new Uint8Array(0));
  for (const { patch, target } of steps) {
    snapshot = applyPatch(snapshot, patch, kLimits, context);
    expect(snapshot.bytes).toEqual(target);
  }
  return snapshot;
}

describe("PatchContext", () => {
  const flying = readChain("shots fly");
  const moving = readChain("bodies come, move and go");
  const third = flying[2] as ChainStep;

  test("PatchContext: patches continue each other, in place and moved", () => {
    for (const chain of [flying, moving]) {
      const context = new PatchContext();
      const last = follow(chain, context);
      expect(context.isAt(last)).toBe(true);
      expect(chain.slice(1).every(({ patch }) => ((patch[0] ?? 0) & 4) !== 0)).toBe(true);
    }
    expect(flying.some(({ patch }) => patch[0] === 6)).toBe(true);
    expect(moving.some(({ patch }) => patch[0] === 7)).toBe(true);
  });

  test("PatchContext: earlier snapshots stay as they were", () => {
    const context = new PatchContext();
    const snapshots = [makeSnapshot(flying[0]?.baseline ?? new Uint8Array(0))];
    for (const { patch } of flying)
      snapshots.push(applyPatch(snapshots.at(-1) as Snapshot, patch, kLimits, context));
    flying.forEach(({ baseline }, i) => {
      expect(snapshots[i]?.bytes).toEqual(baseline);
    });
  });

  test("PatchContext: who does not hold it cannot read what continues it", () => {
    const baseline = makeSnapshot(third.baseline);
    expect(codeOf(() => applyPatch(baseline, third.patch, kLimits))).toBe("kWrongBaseline");
    expect(codeOf(() => applyPatch(baseline, third.patch, kLimits, new PatchContext()))).toBe(
      "kWrongBaseline",
    );
    const closed = new PatchContext();
    follow(flying.slice(0, 2), closed);
    closed.close();
    expect(codeOf(() => applyPatch(baseline, third.patch, kLimits, closed))).toBe("kWrongBaseline");
  });

  test("PatchContext: it is at one snapshot, not at another", () => {
    const context = new PatchContext();
    const first = follow(flying.slice(0, 1), context);
    expect(context.isAt(first)).toBe(true);
    const other = makeSnapshot(third.baseline);
    expect(context.isAt(other)).toBe(false);
    expect(codeOf(() => applyPatch(other, third.patch, kLimits, context))).toBe("kWrongBaseline");
    expect(context.isAt(first)).toBe(false);
  });

  test("PatchContext: an error closes it, whatever the error is", () => {
    const digestAt = 1;
    const mistakes: [string, (patch: Uint8Array) => Uint8Array, number][] = [
      ["kMalformed", (patch) => patch.slice(0, -1), 1 << 20],
      ["kMalformed", () => new Uint8Array(0), 1 << 20],
      ["kMalformed", () => Uint8Array.of(5), 1 << 20],
      ["kDigestMismatch", (patch) => patch.map((byte, i) => (i === digestAt ? byte ^ 1 : byte)), 1 << 20],
      ["kSnapshotTooBig", (patch) => patch, 8],
    ];
    for (const [code, spoil, maxSnapshotBytes] of mistakes) {
      const context = new PatchContext();
      const baseline = follow(flying.slice(0, 2), context);
      expect(context.isAt(baseline)).toBe(true);
      expect(codeOf(() => applyPatch(baseline, spoil(third.patch), { maxSnapshotBytes }, context))).toBe(
        code,
      );
      expect(context.isAt(baseline)).toBe(false);
      expect(codeOf(() => applyPatch(baseline, third.patch, kLimits, context))).toBe("kWrongBaseline");
    }
  });

  test("PatchContext: a patch between any bytes closes it", () => {
    const context = new PatchContext();
    const baseline = follow(flying.slice(0, 2), context);
    const same = applyPatch(baseline, wholePatch(third.baseline, third.baseline), kLimits, context);
    expect(same.digest).toBe(baseline.digest);
    expect(codeOf(() => applyPatch(same, third.patch, kLimits, context))).toBe("kWrongBaseline");
  });

  test("PatchContext: a whole state closes it, and the next patch begins it anew", () => {
    const whole = readWhole("12 bodies");
    const context = new PatchContext();
    const held = follow(flying.slice(0, 2), context);
    const result = applyPatch(held, whole.patch, kLimits, context);
    expect(result.bytes).toEqual(whole.target);
    expect([held, result].map((snapshot) => context.isAt(snapshot))).toEqual([false, false]);
    expect(codeOf(() => applyPatch(held, third.patch, kLimits, context))).toBe("kWrongBaseline");
    expect(whole.target).toEqual(moving[0]?.baseline);
    follow(moving, context);
  });

  test("PatchContext: a patch that stands alone begins it anew", () => {
    const context = new PatchContext();
    follow(flying, context);
    expect(follow(flying, context).bytes).toEqual(flying.at(-1)?.target);
  });
});

describe("PatchContext: reuseBytes", () => {
  const chains = ["shots fly", "bodies come, move and go", "random 3", "random 7"].map(readChain);

  test("PatchContext: the result is the same with memory that is used again", () => {
    for (const chain of chains) follow(chain, new PatchContext({ reuseBytes: true }));
  });

  test("PatchContext: writes over the baseline where nothing moves, and takes turns where something does", () => {
    for (const chain of chains) {
      const context = new PatchContext({ reuseBytes: true });
      let snapshot = makeSnapshot(chain[0]?.baseline.slice() ?? new Uint8Array(0));
      const buffers = new Set<ArrayBufferLike>();
      for (const { patch } of chain) {
        const { buffer } = snapshot.bytes;
        snapshot = applyPatch(snapshot, patch, kLimits, context);
        if (((patch[0] ?? 0) & 3) === 2) expect(snapshot.bytes.buffer).toBe(buffer);
        else expect(snapshot.bytes.buffer).not.toBe(buffer);
        buffers.add(snapshot.bytes.buffer);
      }
      expect(buffers.size).toBeLessThan(chain.length);
    }
  });

  test("PatchContext: a whole state is written to memory of a snapshot that is no more, whatever it holds", () => {
    const whole = readWhole("12 bodies");
    for (const reuseBytes of [true, "alternate"] as const) {
      for (const chain of chains) {
        const context = new PatchContext({ reuseBytes });
        const held = follow(chain, context);
        const bytes = held.bytes.slice();
        const result = applyPatch(held, whole.patch, kLimits, context);
        expect(result.bytes).toEqual(whole.target);
        expect(result.fingerprints).toEqual(makeSnapshot(whole.target).fingerprints);
        expect(held.bytes).toEqual(bytes);
        expect(result.bytes.buffer).not.toBe(held.bytes.buffer);
        // Twice: nothing is left of the first that the second depends on.
        expect(applyPatch(result, whole.patch, kLimits, context).bytes).toEqual(whole.target);
      }
    }
  });

  test("PatchContext: with alternate the last two snapshots stay as they were", () => {
    for (const chain of chains) {
      const context = new PatchContext({ reuseBytes: "alternate" });
      let before = makeSnapshot(new Uint8Array(0));
      let snapshot = makeSnapshot(chain[0]?.baseline.slice() ?? new Uint8Array(0));
      const buffers = new Set<ArrayBufferLike>();
      for (const [i, { patch, target, baseline }] of chain.entries()) {
        const next = applyPatch(snapshot, patch, kLimits, context);
        expect(next.bytes).toEqual(target);
        expect(snapshot.bytes).toEqual(baseline);
        before = snapshot;
        snapshot = next;
        expect(before.bytes.buffer).not.toBe(snapshot.bytes.buffer);
        if (i > 0) buffers.add(snapshot.bytes.buffer);
      }
      expect(buffers.size).toBeLessThan(chain.length - 1);
    }
  });

  test("PatchContext: with alternate the snapshot before the last can be patched once more", () => {
    for (const chain of chains) {
      const { baseline, patch, target } = chain[0] as ChainStep;
      const context = new PatchContext({ reuseBytes: "alternate" });
      const first = makeSnapshot(baseline.slice());
      for (let i = 0; i < 3; i += 1) {
        expect(applyPatch(first, patch, kLimits, context).bytes).toEqual(target);
        expect(first.bytes).toEqual(baseline);
      }
    }
  });

  test("PatchContext: after an error the baseline is as it was", () => {
    for (const chain of chains) {
      for (let i = 0; i < chain.length; i += 1) {
        const { patch, baseline } = chain[i] as ChainStep;
        for (let at = 1; at < patch.length; at += 1) {
          const context = new PatchContext({ reuseBytes: at % 2 === 0 ? true : "alternate" });
          const held = i === 0 ? makeSnapshot(baseline.slice()) : follow(chain.slice(0, i), context);
          const bent = patch.map((byte, k) => (k === at ? byte ^ 0x10 : byte));
          if (codeOf(() => applyPatch(held, bent, kLimits, context)) === "nothing thrown") continue;
          expect(held.bytes).toEqual(baseline);
          expect(makeSnapshot(held.bytes.slice()).digest).toBe(held.digest);
        }
      }
    }
  });
});

describe("Motions", () => {
  const motionsOf = (...all: [row: number, column: number, step: number][]) => {
    const motions = new Motions();
    motions.reserve(all.length);
    for (const [row, column, step] of all) motions.push(row, column, step, 0);
    return motions;
  };
  const listOf = ({ cells, count }: Motions) =>
    Array.from({ length: count }, (_, i) => [kRow, kColumn, kStep].map((k) => cells[i * kMotionCells + k]));

  test("Motions: counts rows, not entries", () => {
    expect(motionsOf().countRows()).toBe(0);
    expect(motionsOf([0, 1, 5], [0, 3, 6], [2, 1, 7]).countRows()).toBe(2);
  });

  test("Motions: follow their rows, keep the order of columns, and end with them", () => {
    const motions = motionsOf([0, 1, 10], [0, 3, 11], [1, 2, 12], [2, 1, 13], [2, 4, 14]);
    motions.renumber((row) => [5, -1, 0][row] ?? -1);
    expect(listOf(motions)).toEqual([
      [0, 1, 13],
      [0, 4, 14],
      [5, 1, 10],
      [5, 3, 11],
    ]);
    motions.renumber((row) => (row === 0 ? 8 : -1));
    expect(listOf(motions)).toEqual([
      [8, 1, 13],
      [8, 4, 14],
    ]);
  });

  test("Motions: grow without limit", () => {
    const motions = new Motions();
    for (let i = 0; i < 1000; i += 1) {
      motions.reserve(1);
      motions.push(i, 1, i, 0);
    }
    expect(listOf(motions)).toEqual(Array.from({ length: 1000 }, (_, i) => [i, 1, i]));
  });
});
