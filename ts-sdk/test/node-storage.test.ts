import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { initHash } from "../src/fingerprint.js";
import { fileStorage } from "../src/node-storage.js";
import { World } from "./client-world.js";
import { makeRandom, randomBytes } from "./support.js";

beforeAll(initHash);

const folder = mkdtempSync(join(tmpdir(), "libsync-storage-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function newPath(): string {
  files += 1;
  return join(folder, `client-${files}.json`);
}

describe("fileStorage", () => {
  test("fileStorage: gives back what was written, all bytes of it, and no more", async () => {
    const path = newPath();
    const storage = fileStorage(path);
    expect(await storage.load()).toEqual([]);
    const bytes = randomBytes(makeRandom(5), 1_000);
    await storage.write([{ key: "a", value: bytes }], []);
    await storage.write([{ key: "b", value: new Uint8Array(0) }], []);
    await storage.write([{ key: "c", value: bytes.subarray(1, 9) }], ["b"]);
    expect(await fileStorage(path).load()).toEqual([
      { key: "a", value: bytes },
      { key: "c", value: bytes.slice(1, 9) },
    ]);
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(readdirSync(folder).filter((name) => name.endsWith(".new"))).toEqual([]);
  });

  test("fileStorage: a crash while it writes leaves what was there before", async () => {
    const path = newPath();
    const storage = fileStorage(path);
    await storage.write([{ key: "a", value: Uint8Array.of(1) }], []);
    const whole = readFileSync(path);
    writeFileSync(`${path}.new`, whole.subarray(0, whole.length / 2));
    const later = fileStorage(path);
    expect(await later.load()).toEqual([{ key: "a", value: Uint8Array.of(1) }]);
    await later.write([{ key: "a", value: Uint8Array.of(2) }], []);
    expect(await fileStorage(path).load()).toEqual([{ key: "a", value: Uint8Array.of(2) }]);
  });

  test("fileStorage: a write that fails changes nothing", async () => {
    const path = join(folder, "missing", "client.json");
    const storage = fileStorage(path);
    await expect(storage.write([{ key: "a", value: Uint8Array.of(1) }], [])).rejects.toThrow(/ENOENT/);
    expect(await storage.load()).toEqual([]);
  });

  test.each([
    ["is no text of it", "libsync"],
    ["has another format", '{"format":2,"records":[]}'],
  ])("fileStorage: does not take a file that %s for an empty one", async (_, text) => {
    const path = newPath();
    writeFileSync(path, text);
    await expect(fileStorage(path).load()).rejects.toThrow();
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("fileStorage: a program that starts again is the same client, with the actions it had", async () => {
    const path = newPath();
    const world = new World({ storage: fileStorage(path) });
    const action = world.client.act(Uint8Array.of(1, 2));
    await action.stored;
    world.client.close();
    const later = new World({ storage: fileStorage(path) });
    const [restored] = await later.client.restoredActions();
    expect(restored?.id).toBe(action.id);
    // Real files take real time.
    while (later.sockets.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await later.settled();
    while (later.sent().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(later.sent()).toEqual(["1:1,2"]);
    later.client.close();
  });
});
