// decodeInPlace, decodeMoved: patches from structure to structure; decodeWhole: from nothing.
// Format: docs/WIRE_FORMAT.md section 3. C++: codec.h, contents.h.

import { Arrangement } from "./arrangement.js";
import { ArrangementDecoder } from "./arrangement-decoder.js";
import { Context } from "./context.js";
import { decodeElements } from "./element-decoder.js";
import { findStructure } from "./find-structure.js";
import { State } from "./inspector.js";
import { newDecoder } from "./model-layout.js";
import { predict } from "./predict.js";
import { RowDecoder } from "./row-decoder.js";
import { Kind, kNone } from "./schema.js";
import { type Group, lowerBound } from "./structure.js";
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
  const { structure, models, state } = context;
  if (bytes.length !== structure.sizeBytes) return false;
  const { decoder } = models;
  decoder.open(stream);
  const text = new TextReader(decoder);
  const rows = new RowDecoder(models, bytes, log, state);
  const { schema, start: starts } = structure;
  for (let index = 0; index < schema.types.length; index += 1) {
    const group = structure.group(index);
    if (schema.kinds[index] !== Kind.kText) {
      if (!rows.rows(index, group)) return false;
      continue;
    }
    const changed = rows.texts(index, group.members.length);
    if (changed === undefined) return false;
    for (const rank of changed) {
      const object = group.members[rank] as number;
      const start = starts[object] as number;
      const end = starts[object + 1] as number;
      log.touchRange(start, end);
      state[object] = State.kUnknown;
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
 * Fills `target`, whatever it holds, from the baseline, and takes the context there. False: malformed; the context is then
 * of no more use. Work is linear in stream, baseline and target.
 * Requires: baseline.length is context.structure.sizeBytes; both sizes are below 2^31.
 */
export function decodeMoved(
  context: Context,
  baseline: Uint8Array,
  stream: Uint8Array,
  target: Uint8Array,
): boolean {
  context.models.decoder.open(stream);
  return decodeObjects(context, baseline, target);
}

/** An excerpt is no larger than this: it costs a receiver most of what a patch from nothing costs per byte. */
export function maxExcerptBytes(targetSize: number): number {
  return Math.min(targetSize, Math.floor(targetSize / 4) + 4096);
}

/**
 * Fills `target`, whatever it holds. False: malformed. Work is linear in stream, excerpt and target.
 * Requires: excerptSize is at most maxExcerptBytes(target.length), which is below 2^31.
 */
export function decodeWhole(stream: Uint8Array, excerptSize: number, target: Uint8Array): boolean {
  const decoder = newDecoder();
  decoder.open(stream);
  const excerpt = new Uint8Array(excerptSize);
  new TextReader(decoder).characters(excerpt, 0, excerptSize, 0);
  const context = new Context(findStructure(excerpt));
  context.models.decoder.continueFrom(decoder);
  return decodeObjects(context, excerpt, target);
}

/** The rest of the stream that the context's decoder has open: everything of a patch where objects moved. */
function decodeObjects(context: Context, baseline: Uint8Array, target: Uint8Array): boolean {
  const { structure, models } = context;
  if (baseline.length !== structure.sizeBytes) return false;
  const { decoder } = models;
  const memory = context.takeMemory();
  const { state, workspace } = context;
  const arrangement = new Arrangement(structure, baseline, target.length, state, memory, workspace);
  const text = new TextReader(decoder);
  if (!new ArrangementDecoder(models, arrangement, target, text).run()) return false;
  arrangement.finish();
  predict(arrangement, target);
  if (!decodeElements(decoder, arrangement, target)) return false;
  if (!new ContentDecoder(context, arrangement, text, target).decode()) return false;
  if (!decoder.atEnd()) return false;
  context.moveTo(arrangement.structure, arrangement.state, memory);
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
    this.#rows = new RowDecoder(context.models, bytes, new WriteLog(), arrangement.state);
    this.#bytes = bytes;
  }

  decode(): boolean {
    const { kinds } = this.#arrangement.schema;
    for (let index = 0; index < kinds.length; index += 1) {
      if (!(kinds[index] === Kind.kText ? this.#texts(index) : this.#rowsOf(index))) return false;
    }
    return true;
  }

  #texts(index: number): boolean {
    const known = this.#arrangement.known(index);
    const changed = this.#rows.texts(index, known.count);
    if (changed === undefined) return false;
    for (const rank of changed) {
      if (!this.#readText(known.at(rank))) return false;
    }
    for (const object of this.#arrangement.fresh(index)) {
      if (!this.#readText(object)) return false;
    }
    return true;
  }
  #readText(object: number): boolean {
    const { start, state } = this.#arrangement;
    state[object] = State.kUnknown;
    return this.#text.text(
      this.#arrangement.sourceText(object),
      this.#arrangement.lengthOf(object),
      this.#bytes,
      start[object] as number,
      start[object + 1] as number,
    );
  }

  #rowsOf(index: number): boolean {
    const group = this.#arrangement.structure.group(index);
    const known = this.#arrangement.known(index);
    this.#takeMotionsAlong(index, known);
    if (!this.#rows.rows(index, known)) return false;
    this.#countFreshRows(index, group, known);
    for (const object of this.#arrangement.fresh(index)) this.#rows.freshObject(index, group, object);
    return true;
  }

  /** Motions follow their objects: their rows are from now on those of the objects with a predecessor. */
  #takeMotionsAlong(index: number, known: Group): void {
    const { motions } = this.#context.models.types[index] as TypeModel;
    if (!known.type.hasOneRow) motions.clear();
    if (motions.count === 0) return;
    const { base, copies } = this.#arrangement;
    const sources = base.group(index).members;
    const { members } = known;
    let next = 0;
    motions.renumber((row) => {
      const copy = copies.knownCopyOf(sources[row] as number);
      if (copy === kNone) return kNone;
      // Mostly the order is as before, and little lies between.
      if (members[next] !== copy) next = lowerBound(members, copy);
      next += 1;
      return known.rankOf(next - 1);
    });
  }

  /** Afterwards rows count all objects of the type, also those without a predecessor. */
  #countFreshRows(index: number, group: Group, known: Group): void {
    const { motions } = this.#context.models.types[index] as TypeModel;
    if (!group.type.hasOneRow) motions.clear();
    if (motions.count > 0 && group !== known) motions.renumber((row) => known.placeOf(row));
  }
}
