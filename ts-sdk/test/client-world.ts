// A client on a fake clock, fake sockets and a fake disk, with a scripted server at the other end.

import { type Client, type ConnectOptions, connect } from "../src/client.js";
import type { ClientStorage, StoredRecord } from "../src/client-store.js";
import type { SyncError } from "../src/errors.js";
import * as wire from "../src/generated/protocol_generated.js";
import type { Timers } from "../src/platform.js";
import type { WebSocketFactory, WebSocketLike } from "../src/transport.js";
import { ScriptedPeer } from "./scripted-peer.js";

export const kOne = Uint8Array.of(1, 1, 1, 1);
export const kEpoch = 7n;

/** A clock that stands still until it is told to go on. */
export class FakeTimers implements Timers {
  nowMs = 1_700_000_000_000;
  #next = 1;
  readonly #timers = new Map<number, { atMs: number; callback: () => void }>();

  now = () => this.nowMs;

  setTimeout(callback: () => void, delayMs: number): number {
    const timer = this.#next;
    this.#next += 1;
    this.#timers.set(timer, { atMs: this.nowMs + delayMs, callback });
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  get pending(): number {
    return this.#timers.size;
  }

  async sleep(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].sort((a, b) => a[1].atMs - b[1].atMs)[0];
      if (due === undefined || due[1].atMs > untilMs) break;
      this.#timers.delete(due[0]);
      this.nowMs = Math.max(this.nowMs, due[1].atMs);
      due[1].callback();
    }
    this.nowMs = untilMs;
  }
}

/** Lets promises run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 60; i += 1) await Promise.resolve();
}

export class FakeSocket implements WebSocketLike {
  binaryType = "blob";
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  onclose: ((event: object) => void) | null = null;
  closedWith: [number | undefined, string | undefined] | undefined;
  onSend: (bytes: Uint8Array) => void = () => undefined;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(bytes: Uint8Array): void {
    this.onSend(bytes);
  }

  close(code?: number, reason?: string): void {
    // As browsers do.
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999))
      throw new RangeError(`code ${code}`);
    this.closedWith = [code, reason];
  }
}

/** A storage as a disk is: slow where it is told to wait, and failing where it is told to. */
export class FakeStorage implements ClientStorage {
  readonly values = new Map<string, Uint8Array>();
  failsToLoad = false;
  isFailing = false;
  isWaiting = false;
  writes = 0;
  closes = 0;
  #waiting: (() => void)[] = [];

  async load(): Promise<readonly StoredRecord[]> {
    if (this.failsToLoad) throw new Error("no such disk");
    return [...this.values].map(([key, value]) => ({ key, value }));
  }

  async write(records: readonly StoredRecord[], removedKeys: readonly string[]): Promise<void> {
    this.writes += 1;
    if (this.isWaiting) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.isFailing) throw new Error("disk full");
    for (const key of removedKeys) this.values.delete(key);
    for (const { key, value } of records) this.values.set(key, value);
  }

  close(): void {
    this.closes += 1;
  }

  /** The write that waits is carried out; what follows waits again. */
  async finish(): Promise<void> {
    for (const resolve of this.#waiting.splice(0)) resolve();
    await settle();
  }

  /** What a process that starts now finds. */
  copy(): FakeStorage {
    const copy = new FakeStorage();
    for (const [key, value] of this.values) copy.values.set(key, value);
    return copy;
  }

  get keys(): string[] {
    return [...this.values.keys()].sort();
  }
}

/** A client on fake sockets, with the server's end of the latest one. */
export class World {
  readonly timers = new FakeTimers();
  readonly peer = new ScriptedPeer();
  readonly sockets: FakeSocket[] = [];
  readonly errors: SyncError[] = [];
  readonly states: string[] = [];
  readonly client: Client;

  constructor(options: Partial<ConnectOptions> = {}) {
    this.client = connect({
      url: "ws://test/api/ws",
      getToken: () => "to.k.en",
      webSocket: this.#open,
      random: () => 0.5,
      timers: this.timers,
      ...options,
    });
    this.client.onError((error) => this.errors.push(error));
    this.client.connection.subscribe(() => this.states.push(this.state));
  }

  readonly #open: WebSocketFactory = (url, protocols) => {
    const socket = new FakeSocket(url, protocols);
    this.sockets.push(socket);
    return socket;
  };

  get state(): string {
    return this.client.connection.getSnapshot().state;
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket yet");
    return socket;
  }

  /** The server accepts the latest socket. */
  async open(): Promise<this> {
    await settle();
    const { socket, peer } = this;
    peer.reset();
    peer.deliver = (bytes) => socket.onmessage?.({ data: bytes.slice().buffer });
    socket.onSend = (bytes) => peer.take(bytes);
    socket.onopen?.({});
    return this;
  }

  async welcomed(): Promise<this> {
    await this.open();
    this.peer.welcome();
    return this;
  }

  async live(topic = 1): Promise<this> {
    await this.open();
    this.peer.welcome();
    this.peer.subscribed("world", topic, kEpoch, 1n);
    this.peer.full(topic, 1n, kOne);
    return this;
  }

  drop(code = 1006, reason = ""): void {
    this.socket.onclose?.({ code, reason });
  }

  /** As welcomed(), after promises have run: the server was told who the client is, and so was the storage. */
  async settled(
    changes: Partial<wire.WelcomeT> = {},
    limits: Partial<wire.SessionLimitsT> = {},
  ): Promise<this> {
    await this.open();
    this.peer.welcome(changes, limits);
    await settle();
    return this;
  }

  /** The connection is lost, and there is another one, open. */
  async reopened(): Promise<this> {
    this.drop();
    await this.timers.sleep(this.retryInMs());
    await this.open();
    return this;
  }

  hello(): wire.HelloT {
    const [hello] = this.peer.all(wire.HelloT);
    if (hello === undefined) throw new Error("no Hello yet");
    return hello;
  }

  /** Sequences and payloads of the actions on this connection. */
  sent(): string[] {
    return this.peer
      .all(wire.ActionT)
      .map((action) => `${action.actionSequence}:${action.isWithdrawn ? "withdrawn" : action.payload}`);
  }

  retryInMs(): number {
    const state = this.client.connection.getSnapshot();
    return state.state === "reconnecting" ? state.retryAtMs - this.timers.nowMs : Number.NaN;
  }
}
