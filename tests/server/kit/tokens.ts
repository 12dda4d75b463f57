// Tokens made by hand, so that each can be wrong in one point only.

import { createHmac } from "node:crypto";

export interface TokenParts {
  /** Replaces the header whole. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Laid over good claims; undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Raw JSON in place of the claims. */
  readonly payload?: string;
  readonly hash?: string;
  readonly key?: Uint8Array;
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

export function base64url(data: string | Uint8Array): string {
  return Buffer.from(data).toString("base64url");
}

/** A token of this user, good unless `parts` spoil it. */
export function makeToken(key: Uint8Array, user: string, parts: TokenParts = {}): string {
  const now = nowSeconds();
  const claims = { iss: "libsync", aud: "libsync", sub: user, iat: now, exp: now + 3600, ...parts.claims };
  const header = JSON.stringify(parts.header ?? { alg: "HS256", typ: "JWT" });
  const text = `${base64url(header)}.${base64url(parts.payload ?? JSON.stringify(claims))}`;
  const mac = createHmac(parts.hash ?? "sha256", parts.key ?? key)
    .update(text)
    .digest("base64url");
  return `${text}.${mac}`;
}
