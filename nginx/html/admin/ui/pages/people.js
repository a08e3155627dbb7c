/** People: one found by id, address or name, what is kept of them, what they agreed to, and erasing them. */

import { h } from "../../../lib/dom.js";
import { answersTable } from "../answers.js";
import { path } from "../api.js";
import { fileName, saveStream } from "../csv.js";
import { confirm } from "../dialog.js";
import { filterBar } from "../filters.js";
import { ago, count, money, percent, time, words as plain } from "../format.js";
import { logColumns } from "../log.js";
import { modelRule } from "../model_rule.js";
import { actionButton, emptyState, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge, tiles } from "../tiles.js";

export const title = "People";

const words = {
  latest: "Those who had the last answers",
  found: "People found",
  noneYet: "Nobody has asked anything yet.",
  none: "Nobody is found. Try a whole id or e-mail address, or fewer letters of a name.",
  consent: {
    training_consent: ["Answers may train models", "Their answers train no model from the next run on, and what was made of them leaves the sets."],
    memory_enabled: ["Coaches remember them", "Coaches learn nothing more of them, and use nothing that they know."],
    experiments_enabled: ["Takes part in experiments", "They get what everybody gets, from the next answer on."],
    roast_consent: ["Agreed to be roasted", "Roast mode ends with the next answer."],
  },
  unsaid: (is) => `Did not say: ${is ? "yes" : "no"}, by the settings`,
  theirs: "Only they can agree. You can withdraw it for them where they asked you to.",
};

export function render(context) {
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

function list(context) {
  const { q } = context.query;
  return [
    filterBar(context, [{ name: "q", label: "Id, e-mail address or name", type: "text", placeholder: "ann@example.com" }]),
    table({ name: q ? words.found : words.latest, caption: true, csv: false, load: context.api.pages(path`/admin/users`, { q }), empty: emptyState(q ? words.none : words.noneYet), columns: [
      { label: "Who", show: (user) => h("a", { href: context.href("people", [user.id]) }, user.name ?? user.email ?? user.id) },
      { label: "E-mail", show: (user) => user.email ?? "–" },
      { label: "Last answer", show: (user) => time(user.last_answer_at, ago) },
      { label: "Since", show: (user) => time(user.created_at) },
      { label: "Kind", show: (user) => (user.is_anonymous ? "Anonymous" : "Signed in") },
    ] }),
  ];
}

async function one(context, id) {
  const user = await context.api.get(path`/admin/users/${id}`);
  context.setTitle(user.name ?? user.email ?? "A user");
  context.actions.push(actionButton("Export", () => save(context, user)), actionButton("Erase…", () => erase(context, user), { kind: "danger" }));
  const month = user.this_month;
  const thumbs = month.thumbs_up + month.thumbs_down;
  const rows = (which = {}) => context.href("answers", [], { user_id: user.id, from: `${new Date().toISOString().slice(0, 7)}-01T00:00:00Z`, ...which });
  return [
    tiles([
      { label: "Answers this month", value: `${count(month.answers)}${month.is_counted_whole ? "" : "+"}`, href: rows() },
      { label: "Thumbs up this month", value: thumbs > 0 ? percent(month.thumbs_up / thumbs) : "–", note: `${count(thumbs)} thumbs`, href: rows({ helpful: "any" }) },
      { label: "Spent this month", value: money(month.cost_usd), note: month.unpriced > 0 ? `${count(month.unpriced)} answers have no price` : null, href: rows() },
      { label: "Memories", value: upTo(user.memories) }, { label: "Conversations", value: upTo(user.conversations) },
    ], { label: "What is kept of them" }),
    h("div", { class: "columns" }, about(user), consent(context, user), limits(context, user)),
    section("Latest answers", answersTable(context, { user_id: user.id }, { name: "Latest answers", limit: 5 })),
    section("Conversations", table({ name: "Conversations", csv: false, load: context.api.pages(path`/admin/users/${user.id}/conversations`, {}, { limit: 10 }), empty: "There are none.", columns: [
      { label: "Begun with", show: (c) => h("a", { href: context.href("answers", [], { conversation_id: c.id }) }, c.title || "–") },
      { label: "Coach", show: (c) => c.coach_id ?? "–" }, { label: "Begun", show: (c) => time(c.created_at) }, { label: "Last answer", show: (c) => time(c.updated_at) },
      { label: "State", show: (c) => (c.deleted_at ? badge("Deleted by them", "warn") : "Kept") },
    ] })),
    section("What coaches remember", table({ name: "Memories", csv: false, load: context.api.pages(path`/admin/users/${user.id}/memories`, {}, { limit: 10 }), empty: "Nothing is remembered of them.", columns: [
      { label: "Memory", show: (m) => m.text }, { label: "Kind", show: (m) => plain(m.type) }, { label: "From", show: (m) => plain(m.source) },
      { label: "Learnt", show: (m) => time(m.created_at) }, { label: "State", show: (m) => (m.is_active ? "Used" : badge("No longer used")) },
    ] })),
    user.api_keys.length > 0 ? section("Keys", table({ name: "API keys", csv: false, rows: user.api_keys, columns: [
      { label: "Name", show: (k) => k.name }, { label: "Begins with", show: (k) => h("code", {}, k.prefix) }, { label: "May", show: (k) => k.scopes.join(", ") },
      { label: "State", show: (k) => badge(plain(k.state), k.state === "active" ? "good" : "plain") }, { label: "Last used", show: (k) => time(k.last_used_at, ago) },
    ] })) : null,
    user.experiments.length > 0 ? section("Experiments", table({ name: "Experiments", csv: false, rows: user.experiments, columns: [
      { label: "Experiment", show: (x) => h("a", { href: context.href("experiments", [x.experiment_id]) }, x.experiment ?? x.experiment_id) }, { label: "Variant", show: (x) => x.variant },
      { label: "State", show: (x) => plain(x.status) }, { label: "Since", show: (x) => time(x.assigned_at) },
    ] })) : null,
    section("Who looked", table({ name: "Who looked", csv: false, load: context.api.pages(path`/admin/log`, { user_id: user.id }, { limit: 10 }), empty: "No admin looked at anything of theirs before.", columns: logColumns(context) })),
    training(context, user),
  ].filter(Boolean);
}

/** The table in it is a region of its own. */
function section(label, ...nodes) {
  return h("div", { class: "stack" }, h("h2", {}, label), nodes);
}

function upTo(n) {
  return n >= 1000 ? "1,000+" : count(n);
}

function about(user) {
  return h("section", { class: "panel", "aria-labelledby": "about" }, h("h2", { id: "about" }, "About them"), facts([
    ["E-mail", user.email], ["Phone", user.phone], ["Id", h("code", {}, user.id)], ["Since", time(user.created_at)], ["Signed in last", user.last_sign_in_at && time(user.last_sign_in_at, ago)],
    ["Last answer", user.last_answer_at && time(user.last_answer_at, ago)], ["Coach", user.preferences.active_coach_id], ["Severity", `${user.preferences.severity}, ${user.preferences.mode}`], ["Time zone", user.preferences.timezone],
    ...user.traits.map((trait) => [plain(trait.key), trait.value]),
  ]));
}

function consent(context, user) {
  const place = h("ul", { class: "switches" });
  const draw = (preferences) => place.replaceChildren(...Object.entries(words.consent).map(([name, [label, effect]]) => {
    const said = preferences[name];
    const fallback = preferences[`${name === "training_consent" ? "training_consent" : "experiments_enabled"}_default`];
    return h("li", {}, h("span", { class: "row" }, h("span", {}, label), said === null ? badge(words.unsaid(fallback)) : badge(said ? "Yes" : "No", said ? "good" : "plain")),
      said === false ? null : actionButton("Withdraw", async () => {
        if (!(await confirm(context, { title: `Withdraw: ${label.toLowerCase()}?`, text: "In their place, because they asked for it. They can see that you did.", points: [effect, "Only they can agree again."], yes: "Withdraw" }))) return;
        draw(await context.api.patch(path`/admin/users/${user.id}/consent`, { [name]: false }));
        toast("It is withdrawn.");
      }, { "aria-label": `Withdraw: ${label}` }));
  }));
  draw(user.preferences);
  return h("section", { class: "panel", "aria-labelledby": "consent" }, h("h2", { id: "consent" }, "What they agreed to"), place, h("p", { class: "hint" }, words.theirs));
}

function limits(context, user) {
  const rate = user.rate_limit;
  const perMinute = (n, what) => (n === null || n === undefined ? `any number of ${what}` : `${count(n)} ${what}`);
  return h("section", { class: "panel", "aria-labelledby": "limits" }, h("h2", { id: "limits" }, "Limits"), facts([
    ["In a minute", rate ? `${perMinute(rate.requests_per_minute, "chats")}, ${perMinute(rate.tokens_per_minute, "tokens")}${rate.key ? ", their own limit" : ""}` : "No limit"],
    ...user.budgets.map((budget) => [`Budget of a ${budget.period}`, `${money(budget.spent_usd)} of ${money(budget.limit_usd)}${budget.is_own ? ", their own" : ""}${budget.is_enabled ? "" : ", switched off"}`]),
  ]), modelRule(context, { scope: "user", key: user.id, rule: user.model_rule }));
}

function training(context, user) {
  return h("section", { class: "panel", "aria-labelledby": "trained" }, h("h2", { id: "trained" }, "In models"),
    user.model_versions.length === 0 ? h("p", {}, "No model was trained with anything of theirs.") : h("div", {}, h("p", {}, "Trained with something of theirs:"),
      h("ul", { class: "points" }, user.model_versions.map((version) => h("li", {}, h("a", { href: context.href("versions", [version]) }, version))))),
    h("p", { class: "row" }, actionButton("Take out of training…", async () => {
      if (!(await confirm(context, { title: "Take them out of training?", points: ["Every example with something of theirs goes, out of frozen versions, too.", "Nothing of theirs is used again: their consent to training is withdrawn.",
        "Models that were trained with it stay as they are, and are named here."], yes: "Take out", danger: true }))) return;
      await context.api.post(path`/admin/users/${user.id}/erase-training-data`);
      toast("They are out of all training data.");
      context.refresh();
    })));
}

async function save(context, user) {
  const response = await context.api.open(path`/admin/users/${user.id}/export`, {}, { accept: "application/json" });
  await saveStream(`${fileName("user-export")}.json`, response);
}

async function erase(context, user) {
  if (!(await confirm(context, { title: `Erase ${user.name ?? user.email ?? "this user"}?`, text: "All that is kept of them goes now, and cannot be brought back.", points: [
    "Answers, conversations, memories, feedback, predictions, photos, training examples, keys, preferences.",
    "Files at trainers and exports that may hold something of theirs are deleted by a job.",
    "What is under way or in a spool does not come back.",
    "A proof stays, without anything personal: how much of what went, and which models had been trained with some of it.",
  ], yes: "Erase for good", danger: true, type: user.id.slice(0, 8) }))) return;
  const proof = await context.api.delete(path`/admin/users/${user.id}`);
  const gone = Object.values(proof.rows).reduce((sum, n) => sum + n, 0);
  toast(`Erased: ${count(gone)} rows. The proof is on the page Privacy.`);
  context.go(context.href("privacy"));
}
