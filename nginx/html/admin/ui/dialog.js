/** Dialogs: asking before something is done, with what will happen, and any content of a page. */

import { h, icon } from "../../lib/dom.js";
import { form } from "./form.js";

/**
 * A modal dialog with a heading and content; gone from the document when it closes, which it does with its page. `close(value)`
 * ends it, and `closed` resolves to that value, null for Escape and where the page was left.
 */
export function openDialog({ signal }, { title, content, wide = false }) {
  const id = `dialog-${crypto.randomUUID()}`;
  const heading = h("h2", { id }, title);
  const dialog = h("dialog", { class: `dialog ${wide ? "dialog-wide" : ""}`.trim(), "aria-labelledby": id },
    h("div", { class: "dialog-head" }, heading,
      h("button", { class: "icon-button", type: "button", "aria-label": "Close", onclick: () => end(null) }, icon("close"))),
    content);
  let value = null;
  const end = (given) => {
    if (!dialog.open) return; // it has ended, whatever comes of that
    value = given;
    dialog.close();
  };
  const leave = () => end(null);
  const closed = new Promise((resolve) => {
    if (signal.aborted) {
      resolve(null);
      return;
    }
    dialog.addEventListener("close", () => {
      signal.removeEventListener("abort", leave);
      dialog.remove();
      resolve(value);
    });
    signal.addEventListener("abort", leave);
    document.body.append(dialog);
    dialog.showModal();
  });
  return { dialog, closed, close: (given = null) => end(given) };
}

/**
 * A form in a dialog, below `intro` (nodes). `submit(values)` does what is asked for; what it refuses is shown there, and where it gives
 * false the dialog stays open. Else it closes, and `done(what submit gave)` is called. Other options are those of form().
 * Returns {form, close(), closed: resolves to what submit gave, null where nothing was done}.
 */
export function formDialog(context, { title, intro = [], after = [], submit, done = () => {}, wide = false, danger = false, ...options }) {
  const made = form({ ...options, cancel: () => opened.close(), async submit(values) {
    const given = await submit(values);
    if (given === false) return;
    opened.close(given);
    done(given);
  } });
  if (danger) made.node.querySelector("[type=submit]").classList.add("danger");
  const opened = openDialog(context, { title, wide, content: h("div", { class: "stack" }, intro, made.node, after) });
  made.focus();
  return { form: made, close: opened.close, closed: opened.closed };
}

/**
 * Asks before something is done. `text` says what it is, `points` what will happen, line by line; `danger` marks
 * what cannot be undone, and makes "no" what Enter means; `type` has to be typed first, as the name of what goes.
 * Resolves to whether the person agreed.
 */
export async function confirm(context, { title, text, points = [], yes, no = "Cancel", danger = false, type = null }) {
  const refuse = h("button", { class: "button", type: "button", onclick: () => dialog.close(false) }, no);
  const agree = h("button", { class: `button primary ${danger ? "danger" : ""}`.trim(), type: "button", disabled: type !== null, onclick: () => dialog.close(true) }, yes);
  const typed = type === null ? null : h("input", { class: "input", type: "text", id: "confirm-typed", autocomplete: "off", spellcheck: "false",
    oninput: () => { agree.disabled = typed.value.trim() !== type; } });
  const content = h("div", { class: "confirm" },
    text ? h("p", {}, text) : null,
    points.length > 0 ? h("ul", { class: "points" }, points.map((point) => h("li", {}, point))) : null,
    typed ? h("p", {}, h("label", { for: "confirm-typed" }, `Type ${type} to go on`), typed) : null,
    h("div", { class: "dialog-actions" }, refuse, agree));
  const dialog = openDialog(context, { title, content });
  (typed ?? (danger ? refuse : agree)).focus();
  return (await dialog.closed) === true;
}
