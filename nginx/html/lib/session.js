/**
 * Whose session this is, for both pages: the door to signing in, and the client made of it.
 *
 *   signin/oidc.js      any OpenID Connect provider   signin/vault.js     where a session is kept, and renewed once at a time
 *   signin/supabase.js  a Supabase project            signin/dialog.js    what the person sees of it
 *   signin/exchange.js  what both are made of
 *
 * How one signs in is "sign_in" of the server's /config.json (README.md, "Sign-in"). Without it a token is pasted, or comes
 * with the configuration. A page holds `openSession`, which gives it its client; calls that are refused with 401 make it call
 * `signIn`; and `changed` tells it when somebody has signed in or out, also in another tab, and whether that is somebody else than
 * what is on the page belongs to.
 */

import { recall, remember } from "./dom.js";
import { messageOf } from "./errors.js";
import { SignInDialog } from "./signin/dialog.js";
import { claimsOf, SignInError } from "./signin/exchange.js";
import { Oidc } from "./signin/oidc.js";
import { complaintOfOidc, complaintOfSupabase, found } from "./signin/setup.js";
import { Supabase } from "./signin/supabase.js";
import { KEY as SESSION, Vault } from "./signin/vault.js";
import { Uplift, UpliftError } from "./uplift.js";
import { t } from "./words.js";

const TOKEN = "uplift.token"; // one that was pasted
const BEGUN = "uplift.signing-in"; // what a sign-in that went to the provider has to find again in this tab
const LINK = "uplift.signing-in.link"; // the same of a mail, which opens a tab of its own
const LEAVING = "uplift.signing-out";
const WHOSE = "uplift.whose"; // whom this tab was last somebody's page for
const BEGUN_MAX_MS = 30 * 60 * 1000; // a person may have to find a password
const LINK_MAX_MS = 24 * 3600 * 1000; // the longest that a link of GoTrue's may be good for
const HOME = new URL(".", location.href); // this page, / or /admin/, to which the provider sends people back

let config = null; // as it was read; null: not yet
let way = null; // an Oidc or a Supabase; null: tokens are pasted
let vault = null;
let dialog = null;
let takesConfigured = true; // whether the configuration's token may be used: not once a session has ended here
let pasted = recall("sessionStorage", TOKEN) ?? recall("localStorage", TOKEN);
let reason = ""; // why nobody is signed in any more
let asking = null; // the promise of an open dialog
let isOpen = false; // whether the page has its client
let reading = null; // the promise of the configuration that is being read
let whose = recall("sessionStorage", WHOSE);
let onChange = () => {};
let tryOut = (client) => client.preferences();

/** Whether the person signed in here, and so can sign out. */
export function signedInByHand() {
  return pasted !== null || (vault?.session ?? null) !== null;
}

/** Whether there is a sign-in here that nobody has used: guests may, and whoever has a token of the configuration. */
export function canSignIn() {
  return way !== null && !signedInByHand();
}

/** Whom the calls of this page are of, or were, when a session has ended; null: of nobody yet. It is good for being compared. */
export function whoseCalls() {
  return whose;
}

/** Whether the server says that its answers are made up. */
export function isSimulated() {
  return config?.simulated === true;
}

/**
 * The client for this session, once per page. `changed(signedIn, isAnother)` is called after each sign-in and sign-out; before the
 * page has its client, only when it is somebody else's now. `check` makes a call that a new token has to be good for.
 */
export async function openSession(changed, check = tryOut) {
  onChange = changed;
  tryOut = check;
  vault ??= new Vault(followOtherTab);
  const returned = takeReturn();
  await readConfig();
  setUp();
  await finish(returned ?? takeForeignReturn());
  // The tab may show what is somebody else's by now: nothing is to be read before it has been taken away.
  const token = vault.session?.token ?? pasted ?? config?.token;
  if (typeof token === "string") noteWhose(token);
  isOpen = true;
  return clientOf({ getToken });
}

function clientOf(options) {
  return new Uplift({ ...options, apikey: () => config?.apikey ?? undefined });
}

// --- the configuration --------------------------------------------------------------------------

async function readConfig() {
  try {
    const response = await fetch("/config.json", { cache: "no-store" });
    // Where there is none it says nothing. Any other refusal is of this call, and no word about how one signs in.
    if (!response.ok && response.status !== 404) return;
    const found = response.ok ? await response.json() : {};
    config = typeof found === "object" && found !== null ? found : {};
  } catch {
    // Offline, or not JSON: what is known stays.
  }
}

/** Makes of the configuration how one signs in. */
function setUp() {
  const { sign_in: settings, apikey } = config ?? {};
  way = null;
  let wrong = null;
  if (settings !== undefined) {
    const isSupabase = settings?.supabase !== undefined;
    wrong = typeof settings !== "object" || settings === null ? found.noObject() : isSupabase ? complaintOfSupabase(settings, apikey) : complaintOfOidc(settings);
    if (wrong === null) way = isSupabase ? new Supabase(settings, apikey, HOME.href) : new Oidc(settings, HOME.href);
    else reason = t("signIn.setup", { why: wrong });
  }
  // One that was begun at another provider cannot be gone on with.
  if (config !== null && wrong === null && vault.session !== null && vault.session.from !== fromOf(settings)) vault.close({ isOver: true });
  dialog = new SignInDialog({
    way, takesToken: settings?.paste === true, tokenHint: HOME.pathname.endsWith("/admin/") ? "./dev token --admin" : "./dev token",
    actions: { redirect, password, link, code, token: take },
  });
}

function fromOf(settings) {
  return settings?.supabase ?? settings?.issuer;
}

// --- the token of each call ---------------------------------------------------------------------

/**
 * For each call; `rejected` is a token that was just refused. A session is renewed before its token ends, and once when it is
 * refused; an answer that is on its way goes on with what it began with. Without a session any more, calls go without a token.
 */
async function getToken(rejected) {
  // While the dialog is there it stays the one that it is.
  if (config === null && asking === null) await readAgain();
  const token = await (vault.session === null ? plainToken(rejected) : sessionToken(rejected));
  // One in the place of a refused one is the same person's, also where guests get another.
  const isAnother = token !== undefined && noteWhose(token, rejected !== undefined);
  if (isAnother) throw new UpliftError("aborted", { type: "aborted", code: "aborted" });
  return token;
}

async function sessionToken(rejected) {
  try {
    const session = await vault.fresh(renew, rejected);
    if (session !== null) return session.token;
    reason ||= t("signIn.ended");
  } catch (error) {
    if (error.kind !== "ended") throw new UpliftError(error.message, { code: "sign_in_unavailable", cause: error });
    reason = error.message;
  }
  takesConfigured = false; // which may be somebody else's: the person is asked
  return undefined;
}

function renew(session) {
  if (way === null) throw new SignInError(t("signIn.unread"), { kind: "away" });
  return way.refresh(session).then((next) => ({ ...next, from: session.from }));
}

/** The token that was pasted; or that of the configuration, which is looked for anew before the person is asked. */
async function plainToken(rejected) {
  if (pasted !== null && pasted === rejected) {
    forgetPasted();
    takesConfigured = false;
  }
  if (pasted !== null) return pasted;
  if (!takesConfigured) return undefined;
  if (rejected !== undefined && config !== null) {
    await readConfig();
    if (config.token === rejected) config = { ...config, token: null };
  }
  return config?.token ?? undefined;
}

function readAgain() {
  reading ??= readConfig().then(() => config !== null && setUp()).finally(() => (reading = null));
  return reading;
}

function forgetPasted() {
  pasted = null;
  for (const storage of ["sessionStorage", "localStorage"]) remember(storage, TOKEN, null);
}

// --- signing in ---------------------------------------------------------------------------------

/** Asks the person to sign in, unless that is being done. Resolves to whether somebody is signed in now. */
export function signIn(message = "") {
  asking ??= ask(message).finally(() => (asking = null));
  return asking;
}

async function ask(message) {
  if (config === null) await readAgain();
  const why = message || reason || (config === null ? t("signIn.unread") : "");
  reason = "";
  return dialog.open(why);
}

/** Away to the provider; the page ends here. */
async function redirect(stays, provider) {
  const { remember: secrets, url } = await way.begin(provider);
  remember("sessionStorage", BEGUN, JSON.stringify({ ...secrets, stays, at: Date.now(), place: location.search + location.hash }));
  location.assign(url);
}

async function password(stays, email, secret) {
  await admit(await way.signInWithPassword(email, secret), stays);
}

async function link(stays, email) {
  remember("localStorage", LINK, JSON.stringify({ ...(await way.sendLink(email)), stays, at: Date.now() }));
}

async function code(stays, email, digits) {
  await admit(await way.signInWithCode(email, digits), stays);
  remember("localStorage", LINK, null);
}

async function take(stays, given) {
  if (given === "") throw new SignInError(t("signIn.text"));
  try {
    await tryOut(clientOf({ token: given }));
  } catch (error) {
    // Away is no reason to refuse a token that may be good.
    if (error.status === 401 || error.status === 403) throw new SignInError(t("signIn.refused", { why: messageOf(error) }));
  }
  const isAnother = makeWayFor(given);
  vault.close();
  pasted = given;
  remember(stays ? "localStorage" : "sessionStorage", TOKEN, given);
  signedIn(isAnother);
}

/** Lets in whoever has these tokens, when the server takes them. */
async function admit(tokens, stays) {
  try {
    await tryOut(clientOf({ token: tokens.token }));
  } catch (error) {
    // Who may not do something has still signed in, and can sign out again.
    if (error.status === 401) throw new SignInError(explainRefusal(error));
  }
  const isAnother = makeWayFor(tokens.token);
  vault.open({ ...tokens, from: fromOf(config.sign_in) }, stays === true);
  signedIn(isAnother);
}

function signedIn(isAnother) {
  reason = "";
  dialog.close(true);
  if (isOpen || isAnother) onChange(true, isAnother);
}

/** Before somebody is let in with this token: what the tab keeps of somebody else goes. Returns whether there was somebody else. */
function makeWayFor(token) {
  const isAnother = whose !== null && whose !== ownerOf(token);
  if (isAnother) forgetAll();
  else forgetPasted();
  return isAnother;
}

/** Whom a token is of; one that does not say, such as an API key, is a person of its own. */
function ownerOf(token) {
  const { iss = "", sub } = claimsOf(token) ?? {};
  return sub === undefined ? token : `${iss} ${sub}`;
}

/**
 * Notes whom calls are of. Where the tab was somebody else's, all that it keeps of them goes, and the page is told. Returns whether it
 * was. `isSame`: nobody else has come, whatever the token says.
 */
function noteWhose(token, isSame = false) {
  const owner = ownerOf(token);
  if (owner === whose) return false;
  const isAnother = whose !== null && !isSame;
  if (isAnother) forgetOther();
  whose = owner;
  remember("sessionStorage", WHOSE, owner === token ? null : owner); // secrets are not kept a second time
  if (isAnother) onChange(true, true);
  return isAnother;
}

/** Why this server refuses a token that the provider has just given. */
function explainRefusal({ code: why, message }) {
  if (why === "token_expired" || why === "token_not_yet_valid") {
    return t("signIn.serverClock", { name: way.name });
  }
  return t("signIn.notTaken", { name: way.name, why: found.token(message) });
}

// --- coming back --------------------------------------------------------------------------------

/**
 * What the provider sent this tab back with, taken out of the address before anything else is done: {query, fragment, begun,
 * place}; null when the address is none of those. Only where this tab, or this browser by a mail, asked for it.
 */
function takeReturn() {
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.slice(1));
  const begun = takeRecord("sessionStorage", BEGUN, BEGUN_MAX_MS);
  const leaving = recall("sessionStorage", LEAVING);
  remember("sessionStorage", LEAVING, null);
  if (leaving !== null && query.get("state") === leaving && !query.has("code")) {
    clearAddress();
    reason = t("signIn.signedOut");
    return null;
  }
  const asked = begun !== null || recall("localStorage", LINK) !== null;
  if (!Oidc.isReturn(query) && !(asked && Supabase.isReturn(query, fragment))) return null;
  clearAddress(begun?.place);
  return { query, fragment, begun };
}

/** The same of what nobody here asked for: tokens in the address are taken out, and not used. */
function takeForeignReturn() {
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!(way instanceof Supabase) || !Supabase.isReturn(query, fragment)) return null;
  clearAddress();
  return { query, fragment, begun: null };
}

/** Puts this page's own address in the place of that with the provider's answer, with the query and fragment it had before. */
function clearAddress(place) {
  history.replaceState(null, "", HOME.pathname + (typeof place === "string" && /^[?#]/.test(place) ? place : ""));
}

/** A record that is used once, and not when it is old. */
function takeRecord(storage, key, maxMs) {
  let record = null;
  try {
    record = JSON.parse(recall(storage, key));
  } catch {
    // Somebody else's: none.
  }
  remember(storage, key, null);
  return record !== null && Date.now() - record.at < maxMs ? record : null;
}

/** Makes a session of what the provider sent back, or says why there is none. */
async function finish(returned) {
  if (returned === null) return;
  const { query, fragment, begun } = returned;
  try {
    if (way === null) throw new SignInError(reason || t("signIn.unread"));
    if (way instanceof Oidc) {
      await admit(await way.finish(query, begun), begun?.stays);
      return;
    }
    const records = [begun, takeRecord("localStorage", LINK, LINK_MAX_MS)].filter((record) => record?.verifier !== undefined);
    await admit(await way.finish(query, fragment, records), records.some((record) => record.stays));
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    signIn(error.message);
  }
}

// --- signing out --------------------------------------------------------------------------------

/** Here at once, and then at the provider, to which this may lead away. */
export function signOut() {
  const { session } = vault;
  vault.close();
  forgetAll();
  if (session !== null && way !== null) leave(session);
  onChange(false);
}

function forgetAll() {
  forgetPasted();
  takesConfigured = false;
  whose = null;
  clearTab();
}

/** Forgets what the tab keeps of somebody, and not by what whoever is there now is signed in. */
function forgetOther() {
  const kept = [SESSION, TOKEN].map((key) => [key, recall("sessionStorage", key)]);
  clearTab();
  for (const [key, value] of kept) remember("sessionStorage", key, value);
}

function clearTab() {
  try {
    sessionStorage.clear(); // drafts, too
  } catch {
    // There was nothing to clear.
  }
}

async function leave(session) {
  reason = t("signIn.signingOut", { name: way.name });
  try {
    const next = await way.end(session);
    if (next !== null) {
      remember("sessionStorage", LEAVING, next.remember.state);
      location.assign(next.url);
      return;
    }
    dialog.say(t("signIn.signedOut"));
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    dialog.say(t("signIn.signedOutHere", { name: way.name }));
  }
}

/**
 * Another tab signed in, or out, or found that the session is over. That takes nothing away: the next call asks the person to sign in
 * again, and if somebody else does, all goes then.
 */
function followOtherTab(now, isOver) {
  if (now !== null) return signedIn(makeWayFor(now.token));
  if (isOver) {
    reason ||= t("signIn.ended");
    takesConfigured = false;
    return undefined;
  }
  forgetAll();
  if (isOpen) onChange(false);
  return undefined;
}
