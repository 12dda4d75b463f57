// npm run test:indexeddb: the storage in IndexedDB, in a real browser (CHROMIUM, default /usr/bin/chromium): tabs, what
// they leave and take up, writes as a whole. Prints one line.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const source = new URL("../src/indexeddb-storage.ts", import.meta.url).pathname;
const bundle = await build({
  entryPoints: [source],
  bundle: true,
  format: "iife",
  globalName: "libsync",
  write: false,
});
const script = bundle.outputFiles[0]?.text ?? "";
// From localhost, because Web Locks need a secure context.
const server = createServer((_, reply) => {
  reply.setHeader("content-type", "text/html").end(`<!doctype html><script>${script}</script>`);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  const context = await browser.newContext();
  const openTab = async (name = "user") => {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    return { page, found: await loadIn(page, name) };
  };
  /** What load() gives: "key:bytes". @param {import("playwright-core").Page} page @param {string} name */
  const loadIn = (page, name) =>
    page.evaluate(async (database) => {
      const w = /** @type {any} */ (globalThis);
      w.storage = w.libsync.indexedDbStorage(database);
      const records = await w.storage.load();
      return records.map((/** @type {any} */ { key, value }) => `${key}:${[...value]}`).sort();
    }, name);
  /** @param {import("playwright-core").Page} page @param {[string, number[]][]} records @param {string[]} removed */
  const write = (page, records, removed = []) =>
    page.evaluate(
      async ([all, keys]) => {
        const made = all.map(([key, bytes]) => ({ key, value: Uint8Array.from(bytes) }));
        await /** @type {any} */ (globalThis).storage.write(made, keys);
      },
      /** @type {const} */ ([records, removed]),
    );

  // Two tabs are two clients.
  const a = await openTab();
  const b = await openTab();
  assert.deepEqual([a.found, b.found], [[], []]);
  await write(a.page, [["identity", [1]]]);
  await write(b.page, [
    ["identity", [2]],
    ["action/1", [7, 8]],
    ["action/2", []],
  ]);
  await write(b.page, [["action/3", [9]]], ["action/1"]);
  // A tab that loads again is the client it was.
  await a.page.reload();
  assert.deepEqual(await loadIn(a.page, "user"), ["identity:1"]);
  // A tab that is opened while both are there is a third one; another user's has nothing of theirs.
  const c = await openTab();
  assert.deepEqual(c.found, []);
  const other = await openTab("other");
  assert.deepEqual(other.found, []);
  // What closed tabs left is taken up, that with the most to do first.
  await a.page.close();
  await b.page.close();
  const d = await openTab();
  assert.deepEqual(d.found, ["action/2:", "action/3:9", "identity:2"]);
  const e = await openTab();
  assert.deepEqual(e.found, ["identity:1"]);
  // A write as a whole or not at all: a value that cannot be cloned spoils all of it.
  const failure = await d.page.evaluate(async () => {
    const { storage } = /** @type {any} */ (globalThis);
    const bad = { key: "x", value: () => undefined };
    try {
      await storage.write([{ key: "identity", value: Uint8Array.of(3) }, bad], ["action/3"]);
      return "written";
    } catch (error) {
      return /** @type {Error} */ (error).name;
    }
  });
  assert.equal(failure, "DataCloneError");
  await write(d.page, [["action/4", [4]]]);
  // Closed, the slot is free at once.
  await d.page.evaluate(() => /** @type {any} */ (globalThis).storage.close());
  const f = await openTab();
  assert.deepEqual(f.found, ["action/2:", "action/3:9", "action/4:4", "identity:2"]);
  console.log("test:indexeddb: ok");
} catch (error) {
  console.log(`test:indexeddb: FAILED: ${error instanceof Error ? error.stack : error}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  server.close();
}
