/** Failures of providers and of answers, those that are alike together. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { formDialog } from "../dialog.js";
import { filterBar, period } from "../filters.js";
import { ago, count, milliseconds, time, words as asWords } from "../format.js";
import { actionButton, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge, figure, tiles } from "../tiles.js";

export const title = "Errors";

const words = {
  empty: "Nothing failed in this time.",
  emptyFiltered: "Nothing that failed is like that.",
  resolveHint: "What was done about it. If it happens again, it is open again by itself.",
};
const DAYS = 7;

export function render(context) {
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

function list(context) {
  const { from, to } = period(context, DAYS);
  const { q, type, provider, model, resolved } = context.query;
  return [
    filterBar(context, [
      { type: "period", days: DAYS },
      { name: "q", label: "Search", type: "text", placeholder: "code, name, id" },
      { name: "resolved", label: "State", type: "select", any: "Open and resolved", options: [{ value: "false", label: "Open" }, { value: "true", label: "Resolved" }] },
      { name: "provider", label: "Provider", type: "text" },
      { name: "model", label: "Model", type: "text" },
      { name: "type", label: "Type", type: "text", placeholder: "status_503" },
    ]),
    table({
      name: "Errors", empty: q || type || provider || model || resolved ? words.emptyFiltered : words.empty,
      load: context.api.pages(path`/admin/errors`, { q, type, provider, model, resolved, since: from.toISOString(), until: to.toISOString() }),
      columns: [
        { label: "What", show: (row) => h("a", { href: context.href("errors", [row.fingerprint]) }, asWords(row.error_type)), csv: (row) => row.error_type },
        { label: "Where", show: (row) => [row.provider, row.model].filter(Boolean).join(" · ") || null },
        { label: "Times", align: "end", show: (row) => figure(count(row.count), context.href("errors", [row.fingerprint])), csv: (row) => row.count },
        { label: "Users", align: "end", show: (row) => count(row.users), csv: (row) => row.users },
        { label: "Seen by users", align: "end", show: (row) => count(row.user_visible), csv: (row) => row.user_visible },
        { label: "Made good", align: "end", show: (row) => count(row.recovered), csv: (row) => row.recovered },
        { label: "Last", show: (row) => time(row.last_seen, ago), csv: (row) => row.last_seen },
        { label: "State", show: stateOf },
      ],
    }),
  ];
}

function stateOf(row) {
  if (row.is_resolved) return badge("resolved", "good");
  return row.needs_attention ? badge("needs somebody", "bad") : badge("open", "warn");
}

async function one(context, fingerprint) {
  const group = await context.api.get(path`/admin/errors/${fingerprint}`, { limit: 50 });
  context.setTitle(asWords(group.error_type));
  context.actions.push(group.is_resolved
    ? actionButton("Open it again", () => decide(context, group, "reopen"), { id: "reopen" })
    : actionButton("Mark as resolved", () => decide(context, group, "resolve"), { kind: "primary", id: "resolve" }));
  return [
    tiles([
      { label: "Times", value: `${count(group.count)}${group.is_counted_whole === false ? "+" : ""}` },
      { label: "Users", value: count(group.users) },
      { label: "Seen by users", value: count(group.user_visible) },
      { label: "Made good by another try", value: count(group.recovered) },
    ]),
    facts([["State", stateOf(group)], ["Provider", group.provider], ["Model", group.model], ["HTTP status", group.http_status], ["First seen", time(group.first_seen)], ["Last seen", time(group.last_seen)],
      ["Resolved", group.resolved_at && time(group.resolved_at)], ["By", group.resolved_by], ["Note", group.note]]),
    h("h2", {}, "One by one"),
    table({
      name: "Occurrences",
      load: async (after) => {
        const { occurrences } = await context.api.get(path`/admin/errors/${fingerprint}`, { limit: 50, after });
        return { rows: occurrences.data, next: occurrences.has_more ? occurrences.data.at(-1).id : null };
      },
      columns: [
        { label: "When", show: (row) => time(row.created_at), csv: (row) => row.created_at },
        { label: "Answer", show: (row) => row.answer_id && h("a", { href: context.href("answers", [row.answer_id]) }, row.answer_id.slice(-12)), csv: (row) => row.answer_id },
        { label: "Told as", show: (row) => row.error_code },
        { label: "Attempt", align: "end", show: (row) => row.attempt },
        { label: "Took", align: "end", show: (row) => row.duration_ms === null ? null : milliseconds(row.duration_ms), csv: (row) => row.duration_ms },
        { label: "Outcome", show: (row) => (row.auto_recovered ? badge("made good", "good") : row.user_visible ? badge("the user saw it", "bad") : badge("unseen")) },
        { label: "Request", show: (row) => row.request_id },
      ],
    }),
  ];
}

function decide(context, group, verb) {
  formDialog(context, {
    title: verb === "resolve" ? "Mark as resolved" : "Open it again", label: verb === "resolve" ? "Resolve" : "Open again",
    fields: [{ name: "note", label: "Note", type: "textarea", maxlength: 1000, hint: verb === "resolve" ? words.resolveHint : "" }],
    async submit(values) {
      await context.api.post(path`/admin/errors/${group.fingerprint}/${verb}`, values);
    },
    done() {
      toast(verb === "resolve" ? "Resolved." : "Open again.");
      context.refresh();
    },
  });
}
