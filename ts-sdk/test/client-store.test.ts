import { describe, expect, test } from "vitest";
import { ActionQueue } from "../src/action-queue.js";
import { ClientStore, memoryStorage, type StoredRecord } from "../src/client-store.js";
import {
  actionKey,
  actionRecord,
  type Identity,
  identityRecord,
  newIdentity,
  readRecords,
} from "../src/identity.js";
import { kDefaultLimits } from "../src/limits.js";
import { utf8 } from "../src/platform.js";
import { FakeStorage, FakeTimers, settle } from "./client-world.js";

const record = (key: string, ...bytes: number[]): StoredRecord => ({ key, value: Uint8Array.from(bytes) });

/** A store on a fake disk, and what its listener heard. */
function storeOn(storage: FakeStorage) {
  const heard: string[] = [];
  const timers = new FakeTimers();
  const store = new ClientStore(storage, timers, {
    onStored: (number) => heard.push(`stored ${number}`),
    onFailed: (number, error) => heard.push(`failed ${number} ${error.code}`),
  });
  return { store, heard, timers };
}

describe("ClientStore", () => {
  test("ClientStore: writes what is saved meanwhile together, in one more call", async () => {
    const storage = new FakeStorage();
    storage.isWaiting = true;
    const { store, heard } = storeOn(storage);
    expect(store.save([record("a", 1)])).toBe(1);
    await settle();
    expect(store.save([record("a", 2), record("b", 1)])).toBe(2);
    expect(store.save([record("c", 1)], ["b"])).toBe(3);
    await settle();
    expect(storage.writes).toBe(1);
    await storage.finish();
    expect(heard).toEqual(["stored 1"]);
    expect(storage.values.get("a")).toEqual(Uint8Array.of(1));
    expect(storage.writes).toBe(2);
    await storage.finish();
    expect(heard).toEqual(["stored 1", "stored 3"]);
    expect(storage.keys).toEqual(["a", "c"]);
    expect(storage.values.get("a")).toEqual(Uint8Array.of(2));
  });

  test("ClientStore: never writes a save without those before it that failed", async () => {
    const storage = new FakeStorage();
    storage.isFailing = true;
    storage.values.set("old", Uint8Array.of(1));
    const { store, heard } = storeOn(storage);
    store.save([record("a", 1), record("b", 1)], ["old"]);
    await settle();
    expect(heard).toEqual(["failed 1 kStoreUnavailable"]);
    storage.isFailing = false;
    store.save([record("b", 2)]);
    await settle();
    expect(heard.at(-1)).toBe("stored 2");
    expect(storage.keys).toEqual(["a", "b"]);
    expect(storage.values.get("b")).toEqual(Uint8Array.of(2));
  });

  test("ClientStore: what was saved while a write failed is newer than what it leaves behind", async () => {
    const storage = new FakeStorage();
    storage.isWaiting = true;
    storage.isFailing = true;
    const { store, heard } = storeOn(storage);
    store.save([record("a", 1), record("b", 1)]);
    await settle();
    store.save([record("a", 2)], ["b"]);
    await storage.finish();
    storage.isFailing = false;
    await storage.finish();
    expect(heard).toEqual(["failed 1 kStoreUnavailable", "stored 2"]);
    expect([...storage.values]).toEqual([["a", Uint8Array.of(2)]]);
  });

  test("ClientStore: tries again after a second, until it is closed", async () => {
    const storage = new FakeStorage();
    storage.isFailing = true;
    const { store, heard, timers } = storeOn(storage);
    store.save([record("a", 1)]);
    await timers.sleep(2_500);
    expect(storage.writes).toBe(3);
    store.close();
    await timers.sleep(10_000);
    expect(timers.pending).toBe(0);
    expect(storage.writes).toBe(3);
    expect(heard).toHaveLength(3);
  });

  test("ClientStore: closes the storage once, when it has read and written what was asked for", async () => {
    const storage = new FakeStorage();
    const { store } = storeOn(storage);
    const loading = store.load();
    store.close();
    expect(storage.closes).toBe(0);
    await loading;
    expect(storage.closes).toBe(1);
    const busy = new FakeStorage();
    busy.isWaiting = true;
    const { store: other, heard } = storeOn(busy);
    await other.load();
    other.save([record("a", 1)]);
    await settle();
    other.save([record("b", 1)]);
    other.close();
    other.close();
    other.save([record("c", 1)]);
    await busy.finish();
    expect(busy.closes).toBe(0);
    await busy.finish();
    expect(heard).toEqual(["stored 1", "stored 2"]);
    expect(busy.closes).toBe(1);
    expect(busy.keys).toEqual(["a", "b"]);
  });

  test("ClientStore: keeps in memory what is to be kept in memory", async () => {
    const storage = memoryStorage();
    await storage.write([record("a", 1), record("b", 2)], []);
    await storage.write([record("a", 3)], ["b"]);
    expect(await storage.load()).toEqual([record("a", 3)]);
  });
});

describe("identity", () => {
  const identity: Identity = {
    ...newIdentity({ low: 2n ** 64n - 1n, high: 2n }),
    isNew: false,
    ledger: { low: 3n, high: 4n },
    firstSeenMs: 5n,
    resume: { session: { low: 6n, high: 7n }, secret: Uint8Array.of(8, 255) },
    attempt: 3n,
  };
  const queueOf = (base: bigint, confirmed: bigint) => {
    const queue = new ActionQueue(kDefaultLimits);
    queue.restore(base, confirmed, [], true);
    return queue;
  };
  const records = [
    identityRecord(identity, queueOf(10n, 5n)),
    actionRecord(17n, { payload: new Uint8Array(0), isWithdrawn: true }),
    actionRecord(16n, { payload: Uint8Array.of(1, 2), isWithdrawn: false }),
  ];
  const read = (stored: readonly StoredRecord[]) => readRecords(stored, kDefaultLimits);

  test("identity: comes back as it was, with all attempts used that may have been made", () => {
    expect(read(records)?.identity).toEqual({ ...identity, attempt: 64n, maxAttempt: 64n });
    expect(read(records)?.queue).toMatchObject({ base: 10n, confirmed: 5n, last: 17n });
    const bare = newIdentity({ low: 1n, high: 0n });
    expect(read([identityRecord(bare, queueOf(0n, 0n))])?.identity).toEqual({ ...bare, attempt: 64n });
  });

  test("identity: keys of actions are in the order of their ids", () => {
    const keys = [1n, 9n, 10n, 99n, 100n, 2n ** 63n].map(actionKey);
    expect([...keys].sort()).toEqual(keys);
  });

  test.each<[string, readonly StoredRecord[]]>([
    ["nothing", []],
    ["no identity", records.slice(1)],
    [
      "an action that does not follow",
      [...records, actionRecord(19n, { payload: utf8("x"), isWithdrawn: false })],
    ],
    ["an action that is missing", records.filter(({ key }) => key !== actionKey(16n))],
    ["an action of another format", [...records, record(actionKey(18n), 2)]],
    ["bytes that are no text", [record("identity", 0xff, 0xfe)]],
    ["another format", [{ key: "identity", value: utf8('{"format":2}') }]],
    ["text without its fields", [{ key: "identity", value: utf8('{"format":1,"isNew":true,"secret":[]}') }]],
  ])("identity: cannot be read from %s", (_, stored) => {
    expect(read(stored)).toBeUndefined();
  });
});
