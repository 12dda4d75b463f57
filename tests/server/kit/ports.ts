// Free ports below the range from which the kernel takes those of outgoing connections.

import { createServer } from "node:net";

const kFirstPort = 20_000;
const kPortsPerWorker = 400;
let next = 0;

/** A port that nobody listens on. Test files in different processes never get the same one. */
export async function freePort(): Promise<number> {
  const worker = Number(process.env["VITEST_POOL_ID"] ?? 0) % 24;
  for (let i = 0; i < kPortsPerWorker; i += 1) {
    const port = kFirstPort + worker * kPortsPerWorker + (next++ % kPortsPerWorker);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port");
}

const kFirstLocalPort = 10_000;
const kLocalPortsPerWorker = 1_200;
let nextLocal = 0;

/**
 * The port for an outgoing connection, which the log will name. The kernel gives a port that was just closed again,
 * and then the lines of two connections look as if they were about one.
 */
export function localPort(): number {
  const worker = Number(process.env["VITEST_POOL_ID"] ?? 0) % 8;
  return kFirstLocalPort + worker * kLocalPortsPerWorker + (nextLocal++ % kLocalPortsPerWorker);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
