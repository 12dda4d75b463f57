// applyPatch: from the snapshot held and untrusted bytes to the next snapshot. Layout: docs/WIRE_FORMAT.md section 3.

import { copyBytes } from "./byte-copy.js";
import { ByteReader } from "./byte-reader.js";
import { Context } from "./codec/context.js";
import { decodeInPlace, decodeMoved, decodeWhole, maxExcerptBytes } from "./codec/decode.js";
import { findStructure } from "./codec/find-structure.js";
import type { Structure } from "./codec/structure.js";
import { malformed, SyncError } from "./errors.js";
import { chunkCount, chunkSize, makeFingerprints } from "./fingerprint.js";
import type { Limits } from "./limits.js";
import { PatchContext } from "./patch-context.js";
import type { Snapshot } from "./snapshot.js";

/** The newest form of patches that this SDK understands; every older one too. */
export const kPatchFormat = 2;
/** The first byte of a patch, without the bit that says that it continues a context. */
const kWhole = 0;
const kBytes = 1;
const kInPlace = 2;
const kMoved = 3;
const kContinuesBit = 4;

const kMaxSize = 0xffff_ffff;
/** Larger baselines and targets are patched as bytes only. */
const kMaxStructuredSize = 0x7fff_ffff;

const kCopy = 0;
const kAdd = 1;
const kSeek = 2;
const kLanes = 3;
/** Stands for "no op yet". */
const kNoOp = -1;

/**
 * Rebuilds the target of `patch` in a new buffer; `baseline` stays as it is. Total: any bytes either give a snapshot
 * whose digest is the one in the patch, or throw. Work is linear in the patch plus the target; at most
 * `limits.maxSnapshotBytes` plus hashes are allocated. A full update is a patch from the empty snapshot.
 *
 * `context`: a patch may continue it if it is at `baseline`; afterwards it is at the result, or closed: after an error,
 * and after a patch that speaks of bytes only, or of everything anew. Without one the patch has to stand alone, and nothing is kept.
 *
 * Throws SyncError: kWrongBaseline, kDigestMismatch (ask for the state again); kMalformed, kSnapshotTooBig.
 * Requires: initHash() has resolved.
 */
export function applyPatch(
  baseline: Snapshot,
  patch: Uint8Array,
  limits: Pick<Limits, "maxSnapshotBytes">,
  context?: PatchContext,
): Snapshot {
  const isAt = context?.isAt(baseline) === true;
  const known = context?.release(baseline);
  const reader = new ByteReader(patch);
  const first = reader.byte();
  const continues = (first & kContinuesBit) !== 0;
  const kind = first & ~kContinuesBit;
  if (kind === kBytes && !continues) return applyBytePatch(baseline, reader, limits.maxSnapshotBytes);
  if (kind === kWhole && !continues) return applyWhole(baseline, reader, limits.maxSnapshotBytes, context);
  if (kind !== kInPlace && kind !== kMoved) throw malformed("unknown kind of patch");

  const size = kind === kMoved ? reader.varint(kMaxStructuredSize) : baseline.bytes.length;
  const digest = reader.uint64();
  checkSize(size, limits.maxSnapshotBytes);
  if (baseline.bytes.length === 0 || baseline.bytes.length > kMaxStructuredSize) {
    throw malformed("no baseline to speak of");
  }
  if (continues && !isAt) throw new SyncError("kWrongBaseline", "the patch continues what was not received");
  const state = continues && known !== undefined ? known : new Context(structureOf(baseline));
  const stream = patch.subarray(reader.offset);
  const workspace = context ?? new PatchContext();
  const snapshot =
    kind === kInPlace
      ? applyInPlace(state, baseline, stream, digest, workspace)
      : applyMoved(state, baseline, stream, size, digest, workspace);
  context?.hold(state, snapshot);
  return snapshot;
}

function applyInPlace(
  state: Context,
  baseline: Snapshot,
  stream: Uint8Array,
  digest: bigint,
  workspace: PatchContext,
): Snapshot {
  const { log, writesOverBaseline } = workspace;
  const bytes = writesOverBaseline ? baseline.bytes : workspace.takeCopy(baseline.bytes);
  log.open(bytes, writesOverBaseline);
  try {
    if (!decodeInPlace(state, stream, bytes, log)) throw malformed("changes that do not fit the baseline");
    const kept = log.untouched();
    const snapshot = finish(bytes, digest, baseline, kept);
    if (!writesOverBaseline) workspace.giveBack(baseline.bytes, kept);
    return snapshot;
  } catch (error) {
    if (writesOverBaseline) log.undo();
    throw error;
  } finally {
    log.close();
  }
}

function applyMoved(
  state: Context,
  baseline: Snapshot,
  stream: Uint8Array,
  size: number,
  digest: bigint,
  workspace: PatchContext,
): Snapshot {
  const bytes = workspace.takeBytes(size);
  if (!decodeMoved(state, baseline.bytes, stream, bytes)) {
    throw malformed("moves that do not fit the baseline");
  }
  const kept = equalChunks(baseline.bytes, bytes);
  const snapshot = finish(bytes, digest, baseline, kept);
  workspace.giveBack(baseline.bytes, kept);
  return snapshot;
}

/** Of the baseline only the memory may be of use: what `context` has to spare. */
function applyWhole(
  baseline: Snapshot,
  reader: ByteReader,
  maxSnapshotBytes: number,
  context: PatchContext | undefined,
): Snapshot {
  const size = reader.varint(kMaxStructuredSize);
  const digest = reader.uint64();
  const excerptSize = reader.varint(maxExcerptBytes(size));
  if (excerptSize === 0) throw malformed("no excerpt");
  checkSize(size, maxSnapshotBytes);
  const bytes = context?.takeBytes(size) ?? new Uint8Array(size);
  if (!decodeWhole(reader.rest(), excerptSize, bytes)) throw malformed("objects that do not fit");
  return finish(bytes, digest, baseline, new Uint8Array(chunkCount(size)));
}

function checkSize(size: number, maxSnapshotBytes: number): void {
  if (size > maxSnapshotBytes) {
    throw new SyncError("kSnapshotTooBig", `${size} bytes, the limit is ${maxSnapshotBytes}`);
  }
}

/** `kept[i]` is 1 where chunk i is that of the baseline. */
function finish(bytes: Uint8Array, digest: bigint, baseline: Snapshot, kept: Uint8Array): Snapshot {
  const fingerprints = makeFingerprints(bytes, baseline.fingerprints, kept);
  if (fingerprints.digest !== digest) {
    throw new SyncError("kDigestMismatch", "the patched bytes are not what the sender had");
  }
  return { bytes, fingerprints, digest };
}

const structures = new WeakMap<Snapshot, Structure>();

/** Found once for each snapshot that a patch is made for. */
function structureOf(snapshot: Snapshot): Structure {
  let structure = structures.get(snapshot);
  if (structure === undefined) {
    structure = findStructure(snapshot.bytes);
    structures.set(snapshot, structure);
  }
  return structure;
}

/** Marks the chunks that are equal and have the same extent in both. */
function equalChunks(baseline: Uint8Array, target: Uint8Array): Uint8Array {
  const size = chunkSize(target.length);
  const kept = new Uint8Array(chunkCount(target.length));
  if (size !== chunkSize(baseline.length)) return kept;
  const aligned = baseline.byteOffset % 4 === 0 && target.byteOffset % 4 === 0;
  if (!aligned) return kept;
  const a = new Int32Array(baseline.buffer, baseline.byteOffset, Math.floor(baseline.length / 4));
  const b = new Int32Array(target.buffer, target.byteOffset, Math.floor(target.length / 4));
  for (let chunk = 0; chunk < kept.length; chunk += 1) {
    const end = (chunk + 1) * size;
    // The last one is hashed: what is behind its last word is not compared.
    if (end > target.length || end > baseline.length) break;
    let word = (chunk * size) / 4;
    const last = end / 4;
    while (word < last && a[word] === b[word]) word += 1;
    if (word === last) kept[chunk] = 1;
  }
  return kept;
}

function applyBytePatch(baseline: Snapshot, reader: ByteReader, maxSnapshotBytes: number): Snapshot {
  const baselineSize = reader.varint(kMaxSize);
  const targetSize = reader.varint(kMaxSize);
  const digest = reader.uint64();
  if (baselineSize !== baseline.bytes.length) {
    throw new SyncError(
      "kWrongBaseline",
      `the patch wants a baseline of ${baselineSize} bytes, held are ${baseline.bytes.length}`,
    );
  }
  checkSize(targetSize, maxSnapshotBytes);
  // From nothing, every byte of the target stands in the patch: refused before it is allocated.
  if (baselineSize === 0 && targetSize > reader.remaining) throw malformed("a patch shorter than its target");

  const bytes = new Uint8Array(targetSize);
  const kept = new Uint8Array(chunkCount(targetSize));
  runOps(reader, baseline.bytes, bytes, kept);
  return finish(bytes, digest, baseline, kept);
}

/** Runs the ops to the end of the patch, filling `target` exactly, and marks in `kept` the chunks it did not touch. */
function runOps(reader: ByteReader, baseline: Uint8Array, target: Uint8Array, kept: Uint8Array): void {
  const source = reader.bytes;
  const baselineView = new DataView(baseline.buffer, baseline.byteOffset, baseline.byteLength);
  const targetView = new DataView(target.buffer, target.byteOffset, target.byteLength);
  // Most bytes stay where they are: with the baseline in place, copying them is nothing.
  target.set(target.length < baseline.length ? baseline.subarray(0, target.length) : baseline);

  let cursor = 0;
  let at = 0;
  let previous = kNoOp;
  while (reader.offset < source.length) {
    const head = reader.varint(Number.MAX_SAFE_INTEGER);
    const kind = head % 4;
    const count = (head - kind) / 4;
    if (count === 0) throw malformed("an op without a count");
    if (previous === kSeek && kind !== kCopy && kind !== kLanes) throw malformed("a seek leads to nothing");

    switch (kind) {
      case kCopy:
        if (previous === kCopy) throw malformed("copy after copy");
        if (count > baseline.length - cursor) throw malformed("a copy past the end of the baseline");
        if (count > target.length - at) throw malformed("a copy past the end of the target");
        if (cursor === at) markKept(kept, at, at + count, baseline.length, target.length);
        else copyBytes(baseline, cursor, target, at, count);
        cursor += count;
        at += count;
        break;
      case kAdd:
        if (previous === kAdd) throw malformed("add after add");
        if (count > reader.remaining) throw malformed("an add past the end of the patch");
        if (count > target.length - at) throw malformed("an add past the end of the target");
        copyBytes(source, reader.offset, target, at, count);
        reader.offset += count;
        at += count;
        break;
      case kSeek: {
        const distance = count % 2 === 0 ? count / 2 : -(count + 1) / 2;
        cursor += distance;
        if (cursor < 0 || cursor > baseline.length) throw malformed("a seek outside the baseline");
        break;
      }
      default:
        if (count * 4 > baseline.length - cursor) throw malformed("lanes past the end of the baseline");
        if (count * 4 > target.length - at) throw malformed("lanes past the end of the target");
        for (let i = 0; i < count; i += 1) {
          const zigzag = reader.varint32();
          const difference = (zigzag >>> 1) ^ -(zigzag & 1);
          targetView.setInt32(at, baselineView.getInt32(cursor, true) + difference, true);
          cursor += 4;
          at += 4;
        }
    }
    previous = kind;
  }
  if (previous === kSeek) throw malformed("a seek leads to nothing");
  if (at !== target.length) throw malformed("the ops end before the target is full");
}

/** Marks the chunks that lie within [start, end) and have the same extent in baseline and target. */
function markKept(
  kept: Uint8Array,
  start: number,
  end: number,
  baselineSize: number,
  targetSize: number,
): void {
  const size = chunkSize(targetSize);
  if (size !== chunkSize(baselineSize)) return;
  const first = Math.ceil(start / size);
  // The last chunk may be short; it has the same extent only if both snapshots end with it.
  const last = end === targetSize && targetSize === baselineSize ? kept.length : Math.floor(end / size);
  if (first < last) kept.fill(1, first, last);
}
