// libsync.ts: the SDK's applyPatch on patches that the C++ library made of the same trace.

import { applyPatch, makeSnapshot, PatchContext } from "../../../ts-sdk/src/index.js";
import { type Measured, repeat, timed } from "./measure.js";
import type { Chain, Trace } from "./trace.js";

const kLimits = { maxSnapshotBytes: 0xffff_ffff };

/** The digest is part of applying. `reuseBytes`: see PatchContextOptions. Requires: initHash() has resolved. */
export function measureLibsync(trace: Trace, chain: Chain, reuseBytes: boolean, seconds: number): Measured {
  let verified = chain.patches.length === trace.snapshots.length - 1;
  const patches = repeat(seconds, () => {
    const context = new PatchContext({ reuseBytes });
    let snapshot = makeSnapshot(chain.baseline.slice());
    return chain.patches.map((patch, i) => {
      const { result, us } = timed(() => applyPatch(snapshot, patch, kLimits, context));
      snapshot = result;
      verified &&= Buffer.compare(snapshot.bytes, trace.snapshots[i + 1] ?? new Uint8Array()) === 0;
      return { bytes: patch.length, snapshotBytes: snapshot.bytes.length, encode: [], apply: [us] };
    });
  });
  return { coder: reuseBytes ? "libsync, TypeScript, reuseBytes" : "libsync, TypeScript", patches, verified };
}
