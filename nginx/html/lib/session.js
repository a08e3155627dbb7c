/** Whose session this is: the token, from the server's /config.json or from the person, and the client made of it. */

import { $, recall, remember } from "./dom.js";
import { Uplift } from "./uplift.js";

const KEY = "uplift.token";

let config = {};
let token = recall("sessionStorage", KEY) ?? recall("localStorage", KEY);
let asking = null; // the promise of an open sign-in panel
let onChange = () => {};
let tryOut = (client) => client.preferences();

/** Whether the person signed in by hand, and so can sign out. */
export function signedInByHand() {
  return (recall("sessionStorage", KEY) ?? recall("localStorage", KEY)) !== null;
}

/** Whether the server says that its answers are made up. */
export function isSimulated() {
  return config.simulated === true;
}

/**
 * The client for this session. `changed` is called after each sign-in and sign-out; `check` makes a call that a token
 * which is given by hand has to be good for.
 */
export async function openSession(changed, check = tryOut) {
  onChange = changed;
  tryOut = check;
  await readConfig();
  wire();
  return new Uplift({ getToken, apikey: config.apikey ?? undefined });
}

async function readConfig() {
  try {
    const response = await fetch("/config.json", { cache: "no-store" });
    config = response.ok ? await response.json() : {};
  } catch {
    // Offline, or not JSON: what is known stays.
  }
  if (typeof config !== "object" || config === null) config = {};
}

/** For each call. A refused token is looked for anew in the configuration before the person is asked. */
async function getToken(rejected) {
  if (rejected !== undefined) {
    if (token === rejected) {
      token = null;
      forget();
    }
    if (token === null) await readConfig();
    if (config.token === rejected) config = { ...config, token: null };
  }
  return token ?? config.token ?? undefined;
}

/** Asks for a token unless that is being done. Resolves to whether there is one now. */
export function signIn(message = "") {
  asking ??= new Promise((resolve) => {
    $("sign-in-error").textContent = message;
    $("token").value = "";
    const dialog = $("sign-in");
    dialog.onclose = () => {
      asking = null;
      resolve(dialog.returnValue === "yes");
    };
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
    $("token").focus();
  });
  return asking;
}

export function signOut() {
  token = null;
  config = { ...config, token: null };
  forget();
  try {
    sessionStorage.clear(); // drafts, too
  } catch {
    // There was nothing to clear.
  }
  onChange(false);
}

function forget() {
  for (const storage of ["sessionStorage", "localStorage"]) remember(storage, KEY, null);
}

async function take(event) {
  event.preventDefault();
  const given = $("token").value.trim().replace(/^Bearer\s+/i, "");
  if (given === "") return;
  $("sign-in-submit").disabled = true;
  $("sign-in-error").textContent = "";
  try {
    await tryOut(new Uplift({ token: given, apikey: config.apikey ?? undefined }));
    keep(given);
  } catch (error) {
    // Away is no reason to refuse a token that may be good.
    if (error.status === 401 || error.status === 403) $("sign-in-error").textContent = `That token was refused: ${error.message}.`;
    else keep(given);
  } finally {
    $("sign-in-submit").disabled = false;
  }
}

function keep(given) {
  token = given;
  forget();
  // For longer than the tab only where the panel asks and the person wants it.
  remember($("token-keep")?.checked ? "localStorage" : "sessionStorage", KEY, given);
  $("sign-in").close("yes");
  onChange(true);
}

function wire() {
  $("sign-in-form").addEventListener("submit", take);
  $("sign-in-later").addEventListener("click", () => $("sign-in").close(""));
  // Enter in the text area signs in: a token has no lines.
  $("token").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      $("sign-in-form").requestSubmit();
    }
  });
}
