/** Figures at a glance. */

import { h } from "../../lib/dom.js";

/**
 * Tiles of {label, value, note, href, change}: `note` says how sure or of what, `change` ({text, good: true, false or null}) how it
 * was before. One with an `href` leads to the rows behind it.
 */
export function tiles(list, { label = "Figures" } = {}) {
  return h("ul", { class: "tiles", "aria-label": label }, list.filter(Boolean).map(tile));
}

function tile({ label, value, note, href, change }) {
  const shown = h("span", { class: "tile-value" }, value);
  return h("li", { class: "tile" },
    h("span", { class: "tile-label" }, label),
    href ? h("a", { class: "tile-link", href, "aria-label": `${label}: ${textOf(value)}. See the rows behind it` }, shown) : shown,
    change ? h("span", { class: `tile-change ${change.good === true ? "good" : change.good === false ? "bad" : ""}`.trim() }, change.text) : null,
    note ? h("span", { class: "tile-note" }, note) : null);
}

function textOf(value) {
  return value instanceof Node ? value.textContent : value;
}

/** A figure with rows behind it, as a link; plain where there are none. */
export function figure(text, href) {
  return href && text !== "–" ? h("a", { href }, text) : text;
}

/** A mark with a word: kinds "good", "bad", "warn", "plain". */
export function badge(text, kind = "plain") {
  return h("span", { class: `badge badge-${kind}` }, text);
}
