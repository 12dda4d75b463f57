// @libsync/sdk/node: a client's storage in a file, for programs on Node.

import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { ClientStorage, StoredRecord } from "./client-store.js";

const kFormat = 1;

interface Written {
  readonly format: number;
  /** Keys, and values in base64. */
  readonly records: readonly (readonly [string, string])[];
}

/**
 * Keeps a client's records in the file `path`, of one server and user, and one process at a time; its folder must be
 * there. Each write makes the file anew beside the old one and then takes its place, so that a crash at any moment leaves
 * the one or the other. Costs as many bytes per write as the client has queued.
 */
export function fileStorage(path: string): ClientStorage {
  let values = new Map<string, Uint8Array>();
  return {
    load: async () => {
      values = await readValues(path);
      return [...values].map(([key, value]) => ({ key, value }));
    },
    write: async (records, removedKeys) => {
      const next = new Map(values);
      for (const key of removedKeys) next.delete(key);
      for (const { key, value } of records) next.set(key, value);
      await replace(path, serialize(next));
      values = next;
    },
  };
}

async function readValues(path: string): Promise<Map<string, Uint8Array>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return new Map();
    throw error;
  }
  const { format, records } = JSON.parse(text) as Written;
  if (format !== kFormat) throw new Error(`${path} has the format ${format}, not ${kFormat}`);
  return new Map(records.map(([key, value]) => [key, Uint8Array.from(Buffer.from(value, "base64"))]));
}

function serialize(values: ReadonlyMap<string, StoredRecord["value"]>): string {
  const records = [...values].map(([key, value]) => [key, Buffer.from(value).toString("base64")] as const);
  return `${JSON.stringify({ format: kFormat, records } satisfies Written)}\n`;
}

async function replace(path: string, text: string): Promise<void> {
  const beside = `${path}.new`;
  // Who the client is is a secret.
  const file = await open(beside, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  await syncFolder(dirname(path));
}

/** So that the new name survives a crash, too. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return; // cannot open folders, and needs it less
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
