// Subscription: what a session knows of one topic, and how state frames change it. It outlives connections: what is
// held when one ends is what the next begins with.

import { errorNumber, malformed, SyncError } from "./errors.js";
import { PartAssembler, type StateFrame } from "./frame.js";
import { ErrorCode, TopicOutcome } from "./generated/protocol_generated.js";
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
  | { readonly phase: "requested" }
  | { readonly phase: "subscribed"; readonly topic: number; readonly epoch: Epoch }
  /** Unsubscribe is wanted or sent. */
  | { readonly phase: "leaving"; readonly topic: number; isSent: boolean };

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
  /** GetState is to be sent with this cause. */
  stateRequest: ErrorCode | undefined;
  /** GetState is due or sent: patches do not matter until a full update arrives. */
  isResyncing = false;
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
    this.stateRequest = undefined;
    this.isResyncing = false;
    this.#forgetUpdates();
  }

  /** The server's answer to the request, or a new epoch of a topic subscribed already. */
  bind(subscribed: Subscribed): void {
    this.phase = { phase: "subscribed", topic: subscribed.topic, epoch: subscribed.epoch };
    this.isSettled = false;
    this.stateRequest = undefined;
    this.isResyncing = false;
    this.#forgetUpdates();
    if (subscribed.version === 0n) this.isSettled = true;
    if (subscribed.outcome !== TopicOutcome.kUpToDate) return;
    this.isSettled = true;
    const { held } = this;
    if (held?.epoch !== subscribed.epoch || held.version !== subscribed.version) {
      this.requestState(ErrorCode.kWrongBaseline);
    }
  }

  requestState(cause: ErrorCode): void {
    this.isResyncing = true;
    this.stateRequest = cause;
    this.#forgetUpdates();
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
    const baseline = kind === "patch" ? this.held?.snapshot : emptySnapshot;
    if (baseline === undefined) throw malformed("a patch without a baseline");
    try {
      const snapshot = applyPatch(
        baseline,
        whole.body,
        this.#limits,
        kind === "patch" ? this.#context : undefined,
      );
      this.held = { epoch, version: frame.version, snapshot };
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      return error.code === "kSnapshotTooBig" ? { outcome: "refused", error } : this.#resync(error);
    }
    // A full update does not end a row of resyncs: a patch that never applies would otherwise cost one each time.
    if (kind === "patch") this.resyncsInRow = 0;
    this.isResyncing = false;
    this.stateRequest = undefined;
    this.isSettled = true;
    this.isAckDue = true;
    const update = { kind, wireBytes: whole.wireBytes, snapshotBytes: this.held.snapshot.bytes.length };
    return { outcome: "updated", held: this.held, update };
  }

  #resync(error: SyncError): FrameOutcome {
    this.requestState(errorNumber(error.code));
    this.resyncsInRow += 1;
    return { outcome: "resync", error };
  }
}

/** The baseline of every full update. Requires: initHash() has resolved. */
export function makeEmptySnapshot(): Snapshot {
  return makeSnapshot(new Uint8Array(0));
}
