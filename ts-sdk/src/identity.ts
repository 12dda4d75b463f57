// Identity: who a client is to the server, and how that and its queued actions are written into records.

import { type ActionId, ActionQueue, type StoredAction } from "./action-queue.js";
import type { StoredRecord } from "./client-store.js";
import type { Limits } from "./limits.js";
import type { HelloIdentity, Id128, SessionSecret } from "./message.js";
import { textOf, utf8 } from "./platform.js";

/** As the server knows it, and what the client needs to come back as the same. */
export interface Identity {
  readonly instance: Id128;
  /** No Welcome has come for it yet. */
  readonly isNew: boolean;
  readonly ledger: Id128 | undefined;
  readonly firstSeenMs: bigint;
  readonly resume: SessionSecret | undefined;
  /** The latest connection attempt. */
  readonly attempt: bigint;
  /** Attempts up to this one may be made before the identity is stored again. */
  readonly maxAttempt: bigint;
}

export const kIdentityKey = "identity";
const kActionPrefix = "action/";
const kIdDigits = 20;
/** Attempts that one write of the identity allows for. */
export const kAttemptsPerWrite = 64n;
/** Of the records; a later version reads all earlier ones. */
const kFormat = 1;

export function newIdentity(instance: Id128): Identity {
  return {
    instance,
    isNew: true,
    ledger: undefined,
    firstSeenMs: 0n,
    resume: undefined,
    attempt: 0n,
    maxAttempt: kAttemptsPerWrite,
  };
}

export function helloOf(identity: Identity, confirmedAction: bigint): HelloIdentity {
  const { instance, isNew, attempt, ledger, firstSeenMs, resume } = identity;
  return { instance, isNew, attempt, ledger, firstSeenMs, confirmedAction, resume };
}

/** Zeros in front, so that the order of keys is the order of actions. */
export function actionKey(id: ActionId): string {
  return `${kActionPrefix}${String(id).padStart(kIdDigits, "0")}`;
}

export function actionRecord(id: ActionId, { payload, isWithdrawn }: StoredAction): StoredRecord {
  const value = new Uint8Array(1 + payload.length);
  value[0] = isWithdrawn ? 1 : 0;
  value.set(payload, 1);
  return { key: actionKey(id), value };
}

export function identityRecord(identity: Identity, queue: ActionQueue): StoredRecord {
  const { instance, isNew, ledger, firstSeenMs, resume, maxAttempt } = identity;
  const written = {
    format: kFormat,
    instance: idText(instance),
    isNew,
    ledger: ledger === undefined ? "" : idText(ledger),
    firstSeenMs: `${firstSeenMs}`,
    session: resume === undefined ? "" : idText(resume.session),
    secret: resume === undefined ? [] : [...resume.secret],
    maxAttempt: `${maxAttempt}`,
    actionBase: `${queue.base}`,
    confirmedAction: `${queue.confirmed}`,
  };
  return { key: kIdentityKey, value: utf8(JSON.stringify(written)) };
}

/** What an earlier process left. Undefined where the records are none that this version can read. */
export function readRecords(
  records: readonly StoredRecord[],
  limits: Limits,
): { readonly identity: Identity; readonly queue: ActionQueue } | undefined {
  const written = readIdentity(records.find(({ key }) => key === kIdentityKey));
  if (written === undefined) return undefined;
  const { identity, base, confirmed } = written;
  const actions: StoredAction[] = [];
  const sorted = records.filter(({ key }) => key.startsWith(kActionPrefix));
  sorted.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { key, value } of sorted) {
    const flags = value[0];
    if (key !== actionKey(base + confirmed + 1n + BigInt(actions.length))) return undefined;
    if (flags !== 0 && flags !== 1) return undefined;
    actions.push({ payload: value.slice(1), isWithdrawn: flags === 1 });
  }
  const queue = new ActionQueue(limits);
  queue.restore(base, confirmed, actions, !identity.isNew);
  return { identity, queue };
}

function readIdentity(record: StoredRecord | undefined) {
  if (record === undefined) return undefined;
  try {
    const written = JSON.parse(textOf(record.value)) as Record<string, unknown>;
    if (written["format"] !== kFormat || typeof written["isNew"] !== "boolean") return undefined;
    const secret = written["secret"];
    if (!Array.isArray(secret)) return undefined;
    const maxAttempt = number(written["maxAttempt"]);
    const identity: Identity = {
      instance: readId(written["instance"]),
      isNew: written["isNew"],
      ledger: written["ledger"] === "" ? undefined : readId(written["ledger"]),
      firstSeenMs: number(written["firstSeenMs"]),
      resume:
        written["session"] === ""
          ? undefined
          : { session: readId(written["session"]), secret: Uint8Array.from(secret as number[]) },
      // All that were allowed may have been made.
      attempt: maxAttempt,
      maxAttempt,
    };
    return { identity, base: number(written["actionBase"]), confirmed: number(written["confirmedAction"]) };
  } catch {
    return undefined; // whatever JSON.parse, BigInt and the readers below throw
  }
}

function idText({ low, high }: Id128): string {
  return `${low} ${high}`;
}

function readId(value: unknown): Id128 {
  const match = /^(\d+) (\d+)$/.exec(String(value));
  if (match === null) throw new Error("no id");
  return { low: BigInt(match[1] ?? 0), high: BigInt(match[2] ?? 0) };
}

function number(value: unknown): bigint {
  if (typeof value !== "string" || !/^\d+$/.test(value)) throw new Error("no number");
  return BigInt(value);
}
