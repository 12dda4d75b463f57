// decodeInPlace, decodeMoved: patches from structure to structure. Format: docs/WIRE_FORMAT.md section 3. C++: codec.h.

import { Arrangement } from "./arrangement.js";
import { ArrangementDecoder } from "./arrangement-decoder.js";
import { decodeElements } from "./element-decoder.js";
import { EntropyDecoder } from "./entropy-decoder.js";
import { predict } from "./predict.js";
import { RowDecoder } from "./row-decoder.js";
import { Kind, type Structure, type Type } from "./structure.js";
import { TextReader } from "./text-decoder.js";

/**
 * Turns `bytes` from the baseline into the target, which has the same structure. False: malformed; `bytes` is then
 * neither. Work is linear in stream and bytes. Requires: bytes.length is structure.sizeBytes, below 2^31.
 */
export function decodeInPlace(structure: Structure, stream: Uint8Array, bytes: Uint8Array): boolean {
  if (bytes.length !== structure.sizeBytes) return false;
  const decoder = new EntropyDecoder(stream);
  const text = new TextReader(decoder);
  const rows = new RowDecoder(decoder, structure.shapes, bytes);
  const { objects } = structure;
  for (const type of structure.types) {
    if (type.kind !== Kind.kText) {
      if (!rows.rows(type, objects, type.objects)) return false;
      continue;
    }
    const changed = rows.texts(type.objects.length);
    if (changed === undefined) return false;
    for (const rank of changed) {
      const object = type.objects[rank] as number;
      const start = objects.start[object] as number;
      const end = objects.end[object] as number;
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
 * Fills `target`, which is zero, from the baseline. False: malformed. Work is linear in stream, baseline and target.
 * Requires: baseline.length is base.sizeBytes; both sizes are below 2^31.
 */
export function decodeMoved(
  base: Structure,
  baseline: Uint8Array,
  stream: Uint8Array,
  target: Uint8Array,
): boolean {
  if (baseline.length !== base.sizeBytes) return false;
  const decoder = new EntropyDecoder(stream);
  const arrangement = new Arrangement(base, baseline, target.length);
  const text = new TextReader(decoder);
  const rows = new RowDecoder(decoder, arrangement.shapes, target);
  if (!new ArrangementDecoder(decoder, arrangement, target, text).run()) return false;
  arrangement.finish();
  predict(arrangement, target);
  return (
    decodeElements(decoder, arrangement, target) &&
    decodeContents(arrangement, rows, text, target) &&
    decoder.atEnd()
  );
}

/** Everything after the arrangement. */
function decodeContents(
  arrangement: Arrangement,
  rows: RowDecoder,
  text: TextReader,
  bytes: Uint8Array,
): boolean {
  const { start, end, length } = arrangement;
  const readText = (object: number) =>
    text.text(
      arrangement.sourceText(object),
      length[object] as number,
      bytes,
      start[object] as number,
      end[object] as number,
    );
  for (let index = 0; index < arrangement.types.length; index += 1) {
    const type = arrangement.types[index] as Type;
    const known = arrangement.known[index] as Int32Array;
    const isText = type.kind === Kind.kText;
    if (isText) {
      const changed = rows.texts(known.length);
      if (changed === undefined) return false;
      for (const rank of changed) {
        if (!readText(known[rank] as number)) return false;
      }
    } else if (!rows.rows(type, arrangement, known)) {
      return false;
    }
    const members = arrangement.members[index] as Int32Array;
    if (members.length === known.length) continue;
    for (const object of members) {
      if (arrangement.isFresh[object] === 0) continue;
      if (!isText) rows.freshObject(index, type, arrangement, object);
      else if (!readText(object)) return false;
    }
  }
  return true;
}
