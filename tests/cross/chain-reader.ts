// chain-reader.ts: the chains that libsync-cross-chains writes. Layout: make_chains.cpp.

export interface Step {
  readonly patch: Uint8Array;
  /** What the other decoder said: 0 or the number of an error. */
  readonly error: number;
  /** Of the target, without an error. */
  readonly digest: bigint;
}

export interface Chain {
  readonly family: number;
  readonly index: number;
  /** Steps at its beginning that are no cases of their own. */
  readonly prefix: number;
  readonly baseline: Uint8Array;
  readonly steps: readonly Step[];
}

/** All chains of a stream of bytes. Throws when it ends within one. */
export async function* readChains(input: AsyncIterable<Buffer>): AsyncGenerator<Chain> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of input) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 4 && rest.length - at - 4 >= rest.readUInt32LE(at)) {
      const end = at + 4 + rest.readUInt32LE(at);
      yield readChain(rest.subarray(at + 4, end));
      at = end;
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new Error("the chains end within one");
}

function readChain(bytes: Buffer): Chain {
  let at = 0;
  const readUInt32 = () => {
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const readBytes = () => {
    const size = readUInt32();
    at += size;
    // A copy: snapshots are written over.
    return new Uint8Array(bytes.subarray(at - size, at));
  };
  const family = readUInt32();
  const index = readUInt32();
  const prefix = readUInt32();
  const baseline = readBytes();
  const steps: Step[] = [];
  while (at < bytes.length) {
    const error = bytes.readUInt16LE(at);
    const digest = bytes.readBigUInt64LE(at + 2);
    at += 10;
    steps.push({ patch: readBytes(), error, digest });
  }
  return { family, index, prefix, baseline, steps };
}
