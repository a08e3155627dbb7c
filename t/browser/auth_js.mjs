// Supabase's own client, auth-js, against the stand-in of its server (t/lib/gotrue.py): where it is content, the page may be held
// against the same stand-in. Run by supabase.py.
import { GoTrueClient } from "@supabase/auth-js";

import { done, equal, group, matches, ok } from "../clients/tap.mjs";

const url = process.env.GOTRUE_URL;
const page = process.env.PAGE_URL;

async function tell(act, value) {
  return (await fetch(`${url}/test`, { method: "POST", body: JSON.stringify({ act, value }) })).json();
}

function client({ flowType = "pkce", apikey = process.env.GOTRUE_APIKEY } = {}) {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key) };
  return new GoTrueClient({ url: `${url}/auth/v1`, headers: { apikey }, storage, flowType, autoRefreshToken: false, persistSession: true, detectSessionInUrl: false });
}

/** Where a redirect leads. */
async function lead(address) {
  const response = await fetch(address, { redirect: "manual" });
  return new URL(response.headers.get("location"), address);
}

await group("password", async () => {
  const auth = client();
  const { data, error } = await auth.signInWithPassword({ email: "ada@example.com", password: "correct horse" });
  equal([error, data.user?.email, data.session?.token_type, data.session?.expires_in], [null, "ada@example.com", "bearer", 3600], "a session");
  equal((await auth.getUser()).data.user?.id, data.user.id, "whose user can be read");
  const wrong = await auth.signInWithPassword({ email: "ada@example.com", password: "wrong" });
  equal([wrong.error?.status, wrong.error?.code, wrong.error?.message], [400, "invalid_credentials", "Invalid login credentials"], "another password");
  await tell("confirm", { email: "ada@example.com", confirmed: false });
  equal((await auth.signInWithPassword({ email: "ada@example.com", password: "correct horse" })).error?.code, "email_not_confirmed", "an address that is not confirmed");
  await tell("confirm", { email: "ada@example.com", confirmed: true });
  equal((await client({ apikey: "other" }).signInWithPassword({ email: "ada@example.com", password: "correct horse" })).error?.status, 401, "another project's key");
});

await group("renewal", async () => {
  const auth = client();
  const { data: { session } } = await auth.signInWithPassword({ email: "ada@example.com", password: "correct horse" });
  const next = (await auth.refreshSession()).data.session;
  ok(next.refresh_token !== session.refresh_token && next.access_token !== session.access_token, "both tokens are new");
  const again = await auth.refreshSession({ refresh_token: session.refresh_token });
  equal([again.error, again.data.session?.refresh_token], [null, next.refresh_token], "the parent of the token in use still gives that one");
  await auth.refreshSession({ refresh_token: next.refresh_token });
  await tell("forget_reuse");
  equal((await client().refreshSession({ refresh_token: session.refresh_token })).error?.code, "refresh_token_already_used", "an older one ends the session");
  equal((await auth.refreshSession()).error?.code, "refresh_token_not_found", "for all its tokens");
});

await group("a mail", async () => {
  const auth = client();
  equal((await auth.signInWithOtp({ email: "ada@example.com", options: { emailRedirectTo: page } })).error, null, "is sent");
  equal((await auth.signInWithOtp({ email: "ada@example.com", options: { emailRedirectTo: page } })).error?.code, "over_email_send_rate_limit", "but not twice at once");
  await tell("let_send"); // the try before has another verifier in the place of the first
  await auth.signInWithOtp({ email: "ada@example.com", options: { emailRedirectTo: page } });
  const { link } = await tell("mail");
  matches(new URL(link).searchParams.get("token"), /^pkce_/, "its link is of this browser's flow");
  const back = await lead(link);
  equal(`${back.origin}${back.pathname}`, page, "it leads back to the page");
  const { data, error } = await auth.exchangeCodeForSession(back.searchParams.get("code"));
  equal([error, data.session?.user.email], [null, "ada@example.com"], "with a code for a session");
  equal((await auth.exchangeCodeForSession(back.searchParams.get("code"))).error !== null, true, "that is good once");

  await tell("let_send");
  await auth.signInWithOtp({ email: "ada@example.com", options: { emailRedirectTo: page } });
  const { link: other } = await tell("mail");
  const stranger = client();
  await tell("let_send");
  await stranger.signInWithOtp({ email: "ben@example.com", options: { emailRedirectTo: page } });
  const code = (await lead(other)).searchParams.get("code");
  equal((await stranger.exchangeCodeForSession(code)).error?.code, "bad_code_verifier", "another browser can do nothing with it");
  equal((await auth.exchangeCodeForSession(code)).error, null, "and takes nothing from this one");
  const used = await lead(other);
  equal([used.searchParams.get("error"), used.searchParams.get("error_code"), new URLSearchParams(used.hash.slice(1)).get("error_description")],
    ["access_denied", "otp_expired", "Email link is invalid or has expired"], "a link that was used says so in the address");

  await tell("let_send");
  await auth.signInWithOtp({ email: "ada@example.com", options: { emailRedirectTo: "https://evil.test/" } });
  const mail = await tell("mail");
  equal(new URL(mail.link).searchParams.get("redirect_to"), page, "it leads to no page that is not allowed");
  equal((await auth.verifyOtp({ email: "ada@example.com", token: "000000x", type: "email" })).error?.code, "otp_expired", "another code");
  equal((await auth.verifyOtp({ email: "ada@example.com", token: mail.code, type: "email" })).data.session?.user.email, "ada@example.com", "the code in the mail does, too");
  equal((await auth.signInWithOtp({ email: "nobody@example.com", options: { shouldCreateUser: false } })).error?.code, "otp_disabled", "where no accounts are made");

  const implicit = client({ flowType: "implicit" });
  await tell("let_send");
  await implicit.signInWithOtp({ email: "ada@example.com", options: { emailRedirectTo: page } });
  ok(new URLSearchParams((await lead((await tell("mail")).link)).hash.slice(1)).has("access_token"), "without PKCE the address has the tokens");
});

await group("elsewhere", async () => {
  const auth = client();
  const { data } = await auth.signInWithOAuth({ provider: "github", options: { redirectTo: page, skipBrowserRedirect: true } });
  const elsewhere = await lead(data.url);
  const state = elsewhere.searchParams.get("state");
  const back = await lead(`${url}/auth/v1/callback?state=${state}&code=good`);
  const session = (await auth.exchangeCodeForSession(back.searchParams.get("code"))).data.session;
  equal([session?.user.email, session?.provider_token], ["octo@example.com", "of-elsewhere"], "somebody who comes from there");
  const denied = (await lead(data.url)).searchParams.get("state");
  equal((await lead(`${url}/auth/v1/callback?state=${denied}&error=access_denied&error_description=No`)).searchParams.get("error"), "access_denied", "or does not consent");
  equal((await fetch(`${url}/auth/v1/authorize?provider=nowhere`, { redirect: "manual" })).status, 400, "a provider that is not set up");
});

await group("signing out", async () => {
  const auth = client();
  await auth.signInWithPassword({ email: "ada@example.com", password: "correct horse" });
  const { data: { session } } = await auth.getSession();
  equal((await auth.signOut({ scope: "local" })).error, null, "ends the session");
  equal((await client().refreshSession({ refresh_token: session.refresh_token })).error?.code, "refresh_token_not_found", "which cannot be renewed any more");
});

done();
