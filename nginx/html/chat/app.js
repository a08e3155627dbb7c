/**
 * The chat page: holds what is open and what is under way, and ties the parts together.
 *
 *   session.js  whose session it is        panel.js         coach, severity, roast mode, consent
 *   sidebar.js  list of conversations      turn.js          a question and its answer
 *   uplift.js   client of the API          markdown.js      answers into nodes
 *   errors.js   what went wrong, in words  availability.js  what is away, and when it is back
 *   memories.js what coaches remember      sources.js       what an answer cites
 *   uses.js     why it is as it is         own_data.js      all that is kept: downloaded, erased
 *   question.js what was asked, edited     thought.js       what the model thought first
 *   share.js    a conversation as text     shortcuts.js     keys, and the list of them
 *   words.js    the page's words, by language    photos.js     photos of meals
 *   keep.js     copying and saving
 */

import { Availability } from "./availability.js";
import { $, h, icon, recall, remember, speak, stopIcon } from "../lib/dom.js";
import { clause, isAway, isForAMoment, isUnsent, reasonFor, referenceOf, spell, whenAgain } from "../lib/errors.js";
import { copyBy } from "../lib/keep.js";
import { plainText } from "../lib/markdown.js";
import { Memories } from "./memories.js";
import { OwnData } from "./own_data.js";
import { CoachPanel } from "./panel.js";
import { Photos } from "./photos.js";
import { Share } from "./share.js";
import { Shortcuts } from "./shortcuts.js";
import { canSignIn, isSimulated, openSession, signedInByHand, signIn, signOut } from "../lib/session.js";
import { Sidebar } from "./sidebar.js";
import { Turn } from "./turn.js";
import { language, languages, speakLanguage, t } from "../lib/words.js";

const SUGGESTIONS = ["welcome.suggestion1", "welcome.suggestion2", "welcome.suggestion3", "welcome.suggestion4"];
const DIALOGS = ["coach-dialog", "memories-dialog", "photos-dialog", "share-dialog", "shortcuts-dialog"];
const AUTO_RETRIES = 3; // then the person has to want it
const MESSAGE_BYTES_MAX = 262144;
const OF_ONE_PERSON = ["training", "start", "list", "too-long", "gone"]; // notices that are for nobody else
const ASKING = "uplift.asking"; // in the session's storage: the name of the answer that this tab waits for
const COARSE = matchMedia("(pointer: coarse)");

let client;
let panel;
let memories;
let photos;
let sidebar;
let share;
let shortcuts;
let conversation = null; // the id of the one that is open
let isPast = false; // what is shown of it is how it was before a later version
let opening = null; // AbortController of one that is being read
let turns = [];
let running = null; // {turn, answer} while an answer comes
const elsewhere = new Map(); // conversations that were left while an answer comes: id -> {turns, running, title, isPast}
const leftUnnamed = new Map(); // the same before their conversations have an id: answer -> ...
let isLeaving = false; // the page is being closed or reloaded
let waiting = null; // {turn, cancel, isSent} while a message waits: for its next try, or, once it was sent, to be followed
let follow = true; // whether the view sticks to the end
let lastTop = 0; // where it was scrolled to
let unread = null; // the conversation that could not be read while the database was away
const availability = new Availability({ notice, restored: refresh });

// --- start --------------------------------------------------------------------------------------

async function start() {
  shortcuts = new Shortcuts({ search: () => sidebar.search(), startNew, editLast });
  share = new Share({ conversation: () => ({ turns, title: titleShown() }) });
  drawIcons();
  showTheme();
  listLanguages();
  $("thread").dataset.opening = t("thread.opening");
  wire();
  const { node: ownData } = new OwnData({ client: () => client, erased: beginAnew });
  panel = new CoachPanel({ save: (changes) => client.setPreferences(changes), changed: () => {}, openMemories, ownData });
  memories = new Memories({ client: () => client });
  photos = new Photos({ client: () => client, discuss: (text, photo_id) => send(text, { more: { photo_id } }) });
  sidebar = new Sidebar({ client: () => client, loaded: () => notice("list"), failed: (error) => showTrouble(error, "list", () => sidebar.load()), deleted: forget, renamed });
  for (const text of SUGGESTIONS.map((key) => t(key))) {
    $("suggestions").append(h("button", { class: "suggestion", type: "button", onclick: () => send(text) }, text));
  }
  showConversation(readHash());
  client = await openSession(sessionChanged);
  availability.showOnline();
  await load();
}

function sessionChanged(signedIn, isAnother) {
  notice("signed-out");
  if (!signedIn || isAnother) emptyPage();
  if (client === undefined) return undefined; // it begins with that
  if (signedIn) return void load();
  $("sign-out").hidden = true;
  return void askWho();
}

/** Takes away all that is somebody's. Their answers go on without this page. */
function emptyPage() {
  for (const dialog of document.querySelectorAll("dialog[open]:not(#sign-in)")) dialog.close();
  running?.answer.leave();
  for (const { running: other } of [...elsewhere.values(), ...leftUnnamed.values()]) other.answer.leave();
  elsewhere.clear();
  leftUnnamed.clear();
  running = null;
  opening?.abort();
  opening = unread = null;
  cancelWaiting();
  for (const key of OF_ONE_PERSON) notice(key);
  for (const part of [sidebar, panel, memories, photos]) part.clear();
  $("spoken").replaceChildren();
  location.hash = "";
  remember("sessionStorage", draftKey(readHash()), null);
  showConversation(null);
  showBusy(false);
}

function showSignOut() {
  $("sign-out").hidden = !signedInByHand() && !canSignIn();
  $("sign-out").textContent = t(signedInByHand() ? "signIn.out" : "signIn.title");
}

/** Resolves to whether somebody is signed in now. Until then the page says that nobody is. */
async function askWho() {
  showSignOut();
  const signedIn = await signIn();
  if (!signedIn) notice("signed-out", t("trouble.signedOut"), { button: { label: t("signIn.title"), act: askWho } });
  return signedIn;
}

/** Everything the page begins with. Each part stands for itself: the page works with what it got. */
async function load() {
  const fromHash = readHash();
  const [coaches, preferences, models] = await Promise.allSettled([client.coaches(), client.preferences(), client.models()]);
  const refused = [coaches, preferences].find(({ reason }) => reason?.status === 401);
  if (coaches.value || panel.coaches.length === 0) panel.load(coaches.value ?? [], preferences.value);
  if (models.status === "fulfilled") noteModels(models.value);
  showSignOut();
  if (refused) {
    showConversation(null);
    askWho();
    return;
  }
  const missing = coaches.reason ?? preferences.reason;
  if (missing) showTrouble(missing, "start", load);
  else notice("start");
  sidebar.load();
  // After signing in again, what is on the page stays.
  if (turns.length === 0) await open(fromHash ?? (await askedBefore()));
}

/** The conversation of the answer that this tab waited for when it was reloaded, before it had an address. */
async function askedBefore() {
  const name = recall("sessionStorage", ASKING);
  if (name === null) return null;
  remember("sessionStorage", ASKING, null);
  try {
    const asked = (await client.openAnswers()).find((answer) => answer.client_request_id === name);
    return asked?.conversation_id ?? null;
  } catch {
    return null;
  }
}

function drawIcons() {
  $("send").append(icon("up"));
  $("stop").append(stopIcon());
  $("to-end").prepend(icon("down"));
  $("share").append(icon("share"));
  $("shortcuts").prepend(icon("keys"));
  $("install").prepend(icon("install"));
  for (const name of DIALOGS) $(`close-${name}`).append(icon("close"));
}

function wire() {
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    sendWritten();
  });
  $("message").addEventListener("input", () => {
    remember("sessionStorage", draftKey(readHash()), $("message").value);
    fitMessage();
  });
  $("message").addEventListener("keydown", (event) => {
    // While an input method composes, Enter belongs to it. A keyboard on glass has no Shift+Enter.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (COARSE.matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });
  $("stop").addEventListener("click", stop);
  for (const id of ["new-chat", "new-chat-narrow"]) $(id).addEventListener("click", startNew);
  for (const id of ["coach-chip", "tone-chip"]) $(id).addEventListener("click", openPanel);
  for (const name of DIALOGS) $(`close-${name}`).addEventListener("click", () => $(name).close());
  for (const id of [...DIALOGS, "confirm"]) $(id).addEventListener("click", closeOutside);
  $("share").addEventListener("click", () => share.open());
  $("shortcuts").addEventListener("click", () => shortcuts.open());
  offerInstall();
  $("theme").addEventListener("click", nextTheme);
  $("sign-out").addEventListener("click", () => (signedInByHand() ? signOut() : askWho()));
  $("to-end").addEventListener("click", () => {
    follow = true;
    toEnd(running === null); // what grows would be at its end only when a smooth move is over
  });
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("message").focus();
  });
  $("thread").addEventListener("click", copyCode);
  $("main").addEventListener("scroll", noteScroll, { passive: true });
  const sizes = new ResizeObserver(() => follow && turns.length > 0 && toEnd());
  for (const id of ["thread", "main"]) sizes.observe($(id));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && !sidebar.close()) stop();
    // Who begins to write where nothing takes it means the message.
    const plain = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (plain && [document.body, $("main")].includes(document.activeElement)) $("message").focus();
  });
  $("simulated").addEventListener("click", tellSimulated);
  addEventListener("pagehide", () => (isLeaving = true));
  addEventListener("pageshow", () => (isLeaving = false));
  addEventListener("hashchange", () => {
    if (readHash() !== conversation) open(readHash());
  });
}

// --- asking and answering -----------------------------------------------------------------------

/** Sends what is in the message box. */
function sendWritten() {
  const text = $("message").value;
  if (text.trim() === "" || running) return;
  notice("too-long", isTooLong(text.trim()) ? t("composer.tooLong") : "", { closable: true });
  send(text, { isWritten: true });
}

/**
 * Asks something; `more` goes into the request, and `isWritten` is what is in the message box, which is empty then. Returns why that
 * cannot be now, null otherwise.
 */
function send(text, { more = {}, isWritten = false } = {}) {
  const message = text.trim();
  const why = whyNot(message);
  if (message === "" || why !== null) return why;
  cancelWaiting();
  if (isPast) {
    sendInThePresent(text, { more, isWritten });
    return null;
  }
  const { coach_id, severity, mode } = panel.choice;
  const turn = addTurn(message);
  turn.request = { message, coach_id: coach_id ?? undefined, severity, mode, conversation_id: conversation ?? undefined, ...more };
  if (isWritten) write("");
  showWelcome(false);
  follow = true;
  run(turn);
  return null;
}

/** Why a message cannot be sent now, null where it can. */
function whyNot(message) {
  if (running) return t("composer.busy");
  return isTooLong(message) ? t("composer.tooLong") : null;
}

function isTooLong(message) {
  return new TextEncoder().encode(message).length > MESSAGE_BYTES_MAX;
}

/** Puts a text into the message box, and keeps it as what is written in this conversation. */
function write(text) {
  $("message").value = text;
  remember("sessionStorage", draftKey(readHash()), text);
  fitMessage();
}

/** What is written below an earlier version goes on with the latest one. */
async function sendInThePresent(text, options) {
  const id = conversation;
  if ((await open(id)) && conversation === id && !isPast) send(text, options);
}

function addTurn(message, { coach_id, severity, mode } = panel.choice) {
  const turn = new Turn({
    message,
    coach: { id: coach_id ?? "", name: panel.nameOf(coach_id), severity, mode },
    actions: { again, edit, version, feedback, context: (id) => client.answerContext(id), forget: (id) => client.forgetMemory(id) },
  });
  place(turn);
  return turn;
}

async function feedback(id, changes) {
  const stored = await client.feedback(id, changes);
  askToTrain();
  return stored;
}

/** Once, with the first feedback, and not where the answer could not be kept: whether what is rated may train models. */
async function askToTrain() {
  if (panel.training !== null || panel.trainingAsked || !(await panel.noteTrainingAsked())) return;
  const decide = (agreed) => async () => {
    notice("training", (await panel.setTraining(agreed)) ? t(agreed ? "consent.agreed" : "consent.declined") : t("consent.notStored"), { closable: true });
  };
  notice("training", t("consent.ask"), {
    closable: true, buttons: [{ label: t("consent.askYes"), act: decide(true) }, { label: t("consent.askNo"), act: decide(false) }] });
}

function place(turn) {
  turns.at(-1)?.setLast(false);
  turns.push(turn);
  $("thread").append(turn.node);
}

/** Asks for an answer in the place of the one that is there, in the tone that is chosen now. */
function again(turn) {
  if (running) return;
  cancelWaiting();
  turn.wanted = null;
  const { coach_id, severity, mode } = panel.choice;
  turn.request = {
    message: turn.message === "" ? undefined : turn.message,
    coach_id: coach_id ?? undefined, severity, mode,
    conversation_id: conversation ?? undefined,
    regenerate_of: turn.replaces ?? turn.id ?? undefined,
    photo_id: turn.request?.photo_id,
  };
  run(turn);
}

/** Asks something else in the place of a turn's question: what came after it belongs to the old one. Returns why not, or null. */
function edit(turn, text) {
  const why = whyNot(text);
  if (why !== null) return why;
  cancelWaiting();
  const { coach_id, severity, mode } = panel.choice;
  turn.request = { message: text, coach_id: coach_id ?? undefined, severity, mode, conversation_id: conversation ?? undefined, regenerate_of: turn.id,
    photo_id: turn.request?.photo_id };
  turn.wanted = text;
  follow = true;
  run(turn);
  return null;
}

/** Shows what is asked in the place of a turn's question, without the turns that came after it. */
function showEdited(turn, text) {
  const later = turns.splice(turns.indexOf(turn) + 1);
  for (const { node } of later) node.remove();
  turn.later = [...(turn.later ?? []), ...later];
  turn.setLast(true);
  turn.ask(text);
}

/** The turns that an edit took away, where nothing came of it. */
function bringBack(turn) {
  const { later = [] } = turn;
  turn.later = [];
  if (turns.includes(turn)) for (const other of later) place(other);
}

/** Has an answer that was cut go on where it stopped. */
function goOn(turn) {
  if (running) return;
  cancelWaiting();
  turn.wanted = null;
  turn.request = { regenerate_of: turn.id, continue: true, conversation_id: conversation ?? undefined, coach_id: turn.coach.id || undefined,
    severity: turn.coach.severity, mode: turn.coach.mode, photo_id: turn.request?.photo_id };
  run(turn);
}

/** Shows the conversation as it was, or is, with a version of one of its turns. */
async function version(turn, id) {
  if (running || id === undefined) return;
  const at = turns.indexOf(turn);
  await open(conversation, { version: id });
  const shown = turns[at];
  shown?.node.scrollIntoView({ block: "nearest" });
  (shown?.pager.querySelector("button:not(:disabled)") ?? shown?.answer)?.focus({ preventScroll: true });
}

function tellPast() {
  notice("past", isPast ? t("versions.past") : "", { button: { label: t("versions.latest"), act: () => open(conversation) } });
}

/** Edits the last message; returns whether there is one. */
function editLast() {
  const last = turns.at(-1);
  if (running || last === undefined || last.question.editButton.hidden) return false;
  last.question.open();
  return true;
}

/** One try of a turn's request, from the first byte to the last. */
async function run(turn, attempt = 0) {
  const { request } = turn;
  if (turn.wanted !== null) showEdited(turn, turn.wanted);
  if (!navigator.onLine) return waitForNetwork(turn);
  turn.begin({ goesOn: request.continue === true });
  turn.setCoach({ id: request.coach_id ?? "", name: panel.nameOf(request.coach_id), severity: request.severity, mode: request.mode });
  const answer = client.chat({ ...request, retries: 0 });
  remember("sessionStorage", ASKING, answer.name);
  return listen(turn, answer, attempt);
}

/** Shows an answer as it comes, to its end. */
async function listen(turn, answer, attempt = 0) {
  running = { turn, answer };
  showBusy(true);
  speak(t("turn.answering", { coach: turn.coach.name }));
  try {
    const begun = await answer.started;
    turn.id = begun.feedbackId;
    availability.reached();
    if (begun.degraded) availability.databaseAway();
    else if (begun.degraded === null) availability.databaseBack(); // not known of an answer that is picked up
    if (begun.conversation_id) found(turn, answer, begun.conversation_id);
    let restarts = 0;
    for await (const delta of answer) {
      if (answer.restarts !== restarts) turn.restart(); // another provider answers, from the beginning
      restarts = answer.restarts;
      turn.think(answer.reasoning);
      turn.add(delta);
    }
    succeed(turn, await answer.done);
  } catch (error) {
    ended(answer); // before what is done about it, which may be the next try
    fail(turn, error, attempt);
  } finally {
    ended(answer);
    showBusy(running !== null);
  }
}

/** An answer says which conversation it is of. */
function found(turn, answer, id) {
  if (turns.includes(turn)) enter(id);
  const left = leftUnnamed.get(answer);
  leftUnnamed.delete(answer);
  if (left) elsewhere.set(id, left);
}

function ended(answer) {
  if (isLeaving) return; // the page goes, not the answer
  if (answer.name !== null && recall("sessionStorage", ASKING) === answer.name) remember("sessionStorage", ASKING, null);
  if (running?.answer === answer) running = null;
  leftUnnamed.delete(answer);
  // Recorded by now: whoever goes back there reads it.
  for (const [id, other] of elsewhere) if (other.running.answer === answer) elsewhere.delete(id);
}

/** Picks up an answer that was asked for before a reload, or on another device. */
async function pickUp(id) {
  if (running) return;
  const answer = client.follow(id);
  const opened = conversation;
  let begun;
  try {
    begun = await answer.started;
  } catch {
    return; // ended, and shown when the conversation is read again
  }
  if (conversation !== opened || running) return void answer.leave();
  const severity = begun.severity === undefined ? panel.choice.severity : Number(begun.severity);
  const replaced = turns.find((turn) => turn.id !== null && turn.id === begun.regenerate_of);
  const turn = replaced ?? addTurn(begun.message, { ...begun, severity });
  if (replaced) {
    turn.wanted = begun.message;
    showEdited(turn, begun.message);
  }
  turn.request = { message: begun.message, coach_id: begun.coach_id ?? undefined, severity, mode: begun.mode, conversation_id: begun.conversation_id };
  turn.begin();
  turn.setCoach({ id: begun.coach_id ?? "", name: panel.nameOf(begun.coach_id), severity, mode: begun.mode });
  showWelcome(false);
  toEnd();
  await listen(turn, answer);
}

/** An answer whose connection could not be had again for a while: from its beginning, once there is one. */
function followLater(turn) {
  waitFor(turn, t("trouble.connection"),
    (act) => (navigator.onLine ? availability.whenReached(act) : onceOnline(act)), { isSent: true });
}

function followOn(turn) {
  const { id, before } = turn;
  turn.begin();
  turn.id = id;
  turn.before = before; // another answer, if any: this one only begins again
  listen(turn, client.follow(id));
}

/** An answer goes on, but whoever asked for it is not signed in any more: from its beginning, once they are. */
async function askToFollow(turn) {
  turn.note(t("trouble.goesOn"), {
    kind: "error", buttons: [{ label: t("signIn.title"), primary: true, act: () => askToFollow(turn) }] });
  if ((await askWho()) && turns.includes(turn)) followOn(turn);
}

function succeed(turn, result) {
  const replaced = turn.before;
  turn.id = result.feedbackId ?? turn.id;
  turn.used = result;
  turn.end("complete", result.citations);
  noteVersion(turn, replaced);
  if (/^sim-/.test(result.model ?? "")) $("simulated").hidden = false;
  sidebar.load();
  if (!turns.includes(turn)) return; // its conversation is not open any more
  beLatest();
  turn.replaces = null;
  if (result.conversation_id) enter(result.conversation_id);
  if (result.severity !== undefined) turn.setCoach({ ...turn.coach, severity: Number(result.severity), mode: result.mode ?? turn.coach.mode });
  if (document.title === "uplift") titlePage(turns[0].message);
  if (result.finish_reason === "length") turn.note(t("end.length"), { buttons: [goOnButton(turn)] });
  if (result.finish_reason === "content_filter") turn.note(t("end.contentFilter"), { buttons: [tryAgain(turn)] });
}

/** What is shown has a new answer, and so is how the conversation is from now on. */
function beLatest() {
  isPast = false;
  tellPast();
}

/** A turn's answer took the place of another one, which can be paged back to. */
function noteVersion(turn, replaced) {
  turn.later = [];
  if (replaced?.id && turn.id && replaced.id !== turn.id) turn.setVersions([...(replaced.versions.length > 0 ? replaced.versions : [replaced.id]), turn.id]);
}

function goOnButton(turn) {
  return { label: t("end.goOn"), primary: true, act: () => goOn(turn) };
}

/** What went wrong, in words, and what can be done about it. */
function fail(turn, error, attempt) {
  const text = turn.text !== "" && turn.state !== "waiting"; // what it goes on from is not of this answer
  if (!turns.includes(turn)) {
    if (error.feedbackId === null && error.code !== "aborted") keepUnsent(turn.request.conversation_id ?? null, turn);
    sidebar.load(); // its conversation is not open any more, but may be a new one in the list
    return;
  }
  const replaced = turn.request.regenerate_of;
  if (error.feedbackId && (text || !replaced)) turn.replaces = error.feedbackId;
  turn.id ??= error.feedbackId;
  if (error.feedbackId && error.conversation_id) enter(error.conversation_id);
  if (error.status === 401 && error.feedbackId) {
    turn.id = error.feedbackId;
    turn.setState("incomplete");
    return askToFollow(turn);
  }
  if (error.type === "connection_error" && turn.id) {
    turn.setState("incomplete");
    availability.lost();
    return followLater(turn);
  }
  if (text) {
    const stopped = isStopped(error);
    const { before } = turn;
    turn.end(stopped ? "stopped" : "incomplete");
    noteVersion(turn, before);
    beLatest();
    const why = error.code === "incomplete_answer" ? t("end.broken") : t("end.brokenWhy", { why: clause(error) });
    turn.note(stopped ? t("end.stopped") : why, {
      kind: stopped ? "info" : "error",
      buttons: stopped ? [] : [tryAgain(turn)],
      detail: stopped ? "" : referenceOf(error),
    });
    sidebar.load();
    return;
  }
  fallBack(turn);
  takeEditBack(turn);
  if (error.feedbackId) sidebar.load();
  explain(turn, error, attempt);
}

/** Back to the answer that was there before a try of which nothing came, or to none. */
function fallBack(turn) {
  if (turn.restore()) return;
  turn.id ??= turn.request.regenerate_of ?? null;
  turn.setState("failed");
}

function explain(turn, error, attempt) {
  const replaced = turn.request.regenerate_of;
  const once = [tryAgain(turn)];
  // Recorded as failed: the next try takes its place.
  if (turn.replaces) turn.request = { ...turn.request, regenerate_of: turn.replaces };
  if (isStopped(error)) return turn.note(t("end.stoppedEarly"), { buttons: once });
  if (error.status === 401) return askToSignIn(turn, error);
  if (error.code === "roast_consent_required") return askToRoast(turn);
  if (error.code === "conversation_not_found") {
    return turn.note(t("trouble.deleted"), {
      kind: "error", buttons: [{ label: t("trouble.askInNew"), primary: true, act: () => moveToNew(turn) }] });
  }
  if (error.code === "answer_not_found" && replaced) {
    // Not stored, or not yet: then it is a question like any other.
    turn.request = { ...turn.request, regenerate_of: undefined, continue: undefined, message: wishOf(turn) };
    turn.replaces = null;
    return run(turn, attempt);
  }
  if (error.code === "photo_not_found" && replaced && turn.request.photo_id) {
    // Deleted since it was asked about: the question stands without it.
    turn.request = { ...turn.request, photo_id: undefined };
    return run(turn, attempt);
  }
  if (isAway(error)) {
    availability.lost();
    if (!navigator.onLine) return waitForNetwork(turn);
    if (isUnsent(error)) return waitForService(turn);
    return turn.note(t("trouble.unreachable"), { kind: "error", buttons: once });
  }
  if (isForAMoment(error)) return countDown(turn, error, attempt);
  const changes = error.status >= 500 || error.status === 429 || error.status === 408 || error.status === 403;
  const again = whenAgain(error);
  return turn.note(again === "" ? reasonFor(error) : t("trouble.again", { why: reasonFor(error), when: again }), {
    kind: "error", buttons: changes ? once : [tryAgain(turn), { label: t("trouble.edit"), act: () => changeMessage(turn) }], detail: referenceOf(error) });
}

/** What is to be asked in a turn: its question, or what was to take the place of that and did not come to it. */
function wishOf(turn) {
  return turn.wanted ?? turn.message;
}

/** Here, or on another device. */
function isStopped(error) {
  return error.code === "aborted" || error.code === "stopped";
}

/** The same once more: an edit, going on, or the question. */
function retry(turn) {
  if (turn.wanted !== null) edit(turn, turn.wanted);
  else if (turn.request?.continue) goOn(turn);
  else again(turn);
}

function tryAgain(turn) {
  return { label: t("page.tryAgain"), primary: true, act: () => retry(turn) };
}

async function askToSignIn(turn, error) {
  turn.note(t("trouble.signInEnded"), {
    kind: "error", buttons: [{ label: t("signIn.title"), primary: true, act: () => askToSignIn(turn, error) }] });
  // Another person has nothing of this on the page any more.
  if ((await askWho()) && turns.includes(turn)) retry(turn);
}

async function askToRoast(turn) {
  turn.note(t("roast.needed"), {
    buttons: [{ label: t("roast.decide"), primary: true, act: () => askToRoast(turn) }] });
  if (await panel.askConsent()) retry(turn);
}

function moveToNew(turn) {
  location.hash = "";
  showConversation(null);
  send(wishOf(turn), { more: { photo_id: turn.request.photo_id } });
}

/** Has the message of a turn changed where it stands, or, where there is nothing else of the turn, in the message box. */
function changeMessage(turn) {
  if (turn.text === "" && turn.wanted === null) takeBack(turn);
  else turn.question.open();
}

/** Puts the message of a failed turn back into the message box, before what is written there. */
function takeBack(turn) {
  turn.node.remove();
  turns = turns.filter((other) => other !== turn);
  turns.at(-1)?.setLast(true);
  write(joined(turn.message, $("message").value));
  $("message").focus();
  showWelcome(turns.length === 0);
}

/** Refused with a time to wait: tries again by itself, in view and not for ever. */
function countDown(turn, error, attempt) {
  const why = reasonFor(error);
  if (attempt >= AUTO_RETRIES) {
    const when = whenAgain(error);
    turn.note(when === "" ? t("trouble.againLater", { why }) : t("trouble.again", { why, when }), { kind: "error", buttons: [tryAgain(turn)], detail: referenceOf(error) });
    return;
  }
  let left = Math.max(1, Math.ceil(error.retryAfter));
  const words = () => t("trouble.countdown", { why, time: spell(left) });
  const timer = setInterval(() => {
    left--;
    if (left > 0) turn.setNoteText(words());
    else now();
  }, 1000);
  const cancel = (text = "") => {
    clearInterval(timer);
    waiting = null;
    turn.note(text, { buttons: text === "" ? [] : [tryAgain(turn)] });
  };
  const now = () => {
    cancel();
    run(turn, attempt + 1);
  };
  cancelWaiting();
  waiting = { turn, cancel, isSent: false };
  turn.note(words(), { kind: "wait", buttons: [{ label: t("trouble.tryNow"), primary: true, act: now }, { label: t("page.cancel"), act: cancelWaiting }] });
}

/** Surely not sent, so it may be sent without asking once there is a network. */
function waitForNetwork(turn) {
  waitFor(turn, t("trouble.offline"), onceOnline);
}

function onceOnline(act) {
  addEventListener("online", act, { once: true });
  return () => removeEventListener("online", act);
}

function waitForService(turn) {
  waitFor(turn, t("trouble.noAnswer"), (go) => availability.whenReached(go));
}

/**
 * Sends the message, or follows the answer of one that was sent, once what `subscribe` waits for has come; it returns what ends the
 * waiting. What was sent stays as it is, however the waiting ends.
 */
function waitFor(turn, text, subscribe, { isSent = false } = {}) {
  if (!isSent && turn.text === "") fallBack(turn);
  cancelWaiting();
  const go = () => (isSent ? followOn(turn) : run(turn));
  const unsubscribe = subscribe(() => {
    cancel();
    go();
  });
  const cancel = (why = "") => {
    unsubscribe();
    waiting = null;
    if (why !== "" && !isSent && turn.wanted !== null) takeEditBack(turn);
    turn.note(why, { buttons: why === "" ? [] : [isSent ? { ...tryAgain(turn), act: () => running || go() } : tryAgain(turn)] });
  };
  waiting = { turn, cancel, isSent };
  turn.note(text, { kind: "wait", buttons: [{ label: t("page.cancel"), act: cancelWaiting }] });
}

/** An edit was not sent: all is as it was, and it waits for another try. */
function takeEditBack(turn) {
  turn.unask();
  bringBack(turn);
}

function cancelWaiting() {
  waiting?.cancel(t(waiting.isSent ? "trouble.notFollowed" : "trouble.notSent"));
}

function stop() {
  running?.answer.abort();
}

function showBusy(busy) {
  const focused = [$("send"), $("stop"), $("message")].includes(document.activeElement);
  $("send").hidden = busy;
  $("stop").hidden = !busy;
  document.body.classList.toggle("busy", busy);
  $("composer-hint").textContent = t(busy ? "composer.hintBusy" : "composer.hint");
  if (!focused) return;
  // The message box brings up the keyboard of a phone, which would cover the answer.
  if (COARSE.matches) (busy ? $("stop") : turns.at(-1)?.answer)?.focus({ preventScroll: true });
  else if (document.activeElement !== $("message")) (busy ? $("stop") : $("message")).focus();
}

// --- conversations ------------------------------------------------------------------------------

function readHash() {
  return /^#c\/([0-9a-f-]{36})$/i.exec(location.hash)?.[1].toLowerCase() ?? null;
}

/** Where what is written in a conversation is kept; without an id, in one that has none yet. */
function draftKey(id) {
  return `uplift.draft.${id ?? "new"}`;
}

/** Puts a text before what is written in a conversation and waits there. */
function putBefore(id, text) {
  if (draftKey(id) === draftKey(readHash())) return write(joined(text, $("message").value));
  return remember("sessionStorage", draftKey(id), joined(text, recall("sessionStorage", draftKey(id)) ?? ""));
}

function joined(...texts) {
  return texts.filter((text) => text !== "").join("\n\n");
}

/** What a turn asks and was not sent, in a conversation that is not open any more, waits there to be sent. */
function keepUnsent(id, turn) {
  // A question that was answered before is there again.
  const isAnswered = turn.before || turn.text !== "";
  if (isAnswered && turn.wanted === null) return;
  putBefore(id, wishOf(turn));
}

/** The conversation has its id: the address says so from now on. */
function enter(id) {
  if (conversation === id) return;
  const isNew = conversation === null;
  conversation = id;
  history.replaceState(null, "", `#c/${id}`);
  if (isNew) {
    // What is written by now goes along.
    remember("sessionStorage", draftKey(null), null);
    remember("sessionStorage", draftKey(id), $("message").value);
  }
  sidebar.mark(id);
}

function startNew() {
  sidebar.close();
  if (location.hash !== "") history.pushState(null, "", location.pathname + location.search);
  leave();
  showConversation(null);
  $(COARSE.matches ? "main" : "message").focus();
}

/** An answer that is coming goes on by itself. */
function leave() {
  opening?.abort();
  opening = null;
  if (waiting && !waiting.isSent) keepUnsent(conversation, waiting.turn);
  cancelWaiting();
  const left = { turns, running, title: document.title, isPast };
  if (running && conversation === null) leftUnnamed.set(running.answer, left);
  else if (running) elsewhere.set(conversation, left);
  running = null;
  showBusy(false);
}

/** Goes back to a conversation that was left while an answer comes. Returns whether it was such a one. */
function goBackTo(id) {
  const left = elsewhere.get(id);
  if (!left) return false;
  elsewhere.delete(id);
  ({ turns, running, isPast } = left);
  tellPast();
  document.title = left.title;
  $("thread").append(...turns.map((turn) => turn.node));
  $("main").classList.remove("loading");
  showBusy(true);
  toEnd();
  return true;
}

/**
 * Opens a conversation by its id; null is a new one. With `version`, as it was with that version of an answer. Resolves to whether
 * that is shown now: it may be gone or not be readable, or another one may have been opened meanwhile.
 */
async function open(id, { version: of } = {}) {
  leave();
  sidebar.close();
  if (id === null) {
    showConversation(null);
    return true;
  }
  if (readHash() !== id) history.replaceState(null, "", `#c/${id}`);
  showConversation(id);
  if (goBackTo(id)) return true;
  const reading = (opening = new AbortController());
  try {
    const coming = answerComing(id, reading.signal);
    const read = await readConversation(id, coming, reading.signal, of);
    if (opening !== reading) return false;
    availability.reached();
    isPast = read.is_current === false;
    tellPast();
    showMessages(read);
    $(COARSE.matches ? "main" : "message").focus();
    coming.then((answer) => {
      // One that is over by now was among the messages.
      if (answer && conversation === id && !turns.some((turn) => turn.id === answer.id)) pickUp(answer.id);
    });
    return true;
  } catch (error) {
    if (opening === reading) await notRead(id, error, of);
    return false;
  } finally {
    if (opening === reading) {
      opening = null;
      $("main").classList.remove("loading");
    }
  }
}

/** What is shown in the place of a conversation, or a version of it, that could not be read. */
async function notRead(id, error, version) {
  if (error.code === "aborted") return;
  if (error.status === 401) {
    askWho();
  } else if (error.status === 404 && version !== undefined) {
    await open(id);
  } else if (error.status === 404) {
    notice("gone", t("thread.gone"), { closable: true });
    history.replaceState(null, "", location.pathname + location.search);
    leave();
    showConversation(null);
  } else {
    unread = id;
    showTrouble(error, "conversation", () => open(id));
  }
}

/** Resolves to the answer of a conversation that is under way, undefined without one. */
async function answerComing(id, signal) {
  try {
    return (await client.openAnswers({ signal, retries: 0 })).find((answer) => answer.conversation_id === id);
  } catch {
    return undefined;
  }
}

/** A conversation is stored with its first answer: until then it is empty. */
async function readConversation(id, coming, signal, of) {
  try {
    return await client.conversation(id, { signal, version: of });
  } catch (error) {
    if (error.status === 404 && (await coming)) return { messages: [] };
    throw error;
  }
}

function showConversation(id) {
  conversation = id;
  isPast = false;
  tellPast();
  turns = [];
  $("thread").replaceChildren();
  $("main").classList.toggle("loading", id !== null);
  $("message").value = recall("sessionStorage", draftKey(readHash())) ?? "";
  fitMessage();
  follow = true;
  document.title = "uplift";
  sidebar.mark(id);
  showWelcome(id === null);
  if (id !== null) notice("gone");
  notice("conversation");
}

/** Messages come in pairs with the same id; a turn may lack either. What was asked while they were read stays below them. */
function showMessages({ messages, coach_id, title, has_more: more }) {
  const asked = turns;
  turns = [];
  titlePage(title);
  if (more) $("thread").append(h("li", { class: "hint earlier" }, t("thread.earlier")));
  let question = null;
  for (const message of messages) {
    if (asked.some((turn) => turn.id === message.id)) continue;
    if (message.role === "user") {
      if (question) addTurn(question.content, message).setState("failed");
      question = message;
      continue;
    }
    const turn = addTurn(question?.id === message.id ? question.content : "", { ...message, severity: Number(message.severity) });
    question = null;
    turn.show(message);
    explainOutcome(turn, message, message === messages.at(-1) && asked.length === 0);
  }
  for (const turn of asked) place(turn);
  if (coach_id) panel.follow(messages.findLast?.((message) => message.coach_id)?.coach_id ?? coach_id);
  toEnd();
}

function titlePage(text) {
  const title = plainText((text ?? "").slice(0, 200)).replace(/\s+/g, " ").trim().slice(0, 80);
  document.title = title ? `${title} · uplift` : "uplift";
}

/** What the conversation that is open is called. */
function titleShown() {
  return document.title.replace(/ · uplift$/, "");
}

function renamed({ id, title }) {
  if (id === conversation) titlePage(title);
}

/** How an answer that is read again ended; of the last one, also what can be done about it. */
function explainOutcome(turn, { outcome, finish_reason: reason }, isLast) {
  const tell = (key, kind, buttons = []) => turn.note(t(key), { kind, buttons: isLast ? buttons : [], quiet: true });
  if (outcome === "cancelled") tell(turn.text === "" ? "end.stoppedEarly" : "end.stopped", "info");
  if (outcome === "partial") tell("end.broken", "error", [tryAgain(turn)]);
  if (outcome === "failed") tell("end.none", "error", [tryAgain(turn)]);
  if (outcome === "complete" && reason === "length") tell("end.length", "info", [goOnButton(turn)]);
}

function forget(id) {
  remember("sessionStorage", draftKey(id), null);
  elsewhere.get(id)?.running.answer.abort(); // nobody wants it any more
  elsewhere.delete(id);
  if (id !== conversation) return;
  stop();
  history.replaceState(null, "", location.pathname + location.search);
  leave();
  showConversation(null);
}

// --- what is said about the state of things -----------------------------------------------------

function notice(key, text = "", { kind = "info", closable = false, button = null, buttons = button ? [button] : [] } = {}) {
  $("notices").querySelector(`[data-key="${key}"]`)?.remove();
  if (text === "") return;
  const node = h("div", { class: `notice notice-${kind}`, "data-key": key }, h("p", {}, text),
    buttons.map(({ label, act }) => h("button", { class: "text-button", type: "button", onclick: act }, label)),
    closable && h("button", { class: "icon-button", type: "button", "aria-label": t("page.closeNotice"), onclick: () => node.remove() }, icon("close")));
  $("notices").append(node);
}

/** Reads what could not be read before. */
function refresh() {
  if (panel.coaches.length === 0) load();
  else sidebar.load();
  if (unread !== null && unread === conversation && turns.length === 0) open(unread);
  unread = null;
}

/** A call failed that nobody sees the place of. */
function showTrouble(error, key, again) {
  if (error.code === "aborted") return;
  if (error.status === 401) return void askWho();
  if (isAway(error)) return void availability.lost();
  if (error.code === "database_unavailable") return void availability.databaseAway();
  notice(key, t("page.somethingFailed", { why: clause(error) }), {
    kind: "warn", closable: true, button: { label: t("page.tryAgain"), act: () => { notice(key); again(); } } });
}

function tellSimulated() {
  notice("simulated", t("bar.simulatedText"), { closable: true });
}

function noteModels(models) {
  $("simulated").hidden = !isSimulated() && !models.some(({ id, owned_by: owner }) => /simulator/.test(owner ?? "") || (owner !== "uplift" && /^sim-/.test(id)));
}

// --- looks --------------------------------------------------------------------------------------

function showWelcome(show) {
  $("welcome").hidden = !show;
  $("thread-title").hidden = show;
  $("share").hidden = show;
  $("stage").classList.toggle("is-welcome", show);
  panel.moveTo(show ? $("welcome-panel") : $("dialog-panel"));
  if (show) $("main").scrollTop = 0;
}

function openMemories() {
  if ($("coach-dialog").open) $("coach-dialog").close();
  memories.open();
}

/** Nothing of what is shown is there any more. */
function beginAnew() {
  history.replaceState(null, "", location.pathname);
  location.reload();
}

function openPanel() {
  if (!$("welcome").hidden) {
    panel.node.querySelector("input:checked, input")?.focus();
    panel.node.scrollIntoView({ block: "nearest" });
    return;
  }
  $("coach-dialog").showModal();
  panel.node.querySelector("input:checked")?.focus();
}

/** A click beside a dialog closes it. */
function closeOutside(event) {
  if (event.target !== event.currentTarget) return;
  const { left, right, top, bottom } = event.currentTarget.getBoundingClientRect();
  const inside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
  if (!inside && event.detail > 0) event.currentTarget.close();
}

function fitMessage() {
  const box = $("message");
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
  $("send").disabled = box.value.trim() === "";
}

function toEnd(smoothly = false) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("main").scrollTo({ top: $("main").scrollHeight, behavior: smoothly && !calm ? "smooth" : "instant" });
  lastTop = $("main").scrollTop; // its event comes later, and perhaps together with that of a person
}

function noteScroll() {
  const { scrollTop, scrollHeight, clientHeight } = $("main");
  const below = scrollHeight - scrollTop - clientHeight;
  // Only a person scrolls up, be it by a line; what shrinks leaves the view at the end.
  if (below < 2 || (below < 60 && scrollTop > lastTop)) follow = true;
  else if (scrollTop < lastTop) follow = false;
  lastTop = scrollTop;
  $("to-end").hidden = follow || turns.length === 0;
}

async function copyCode(event) {
  const button = event.target.closest(".code-copy");
  if (button) await copyBy(button, button.closest(".code-block").querySelector("code").textContent, [() => t("prose.copy"), () => t("page.copied")]);
}

const THEMES = { auto: "auto", light: "sun", dark: "moon" }; // with their icons

/** Where the browser can keep the page like an app of its own, it says so. */
function offerInstall() {
  let offer = null;
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offer = event;
    $("install").hidden = false;
  });
  addEventListener("appinstalled", () => ($("install").hidden = true));
  $("install").addEventListener("click", async () => {
    $("install").hidden = true;
    await offer?.prompt();
  });
}

/** Languages by their own names, so that who does not speak this one finds theirs. */
function listLanguages() {
  $("language").append(...languages.map((code) => h("option", { value: code, lang: code, selected: code === language },
    new Intl.DisplayNames([code], { type: "language" }).of(code))));
  $("language").addEventListener("change", () => speakLanguage($("language").value));
}

function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "auto";
  const name = t(`theme.${theme}`);
  $("theme").replaceChildren(icon(THEMES[theme]), h("span", {}, name));
  $("theme").setAttribute("aria-label", t("theme.change", { theme: name }));
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const theme = names[(names.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % names.length];
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  remember("localStorage", "uplift.theme", theme === "auto" ? null : theme);
  showTheme();
}

start();
