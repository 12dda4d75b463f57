// What is used of the platform, browsers and Node alike, typed here so that the package needs the types of neither.

import type { Id128 } from "./message.js";

interface Platform {
  readonly performance: { now(): number; readonly timeOrigin: number };
  readonly crypto: { getRandomValues(array: BigUint64Array): BigUint64Array };
  readonly console: { error(...values: unknown[]): void };
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly TextDecoder: new () => { decode(bytes: Uint8Array): string };
  readonly WebAssembly: {
    instantiate(module: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }>;
  };
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  // Browsers only:
  readonly addEventListener?: (type: string, listener: () => void) => void;
  readonly removeEventListener?: (type: string, listener: () => void) => void;
  readonly document?: {
    readonly visibilityState: string;
    addEventListener(type: string, listener: () => void): void;
    removeEventListener(type: string, listener: () => void): void;
  };
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

export function utf8(text: string): Uint8Array {
  return new platform.TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new platform.TextDecoder().decode(bytes);
}

/** What a WebAssembly module that imports nothing exports. */
export async function loadModule(module: Uint8Array): Promise<unknown> {
  return (await platform.WebAssembly.instantiate(module)).instance.exports;
}

/** Where a failure goes that nobody listens for. */
export function logError(error: unknown): void {
  platform.console.error(error);
}

/**
 * Calls `listener` when the platform says that the network is back, or that the page is seen again, perhaps after a sleep.
 * Returns the removal.
 */
export function onWake(listener: () => void): () => void {
  const { document } = platform;
  const onVisible = () => {
    if (document?.visibilityState === "visible") listener();
  };
  platform.addEventListener?.("online", listener);
  platform.addEventListener?.("pageshow", listener);
  document?.addEventListener("visibilitychange", onVisible);
  return () => {
    platform.removeEventListener?.("online", listener);
    platform.removeEventListener?.("pageshow", listener);
    document?.removeEventListener("visibilitychange", onVisible);
  };
}
