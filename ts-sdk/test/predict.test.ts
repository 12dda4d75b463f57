import { describe, expect, test } from "vitest";
import { Arrangement } from "../src/codec/arrangement.js";
import { How, kBlockCells, kCount, kHow } from "../src/codec/blocks.js";
import { findStructure } from "../src/codec/find-structure.js";
import { State } from "../src/codec/inspector.js";
import { Overrides } from "../src/codec/overrides.js";
import { Placer } from "../src/codec/placer.js";
import { predict } from "../src/codec/predict.js";
import { Kind, type Type, typeOfTag } from "../src/codec/schema.js";
import type { Structure } from "../src/codec/structure.js";
import { makeRandom } from "./support.js";
import { readChain } from "./vectors.js";

const baseline = readChain("bodies come, move and go")[0]?.baseline ?? new Uint8Array(0);

/** What a step of an arrangement says: `most` objects up to `source`, the first of them with overrides. */
interface Wish {
  readonly source: number;
  readonly most: number;
  readonly isFresh: boolean;
  readonly overrides: Overrides;
}

const typeAt = ({ schema, tag }: Structure, object: number) =>
  schema.types[typeOfTag(tag[object] as number)] as Type;

/** Almost all objects, mostly in their order; some with another length, vtable or padding, some twice. */
function wishesFor(structure: Structure, random: () => number): Wish[] {
  const tables = structure.schema.types.filter(({ kind }) => kind === Kind.kTable);
  const wishes: Wish[] = [];
  for (let source = structure.count - 1; source > 0; ) {
    const most = Math.min(source, 1 + Math.floor(random() * 40));
    const overrides = new Overrides();
    const isFresh = random() < 0.1;
    const { kind } = typeAt(structure, source);
    if (random() < 0.2 && kind === Kind.kData) {
      overrides.resizes = true;
      overrides.splices = [0, 1, 1];
    } else if (random() < 0.2 && kind === Kind.kTable) {
      overrides.reshapes = true;
      overrides.shape = tables[Math.floor(random() * tables.length)]?.shapes[0] ?? 0;
    } else if (random() < 0.1) {
      overrides.pads = true;
      overrides.padding = 4;
    }
    const isAlone = overrides.any || isFresh;
    wishes.push({ source, most: isAlone ? 1 : most, isFresh, overrides });
    // What is fresh comes once more as itself; sometimes something is left out.
    if (!isFresh) source -= isAlone ? 1 : most;
    if (random() < 0.1) source -= 1;
  }
  // Some go elsewhere.
  const goes = wishes.splice(Math.floor(random() * wishes.length), Math.floor(random() * 4));
  wishes.splice(Math.floor(random() * wishes.length), 0, ...goes);
  return wishes;
}

/** `isTogether`: what moves by the same distance moves at once. */
function arrange(
  structure: Structure,
  state: Uint8Array,
  bytes: Uint8Array,
  wishes: readonly Wish[],
  isTogether: boolean,
): Arrangement {
  const arrangement = new Arrangement(structure, bytes, 4 * bytes.length, state);
  const placer = new Placer(arrangement);
  for (const { source, most, isFresh, overrides } of wishes) {
    for (let left = most; left > 0; ) {
      const from = source - most + left;
      const n = isTogether && !isFresh && !overrides.any ? placer.placeRun(from, left) : 0;
      if (n === 0) placer.place(from, isFresh, overrides);
      left -= Math.max(n, 1);
    }
  }
  placer.placeRaw(0);
  arrangement.finish();
  return arrangement;
}

/** Elements of vectors of references are not predicted: they are zero here. */
function predictionOf(arrangement: Arrangement): Uint8Array {
  const bytes = new Uint8Array(arrangement.targetSize);
  predict(arrangement, bytes);
  for (let object = 0; object < arrangement.count; object += 1) {
    if (typeAt(arrangement.structure, object).kind !== Kind.kReferences) continue;
    bytes.fill(0, (arrangement.start[object] ?? 0) + 4, arrangement.start[object + 1]);
  }
  return bytes;
}

/** Objects in blocks of several. */
function countMoved({ blocks: { cells, count } }: Arrangement): number {
  let n = 0;
  for (let at = 0; at < count * kBlockCells; at += kBlockCells) {
    if (cells[at + kHow] === How.kMoved && (cells[at + kCount] ?? 0) > 1) n += cells[at + kCount] ?? 0;
  }
  return n;
}

describe("predict", () => {
  test("predict: objects that moved together become what each would alone", () => {
    const random = makeRandom(41);
    let nMoved = 0;
    let nNear = 0;
    for (let round = 0; round < 300; round += 1) {
      // Structures outlive the bytes that they were found in, also one that an arrangement left.
      let structure = findStructure(baseline);
      let state = new Uint8Array(structure.count);
      let bytes = baseline;
      for (let patch = 0; patch < 3; patch += 1) {
        bytes = bytes.slice();
        for (let i = 0; i < round % 40; i += 1) {
          const position = Math.floor(random() * bytes.length);
          bytes[position] = random() * 256;
          state[structure.objectAt(position)] = State.kUnknown;
        }
        const wishes = wishesFor(structure, random);
        const together = arrange(structure, state, bytes, wishes, true);
        const alone = arrange(structure, new Uint8Array(structure.count), bytes, wishes, false);
        nMoved += countMoved(together);
        expect(countMoved(alone)).toBe(0);
        expect(together.start).toEqual(alone.start);
        expect(together.tag).toEqual(alone.tag);
        expect(together.counts).toEqual(alone.counts);
        expect(together.lastSource).toEqual(alone.lastSource);
        const prediction = predictionOf(together);
        expect(Buffer.compare(prediction, predictionOf(alone))).toBe(0);
        bytes = prediction;
        structure = together.structure;
        state = together.state.slice();
        nNear += state.filter((known) => known === State.kNear).length;
      }
    }
    expect(nMoved).toBeGreaterThan(10_000);
    expect(nNear).toBeGreaterThan(5_000);
  });

  test("predict: a target that is its baseline is the baseline, but for the elements of vectors of tables", () => {
    const structure = findStructure(baseline);
    const arrangement = new Arrangement(structure, baseline, baseline.length);
    const placer = new Placer(arrangement);
    for (let source = structure.count - 1; source >= 0; ) {
      const n = placer.placeRun(source, source + 1);
      if (n === 0) placer.place(source, false, new Overrides());
      source -= Math.max(n, 1);
    }
    expect(placer.end).toBe(0);
    arrangement.finish();
    const expected = baseline.slice();
    for (let object = 0; object < structure.count; object += 1) {
      const begin = (structure.start[object] ?? 0) + 4;
      if (typeAt(structure, object).kind === Kind.kReferences) {
        expected.fill(0, begin, structure.start[object + 1]);
      }
    }
    expect(predictionOf(arrangement)).toEqual(expected);
  });
});
