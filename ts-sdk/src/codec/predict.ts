// predict: what the objects of a target would hold if nothing but their places had changed.
// Format: docs/WIRE_FORMAT.md section 3.4. C++: arrangement.cpp.

import { type Arrangement, kSpliceNumbers, type Splices } from "./arrangement.js";
import { copyBytes } from "./byte-copy.js";
import type { Shape } from "./shape.js";
import { Kind, kNone, type Type } from "./structure.js";

/** Fills `bytes`, references between objects included. Elements of vectors of references are left out. */
export function predict(arrangement: Arrangement, bytes: Uint8Array): void {
  const predictor = new Predictor(arrangement, bytes);
  for (let i = 0; i < arrangement.count; ) {
    const behind = arrangement.endOfBlock(i);
    if (behind > i) predictor.predictBlock(i, behind);
    else if (arrangement.source[i] !== kNone) predictor.predict(i);
    i = Math.max(behind, i + 1);
  }
}

class Predictor {
  readonly #arrangement: Arrangement;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** [shapes] Fields that refer to something in tables of the shape's own type. */
  readonly #references: number[][] = [];

  constructor(arrangement: Arrangement, bytes: Uint8Array) {
    this.#arrangement = arrangement;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  predict(index: number): void {
    const { types, type, start, length, shape, shapes } = this.#arrangement;
    const own = types[type[index] as number] as Type;
    const at = start[index] as number;
    switch (own.kind) {
      case Kind.kOther:
        this.#predictOther(index);
        break;
      case Kind.kVTable:
        this.#predictVTable(shapes[shape[index] as number] as Shape, at);
        break;
      case Kind.kTable:
        this.#predictTable(index, own);
        break;
      case Kind.kReferences:
        this.#view.setUint32(at, length[index] as number, true);
        break;
      case Kind.kText: {
        const { base, baselineView, source } = this.#arrangement;
        const from = base.objects.start[source[index] as number] as number;
        copyBytes(baselineView, from + 4, this.#view, at + 4, this.#predictLength(index));
        break;
      }
      case Kind.kData:
        this.#predictData(index, own.stride);
        break;
      default:
        own.kind satisfies never;
    }
  }

  /**
   * Objects that lie side by side in baseline and target alike, each as it was: copied all at once, then what is not
   * as it was is written over.
   */
  predictBlock(first: number, behind: number): void {
    const { base, baseline, types, type, start, end, shape, shapes, source } = this.#arrangement;
    const bytes = this.#bytes;
    const from = base.objects.start[source[first] as number] as number;
    const to = base.objects.end[source[behind - 1] as number] as number;
    bytes.set(baseline.subarray(from, to), start[first] as number);
    for (let i = first; i < behind; i += 1) {
      const own = types[type[i] as number] as Type;
      const at = start[i] as number;
      let size = 0;
      switch (own.kind) {
        case Kind.kTable:
          this.#referFromTable(i, own);
          size = (shapes[shape[i] as number] as Shape).tableSize;
          break;
        case Kind.kText:
          size = 4 + this.#predictLength(i);
          break;
        case Kind.kData:
          size = 4 + own.stride * (this.#arrangement.length[i] as number);
          break;
        default:
          bytes.fill(0, at, end[i] as number);
          this.predict(i);
          continue;
      }
      // What is behind an object does not count.
      for (let k = at + size; k < (end[i] as number); k += 1) bytes[k] = 0;
    }
  }

  #predictOther(index: number): void {
    const { baselineView, base, start, end, source } = this.#arrangement;
    const { objects } = base;
    const from = objects.start[source[index] as number] as number;
    const oldSize = (objects.end[source[index] as number] as number) - from;
    const to = start[index] as number;
    const size = Math.min((end[index] as number) - to, oldSize);
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

  /** Writes the length of a string. Returns how many of its bytes are known. */
  #predictLength(index: number): number {
    const { length, source, start } = this.#arrangement;
    const count = length[index] as number;
    this.#view.setUint32(start[index] as number, count, true);
    return Math.min(this.#arrangement.oldLength(source[index] as number), count);
  }

  /** Where the vtable of a table that has the shape of its source is, and what the fields refer to. */
  #referFromTable(index: number, type: Type): void {
    const { base, baselineView, shapes, shapePosition } = this.#arrangement;
    const from = base.objects.start[this.#arrangement.source[index] as number] as number;
    const to = this.#arrangement.start[index] as number;
    const size = (this.#arrangement.end[index] as number) - to;
    const shapeIndex = this.#arrangement.shape[index] as number;
    const { offsets, widths, present, type: owner } = shapes[shapeIndex] as Shape;
    if (size >= 4) this.#view.setInt32(to, to - (shapePosition[shapeIndex] as number), true);
    const fields = owner === this.#arrangement.type[index] ? this.#referencesOf(shapeIndex, type) : present;
    for (let i = 0; i < fields.length; i += 1) {
      const field = fields[i] as number;
      const offset = offsets[field] as number;
      const width = widths[field] as number;
      if (width < 4 || offset + width > size || type.childOf(field) === kNone) continue;
      const position = from + offset;
      this.#refer(to + offset, position + baselineView.getUint32(position, true), index);
    }
  }

  #predictTable(index: number, type: Type): void {
    const { base, baselineView, shapes, shapePosition } = this.#arrangement;
    const source = this.#arrangement.source[index] as number;
    const from = base.objects.start[source] as number;
    const oldSize = (base.objects.end[source] as number) - from;
    const to = this.#arrangement.start[index] as number;
    const newSize = (this.#arrangement.end[index] as number) - to;
    const oldIndex = base.objects.shape[source] as number;
    const newIndex = this.#arrangement.shape[index] as number;
    const oldShape = shapes[oldIndex] as Shape;
    const newShape = shapes[newIndex] as Shape;
    const isSame = oldIndex === newIndex;
    if (isSame) copyBytes(baselineView, from, this.#view, to, Math.min(oldSize, newSize, oldShape.tableSize));
    if (newSize >= 4) this.#view.setInt32(to, to - (shapePosition[newIndex] as number), true);
    const isOwn = newShape.type === this.#arrangement.type[index];
    const fields = isSame && isOwn ? this.#referencesOf(newIndex, type) : newShape.present;
    for (let i = 0; i < fields.length; i += 1) {
      const field = fields[i] as number;
      const oldOffset = oldShape.offsets[field] ?? 0;
      const newOffset = newShape.offsets[field] ?? 0;
      if (oldOffset === 0 || newOffset === 0) continue;
      const width = Math.min(oldShape.widths[field] as number, newShape.widths[field] as number);
      if (oldOffset + width > oldSize || newOffset + width > newSize) continue;
      if (!isSame) copyBytes(baselineView, from + oldOffset, this.#view, to + newOffset, width);
      if (type.childOf(field) === kNone || width < 4) continue;
      const position = from + oldOffset;
      const refersTo = position + baselineView.getUint32(position, true);
      this.#refer(to + newOffset, refersTo, index);
    }
  }

  #referencesOf(shape: number, type: Type): readonly number[] {
    let fields = this.#references[shape];
    if (fields === undefined) {
      const { present } = this.#arrangement.shapes[shape] as Shape;
      fields = Array.from(present).filter((field) => type.childOf(field) !== kNone);
      this.#references[shape] = fields;
    }
    return fields;
  }

  #predictData(index: number, stride: number): void {
    const { base, baselineView, spliced, splices, length } = this.#arrangement;
    const source = this.#arrangement.source[index] as number;
    const from = base.objects.start[source] as number;
    const oldSize = (base.objects.end[source] as number) - from;
    const to = this.#arrangement.start[index] as number;
    const newSize = (this.#arrangement.end[index] as number) - to;
    const count = length[index] as number;
    const which = spliced[index] as number;
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
    const copy = this.#arrangement.copyOf(this.#arrangement.base.objectAt(target), index);
    if (copy === kNone) return;
    this.#view.setInt32(position, (this.#arrangement.start[copy] as number) - position, true);
  }
}
