// A session and a scripted peer, connected: what the tests of sessions begin with.

import { expect } from "vitest";
import type { OutgoingAction } from "../src/action-queue.js";
import type { Limits } from "../src/limits.js";
import type { HelloIdentity } from "../src/message.js";
import type { ActionSource } from "../src/outbox.js";
import { ClientSession } from "../src/session.js";
import type { SessionEvent } from "../src/session-output.js";
import { ScriptedPeer } from "./scripted-peer.js";

export const kOne = Uint8Array.of(1, 1, 1, 1);
export const kEpoch = 7n;

export const kIdentity: HelloIdentity = {
  instance: { low: 3n, high: 4n },
  isNew: true,
  attempt: 1n,
  ledger: undefined,
  firstSeenMs: 0n,
  confirmedAction: 0n,
  resume: undefined,
};

/** Actions that are to be sent, one after the other. */
class WaitingActions implements ActionSource {
  waiting: OutgoingAction[] = [];
  confirmed = 0n;
  /** None is sent before. */
  notBeforeMs = 0;
  asked: { readonly window: number; readonly maxPayloadBytes: number } | undefined;

  canSend(nowMs: number): boolean {
    return this.waiting.length > 0 && nowMs >= this.notBeforeMs;
  }

  next(nowMs: number, window: number, maxPayloadBytes: number): OutgoingAction | undefined {
    this.asked = { window, maxPayloadBytes };
    return this.canSend(nowMs) ? this.waiting.shift() : undefined;
  }

  nextAtMs(nowMs: number): number {
    return this.waiting.length > 0 && nowMs < this.notBeforeMs ? this.notBeforeMs : Number.POSITIVE_INFINITY;
  }
}

/** A session and its peer over a perfect network in virtual time. */
export class Pair {
  nowMs = 1_000_000;
  readonly peer = new ScriptedPeer();
  readonly session: ClientSession;
  events: SessionEvent[] = [];
  closes: number[] = [];
  deadlineMs = 0;
  readonly actions = new WaitingActions();
  #sequence = 0n;

  constructor(limits: Partial<Limits> = {}) {
    this.session = new ClientSession({
      actions: this.actions,
      schemaFingerprint: 55n,
      sdk: "test",
      limits,
    });
    this.peer.deliver = (bytes) => {
      this.session.handleFrame(this.nowMs, bytes);
      this.poll();
    };
  }

  open(identity: Partial<HelloIdentity> = {}): this {
    this.peer.reset();
    this.closes = [];
    this.session.handleOpen(this.nowMs, { ...kIdentity, ...identity });
    this.poll();
    return this;
  }

  /** Open, welcomed, with topic `world` as number 1 at kOne, version 1. */
  live(): this {
    this.session.subscribe("world");
    this.open();
    this.peer.welcome();
    this.peer.subscribed("world", 1, kEpoch, 1n);
    this.peer.full(1, 1n, kOne);
    return this;
  }

  closed(code = 1006): this {
    this.session.handleClosed(code);
    this.poll();
    return this;
  }

  poll(): void {
    for (let i = 0; i < 10_000; i += 1) {
      const output = this.session.pollOutput(this.nowMs);
      if (output.type === "deadline") {
        this.deadlineMs = output.atMs;
        return;
      }
      if (output.type === "transmit") this.peer.take(output.bytes);
      else if (output.type === "event") this.events.push(output.event);
      else this.closes.push(output.code);
    }
    throw new Error("the session never comes to rest");
  }

  /** Lets time pass, from deadline to deadline. */
  sleep(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (let i = 0; i < 100_000; i += 1) {
      if (this.deadlineMs > untilMs) {
        this.nowMs = untilMs;
        return;
      }
      expect(this.deadlineMs, "a deadline is never in the past").toBeGreaterThanOrEqual(this.nowMs);
      this.nowMs = this.deadlineMs;
      this.session.handleTimeout(this.nowMs);
      this.poll();
    }
    throw new Error("the session spins");
  }

  /** The next action, with these bytes. */
  act(...payload: number[]): void {
    this.#sequence += 1n;
    const sequence = this.#sequence;
    const bytes = Uint8Array.from(payload);
    this.actions.waiting.push({ id: sequence, sequence, payload: bytes, isWithdrawn: false });
    this.poll();
  }

  of<T extends SessionEvent["type"]>(type: T): Extract<SessionEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);
  }

  held(): Uint8Array | undefined {
    return this.of("updated").at(-1)?.held.snapshot.bytes;
  }

  /** The code of the latest end. */
  ended(): string {
    const ended = this.of("ended").at(-1);
    return ended === undefined ? "open" : `${ended.error.code}${ended.reconnect ? "" : ", for good"}`;
  }
}
