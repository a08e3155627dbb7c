/** What stands where content is not (yet): loading, nothing, an error, no permission; and short notices. */

import { h, speak } from "../../lib/dom.js";
import { explain, isAborted } from "./api.js";

const NOTICE_MS = 8000;

/** Grey bars in place of what comes. */
export function skeleton(lines = 3) {
  return h("div", { class: "skeleton", role: "status" }, h("span", { class: "visually-hidden" }, "Loading…"),
    Array.from({ length: lines }, () => h("span", { class: "skeleton-line", "aria-hidden": "true" })));
}

/** Nothing is there: why, and what would bring something (a link or button). */
export function emptyState(title, text, ...actions) {
  return h("div", { class: "state" }, h("p", { class: "state-title" }, title), text ? h("p", {}, text) : null,
    actions.length > 0 ? h("div", { class: "state-actions" }, actions) : null);
}

/** What went wrong, what to do, and a button to try again. */
export function errorState(error, retry = null) {
  const told = explain(error);
  return h("div", { class: "state state-error", role: "alert" },
    h("p", { class: "state-title" }, told.title), h("p", {}, told.text), h("p", {}, told.next),
    told.reference ? h("p", { class: "hint" }, told.reference) : null,
    retry ? h("div", { class: "state-actions" }, h("button", { class: "button", type: "button", onclick: retry }, "Try again")) : null);
}

/**
 * A place that is filled when something has come: at first a skeleton, then show(value), or the error with a
 * button that asks again. Returns the place at once. `busy` is how many lines the skeleton has.
 */
export function loaded(load, show, { busy = 3 } = {}) {
  const place = h("div", { class: "place" });
  const run = async () => {
    place.setAttribute("aria-busy", "true");
    place.replaceChildren(skeleton(busy));
    try {
      place.replaceChildren(...[show(await load())].flat().filter((node) => node !== null));
    } catch (error) {
      if (isAborted(error)) return;
      if (error.status === undefined) console.error(error);
      place.replaceChildren(errorState(error, run));
    } finally {
      place.removeAttribute("aria-busy");
    }
  };
  run();
  return place;
}

/** A notice that goes by itself, and is spoken: kind "done" or "error". */
export function toast(text, { kind = "done" } = {}) {
  const node = h("div", { class: `toast toast-${kind}` }, h("p", {}, text),
    h("button", { class: "text-button", type: "button", onclick: () => node.remove() }, "Close"));
  document.getElementById("toasts").append(node);
  speak(text);
  // What went wrong stays until it is closed.
  if (kind !== "error") setTimeout(() => node.remove(), NOTICE_MS);
}

/** A notice of a failed call. */
export function toastError(error) {
  if (isAborted(error)) return;
  if (error.status === undefined) console.error(error);
  const told = explain(error);
  toast([told.title + ":", told.text, told.next, told.reference && `${told.reference}.`].filter(Boolean).join(" "), { kind: "error" });
}

/** A button that does something once at a time, and says when it failed. */
export function actionButton(label, act, { kind = "", ...properties } = {}) {
  const button = h("button", { class: `button ${kind}`.trim(), type: "button", ...properties, onclick: async () => {
    button.disabled = true;
    try {
      await act();
    } catch (error) {
      toastError(error);
    } finally {
      button.disabled = false;
    }
  } }, label);
  return button;
}
