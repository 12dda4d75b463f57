// main.ts: the deltas of a trace in JavaScript: @colyseus/schema, fossil-delta, and libsync's patches in its SDK.

import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { initHash } from "../../../ts-sdk/src/index.js";
import { measureColyseus } from "./colyseus.js";
import { measureFossil } from "./fossil.js";
import { measureLibsync } from "./libsync.js";
import { type Measured, makeRow, memcmpSpeed } from "./measure.js";
import { readChain, readTrace } from "./trace.js";

const kUsage = `npm run bench -- [--chains DIR] [--seconds S] FILE.fbtrace...

Prints one JSON object per trace and coder, with the keys of libsync-replay --json, each snapshot from the one before.
  --chains DIR  what libsync-replay --chains wrote; without it libsync is left out
  --seconds S   per trace and coder, twice over the trace at least (3)
Ends with 1 when a result differs.`;

const { values, positionals } = parseArgs({
  options: {
    chains: { type: "string" },
    seconds: { type: "string", default: "3" },
    help: { type: "boolean", short: "h", default: false },
  },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
if (values.help || positionals.length === 0 || !(seconds > 0)) {
  console.error(kUsage);
  process.exit(values.help ? 0 : 2);
}

const rounded = (_key: string, value: unknown) =>
  typeof value === "number" ? Number(value.toFixed(4)) : value;

await initHash();
for (const file of positionals) {
  const trace = readTrace(file);
  const memcmp = memcmpSpeed(trace);
  const print = (measure: () => Measured) => {
    // What one leaves behind is not collected while the next is timed.
    globalThis.gc?.();
    const measured = measure();
    console.log(JSON.stringify(makeRow(trace, memcmp, measured), rounded));
    if (!measured.verified) process.exitCode = 1;
  };
  print(() => measureColyseus(trace, seconds));
  print(() => measureFossil(trace, seconds));
  if (values.chains === undefined) continue;
  const path = join(values.chains, `${basename(file, ".fbtrace")}.chain`);
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  const chain = readChain(path);
  print(() => measureLibsync(trace, chain, false, seconds));
  print(() => measureLibsync(trace, chain, true, seconds));
}
