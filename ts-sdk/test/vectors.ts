// The bytes that both languages agree on: ../tests/vectors/*.json, written by C++ (see make_vectors.cpp there).

import { readFileSync } from "node:fs";

export type Vector<K extends string> = Readonly<Record<K, string>>;

export function readVectors<K extends string>(file: string): Vector<K>[] {
  const path = new URL(`../../tests/vectors/${file}`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")) as Vector<K>[];
}

export const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

/** A patch of a row of them, each of which begins where the one before ended. */
export interface ChainStep {
  readonly baseline: Uint8Array;
  readonly patch: Uint8Array;
  readonly target: Uint8Array;
}

/** The patches of the chain with this name, all of which apply. */
export function readChain(name: string): ChainStep[] {
  const vectors = readVectors<"name" | "baseline" | "patch" | "target">("patches.json");
  const steps = vectors.filter((vector) => vector.name.startsWith(`chain: ${name}, step `));
  return steps.map(({ baseline, patch, target }) => ({
    baseline: bytesOf(baseline),
    patch: bytesOf(patch),
    target: bytesOf(target),
  }));
}

/** The patch of a state that nobody holds, and that state. */
export function readWhole(name: string): ChainStep {
  const vectors = readVectors<"name" | "baseline" | "patch" | "target">("patches.json");
  const { baseline, patch, target } = vectors.find((vector) => vector.name === `whole: ${name}`) ?? {};
  return { baseline: bytesOf(baseline ?? ""), patch: bytesOf(patch ?? ""), target: bytesOf(target ?? "") };
}
