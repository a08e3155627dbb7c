/** Which page is shown: from the URL's hash to a module's render(), with back and forward. */

import { h, speak } from "../../lib/dom.js";
import { isAborted } from "./api.js";
import { FIRST, pageOf } from "./pages.js";
import { emptyState, errorState, skeleton } from "./states.js";

const WAIT_MS = 150; // a page that is there sooner is not announced by grey bars

/** {name, path, query} of "#name/part/part?a=b". */
export function readHash(hash) {
  const [route, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [name, ...path] = route.split("/").filter(Boolean).map(decode);
  return { name: name ?? FIRST, path, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The hash of a page: name alone, or with the parts of a path; values of the query that are undefined, null or "" are left out. */
export function hrefOf(name, path = [], query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const route = [name, ...[path].flat()].map(encodeURIComponent).join("/");
  return `#${route}${given.length === 0 ? "" : `?${new URLSearchParams(given)}`}`;
}

function nameOf({ name, path }) {
  return JSON.stringify([name, ...path]);
}

export class Router {
  #main;
  #makeContext;
  #changed;
  #controller = new AbortController();
  #shown = null; // {name, path} of what is shown

  /** `makeContext(place, signal)` gives what render() is called with; `changed(name)` is told of each page. */
  constructor({ main, makeContext, changed }) {
    this.#main = main;
    this.#makeContext = makeContext;
    this.#changed = changed;
  }

  start() {
    addEventListener("hashchange", () => this.show());
    this.show();
  }

  /** Goes to a hash: as an entry of the history, or in place of the one that is shown. */
  go(href, { replace = false } = {}) {
    if (href === location.hash) return;
    if (replace) {
      history.replaceState(history.state, "", href);
      this.show();
    } else {
      location.hash = href;
    }
  }

  /** Whether a place, {name, path}, is what is shown, by whatever filters. */
  isAt(place) {
    return this.#shown !== null && nameOf(this.#shown) === nameOf(place);
  }

  /** Whether what is shown is no page but why there is none. */
  failed = false;

  async show() {
    this.#controller.abort();
    const { signal } = (this.#controller = new AbortController());
    const place = readHash(location.hash);
    const same = this.isAt(place);
    const first = this.#shown === null;
    const focused = same ? document.activeElement?.id : "";
    this.#shown = place;
    this.failed = false;
    this.#changed(place.name);
    this.#main.setAttribute("aria-busy", "true");
    const timer = same ? 0 : setTimeout(() => signal.aborted || this.#fill(pageOf(place.name)?.label ?? "", [], skeleton(6)), WAIT_MS);
    const context = this.#makeContext(place, signal);
    let nodes;
    try {
      nodes = await this.#render(context, place);
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      if (error.status === undefined) console.error(error);
      this.failed = true;
      nodes = [errorState(error, () => this.show())];
    } finally {
      clearTimeout(timer);
    }
    if (signal.aborted) return;
    this.#main.removeAttribute("aria-busy");
    this.#fill(context.title, context.actions, ...nodes);
    if (same) document.getElementById(focused)?.focus({ preventScroll: true });
    else this.#arrive(context.title, first);
  }

  async #render(context, place) {
    const page = pageOf(place.name);
    if (page === null) {
      context.setTitle("No such page");
      return [emptyState("There is no such page.", "It may have another name in this version.", h("a", { class: "button", href: hrefOf(FIRST) }, "To the overview"))];
    }
    const module = await import(`./pages/${page.name}.js`);
    if (context.signal.aborted) return [];
    context.setTitle(module.title);
    return [await module.render(context)].flat();
  }

  #fill(title, actions, ...nodes) {
    this.#main.replaceChildren(h("div", { class: "page-head" }, h("h1", { id: "page-title", tabindex: -1 }, title), h("div", { class: "page-actions" }, actions)), ...nodes);
  }

  #arrive(title, first) {
    document.documentElement.scrollTop = 0;
    if (first) return;
    document.getElementById("page-title").focus({ preventScroll: true });
    speak(title);
  }

  /** What the page is called, whatever it is about. */
  get label() {
    return pageOf(readHash(location.hash).name)?.label ?? "";
  }

  /** Shows in place of the page why it may not be seen (any more). */
  refuse(...nodes) {
    this.#controller.abort();
    this.failed = true;
    this.#main.removeAttribute("aria-busy");
    this.#fill(this.label, [], ...nodes);
  }

  /** Shows the page anew, to somebody else: nothing of what is there stays until then. */
  showToAnother() {
    this.#shown = null;
    this.#fill(this.label, [], skeleton(6));
    return this.show();
  }
}
