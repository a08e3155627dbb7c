/**
 * Signing in at a Supabase project, by the REST API of its auth server (GoTrue) as its own client speaks it: password, magic
 * link or the code in its mail, and OAuth at whatever providers the project has. Links and OAuth come back with a code, which
 * only the browser that asked can turn into a session (PKCE). t/lib/gotrue.py, which tests talk to instead, is held against that client.
 */

import { hasWords, t } from "../words.js";
import { call, challengeOf, claimsOf, codeOf, quoted, randomSecret, SignInError } from "./exchange.js";

const PROVIDERS = { azure: "Microsoft", github: "GitHub", gitlab: "GitLab", linkedin_oidc: "LinkedIn", slack_oidc: "Slack", workos: "WorkOS" };

export class Supabase {
  #config;
  #apikey;
  #home;

  /**
   * @param {object} config "sign_in" of /config.json
   * @param {string} apikey the project's public key
   * @param {string} home where mails and providers send people back to
   */
  constructor(config, apikey, home) {
    this.#config = config;
    this.#apikey = apikey;
    this.#home = home;
    this.name = config.name ?? t("signIn.service");
    this.hasPassword = config.password !== false;
    this.hasLink = config.link !== false;
    this.providers = (config.providers ?? []).map((id) => ({ id, name: PROVIDERS[id] ?? id.charAt(0).toUpperCase() + id.slice(1) }));
  }

  #url(path, query = {}) {
    const url = new URL(`${this.#config.supabase.replace(/\/$/, "")}/auth/v1/${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }

  #post(path, query, body, { token = this.#apikey, ...options } = {}) {
    const headers = { apikey: this.#apikey, "Content-Type": "application/json", "X-Supabase-Api-Version": "2024-01-01" };
    // Keys of the newer kind are no tokens, and are refused as one.
    if (claimsOf(token) !== null) headers.Authorization = `Bearer ${token}`;
    return call(this.name, this.#url(path, query), { method: "POST", headers, body: JSON.stringify(body), refused: (status, content) => explain(codeOf(content), content, status), ...options });
  }

  async signInWithPassword(email, password) {
    return this.#session(await this.#post("token", { grant_type: "password" }, { email, password, gotrue_meta_security: {} }));
  }

  /** Has a link sent; resolves to what has to be remembered until it is opened. */
  async sendLink(email) {
    const verifier = randomSecret();
    await this.#post("otp", { redirect_to: this.#home }, {
      email, data: {}, create_user: this.#config.sign_up !== false, gotrue_meta_security: {},
      code_challenge: await challengeOf(verifier), code_challenge_method: "s256",
    });
    return { verifier };
  }

  /** With the digits that the project's mail may have beside the link. */
  async signInWithCode(email, code) {
    return this.#session(await this.#post("verify", {}, { type: "email", email, token: code, gotrue_meta_security: {} }));
  }

  /** What has to be remembered until the person is back from that provider, and the address to send them to. */
  async begin(provider) {
    const verifier = randomSecret();
    const url = this.#url("authorize", { provider, redirect_to: this.#home, code_challenge: await challengeOf(verifier), code_challenge_method: "s256" });
    return { remember: { verifier }, url };
  }

  /** Whether the address is one that this comes back with; fragments hold errors again, or tokens of links of another kind. */
  static isReturn(query, fragment) {
    return query.has("code") || (query.has("error") && query.has("error_description")) || fragment.has("access_token") || (fragment.has("error") && fragment.has("error_description"));
  }

  /** The session of a person who came back; `begun` are the verifiers that may fit, likeliest first. */
  async finish(query, fragment, begun) {
    const told = query.has("error") ? query : fragment;
    const code = told.get("error_code") ?? "";
    // A number in older versions: the status.
    if (told.has("error")) throw explain(/^[a-z]/.test(code) ? code : told.get("error"), { msg: begun.length > 0 ? told.get("error_description") : "" }, 0);
    if (!query.has("code")) throw new SignInError(t("signIn.foreignLink"), { code: "foreign_link" });
    if (begun.length === 0) {
      throw new SignInError(t("signIn.error.bad_code_verifier"), { code: "flow_state_not_found" });
    }
    for (const { verifier } of begun.slice(0, -1)) {
      try {
        return await this.#exchange(query.get("code"), verifier);
      } catch (error) {
        if (error.code !== "bad_code_verifier") throw error;
      }
    }
    return this.#exchange(query.get("code"), begun.at(-1).verifier);
  }

  async #exchange(code, verifier) {
    return this.#session(await this.#post("token", { grant_type: "pkce" }, { auth_code: code, code_verifier: verifier }));
  }

  /** The next session for one whose token ends. Throws a SignInError of kind "ended" when there is none. */
  async refresh(session) {
    try {
      return this.#session(await this.#post("token", { grant_type: "refresh_token" }, { refresh_token: session.refresh }));
    } catch (error) {
      if (error.kind !== "away") error.kind = "ended";
      throw error;
    }
  }

  /** Ends this session of the user at the project, not those on other devices. Throws a SignInError when it is away. */
  async end(session) {
    try {
      await this.#post("logout", { scope: "local" }, {}, { token: session.token, keepalive: true });
    } catch (error) {
      if (error.kind === "away") throw error; // any other refusal is of a session that has ended
    }
    return null;
  }

  #session({ access_token: token, refresh_token: refresh, expires_in: life, user }) {
    if (claimsOf(token) === null) throw new SignInError(t("signIn.noSession", { name: this.name }));
    return { token, subject: user?.id, refresh: refresh ?? null, lifeMs: 1000 * (life > 0 ? life : 3600) };
  }
}

/** GoTrue's refusals, by its error codes, and by the OAuth codes of older versions: signIn.error... */
function explain(code, { msg, message, error_description: description } = {}, status = 0) {
  const words = hasWords(`signIn.error.${code}`) ? t(`signIn.error.${code}`) : t("signIn.failed", { status }) + quoted(msg ?? message ?? description);
  return new SignInError(words, { code });
}
