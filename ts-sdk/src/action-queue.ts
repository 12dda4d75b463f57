// ActionQueue: a client's actions, from the application's call until they have ended durably.
// libsync/action_queue.h is its twin. Bounded; knows nothing of the wire.
//
//   add() --stored()--> ready --next()--> sent --result--> answered --durable--> ended
//                         ^----- failed, or lost with a crash of the server -----'
//
// Sent in order, a window of them at once. One that failed is sent again, with all that follow it (go-back-n): the server
// executes no action before the one before it.

import { SyncError } from "./errors.js";
import type { Limits } from "./limits.js";

/** The client's own number of an action, 1, 2, 3 ... over all its instances. */
export type ActionId = bigint;

export interface OutgoingAction {
  readonly id: ActionId;
  /** 1, 2, 3 ... per instance. */
  readonly sequence: bigint;
  readonly payload: Uint8Array;
  /** It is not to be executed any more. */
  readonly isWithdrawn: boolean;
}

/** What is needed of the server's answer. */
export interface ActionVerdict {
  readonly sequence: bigint;
  readonly outcome: "accepted" | "refused" | "failed";
  /** With `failed`: the server has executed something else under this sequence. */
  readonly isConflict: boolean;
  readonly isDurable: boolean;
  readonly retryAfterMs: number;
}

/** What became of an answer. */
export type Taken =
  /** It was known, or is none of ours. */
  | "nothing"
  /** Tell the application. */
  | "answered"
  /** Tell the application; from now on the action is withdrawn, which is to be stored. */
  | "refused"
  /** It was not executed and will be sent again. */
  | "again"
  /** The instance is lost. */
  | "conflict";

export interface StoredAction {
  readonly payload: Uint8Array;
  readonly isWithdrawn: boolean;
}

interface Entry {
  payload: Uint8Array;
  isStored: boolean;
  isWithdrawn: boolean;
  isAnswered: boolean;
  wasRefused: boolean;
}

const kMinRetryMs = 50;
const kNoBytes = new Uint8Array(0);

export class ActionQueue {
  readonly #limits: Limits;
  #base = 0n;
  /** The oldest that has not ended. */
  #front: ActionId = 1n;
  /** The next to be sent. */
  #next: ActionId = 1n;
  /** The latest that may have been executed. */
  #maxSent: ActionId = 0n;
  #durable = 0n;
  #blockedUntilMs = Number.NEGATIVE_INFINITY;
  /** From #front on. */
  #entries: Entry[] = [];
  #sizeBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The action with id n is the instance's (n - base)th. */
  get base(): bigint {
    return this.#base;
  }

  /** All actions of the instance up to this sequence have ended, durably. */
  get confirmed(): bigint {
    return this.#front - 1n - this.#base;
  }

  /** The latest id; 0 before the first. */
  get last(): ActionId {
    return this.#front + BigInt(this.#entries.length) - 1n;
  }

  idOf(sequence: bigint): ActionId {
    return this.#base + sequence;
  }

  /** Takes up what was stored: the actions that follow `confirmed`, in order. */
  restore(base: bigint, confirmed: bigint, actions: readonly StoredAction[], mayBeSent: boolean): void {
    this.#base = base;
    this.#front = base + confirmed + 1n;
    this.#next = this.#front;
    this.#durable = confirmed;
    this.#entries = actions.map(({ payload, isWithdrawn }) => {
      this.#sizeBytes += payload.length;
      return { payload, isStored: true, isWithdrawn, isAnswered: false, wasRefused: isWithdrawn };
    });
    this.#maxSent = mayBeSent ? this.last : this.#front - 1n;
  }

  // --- From the application --------------------------------------------------------------------------------

  /** Takes over `payload`. The action waits for stored(). Throws kTooManyActions. */
  add(payload: Uint8Array): ActionId {
    const { maxQueuedActions, maxQueuedActionBytes } = this.#limits;
    if (this.#entries.length >= maxQueuedActions || this.#sizeBytes + payload.length > maxQueuedActionBytes) {
      throw new SyncError("kTooManyActions", `${this.#entries.length} actions wait already`);
    }
    this.#sizeBytes += payload.length;
    const flags = { isStored: false, isWithdrawn: false, isAnswered: false, wasRefused: false };
    this.#entries.push({ payload, ...flags });
    return this.last;
  }

  /** It is on disk and may be sent. */
  stored(id: ActionId): void {
    const entry = this.#find(id);
    if (entry !== undefined) entry.isStored = true;
  }

  /** It will not be executed, but keeps its place in the sequence. */
  withdraw(id: ActionId): void {
    const entry = this.#find(id);
    if (entry === undefined) return;
    entry.isStored = true;
    entry.isWithdrawn = true;
    entry.wasRefused = true;
    this.#sizeBytes -= entry.payload.length;
    entry.payload = kNoBytes;
  }

  // --- From the server -------------------------------------------------------------------------------------

  /**
   * A connection begins; the server has executed the actions up to `last`. False: it speaks of actions that this queue
   * does not know, or has forgotten some: the instance is lost.
   */
  begin(last: bigint): boolean {
    const nKnown = this.last - this.#base;
    if (last < this.confirmed || last < this.#durable || last > nKnown) return false;
    this.#blockedUntilMs = Number.NEGATIVE_INFINITY;
    this.#next = this.idOf(last) + 1n;
    if (this.#maxSent < this.#next - 1n) this.#maxSent = this.#next - 1n;
    // What was answered and is not there any more went with a crash of the server, before it was durable.
    for (const entry of this.#entries.slice(Number(this.#next - this.#front))) entry.isAnswered = false;
    return true;
  }

  takeResult(nowMs: number, verdict: ActionVerdict): Taken {
    const { sequence, outcome } = verdict;
    const id = this.idOf(sequence);
    const entry = this.#find(id);
    if (entry === undefined || id > this.#maxSent) return "nothing";
    if (outcome === "failed") {
      if (verdict.isConflict) return "conflict";
      if (entry.isAnswered) return "nothing";
      if (id < this.#next) this.#next = id;
      const untilMs = nowMs + Math.max(verdict.retryAfterMs, kMinRetryMs);
      this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
      return "again";
    }
    if (verdict.isDurable && sequence > this.#durable) this.#durable = sequence;
    const wasAnswered = entry.isAnswered;
    entry.isAnswered = true;
    if (wasAnswered || entry.wasRefused) return "nothing";
    if (outcome === "accepted") return "answered";
    this.withdraw(id);
    return "refused";
  }

  /** All actions up to here are durable. False: they were not even sent. */
  takeDurable(sequence: bigint): boolean {
    if (this.idOf(sequence) > this.#maxSent) return false;
    if (sequence > this.#durable) this.#durable = sequence;
    return true;
  }

  /** Removes the actions that have ended durably, oldest first. */
  settle(): ActionId[] {
    const settled: ActionId[] = [];
    for (const entry of this.#entries) {
      if (!entry.isAnswered || this.#front > this.idOf(this.#durable)) break;
      settled.push(this.#front);
      this.#sizeBytes -= entry.payload.length;
      this.#front += 1n;
    }
    this.#entries.splice(0, settled.length);
    if (this.#next < this.#front) this.#next = this.#front;
    return settled;
  }

  /**
   * A new instance begins. Actions that may have been executed by the old one are removed and returned: their outcome is
   * unknown, save of those that the application knows to be refused.
   */
  renounce(): ActionId[] {
    const removed: ActionId[] = [];
    for (const entry of this.#entries) {
      if (this.#front > this.#maxSent) break;
      removed.push(this.#front);
      this.#sizeBytes -= entry.payload.length;
      this.#front += 1n;
    }
    this.#entries.splice(0, removed.length);
    this.#base = this.#front - 1n;
    this.#next = this.#front;
    this.#maxSent = this.#base;
    this.#durable = 0n;
    for (const entry of this.#entries) entry.isAnswered = false;
    return removed;
  }

  // --- To the server ---------------------------------------------------------------------------------------

  /** Whether next() has something. `window`: actions from the oldest that has not ended on that may be under way. */
  canSend(nowMs: number, window: number): boolean {
    const at = Number(this.#next - this.#front);
    return at < window && this.#entries[at]?.isStored === true && nowMs >= this.#blockedUntilMs;
  }

  /** The next action to send; it counts as sent. */
  next(nowMs: number, window: number): OutgoingAction | undefined {
    if (!this.canSend(nowMs, window)) return undefined;
    const id = this.#next;
    const entry = this.#find(id);
    if (entry === undefined) return undefined;
    if (this.#maxSent < id) this.#maxSent = id;
    this.#next += 1n;
    return { id, sequence: id - this.#base, payload: entry.payload, isWithdrawn: entry.isWithdrawn };
  }

  /** When next() may have something although it has nothing now. */
  nextAtMs(nowMs: number, window: number): number {
    if (nowMs >= this.#blockedUntilMs || !this.canSend(this.#blockedUntilMs, window)) {
      return Number.POSITIVE_INFINITY;
    }
    return this.#blockedUntilMs;
  }

  #find(id: ActionId): Entry | undefined {
    return id < this.#front ? undefined : this.#entries[Number(id - this.#front)];
  }
}
