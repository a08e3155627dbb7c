/** The sources that an answer cites: read from what the server says, and listed below the answer. */

import { h } from "../lib/dom.js";
import { safeAddress } from "../lib/markdown.js";
import { t } from "../lib/words.js";

const TITLE_MAX = 200;

/** What the numbers in an answer stand for: number -> {title, url}, url null where there is none to link to. */
export function readCitations(citations) {
  const read = new Map();
  for (const { number, title, url } of Array.isArray(citations) ? citations : []) {
    if (!Number.isInteger(number) || number < 1) continue;
    const address = typeof url === "string" ? safeAddress(url) : null;
    read.set(number, { title: String(title ?? "").slice(0, TITLE_MAX) || t("turn.sourceUntitled"), url: /^https?:/.test(address ?? "") ? address : null });
  }
  return read;
}

/** Nodes of the list, none for no citations. An entry can have the focus, for who asks for it by its number. */
export function sourceList(cited) {
  if (cited.size === 0) return [];
  const entries = [...cited].map(([number, { title, url }]) => h("li", { value: number, tabindex: -1, "data-number": number },
    url === null ? h("span", { class: "source-title", dir: "auto" }, title)
      : [h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow", dir: "auto" }, title), " ", h("span", { class: "source-host" }, new URL(url).host)]));
  return [h("h3", { class: "sources-head" }, t("turn.sourcesHead", { n: entries.length })), h("ol", {}, entries)];
}
