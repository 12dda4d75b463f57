import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { initHash, xxh3 } from "../src/fingerprint.js";

const kProgram = fileURLToPath(new URL("../bin/libsync-generate.mjs", import.meta.url));
const kSchema = fileURLToPath(new URL("../../schemas/world.fbs", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "generate-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (args: string[], cwd = folder, env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [kProgram, ...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
  });

describe("libsync-generate", () => {
  test("libsync-generate: writes classes and the fingerprint of the schema", async () => {
    await initHash();
    expect(run([kSchema, "--out", "out/deep"])).toMatchObject({ status: 0, stderr: "" });
    expect(readdirSync(join(folder, "out/deep")).sort()).toEqual(["world_generated.ts", "world_schema.ts"]);
    const code = readFileSync(join(folder, "out/deep/world_generated.ts"), "utf8");
    expect(code).toContain("export class GameState ");
    expect(code).not.toMatch(/from '\.[^']*(?<!\.js)';/);
    spawnSync("flatc", ["-b", "--schema", "-o", folder, kSchema]);
    const fingerprint = xxh3(readFileSync(join(folder, "world.bfbs")))
      .toString(16)
      .padStart(16, "0");
    expect(readFileSync(join(folder, "out/deep/world_schema.ts"), "utf8")).toContain(
      `export const schemaFingerprint: bigint = BigInt("0x${fingerprint}");`,
    );
  });

  test("libsync-generate: gives the same fingerprint from every folder and by every name of the file", () => {
    const other = join(folder, "a", "b");
    mkdirSync(other, { recursive: true });
    copyFileSync(kSchema, join(other, "world.fbs"));
    const results = [
      [kSchema, folder],
      ["world.fbs", other],
      ["./world.fbs", other],
      ["b/world.fbs", join(folder, "a")],
    ].map(([schema = "", cwd = ""], i) => {
      const out = join(folder, `out${i}`);
      expect(run([schema, `--out=${out}`], cwd).status).toBe(0);
      return readFileSync(join(out, "world_schema.ts"), "utf8");
    });
    expect(new Set(results).size).toBe(1);
  });

  test("libsync-generate: says what is wrong", () => {
    expect(run([])).toMatchObject({ status: 2, stderr: expect.stringContaining("usage:") });
    expect(run([kSchema])).toMatchObject({ status: 2 });
    expect(run([kSchema, "--out", "out", "--fast"])).toMatchObject({ status: 2 });
    expect(run(["none.fbs", "--out", "out"])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("no such file"),
    });
    expect(run([kSchema, "--out", "out"], folder, { FLATC: "/nowhere/flatc" })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("needs the FlatBuffers compiler"),
    });
  });
});
