// What signing in believes of a provider, without a browser: each way in which its answers can be wrong; and that what README.md says of
// four providers is a configuration.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

globalThis.crypto ??= webcrypto; // Node 18

const lib = `${process.env.PAGE_DIR}/lib/signin`;
const { challengeOf, claimsOf, SignInError } = await import(`${lib}/exchange.js`);
const { Oidc } = await import(`${lib}/oidc.js`);
const { complaintOfOidc, complaintOfSupabase } = await import(`${lib}/setup.js`);

const ISSUER = "https://id.example.com";
const HOME = "https://chat.example.com/";
const CONFIG = { issuer: ISSUER, client_id: "uplift", name: "Example" };
const METADATA = { issuer: ISSUER, authorization_endpoint: `${ISSUER}/authorize?tenant=1`, token_endpoint: `${ISSUER}/token` };
const seconds = () => Math.floor(Date.now() / 1000);
const jwt = (claims) => `${Buffer.from('{"alg":"RS256"}').toString("base64url")}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

/** A provider by what it says at its addresses; asked gets what it was asked. */
function provider({ metadata = METADATA, tokens = {}, status = 200, id = {}, nonce }) {
  const asked = [];
  globalThis.fetch = async (url, options) => {
    asked.push({ url, body: options.body && Object.fromEntries(new URLSearchParams(options.body)) });
    if (url.endsWith("/.well-known/openid-configuration")) return new Response(JSON.stringify(metadata));
    const claims = { iss: ISSUER, aud: "uplift", sub: "ada", nonce, iat: seconds(), exp: seconds() + 300, ...id };
    const body = { access_token: jwt({ sub: "ada", exp: seconds() + 300 }), id_token: jwt(claims), token_type: "Bearer", expires_in: 300, refresh_token: "r1", ...tokens };
    return new Response(JSON.stringify(body), { status });
  };
  return asked;
}

/** A whole sign-in at a provider that answers so: the session, or the error. */
async function signIn(answers = {}, { config = CONFIG, query = {} } = {}) {
  provider(answers);
  const oidc = new Oidc(config, HOME);
  const { remember, url } = await oidc.begin();
  const asked = provider({ ...answers, nonce: remember.nonce });
  const error = await oidc.finish(new URLSearchParams({ code: "c", state: remember.state, ...query }), remember).then((session) => ({ session }), (thrown) => thrown);
  return { oidc, asked, url: new URL(url), remember, session: error.session, error };
}

test("pkce: the challenge of RFC 7636, appendix B", async () => {
  assert.equal(await challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
});

test("tokens: claims are read as UTF-8, and other texts have none", () => {
  assert.equal(claimsOf(jwt({ name: "Zoë" })).name, "Zoë");
  for (const text of ["opaque", "a.b", "a.%%.c", undefined, 7, `a.${Buffer.from("7").toString("base64url")}.c`]) assert.equal(claimsOf(text), null);
});

test("oidc: what is asked for, and the session that is made of the answer", async () => {
  const { url, asked, remember, session } = await signIn({}, { config: { ...CONFIG, scope: "openid chat", parameters: { audience: "x", response_type: "token", state: "mine" }, resource: "https://api" } });
  const { state, nonce, code_challenge: challenge, ...rest } = Object.fromEntries(url.searchParams);
  assert.deepEqual(rest, { tenant: "1", audience: "x", response_type: "code", client_id: "uplift", redirect_uri: HOME, scope: "openid chat", code_challenge_method: "S256", resource: "https://api" });
  assert.deepEqual([state, nonce, challenge], [remember.state, remember.nonce, await challengeOf(remember.verifier)]);
  assert.equal(new Set([state, nonce, remember.verifier]).size, 3);
  assert.deepEqual(asked.at(-1).body, { grant_type: "authorization_code", code: "c", redirect_uri: HOME, code_verifier: remember.verifier, client_id: "uplift", resource: "https://api" });
  assert.deepEqual([session.refresh, session.lifeMs, session.subject], ["r1", 300000, "ada"]);
});

test("oidc: an ID token that is not ours is not believed", async () => {
  const wrong = {
    "another issuer": { iss: "https://evil.example" }, "another client": { aud: "other" }, "a list without us": { aud: ["other"] },
    "several audiences, for nobody": { aud: ["uplift", "other"] }, "for another party": { aud: ["uplift", "other"], azp: "other" }, "another party": { azp: "other" },
    "another sign-in": { nonce: "other" }, "no nonce": { nonce: undefined }, "nobody": { sub: "" }, "no end": { exp: undefined }, "no beginning": { iat: "now" },
  };
  for (const [what, id] of Object.entries(wrong)) assert.equal((await signIn({ id })).error.code, "id_token", what);
  for (const id of [{ exp: seconds() - 400, iat: seconds() - 700 }, { iat: seconds() + 400 }]) assert.equal((await signIn({ id })).error.code, "clock");
  for (const id of [{ aud: ["uplift"] }, { aud: ["uplift", "other"], azp: "uplift" }, { exp: seconds() - 60, iat: seconds() - 360 }]) assert.ok((await signIn({ id })).session, JSON.stringify(id));
  assert.equal((await signIn({ tokens: { id_token: undefined } })).error.code, "id_token");
});

test("oidc: what comes back has to be the answer to what was asked", async () => {
  assert.equal((await signIn({}, { query: { state: "other" } })).error.code, "state_mismatch");
  assert.equal((await signIn({}, { query: { error: "access_denied", state: "other" } })).error.code, "state_mismatch");
  assert.equal((await signIn({}, { query: { iss: "https://evil.example" } })).error.code, "issuer_mismatch");
  assert.ok((await signIn({}, { query: { iss: ISSUER } })).session);
  assert.equal((await signIn({ metadata: { ...METADATA, authorization_response_iss_parameter_supported: true } })).error.code, "issuer_mismatch");
  assert.match((await signIn({}, { query: { error: "unauthorized_client<b>" } })).error.message, /Tell the operator.*refused with unauthorized_clientb/);
});

test("oidc: a provider that is not the one that is configured, or not there, is told from a refusal", async () => {
  const begin = async (answers, fetched) => {
    provider(answers);
    if (fetched) globalThis.fetch = fetched;
    return new Oidc(CONFIG, HOME).begin().then(() => null, (error) => error);
  };
  assert.match((await begin({ metadata: { ...METADATA, issuer: "https://evil.example" } })).message, /calls itself https:\/\/evil\.example/);
  assert.match((await begin({ metadata: { ...METADATA, token_endpoint: undefined } })).message, /names no token_endpoint/);
  for (const address of ["javascript:alert(1)", "http://id.example.com/authorize", "/authorize"]) {
    assert.match((await begin({ metadata: { ...METADATA, authorization_endpoint: address } })).message, /names no authorization_endpoint/);
  }
  for (const fetched of [async () => new Response("no", { status: 503 }), async () => new Response("<html>"), async () => { throw new TypeError("failed"); }, async () => new Response("{}", { status: 429 })]) {
    const error = await begin({}, fetched);
    assert.ok(error instanceof SignInError && error.kind === "away", String(error?.message));
  }
  assert.equal((await begin({}, async () => new Response("{}", { status: 404 }))).kind, "refused");
});

test("oidc: renewal keeps what does not come anew, and ends only when the provider says so", async () => {
  const { oidc, session } = await signIn();
  provider({ tokens: { refresh_token: undefined, id_token: undefined } });
  const next = await oidc.refresh(session);
  assert.deepEqual([next.refresh, next.idToken], ["r1", session.idToken]);
  provider({ tokens: { refresh_token: "r2" } });
  assert.equal((await oidc.refresh(next)).refresh, "r2");
  const refused = async (answers) => {
    provider(answers);
    return oidc.refresh(next).then(() => null, ({ kind, code }) => [kind, code]);
  };
  assert.deepEqual(await refused({ status: 400, tokens: { error: "invalid_grant" } }), ["ended", "invalid_grant"]);
  assert.deepEqual(await refused({ status: 401, tokens: { error: "invalid_client" } }), ["ended", "invalid_client"]);
  assert.deepEqual(await refused({ status: 502 }), ["away", null]);
  assert.deepEqual(await refused({ id: { sub: "eve" } }), ["refused", "id_token"]);
});

test("oidc: an ID token is sent only where that is said, and is never in an address", async () => {
  const { oidc, session } = await signIn({ metadata: { ...METADATA, end_session_endpoint: `${ISSUER}/out` } }, { config: { ...CONFIG, token: "id_token" } });
  assert.equal(session.token, session.idToken);
  assert.equal(new URL((await oidc.end(session)).url).searchParams.has("id_token_hint"), false);
  assert.equal((await signIn({ tokens: { access_token: "opaque" } })).error.code, "opaque_token");
  const usual = await signIn({ metadata: { ...METADATA, end_session_endpoint: `${ISSUER}/out` } });
  assert.equal(new URL((await usual.oidc.end(usual.session)).url).searchParams.get("id_token_hint"), usual.session.idToken);
  provider({});
  assert.equal(await new Oidc(CONFIG, HOME).end(session), null);
});

test("configuration: what cannot work is said", () => {
  for (const wrong of [{ issuer: undefined }, { issuer: "id.example.com" }, { issuer: "http://id.example.com" }, { issuer: "javascript:alert(1)" }, { client_id: "" }, { scope: "profile" },
    { token: "both" }, { parameters: { a: 1 } }, { parameters: "a=1" }, { endpoints: { token_endpoint: "token" } }, { endpoints: { token_endpoint: "http://id.example.com/" } }]) {
    assert.equal(typeof complaintOfOidc({ ...CONFIG, ...wrong }), "string", JSON.stringify(wrong));
  }
  assert.equal(complaintOfOidc({ ...CONFIG, issuer: "http://localhost:8080/realms/a" }), null);
  const key = "sb_publishable_x";
  for (const [supabase, apikey, more] of [["https://a.supabase.co", undefined], ["https://a.supabase.co", "sb_secret_x"], ["https://a.supabase.co", jwt({ role: "service_role" })],
    ["http://a.supabase.co", key], ["https://a.supabase.co/auth/v1", key], ["https://a.supabase.co", key, { providers: "google" }], ["https://a.supabase.co", key, { providers: ["a&b"] }]]) {
    assert.equal(typeof complaintOfSupabase({ supabase, ...more }, apikey), "string", `${supabase} ${apikey}`);
  }
  assert.equal(complaintOfSupabase({ supabase: "https://a.supabase.co" }, jwt({ role: "anon" })), null);
});

test("README.md: what it has for four providers is a configuration that nginx takes", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const found = [...readme.slice(readme.indexOf("## Sign-in"), readme.indexOf("## Figures")).matchAll(/^ {4}(\{.*(?:\n {5,}.*)*)/gm)].map((match) => match[1]);
  assert.equal(found.length, 4);
  for (const text of found) {
    const { sign_in: settings, apikey } = JSON.parse(text);
    assert.equal(settings.supabase ? complaintOfSupabase(settings, apikey) : complaintOfOidc(settings), null, text);
    assert.doesNotMatch(text, /['$]/);
  }
});
