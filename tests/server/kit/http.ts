// One HTTP exchange over a plain socket, byte for byte as the test wants it.

import { connect } from "node:net";

export interface HttpReply {
  /** 0: the connection ended without a reply. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Of the client's end, as in the server's log. */
  readonly peer: string;
  readonly tookMs: number;
}

export interface RawExchange {
  /** What to send, piece by piece, `pauseMs` apart. */
  readonly pieces: readonly (string | Uint8Array)[];
  readonly pauseMs?: number;
  readonly timeoutMs?: number;
}

/** Sends the pieces and reads until the server ends the connection. */
export function exchange(
  port: number,
  { pieces, pauseMs = 0, timeoutMs = 10_000 }: RawExchange,
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const received: Buffer[] = [];
    const rest = [...pieces];
    let peer = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the server did not end the connection within ${timeoutMs} ms`));
    }, timeoutMs);
    const feed = (): void => {
      const piece = rest.shift();
      if (piece === undefined || socket.destroyed) return;
      socket.write(piece);
      if (rest.length > 0) setTimeout(feed, pauseMs);
    };
    socket.on("connect", () => {
      peer = `127.0.0.1:${socket.localPort}`;
      feed();
    });
    socket.on("data", (bytes) => received.push(bytes));
    socket.on("error", () => undefined); // a reset; "close" follows
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({
        ...parse(Buffer.concat(received).toString("latin1")),
        peer,
        tookMs: performance.now() - startedMs,
      });
    });
  });
}

/** A request with a Host and `Connection: close`. */
export function request(
  port: number,
  method: string,
  target: string,
  headers: readonly string[] = [],
): Promise<HttpReply> {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: 127.0.0.1:${port}`, "Connection: close", ...headers];
  return exchange(port, { pieces: [`${lines.join("\r\n")}\r\n\r\n`] });
}

export function parse(text: string): Omit<HttpReply, "peer" | "tookMs"> {
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end < 0 ? undefined : end).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0);
  return { status, headers, body: end < 0 ? "" : text.slice(end + 4) };
}
