// What a client names of a snapshot that the server need not know: fingerprints of its chunks, which the server finds
// wherever they went. Layout: docs/WIRE_FORMAT.md section 5.

const kMinChunkBytes = 256;
const kMaxChunks = 4096;
const kFingerprintBytes = 6;
const kFactorA = 2654435761;
const kFactorB = 2246822519;
const kMixer = 2246822507;

export interface HeldChunks {
  /** Of the snapshot. */
  readonly sizeBytes: number;
  /** Six bytes for each whole chunk. */
  readonly fingerprints: Uint8Array;
}

/** Bytes per chunk of a snapshot of `sizeBytes`: the smallest power of two >= 256 that makes <= 4,096 chunks. */
export function heldChunkSize(sizeBytes: number): number {
  let size = kMinChunkBytes;
  while (size * kMaxChunks < sizeBytes) size *= 2;
  return size;
}

/** One pass over `bytes`. */
export function heldChunksOf(bytes: Uint8Array): HeldChunks {
  const size = heldChunkSize(bytes.length);
  const count = Math.floor(bytes.length / size);
  const fingerprints = new Uint8Array(count * kFingerprintBytes);
  const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const to = new DataView(fingerprints.buffer);
  for (let i = 0; i < count; i += 1) {
    writeFingerprint(from, i * size, (i + 1) * size, to, i * kFingerprintBytes);
  }
  return { sizeBytes: bytes.length, fingerprints };
}

/** Of one chunk. A function of its own, because it is compiled sooner: most clients need it once. */
function writeFingerprint(from: DataView, begin: number, end: number, to: DataView, toAt: number): void {
  // Two polynomials of the mixed numbers, by Horner's rule.
  let a = 0;
  let b = 0;
  for (let at = begin; at < end; at += 4) {
    const x = from.getInt32(at, true);
    const y = Math.imul(x ^ (x >>> 15), kMixer);
    const m = y ^ (y >>> 13);
    a = (Math.imul(a, kFactorA) + m) | 0;
    b = (Math.imul(b, kFactorB) + m) | 0;
  }
  to.setInt32(toAt, a, true);
  to.setUint16(toAt + 4, b >>> 16, true);
}
