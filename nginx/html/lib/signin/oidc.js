/**
 * Signing in at any OpenID Connect provider: the authorization code flow with PKCE for a public client, by OpenID Connect
 * Core 1.0, Discovery 1.0 and RP-Initiated Logout 1.0, RFC 7636, 8707 and 9207.
 *
 * Written by hand because Debian has no library for it that runs in browsers. It stays small by what it leaves to others: the
 * ID token comes straight from the token endpoint by TLS, so its signature need not be checked here (Core, 3.1.3.7, 6), and
 * whoever is let in is for fcgi-chat to decide, which checks the signature of the token that is sent with each call.
 */

import { t } from "../words.js";
import { call, challengeOf, claimsOf, codeOf, quoted, randomSecret, SignInError } from "./exchange.js";
import { found, isAddress } from "./setup.js";

const SKEW_S = 300; // by how much this device's clock may differ
const LIFE_DEFAULT_S = 300; // of a token that does not say

export class Oidc {
  #config;
  #home;
  #metadata = null;

  /**
   * @param {object} config "sign_in" of /config.json
   * @param {string} home where the provider sends people back to
   */
  constructor(config, home) {
    this.#config = config;
    this.#home = home;
    this.name = config.name ?? new URL(config.issuer).hostname;
  }

  async #discover() {
    if (this.#metadata !== null) return this.#metadata;
    const { issuer, endpoints = {} } = this.#config;
    const known = endpoints.authorization_endpoint !== undefined && endpoints.token_endpoint !== undefined;
    const told = known ? { issuer } : await call(this.name, `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
      refused: (status) => this.#misconfigured(found.noDiscovery(status)),
    });
    if (told.issuer !== issuer) throw this.#misconfigured(found.otherIssuer(told.issuer, issuer));
    const metadata = { ...told };
    for (const [name, address] of Object.entries(endpoints)) metadata[name] = new URL(address, this.#home).href;
    for (const name of ["authorization_endpoint", "token_endpoint"]) {
      if (!isAddress(metadata[name])) throw this.#misconfigured(found.noEndpoint(name));
    }
    return (this.#metadata = metadata);
  }

  #misconfigured(why, fields) {
    return new SignInError(t("signIn.setup", { why }), fields);
  }

  /** What has to be remembered until the person is back, and the address to send them to. */
  async begin() {
    const metadata = await this.#discover();
    const [state, nonce, verifier] = [randomSecret(), randomSecret(), randomSecret()];
    const url = new URL(metadata.authorization_endpoint);
    const parameters = {
      ...this.#config.parameters, response_type: "code", client_id: this.#config.client_id, redirect_uri: this.#home,
      scope: this.#config.scope ?? "openid", state, nonce, code_challenge: await challengeOf(verifier), code_challenge_method: "S256",
      resource: this.#config.resource,
    };
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
    return { remember: { state, nonce, verifier }, url: url.href };
  }

  /** Whether the address is one that a provider sends people back to, for whatever session. */
  static isReturn(query) {
    return query.has("state") && (query.has("code") || query.has("error"));
  }

  /** The session of a person who came back with this query; `begun` is what begin() had remembered, or null. */
  async finish(query, begun) {
    if (begun === null || query.get("state") !== begun.state) {
      throw new SignInError(t("signIn.otherState"), { code: "state_mismatch" });
    }
    if (query.has("error")) throw this.#denied(query.get("error"), query.get("error_description"));
    const metadata = await this.#discover();
    const from = query.get("iss");
    if (from === null ? metadata.authorization_response_iss_parameter_supported === true : from !== metadata.issuer) {
      throw new SignInError(t("signIn.otherProvider"), { code: "issuer_mismatch" });
    }
    const tokens = await this.#token({ grant_type: "authorization_code", code: query.get("code"), redirect_uri: this.#home, code_verifier: begun.verifier });
    const claims = this.#check(tokens.id_token, { nonce: begun.nonce });
    return this.#session(tokens, { subject: claims.sub, idToken: tokens.id_token });
  }

  #denied(error, description) {
    const words = {
      access_denied: t("signIn.denied", { name: this.name }),
      login_required: t("signIn.loginRequired", { name: this.name }),
      temporarily_unavailable: t("signIn.away", { name: this.name }) + quoted(description),
      server_error: t("signIn.away", { name: this.name }) + quoted(description),
    };
    if (Object.hasOwn(words, error)) return new SignInError(words[error], { code: error });
    return this.#misconfigured(found.refused(this.name, error.replace(/[^\w.-]/g, "").slice(0, 60)), { code: error });
  }

  /** What the token endpoint gives for a grant. */
  async #token(grant) {
    const metadata = await this.#discover();
    const body = new URLSearchParams({ ...grant, client_id: this.#config.client_id });
    if (this.#config.resource !== undefined) body.set("resource", this.#config.resource);
    return call(this.name, metadata.token_endpoint, {
      method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" }, body,
      refused: (status, content) => {
        const code = codeOf(content);
        if (code === "invalid_grant") {
          return grant.grant_type === "refresh_token" ? new SignInError(t("signIn.endedAt", { name: this.name }), { code, kind: "ended" })
            : new SignInError(t("signIn.tooLate"), { code });
        }
        return this.#misconfigured(found.refused(this.name, code ?? status), { code, kind: grant.grant_type === "refresh_token" ? "ended" : "refused" });
      },
    });
  }

  /** The claims of an ID token that came from the token endpoint, held against Core, 3.1.3.7 and 12.2. */
  #check(token, { nonce, subject }) {
    const claims = claimsOf(token);
    // `claim` is what is wrong in it.
    const wrong = (claim) => new SignInError(t("signIn.wrongToken", { name: this.name, claim }), { code: "id_token" });
    if (claims === null) throw wrong("id_token");
    const audience = [claims.aud].flat();
    if (claims.iss !== this.#config.issuer) throw wrong("iss");
    if (!audience.includes(this.#config.client_id) || (claims.azp !== undefined && claims.azp !== this.#config.client_id)) throw wrong("aud");
    if (audience.length > 1 && claims.azp === undefined) throw wrong("azp");
    if (typeof claims.sub !== "string" || claims.sub === "" || (subject !== undefined && claims.sub !== subject)) throw wrong("sub");
    if (nonce !== undefined && claims.nonce !== nonce) throw wrong("nonce");
    if (!Number.isFinite(claims.exp) || !Number.isFinite(claims.iat)) throw wrong("exp");
    const now = Date.now() / 1000;
    const off = claims.iat > now + SKEW_S ? claims.iat - now : Math.max(0, now - claims.exp);
    if (off > SKEW_S || claims.exp + SKEW_S < now) {
      throw new SignInError(t("signIn.clock", { name: this.name, n: Math.round(off / 60) }), { code: "clock" });
    }
    return claims;
  }

  #session(tokens, { subject, idToken, before = {} }) {
    const kind = this.#config.token ?? "access_token";
    const token = kind === "id_token" ? tokens.id_token : tokens.access_token;
    const claims = claimsOf(token);
    if (typeof token !== "string" || claims === null) {
      // An ID token need not come with each refresh (Core, 12.2): then it ends with the one there is.
      if (kind === "id_token" && before.token !== undefined) throw new SignInError(t("signIn.endedAt", { name: this.name }), { kind: "ended" });
      throw this.#misconfigured(found.opaque(this.name), { code: "opaque_token" });
    }
    // How long it lives counts from now by this device's clock, whatever that says.
    const told = kind === "id_token" ? claims.exp - claims.iat : Number(tokens.expires_in ?? claims.exp - claims.iat);
    return {
      token, subject, idToken, lifeMs: 1000 * (told > 0 ? told : LIFE_DEFAULT_S),
      refresh: tokens.refresh_token ?? before.refresh ?? null,
    };
  }

  /** The next session for one whose token ends. Throws a SignInError of kind "ended" when there is none. */
  async refresh(session) {
    const tokens = await this.#token({ grant_type: "refresh_token", refresh_token: session.refresh });
    if (tokens.id_token !== undefined) this.#check(tokens.id_token, { subject: session.subject });
    return this.#session(tokens, { subject: session.subject, idToken: tokens.id_token ?? session.idToken, before: session });
  }

  /**
   * Ends the session at the provider: takes its refresh token back, and resolves to {remember, url} of where the person has to go
   * for the rest, null when there is no such place. Throws a SignInError when the provider is away.
   */
  async end(session) {
    const metadata = await this.#discover();
    if (session.refresh !== null && isAddress(metadata.revocation_endpoint)) {
      await call(this.name, metadata.revocation_endpoint, {
        method: "POST", keepalive: true, headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ token: session.refresh, token_type_hint: "refresh_token", client_id: this.#config.client_id }),
        refused: () => new SignInError(""),
      }).catch((error) => {
        if (error.kind === "away") throw error;
      });
    }
    if (!isAddress(metadata.end_session_endpoint)) return null;
    const url = new URL(metadata.end_session_endpoint);
    const state = randomSecret();
    const parameters = { client_id: this.#config.client_id, post_logout_redirect_uri: this.#home, state };
    // A token that calls are made with does not belong in an address: without the hint the provider asks the person.
    if ((this.#config.token ?? "access_token") !== "id_token" && session.idToken) parameters.id_token_hint = session.idToken;
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return { remember: { state }, url: url.href };
  }
}
