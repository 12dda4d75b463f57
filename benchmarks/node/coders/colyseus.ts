// colyseus.ts: @colyseus/schema, whose state notes what is written to it and sends that.

import { Decoder, Encoder } from "@colyseus/schema";
import { type Measured, repeat, timed } from "./measure.js";
import type { Trace } from "./trace.js";
import { differences } from "./world-compare.js";
import { World } from "./world-schema.js";
import { updateWorld } from "./world-update.js";

// Room for the first state of 100,000 bodies.
Encoder.BUFFER_SIZE = 32 << 20;

/**
 * Encoding is what follows the game's own writes; what noting them costs the game is not in it. The first state, which
 * is sent whole, is not counted.
 */
export function measureColyseus({ snapshots }: Trace, seconds: number): Measured {
  const [first, ...others] = snapshots;
  const last = snapshots.at(-1);
  if (first === undefined || last === undefined) throw new Error("a trace without snapshots");
  const problems: string[] = [];
  let compared = false;
  const patches = repeat(seconds, () => {
    const server = new World();
    const encoder = new Encoder(server);
    updateWorld(server, first);
    const client = new World();
    const decoder = new Decoder(client);
    decoder.decode(encoder.encodeAll().slice());
    encoder.discardChanges();
    const pass = others.map((snapshot) => {
      updateWorld(server, snapshot);
      const encoded = timed(() => {
        const bytes = encoder.encode();
        encoder.discardChanges();
        return bytes;
      });
      const patch = encoded.result.slice();
      const { us } = timed(() => decoder.decode(patch));
      return { bytes: patch.length, snapshotBytes: snapshot.length, encode: [encoded.us], apply: [us] };
    });
    if (!compared) problems.push(...differences(client, last));
    compared = true;
    return pass;
  });
  for (const problem of problems) console.error(`@colyseus/schema: ${problem}`);
  return { coder: "@colyseus/schema", patches, verified: problems.length === 0 };
}
