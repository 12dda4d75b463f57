// The program from outside: options, exit statuses, signals.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connectUser, live, worldOf } from "./kit/honest.js";
import { Peer } from "./kit/peer.js";
import { freePort } from "./kit/ports.js";
import { RawSocket } from "./kit/raw-socket.js";
import { runProgram, ServerFolders, ServerProcess } from "./kit/server-process.js";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function newFolders(): ServerFolders {
  const folders = new ServerFolders();
  cleanUps.push(() => folders.remove());
  return folders;
}

/** The folders as arguments, so that nothing is made elsewhere. */
function inFolders(folders: ServerFolders): string[] {
  return ["--data-dir", folders.data, "--log-dir", folders.logs];
}

describe("command line", () => {
  test("--help lists every option with what it means", () => {
    const done = runProgram(["--help"]);
    expect(done.status).toBe(0);
    expect(done.stderr).toBe("");
    for (const option of [
      "--help",
      "--version",
      "--port",
      "--bind",
      "--data-dir",
      "--log-dir",
      "--page-dir",
      "--shards",
      "--dev",
      "--mint-token",
      "--token-ttl",
      "--jwt-key-file",
      "--jwt-issuer",
      "--jwt-audience",
      "--tick-ms",
      "--save-interval",
      "--max-sessions-per-user",
      "--max-connections",
      "--max-connections-per-address",
      "--handshakes-per-second",
    ]) {
      expect(done.stdout).toMatch(new RegExp(`${option}\\b[^\\n]*\\s[\\s\\S]`));
    }
  });

  test("--version is a name and a number", () => {
    const done = runProgram(["--version"]);
    expect(done).toMatchObject({ status: 0, stderr: "" });
    expect(done.stdout).toMatch(/^libsync-server \d+\.\d+\.\d+\n$/);
  });

  test.each([
    [["--no-such-option"]],
    [["--port"]],
    [["--port", "banana"]],
    [["--port", "65536"]],
    [["--port", "-1"]],
    [["--bind", "localhost:80"]],
    [["--bind", "999.1.1.1"]],
    [["--shards", "0"]],
    [["--tick-ms", "0"]],
    [["--save-interval", "-1"]],
    [["--max-connections", "0"]],
    [["--mint-token", ""]],
    [["--mint-token", "a/b"]],
    [["--mint-token", "a\nb"]],
    [["--mint-token", "x".repeat(129)]],
    [["--token-ttl", "0", "--mint-token", "a"]],
    [["surplus"]],
  ])("%j is refused with status 2 and a text", (args) => {
    const done = runProgram(args);
    expect(done.status).toBe(2);
    expect(done.stderr.trim()).not.toBe("");
    expect(done.stdout).toBe("");
  });

  test("a bad value in the environment is refused as one on the command line", () => {
    const done = runProgram([], { LIBSYNC_PORT: "banana" });
    expect(done.status).toBe(2);
  });

  test("--mint-token prints a token that opens a session, and makes the key when it is missing", async () => {
    const folders = newFolders();
    const minted = runProgram(["--mint-token", "ada", "--data-dir", folders.data]);
    expect(minted.status).toBe(0);
    const token = minted.stdout.trimEnd().split("\n").at(-1) ?? "";
    const server = await ServerProcess.start({ folders });
    cleanUps.push(() => server.kill());
    const peer = await Peer.live(server.port, token);
    cleanUps.push(() => peer.raw.destroy());
    peer.subscribe("player/ada");
    await peer.topic("player/ada");
    const short = runProgram(["--mint-token", "ada", "--token-ttl", "60", "--data-dir", folders.data]);
    const claims = JSON.parse(
      Buffer.from(short.stdout.trimEnd().split("\n").at(-1)?.split(".")[1] ?? "", "base64url").toString(
        "utf8",
      ),
    ) as { exp: number; iat: number; sub: string };
    expect(claims).toMatchObject({ sub: "ada", exp: claims.iat + 60 });
    await server.stop();
  });

  test("a token for another issuer and audience opens only the server that wants them", async () => {
    const folders = newFolders();
    const args = ["--jwt-issuer", "elsewhere", "--jwt-audience", "game"];
    const minted = runProgram(["--mint-token", "ada", "--data-dir", folders.data, ...args]);
    const token = minted.stdout.trimEnd().split("\n").at(-1) ?? "";
    const server = await ServerProcess.start({ folders, args });
    cleanUps.push(() => server.kill());
    const good = await RawSocket.upgrade(server.port, { token });
    const bad = await RawSocket.upgrade(server.port, { token: server.token("ada") });
    cleanUps.push(() => good.destroy());
    cleanUps.push(() => bad.destroy());
    expect([good.reply.status, bad.reply.status]).toEqual([101, 401]);
    await server.stop();
  });

  test("--dev prints a link with a token that works", async () => {
    const server = await ServerProcess.start({ dev: true });
    cleanUps.push(() => server.kill());
    const [, url, token = ""] = /(http:\/\/\S+)\/#token=(\S+)/.exec(server.output) ?? [];
    expect(url).toBe(`http://127.0.0.1:${server.port}`);
    const raw = await RawSocket.upgrade(server.port, { token });
    cleanUps.push(() => raw.destroy());
    expect(raw.reply.status).toBe(101);
    await server.stop();
  });

  test("a busy port ends the start with status 1 and says which", async () => {
    const server = await ServerProcess.start();
    cleanUps.push(() => server.kill());
    const done = runProgram(["--port", `${server.port}`, ...inFolders(newFolders())]);
    expect(done.status).toBe(1);
    expect(done.stderr).toContain(`${server.port}`);
    expect(done.stderr).toMatch(/in use/i);
    await server.stop();
  });

  test("folders that cannot be written end the start with status 1 and a text", () => {
    for (const [option, other] of [
      ["--data-dir", "--log-dir"],
      ["--log-dir", "--data-dir"],
    ] as const) {
      const done = runProgram(["--port", "0", option, "/proc/nowhere", other, newFolders().data]);
      expect(done.status, option).toBe(1);
      expect(done.stderr, option).toContain("libsync-server: ");
      expect(done.stderr, option).toContain("/proc/nowhere");
    }
  });

  test("a key that others may read, or that is none, ends the start with status 1", async () => {
    const { chmodSync, writeFileSync } = await import("node:fs");
    const folders = newFolders();
    mkdirSync(folders.root, { recursive: true });
    const path = join(folders.root, "key");
    const args = ["--port", "0", "--jwt-key-file", path, ...inFolders(folders)];
    for (const [mode, text] of [
      [0o644, "ab".repeat(32)],
      [0o600, "ab".repeat(31)],
      [0o600, "not hexadecimal at all, but as long as the hexadecimal digits of a key"],
      [0o600, ""],
    ] as const) {
      writeFileSync(path, text);
      chmodSync(path, mode);
      const done = runProgram(args);
      expect(done.status).toBe(1);
      expect(done.stderr).toContain(path);
      if (text !== "") expect(done.stderr).not.toContain(text);
    }
  });
});

describe("command line: signals", () => {
  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends it within three seconds with status 0",
    async (signal) => {
      const server = await ServerProcess.start();
      cleanUps.push(() => server.kill());
      const clients = Array.from({ length: 5 }, (_, i) => connectUser(server, `user${i}`));
      for (const client of clients) {
        cleanUps.push(() => client.close());
        worldOf(client);
        await live(client);
      }
      const exit = await server.end(signal);
      expect(exit).toMatchObject({ code: 0, signal: null });
      expect(exit.tookMs).toBeLessThan(3_000);
    },
  );

  test("a second start on the same port and data is ready within a second of the end", async () => {
    const folders = newFolders();
    const port = await freePort();
    for (let i = 0; i < 3; i += 1) {
      const startedMs = performance.now();
      const server = await ServerProcess.start({ folders, port });
      cleanUps.push(() => server.kill());
      expect(performance.now() - startedMs).toBeLessThan(1_000);
      // A connection that the server ends leaves its port in TIME_WAIT.
      const raw = await RawSocket.connect(port, server.token("first"));
      cleanUps.push(() => raw.destroy());
      await server.stop();
    }
  });

  test("a signal right after the start ends it as cleanly", async () => {
    const folders = newFolders();
    const server = await ServerProcess.start({ folders });
    const exit = await server.end("SIGTERM");
    expect(exit.code).toBe(0);
    const log = readFileSync(join(folders.logs, "websocket.log"), "utf8");
    expect(log.trimEnd().split("\n").at(-1)).toContain("stopped");
    expect(log).not.toContain(" ERROR ");
  });
});
