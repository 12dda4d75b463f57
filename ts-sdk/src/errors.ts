// SyncError: every failure that this package reports, and the names of its codes.

import { CloseCode, ErrorCode } from "./generated/protocol_generated.js";

/** The codes of protocol.fbs, by name; what each asks of the receiver is in docs/PROTOCOL.md section 6. */
export type ErrorCodeName = keyof typeof ErrorCode;

/**
 * Codes that never travel:
 * - kConnectFailed: no connection came about (network, refused upgrade, getToken failed);
 * - kConnectionLost: the connection ended;
 * - kClosed: the application closed the client or the topic;
 * - kApplication: a listener or a topic's reader threw; the cause is in `cause`;
 * - kUnrecognized: the server sent a code this version does not know.
 */
export type LocalErrorName =
  | "kConnectFailed"
  | "kConnectionLost"
  | "kClosed"
  | "kApplication"
  | "kUnrecognized";

export type ErrorName = ErrorCodeName | LocalErrorName;

export interface SyncErrorDetails {
  /** Name of the topic it is about. */
  readonly topic?: string | undefined;
  /** Milliseconds to wait before the same request may succeed. */
  readonly retryAfterMs?: number | undefined;
  /** WebSocket close code of the connection that ended with it. */
  readonly closeCode?: number | undefined;
  readonly cause?: unknown;
}

/** A failure with a `code` to decide by; `message`, the code and `detail`, is for people. */
export class SyncError extends Error {
  override readonly name = "SyncError";
  readonly code: ErrorName;
  readonly detail: string;
  readonly topic: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly closeCode: number | undefined;

  constructor(code: ErrorName, detail: string, details: SyncErrorDetails = {}) {
    super(`${code}: ${detail}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.detail = detail;
    this.topic = details.topic;
    this.retryAfterMs = details.retryAfterMs;
    this.closeCode = details.closeCode;
  }
}

/** The name of a code from the wire; kUnrecognized for one that this version does not know. */
export function errorName(code: number): ErrorName {
  return (ErrorCode[code] as ErrorCodeName | undefined) ?? "kUnrecognized";
}

/** The number of a code on the wire; kNone for one that never travels. */
export function errorNumber(name: ErrorName): ErrorCode {
  return ErrorCode[name as ErrorCodeName] ?? ErrorCode.kNone;
}

/** Shorthand for the commonest failure: bytes that no sender of this protocol makes. */
export function malformed(message: string): SyncError {
  return new SyncError("kMalformed", message);
}

/** The close code that goes with an error after which the connection cannot go on. */
export function closeCodeOf(code: ErrorName): number {
  switch (code) {
    case "kMalformed":
      return CloseCode.kInvalidPayload;
    case "kTextFrame":
      return CloseCode.kTextFrame;
    case "kMessageTooBig":
      return CloseCode.kMessageTooBig;
    case "kVersionUnsupported":
      return CloseCode.kVersionUnsupported;
    case "kSchemaMismatch":
      return CloseCode.kSchemaMismatch;
    case "kHeartbeatTimeout":
      return CloseCode.kHeartbeatTimeout;
    case "kDigestMismatch":
    case "kWrongBaseline":
      return CloseCode.kResyncLoop;
    default:
      return CloseCode.kProtocolError;
  }
}

/** Whether a connection that ended with this code may be made again (docs/PROTOCOL.md section 6). */
export function mayReconnect(closeCode: number): boolean {
  switch (closeCode) {
    case CloseCode.kProtocolError:
    case CloseCode.kTextFrame:
    case CloseCode.kInvalidPayload:
    case CloseCode.kMessageTooBig:
      return false;
    default:
      return closeCode < 4500 || closeCode > 4999;
  }
}

/** What a close code alone tells, for a connection that ended without a Disconnect message. */
export function errorOfClose(closeCode: number): SyncError {
  const details = { closeCode };
  switch (closeCode) {
    case CloseCode.kTextFrame:
      return new SyncError("kTextFrame", "the server saw a text frame", details);
    case CloseCode.kInvalidPayload:
      return new SyncError("kMalformed", "the server could not read a message", details);
    case CloseCode.kMessageTooBig:
      return new SyncError("kMessageTooBig", "a message was too big for the server", details);
    case CloseCode.kProtocolError:
      return new SyncError("kUnexpectedMessage", "the server saw a breach of the protocol", details);
    case CloseCode.kVersionUnsupported:
      return new SyncError("kVersionUnsupported", "no protocol version in common", details);
    case CloseCode.kUnauthenticated:
      return new SyncError("kUnauthenticated", "the token was refused", details);
    case CloseCode.kForbidden:
      return new SyncError("kForbiddenTopic", "the server refuses this user", details);
    case CloseCode.kReplaced:
      return new SyncError("kReplaced", "a newer connection of this client is there", details);
    case CloseCode.kSchemaMismatch:
      return new SyncError("kSchemaMismatch", "the server was built from another schema", details);
    case CloseCode.kResyncLoop:
      return new SyncError("kDigestMismatch", "the state could not be brought into step", details);
    case CloseCode.kTokenExpired:
      return new SyncError("kTokenExpired", "the token expired", details);
    case CloseCode.kTooManySessions:
      return new SyncError("kTooManySessions", "too many sessions of this user", details);
    default:
      return new SyncError("kConnectionLost", `the connection ended with code ${closeCode}`, details);
  }
}
