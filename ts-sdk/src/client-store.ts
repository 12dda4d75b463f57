// ClientStore: keeps what a client knows of itself in the application's storage, one write after the other.

import { SyncError } from "./errors.js";
import type { Timers } from "./platform.js";

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * Where a client keeps who it is and the actions that have not ended. One client at a time uses it: of two, the server
 * ends the older one (kReplaced).
 */
export interface ClientStorage {
  /** All records, in any order. Called once, first. */
  load(): Promise<readonly StoredRecord[]>;
  /**
   * Replaces the records with these keys and removes others. Each call is carried out as a whole or, where it rejects, not
   * at all, and survives the process once it has resolved. The next call comes after the one before has ended.
   */
  write(records: readonly StoredRecord[], removedKeys: readonly string[]): Promise<void>;
  /** The client is closed, all writes have ended: nothing is called any more. */
  close?(): void;
}

/** Keeps everything for as long as the object lives. */
export function memoryStorage(): ClientStorage {
  const values = new Map<string, Uint8Array>();
  return {
    load: async () => [...values].map(([key, value]) => ({ key, value })),
    write: async (records, removedKeys) => {
      for (const key of removedKeys) values.delete(key);
      for (const { key, value } of records) values.set(key, value);
    },
  };
}

/** A write that failed is tried again, with all that came since, after this time. */
const kRetryMs = 1_000;

export interface StoreListener {
  /** All saves up to this number are in the storage. */
  readonly onStored: (number: number) => void;
  /** The saves up to this number are not in the storage yet. They are tried again. */
  readonly onFailed: (number: number, error: SyncError) => void;
}

/**
 * What is saved while a write is under way goes with the next one, together; so does what a failed write left behind. A
 * later save is therefore never in the storage without the ones before it.
 */
export class ClientStore {
  readonly #storage: ClientStorage;
  readonly #timers: Timers;
  readonly #listener: StoreListener;
  /** What the storage does not have yet; undefined: the key is to be removed. */
  readonly #dirty = new Map<string, Uint8Array | undefined>();
  #lastSave = 0;
  #isLoaded = false;
  #isWriting = false;
  #isClosed = false;
  #retryTimer: unknown;

  constructor(storage: ClientStorage, timers: Timers, listener: StoreListener) {
    this.#storage = storage;
    this.#timers = timers;
    this.#listener = listener;
  }

  /** Rejects with kStoreUnavailable. */
  async load(): Promise<readonly StoredRecord[]> {
    try {
      return await this.#storage.load();
    } catch (cause) {
      throw unavailable("what the client kept cannot be read", cause);
    } finally {
      this.#isLoaded = true;
      this.#closeStorage();
    }
  }

  /**
   * The number by which the listener will speak of it: 1, 2, 3 ... Not to be called before load() has resolved; after
   * close() nothing is saved.
   */
  save(records: readonly StoredRecord[], removedKeys: readonly string[] = []): number {
    if (this.#isClosed) return Number.POSITIVE_INFINITY;
    for (const key of removedKeys) this.#dirty.set(key, undefined);
    for (const { key, value } of records) this.#dirty.set(key, value);
    this.#lastSave += 1;
    // After a failure what comes next is a new attempt, too.
    void this.#write();
    return this.#lastSave;
  }

  /** What was saved is still written, but no failure is tried again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopRetry();
    this.#closeStorage();
  }

  #closeStorage(): void {
    if (this.#isClosed && this.#isLoaded && !this.#isWriting) this.#storage.close?.();
  }

  async #write(): Promise<void> {
    if (this.#isWriting || this.#dirty.size === 0) return;
    this.#isWriting = true;
    this.#stopRetry();
    // Whatever is saved in the same turn goes together.
    await Promise.resolve();
    const changes = new Map(this.#dirty);
    this.#dirty.clear();
    const number = this.#lastSave;
    const records: StoredRecord[] = [];
    const removedKeys: string[] = [];
    for (const [key, value] of changes) {
      if (value === undefined) removedKeys.push(key);
      else records.push({ key, value });
    }
    let failure: { readonly cause: unknown } | undefined;
    try {
      await this.#storage.write(records, removedKeys);
    } catch (cause) {
      failure = { cause };
    }
    if (failure !== undefined) {
      for (const [key, value] of changes) if (!this.#dirty.has(key)) this.#dirty.set(key, value);
    }
    this.#isWriting = false;
    if (failure === undefined) this.#listener.onStored(number);
    else
      this.#listener.onFailed(number, unavailable("what the client keeps cannot be stored", failure.cause));
    if (this.#isWriting) return;
    if (this.#lastSave !== number) void this.#write();
    else if (this.#isClosed) this.#closeStorage();
    else if (failure !== undefined) this.#retryLater();
  }

  #retryLater(): void {
    this.#retryTimer = this.#timers.setTimeout(() => {
      this.#retryTimer = undefined;
      void this.#write();
    }, kRetryMs);
  }

  #stopRetry(): void {
    if (this.#retryTimer !== undefined) this.#timers.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }
}

function unavailable(detail: string, cause: unknown): SyncError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new SyncError("kStoreUnavailable", `${detail}${why}`, { cause });
}
