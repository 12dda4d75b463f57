// predict: what the objects of a target would hold if nothing but their places had changed.
// Format: docs/WIRE_FORMAT.md section 3.4. C++: arrangement.cpp.

import type { Arrangement } from "./arrangement.js";
import { How, kBehind, kBlockCells, kCount, kHow, kLength, kSource, kSpliced } from "./blocks.js";
import { copyBytes } from "./byte-copy.js";
import { kNearObjects, State } from "./inspector.js";
import { kSpliceNumbers, type Splices } from "./overrides.js";
import { Kind, kNone, shapeOfTag, type Type, typeOfTag } from "./schema.js";
import { kAhead, kOffset, kReferenceCells, type Shape } from "./shape.js";
import { shapeOf } from "./structure.js";

/**
 * Fills `bytes`, raw ones excepted, references between objects included. What the elements of vectors of references are is
 * left open.
 */
export function predict(arrangement: Arrangement, bytes: Uint8Array): void {
  const predictor = new Predictor(arrangement, bytes);
  const { blocks, count } = arrangement;
  const { cells } = blocks;
  for (let block = blocks.count - 1; block >= 0; block -= 1) {
    const at = block * kBlockCells;
    const nObjects = cells[at + kCount] as number;
    const first = count - nObjects - (cells[at + kBehind] as number);
    const how: How = cells[at + kHow] as number;
    if (how === How.kMoved) predictor.predictMoved(first, nObjects, cells[at + kSource] as number);
    else if (how !== How.kRaw) predictor.predict(first, at);
  }
}

class Predictor {
  readonly #arrangement: Arrangement;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(arrangement: Arrangement, bytes: Uint8Array) {
    this.#arrangement = arrangement;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Object `index`, whose block begins at cell `block`. */
  predict(index: number, block: number): void {
    const { blocks, schema, start, tag } = this.#arrangement;
    const type = schema.types[typeOfTag(tag[index] as number)] as Type;
    const at = start[index] as number;
    const source = blocks.cells[block + kSource] as number;
    const length = blocks.cells[block + kLength] as number;
    this.#bytes.fill(0, at, start[index + 1]);
    switch (type.kind) {
      case Kind.kOther:
        this.#predictOther(index, source);
        break;
      case Kind.kVTable:
        this.#predictVTable(shapeOf(this.#arrangement, index), at);
        break;
      case Kind.kTable:
        this.#predictTable(index, source, type);
        break;
      case Kind.kReferences:
        this.#view.setUint32(at, length, true);
        break;
      case Kind.kText: {
        const { base, baselineView } = this.#arrangement;
        const known = Math.min(this.#arrangement.oldLength(source), length);
        this.#view.setUint32(at, length, true);
        copyBytes(baselineView, (base.start[source] as number) + 4, this.#view, at + 4, known);
        break;
      }
      case Kind.kData:
        this.#predictData(index, source, length, type.stride, blocks.cells[block + kSpliced] as number);
        break;
      default:
        type.kind satisfies never;
    }
  }

  /** `n` objects from `first` on, which come from those from `source` on and moved together: see placeRun(). */
  predictMoved(first: number, n: number, source: number): void {
    const { base, baselineView, start, state } = this.#arrangement;
    const from = base.start[source] as number;
    const to = start[first] as number;
    copyBytes(baselineView, from, this.#view, to, (base.start[source + n] as number) - from);
    this.#referToVTables(first, n, to - from);
    // What the last ones refer to may be behind the block. What the others refer to is in it, and so the first copy behind
    // them, whatever others there are.
    const nearEnd = first + n - kNearObjects;
    for (let object = first; object < first + n; object += 1) {
      const known = state[object] as State;
      if (known === State.kRegular || (known === State.kNear && object >= nearEnd)) {
        this.#referAnew(object, source + object - first);
      }
    }
  }

  /** Writes where the vtables of tables are that moved by `distance`, if any vtable moved otherwise. */
  #referToVTables(first: number, n: number, distance: number): void {
    const { schema, tag, start, shapePosition, oldShapePosition } = this.#arrangement;
    let isOther = n < oldShapePosition.length;
    for (let shape = 0; shape < oldShapePosition.length && !isOther; shape += 1) {
      isOther = (shapePosition[shape] as number) - (oldShapePosition[shape] as number) !== distance;
    }
    if (!isOther) return;
    const { kinds } = schema;
    const view = this.#view;
    for (let object = first; object < first + n; object += 1) {
      const own = tag[object] as number;
      if (kinds[typeOfTag(own)] !== Kind.kTable) continue;
      const at = start[object] as number;
      view.setInt32(at, at - (shapePosition[shapeOfTag(own)] as number), true);
    }
  }

  /** A regular object; of a table every reference is looked at. */
  #referAnew(object: number, source: number): void {
    const { base, baselineView, schema, start, tag, state, copies, inspector } = this.#arrangement;
    const own = tag[object] as number;
    if (schema.kinds[typeOfTag(own)] !== Kind.kTable) return;
    // What is near may be so no longer.
    if (state[object] === State.kNear) state[object] = State.kUnknown;
    const from = base.start[source] as number;
    const to = start[object] as number;
    this.#view.setInt32(to, to - (this.#arrangement.shapePosition[shapeOfTag(own)] as number), true);
    const references = inspector.referencesOf(shapeOfTag(own));
    for (let i = 0; i < references.length; i += kReferenceCells) {
      const offset = references[i + kOffset] as number;
      const target = from + offset + baselineView.getUint32(from + offset, true);
      if (target >= baselineView.byteLength) continue;
      // Mostly it is as many objects further as the last one was.
      let refersTo = source + (references[i + kAhead] as number);
      if (refersTo < 0 || refersTo >= base.count || base.start[refersTo] !== target) {
        refersTo = base.objectAt(target);
        references[i + kAhead] = refersTo - source;
      }
      const copy = copies.copyOf(refersTo, object);
      if (copy !== kNone) this.#view.setInt32(to + offset, (start[copy] as number) - to - offset, true);
    }
  }

  #predictOther(index: number, source: number): void {
    const { baselineView, base, start } = this.#arrangement;
    const from = base.start[source] as number;
    const oldSize = (base.start[source + 1] as number) - from;
    const to = start[index] as number;
    const size = Math.min((start[index + 1] as number) - to, oldSize);
    copyBytes(baselineView, from, this.#view, to, size);
    if (from === 0 && to === 0 && size >= 4) this.#refer(0, baselineView.getUint32(0, true), index);
  }

  #predictVTable(shape: Shape, at: number): void {
    this.#view.setUint16(at, shape.size, true);
    this.#view.setUint16(at + 2, shape.tableSize, true);
    const { offsets } = shape;
    for (let i = 0; i < offsets.length; i += 1) {
      this.#view.setUint16(at + 4 + 2 * i, offsets[i] as number, true);
    }
  }

  #predictTable(index: number, source: number, type: Type): void {
    const { base, baselineView, schema, shapePosition, start, tag } = this.#arrangement;
    const from = base.start[source] as number;
    const oldSize = (base.start[source + 1] as number) - from;
    const to = start[index] as number;
    const newSize = (start[index + 1] as number) - to;
    const oldIndex = shapeOfTag(base.tag[source] as number);
    const newIndex = shapeOfTag(tag[index] as number);
    const oldShape = schema.shapes[oldIndex] as Shape;
    const newShape = schema.shapes[newIndex] as Shape;
    const isSame = oldIndex === newIndex;
    if (isSame) copyBytes(baselineView, from, this.#view, to, Math.min(oldSize, newSize, oldShape.tableSize));
    if (newSize >= 4) this.#view.setInt32(to, to - (shapePosition[newIndex] as number), true);
    for (const field of newShape.present) {
      const oldOffset = oldShape.offsets[field] ?? 0;
      const newOffset = newShape.offsets[field] ?? 0;
      if (oldOffset === 0 || newOffset === 0) continue;
      const width = Math.min(oldShape.widths[field] as number, newShape.widths[field] as number);
      if (oldOffset + width > oldSize || newOffset + width > newSize) continue;
      if (!isSame) copyBytes(baselineView, from + oldOffset, this.#view, to + newOffset, width);
      if (type.childOf(field) === kNone || width < 4) continue;
      const position = from + oldOffset;
      this.#refer(to + newOffset, position + baselineView.getUint32(position, true), index);
    }
  }

  #predictData(index: number, source: number, count: number, stride: number, which: number): void {
    const { base, baselineView, splices, start } = this.#arrangement;
    const from = base.start[source] as number;
    const oldSize = (base.start[source + 1] as number) - from;
    const to = start[index] as number;
    const newSize = (start[index + 1] as number) - to;
    if (which === kNone) {
      copyBytes(baselineView, from, this.#view, to, Math.min(newSize, oldSize, 4 + stride * count));
      return;
    }
    if (newSize < 4 || oldSize < 4) return;
    this.#view.setUint32(to, count, true);
    if (stride > 0) this.#splice(splices[which] as Splices, stride, count, from, oldSize, to, newSize);
  }

  #splice(
    splices: Splices,
    stride: number,
    count: number,
    from: number,
    oldSize: number,
    to: number,
    newSize: number,
  ): void {
    const { baselineView } = this.#arrangement;
    const bytes = this.#bytes;
    let read = 4;
    let written = 4;
    for (let i = 0; i <= splices.length; i += kSpliceNumbers) {
      // Behind the last splice the rest is copied.
      const isRest = i === splices.length;
      const copied = isRest ? 4 + stride * count - written : (splices[i] as number) * stride;
      const room = Math.min(copied, newSize - written, oldSize - read);
      if (room > 0) copyBytes(baselineView, from + read, this.#view, to + written, room);
      read += copied;
      written += copied;
      if (isRest) return;
      read += (splices[i + 1] as number) * stride;
      // What is put in begins as the element before it.
      const end = written + (splices[i + 2] as number) * stride;
      for (; written < end; written += stride) {
        if (written >= 4 + stride && written + stride <= newSize) {
          bytes.copyWithin(to + written, to + written - stride, to + written);
        }
      }
    }
  }

  /** The reference at `position` leads to where its target in the baseline went, if it has one. */
  #refer(position: number, target: number, index: number): void {
    if (target >= this.#arrangement.baseline.length) return;
    const { base, copies, start } = this.#arrangement;
    const copy = copies.copyOf(base.objectAt(target), index);
    if (copy === kNone) return;
    this.#view.setInt32(position, (start[copy] as number) - position, true);
  }
}
