// A client's storage in the browser's IndexedDB. Tabs are clients of their own: each takes a slot, under a Web Lock.

import { type ClientStorage, memoryStorage, type StoredRecord } from "./client-store.js";

const kStore = "records";

// What is used of the platform; see platform.ts.

interface Request<T> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}

interface ObjectStore {
  getAllKeys(): Request<readonly (readonly [number, string])[]>;
  getAll(range: unknown): Request<readonly (StoredRecord & { readonly slot: number })[]>;
  put(value: object): Request<unknown>;
  delete(key: readonly [number, string]): Request<unknown>;
}

interface Transaction {
  readonly error: unknown;
  objectStore(name: string): ObjectStore;
  abort(): void;
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}

interface Database {
  createObjectStore(name: string, options: { readonly keyPath: readonly string[] }): unknown;
  transaction(
    stores: string,
    mode: "readonly" | "readwrite",
    options?: { readonly durability: string },
  ): Transaction;
  close(): void;
}

interface Browser {
  readonly indexedDB?: {
    open(name: string, version: number): Request<Database> & { onupgradeneeded: (() => void) | null };
  };
  readonly IDBKeyRange?: { bound(lower: unknown, upper: unknown): unknown };
  readonly navigator?: {
    readonly locks?: {
      request(
        name: string,
        options: { readonly ifAvailable: boolean },
        callback: (lock: unknown) => unknown,
      ): Promise<unknown>;
    };
  };
}

/**
 * Keeps a client's records in the database `name`, which is to name the server and the user: another user's actions would
 * be sent as this one's. A tab takes up what a closed one left, that with the most records first. Where the page has no
 * IndexedDB or no Web Locks (they need https or localhost) everything is kept in memory.
 */
export function indexedDbStorage(name: string): ClientStorage {
  const browser = globalThis as unknown as Browser;
  if (browser.indexedDB === undefined || browser.navigator?.locks === undefined) return memoryStorage();
  return new IndexedDbStorage(name, browser);
}

class IndexedDbStorage implements ClientStorage {
  readonly #name: string;
  readonly #browser: Browser;
  #database: Database | undefined;
  #slot = 0;
  #releaseSlot: () => void = () => undefined;

  constructor(name: string, browser: Browser) {
    this.#name = name;
    this.#browser = browser;
  }

  async load(): Promise<readonly StoredRecord[]> {
    const database = await this.#open();
    this.#database = database;
    const keys = await resultOf(database.transaction(kStore, "readonly").objectStore(kStore).getAllKeys());
    this.#slot = await this.#takeSlot(keys);
    const range = this.#browser.IDBKeyRange?.bound([this.#slot], [this.#slot, []]);
    const store = database.transaction(kStore, "readonly").objectStore(kStore);
    return (await resultOf(store.getAll(range))).map(({ key, value }) => ({ key, value }));
  }

  async write(records: readonly StoredRecord[], removedKeys: readonly string[]): Promise<void> {
    const transaction = await this.#begin();
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    try {
      const store = transaction.objectStore(kStore);
      for (const key of removedKeys) store.delete([this.#slot, key]);
      for (const { key, value } of records) store.put({ slot: this.#slot, key, value });
    } catch (error) {
      // A request that fails takes the others with it; one that cannot even be made does not.
      transaction.abort();
      await done.catch(() => undefined);
      throw error;
    }
    await done;
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#releaseSlot();
  }

  async #begin(): Promise<Transaction> {
    this.#database ??= await this.#open();
    try {
      // "strict": complete means on disk, not merely handed to the system.
      return this.#database.transaction(kStore, "readwrite", { durability: "strict" });
    } catch (error) {
      // The browser may close a database at any time; the next write opens it again.
      this.#database = undefined;
      throw error;
    }
  }

  async #open(): Promise<Database> {
    const opening = this.#browser.indexedDB?.open(this.#name, 1);
    if (opening === undefined) throw new Error("no IndexedDB");
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore(kStore, { keyPath: ["slot", "key"] });
    };
    return resultOf(opening);
  }

  /** The free slot with the most records, or a new one. */
  async #takeSlot(keys: readonly (readonly [number, string])[]): Promise<number> {
    const counts = new Map<number, number>();
    for (const [slot] of keys) counts.set(slot, (counts.get(slot) ?? 0) + 1);
    const used = [...counts].sort((a, b) => b[1] - a[1]).map(([slot]) => slot);
    for (const slot of used) if (await this.#lock(slot)) return slot;
    // A tab that has not written yet may hold one.
    let slot = 0;
    while (counts.has(slot) || !(await this.#lock(slot))) slot += 1;
    return slot;
  }

  /** Holds the slot until close(), or until the tab is gone. */
  #lock(slot: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const held = (lock: unknown) => {
        resolve(lock !== null);
        if (lock === null) return undefined;
        return new Promise<void>((release) => {
          this.#releaseSlot = release;
        });
      };
      const name = `libsync/${this.#name}/${slot}`;
      this.#browser.navigator?.locks?.request(name, { ifAvailable: true }, held).catch(reject);
    });
  }
}

function resultOf<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
