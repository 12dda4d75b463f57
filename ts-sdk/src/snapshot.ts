// Snapshot: the bytes of one topic at one version, with their hashes. Nobody writes to the bytes.

import { type Fingerprints, makeFingerprints } from "./fingerprint.js";

export interface Snapshot {
  /** Not to be written to: fingerprints of unchanged chunks are reused, not computed again. */
  readonly bytes: Uint8Array;
  readonly fingerprints: Fingerprints;
  /** docs/WIRE_FORMAT.md section 4. */
  readonly digest: bigint;
}

/** Takes over `bytes` and hashes all of them. Requires: initHash() has resolved. */
export function makeSnapshot(bytes: Uint8Array): Snapshot {
  const fingerprints = makeFingerprints(bytes);
  return { bytes, fingerprints, digest: fingerprints.digest };
}
