// copyBytes: a block copy of byte arrays that is fast for few bytes too. codec/byte-copy.ts: of views, for more.

/** Below this many bytes a loop is faster than the view that a block copy needs. */
const kBlockCopyBytes = 48;

/** Requires: both ranges lie within their arrays. */
export function copyBytes(from: Uint8Array, start: number, to: Uint8Array, at: number, count: number): void {
  if (count < kBlockCopyBytes) {
    for (let i = 0; i < count; i += 1) to[at + i] = from[start + i] as number;
  } else {
    to.set(from.subarray(start, start + count), at);
  }
}
