// A verifier for FlatBuffers from outside: flatc's TypeScript has none, and its accessors read whatever an offset says.
// After verifyTable has passed, the generated accessors of that table stay inside the buffer. What it checks is what
// the generated C++ verifier checks. Work is linear in the buffer: the schema's tables do not nest in themselves.

import { malformed } from "./errors.js";

/** What stands in one field of a table. */
export type Field =
  | { readonly kind: "inline"; readonly size: number; readonly alignment: number }
  | { readonly kind: "string" }
  | { readonly kind: "vector"; readonly elementSize: number }
  | { readonly kind: "table"; readonly table: TableLayout }
  | { readonly kind: "tables"; readonly table: TableLayout }
  | { readonly kind: "required"; readonly field: Field };

/** The fields of a table in the order of the schema; the type of a union is a field of its own. */
export type TableLayout = readonly Field[];

export const kU8: Field = { kind: "inline", size: 1, alignment: 1 };
export const kU16: Field = { kind: "inline", size: 2, alignment: 2 };
export const kU32: Field = { kind: "inline", size: 4, alignment: 4 };
export const kU64: Field = { kind: "inline", size: 8, alignment: 8 };
export const kString: Field = { kind: "string" };
export const kBytes: Field = { kind: "vector", elementSize: 1 };
export const required = (field: Field): Field => ({ kind: "required", field });
export const table = (layout: TableLayout): Field => ({ kind: "table", table: layout });
export const tables = (layout: TableLayout): Field => ({ kind: "tables", table: layout });

const kMaxI16 = 0x7fff;

/** A buffer under verification. */
export class Verifier {
  readonly #view: DataView;
  readonly #size: number;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#size = bytes.length;
  }

  /** Position of the root table of a buffer with this file identifier. Throws kMalformed. */
  root(identifier: string): number {
    this.#require(0, 8, 1);
    for (let i = 0; i < 4; i += 1) {
      if (this.#view.getUint8(4 + i) !== identifier.charCodeAt(i)) throw malformed("another file identifier");
    }
    return this.#follow(0);
  }

  /** Checks the table at `at` and all that hangs on it. Throws kMalformed. */
  verifyTable(at: number, layout: TableLayout): void {
    for (let i = 0; i < layout.length; i += 1) {
      const field = layout[i];
      if (field !== undefined) this.#verifyField(this.fieldAt(at, i), field);
    }
  }

  /** Position of a field, 0 if it is absent. Throws kMalformed if the table itself is none. */
  fieldAt(at: number, index: number): number {
    this.#require(at, 4, 4);
    const vtable = at - this.#view.getInt32(at, true);
    this.#require(vtable, 2, 2);
    const size = this.#view.getUint16(vtable, true);
    if (size % 2 !== 0) throw malformed("a vtable of an odd size");
    this.#require(vtable, size, 2);
    const slot = 4 + 2 * index;
    const offset = slot < size ? this.#view.getUint16(vtable + slot, true) : 0;
    // The generated accessors read both as signed numbers; no table of the schema comes near.
    if (size > kMaxI16 || offset > kMaxI16) throw malformed("a table too large");
    return offset === 0 ? 0 : at + offset;
  }

  /** Follows the offset in the field at `at`. Throws kMalformed. */
  follow(at: number): number {
    return this.#follow(at);
  }

  #verifyField(at: number, field: Field): void {
    if (field.kind === "required") {
      if (at === 0) throw malformed("a required field is absent");
      this.#verifyField(at, field.field);
      return;
    }
    if (at === 0) return;
    switch (field.kind) {
      case "inline":
        this.#require(at, field.size, field.alignment);
        return;
      case "string": {
        const start = this.#follow(at);
        const end = start + 4 + this.#verifyVector(start, 1);
        this.#require(end, 1, 1);
        if (this.#view.getUint8(end) !== 0) throw malformed("a string without its end");
        return;
      }
      case "vector":
        this.#verifyVector(this.#follow(at), field.elementSize);
        return;
      case "table":
        this.verifyTable(this.#follow(at), field.table);
        return;
      case "tables": {
        const start = this.#follow(at);
        const count = this.#verifyVector(start, 4);
        for (let i = 0; i < count; i += 1) this.verifyTable(this.#follow(start + 4 + 4 * i), field.table);
        return;
      }
      default:
        field satisfies never;
    }
  }

  /** Checks that a vector lies in the buffer; returns its number of elements. */
  #verifyVector(at: number, elementSize: number): number {
    this.#require(at, 4, 4);
    const count = this.#view.getUint32(at, true);
    this.#require(at + 4, count * elementSize, 1);
    return count;
  }

  #follow(at: number): number {
    this.#require(at, 4, 4);
    const offset = this.#view.getUint32(at, true);
    if (offset === 0 || offset > 0x7fff_ffff) throw malformed("an offset to nowhere");
    return at + offset;
  }

  #require(at: number, size: number, alignment: number): void {
    if (at < 0 || at + size > this.#size) throw malformed("an offset out of the buffer");
    if (at % alignment !== 0) throw malformed("an offset out of alignment");
  }
}
