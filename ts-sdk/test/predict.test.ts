import { describe, expect, test } from "vitest";
import { Arrangement, Overrides } from "../src/codec/arrangement.js";
import { findStructure } from "../src/codec/find-structure.js";
import { predict } from "../src/codec/predict.js";
import { Kind, type Structure, type Type } from "../src/codec/structure.js";
import { makeRandom } from "./support.js";
import { readChain } from "./vectors.js";

const baseline = readChain("bodies come, move and go")[0]?.baseline ?? new Uint8Array(0);

/** All objects of `bytes` in their order, some of them with another length, vtable or padding. */
function arrange(structure: Structure, bytes: Uint8Array, random: () => number): Arrangement {
  const arrangement = new Arrangement(structure, bytes, 3 * bytes.length);
  const tables = structure.types.filter(({ kind }) => kind === Kind.kTable);
  let end = arrangement.targetSize;
  for (let source = structure.typeOf.length - 1; source > 0; source -= 1) {
    const { kind } = structure.types[structure.typeOf[source] as number] as Type;
    const overrides = new Overrides();
    if (random() < 0.2 && kind === Kind.kData && arrangement.oldCount(source) > 1) {
      overrides.resizes = true;
      overrides.splices = [0, 1, 1];
    } else if (random() < 0.2 && kind === Kind.kTable) {
      overrides.reshapes = true;
      overrides.shape = tables[Math.floor(random() * tables.length)]?.shapes[0] ?? 0;
    } else if (random() < 0.05) {
      overrides.pads = true;
      overrides.padding = 4;
    }
    const start = arrangement.place(source, random() < 0.05, overrides, end);
    if (start > 0) end = start;
  }
  arrangement.placeRaw(0, end);
  arrangement.finish();
  return arrangement;
}

describe("predict", () => {
  test("predict: objects that moved together become what each would alone", () => {
    const random = makeRandom(41);
    let nBlocks = 0;
    for (let round = 0; round < 100; round += 1) {
      // Structures outlive the bytes that they were found in, also one that an arrangement left.
      let structure = findStructure(baseline);
      let bytes = baseline;
      for (let patch = 0; patch < 2; patch += 1) {
        bytes = bytes.slice();
        for (let i = 0; i < round % 40; i += 1) bytes[Math.floor(random() * bytes.length)] = random() * 256;
        const arrangement = arrange(structure, bytes, random);
        for (let i = 0; i < arrangement.count; i += 1) if (arrangement.endOfBlock(i) > i + 1) nBlocks += 1;
        const together = new Uint8Array(arrangement.targetSize);
        predict(arrangement, together);
        const alone = new Uint8Array(arrangement.targetSize);
        arrangement.endOfBlock = (first) => first;
        predict(arrangement, alone);
        expect(Buffer.compare(together, alone)).toBe(0);
        bytes = together;
        structure = arrangement.structure();
      }
    }
    expect(nBlocks).toBeGreaterThan(1000);
  });

  test("predict: a target that is its baseline is the baseline, but for the elements of vectors of tables", () => {
    const structure = findStructure(baseline);
    const arrangement = new Arrangement(structure, baseline, baseline.length);
    let end = baseline.length;
    for (let source = structure.typeOf.length - 1; source >= 0; source -= 1) {
      end = arrangement.place(source, false, new Overrides(), end);
    }
    expect(end).toBe(0);
    arrangement.finish();
    const target = new Uint8Array(baseline.length);
    predict(arrangement, target);
    const expected = baseline.slice();
    structure.typeOf.forEach((type, object) => {
      const { kind } = structure.types[type] as Type;
      const begin = (structure.objects.start[object] as number) + 4;
      if (kind === Kind.kReferences) expected.fill(0, begin, structure.objects.end[object]);
    });
    expect(target).toEqual(expected);
  });
});
