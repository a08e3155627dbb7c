/** Tables: of rows that are there, or page after page of a list that is never counted. */

import { h, icon, speak } from "../../lib/dom.js";
import { isAborted } from "./api.js";
import { saveCsv } from "./csv.js";
import { emptyState, errorState, skeleton } from "./states.js";

/**
 * A table. `columns` are {label, show(row) (a node or text), csv(row) (else what show gives as text), align ("end" for
 * numbers), sort (see below)}; the first one names its row.
 *
 * Either `rows`, or `load(next)`: resolves to {rows, next}; called with null for the first page, then with what
 * `next` was, until that is null (api.pages() makes one). "Show more" brings the next page.
 *
 * Sorting: with `rows`, a column's `sort(row)` gives what is compared; `order` {by: a column's label, descending} says how they come. Lists
 * that are loaded page by page have the server's order.
 *
 * `empty` is what stands there without rows: a node, or a text. `name` is what the table is called; it is its caption
 * (hidden unless `caption`) and the name of its CSV, for which a button stands below unless `csv` is false.
 */
export function table({ name, columns, rows = null, load = null, empty = "There is nothing here yet.", order = null, csv = true, caption = false, rowClass = null }) {
  const shown = [];
  const body = h("tbody");
  const foot = h("div", { class: "table-foot" });
  const heads = columns.map((column) => head(column, sortBy));
  const frame = h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": name },
    h("table", {}, h("caption", { class: caption ? "" : "visually-hidden" }, name), h("thead", {}, h("tr", {}, heads.map((made) => made.node))), body));
  const node = h("div", { class: "table" }, frame, foot);
  let next = null;
  let sorted = order;

  function line(row) {
    const cells = columns.map((column, i) => h(i === 0 ? "th" : "td",
      { class: column.align === "end" ? "end" : "", scope: i === 0 ? "row" : null, "data-label": column.label }, content(column.show(row))));
    return h("tr", { class: rowClass?.(row) || null }, cells);
  }

  function add(some) {
    shown.push(...some);
    body.append(...some.map(line));
  }

  function finish() {
    frame.hidden = shown.length === 0;
    const saves = csv && shown.length > 0 && h("button", { class: "text-button", type: "button", onclick: () => saveCsv(name, columns.filter((c) => c.csv !== false).map(withCsv), shown) },
      next === null ? "Download as CSV" : `Download these ${shown.length} as CSV`);
    const more = next !== null && h("button", { class: "button", type: "button", onclick: () => page(next) }, "Show more");
    foot.replaceChildren(...[shown.length === 0 ? (typeof empty === "string" ? emptyState(empty) : empty) : null, more, saves].filter(Boolean));
  }

  async function page(from) {
    const first = from === null;
    frame.hidden = first && shown.length === 0;
    frame.setAttribute("aria-busy", "true");
    foot.replaceChildren(skeleton(first ? 5 : 1));
    try {
      const got = await load(from);
      next = got.next ?? null;
      const before = shown.length;
      add(got.rows);
      finish();
      if (!first) {
        speak(`${got.rows.length} more`);
        body.children[before]?.querySelector("a, button")?.focus();
      }
    } catch (error) {
      if (isAborted(error)) return;
      foot.replaceChildren(errorState(error, () => page(from)));
      if (error.status === undefined) console.error(error);
    } finally {
      frame.removeAttribute("aria-busy");
    }
  }

  function sortBy(column) {
    sorted = { by: column.label, descending: sorted?.by === column.label ? !sorted.descending : column.align === "end" };
    shown.sort((a, b) => compare(column.sort(a), column.sort(b)) * (sorted.descending ? -1 : 1));
    body.replaceChildren(...shown.map(line));
    markSorted();
    speak(`Sorted by ${column.label}, ${sorted.descending ? "descending" : "ascending"}`);
  }

  function markSorted() {
    heads.forEach(({ node: cell, column }) => {
      const is = sorted?.by === column.label;
      if (column.sort) cell.setAttribute("aria-sort", is ? (sorted.descending ? "descending" : "ascending") : "none");
    });
  }

  markSorted();
  if (load) page(null);
  else {
    add(rows);
    finish();
  }
  return node;
}

function head(column, sortBy) {
  const node = h("th", { scope: "col", class: column.align === "end" ? "end" : "" },
    column.sort ? h("button", { class: "sort", type: "button", onclick: () => sortBy(column) }, column.label, icon("down", "sort-mark")) : column.label);
  return { node, column };
}

function content(shown) {
  return shown === null || shown === undefined ? "–" : shown;
}

/** A column whose cells in a file are what people see, unless it says otherwise. */
function withCsv(column) {
  return { label: column.label, csv: column.csv ?? ((row) => {
    const shown = [column.show(row)].flat();
    return shown.length === 1 && !(shown[0] instanceof Node) ? shown[0] : shown.map((part) => (part instanceof Node ? part.textContent : part)).join("");
  }) };
}

function compare(a, b) {
  if (a === b) return 0;
  // What is not known is less than anything.
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return typeof a === "string" && typeof b === "string" ? a.localeCompare(b) : a < b ? -1 : 1;
}

/** What is known of one thing: [[label, value], ...] as a description list; null values are left out. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined).map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}
