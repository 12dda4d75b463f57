// ClientActions: who the client is and the actions it has not finished with, in memory, in the application's storage and
// in the promises the application holds. What must be in the storage before what is decided here.

import { type ActionId, ActionQueue, type OutgoingAction } from "./action-queue.js";
import { type ClientStorage, ClientStore, type StoredRecord } from "./client-store.js";
import { SyncError } from "./errors.js";
import { ActionStatus } from "./generated/protocol_generated.js";
import {
  actionKey,
  actionRecord,
  helloOf,
  type Identity,
  identityRecord,
  kAttemptsPerWrite,
  newIdentity,
  readRecords,
} from "./identity.js";
import type { Limits } from "./limits.js";
import type { ActionAnswer, HelloIdentity, Id128, Welcome } from "./message.js";
import type { ActionSource } from "./outbox.js";
import type { Timers } from "./platform.js";
import { ActionPromises } from "./sent-action.js";
import type { ActionResult, SentAction, TopicVersion } from "./types.js";

export interface ActionsConfig {
  readonly storage: ClientStorage;
  readonly timers: Timers;
  readonly limits: Limits;
  /** 128 random bits, a new value at each call. */
  readonly makeInstance: () => Id128;
  /** What may be sent has changed. */
  readonly onChange: () => void;
  readonly report: (error: SyncError) => void;
}

const kClosed = new SyncError("kClosed", "the client was closed before the action had ended");

export class ClientActions implements ActionSource {
  readonly #config: ActionsConfig;
  readonly #store: ClientStore;
  #queue: ActionQueue;
  #identity: Identity;
  /** By id; those of actions from before the storage was read have none yet. */
  readonly #promises = new Map<ActionId, ActionPromises>();
  #early: { readonly payload: Uint8Array; readonly promises: ActionPromises }[] = [];
  readonly #loaded: Promise<void>;
  #restored: SentAction[] = [];
  #isLoaded = false;
  #isClosed = false;
  /** Why there is no storage to use. */
  #broken: SyncError | undefined;
  /** The last write failed, which was reported. */
  #isFailing = false;

  // Numbers of saves, see ClientStore.
  #storedUpTo = 0;
  /** Those up to here are stored or have failed once. */
  #triedUpTo = 0;
  /** With it in the storage the instance may be used for connections. */
  #attemptsSave = 0;
  /** With it in the storage actions may be sent. */
  #welcomeSave = Number.POSITIVE_INFINITY;
  #actionSaves: { readonly number: number; readonly id: ActionId }[] = [];
  #endSaves: { readonly number: number; readonly id: ActionId }[] = [];
  /** The latest action whose end is in the storage. */
  #storedEnd: ActionId = 0n;
  #attemptWaiters: (() => void)[] = [];

  constructor(config: ActionsConfig) {
    this.#config = config;
    this.#store = new ClientStore(config.storage, config.timers, {
      onStored: (number) => this.#handleStored(number),
      onFailed: (number, error) => this.#handleFailed(number, error),
    });
    this.#queue = new ActionQueue(config.limits);
    this.#identity = newIdentity(config.makeInstance());
    this.#loaded = this.#load();
  }

  /** The actions of earlier processes that have not ended. */
  async restored(): Promise<readonly SentAction[]> {
    await this.#loaded;
    return this.#restored;
  }

  /** What the server may be told to be confirmed: the client will not ask for it again, whatever happens to it. */
  get confirmed(): bigint {
    const { base } = this.#queue;
    return this.#storedEnd > base ? this.#storedEnd - base : 0n;
  }

  // --- From the application --------------------------------------------------------------------------------

  /** Takes over `payload`. */
  act(payload: Uint8Array): SentAction {
    const promises = new ActionPromises();
    if (this.#isClosed) promises.lose(kClosed);
    else if (this.#isLoaded) this.#add(payload, promises);
    else if (this.#early.length < this.#config.limits.maxQueuedActions)
      this.#early.push({ payload, promises });
    else promises.lose(new SyncError("kTooManyActions", "too many actions before the storage was read"));
    return promises;
  }

  /** The promises learn nothing more. What is stored stays there for a later process. */
  close(): void {
    this.#isClosed = true;
    this.#store.close();
    for (const { promises } of this.#early) promises.lose(kClosed);
    for (const promises of this.#promises.values()) promises.lose(kClosed);
    this.#early = [];
    this.#promises.clear();
  }

  // --- Connections -----------------------------------------------------------------------------------------

  /** Resolves when the client may connect: a later process will not use the number of an attempt of this one. */
  async reserveAttempt(): Promise<void> {
    await this.#loaded;
    const { attempt, maxAttempt } = this.#identity;
    if (attempt >= maxAttempt) {
      this.#identity = { ...this.#identity, maxAttempt: attempt + kAttemptsPerWrite };
      this.#attemptsSave = this.#save([this.#identityRecord()]);
    }
    // Where it cannot be stored topics are better than nothing; actions wait.
    while (this.#triedUpTo < this.#attemptsSave) {
      await new Promise<void>((resolve) => this.#attemptWaiters.push(resolve));
    }
  }

  /** A connection is open. Requires: reserveAttempt() has resolved since the one before. */
  beginAttempt(): HelloIdentity {
    this.#identity = { ...this.#identity, attempt: this.#identity.attempt + 1n };
    return helloOf(this.#identity, this.confirmed);
  }

  /** Returns why the connection must end, if it must: the server has executed other actions than this client's. */
  handleWelcome(welcome: Welcome): SyncError | undefined {
    if (!this.#queue.begin(welcome.lastActionSequence)) {
      return this.#renounce(
        "kUnknownInstance",
        "the server has executed other actions than this client sent",
      );
    }
    const { isNew, firstSeenMs, ledger } = this.#identity;
    this.#identity = {
      ...this.#identity,
      isNew: false,
      firstSeenMs: isNew ? welcome.firstSeenMs : firstSeenMs,
      ledger: welcome.ledger ?? ledger,
      resume: welcome.resume,
    };
    // Actions follow when this is stored: a later process must know that the instance has acted.
    this.#welcomeSave = this.#save([this.#identityRecord()]);
    return undefined;
  }

  /** The server ended the connection with this error. */
  handleEnded(error: SyncError): void {
    // Without a close code it is this side's own word.
    if (error.closeCode === undefined) return;
    if (error.code === "kUnknownInstance") this.#renounce(error.code, error.detail);
    if (error.code === "kSessionRevoked") this.forgetSession();
  }

  /** The next connection asks for a fresh session. */
  forgetSession(): void {
    this.#identity = { ...this.#identity, resume: undefined };
  }

  /** Returns why the connection must end, if it must: the sequence was used for another action. */
  handleAnswer(
    nowMs: number,
    answer: ActionAnswer,
    visibleAt: readonly TopicVersion[],
  ): SyncError | undefined {
    const { actionSequence, code, message, durable, payload } = answer;
    const id = this.#queue.idOf(actionSequence);
    const outcome = outcomeOf(answer.status);
    const taken = this.#queue.takeResult(nowMs, {
      sequence: actionSequence,
      outcome,
      isConflict: code === "kActionConflict",
      isDurable: durable,
      retryAfterMs: answer.retryAfterMs,
    });
    if (taken === "conflict") return this.#renounce("kActionConflict", message);
    // If the server forgets this with a crash, the action must not be executed after all.
    if (taken === "refused") this.#saveWithdrawn(id);
    if (outcome !== "failed") {
      const result: ActionResult = { status: outcome, code, message, visibleAt, durable, payload };
      // Also where it was known: to an earlier process.
      this.#promises.get(id)?.answer(result);
    }
    this.#settle();
    return undefined;
  }

  handleDurable(sequence: bigint): void {
    if (this.#queue.takeDurable(sequence)) this.#settle();
  }

  // --- To the connection -----------------------------------------------------------------------------------

  canSend(nowMs: number, window: number): boolean {
    return this.#maySend && this.#queue.canSend(nowMs, this.#open(window));
  }

  next(nowMs: number, window: number, maxPayloadBytes: number): OutgoingAction | undefined {
    if (!this.#maySend) return undefined;
    const action = this.#queue.next(nowMs, this.#open(window));
    if (action === undefined || action.payload.length <= maxPayloadBytes) return action;
    // The server takes less than the one before it did.
    const { id } = action;
    this.#queue.withdraw(id);
    this.#saveWithdrawn(id);
    const detail = `an action of ${action.payload.length} bytes, the limit is ${maxPayloadBytes}`;
    this.#lose(id, new SyncError("kMessageTooBig", detail));
    return { ...action, payload: new Uint8Array(0), isWithdrawn: true };
  }

  nextAtMs(nowMs: number, window: number): number {
    return this.#maySend ? this.#queue.nextAtMs(nowMs, this.#open(window)) : Number.POSITIVE_INFINITY;
  }

  get #maySend(): boolean {
    return this.#isLoaded && this.#storedUpTo >= this.#welcomeSave;
  }

  /** Actions that have ended count for the server until it may be told. */
  #open(window: number): number {
    return window - Number(this.#queue.confirmed - this.confirmed);
  }

  // --- The storage -----------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    let records: readonly StoredRecord[];
    try {
      records = await this.#store.load();
    } catch (error) {
      // What is in there is not known, so nothing is written over it.
      this.#broken = error as SyncError;
      this.#config.report(this.#broken);
      records = [];
    }
    const read = readRecords(records, this.#config.limits);
    if (read !== undefined) {
      this.#identity = read.identity;
      this.#queue = read.queue;
      this.#storedEnd = read.queue.base + read.queue.confirmed;
      for (let id = this.#storedEnd + 1n; id <= read.queue.last; id += 1n) this.#restore(id);
    } else {
      if (records.length > 0) {
        const detail = `none of ${records.length} records can be used: the client begins anew`;
        this.#config.report(new SyncError("kStoreUnavailable", detail));
      }
      this.#attemptsSave = this.#save(
        [this.#identityRecord()],
        records.map(({ key }) => key),
      );
    }
    this.#isLoaded = true;
    const early = this.#early;
    this.#early = [];
    for (const { payload, promises } of early) this.#add(payload, promises);
    this.#config.onChange();
  }

  #restore(id: ActionId): void {
    const promises = new ActionPromises();
    promises.confirmStored(id);
    this.#promises.set(id, promises);
    this.#restored.push(promises);
  }

  #add(payload: Uint8Array, promises: ActionPromises): void {
    if (this.#broken !== undefined) {
      promises.lose(this.#broken);
      return;
    }
    let id: ActionId;
    try {
      id = this.#queue.add(payload);
    } catch (error) {
      promises.lose(error as SyncError);
      return;
    }
    this.#promises.set(id, promises);
    const number = this.#save([actionRecord(id, { payload, isWithdrawn: false })]);
    this.#actionSaves.push({ number, id });
  }

  #save(records: readonly StoredRecord[], removedKeys: readonly string[] = []): number {
    return this.#broken === undefined ? this.#store.save(records, removedKeys) : 0;
  }

  #identityRecord(): StoredRecord {
    return identityRecord(this.#identity, this.#queue);
  }

  #saveWithdrawn(id: ActionId): void {
    this.#save([actionRecord(id, { payload: new Uint8Array(0), isWithdrawn: true })]);
  }

  #handleStored(number: number): void {
    this.#isFailing = false;
    this.#storedUpTo = number;
    for (const { id } of takeUpTo(this.#actionSaves, number)) {
      this.#queue.stored(id);
      this.#promises.get(id)?.confirmStored(id);
    }
    const ended = takeUpTo(this.#endSaves, number).at(-1);
    if (ended !== undefined) this.#storedEnd = ended.id;
    this.#handleTried(number);
  }

  #handleFailed(number: number, error: SyncError): void {
    if (!this.#isFailing) this.#config.report(error);
    this.#isFailing = true;
    for (const { id } of takeUpTo(this.#actionSaves, number)) {
      // Written with whatever is written next, lest a later process execute it.
      this.#queue.withdraw(id);
      this.#saveWithdrawn(id);
      this.#lose(id, error);
    }
    this.#handleTried(number);
  }

  #handleTried(number: number): void {
    this.#triedUpTo = number;
    const waiters = this.#attemptWaiters;
    this.#attemptWaiters = [];
    for (const resolve of waiters) resolve();
    this.#config.onChange();
  }

  // --- The end of actions ----------------------------------------------------------------------------------

  #settle(): void {
    const settled = this.#queue.settle();
    const last = settled.at(-1);
    if (last === undefined) return;
    // The server forgets the results when it is told; until this is stored they may be needed again.
    const number = this.#save([this.#identityRecord()], settled.map(actionKey));
    this.#endSaves.push({ number, id: last });
    for (const id of settled) {
      this.#promises.get(id)?.end();
      this.#promises.delete(id);
    }
  }

  /**
   * The server knows nothing of this instance, or something else. What was sent has an unknown outcome; what was not is
   * sent as another instance's.
   */
  #renounce(code: "kUnknownInstance" | "kActionConflict", detail: string): SyncError {
    const error = new SyncError(code, detail);
    const removed = this.#queue.renounce();
    for (const id of removed) this.#lose(id, error);
    this.#identity = newIdentity(this.#config.makeInstance());
    this.#attemptsSave = this.#save([this.#identityRecord()], removed.map(actionKey));
    return error;
  }

  #lose(id: ActionId, error: SyncError): void {
    this.#promises.get(id)?.lose(error);
    this.#promises.delete(id);
  }
}

/** Removes the first entries, those with a number up to this one. */
function takeUpTo<T extends { readonly number: number }>(entries: T[], number: number): T[] {
  const end = entries.findIndex((entry) => entry.number > number);
  return entries.splice(0, end < 0 ? entries.length : end);
}

function outcomeOf(status: ActionStatus): "accepted" | "refused" | "failed" {
  switch (status) {
    case ActionStatus.kAccepted:
      return "accepted";
    case ActionStatus.kRefused:
      return "refused";
    case ActionStatus.kFailed:
      return "failed";
    default:
      // A newer server's: C++ takes it so, too.
      status satisfies never;
      return "failed";
  }
}
