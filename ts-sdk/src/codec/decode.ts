// decodeInPlace, decodeMoved: patches from structure to structure. Format: docs/WIRE_FORMAT.md section 3. C++: codec.h.

import { Arrangement } from "./arrangement.js";
import { ArrangementDecoder } from "./arrangement-decoder.js";
import type { Context } from "./context.js";
import { decodeElements } from "./element-decoder.js";
import { predict } from "./predict.js";
import { RowDecoder } from "./row-decoder.js";
import { type Group, Kind, type Type } from "./structure.js";
import { TextReader } from "./text-decoder.js";
import type { TypeModel } from "./type-model.js";
import { WriteLog } from "./write-log.js";

/**
 * Turns `bytes` from the baseline into the target, which has the same structure, and takes the context there. False:
 * malformed; `bytes` is then neither, and the context of no more use. What is written to is told to `log` before.
 * Work is linear in stream and bytes. Requires: bytes.length is context.structure.sizeBytes, below 2^31.
 */
export function decodeInPlace(
  context: Context,
  stream: Uint8Array,
  bytes: Uint8Array,
  log: WriteLog,
): boolean {
  const { structure, models } = context;
  if (bytes.length !== structure.sizeBytes) return false;
  const { decoder } = models;
  decoder.open(stream);
  const text = new TextReader(decoder);
  const rows = new RowDecoder(models, structure.shapes, bytes, log);
  const { objects, groups } = structure;
  for (let index = 0; index < groups.length; index += 1) {
    const group = groups[index] as Group;
    if (group.type.kind !== Kind.kText) {
      if (!rows.rows(index, group)) return false;
      continue;
    }
    const changed = rows.texts(index, group.members.length);
    if (changed === undefined) return false;
    for (const rank of changed) {
      const object = group.members[rank] as number;
      const start = objects.start[object] as number;
      const end = objects.end[object] as number;
      log.touchRange(start, end);
      // A copy: it is written over.
      const source = textOf(bytes, start, end).slice();
      if (!text.text(source, source.length, bytes, start, end)) return false;
    }
  }
  return decoder.atEnd();
}

function textOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (end - start < 5) return bytes.subarray(0, 0);
  let length = 0;
  for (let i = 3; i >= 0; i -= 1) length = length * 256 + (bytes[start + i] as number);
  return bytes.subarray(start + 4, start + 4 + Math.min(length, end - start - 5));
}

/**
 * Fills `target`, which is zero, from the baseline, and takes the context there. False: malformed; the context is then
 * of no more use. Work is linear in stream, baseline and target.
 * Requires: baseline.length is context.structure.sizeBytes; both sizes are below 2^31.
 */
export function decodeMoved(
  context: Context,
  baseline: Uint8Array,
  stream: Uint8Array,
  target: Uint8Array,
): boolean {
  const { structure, models } = context;
  if (baseline.length !== structure.sizeBytes) return false;
  const { decoder } = models;
  decoder.open(stream);
  const arrangement = new Arrangement(structure, baseline, target.length);
  const text = new TextReader(decoder);
  if (!new ArrangementDecoder(models, arrangement, target, text).run()) return false;
  arrangement.finish();
  predict(arrangement, target);
  if (!decodeElements(decoder, arrangement, target)) return false;
  if (!new ContentDecoder(context, arrangement, text, target).decode()) return false;
  if (!decoder.atEnd()) return false;
  context.structure = arrangement.structure();
  return true;
}

/** Everything after the arrangement. */
class ContentDecoder {
  readonly #context: Context;
  readonly #arrangement: Arrangement;
  readonly #text: TextReader;
  readonly #rows: RowDecoder;
  readonly #bytes: Uint8Array;

  constructor(context: Context, arrangement: Arrangement, text: TextReader, bytes: Uint8Array) {
    this.#context = context;
    this.#arrangement = arrangement;
    this.#text = text;
    this.#rows = new RowDecoder(context.models, arrangement.shapes, bytes, new WriteLog());
    this.#bytes = bytes;
  }

  decode(): boolean {
    const { types } = this.#arrangement;
    for (let index = 0; index < types.length; index += 1) {
      const isText = (types[index] as Type).kind === Kind.kText;
      if (!(isText ? this.#texts(index) : this.#rowsOf(index))) return false;
    }
    return true;
  }

  #texts(index: number): boolean {
    const { groups, known, isFresh } = this.#arrangement;
    const { members } = groups[index] as Group;
    const sources = (known[index] as Group).members;
    const changed = this.#rows.texts(index, sources.length);
    if (changed === undefined) return false;
    for (const rank of changed) {
      if (!this.#readText(sources[rank] as number)) return false;
    }
    if (members.length === sources.length) return true;
    for (const object of members) {
      if (isFresh[object] === 1 && !this.#readText(object)) return false;
    }
    return true;
  }
  #readText(object: number): boolean {
    const { start, end, length } = this.#arrangement;
    return this.#text.text(
      this.#arrangement.sourceText(object),
      length[object] as number,
      this.#bytes,
      start[object] as number,
      end[object] as number,
    );
  }

  #rowsOf(index: number): boolean {
    const { groups, known, isFresh } = this.#arrangement;
    const group = groups[index] as Group;
    const sources = known[index] as Group;
    this.#takeMotionsAlong(index, sources);
    if (!this.#rows.rows(index, sources)) return false;
    this.#countFreshRows(index, group, sources);
    if (group === sources) return true;
    for (const object of group.members) {
      if (isFresh[object] === 1) this.#rows.freshObject(index, group, object);
    }
    return true;
  }

  /** Motions follow their objects: their rows are from now on those of the objects with a predecessor. */
  #takeMotionsAlong(index: number, sources: Group): void {
    const { motions } = this.#context.models.types[index] as TypeModel;
    if (!sources.type.hasOneRow) motions.clear();
    if (motions.count === 0) return;
    const { base, knownAt } = this.#arrangement;
    motions.renumber((base.groups[index] as Group).members, knownAt);
  }

  /** Afterwards rows count all objects of the type, also those without a predecessor. */
  #countFreshRows(index: number, group: Group, sources: Group): void {
    const { motions } = this.#context.models.types[index] as TypeModel;
    if (!group.type.hasOneRow) motions.clear();
    if (motions.count === 0 || group === sources) return;
    const rows = new Int32Array(sources.members.length);
    for (let i = 0, member = 0; i < rows.length; i += 1, member += 1) {
      while (group.members[member] !== sources.members[i]) member += 1;
      rows[i] = member;
    }
    motions.renumber(rows, undefined);
  }
}
