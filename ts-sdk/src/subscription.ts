// Subscription: what a session knows of one topic, and how state frames change it. It outlives connections: what is
// held when one ends is what the next begins with.

import { errorNumber, malformed, SyncError } from "./errors.js";
import { PartAssembler, type StateFrame } from "./frame.js";
import { ErrorCode, TopicOutcome } from "./generated/protocol_generated.js";
import { type HeldChunks, heldChunksOf } from "./held-chunks.js";
import { kPatchOverheadBytes, type Limits } from "./limits.js";
import type { Subscribed } from "./message.js";
import { applyPatch } from "./patch.js";
import { PatchContext, type ReuseBytes } from "./patch-context.js";
import { makeSnapshot, type Snapshot } from "./snapshot.js";
import type { Epoch, Position, UpdateInfo, Version } from "./types.js";

/** A snapshot and where it stands. */
export interface Held {
  readonly epoch: Epoch;
  readonly version: Version;
  readonly snapshot: Snapshot;
}

/** Where the topic stands on the present connection. */
export type Phase =
  | { readonly phase: "idle" }
  /** `isHolding`: the request named what was held then. */
  | { readonly phase: "requested"; readonly isHolding: boolean }
  | { readonly phase: "subscribed"; readonly topic: number; readonly epoch: Epoch }
  /** Unsubscribe is wanted or sent. */
  | { readonly phase: "leaving"; readonly topic: number; isSent: boolean };

/** A GetState that is due. `namesChunks`: of what is held, if they fit into a message. */
export interface StateRequest {
  readonly cause: ErrorCode;
  readonly namesChunks: boolean;
}

/** What became of a state frame. */
export type FrameOutcome =
  /** A part of an update, or a frame that no longer matters. */
  | { readonly outcome: "none" }
  | { readonly outcome: "updated"; readonly held: Held; readonly update: UpdateInfo }
  /** What is held stays; GetState is due. */
  | { readonly outcome: "resync"; readonly error: SyncError }
  /** The topic cannot go on. */
  | { readonly outcome: "refused"; readonly error: SyncError };

const kNothing: FrameOutcome = { outcome: "none" };

export class Subscription {
  readonly name: string;
  readonly priority: number;
  readonly #limits: Limits;
  readonly #assembler: PartAssembler;
  /** At what is held, as long as one patch follows the other. */
  readonly #context: PatchContext;

  phase: Phase = { phase: "idle" };
  held: Held | undefined;
  /** False once the application unsubscribed; the entry then only waits for the server's answer. */
  isWanted = true;
  /** The first state on this connection has arrived, or there is none to come. */
  isSettled = false;
  /** The version changed since the last ack. */
  isAckDue = false;
  /** Not to be requested before; after a refusal that may be repeated. */
  retryAtMs = 0;
  /** GetState is to be sent. */
  stateRequest: StateRequest | undefined;
  /** GetState is due or sent: patches do not matter until a full update or a chunk diff arrives. */
  isResyncing = false;
  /** The last GetState named the chunks of what is held. */
  #hasNamedChunks = false;
  /** Resyncs since a patch last applied. */
  resyncsInRow = 0;

  /** `reuseBytes`: snapshots are written over their predecessors (PatchContextOptions). */
  constructor(name: string, priority: number, limits: Limits, reuseBytes: ReuseBytes) {
    this.name = name;
    this.priority = priority;
    this.#limits = limits;
    this.#context = new PatchContext({ reuseBytes });
    this.#assembler = new PartAssembler(limits.maxSnapshotBytes + kPatchOverheadBytes);
  }

  /** Absent if nothing is held. */
  position(): Position | undefined {
    const { held } = this;
    return held && { epoch: held.epoch, version: held.version, digest: held.snapshot.digest };
  }

  /** The connection is gone, and with it all but what is held. */
  disconnect(): void {
    this.phase = { phase: "idle" };
    this.isSettled = false;
    this.isAckDue = false;
    this.retryAtMs = 0;
    this.#endResync();
    this.#forgetUpdates();
  }

  /**
   * The server's answer to the request, or a new epoch of a topic subscribed already.
   * Throws kUnexpectedMessage if it wants the chunks of what it was never told of.
   */
  bind(subscribed: Subscribed): void {
    const isHolding = this.held !== undefined || (this.phase.phase === "requested" && this.phase.isHolding);
    this.phase = { phase: "subscribed", topic: subscribed.topic, epoch: subscribed.epoch };
    this.isSettled = false;
    this.#endResync();
    this.#forgetUpdates();
    if (subscribed.version === 0n) this.isSettled = true;
    if (subscribed.outcome === TopicOutcome.kChunkDiff) {
      if (!isHolding) throw new SyncError("kUnexpectedMessage", "a chunk diff from what is not held");
      this.requestState(ErrorCode.kNone, true);
      return;
    }
    if (subscribed.outcome !== TopicOutcome.kUpToDate) return;
    this.isSettled = true;
    const { held } = this;
    if (held?.epoch !== subscribed.epoch || held.version !== subscribed.version) {
      this.requestState(ErrorCode.kWrongBaseline, false);
    }
  }

  requestState(cause: ErrorCode, namesChunks: boolean): void {
    this.isResyncing = true;
    this.stateRequest = { cause, namesChunks };
    this.#hasNamedChunks = false;
    this.#forgetUpdates();
  }

  /**
   * The request is sent: with these chunks of what is held now, which stays as it is until the answer comes. None if they
   * are not wanted, or take more than `maxBytes`.
   */
  takeStateRequest(maxBytes: number): HeldChunks | undefined {
    const { held, stateRequest } = this;
    this.stateRequest = undefined;
    if (stateRequest?.namesChunks !== true || held === undefined) return undefined;
    const chunks = heldChunksOf(held.snapshot.bytes);
    this.#hasNamedChunks = chunks.fingerprints.length <= maxBytes;
    return this.#hasNamedChunks ? chunks : undefined;
  }

  #endResync(): void {
    this.isResyncing = false;
    this.stateRequest = undefined;
    this.#hasNamedChunks = false;
  }

  /** What comes next begins anew: the rest of an update does not follow, and no patch continues those before. */
  #forgetUpdates(): void {
    this.#assembler.clear();
    this.#context.close();
  }

  /** Takes a state frame of this topic. Throws kMalformed for one that no server sends. */
  handleFrame(frame: StateFrame, wireBytes: number, emptySnapshot: Snapshot): FrameOutcome {
    if (this.phase.phase !== "subscribed") return kNothing;
    const { epoch } = this.phase;
    if (frame.source.kind === "patch") {
      if (this.isResyncing) return kNothing;
      if (this.held?.epoch !== epoch || this.held.version !== frame.source.baseVersion) {
        return this.#resync(
          new SyncError("kWrongBaseline", `no version ${frame.source.baseVersion} is held`),
        );
      }
    }
    let whole: { body: Uint8Array; wireBytes: number } | undefined;
    try {
      whole = this.#assembler.push(frame, wireBytes);
    } catch (error) {
      if (error instanceof SyncError && error.code === "kSnapshotTooBig")
        return { outcome: "refused", error };
      throw error;
    }
    if (whole === undefined) return kNothing;
    const { kind } = frame.source;
    if (kind === "full") this.#context.close();
    // Of a chunk diff only when it is complete, lest each of its parts be a failure.
    if (kind === "chunkDiff" && !this.#hasNamedChunks) {
      return this.#resync(new SyncError("kWrongBaseline", "a chunk diff without chunks"));
    }
    const baseline = kind === "full" ? emptySnapshot : this.held?.snapshot;
    if (baseline === undefined) throw malformed("a patch without a baseline");
    try {
      const context = kind === "full" ? undefined : this.#context;
      const snapshot = applyPatch(baseline, whole.body, this.#limits, context);
      this.held = { epoch, version: frame.version, snapshot };
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      return error.code === "kSnapshotTooBig" ? { outcome: "refused", error } : this.#resync(error);
    }
    // Another update than a patch does not end a row of resyncs: a patch that never applies would otherwise cost one each time.
    if (kind === "patch") this.resyncsInRow = 0;
    this.#endResync();
    this.isSettled = true;
    this.isAckDue = true;
    const update = { kind, wireBytes: whole.wireBytes, snapshotBytes: this.held.snapshot.bytes.length };
    return { outcome: "updated", held: this.held, update };
  }

  #resync(error: SyncError): FrameOutcome {
    this.resyncsInRow += 1;
    // Where that did not help the state is wanted whole.
    const sizeBytes = this.held?.snapshot.bytes.length ?? 0;
    const namesChunks = this.resyncsInRow === 1 && sizeBytes >= this.#limits.minChunkDiffBytes;
    this.requestState(errorNumber(error.code), namesChunks);
    return { outcome: "resync", error };
  }
}

/** The baseline of every full update. Requires: initHash() has resolved. */
export function makeEmptySnapshot(): Snapshot {
  return makeSnapshot(new Uint8Array(0));
}
