// check.ts: reads chains of patches from standard input, decodes them with the SDK, and compares what it says with what
// C++ said. script/cross runs it. Last line: `N cases, D disagreements`; exit code 1 if D > 0 or N is 0.

import { mkdirSync, writeFileSync } from "node:fs";
import { errorNumber } from "../../ts-sdk/src/errors.js";
import {
  applyPatch,
  digestOf,
  initHash,
  makeSnapshot,
  PatchContext,
  type Snapshot,
  SyncError,
} from "../../ts-sdk/src/index.js";
import { type Chain, readChains, type Step } from "./chain-reader.js";

/** As chain_limits() in chains.h. */
const kLimits = { maxSnapshotBytes: 1 << 16 };
const kShown = 20;

/** A receiver that keeps nothing but its newest state, in memory of its own or over and over in the same. */
class Receiver {
  held: Snapshot;
  readonly #context: PatchContext;
  readonly #reuseBytes: boolean;

  constructor(baseline: Uint8Array, reuseBytes: boolean) {
    this.#reuseBytes = reuseBytes;
    this.held = makeSnapshot(reuseBytes ? baseline.slice() : baseline);
    this.#context = new PatchContext({ reuseBytes });
  }

  /** Returns how this differs from what the other decoder said, or nothing. */
  take(step: Step): string | undefined {
    const before = this.held;
    const bytesBefore = before.bytes.slice();
    let error = 0;
    try {
      this.held = applyPatch(before, step.patch, kLimits, this.#context);
    } catch (thrown) {
      if (!(thrown instanceof SyncError)) return thrown instanceof Error ? thrown.stack : String(thrown);
      error = errorNumber(thrown.code);
    }
    if (error !== 0 || !this.#reuseBytes) {
      if (Buffer.compare(before.bytes, bytesBefore) !== 0) return "the baseline is no longer what it was";
    }
    if (error !== step.error) return `C++ said ${step.error}, TypeScript ${error}`;
    // Of all bytes: the snapshot's own digest takes chunks that no patch touched from the one before.
    if (error === 0 && (this.held.digest !== step.digest || digestOf(this.held.bytes) !== step.digest)) {
      return "another target";
    }
    return undefined;
  }
}

/** As in tests/vectors/patches.json, which tests/decoder/check_vectors.py reads: the third decoder can be asked. */
function vectorsOf(chain: Chain): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  let held = makeSnapshot(chain.baseline);
  const context = new PatchContext();
  const lines = chain.steps.map(({ patch, error }, i) => {
    const baseline = held;
    try {
      held = applyPatch(baseline, patch, kLimits, context);
    } catch {
      // Said to be an error, or the disagreement itself.
    }
    return JSON.stringify({
      name: `step ${i}`,
      after: i === 0 ? "" : `step ${i - 1}`,
      baseline: hex(baseline.bytes),
      patch: hex(patch),
      error: error === 0 ? "" : `C++ said ${error}`,
      target: held === baseline ? "" : hex(held.bytes),
      digest: held === baseline ? "" : held.digest.toString(16).padStart(16, "0"),
    });
  });
  return `[\n${lines.join(",\n")}\n]\n`;
}

/** Where the chain goes apart: the step, and how. */
function compare(chain: Chain, reuseBytes: boolean): { at: number; problem: string } | undefined {
  const receiver = new Receiver(chain.baseline, reuseBytes);
  for (const [at, step] of chain.steps.entries()) {
    const problem = receiver.take(step);
    if (problem !== undefined) return { at, problem };
  }
  return undefined;
}

const folder = process.argv[2] ?? "build/cross";
let cases = 0;
let refused = 0;
let disagreements = 0;
await initHash();
for await (const chain of readChains(process.stdin)) {
  const own = chain.steps.slice(chain.prefix);
  cases += own.length;
  refused += own.filter(({ error }) => error !== 0).length;
  const difference = compare(chain, (chain.family + chain.index) % 2 === 1);
  if (difference === undefined) continue;
  disagreements += 1;
  if (disagreements > kShown) continue;
  mkdirSync(folder, { recursive: true });
  const file = `${folder}/family-${chain.family}-chain-${chain.index}.json`;
  writeFileSync(file, vectorsOf(chain));
  console.log(`${file}, step ${difference.at}: ${difference.problem}`);
}
console.log(`${cases - refused} of them with a target, ${refused} refused`);
console.log(`${cases} cases, ${disagreements} disagreements`);
process.exitCode = disagreements > 0 || cases === 0 ? 1 : 0;
