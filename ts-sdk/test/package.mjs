// npm run test:package: packs the package, installs it into an empty Vite + TypeScript app as a user would, generates
// code for a schema with the installed tool, type-checks strictly, the examples of both READMEs too, and builds. Prints
// one line.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { name, version, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const app = mkdtempSync(join(tmpdir(), "libsync-package-"));

/** @param {string} program @param {readonly string[]} args @param {string} cwd */
function run(program, args, cwd = app) {
  try {
    return execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout: string; stderr: string }} */ (error);
    throw new Error(`${program} ${args.join(" ")}\n${stdout}${stderr}`);
  }
}

/** What the example of the SDK's own README leaves to the reader. */
const kKnown = "declare const token: string;\ndeclare const payload: Uint8Array;\n";

/** The first TypeScript block of a Markdown file. @param {string} file */
function exampleOf(file) {
  const block = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, file), "utf8"))?.[1];
  if (block === undefined) throw new Error(`${file} has no TypeScript example`);
  return block;
}

/** Every option that a strict template of Vite turns on, and no skipLibCheck: our declarations are checked too. */
const kCompilerOptions = {
  target: "ES2022",
  lib: ["ES2023", "DOM"],
  types: [],
  module: "esnext",
  moduleResolution: "bundler",
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
  noUncheckedSideEffectImports: true,
  noEmit: true,
};

const kMain = `
import { type ConnectionState, applyPatch, connect, initHash, makeSnapshot, SyncError } from "@libsync/sdk";
import { ByteBuffer } from "flatbuffers";
import { GameState } from "./generated/world_generated";
import { schemaFingerprint } from "./generated/world_schema";

export async function main(token: string): Promise<number> {
  await initHash();
  const client = connect({ url: "ws://127.0.0.1:1/api/ws", getToken: () => token, schemaFingerprint, webSocket: WebSocket });
  const world = client.topic("world", (bytes) => GameState.getRootAsGameState(new ByteBuffer(bytes)));
  const remove = world.subscribe(() => console.log(world.getSnapshot()?.value.bodiesLength()));
  const state: ConnectionState = client.connection.getSnapshot();
  try {
    applyPatch(makeSnapshot(new Uint8Array(0)), new Uint8Array(0), { maxSnapshotBytes: 1024 });
  } catch (error) {
    if (error instanceof SyncError && error.code === "kMalformed") console.log(state.state);
  }
  remove();
  client.close();
  return client.stats().updates;
}
document.title = String(await main("token"));
`;

try {
  const started = Date.now();
  run("npm", ["pack", "--silent", "--pack-destination", app], root);
  const tarball = readdirSync(app).find((file) => file.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack wrote no tarball");
  const { kSdkVersion } = await import(join(root, "dist/index.js"));
  if (kSdkVersion !== version) throw new Error(`kSdkVersion is ${kSdkVersion}, package.json says ${version}`);

  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  const tools = [`typescript@${devDependencies.typescript}`, `vite@${devDependencies.vite}`];
  run("npm", [
    "install",
    "--silent",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    `./${tarball}`,
    ...tools,
  ]);
  mkdirSync(join(app, "src"));
  run("npx", ["libsync-generate", join(root, "../schemas/world.fbs"), "--out", "src/generated"]);
  writeFileSync(join(app, "src/main.ts"), kMain);
  writeFileSync(join(app, "src/readme.ts"), exampleOf("../README.md"));
  writeFileSync(join(app, "src/readme-of-sdk.ts"), `${kKnown}${exampleOf("README.md")}`);
  writeFileSync(join(app, "index.html"), '<script type="module" src="/src/main.ts"></script>');
  writeFileSync(
    join(app, "tsconfig.json"),
    JSON.stringify({ compilerOptions: kCompilerOptions, include: ["src"] }),
  );
  run("npx", ["tsc"]);
  run("npx", ["vite", "build", "--logLevel", "error"]);

  const [script] = readdirSync(join(app, "dist/assets")).filter((file) => file.endsWith(".js"));
  if (script === undefined) throw new Error("vite wrote no script");
  const packed = Math.round(statSync(join(app, tarball)).size / 1024);
  const built = Math.round(statSync(join(app, "dist/assets", script)).size / 1024);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(
    `test:package: ok, ${name} ${version}: ${packed} KiB packed, app of ${built} KiB, ${seconds} s`,
  );
} catch (error) {
  console.log(`test:package: FAILED: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  rmSync(app, { recursive: true, force: true });
}
