/** Privacy: what is stored where, for how long, and who looked. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { filterBar } from "../filters.js";
import { bytes, count, short, time, words as plain } from "../format.js";
import { logColumns } from "../log.js";
import { actionButton, loaded, toast } from "../states.js";
import { table } from "../table.js";
import { badge, tiles } from "../tiles.js";

export const title = "Privacy";

const words = {
  personal: "What is kept of people",
  derived: "What is made of that, and erased with it",
  kept: { personal: "Until it is erased", derived: "With what it is made of", record: "For good, as a proof" },
  outside: [
    "Providers of models get what a chat needs, under their own terms.",
    "Trainers have the files that fine-tuning gave them; an erasure has them deleted.",
    "Exports of datasets are in UPLIFT_EXPORT_DIR; those with something of an erased user are deleted.",
    "While the database is away, answers wait in the spool of each worker’s host.",
    "Logs have request ids and no words of anybody.",
  ],
};

export function render(context) {
  context.actions.push(h("a", { class: "button", href: context.href("people") }, "Find a person"));
  return [
    loaded(() => context.api.get(path`/admin/privacy`), (privacy) => overview(context, privacy), { busy: 6 }),
    h("section", { class: "panel", "aria-labelledby": "outside" }, h("h2", { id: "outside" }, "Outside of the database"), h("ul", { class: "points" }, words.outside.map((line) => h("li", {}, line)))),
    log(context),
  ];
}

function overview(context, privacy) {
  const run = privacy.retention_last_run;
  const derived = privacy.stores.filter((store) => store.kind === "derived");
  const size = privacy.stores.reduce((sum, store) => sum + store.bytes, 0);
  return h("div", { class: "stack" },
    tiles([
      { label: "Stored of users", value: bytes(size), note: `${privacy.stores.length} tables` },
      { label: "Kept for some days only", value: count(privacy.stores.filter((store) => store.retention?.days != null).length), note: "kinds of things", href: context.href("settings", [], { q: "retention" }) },
      { label: "Erasures to be finished", value: count(privacy.erasures_open), note: "files outside, late rows" },
      { label: "Who did not say about training", value: privacy.consent.training_default ? "May train" : "May not", href: context.href("settings", [], { q: "consent" }) },
    ], { label: "Privacy at a glance" }),
    h("div", { class: "stack" }, h("h2", {}, "What is stored where"),
      stores(context, words.personal, privacy.stores.filter((store) => store.kind !== "derived")),
      h("details", {}, h("summary", {}, `${words.derived} (${count(derived.length)} tables)`), stores(context, words.derived, derived))),
    h("div", { class: "columns" },
      h("section", { class: "panel", "aria-labelledby": "retention" }, h("h2", { id: "retention" }, "The last run of retention"),
        run === null ? h("p", {}, "It has not run yet.") : h("div", { class: "stack" }, h("p", { class: "row" }, badge(plain(run.status), run.status === "succeeded" ? "good" : "bad"), time(run.finished_at), h("a", { href: context.href("jobs", [run.job_id]) }, "The job")), report(run)),
        actionButton("Run it now", async () => {
          await context.api.post(path`/admin/jobs/enforce-retention`);
          toast("The job enforce-retention is on its way.");
        })),
      h("section", { class: "panel", "aria-labelledby": "erasures" }, h("h2", { id: "erasures" }, "Erasures"), table({ name: "Erasures", csv: false, load: context.api.pages(path`/admin/erasures`, {}, { limit: 5 }), empty: "Nobody was erased.", columns: [
        { label: "When", show: (e) => time(e.erased_at) }, { label: "Asked by", show: (e) => plain(e.asked_by) },
        { label: "Rows", align: "end", show: (e) => count(Object.values(e.rows).reduce((sum, n) => sum + n, 0)) },
        { label: "State", show: (e) => (e.finished_at ? badge("Finished", "good") : badge(e.files.some((f) => f.problem) ? "A file could not be deleted" : "Files to be deleted", "warn")) },
      ] }))));
}

function stores(context, name, rows) {
  return table({ name, rows, columns: [
    { label: "What", show: (s) => h("div", { class: "store" }, h("p", {}, plain(s.name)), h("p", { class: "hint" }, s.what)), csv: (s) => s.name, sort: (s) => s.name },
    { label: "Table", show: (s) => h("code", {}, s.table), csv: (s) => s.table },
    { label: "Rows, about", align: "end", show: (s) => (s.rows_about === null ? "–" : short(s.rows_about)), csv: (s) => s.rows_about, sort: (s) => s.rows_about },
    { label: "Size", align: "end", show: (s) => bytes(s.bytes), csv: (s) => s.bytes, sort: (s) => s.bytes },
    { label: "Kept", show: (s) => kept(context, s), csv: (s) => (s.retention?.days != null ? `${s.retention.days} days` : "") },
  ] });
}

function kept(context, { retention, kind }) {
  if (!retention) return h("span", { class: "nowrap" }, words.kept[kind]);
  return h("a", { class: "nowrap", href: context.href("settings", [], { q: retention.setting }) }, retention.days === null ? "For good" : `${count(retention.days)} days`);
}

function report(run) {
  const pairs = Object.entries(run.result ?? {}).filter(([, value]) => typeof value === "number" && value > 0);
  if (run.error) return h("p", { class: "field-error" }, run.error.message);
  return pairs.length === 0 ? h("p", {}, "Nothing was too old.") : h("ul", { class: "points" }, pairs.map(([name, n]) => h("li", {}, `${plain(name)}: ${count(n)}`)));
}

function log(context) {
  const query = Object.fromEntries(["who", "user_id", "method", "route", "subject"].map((name) => [name, context.query[name]]));
  return h("section", { class: "stack", "aria-labelledby": "log" }, h("h2", { id: "log" }, "Who looked, and changed what"),
    filterBar(context, [
      { name: "who", label: "Admin", type: "text" }, { name: "user_id", label: "Whose data", type: "text", placeholder: "Id" },
      { name: "method", label: "What", type: "select", any: "Everything", options: [{ value: "GET", label: "Reading" }, { value: "POST", label: "Doing" }, { value: "PUT", label: "Setting" }, { value: "PATCH", label: "Changing" }, { value: "DELETE", label: "Deleting" }] },
      { name: "route", label: "Route begins with", type: "text", placeholder: "/admin/answers" }, { name: "subject", label: "Of", type: "text" },
    ], { label: "Filters of the log" }),
    table({ name: "Log of admins", load: context.api.pages(path`/admin/log`, query, { limit: 30 }), empty: "Nothing like that was done.", columns: logColumns(context) }));
}
