import { describe, expect, test } from "vitest";
import { classifyMessage, decodeStateFrame, PartAssembler } from "../src/frame.js";
import { FullReason } from "../src/generated/protocol_generated.js";
import { codeOf, makeRandom, randomBytes, stateFrame, stateFrames, varint } from "./support.js";

const kBody = randomBytes(makeRandom(5), 100);
const kPatch = { kind: "patch", topic: 3, version: 9, back: 2, body: kBody } as const;
const kFull = { kind: "full", topic: 3, version: 9, reason: FullReason.kFirst, body: kBody } as const;
const kChunkDiff = { ...kFull, kind: "chunkDiff", reason: FullReason.kBaselineGone } as const;

const frame = (...bytes: (number | number[])[]) => Uint8Array.from(bytes.flat());
const decodeCode = (...bytes: (number | number[])[]) => codeOf(() => decodeStateFrame(frame(...bytes)));

describe("decodeStateFrame", () => {
  test("decodeStateFrame: reads a patch, a full update and a chunk diff", () => {
    const patch = decodeStateFrame(stateFrame(kPatch));
    expect(patch).toEqual({
      topic: 3,
      version: 9n,
      source: { kind: "patch", baseVersion: 7n },
      part: { type: "whole" },
      body: kBody,
    });
    expect(decodeStateFrame(stateFrame(kFull)).source).toEqual({ kind: "full", reason: FullReason.kFirst });
    expect(decodeStateFrame(stateFrame(kChunkDiff)).source).toEqual({
      kind: "chunkDiff",
      reason: FullReason.kBaselineGone,
    });
  });

  test("decodeStateFrame: reads the largest numbers", () => {
    const version = 2n ** 64n - 1n;
    const read = decodeStateFrame(stateFrame({ ...kPatch, topic: 2 ** 32 - 1, version, back: version - 1n }));
    expect(read).toMatchObject({ topic: 2 ** 32 - 1, version, source: { baseVersion: 1n } });
  });

  test("decodeStateFrame: refuses a header cut at any length", () => {
    const [first = new Uint8Array(0)] = stateFrames({ ...kPatch, version: 1_000, topic: 300 }, 50);
    const headerBytes = first.length - 50;
    for (let size = 0; size <= headerBytes; size += 1) {
      expect(
        codeOf(() => decodeStateFrame(first.slice(0, size))),
        `cut to ${size} bytes`,
      ).toBe("kMalformed");
    }
  });

  const malformedFrames: [string, (number | number[])[]][] = [
    ["a control message", [0x30, 3, 9, 2, 1]],
    ["frame format 1", [0x71, 3, 9, 2, 1]],
    ["frame format 2", [0xb1, 3, 9, 2, 1]],
    ["a chunk diff without a reason", [0x39, 3, 9, 0, 1]],
    ["a chunk diff with an unknown reason", [0x39, 3, 9, 7, 1]],
    ["kind 3", [0x3d, 3, 9, 2, 1]],
    ["version 0", [0x35, 3, 0, 1, 1]],
    ["a patch from version 0", [0x31, 3, 9, 9, 1]],
    ["a patch from before version 0", [0x31, 3, 9, 10, 1]],
    ["a patch from its own version", [0x31, 3, 9, 0, 1]],
    ["a full update without a reason", [0x35, 3, 9, 0, 1]],
    ["a full update with an unknown reason", [0x35, 3, 9, 7, 1]],
    ["a topic of 2^32", [0x31, varint(2 ** 32), 9, 1, 1]],
    ["a topic in a long form", [0x31, 0x83, 0, 9, 1, 1]],
    ["a version of 2^64", [0x35, 3, varint(2n ** 64n), 1, 1]],
    ["no body", [0x31, 3, 9, 2]],
    ["a first part with a number", [0x11, 3, 9, 2, 1, 10, 1]],
    ["a later part with number 0", [0x01, 3, 9, 2, 0, 1]],
    ["a last part with number 0", [0x21, 3, 9, 2, 0, 1]],
    ["a first part that holds all", [0x11, 3, 9, 2, 0, 1, 1]],
    ["a first part that holds more", [0x11, 3, 9, 2, 0, 1, 1, 2]],
  ];
  test.each(malformedFrames)("decodeStateFrame: refuses %s", (_, bytes) => {
    expect(decodeCode(...bytes)).toBe("kMalformed");
  });

  test("classifyMessage: tells control from state and refuses the rest", () => {
    expect(classifyMessage(frame(0x10))).toBe("control");
    expect(classifyMessage(frame(0x31))).toBe("state");
    for (const bytes of [frame(), frame(2), frame(3), frame(0xff)]) {
      expect(codeOf(() => classifyMessage(bytes))).toBe("kMalformed");
    }
  });
});

describe("PartAssembler", () => {
  const push = (assembler: PartAssembler, bytes: Uint8Array) =>
    assembler.push(decodeStateFrame(bytes), bytes.length);

  test.each([1, 7, 50, 99])("PartAssembler: joins parts of %i bytes", (partBytes) => {
    const assembler = new PartAssembler(100);
    const frames = stateFrames(kFull, partBytes);
    const results = frames.map((bytes) => push(assembler, bytes));
    const wireBytes = frames.reduce((sum, bytes) => sum + bytes.length, 0);
    expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true);
    expect(results.at(-1)).toEqual({ body: kBody, wireBytes });
  });

  test("PartAssembler: begins anew at a first part", () => {
    const assembler = new PartAssembler(100);
    const [first = kBody, second = kBody] = stateFrames(kFull, 60);
    push(assembler, first);
    push(assembler, first);
    expect(push(assembler, second)?.body).toEqual(kBody);
    push(assembler, first);
    expect(push(assembler, stateFrame(kPatch))?.body).toEqual(kBody);
    expect(codeOf(() => push(assembler, second))).toBe("kMalformed");
  });

  test("PartAssembler: refuses parts out of order, left out, repeated, or of another update", () => {
    const [a = kBody, b = kBody, c = kBody, d = kBody] = stateFrames(kPatch, 30);
    const partOf = (fields: Parameters<typeof stateFrames>[0], i: number) =>
      stateFrames(fields, 30)[i] ?? kBody;
    const other = (changes: object) => partOf({ ...kPatch, ...changes }, 1);
    const bad: Uint8Array[][] = [
      [b],
      [a, c],
      [a, b, b],
      [a, b, c, c],
      [a, b, d],
      [a, other({ version: 10, back: 3 })],
      [a, other({ back: 3 })],
      [a, other({ kind: "full", reason: 1 })],
      [a, other({ kind: "chunkDiff", reason: 1 })],
      [partOf(kFull, 0), partOf({ ...kFull, kind: "chunkDiff" }, 1)],
      [partOf(kChunkDiff, 0), partOf({ ...kChunkDiff, reason: 1 }, 1)],
    ];
    for (const frames of bad) {
      const assembler = new PartAssembler(100);
      expect(codeOf(() => frames.map((bytes) => push(assembler, bytes)))).toBe("kMalformed");
    }
  });

  test("PartAssembler: refuses more or fewer bytes than announced", () => {
    const first = (total: number) => frame(0x15, 3, 9, 1, 0, total, 1, 2, 3);
    const middle = frame(0x05, 3, 9, 1, 1, 4, 5);
    const last = frame(0x25, 3, 9, 1, 1, 4, 5);
    expect(push2(first(5), last)).toBe("nothing thrown");
    expect(push2(first(4), last)).toBe("kMalformed");
    expect(push2(first(6), last)).toBe("kMalformed");
    expect(push2(first(5), middle)).toBe("kMalformed");
    expect(push2(first(6), middle)).toBe("nothing thrown");
    function push2(...frames: Uint8Array[]): string {
      const assembler = new PartAssembler(100);
      return codeOf(() => frames.map((bytes) => push(assembler, bytes)));
    }
  });

  test("PartAssembler: refuses an update above its bound at the first part", () => {
    const assembler = new PartAssembler(99);
    const [first = kBody] = stateFrames(kFull, 60);
    expect(codeOf(() => push(assembler, first))).toBe("kSnapshotTooBig");
    expect(codeOf(() => push(assembler, stateFrame(kFull)))).toBe("kSnapshotTooBig");
    const huge = frame(0x15, 3, 9, 1, 0, varint(2n ** 64n - 1n), 1);
    expect(codeOf(() => push(assembler, huge))).toBe("kSnapshotTooBig");
  });
});
