// The token: it arrives in the address's fragment, which browsers send to nobody, and stays for this tab only.

const kStorageKey = "libsync.universe.token";

/** Takes the token out of the address bar, or the one this tab had before. */
export function takeToken(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null && given !== "") {
    sessionStorage.setItem(kStorageKey, given);
    history.replaceState(null, "", location.pathname + location.search);
    return given;
  }
  return sessionStorage.getItem(kStorageKey) ?? undefined;
}

export function keepToken(token: string): void {
  sessionStorage.setItem(kStorageKey, token);
}

export function dropToken(): void {
  sessionStorage.removeItem(kStorageKey);
}

/** What the token says of its bearer. Only for display and for naming a topic: the server is who verifies it. */
export interface Claims {
  readonly user: string;
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

/** Undefined where this is no JWT with a subject. */
export function readClaims(token: string): Claims | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    const binary = atob(payload.replace(/-/g, "+").replace(/_/g, "/"));
    const text = new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
    const claims: unknown = JSON.parse(text);
    if (typeof claims !== "object" || claims === null) return undefined;
    const { sub, exp } = claims as { sub?: unknown; exp?: unknown };
    if (typeof sub !== "string" || sub === "") return undefined;
    return { user: sub, expiresAtMs: typeof exp === "number" ? exp * 1000 : undefined };
  } catch {
    return undefined;
  }
}
