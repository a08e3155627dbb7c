/**
 * The dashboard: signing in, the frame around pages, and which page is shown.
 *
 * How a page is added:
 *
 * 1. pages/NAME.js exports `title` and `async render(context)`, which resolves to a node or an array of nodes (the
 *    heading is there already). It should not wait for what is slow: loaded(load, show) of states.js gives a place at
 *    once, with its loading and error states, and fills it later. An error that render() throws is shown as one.
 * 2. pages.js gets a line, {name: "NAME", label}. The page is then at /admin/#NAME, in the navigation, and among those that
 *    t/browser/dashboard.mjs opens in light and dark, on desktop and phone, with axe.
 * 3. Words of a page stand together at its top, in `const words = {...}`.
 *
 * The context of a page, made anew each time that the URL changes:
 *
 *   api        calls that end when the page is left: api.get(path`/admin/users/${id}`, query), api.post(at, body), put, patch, delete;
 *              api.pages(at, query) is what table({load}) takes; api.open() gives a Response, api.events(at) server-sent events.
 *              Paths are made by path`` of api.js alone, which lets no part of one lead elsewhere.
 *              Errors are UpliftErrors of lib/uplift.js (status, code, param, message). 401 asks to sign in and goes on;
 *              403 puts the no-permission state in place of the page.
 *   path       what follows NAME in the URL, decoded: ["ID"] for #NAME/ID
 *   query      the filters in the URL, as strings: {coach_id: "..."}
 *   setQuery(changes, {replace})   changes them, null takes one away: a new entry of the history, and render() again.
 *              What has the focus keeps it if it has the same id afterwards.
 *   dropQuery(name, ...)   takes filters out of the URL, and leaves the page as it is
 *   href(name, path, query)        the link to a page: href("answers", [], {rating: 1}), href("answers", [id])
 *   go(href), refresh()   do nothing when the page was left meanwhile
 *   setTitle(text), actions.push(node, ...)   the heading, and buttons beside it; before render() is done
 *   signal     is aborted when the page is left or rendered again: for timers and listeners
 *
 * What pages are made of:
 *
 *   states.js  loaded, skeleton, emptyState, errorState, toast, toastError, actionButton
 *   table.js   table (sorting, "Show more", CSV, states), facts (a description list)
 *   tiles.js   tiles, figure (a number as a link), badge
 *   filters.js filterBar (bound to the URL), period (from and to of it), utcDays (the same as whole days of UTC), noon, dayRange
 *   form.js    form (types, errors by `param`)
 *   dialog.js  confirm (says what will happen), formDialog, openDialog: all end with their page
 *   reason.js  withReason: confirm that wants to know why
 *   job.js     jobProgress, runJob (asks for one, and shows it in a dialog), jobBadge, resultOf
 *   counted.js when figures were counted, and having them counted now
 *   coaches.js coachesOf: all coaches, by id; coachOptions, coachNames
 *   answers.js answersTable; log.js logColumns: the log of admins
 *   metrics.js what experiments are judged by; lineage.js the graph of model versions; model_rule.js which models may be named
 *   chart.js   lineChart, barChart: each with a table, CSV and PNG
 *   format.js  count, short, decimal, money, percent, milliseconds, duration, bytes, time, ago, moment, day, utcDay, utc
 *   csv.js     saveCsv, saveBlob, saveStream; export.js exportDialog: with how much there is so far
 *   lib/dom.js h (makes elements), icon, speak
 */

import { $, h, icon, remember } from "../../lib/dom.js";
import { openSession, signedInByHand, signIn, signOut } from "../../lib/session.js";
import { Api, explain } from "./api.js";
import { GROUPS } from "./pages.js";
import { hrefOf, Router } from "./router.js";

const words = {
  signIn: "Sign in",
  signInOther: "Sign in as someone else",
  signedOut: "You are signed out",
  signedOutText: "Sign in as an admin to see how uplift does.",
  themes: { auto: ["auto", "System theme"], light: ["sun", "Light theme"], dark: ["moon", "Dark theme"] },
};

let client;
let router;

async function start() {
  drawNavigation();
  wireMenu();
  wireTheme();
  $("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash is the page's
    $("main").focus();
  });
  $("sign-out").addEventListener("click", signOut);
  client = await openSession(sessionChanged, (given) => given.call("GET", "/admin/job-kinds"));
  $("sign-out").hidden = !signedInByHand();
  router = new Router({ main: $("main"), makeContext, changed: pageChanged });
  router.start();
}

function makeContext(place, signal) {
  const context = {
    ...place,
    signal,
    title: "",
    actions: [],
    api: new Api(client, { signal, refused: (error) => !signal.aborted && refuse(explain(error), words.signInOther) }),
    href: hrefOf,
    // Whoever has gone elsewhere meanwhile stays there.
    go: (href, options) => router.isAt(place) && router.go(href, options),
    refresh: () => router.isAt(place) && router.show(),
    setQuery: (changes, options) => router.go(hrefOf(place.name, place.path, { ...place.query, ...changes }), options),
    dropQuery(...names) {
      for (const name of names) delete place.query[name];
      history.replaceState(history.state, "", hrefOf(place.name, place.path, place.query));
    },
    setTitle(text) {
      if (signal.aborted) return;
      context.title = text;
      showTitle(text);
    },
  };
  return context;
}

function showTitle(text) {
  document.title = text === "" ? "uplift" : `${text} · uplift`;
  $("topbar-title").textContent = text || "uplift";
}

// --- who is there ---

function sessionChanged(isSignedIn, isAnother) {
  $("sign-out").hidden = !signedInByHand();
  if (!isSignedIn || isAnother) for (const place of ["toasts", "spoken"]) $(place).replaceChildren();
  // What waited for it goes on by itself; a page that was refused, or shown to somebody else, is asked for again.
  if (!isSignedIn) return refuse({ title: words.signedOut, text: words.signedOutText, next: "" }, words.signIn);
  if (isAnother && router !== undefined) {
    showTitle(router.label);
    return void router.showToAnother();
  }
  return void (router?.failed && router.show());
}

/** In place of the page: why it cannot be seen, and signing in. */
function refuse(told, label) {
  if (router === undefined) return;
  showTitle(router.label);
  router.refuse(h("div", { class: "state state-refused", role: "alert" },
    h("p", { class: "state-title" }, told.title), h("p", {}, told.text), told.next ? h("p", {}, told.next) : null,
    h("div", { class: "state-actions" }, h("button", { class: "button primary", type: "button", id: "refused-sign-in", onclick: () => signIn() }, label))));
}

// --- the frame ---

// With the path: links within a page that are out of sight are taken for skip links that lead nowhere.
function drawNavigation() {
  $("pages").replaceChildren(...GROUPS.map((group, i) => h("div", { class: "page-group" },
    h("p", { class: "page-group-title", id: `group-${i}` }, group.label),
    h("ul", { "aria-labelledby": `group-${i}` }, group.pages.map((page) => h("li", {}, h("a", { class: "page-link", href: location.pathname + hrefOf(page.name), "data-page": page.name }, page.label)))))));
}

function pageChanged(name) {
  for (const link of document.querySelectorAll(".page-link")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  openMenu(false);
}

/** On a phone the navigation is a drawer, and what is behind it cannot be reached while it is open. */
function openMenu(open) {
  const was = document.body.classList.contains("menu-open");
  document.body.classList.toggle("menu-open", open);
  $("open-menu").setAttribute("aria-expanded", String(open));
  $("main").inert = open;
  $("sidebar").setAttribute("role", open ? "dialog" : "complementary");
  if (open) {
    $("sidebar").setAttribute("aria-modal", "true");
    $("close-menu").focus();
  } else {
    $("sidebar").removeAttribute("aria-modal");
    if (was) $("open-menu").focus();
  }
}

function wireMenu() {
  $("open-menu").append(icon("menu"));
  $("close-menu").append(icon("close"));
  $("open-menu").addEventListener("click", () => openMenu(true));
  $("close-menu").addEventListener("click", () => openMenu(false));
  document.addEventListener("keydown", (event) => event.key === "Escape" && document.body.classList.contains("menu-open") && openMenu(false));
  $("frame").addEventListener("click", (event) => event.target === $("frame") && openMenu(false));
  matchMedia("(min-width: 861px)").addEventListener("change", () => openMenu(false));
}

function wireTheme() {
  const names = Object.keys(words.themes);
  const draw = () => {
    const [sign, label] = words.themes[document.documentElement.dataset.theme ?? "auto"];
    $("theme").replaceChildren(icon(sign), h("span", {}, label));
    $("theme").setAttribute("aria-label", `${label}. Change`);
  };
  $("theme").addEventListener("click", () => {
    const theme = names[(names.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % names.length];
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    remember("localStorage", "uplift.theme", theme === "auto" ? null : theme);
    draw();
  });
  draw();
}

start();
