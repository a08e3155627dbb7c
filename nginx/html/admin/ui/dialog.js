/** Dialogs: asking before something is done, with what will happen, and any content of a page. */

import { h, icon } from "../../lib/dom.js";

/**
 * A modal dialog with a heading and content; gone from the document when it closes. `close(value)` ends it, and
 * `closed` resolves to that value, null for Escape.
 */
export function openDialog({ title, content, wide = false }) {
  const id = `dialog-${crypto.randomUUID()}`;
  const heading = h("h2", { id }, title);
  const dialog = h("dialog", { class: `dialog ${wide ? "dialog-wide" : ""}`.trim(), "aria-labelledby": id },
    h("div", { class: "dialog-head" }, heading,
      h("button", { class: "icon-button", type: "button", "aria-label": "Close", onclick: () => dialog.close("") }, icon("close"))),
    content);
  let value = null;
  const closed = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(value);
    });
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, closed, close: (given = null) => {
    value = given;
    dialog.close();
  } };
}

/**
 * Asks before something is done. `text` says what it is, `points` what will happen, line by line; `danger` marks
 * what cannot be undone, and makes "no" what Enter means; `type` has to be typed first, as the name of what goes.
 * Resolves to whether the person agreed.
 */
export async function confirm({ title, text, points = [], yes, no = "Cancel", danger = false, type = null }) {
  const refuse = h("button", { class: "button", type: "button", onclick: () => dialog.close(false) }, no);
  const agree = h("button", { class: `button primary ${danger ? "danger" : ""}`.trim(), type: "button", disabled: type !== null, onclick: () => dialog.close(true) }, yes);
  const typed = type === null ? null : h("input", { class: "input", type: "text", id: "confirm-typed", autocomplete: "off", spellcheck: "false",
    oninput: () => { agree.disabled = typed.value.trim() !== type; } });
  const content = h("div", { class: "confirm" },
    text ? h("p", {}, text) : null,
    points.length > 0 ? h("ul", { class: "points" }, points.map((point) => h("li", {}, point))) : null,
    typed ? h("p", {}, h("label", { for: "confirm-typed" }, `Type ${type} to go on`), typed) : null,
    h("div", { class: "dialog-actions" }, refuse, agree));
  const dialog = openDialog({ title, content });
  (typed ?? (danger ? refuse : agree)).focus();
  return (await dialog.closed) === true;
}
