// ActionQueue: actions from the application's call to the server's answer. Bounded; knows nothing of the wire.

import { SyncError } from "./errors.js";
import type { Limits } from "./limits.js";

export interface QueuedAction {
  /** The session's own number, given at once; the sequence on the wire is given when it is sent. */
  readonly id: number;
  readonly payload: Uint8Array;
}

export class ActionQueue {
  readonly #limits: Limits;
  #waiting: QueuedAction[] = [];
  #waitingBytes = 0;
  readonly #inFlight = new Map<bigint, QueuedAction>();
  #nextId = 1;
  #nextSequence = 1n;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Takes over `payload`. Throws kTooManyActions. */
  add(payload: Uint8Array): number {
    const { maxQueuedActions, maxQueuedActionBytes } = this.#limits;
    if (
      this.#waiting.length >= maxQueuedActions ||
      this.#waitingBytes + payload.length > maxQueuedActionBytes
    ) {
      throw new SyncError("kTooManyActions", `${this.#waiting.length} actions wait to be sent already`);
    }
    const id = this.#nextId;
    this.#nextId += 1;
    this.#waiting.push({ id, payload });
    this.#waitingBytes += payload.length;
    return id;
  }

  /** A new session: the server names the last sequence that it executed. */
  begin(lastSequence: bigint): void {
    this.#nextSequence = lastSequence + 1n;
  }

  canSend(maxInFlight: number): boolean {
    return this.#waiting.length > 0 && this.#inFlight.size < maxInFlight;
  }

  /** The next action and its sequence on the wire. */
  take(): { sequence: bigint; action: QueuedAction } | undefined {
    const action = this.#waiting.shift();
    if (action === undefined) return undefined;
    this.#waitingBytes -= action.payload.length;
    const sequence = this.#nextSequence;
    this.#nextSequence += 1n;
    this.#inFlight.set(sequence, action);
    return { sequence, action };
  }

  /** Removes the waiting actions whose payload is larger than `maxBytes`. */
  takeBigger(maxBytes: number): QueuedAction[] {
    const waiting = this.takeWaiting();
    for (const action of waiting) {
      if (action.payload.length > maxBytes) continue;
      this.#waiting.push(action);
      this.#waitingBytes += action.payload.length;
    }
    return waiting.filter((action) => action.payload.length > maxBytes);
  }

  /** The answer to a sequence has arrived; undefined if it is none of ours. */
  finish(sequence: bigint): QueuedAction | undefined {
    const action = this.#inFlight.get(sequence);
    this.#inFlight.delete(sequence);
    return action;
  }

  /** Removes the actions that were sent and not answered. */
  takeInFlight(): QueuedAction[] {
    const lost = [...this.#inFlight.values()];
    this.#inFlight.clear();
    return lost;
  }

  /** Removes the actions that were not sent. */
  takeWaiting(): QueuedAction[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting;
  }
}
