/** What both ways to sign in are made of: secrets that prove themselves later, and calls of the provider that fail in words. */

import { t } from "../words.js";

const PATIENCE_MS = 15000; // for one call

/** Why there is no session. `message` says what happened and what to do next. */
export class SignInError extends Error {
  /**
   * @param {string} message
   * @param {object} [fields] code, as the provider names it; kind: "away" (worth another try as it is), "ended" (the session is
   *   over: sign in again), or "refused"
   */
  constructor(message, { code = null, kind = "refused", cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SignInError";
    this.code = code;
    this.kind = kind;
  }
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** 256 bits that nobody can guess, as 43 characters that are safe in a URL: what RFC 7636 (4.1) wants of a verifier. */
export function randomSecret() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** The S256 challenge of a verifier (RFC 7636, 4.2). */
export async function challengeOf(verifier) {
  if (!globalThis.crypto?.subtle) throw new SignInError(t("signIn.needsHttps"));
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** The claims of a JWT, unverified; null for a token of another kind. */
export function claimsOf(token) {
  const parts = typeof token === "string" ? token.split(".") : [];
  if (parts.length !== 3) return null;
  try {
    const bytes = Uint8Array.from(atob(parts[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? claims : null;
  } catch {
    return null;
  }
}

/** What a provider wrote, to follow a sentence of ours; "" where it wrote nothing fit to show. */
export function quoted(text) {
  const clean = typeof text === "string" ? text.replace(/[\u0000-\u001f\u007f]+/g, " ").trim().slice(0, 200) : "";
  return clean === "" ? "" : ` ${t("signIn.said", { what: clean })}`;
}

/**
 * A call of the provider: its JSON, {} where it sends none. Throws a SignInError of kind "away" when it does not answer or
 * answers that it cannot at the moment; any other refusal is what `refused` makes of status and body.
 */
export async function call(name, url, { refused, ...options } = {}) {
  let response, body;
  try {
    response = await fetch(url, { credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS), ...options });
    body = await response.text();
  } catch (cause) {
    throw new SignInError(t("signIn.unreachable", { name }), { kind: "away", cause });
  }
  let content;
  try {
    content = body === "" ? {} : JSON.parse(body);
  } catch {
    content = null;
  }
  if (response.ok && content !== null && typeof content === "object") return content;
  if (response.status === 429) throw new SignInError(t("signIn.tooMany", { name }), { kind: "away", code: codeOf(content) });
  if (response.status >= 500 || response.ok || response.status === 408) throw new SignInError(t("signIn.away", { name }), { kind: "away", code: codeOf(content) });
  throw refused(response.status, content ?? {});
}

/** The code of an error of OAuth's shape, or of one of GoTrue's. */
export function codeOf(content) {
  const { error_code: code, code: newer, error } = content ?? {};
  return [code, newer, error].find((value) => typeof value === "string") ?? null;
}
