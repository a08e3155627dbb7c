/** Lines of the log of admins, as columns of a table. */

import { h } from "../../lib/dom.js";
import { time } from "./format.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function logColumns(context) {
  return [
    { label: "When", show: (l) => time(l.at), csv: (l) => l.at },
    { label: "Who", show: (l) => (UUID.test(l.who) ? h("a", { href: context.href("people", [l.who]), title: l.who }, shortId(l.who)) : l.who), csv: (l) => l.who },
    { label: "What", show: (l) => h("code", {}, `${l.method} ${l.route}`) },
    { label: "Of", show: (l) => shortId(l.subject ?? l.about ?? "–"), csv: (l) => l.subject ?? l.about },
    { label: "Named", show: (l) => l.named.join(", ") || "–" },
  ];
}

/** As much of an id as tells it from others on a page: the end, since ids begin with their time. */
function shortId(id) {
  return UUID.test(id) ? h("span", { class: "nowrap", title: id }, `…${id.slice(-8)}`) : id;
}
