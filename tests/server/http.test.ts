// What a server on the open internet is asked besides its protocol.

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Witness } from "./kit/honest.js";
import { exchange, type HttpReply, parse, request } from "./kit/http.js";
import { Peer } from "./kit/peer.js";
import { encodeFrame, RawSocket, upgradeRequest } from "./kit/raw-socket.js";
import { ServerFolders, ServerProcess } from "./kit/server-process.js";
import { sleep } from "./kit/wait.js";

let server: ServerProcess;
let witness: Witness;
const folders = new ServerFolders();
const kSecret = "not to be served";

beforeAll(async () => {
  const page = join(folders.root, "page");
  mkdirSync(join(page, "assets"), { recursive: true });
  writeFileSync(join(page, "index.html"), "<!doctype html><title>page</title>");
  writeFileSync(join(page, "assets", "app.js"), "export {};\n");
  writeFileSync(join(folders.root, "secret.txt"), kSecret);
  symlinkSync(join(folders.root, "secret.txt"), join(page, "link.txt"));
  symlinkSync(folders.root, join(page, "up"));
  const args = ["--page-dir", page, "--handshakes-per-second", "10000"];
  server = await ServerProcess.start({ folders, args });
  witness = await Witness.start(server);
});

afterAll(async () => {
  witness?.close();
  await server?.stop();
  folders.remove();
});

function raw(text: string | readonly string[]): Promise<HttpReply> {
  return exchange(server.port, { pieces: typeof text === "string" ? [text] : text });
}

const kHost = "Host: 127.0.0.1\r\n";
const kGood = `GET /healthz HTTP/1.1\r\n${kHost}Connection: close\r\n\r\n`;

describe.concurrent("http: the page", () => {
  test("is served with its type, and with headers that forbid what it does not need", async () => {
    const reply = await request(server.port, "GET", "/");
    expect(reply.status).toBe(200);
    expect(reply.body).toContain("<title>page</title>");
    expect(reply.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    expect(reply.headers.get("content-security-policy")).toContain("default-src 'self'");
    const script = await request(server.port, "GET", "/assets/app.js");
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  });

  test("is not sent again to those who have it", async () => {
    const { headers } = await request(server.port, "GET", "/");
    const again = await request(server.port, "GET", "/", [`If-None-Match: ${headers.get("etag")}`]);
    expect(again.status).toBe(304);
    expect(again.body).toBe("");
  });

  test.each([
    "/../secret.txt",
    "/assets/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2e%2e%2fsecret.txt",
    "/..%5csecret.txt",
    "/....//secret.txt",
    "/./../secret.txt",
    "//secret.txt",
    "//etc/passwd",
    "/assets/%00/../../secret.txt",
    "/link.txt",
    "/up/secret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/data/dev-jwt.key",
    "/../data/dev-jwt.key",
    "/%",
    "/%4",
    "/%zz",
    "*",
    "http://127.0.0.1/../secret.txt",
  ])("gives away nothing beside it: %s", async (target) => {
    const reply = await request(server.port, "GET", target);
    expect(reply.status).toBeOneOf([400, 404]);
    expect(reply.body).not.toContain(kSecret);
  });

  test("is only read: other methods are refused", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"]) {
      const reply = await request(server.port, method, "/");
      expect(reply.status, method).toBeOneOf([400, 405]);
    }
    const head = await request(server.port, "HEAD", "/");
    expect(head.status).toBe(200);
    expect(head.body).toBe("");
  });

  test("and /debug/stats is not there without --dev", async () => {
    expect((await request(server.port, "GET", "/debug/stats")).status).toBe(404);
  });
});

describe.concurrent("http: a request", () => {
  test.each([
    ["of noise", "\x00\x01\x02\x03\r\n\r\n"],
    ["of a TLS client", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["of an HTTP/2 client", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["of HTTP/3.7", `GET / HTTP/3.7\r\n${kHost}\r\n`],
    ["without a version", "GET /\r\n\r\n"],
    ["without a Host", "GET / HTTP/1.1\r\n\r\n"],
    ["with two Hosts", `GET / HTTP/1.1\r\n${kHost}${kHost}\r\n`],
    ["with a space in a header's name", `GET / HTTP/1.1\r\n${kHost}Bad Name: 1\r\n\r\n`],
    ["with a header without a name", `GET / HTTP/1.1\r\n${kHost}: 1\r\n\r\n`],
    ["with a control character", `GET / HTTP/1.1\r\n${kHost}X: a\x00b\r\n\r\n`],
    ["with a body", `GET / HTTP/1.1\r\n${kHost}Content-Length: 5\r\n\r\nhello`],
    ["with a body in chunks", `GET / HTTP/1.1\r\n${kHost}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["with two lengths", `GET / HTTP/1.1\r\n${kHost}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
    ["with a length below zero", `GET / HTTP/1.1\r\n${kHost}Content-Length: -1\r\n\r\n`],
    [
      "with a length and chunks",
      `GET / HTTP/1.1\r\n${kHost}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    ["POST with a body to the WebSocket", `POST /api/ws HTTP/1.1\r\n${kHost}Content-Length: 5\r\n\r\nhello`],
  ])("%s is refused and the connection ends", async (_, text) => {
    const reply = await raw(text);
    // Some of these are no HTTP at all; then an end without a reply is right, too.
    expect(reply.status === 0 || (reply.status >= 400 && reply.status < 500)).toBe(true);
    expect(reply.tookMs).toBeLessThan(7_000);
  });

  test.each([
    ["of 9 KiB", `X-Big: ${"x".repeat(9 * 1024)}`],
    ["of a megabyte", `X-Big: ${"x".repeat(1 << 20)}`],
    ["in thousands", "X: y\r\n".repeat(4_000).trimEnd()],
  ])("with headers %s is refused", async (_, headers) => {
    const reply = await raw(`GET /healthz HTTP/1.1\r\n${kHost}${headers}\r\n\r\n`);
    expect(reply.status).toBeOneOf([0, 400, 431]);
    expect(reply.tookMs).toBeLessThan(7_000);
  });

  test("with a target of 20,000 bytes is refused", async () => {
    const reply = await raw(`GET /${"a".repeat(20_000)} HTTP/1.1\r\n${kHost}\r\n`);
    expect(reply.status).toBeOneOf([0, 400, 414, 431]);
  });

  test("that comes too slowly is cut after five seconds, however far it got", async () => {
    const slow = exchange(server.port, {
      pieces: [...`${kGood.slice(0, -2)}${"X: y\r\n".repeat(40)}`],
      pauseMs: 100,
    });
    const silent = exchange(server.port, { pieces: [] });
    const half = exchange(server.port, { pieces: [kGood.slice(0, 20)] });
    for (const reply of await Promise.all([slow, silent, half])) {
      expect(reply.status).toBeOneOf([0, 408]);
      expect(reply.tookMs).toBeGreaterThan(4_500);
      expect(reply.tookMs).toBeLessThan(6_500);
    }
  });

  test("in two pieces is answered", async () => {
    const reply = await exchange(server.port, { pieces: [kGood.slice(0, 9), kGood.slice(9)], pauseMs: 50 });
    expect(reply.status).toBe(200);
  });

  test("after another on the same connection is answered, too", async () => {
    const reply = await raw(`GET /healthz HTTP/1.1\r\n${kHost}\r\n${kGood}`);
    expect(reply.body.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect(reply.status).toBe(200);
  });
});

describe.concurrent("http: an upgrade", () => {
  const kKey = "dGhlIHNhbXBsZSBub25jZQ==";
  const upgradeLines = (changes: Readonly<Record<string, string | undefined>>): string => {
    const fields: Record<string, string | undefined> = {
      Host: "127.0.0.1",
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Key": kKey,
      "Sec-WebSocket-Version": "13",
      Authorization: `Bearer ${server.token("alice")}`,
      ...changes,
    };
    return Object.entries(fields)
      .flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]))
      .join("");
  };

  test.each([
    ["without a key", { "Sec-WebSocket-Key": undefined }],
    ["of another version", { "Sec-WebSocket-Version": "8" }],
    ["without a version", { "Sec-WebSocket-Version": undefined }],
    ["without Connection: upgrade", { Connection: "close" }],
    ["to something else", { Upgrade: "h2c" }],
  ])("%s does not happen", async (_, changes) => {
    const reply = await raw(`GET /api/ws HTTP/1.1\r\n${upgradeLines(changes)}\r\n`);
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
  });

  test.each([
    ["by POST", "POST", "HTTP/1.1"],
    ["by HEAD", "HEAD", "HTTP/1.1"],
    ["in HTTP/1.0", "GET", "HTTP/1.0"],
  ])("%s does not happen", async (_, method, version) => {
    const reply = await raw(`${method} /api/ws ${version}\r\n${upgradeLines({})}\r\n`);
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
  });

  test("elsewhere than /api/ws does not happen", async () => {
    for (const target of ["/", "/api/ws/", "/api/WS", "/api/ws%00", "//api/ws"]) {
      const reply = await raw(
        `GET ${target} HTTP/1.1\r\n${upgradeLines({ Connection: "Upgrade, close" })}\r\n`,
      );
      expect(reply.status, target).not.toBe(101);
    }
  });

  test("with frames before its answer does not happen", async () => {
    const token = server.token("alice");
    const text = upgradeRequest(server.port, kKey, { token });
    const socket = await RawSocket.open(server.port);
    socket.write(Buffer.concat([Buffer.from(text), encodeFrame({ payload: new Uint8Array(10) })]));
    await socket.ended();
    expect(socket.reply.status).toBe(400);
  });

  test("after a page on the same connection happens", async () => {
    const socket = await RawSocket.open(server.port);
    const replies: string[] = [];
    socket.socket.on("data", (bytes) => replies.push(bytes.toString("latin1")));
    socket.write(`GET /healthz HTTP/1.1\r\n${kHost}\r\n`);
    await sleep(100);
    socket.write(upgradeRequest(server.port, kKey, { token: server.token("alice") }));
    await sleep(200);
    expect(parse(replies.at(-1) ?? "").status).toBe(101);
    socket.destroy();
  });
});

test("http: afterwards an honest client is served as before, and one that comes now, too", async () => {
  const peer = await Peer.live(server.port, server.token("late"));
  peer.subscribe("world");
  await peer.topic("world");
  peer.raw.destroy();
  expect(witness.report()).toMatchObject({ errors: [], reconnects: 0, digestMismatches: 0, state: "live" });
  expect(witness.report().longestGapMs).toBeLessThan(1_000);
});
