// What the browser tests stand on: a server of their own, a browser, pages that report what goes wrong in them.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
// Playwright belongs to the SDK's packages; the tests need none of their own.
const { chromium } = createRequire(join(root, "ts-sdk/package.json"))("playwright-core");

/** @param {string | undefined} path @param {string} otherwise */
const pathOr = (path, otherwise) =>
  path ? join(path.startsWith("/") ? "" : process.cwd(), path) : join(root, otherwise);
const program = pathOr(process.env.LIBSYNC_SERVER, "build/release/bin/libsync-server");
const pageFolder = pathOr(process.env.LIBSYNC_PAGE, "build/release/share/libsync/universe");
const screenshotFolder = join(root, "build/screenshots");
const chromiumProgram = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Resolves when `condition` gives something true; asks again each 25 ms. @template T
 *  @param {() => T | Promise<T>} condition @param {string} what @param {number} timeoutMs @returns {Promise<T>} */
export async function until(condition, what, timeoutMs = 10_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(25);
  }
}

/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @returns {Promise<number>} a TCP port that is free now */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
    probe.on("error", reject);
  });
}

/** The server with folders of its own, on a port that it keeps over restarts. */
export class TestServer {
  folder = mkdtempSync(join(tmpdir(), "libsync-browser-"));
  port = 0;
  /** @type {import("node:child_process").ChildProcess | undefined} */
  process;
  output = "";

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start() {
    if (this.port === 0) this.port = await freePort();
    const args = ["--port", String(this.port), "--dev", "--page-dir", pageFolder, ...this.#folders()];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        this.output = (this.output + chunk).slice(-20_000);
      });
    }
    let failure = "";
    child.on("error", (error) => {
      failure = error.message;
    });
    child.on("exit", (code, signal) => {
      failure = `ended with ${code ?? signal}`;
    });
    const isReady = () => {
      if (failure !== "") throw new Error(`${program} ${args.join(" ")}: ${failure}\n${this.output}`);
      return fetch(`${this.url}/healthz`).then(
        (reply) => reply.ok,
        () => false,
      );
    };
    await until(isReady, "the server answers /healthz", 15_000);
  }

  /** Asks it to end, as an operator would, and waits. */
  async stop() {
    const child = this.process;
    this.process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const killer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(killer);
  }

  /** @param {string} user */
  mintToken(user) {
    const made = spawnSync(program, ["--mint-token", user, ...this.#folders()], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`--mint-token: ${made.error?.message ?? made.stderr}`);
    return made.stdout.trim();
  }

  /** @returns {Promise<any>} GET /debug/stats */
  async stats() {
    const reply = await fetch(`${this.url}/debug/stats`);
    if (!reply.ok) throw new Error(`/debug/stats: ${reply.status}`);
    return reply.json();
  }

  async dispose() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #folders() {
    return ["--data-dir", join(this.folder, "data"), "--log-dir", join(this.folder, "logs")];
  }
}

export function launchBrowser() {
  return chromium.launch({
    executablePath: chromiumProgram,
    args: [
      ..."--no-sandbox --disable-dev-shm-usage --disable-gpu --disable-background-networking --no-first-run".split(
        " ",
      ),
      // Both pages are looked at in turns; neither may be slowed because the other one has the focus.
      ..."--disable-backgrounding-occluded-windows --disable-renderer-backgrounding".split(" "),
      "--disable-background-timer-throttling",
    ],
  });
}

/** A page in a context of its own, and all that went wrong in it.
 *  @param {any} browser @param {string} url @param {object} options of the context */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("console", (/** @type {any} */ message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (/** @type {Error} */ error) => problems.push(`page: ${error.stack}`));
  page.on("requestfailed", (/** @type {any} */ request) => problems.push(`request: ${request.url()}`));
  page.on("request", (/** @type {any} */ request) => {
    if (new URL(request.url()).host !== new URL(url).host) problems.push(`foreign request: ${request.url()}`);
  });
  await page.goto(url);
  return { context, page, problems };
}

/** @param {any} page */
export async function untilLive(page, timeoutMs = 15_000) {
  await page.waitForFunction(
    () =>
      window.__libsync?.client.connection.getSnapshot().state === "live" &&
      window.__libsync.painted.bodies > 0,
    undefined,
    { timeout: timeoutMs },
  );
}

/** @param {any} page @param {string} name */
export async function takeScreenshot(page, name) {
  mkdirSync(screenshotFolder, { recursive: true });
  const path = join(screenshotFolder, `${name}.png`);
  await page.screenshot({ path });
  return path;
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
