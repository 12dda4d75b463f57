// What is used of the platform, browsers and Node alike, typed here so that the package needs the types of neither.

import type { Id128 } from "./message.js";

interface Platform {
  readonly performance: { now(): number; readonly timeOrigin: number };
  readonly crypto: { getRandomValues(array: BigUint64Array): BigUint64Array };
  readonly console: { error(...values: unknown[]): void };
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly WebAssembly: {
    instantiate(module: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }>;
  };
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Browsers only. */
  readonly addEventListener?: (type: string, listener: () => void) => void;
  readonly removeEventListener?: (type: string, listener: () => void) => void;
}

const platform = globalThis as unknown as Platform;

/** Clock and timers; tests pass their own. */
export interface Timers {
  /** Milliseconds since the Unix epoch, never running backwards. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const kPlatformTimers: Timers = {
  now: () => platform.performance.timeOrigin + platform.performance.now(),
  setTimeout: (callback, delayMs) => platform.setTimeout(callback, delayMs),
  clearTimeout: (timer) => platform.clearTimeout(timer),
};

/** 128 random bits. */
export function randomId(): Id128 {
  const [low = 0n, high = 0n] = platform.crypto.getRandomValues(new BigUint64Array(2));
  return { low, high };
}

export function utf8Length(text: string): number {
  return new platform.TextEncoder().encode(text).length;
}

/** What a WebAssembly module that imports nothing exports. */
export async function loadModule(module: Uint8Array): Promise<unknown> {
  return (await platform.WebAssembly.instantiate(module)).instance.exports;
}

/** Where a failure goes that nobody listens for. */
export function logError(error: unknown): void {
  platform.console.error(error);
}

/** Calls `listener` when the platform says that the network is back. Returns the removal. */
export function onNetworkBack(listener: () => void): () => void {
  platform.addEventListener?.("online", listener);
  return () => platform.removeEventListener?.("online", listener);
}
