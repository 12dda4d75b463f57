// findStructure: the tables, strings and vectors of a snapshot. Definition: docs/WIRE_FORMAT.md section 3.3.
// C++: structure.cpp. A guess may be wrong (a number that looks like a reference): that costs bytes, never correctness.

import { Coverage } from "./coverage.js";
import { findStrings } from "./find-strings.js";
import { FoundObjects } from "./found-objects.js";
import { FieldKind, Kind, kNone, type Type } from "./schema.js";
import type { Shape } from "./shape.js";
import type { Structure } from "./structure.js";

/** Beyond it a buffer is taken for no FlatBuffer: positions are signed numbers of 32 bits. */
const kMaxBytes = 0x7fff_ffff;

/** Work: linear in the size of `bytes`, whatever they are. */
export function findStructure(bytes: Uint8Array): Structure {
  const found = new FoundObjects(bytes);
  const covered = new Coverage(bytes.length);
  const root = bytes.length >= 8 && bytes.length <= kMaxBytes ? found.load32(0) : 0;
  if (root >= 4 && found.isTable(root)) {
    const tables = new TableFinder(found, covered);
    tables.run(root);
    if (found.workLeft >= 0) findStrings(found, covered, tables.tablesOf);
    if (found.workLeft >= 0) return found.finish(true);
  }
  return oneObject(bytes);
}

function oneObject(bytes: Uint8Array): Structure {
  const other = new FoundObjects(bytes);
  other.newType(Kind.kOther);
  other.newType(Kind.kVTable);
  if (bytes.length > 0) other.claim(0, 0, kNone);
  return other.finish(false);
}

/** Follows references from table to table, type by type. */
class TableFinder {
  readonly #found: FoundObjects;
  readonly #covered: Coverage;
  /** [shapes] Where tables begin. */
  readonly tablesOf: number[][] = [];
  /** [shapes] How many of them were looked at. */
  readonly #done: number[] = [];
  /** [shapes] Fields that may still be references. */
  readonly #open: number[][] = [];
  /** [types] Shapes with tables to look at. */
  readonly #newShapes: number[][] = [];
  readonly #queue: number[] = [];
  /** [fields] Positions of the references at hand; empty between two types. */
  readonly #lanes: number[][] = [];

  constructor(found: FoundObjects, covered: Coverage) {
    this.#found = found;
    this.#covered = covered;
  }

  run(root: number): void {
    const found = this.#found;
    const other = found.newType(Kind.kOther);
    found.newType(Kind.kVTable);
    found.claim(0, other, kNone);
    this.#covered.add(0, 4);
    this.#claimTable(root, kNone);
    for (let next = 0; next < this.#queue.length && found.workLeft >= 0; next += 1) {
      this.#lookAtNewTables(this.#queue[next] as number);
    }
  }

  /** Returns the type that tables with vtables never seen before belong to from now on; kNone: a new one. */
  #claimTable(start: number, type: number): number {
    const found = this.#found;
    if (found.isClaimed(start)) return type;
    const shape = found.shapeOfTable(start) as Shape;
    if (shape.type === kNone) {
      found.addShape(shape, type === kNone ? found.newType(Kind.kTable) : type);
      this.tablesOf.push([]);
      this.#done.push(0);
      this.#open.push([...shape.present]);
      if (!found.isClaimed(shape.position)) {
        found.claim(shape.position, 1, shape.index);
        this.#covered.add(shape.position, shape.position + shape.size);
      }
    }
    const { type: own, index } = shape;
    found.claim(start, own, index);
    found.workLeft -= shape.tableSize >>> 2;
    this.#covered.add(start, start + shape.tableSize);
    const tables = this.tablesOf[index] as number[];
    if (tables.length === this.#done[index]) this.#queueShape(own, index);
    tables.push(start);
    return type === kNone ? own : type;
  }

  #queueShape(type: number, shape: number): void {
    const shapes = this.#newShapes[type];
    if (shapes !== undefined && shapes.length > 0) {
      shapes.push(shape);
      return;
    }
    this.#newShapes[type] = [shape];
    this.#queue.push(type);
  }

  /** Returns the type of the vector, which is `type` unless that is kNone. */
  #claimReferences(start: number, type: number, texts: boolean): number {
    const found = this.#found;
    if (found.isClaimed(start)) return type;
    const own = type === kNone ? found.newType(Kind.kReferences) : type;
    found.claim(start, own, kNone);
    const count = found.load32(start);
    this.#covered.add(start, start + 4 + 4 * count);
    let { element } = found.type(own);
    for (let i = 0; i < count && found.workLeft >= 0; i += 1) {
      const target = found.targetOf(start + 4 + 4 * i);
      element = texts ? found.claimText(target, element, this.#covered) : this.#claimTable(target, element);
    }
    found.type(own).element = element;
    return own;
  }

  /** Follows the references of those tables of a type that were found since the last time, field by field. */
  #lookAtNewTables(typeIndex: number): void {
    const found = this.#found;
    const type = found.type(typeIndex);
    const shapes = this.#newShapes[typeIndex] as number[];
    // Tables that this very look finds wait for the next one.
    this.#newShapes[typeIndex] = [];
    const touched = this.#collectLanes(type, shapes);
    // What was found to refer to single tables waits: a number may lead to one by chance, mostly to one of many that a
    // vector has, which is then known to be of their type.
    const waiting: { readonly field: number; readonly lanes: readonly number[] }[] = [];
    for (const field of touched) {
      const lanes = this.#lanes[field] as number[];
      this.#lanes[field] = [];
      let kind = type.fieldKind(field);
      if (lanes.length === 0 || kind === FieldKind.kScalar || found.workLeft < 0) continue;
      const isFirst = kind === FieldKind.kUndecided;
      if (isFirst) {
        kind = this.#decide(lanes);
        type.setField(field, kind, kNone);
      }
      if (kind === FieldKind.kPending) continue;
      if (isFirst && kind === FieldKind.kTable) waiting.push({ field, lanes });
      else this.#claimTargets(type, field, isFirst, lanes);
    }
    for (const { field, lanes } of waiting) this.#claimTargets(type, field, true, lanes);
  }

  /** `isFirst`: all have passed the test of the field's kind. */
  #claimTargets(type: Type, field: number, isFirst: boolean, lanes: readonly number[]): void {
    const found = this.#found;
    const kind = type.fieldKind(field);
    let child = type.childOf(field);
    for (const lane of lanes) {
      const target = found.targetOf(lane);
      if (kind === FieldKind.kTable) {
        if (isFirst || found.isTable(target)) child = this.#claimTable(target, child);
      } else {
        const texts = kind === FieldKind.kTexts;
        if (isFirst || found.countReferences(target, texts) >= 0) {
          child = this.#claimReferences(target, child, texts);
        }
      }
    }
    type.setField(field, kind, child);
  }

  /**
   * Fills #lanes for the fields that it returns, ascending: of each shape its new tables, one shape after the other as
   * they were found. A field that cannot be a reference in one of the tables where it is looked at first becomes a
   * scalar, and no shape of the type speaks of it again.
   */
  #collectLanes(type: Type, shapes: number[]): number[] {
    const found = this.#found;
    const touched: number[] = [];
    // Those of a type are numbered in its order.
    shapes.sort((a, b) => a - b);
    for (const index of shapes) {
      const shape = found.shape(index);
      const tables = this.tablesOf[index] as number[];
      const open = this.#open[index] as number[];
      for (let i = this.#done[index] as number; i < tables.length && found.workLeft >= 0; i += 1) {
        this.#addLanes(type, shape, tables[i] as number, open, touched);
      }
      this.#done[index] = tables.length;
    }
    return touched.sort((a, b) => a - b);
  }

  #addLanes(type: Type, shape: Shape, start: number, open: number[], touched: number[]): void {
    const found = this.#found;
    let nOpen = 0;
    for (const field of open) {
      const kind = type.fieldKind(field);
      if (kind === FieldKind.kScalar || kind === FieldKind.kPending) continue;
      found.workLeft -= 1;
      const position = start + (shape.offsets[field] as number);
      if ((shape.widths[field] as number) >= 4 && position % 4 === 0 && found.targetOf(position) !== kNone) {
        this.#lanesOf(field, touched).push(position);
      } else if (kind === FieldKind.kUndecided) {
        type.setField(field, FieldKind.kScalar, kNone);
        continue;
      }
      open[nOpen] = field;
      nOpen += 1;
    }
    if (nOpen < open.length) open.length = nOpen;
  }

  #lanesOf(field: number, touched: number[]): number[] {
    let lanes = this.#lanes[field];
    if (lanes === undefined) {
      lanes = [];
      this.#lanes[field] = lanes;
    }
    if (lanes.length === 0) touched.push(field);
    return lanes;
  }

  #decide(lanes: readonly number[]): FieldKind {
    if (this.#areReferences(lanes, false)) return FieldKind.kTables;
    if (this.#areReferences(lanes, true)) return FieldKind.kTexts;
    for (const lane of lanes) {
      if (!this.#found.isTable(this.#found.targetOf(lane))) return FieldKind.kPending;
    }
    return FieldKind.kTable;
  }

  /** Whether all lead to vectors of references, and not all of these are empty. */
  #areReferences(lanes: readonly number[], texts: boolean): boolean {
    let most = 0;
    for (const lane of lanes) {
      const count = this.#found.countReferences(this.#found.targetOf(lane), texts);
      if (count < 0) return false;
      most = Math.max(most, count);
    }
    return most > 0;
  }
}
