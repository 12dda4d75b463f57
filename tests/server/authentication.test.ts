// Who gets in, how the token may travel, and that nothing of it is written down.

import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Peer } from "./kit/peer.js";
import { RawSocket, type UpgradeOptions } from "./kit/raw-socket.js";
import { CloseCode, ErrorCode, wire } from "./kit/sdk.js";
import { ServerProcess } from "./kit/server-process.js";
import { base64url, makeToken, nowSeconds, type TokenParts } from "./kit/tokens.js";
import { until } from "./kit/wait.js";

let strict: ServerProcess;
let dev: ServerProcess;
/** Signatures of all tokens that were shown to a server. */
const shown: string[] = [];

beforeAll(async () => {
  const args = ["--handshakes-per-second", "10000", "--max-connections-per-address", "1000"];
  [strict, dev] = await Promise.all([ServerProcess.start({ args }), ServerProcess.start({ dev: true })]);
});

afterAll(async () => {
  await Promise.all([strict?.stop(), dev?.stop()]);
});

async function upgrade(server: ServerProcess, options: UpgradeOptions): Promise<RawSocket> {
  shown.push(options.token?.split(".")[2] ?? "");
  return RawSocket.upgrade(server.port, options);
}

/** HTTP 401 with a typed error, the end of the connection, and a line in the log that says why. */
async function expectRefused(server: ServerProcess, options: UpgradeOptions): Promise<void> {
  const raw = await upgrade(server, options);
  expect(raw.reply.status).toBe(401);
  expect(raw.reply.headers.get("www-authenticate")).toBe("Bearer");
  expect(JSON.parse(raw.reply.body)).toMatchObject({ error: { code: ErrorCode.kUnauthenticated } });
  await raw.ended();
  raw.destroy();
  const lines = await until("the refusal in the log", () => {
    const found = server.logAbout(raw.peer);
    return found.length > 0 && found;
  });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/ ERROR conn=\d+ peer=\S+ code=2001 name=kUnauthenticated detail=/);
}

const kRight = { iss: "libsync", aud: "libsync", sub: "mallory" };
const later = nowSeconds() + 3600;

/** Tokens that are good but for one point. */
const kWrong: readonly (readonly [string, TokenParts])[] = [
  ["expired beyond the leeway", { claims: { exp: nowSeconds() - 31 } }],
  ["without exp", { claims: { exp: undefined } }],
  ["with exp as text", { claims: { exp: `${later}` } }],
  ["with a fraction in exp", { payload: JSON.stringify({ ...kRight, exp: later + 0.5 }) }],
  [
    "with exp beyond any number",
    { payload: `{"iss":"libsync","aud":"libsync","sub":"mallory","exp":1e999}` },
  ],
  ["with a negative exp", { claims: { exp: -1 } }],
  ["not yet valid (nbf)", { claims: { nbf: nowSeconds() + 3600 } }],
  ["issued in the future (iat)", { claims: { iat: nowSeconds() + 3600 } }],
  ["of another audience", { claims: { aud: "elsewhere" } }],
  ["of a list of other audiences", { claims: { aud: ["elsewhere", "libsync2"] } }],
  ["without an audience", { claims: { aud: undefined } }],
  ["of another issuer", { claims: { iss: "mallory" } }],
  ["without an issuer", { claims: { iss: undefined } }],
  ["without a subject", { claims: { sub: undefined } }],
  ["with an empty subject", { claims: { sub: "" } }],
  ["with a subject that is a path", { claims: { sub: "alice/../bob" } }],
  ["with a subject of two lines", { claims: { sub: "alice\nERROR forged" } }],
  ["with a subject of 129 bytes", { claims: { sub: "a".repeat(129) } }],
  ["with a number as subject", { claims: { sub: 7 } }],
  ["with a claim twice", { payload: `{"iss":"libsync","aud":"libsync","sub":"a","sub":"b","exp":${later}}` }],
  ["whose payload is a list", { payload: "[]" }],
  ["whose payload is no JSON", { payload: "{" }],
  ["signed with another key", { key: new Uint8Array(32).fill(7) }],
  ["signed with an empty key", { key: new Uint8Array(0) }],
  ["that names RS256 but is an HMAC", { header: { alg: "RS256", typ: "JWT" } }],
  ["signed as HS512", { header: { alg: "HS512" }, hash: "sha512" }],
  ["that names HS512 but is HS256", { header: { alg: "HS512" } }],
  ["that names hs256 in small letters", { header: { alg: "hs256" } }],
  ["that names none but is signed", { header: { alg: "none" } }],
  ["without alg", { header: { typ: "JWT" } }],
  ["with alg as a list", { header: { alg: ["HS256"] } }],
  ["with an embedded key", { header: { alg: "HS256", jwk: { kty: "oct", k: "AAAA" } } }],
  ["with the address of a key", { header: { alg: "HS256", jku: "http://127.0.0.1:1/keys" } }],
  ["with the address of a certificate", { header: { alg: "HS256", x5u: "http://127.0.0.1:1/cert" } }],
  ["with crit", { header: { alg: "HS256", crit: ["exp"] } }],
  ["of the type of an ID token", { header: { alg: "HS256", typ: "ID" } }],
  ["of 5 KiB", { claims: { note: "x".repeat(5 * 1024) } }],
];

describe.concurrent("authentication: a token is refused", () => {
  test.each(kWrong)("%s", async (_, parts) => {
    await expectRefused(strict, { token: makeToken(strict.key, "mallory", parts) });
  });

  test("that is absent", () => expectRefused(strict, {}));

  const now = nowSeconds();
  const unsigned = `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify({ ...kRight, exp: now + 3600 }))}`;
  test.each([
    ["that is empty", ""],
    ["that is garbage", "garbage"],
    ["of dots", ".."],
    ["of two parts", unsigned],
    ["that names none, unsigned", `${unsigned}.`],
    ["of four parts", `${unsigned}.AAAA.AAAA`],
    ["of 3,000 dots", ".".repeat(3_000)],
  ])("%s", (_, token) => expectRefused(strict, { token }));

  test("whose signature is cut, padded, flipped or followed by something", async () => {
    const token = makeToken(strict.key, "mallory");
    const spaced = ["\t", "%20", "\u00e9"].map((end) => token + end);
    const last = token.at(-1) === "A" ? "B" : "A"; // the unused bits of the last character
    const signature = token.split(".")[2] ?? "";
    const flipped = Buffer.from(signature, "base64url");
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    const forged = token.slice(0, -signature.length) + base64url(flipped);
    for (const wrong of [
      token.slice(0, -1),
      `${token}=`,
      `${token}.`,
      `${token}A`,
      ...spaced.slice(1),
      forged,
    ]) {
      await expectRefused(strict, { token: wrong });
    }
    await expectRefused(strict, { token: token.slice(0, -2) + last + last });
  });

  test("of another server's key, which is as good as ours", async () => {
    await expectRefused(strict, { token: dev.token("mallory") });
  });

  test("that was signed with the key's hexadecimal text", async () => {
    const hex = Buffer.from(Buffer.from(strict.key).toString("hex"));
    await expectRefused(strict, { token: makeToken(hex, "mallory") });
  });

  test("in the query, unless the operator switched it on", async () => {
    await expectRefused(strict, { token: strict.token("alice"), by: "query" });
  });

  test("under another scheme, beside a second one, or behind a bad one", async () => {
    const good = strict.token("alice");
    await expectRefused(strict, { headers: [`Authorization: Basic ${base64url(`alice:${good}`)}`] });
    await expectRefused(strict, { token: good, headers: [`Authorization: Bearer ${good}`] });
    await expectRefused(strict, {
      token: good,
      by: "subprotocol",
      headers: ["Authorization: Bearer garbage"],
    });
    await expectRefused(strict, {
      headers: [`Sec-WebSocket-Protocol: libsync.v1, libsync.jwt.${good}, libsync.jwt.${good}`],
    });
    await expectRefused(strict, { headers: [`Cookie: token=${good}; access_token=${good}`] });
  });
});

describe.concurrent("authentication: a good token opens a session", () => {
  test("sent as a header", async () => {
    const raw = await upgrade(strict, { token: strict.token("alice") });
    expect(raw.reply.status).toBe(101);
    expect(raw.reply.headers.has("sec-websocket-protocol")).toBe(false);
    raw.destroy();
  });

  test("sent as a subprotocol, of which only libsync.v1 comes back", async () => {
    const raw = await upgrade(strict, { token: strict.token("alice"), by: "subprotocol" });
    expect(raw.reply.status).toBe(101);
    expect(raw.reply.headers.get("sec-websocket-protocol")).toBe("libsync.v1");
    raw.destroy();
  });

  test("sent in the query, where the operator switched it on", async () => {
    const raw = await upgrade(dev, { token: dev.token("alice"), by: "query" });
    expect(raw.reply.status).toBe(101);
    raw.destroy();
  });

  test("made by --mint-token", async () => {
    const token = strict.mintToken("Ada Lovelace");
    const peer = await Peer.live(strict.port, token);
    shown.push(token.split(".")[2] ?? "");
    peer.subscribe("player/Ada Lovelace");
    await peer.topic("player/Ada Lovelace");
    peer.raw.destroy();
  });

  test("with several audiences, a type of RFC 9068 and claims nobody asked for", async () => {
    const token = makeToken(strict.key, "alice", {
      header: { typ: "at+jwt", alg: "HS256", kid: "../../etc/passwd" },
      claims: { aud: ["elsewhere", "libsync"], scope: "all", nested: { sub: "bob" } },
    });
    const raw = await upgrade(strict, { token });
    expect(raw.reply.status).toBe(101);
    raw.destroy();
  });

  test("and compression is never agreed on", async () => {
    const headers = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];
    const raw = await upgrade(strict, { token: strict.token("alice"), headers });
    expect(raw.reply.status).toBe(101);
    expect(raw.reply.headers.has("sec-websocket-extensions")).toBe(false);
    raw.destroy();
  });

  test("which ends within a second of the token's end and its grace", async () => {
    // 25 s of grace: this one has a second or two left.
    const peer = await Peer.live(strict.port, strict.token("late", { claims: { exp: nowSeconds() - 23 } }));
    const startedMs = performance.now();
    const farewell = await peer.message(wire.DisconnectT);
    expect(performance.now() - startedMs).toBeLessThan(3_500);
    expect(farewell.code).toBe(ErrorCode.kTokenExpired);
    expect(farewell.reconnect).toBe(true);
    await until("the close", () => peer.raw.close);
    expect(peer.raw.close?.code).toBe(CloseCode.kTokenExpired);
    peer.raw.destroy();
  });
});

describe("authentication: nothing is left of those who were refused", () => {
  test("no session and no connection", async () => {
    const before = await until("an idle server", async () => {
      const stats = await dev.stats();
      return stats.connections === 0 && stats.sessions === 0 && stats;
    });
    for (let i = 0; i < 20; i += 1) await expectRefused(dev, { token: `garbage${i}` });
    const after = await until("as few connections as before", async () => {
      const stats = await dev.stats();
      return stats.http <= before.http && stats.fds <= before.fds && stats;
    });
    expect(after).toMatchObject({
      connections: 0,
      sessions: 0,
      users: 0,
      players: 0,
      updates_sent: before.updates_sent,
    });
  });

  test("no token and no signature in any log", () => {
    const signatures = shown.filter((signature) => signature.length > 20);
    expect(signatures.length).toBeGreaterThan(40);
    for (const server of [strict, dev]) {
      const log = server.log();
      expect(log).toContain("kUnauthenticated");
      const key = Buffer.from(server.key).toString("hex");
      for (const secret of [...signatures, key, "libsync.jwt.", "eyJ"]) expect(log).not.toContain(secret);
      expect(server.output).not.toContain(key);
    }
    for (const signature of signatures) expect(strict.output).not.toContain(signature);
  });

  test("the key is its owner's alone to read", async () => {
    const { statSync } = await import("node:fs");
    expect(statSync(`${strict.folders.data}/dev-jwt.key`).mode & 0o077).toBe(0);
    expect(createHmac("sha256", strict.key).digest()).toHaveLength(32);
    expect(strict.key.length).toBeGreaterThanOrEqual(32);
  });
});
