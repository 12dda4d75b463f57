// A bounds-checked cursor over bytes from outside. Every method throws kMalformed instead of reading past the end.

import { malformed } from "./errors.js";

const kMaxVarintBytes = 10;

export class ByteReader {
  readonly bytes: Uint8Array;
  /** Next byte to read. */
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  byte(): number {
    const value = this.bytes[this.offset];
    if (value === undefined) throw malformed("ends too early");
    this.offset += 1;
    return value;
  }

  /** A varint in its shortest form, of at most `max`, which is at most 2^53 - 1. */
  varint(max: number): number {
    const { bytes } = this;
    const first = bytes[this.offset];
    if (first !== undefined && first < 0x80 && first <= max) {
      this.offset += 1;
      return first;
    }
    let at = this.offset;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < kMaxVarintBytes; i += 1) {
      const byte = bytes[at];
      if (byte === undefined) throw malformed("ends inside a varint");
      if (i > 0 && byte === 0) throw malformed("a varint is not in its shortest form");
      at += 1;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte >= 0x80) continue;
      // Sums above 2^53 are rounded, which does not matter: they are too large anyway.
      if (value > max) break;
      this.offset = at;
      return value;
    }
    throw malformed("a varint is too large");
  }

  /** A varint in its shortest form, below 2^32: the commonest number of a patch, hence in integers throughout. */
  varint32(): number {
    const { bytes } = this;
    let at = this.offset;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined) throw malformed("ends inside a varint");
      if (shift > 0 && byte === 0) throw malformed("a varint is not in its shortest form");
      if (shift === 28 && byte > 0x0f) break;
      at += 1;
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.offset = at;
      return value >>> 0;
    }
    throw malformed("a varint is too large");
  }

  /** A varint in its shortest form, below 2^64. */
  varint64(): bigint {
    let value = 0n;
    for (let i = 0; i < kMaxVarintBytes; i += 1) {
      const byte = this.byte();
      if (i > 0 && byte === 0) throw malformed("a varint is not in its shortest form");
      if (i === 9 && byte > 1) break;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return value;
    }
    throw malformed("a varint is too large");
  }

  /** Eight bytes, little-endian. */
  uint64(): bigint {
    if (this.remaining < 8) throw malformed("ends too early");
    let value = 0n;
    for (let i = 7; i >= 0; i -= 1) value = (value << 8n) | BigInt(this.bytes[this.offset + i] ?? 0);
    this.offset += 8;
    return value;
  }

  /** The rest of the bytes, as a view. */
  rest(): Uint8Array {
    const rest = this.bytes.subarray(this.offset);
    this.offset = this.bytes.length;
    return rest;
  }
}
