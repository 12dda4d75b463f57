// A session and a scripted peer, connected: what the tests of sessions begin with.

import { expect } from "vitest";
import type { Limits } from "../src/limits.js";
import { ClientSession } from "../src/session.js";
import type { SessionEvent } from "../src/session-output.js";
import { ScriptedPeer } from "./scripted-peer.js";

export const kOne = Uint8Array.of(1, 1, 1, 1);
export const kEpoch = 7n;

/** A session and its peer over a perfect network in virtual time. */
export class Pair {
  nowMs = 1_000_000;
  readonly peer = new ScriptedPeer();
  readonly session: ClientSession;
  events: SessionEvent[] = [];
  closes: number[] = [];
  deadlineMs = 0;
  #instances = 0n;

  constructor(limits: Partial<Limits> = {}) {
    this.session = new ClientSession({
      makeInstance: () => {
        this.#instances += 1n;
        return { low: this.#instances, high: 0n };
      },
      schemaFingerprint: 55n,
      sdk: "test",
      limits,
    });
    this.peer.deliver = (bytes) => {
      this.session.handleFrame(this.nowMs, bytes);
      this.poll();
    };
  }

  open(): this {
    this.peer.reset();
    this.closes = [];
    this.session.handleOpen(this.nowMs);
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

  act(...payload: number[]): number {
    const id = this.session.act(Uint8Array.from(payload));
    this.poll();
    return id;
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
