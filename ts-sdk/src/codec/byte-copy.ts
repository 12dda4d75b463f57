// copyBytes: a block copy that is fast for few bytes too.

/** Below this many bytes a loop is faster than the views that a block copy needs. */
const kBlockCopyBytes = 128;

/** Requires: both ranges lie within their views, which do not share memory. */
export function copyBytes(from: DataView, start: number, to: DataView, at: number, count: number): void {
  if (count >= kBlockCopyBytes) {
    const source = new Uint8Array(from.buffer, from.byteOffset + start, count);
    new Uint8Array(to.buffer, to.byteOffset + at, count).set(source);
    return;
  }
  let i = 0;
  for (; i + 4 <= count; i += 4) to.setInt32(at + i, from.getInt32(start + i, true), true);
  for (; i < count; i += 1) to.setUint8(at + i, from.getUint8(start + i));
}
