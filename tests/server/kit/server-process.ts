// One libsync-server with folders of its own. Whatever a test does or forgets, it ends with the test's process.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "./http.js";
import { freePort } from "./ports.js";
import { makeToken, type TokenParts } from "./tokens.js";
import { until, within } from "./wait.js";

const kProgram = resolve(
  process.env["LIBSYNC_SERVER"] ??
    fileURLToPath(new URL("../../../build/release/bin/libsync-server", import.meta.url)),
);

/** What the tests use of GET /debug/stats. */
export interface Stats {
  readonly connections: number;
  readonly sessions: number;
  readonly http: number;
  readonly admitted: number;
  readonly users: number;
  readonly players: number;
  readonly subscriptions: number;
  readonly timers: number;
  readonly fds: number;
  readonly rss_bytes: number;
  readonly ticks: number;
  readonly ticks_skipped: number;
  readonly tick_us_max: number;
  readonly updates_sent: number;
  readonly state_bytes_sent: number;
  readonly patches_encoded: number;
  readonly fulls_encoded: number;
  readonly chunk_diffs_encoded: number;
  readonly topics: Readonly<Record<string, TopicStats | undefined>>;
}

export interface TopicStats {
  /** 16 hex digits each. */
  readonly epoch: string;
  readonly digest: string;
  readonly version: number;
  readonly snapshot_bytes: number;
  readonly subscriptions: number;
  readonly patch_bytes_total: number;
  readonly full_bytes_total: number;
  readonly updates: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly tookMs: number;
}

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcess>();
/** Where programs run: what one makes by mistake is not left in the source tree. */
const scratch = mkdtempSync(join(tmpdir(), "libsync-test-"));
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

/** Runs the program to its end. */
export function runProgram(args: readonly string[], env: Readonly<Record<string, string>> = {}): Finished {
  const done = spawnSync(kProgram, args, {
    encoding: "utf8",
    timeout: 10_000,
    cwd: scratch,
    env: { ...process.env, ...env },
  });
  if (done.error !== undefined) throw done.error;
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** Folders for one server's data and logs, over as many starts as a test needs. */
export class ServerFolders {
  readonly root = mkdtempSync(join(tmpdir(), "libsync-test-"));
  readonly data = join(this.root, "data");
  readonly logs = join(this.root, "logs");

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

export interface ServerOptions {
  readonly dev?: boolean;
  readonly args?: readonly string[];
  /** Default: new ones, removed by stop() or kill(). */
  readonly folders?: ServerFolders;
  /** Default: a free one. */
  readonly port?: number;
  /** Descriptors that the process may have. Default: what this process may. */
  readonly maxFds?: number;
}

export class ServerProcess {
  readonly port: number;
  readonly folders: ServerFolders;
  readonly child: ChildProcess;
  /** What it printed. */
  output = "";
  readonly #ownsFolders: boolean;
  readonly #exited: Promise<Omit<Exit, "tookMs">>;
  #key: Uint8Array | undefined;

  private constructor(port: number, folders: ServerFolders, options: ServerOptions) {
    this.port = port;
    this.folders = folders;
    this.#ownsFolders = options.folders === undefined;
    const args = ["--port", `${port}`, "--data-dir", folders.data, "--log-dir", folders.logs];
    if (options.dev === true) args.push("--dev");
    args.push(...(options.args ?? []));
    // The kernel kills it should this process die without a chance to.
    const command = ["setpriv", "--pdeathsig", "KILL", "--", kProgram, ...args];
    if (options.maxFds !== undefined) command.unshift("prlimit", `--nofile=${options.maxFds}`);
    this.child = spawn(command[0] ?? "", command.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: scratch,
    });
    running.add(this.child);
    const keep = (text: Buffer): void => {
      this.output += text.toString("utf8");
    };
    this.child.stdout?.on("data", keep);
    this.child.stderr?.on("data", keep);
    this.#exited = new Promise((resolve) => {
      this.child.once("exit", (code, signal) => {
        running.delete(this.child);
        resolve({ code, signal });
      });
    });
  }

  /** Starts one and waits until it answers. */
  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    if (!existsSync(kProgram))
      throw new Error(`no ${kProgram}: script/build libsync-server, or set LIBSYNC_SERVER`);
    const port = options.port ?? (await freePort());
    const server = new ServerProcess(port, options.folders ?? new ServerFolders(), options);
    try {
      await until("GET /healthz", () => server.#isHealthy(), 10_000, 10);
    } catch (error) {
      await server.kill();
      throw new Error(`the server did not start: ${String(error)}\n${server.output}`);
    }
    return server;
  }

  async #isHealthy(): Promise<boolean> {
    if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}`);
    return (await request(this.port, "GET", "/healthz")).status === 200;
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error("not running");
    return this.child.pid;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/api/ws`;
  }

  /** The key that signs tokens. */
  get key(): Uint8Array {
    this.#key ??= Buffer.from(readFileSync(join(this.folders.data, "dev-jwt.key"), "utf8").trim(), "hex");
    return this.#key;
  }

  token(user: string, parts: TokenParts = {}): string {
    return makeToken(this.key, user, parts);
  }

  /** A token as the program itself makes it. */
  mintToken(user: string): string {
    const done = runProgram(["--mint-token", user, "--data-dir", this.folders.data]);
    if (done.status !== 0) throw new Error(`--mint-token: ${done.stderr}`);
    return done.stdout.trimEnd().split("\n").at(-1) ?? "";
  }

  /** Only with `dev`. */
  async stats(): Promise<Stats> {
    const reply = await request(this.port, "GET", "/debug/stats");
    if (reply.status !== 200) throw new Error(`GET /debug/stats: HTTP ${reply.status}`);
    return JSON.parse(reply.body) as Stats;
  }

  /** Resident bytes as the kernel counts them. */
  rssBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** Seconds of processor time that it used so far. */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // the third field of proc(5) is the first here
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** All log files of this server's folder, in one text. */
  log(): string {
    return readLogs(this.folders.logs);
  }

  /** Lines of the log about the client's end `peer`, "127.0.0.1:PORT". */
  logAbout(peer: string): string[] {
    return this.log()
      .split("\n")
      .filter((line) => line.includes(` peer=${peer} `));
  }

  /** Sends the signal and waits for the end; the folders of its own go too. */
  async end(signal: NodeJS.Signals, timeoutMs = 10_000): Promise<Exit> {
    const startedMs = performance.now();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    try {
      const exit = await within(`the end after ${signal}`, timeoutMs, this.#exited);
      return { ...exit, tookMs: performance.now() - startedMs };
    } finally {
      if (running.has(this.child)) this.child.kill("SIGKILL");
      if (this.#ownsFolders) this.folders.remove();
    }
  }

  /** SIGTERM. Throws unless it ends cleanly. */
  async stop(): Promise<Exit> {
    const exit = await this.end("SIGTERM");
    if (exit.code !== 0)
      throw new Error(`the server ended with ${exit.code ?? exit.signal}:\n${this.output}`);
    return exit;
  }

  async kill(): Promise<Exit> {
    return this.end("SIGKILL");
  }
}

export function readLogs(folder: string): string {
  if (!existsSync(folder)) return "";
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");
}
