// The honest side: clients of the SDK as an application uses it, and one that watches over the others' mischief.

import { WebSocket } from "ws";
import { schemaFingerprint } from "../generated/world_schema.js";
import { readPlayer, readWorld } from "./actions.js";
import { type Client, connect, type SyncError, type Topic } from "./sdk.js";
import type { ServerProcess } from "./server-process.js";
import { until } from "./wait.js";

export interface HonestOptions {
  readonly maxRetries?: number;
  readonly backoff?: { readonly baseMs?: number; readonly maxMs?: number };
}

/** An SDK client of this user. The caller closes it. */
export function connectUser(server: ServerProcess, user: string, options: HonestOptions = {}): Client {
  return connect({
    url: server.url,
    getToken: () => server.token(user),
    schemaFingerprint,
    webSocket: WebSocket,
    ...options,
  });
}

export function worldOf(client: Client): Topic<ReturnType<typeof readWorld>> {
  return client.topic("world", readWorld);
}

export function playerOf(client: Client, user: string): Topic<ReturnType<typeof readPlayer>> {
  return client.topic(`player/${user}`, readPlayer);
}

export async function live(client: Client, timeoutMs = 8_000): Promise<void> {
  await until(
    "a live client",
    () => {
      const state = client.connection.getSnapshot();
      if (state.state === "failed") throw state.error;
      return state.state === "live";
    },
    timeoutMs,
  );
}

export interface Report {
  readonly versions: number;
  readonly skipped: number;
  readonly longestGapMs: number;
  readonly errors: readonly SyncError[];
  readonly reconnects: number;
  readonly digestMismatches: number;
  readonly resyncs: number;
  readonly state: string;
  readonly isRising: boolean;
}

/** A client that watches the world and writes down how well it is served. */
export class Witness {
  readonly client: Client;
  readonly #world: Topic<unknown>;
  readonly #errors: SyncError[] = [];
  #versions = 0;
  #skipped = 0n;
  #last = 0n;
  #lastMs: number;
  #longestGapMs = 0;
  #isRising = true;

  private constructor(client: Client) {
    this.client = client;
    this.#lastMs = performance.now();
    client.onError((error) => this.#errors.push(error));
    this.#world = client.topic("world", () => undefined);
    this.#world.subscribe(() => this.#note());
  }

  static async start(server: ServerProcess, user = "witness"): Promise<Witness> {
    const witness = new Witness(connectUser(server, user));
    await live(witness.client);
    witness.#longestGapMs = 0;
    return witness;
  }

  #note(): void {
    const snapshot = this.#world.getSnapshot();
    if (snapshot === undefined) return;
    const nowMs = performance.now();
    if (this.#last > 0n) {
      this.#isRising &&= snapshot.version > this.#last;
      this.#skipped += snapshot.version - this.#last - 1n;
    }
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    this.#last = snapshot.version;
    this.#lastMs = nowMs;
    this.#versions += 1;
  }

  get version(): bigint {
    return this.#last;
  }

  report(): Report {
    const { reconnects, digestMismatches, resyncs } = this.client.stats();
    return {
      versions: this.#versions,
      skipped: Number(this.#skipped),
      longestGapMs: Math.max(this.#longestGapMs, performance.now() - this.#lastMs),
      errors: this.#errors,
      reconnects,
      digestMismatches,
      resyncs,
      state: this.client.connection.getSnapshot().state,
      isRising: this.#isRising,
    };
  }

  close(): void {
    this.client.close();
  }
}
