// What browser tests see of the running page: `window.__libsync`. Nothing on the page reads it.

import type { Client, Topic, TopicSnapshot, UpdateKind } from "@libsync/sdk";
import type { GameState, Player } from "./generated/world_generated.js";

export interface DigestEntry {
  readonly epoch: bigint;
  readonly version: bigint;
  /** Verified by the SDK against the bytes before the page ever saw them. */
  readonly digest: bigint;
  readonly kind: UpdateKind;
  readonly wireBytes: number;
  readonly snapshotBytes: number;
  readonly receivedAtMs: number;
}

export interface TestHook {
  readonly client: Client;
  readonly world: Topic<GameState>;
  readonly player: Topic<Player>;
  /** The world's last versions, oldest first. */
  readonly digests: readonly DigestEntry[];
  /** Updates of any topic whose bytes were not the server's. */
  readonly mismatches: number;
  /** The last picture: the version it shows, its bodies, and how long pictures took, milliseconds. */
  readonly painted: { version: bigint; bodies: number; atMs: number; frames: number; drawMs: number };
  /** Where a point of the world lies in the window. */
  readonly project: (x: number, y: number, z: number) => { x: number; y: number };
}

declare global {
  interface Window {
    __libsync?: TestHook;
  }
}

const kMaxEntries = 4096;

export function recordDigest(digests: DigestEntry[], snapshot: TopicSnapshot<unknown>): void {
  const { epoch, version, digest, receivedAtMs } = snapshot;
  digests.push({ epoch, version, digest, receivedAtMs, ...snapshot.update });
  if (digests.length > kMaxEntries) digests.shift();
}
