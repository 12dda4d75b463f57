import { Builder } from "flatbuffers";
import { describe, expect, test } from "vitest";
import { ByteReader } from "../src/byte-reader.js";
import { Context } from "../src/codec/context.js";
import { decodeInPlace, decodeMoved, decodeWhole } from "../src/codec/decode.js";
import { EntropyDecoder, expecting, kEvenNibble, kNibbleCells } from "../src/codec/entropy-decoder.js";
import { findStructure } from "../src/codec/find-structure.js";
import { FieldKind, Kind, typeOfTag } from "../src/codec/schema.js";
import type { Structure } from "../src/codec/structure.js";
import { WriteLog } from "../src/codec/write-log.js";
import { makeRandom, randomBytes } from "./support.js";
import { readWhole } from "./vectors.js";

/** Far above what any of these takes, far below what work that grows with the square would. */
const kSoonMs = 5000;

interface Ship {
  readonly name: string;
  readonly hull: number;
  readonly path: readonly number[];
}

/** A table of ships, each with a number, a string and a vector of numbers. */
function fleet(ships: readonly Ship[]): Uint8Array {
  const builder = new Builder(256);
  const tables = ships.map(({ name, hull, path }) => {
    const nameAt = builder.createString(name);
    builder.startVector(4, path.length, 4);
    for (const value of path.toReversed()) builder.addInt32(value);
    const pathAt = builder.endVector();
    builder.startObject(3);
    builder.addFieldInt32(0, hull, 0);
    builder.addFieldOffset(1, nameAt, 0);
    builder.addFieldOffset(2, pathAt, 0);
    return builder.endObject();
  });
  builder.startVector(4, tables.length, 4);
  for (const table of tables.toReversed()) builder.addOffset(table);
  const all = builder.endVector();
  builder.startObject(1);
  builder.addFieldOffset(0, all, 0);
  builder.finish(builder.endObject());
  return builder.asUint8Array().slice();
}

const kShips = Array.from({ length: 20 }, (_, i) => ({
  name: `ship number ${i}`,
  hull: 100 + i,
  path: [1, 2, 3 * i],
}));

/** Every object begins where the one before ends, and the lists by type say the same. */
function expectWhole(structure: Structure): void {
  const { start, tag, count, sizeBytes, schema } = structure;
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    expect(start[i]).toBe(at);
    expect(structure.objectAt(at)).toBe(i);
    at = start[i + 1] as number;
    expect(structure.objectAt(at - 1)).toBe(i);
    expect(structure.group(typeOfTag(tag[i] as number)).members).toContain(i);
  }
  expect(at).toBe(sizeBytes);
  expect(schema.types.reduce((n, _, type) => n + structure.countOf(type), 0)).toBe(count);
}

function millisecondsOf(run: () => void): number {
  const begin = performance.now();
  run();
  return performance.now() - begin;
}

function decoderOf(...bytes: number[]): EntropyDecoder {
  const decoder = new EntropyDecoder();
  decoder.open(Uint8Array.from(bytes));
  return decoder;
}

describe("EntropyDecoder", () => {
  test("EntropyDecoder: reads raw bits from the low end of the state", () => {
    const decoder = decoderOf(0x02, 0x9a);
    expect([decoder.readRaw(3), decoder.readRaw(0), decoder.readRaw(7)]).toEqual([2, 0, 0x53]);
    expect(decoder.atEnd()).toBe(true);
  });

  test("EntropyDecoder: takes in a word when the state falls below 2^16", () => {
    const decoder = decoderOf(0x01, 0x23, 0x45, 0xcd, 0xab);
    expect(decoder.readRaw(16)).toBe(0x2345);
    expect(decoder.readRaw(16)).toBe(0xabcd);
    expect(decoder.atEnd()).toBe(false);
    expect(decoder.readRaw(1)).toBe(1);
    expect(decoder.atEnd()).toBe(true);
  });

  test("EntropyDecoder: computes with all 32 bits of the state", () => {
    const decoder = decoderOf(0xff, 0xff, 0xff, 0xff);
    const model = decoder.nibble(kEvenNibble);
    // 2048 * (0xffffffff >> 15) + 0x7fff - 15 * 2048
    expect(decoder.readNibble(model)).toBe(15);
    expect(decoder.readRaw(30)).toBe((2048 * 0x1ffff + 2047) % 2 ** 30);
  });

  test("EntropyDecoder: an empty stream is zeros without end, and all right", () => {
    const decoder = decoderOf();
    const model = decoder.nibble(kEvenNibble);
    const bit = decoder.bits(1);
    const number = decoder.number(kEvenNibble);
    for (let i = 0; i < 100; i += 1) {
      expect([decoder.readNibble(model), decoder.readBit(bit), decoder.readNumber(number)]).toEqual([
        0, 0, 0,
      ]);
    }
    expect(decoder.atEnd()).toBe(true);
  });

  test("EntropyDecoder: a symbol that was seen is likelier from then on", () => {
    // Slot 12,287 is symbol 5 of an even model; after it learnt a 4 by one fifth, it is a 4.
    const decoder = decoderOf(0x2f, 0xff);
    const model = decoder.nibble(kEvenNibble);
    decoder.learn(model, 4);
    expect(decoder.readNibble(model)).toBe(4);
    const even = decoderOf(0x2f, 0xff);
    expect(even.readNibble(even.nibble(kEvenNibble))).toBe(5);
  });

  test("EntropyDecoder: what a model learnt stays when the next stream is opened", () => {
    const decoder = decoderOf();
    const model = decoder.nibble(kEvenNibble);
    decoder.learn(model, 4);
    decoder.open(Uint8Array.of(0x2f, 0xff));
    expect(decoder.readNibble(model)).toBe(4);
  });

  test("EntropyDecoder: learns from each of 15 symbols, then from every eighth", () => {
    const decoder = decoderOf();
    const model = decoder.nibble(kEvenNibble);
    const learnt: number[] = [];
    for (let i = 1; i <= 40; i += 1) {
      const before = decoder.cells.slice(model, model + 17);
      decoder.learn(model, 7);
      if (decoder.cells.slice(model, model + 17).some((low, at) => low !== before[at])) learnt.push(i);
    }
    expect(learnt).toEqual([...Array.from({ length: 15 }, (_, i) => i + 1), 23, 31, 39]);
  });

  test("EntropyDecoder: finds every symbol of a model, whatever it learnt", () => {
    const random = makeRandom(5);
    for (let round = 0; round < 50; round += 1) {
      const decoder = decoderOf();
      const model = decoder.nibble(kEvenNibble);
      for (let i = 0; i < round; i += 1) decoder.learn(model, Math.floor(random() * 16));
      const lows = decoder.cells.slice(model, model + 17);
      for (let slot = 0; slot < 32768; slot += 1 + Math.floor(random() * 60)) {
        const expected = lows.findLastIndex((low) => low <= slot);
        const fresh = new EntropyDecoder(decoder.cells.slice(0, model + kNibbleCells));
        fresh.open(Uint8Array.of(slot >>> 8, slot & 255));
        expect(fresh.readNibble(model)).toBe(expected);
      }
    }
  });

  test("EntropyDecoder: a model never loses a symbol, whatever it learns", () => {
    for (const [favourite, isEven] of [
      [0, true],
      [7, false],
      [15, true],
    ] as const) {
      const decoder = decoderOf();
      const expected = isEven ? kEvenNibble : expecting([1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
      const model = decoder.nibble(expected);
      for (let i = 0; i < 4000; i += 1) decoder.learn(model, favourite);
      for (let symbol = 0; symbol < 16; symbol += 1) {
        const [low = 0, high = 0] = decoder.cells.slice(model + symbol, model + symbol + 2);
        expect(high - low).toBeGreaterThanOrEqual(4);
      }
    }
  });

  test("EntropyDecoder: refuses a leading zero and bytes left over", () => {
    const padded = decoderOf(0, 5);
    padded.readRaw(8);
    expect(padded.atEnd()).toBe(false);
    const long = decoderOf(1, 0, 0, 5, 6);
    long.readRaw(16);
    expect(long.atEnd()).toBe(false);
  });
});

describe("findStructure", () => {
  test("findStructure: finds the tables, strings and vectors of a FlatBuffer", () => {
    const structure = findStructure(fleet(kShips));
    expect(structure.isFlatbuffer).toBe(true);
    expectWhole(structure);
    const counts = structure.schema.types.map(({ kind }, type) => [kind, structure.countOf(type)]);
    expect(counts).toEqual([
      [Kind.kOther, 1],
      [Kind.kVTable, 2],
      [Kind.kTable, 1],
      [Kind.kReferences, 1],
      [Kind.kTable, 20],
      [Kind.kText, 20],
      [Kind.kData, 20],
    ]);
    const ship = structure.schema.types[4];
    expect(ship?.fieldKinds).toEqual([FieldKind.kScalar, FieldKind.kText, FieldKind.kData]);
    expect(structure.schema.types[6]?.stride).toBe(4);
  });

  test("findStructure: does not mind where in memory the bytes are", () => {
    const bytes = fleet(kShips);
    const aligned = findStructure(bytes);
    for (let shift = 1; shift < 4; shift += 1) {
      const shifted = new Uint8Array(bytes.length + shift);
      shifted.set(bytes, shift);
      const { start, tag } = findStructure(shifted.subarray(shift));
      expect({ start, tag }).toEqual({ start: aligned.start, tag: aligned.tag });
    }
  });

  test.each([0, 1, 7, 8, 31, 32, 33, 1000])("findStructure: %i bytes of noise are one object", (size) => {
    const structure = findStructure(randomBytes(makeRandom(size + 9), size));
    expect(structure.isFlatbuffer).toBe(false);
    expect(structure.count).toBe(size === 0 ? 0 : 1);
    expectWhole(structure);
  });

  test("findStructure: objects cover every damaged buffer without gaps", () => {
    const random = makeRandom(11);
    const bytes = fleet(kShips);
    for (let round = 0; round < 400; round += 1) {
      const damaged = bytes.slice(0, bytes.length - (round % 3 === 0 ? Math.floor(random() * 40) : 0));
      for (let i = 0; i < 3; i += 1) damaged[Math.floor(random() * damaged.length)] = random() * 256;
      expectWhole(findStructure(damaged));
    }
  });

  test("findStructure: with more than 65,535 types and vtables a baseline is one object", () => {
    /** A vector of tables without fields, each with a vtable of its own, and zeros that pay for looking at these. */
    const tablesWithVTables = (n: number) => {
      const bytes = new Uint8Array(24 + 52 * n);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, 12, true);
      for (const [at, value] of [6, 8, 4].entries()) view.setUint16(4 + 2 * at, value, true);
      view.setUint32(12, 8, true);
      view.setUint32(16, 4, true);
      view.setUint32(20, n, true);
      for (let i = 0; i < n; i += 1) {
        const at = 24 + 4 * n + 8 * i;
        view.setUint32(24 + 4 * i, at + 4 - (24 + 4 * i), true);
        view.setUint32(at, 0x0004_0004, true);
        view.setUint32(at + 4, 4, true);
      }
      return bytes;
    };
    // Five types, and the vtable of the root.
    const most = findStructure(tablesWithVTables(65_529));
    expect(most.schema.types.length + most.schema.shapes.length).toBe(65_535);
    expect(most.schema.isFull).toBe(true);
    expect(findStructure(tablesWithVTables(65_528)).schema.isFull).toBe(false);
    const tooMany = findStructure(tablesWithVTables(65_530));
    expect([tooMany.isFlatbuffer, tooMany.count]).toEqual([false, 1]);
  });

  test("findStructure: work stays bounded where every word refers to the next and tables overlap", () => {
    const size = 1 << 20;
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    // One vtable of many fields; every word behind it is a table of 60,000 bytes with it, or seems to refer to one.
    const nFields = 14_000;
    view.setUint16(8, 4 + 2 * nFields, true);
    view.setUint16(10, 60_000, true);
    for (let i = 0; i < nFields; i += 1) view.setUint16(12 + 2 * i, 4 + 4 * i, true);
    const first = 40_000;
    for (let at = first; at + 4 <= size; at += 4) view.setInt32(at, at - 8, true);
    view.setUint32(0, first, true);
    expect(millisecondsOf(() => findStructure(bytes))).toBeLessThan(kSoonMs);
    for (let at = first + 4; at + 4 <= size; at += 4) view.setInt32(at, 4, true);
    expect(millisecondsOf(() => findStructure(bytes))).toBeLessThan(kSoonMs);
  });
});

/** As patches that continue nothing are applied. */
function inPlace(structure: Structure, stream: Uint8Array, bytes: Uint8Array): boolean {
  const log = new WriteLog();
  log.open(bytes, false);
  return decodeInPlace(new Context(structure), stream, bytes, log);
}
function moved(structure: Structure, baseline: Uint8Array, stream: Uint8Array, target: Uint8Array): boolean {
  return decodeMoved(new Context(structure), baseline, stream, target);
}

describe("WriteLog", () => {
  /** Of 3,000 bytes, which are three chunks. */
  const opened = (keepsBytes = false) => {
    const bytes = randomBytes(makeRandom(3), 3000);
    const log = new WriteLog();
    log.open(bytes, keepsBytes);
    return { bytes, log };
  };

  test("WriteLog: knows the chunks that were written to, at their borders too", () => {
    const { log } = opened();
    expect([...log.untouched()]).toEqual([1, 1, 1]);
    log.touch(1020, 4);
    expect([...log.untouched()]).toEqual([0, 1, 1]);
    log.touch(2046, 3);
    expect([...log.untouched()]).toEqual([0, 0, 0]);
    const other = opened().log;
    other.touchRange(1024, 2048);
    expect([...other.untouched()]).toEqual([1, 0, 1]);
    other.touchRange(0, 0);
    expect([...other.untouched()]).toEqual([1, 0, 1]);
    other.touchRange(1000, 3000);
    expect([...other.untouched()]).toEqual([0, 0, 0]);
  });

  test("WriteLog: forgets one patch when the next is opened", () => {
    const { bytes, log } = opened();
    log.touch(0, 4);
    log.open(bytes, false);
    expect([...log.untouched()]).toEqual([1, 1, 1]);
    log.open(bytes.subarray(0, 1500), false);
    expect([...log.untouched()]).toEqual([1, 1]);
  });

  test("WriteLog: puts back what was there before the first write", () => {
    const { bytes, log } = opened(true);
    const before = bytes.slice();
    for (const position of [2999, 5, 1023, 5]) {
      log.touch(position, 1);
      bytes[position] = (bytes[position] ?? 0) + 1;
    }
    log.touchRange(100, 2900);
    bytes.fill(7, 100, 2900);
    log.undo();
    expect(bytes).toEqual(before);
  });
});

describe("decodeInPlace", () => {
  test("decodeInPlace: an empty stream changes nothing", () => {
    const bytes = fleet(kShips);
    const target = bytes.slice();
    expect(inPlace(findStructure(bytes), new Uint8Array(0), target)).toBe(true);
    expect(target).toEqual(bytes);
  });

  test("decodeInPlace: refuses another size than the structure's", () => {
    const bytes = fleet(kShips);
    const structure = findStructure(bytes);
    expect(inPlace(structure, new Uint8Array(0), bytes.slice(1))).toBe(false);
  });

  test("decodeInPlace: whatever the stream, it ends and writes inside the buffer", () => {
    const random = makeRandom(21);
    const bytes = fleet(kShips);
    const structure = findStructure(bytes);
    let accepted = 0;
    for (let round = 0; round < 3000; round += 1) {
      const target = bytes.slice();
      const stream = randomBytes(random, 1 + Math.floor(random() * 40));
      if (inPlace(structure, stream, target)) accepted += 1;
    }
    expect(accepted).toBeLessThan(60);
  });

  test("decodeInPlace: refuses a stream that speaks of more columns than any game has", () => {
    // All 32,768 rows of a megabyte change, and 262,144 columns are said to occur; there are 8.
    const stream = Buffer.from("1fff0000185c187c42b68d0b44efd94819", "hex");
    const bytes = new Uint8Array(1 << 20);
    const structure = findStructure(bytes);
    const run = () => expect(inPlace(structure, stream, bytes)).toBe(false);
    expect(millisecondsOf(run)).toBeLessThan(kSoonMs);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe("decodeMoved", () => {
  /** The stream of zeros places one object of the baseline after the other, each as it was. */
  const refused = (bytes: Uint8Array, size: number) =>
    moved(findStructure(bytes), bytes, new Uint8Array(0), new Uint8Array(size));

  test("decodeMoved: an empty target needs an empty stream", () => {
    const bytes = fleet(kShips);
    const structure = findStructure(bytes);
    expect(moved(structure, bytes, new Uint8Array(0), new Uint8Array(0))).toBe(true);
    expect(moved(structure, bytes, Uint8Array.of(1), new Uint8Array(0))).toBe(false);
  });

  test("decodeMoved: an empty stream keeps a snapshot as it is", () => {
    const bytes = fleet(kShips);
    const target = new Uint8Array(bytes.length);
    expect(moved(findStructure(bytes), bytes, new Uint8Array(0), target)).toBe(true);
    expect(target).toEqual(bytes);
  });

  test("decodeMoved: refuses a target without room, or without objects to fill it", () => {
    const bytes = fleet(kShips);
    expect(refused(bytes, bytes.length + 4000)).toBe(true);
    expect(refused(new Uint8Array(0), 8)).toBe(false);
  });

  test("decodeMoved: refuses a baseline of another size than the structure's", () => {
    const bytes = fleet(kShips);
    const target = new Uint8Array(bytes.length);
    expect(moved(findStructure(bytes), bytes.slice(1), new Uint8Array(0), target)).toBe(false);
  });

  test("decodeMoved: whatever the stream, it ends and accepts next to nothing", () => {
    const random = makeRandom(31);
    const bytes = fleet(kShips);
    const structure = findStructure(bytes);
    let accepted = 0;
    for (let round = 0; round < 3000; round += 1) {
      const target = new Uint8Array(bytes.length + Math.floor(random() * 64));
      const stream = randomBytes(random, 1 + Math.floor(random() * 60));
      if (moved(structure, bytes, stream, target)) accepted += 1;
    }
    expect(accepted).toBeLessThan(60);
  });
});

describe("decodeWhole", () => {
  test("decodeWhole: whatever the stream, it ends and accepts next to nothing", () => {
    const random = makeRandom(41);
    let accepted = 0;
    for (let round = 0; round < 3000; round += 1) {
      const target = new Uint8Array(1 + Math.floor(random() * 400));
      const stream = randomBytes(random, 1 + Math.floor(random() * 60));
      if (decodeWhole(stream, 1 + Math.floor(random() * target.length), target)) accepted += 1;
    }
    expect(accepted).toBeLessThan(60);
  });

  test("decodeWhole: whatever follows the excerpt, it ends and accepts next to nothing", () => {
    const random = makeRandom(42);
    const { patch, target } = readWhole("40 bodies");
    const reader = new ByteReader(patch);
    reader.byte();
    const size = reader.varint(target.length);
    reader.uint64();
    const excerptSize = reader.varint(size);
    const whole = reader.rest();
    let accepted = 0;
    for (let round = 0; round < 1000; round += 1) {
      const stream = whole.slice();
      // The excerpt takes fewer bytes of the stream than it has.
      const from = excerptSize + Math.floor(random() * (stream.length - excerptSize - 4));
      stream.set(randomBytes(random, 4), from);
      if (decodeWhole(stream, excerptSize, new Uint8Array(size))) accepted += 1;
    }
    expect(accepted).toBeLessThan(100);
  });

  test("decodeWhole: a large excerpt of a few bytes takes time like any large snapshot", () => {
    const size = 1 << 22;
    const target = new Uint8Array(size);
    expect(millisecondsOf(() => decodeWhole(new Uint8Array(0), size, target))).toBeLessThan(kSoonMs);
  });
});
