/** Answers: searched as they come, newest first, and one with all that shaped it and came of it. */

import { h } from "../../../lib/dom.js";
import { answersTable, feedback, marks, OUTCOMES, REVIEWS } from "../answers.js";
import { path } from "../api.js";
import { coachOptions } from "../coaches.js";
import { fileName } from "../csv.js";
import { formDialog } from "../dialog.js";
import { exportDialog } from "../export.js";
import { filterBar, period, PERIODS } from "../filters.js";
import { count, decimal, milliseconds, money, time, words as plain } from "../format.js";
import { actionButton, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge } from "../tiles.js";

export const title = "Answers";

const words = {
  gone: "It is gone since.",
  wrong: "Failed or cut off",
};

const ALL_DAYS = 3650;
const YES_NO = [{ value: "true", label: "Yes" }, { value: "false", label: "No" }];
const FEW = ["text", "user_id", "conversation_id", "coach_id", "model", "provider", "mode", "min_severity", "max_severity", "helpful", "rating", "comment", "outcome", "error_code",
  "from_cache", "model_version_id", "tuned", "prompt_version_id", "source_id", "cited_source_id", "experiment_id", "variant", "review"];

export function render(context) {
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

// --- the list ---

function list(context) {
  const query = queryOf(context);
  context.actions.push(h("button", { class: "button", type: "button", onclick: () => save(context, query) }, "Export…"));
  const more = [
    { name: "model", label: "Model", type: "text" },
    { name: "provider", label: "Provider", type: "text" },
    { name: "model_version_id", label: "Model version", type: "select", any: "All", options: choices(context, path`/admin/model-versions`, (v) => ({ value: v.id, label: `${v.model_name} ${v.version}` })) },
    { name: "experiment_id", label: "Experiment", type: "select", any: "All", options: choices(context, path`/admin/experiments`, (e) => ({ value: e.id, label: e.experiment_name })) },
    { name: "variant", label: "Variant", type: "text", placeholder: "Of the experiment" },
    { name: "mode", label: "Mode", type: "select", any: "All", options: [{ value: "default", label: "Default" }, { value: "roast", label: "Roast" }] },
    { name: "min_severity", label: "Severity from", type: "number" },
    { name: "max_severity", label: "Severity to", type: "number" },
    { name: "comment", label: "Comment", type: "select", any: "Any or none", options: [{ value: "any", label: "With one" }, { value: "none", label: "Without" }] },
    { name: "from_cache", label: "From the cache", type: "select", any: "Either", options: YES_NO },
    { name: "error_code", label: "Error", type: "text" },
    { name: "review", label: "Review", type: "select", any: "Any or none", options: Object.entries(REVIEWS).map(([value, label]) => ({ value, label })) },
    { name: "user_id", label: "User", type: "text", placeholder: "Id" },
    { name: "conversation_id", label: "Conversation", type: "text", placeholder: "Id" },
    { name: "tuned", label: "Fine-tuned models alone", type: "check" },
    // Those that a link brings.
    ...[["prompt_version_id", "Wording of the prompt"], ["source_id", "With this knowledge"], ["cited_source_id", "Citing this knowledge"]].filter(([name]) => context.query[name]).map(([name, label]) => ({ name, label, type: "text" })),
  ];
  const status = h("p", { class: "hint", role: "status" });
  return [
    filterBar(context, [
      { name: "text", label: "Words in it", type: "text", placeholder: "Question, answer or comment" },
      { type: "period", days: ALL_DAYS, periods: [...PERIODS, { days: ALL_DAYS, label: "Any time" }] },
      { name: "coach_id", label: "Coach", type: "select", any: "All coaches", options: coachOptions(context) },
      { name: "helpful", label: "Thumb", type: "select", any: "Any or none", options: [{ value: "true", label: "Up" }, { value: "false", label: "Down" }, { value: "any", label: "Any" }, { value: "none", label: "None" }] },
      { name: "rating", label: "Stars", type: "select", any: "Any or none", options: [...[5, 4, 3, 2, 1].map((n) => ({ value: String(n), label: `${n}` })), { value: "any", label: "Any" }, { value: "none", label: "None" }] },
      { name: "outcome", label: "Outcome", type: "select", any: "All", options: Object.entries({ ...OUTCOMES, wrong: words.wrong }).map(([value, label]) => ({ value, label })) },
    ]),
    h("details", { class: "more-filters", open: more.some(({ name }) => context.query[name] !== undefined) }, h("summary", {}, "More filters"), filterBar(context, more, { label: "More filters" })),
    status,
    answersTable(context, query, { status }),
  ];
}

/** What the URL asks for, in the API's words. */
function queryOf(context) {
  const query = Object.fromEntries(FEW.map((name) => [name, context.query[name]]));
  const { from, to, days } = context.query;
  if (from !== undefined || to !== undefined || (days !== undefined && Number(days) !== ALL_DAYS)) {
    const range = period(context, ALL_DAYS);
    query.from = range.from.toISOString();
    query.to = range.to.toISOString();
  }
  return query;
}

async function choices(context, at, option) {
  return (await context.api.get(at, { limit: 200 })).data.map(option);
}

// --- exporting ---

function save(context, query) {
  exportDialog(context, {
    title: "Export answers", intro: h("p", {}, "All answers that the filters find, with whole texts, cost, times and feedback. Each user whose answers are in it can see that they were exported."),
    fields: [{ name: "format", label: "Format", type: "select", value: "jsonl", options: [{ value: "jsonl", label: "Lines of JSON" }, { value: "csv", label: "CSV, for spreadsheets" }] }],
    open: ({ format }, signal) => context.api.open(path`/admin/answers/export`, { ...query, format }, { accept: "*/*", signal }),
    name: ({ format }) => `${fileName("answers")}.${format}`,
  });
}

// --- one ---

async function one(context, id) {
  context.setTitle("Answer");
  const a = await context.api.get(path`/admin/answers/${id}`);
  return [
    h("p", { class: "row" }, time(a.created_at), marks(a), h("a", { href: context.href("answers", [], { conversation_id: a.conversation_id }) }, "Its conversation"), h("a", { href: context.href("people", [a.user_id]) }, "Its user")),
    h("section", { class: "panel", "aria-labelledby": "said" }, h("h2", { id: "said" }, "What was said"),
      speech("User", a.user_message), speech(a.coach_id ?? "Assistant", a.ai_response, a), a.response_message ? code("Calls of tools and refusals", a.response_message) : null),
    h("div", { class: "columns" }, feedbackPanel(a), trainingPanel(context, a)),
    h("section", { class: "panel", "aria-labelledby": "how" }, h("h2", { id: "how" }, "How it was made"), facts(madeOf(context, a)), attempts(a)),
    shaped(context, a),
    h("section", { class: "panel", "aria-labelledby": "prompt" }, h("h2", { id: "prompt" }, "The prompt as it was sent"),
      a.system_prompt ? code("System prompt", a.system_prompt, true) : h("p", {}, "No system prompt was sent."),
      a.history_turns === null ? h("p", { class: "hint" }, "All turns of the conversation before it went along.") : h("p", { class: "hint" }, `${count(a.history_turns)} turns of the conversation before it went along.`),
      a.request_messages ? code("The client’s own messages", a.request_messages) : null),
  ];
}

function speech(who, text, answer = null) {
  return h("div", { class: "speech" }, h("h3", {}, who), text ? h("p", { class: "speech-text" }, text) : h("p", { class: "hint" }, answer?.error_code ? `Nothing: ${plain(answer.error_code)}.` : "Nothing."));
}

function code(label, value, open = false) {
  return h("details", { open }, h("summary", {}, label), h("pre", { tabindex: 0 }, typeof value === "string" ? value : JSON.stringify(value, null, 2)));
}

function feedbackPanel(a) {
  return h("section", { class: "panel", "aria-labelledby": "feedback" }, h("h2", { id: "feedback" }, "Feedback"), h("div", {}, feedback(a) === "–" ? "None." : feedback(a)),
    a.feedback.length > 0 ? h("ol", { class: "history", "aria-label": "History of its feedback" }, a.feedback.map((event) => h("li", {}, time(event.at), h("span", {}, ` ${changed(event.changes)}`), event.source ? h("span", { class: "hint" }, ` by ${event.source}`) : null))) : null,
    a.prediction ? h("p", { class: "hint" }, `A thumb up was predicted with ${decimal(a.prediction.confidence * 100, 0)} %.`) : null);
}

function changed(changes) {
  return Object.entries(changes).map(([name, value]) => {
    if (name === "helpful") return value === null ? "thumb taken back" : value ? "thumb up" : "thumb down";
    if (name === "rating") return value === null ? "stars taken back" : `${value} of 5 stars`;
    return value === null ? "comment taken back" : `“${value}”`;
  }).join(", ");
}

function trainingPanel(context, a) {
  const place = h("div", { class: "stack" });
  const draw = (training) => place.replaceChildren(...[
    training.review ? h("p", {}, badge(REVIEWS[training.review], training.review === "marked" ? "good" : "warn"), ` by ${training.reviewed_by}, `, time(training.reviewed_at)) : h("p", {}, "Its feedback decides."),
    training.note ? h("p", {}, `“${training.note}”`) : null,
    training.may_train ? null : h("p", { class: "hint" }, "Its user has not agreed that answers may train models: it is used for nothing."),
    training.is_waiting ? h("p", { class: "hint" }, "It takes effect with the next run of generate-training-data. ",
      actionButton("Run it now", async () => {
        await context.api.post(path`/admin/jobs/generate-training-data`);
        toast("The job generate-training-data is on its way.");
      }, { class: "text-button" })) : null,
    training.failure ? h("p", { class: "field-error" }, `No example could be made: ${training.failure}`) : null,
    training.examples.length > 0 ? h("ul", { class: "points" }, training.examples.map((e) => h("li", {}, h("a", { href: context.href("datasets", [e.dataset_id]) }, e.dataset), `, ${e.split}, quality ${decimal(e.quality_score, 1)}${e.is_in_set ? "" : ", not in the set"}`))) : h("p", { class: "hint" }, "No training example is made of it."),
    h("div", { class: "row" },
      training.review === "marked" ? null : actionButton("Mark for training", () => review(context, a.id, "mark", "Mark for training", draw), { disabled: !training.may_train }),
      training.review === "rejected" ? null : actionButton("Reject", () => review(context, a.id, "reject", "Reject for training", draw)),
      training.review ? actionButton("Take that back", async () => draw((await context.api.delete(path`/admin/answers/${a.id}/review`)).training)) : null),
  ].filter(Boolean));
  draw(a.training);
  return h("section", { class: "panel", "aria-labelledby": "training" }, h("h2", { id: "training" }, "Training"), place);
}

async function review(context, id, verb, label, draw) {
  const text = verb === "mark" ? "It becomes a training example whatever its feedback says, while its user lets answers train models." : "Nothing is learnt from it, neither for nor against it, whatever its feedback says.";
  await formDialog(context, {
    title: label, label, intro: h("p", {}, text),
    fields: [{ name: "note", label: "Why", type: "textarea", hint: "For those who look at it later.", maxlength: 2000 }],
    submit: (values) => context.api.post(path`/admin/answers/${id}/${verb}`, values),
    done: (answer) => draw(answer.training),
  }).closed;
}

function madeOf(context, a) {
  const to = (id, label) => (id ? h("a", { href: context.href("answers", [id]) }, label) : null);
  return [
    ["Coach", a.coach_id], ["Severity", a.severity === null ? null : `${decimal(a.severity, 1)}, ${a.mode ?? "default"}`], ["Model", a.model],
    ["Model version", a.model_version ? h("a", { href: context.href("versions", [a.model_version.id]) }, `${a.model_version.model_name} ${a.model_version.version}`) : null], ["Provider", a.provider], ["Protocol", a.protocol && `${a.protocol}${a.streamed ? ", streamed" : ""}`],
    ["Finished", a.finish_reason], ["Error", a.error_code && plain(a.error_code)], ["First word after", a.time_to_first_token_ms === null ? null : milliseconds(a.time_to_first_token_ms)],
    ["Whole answer after", a.response_time_ms === null ? null : milliseconds(a.response_time_ms)],
    ["Tokens", a.prompt_tokens === null ? null : `${count(a.prompt_tokens)} in${a.cached_tokens ? ` (${count(a.cached_tokens)} cached)` : ""}, ${count(a.completion_tokens)} out${a.usage_estimated ? ", estimated" : ""}`],
    ["Cost", a.cost_usd === null ? null : money(a.cost_usd)], ["Saved", a.saved_usd === null ? null : money(a.saved_usd)], ["From the cache", to(a.cache_source_id, "The answer it came from")],
    ["Replaces", to(a.regenerate_of, "An earlier answer")], ["Replaced by", a.replaced_by.length > 0 ? h("span", { class: "row" }, a.replaced_by.map((r) => to(r.id, time(r.created_at)))) : null],
    ["Without the database", a.degraded ? "Yes: the last known coach, no memory" : null], ["Request", a.request_id && h("code", {}, a.request_id)], ["Id", h("code", {}, a.id)],
  ];
}

function attempts(a) {
  if (a.attempts.length === 0) return null;
  return table({ name: "Calls of providers", caption: true, csv: false, rows: a.attempts.map((row, i) => ({ ...row, number: i + 1 })), columns: [
    { label: "Call", show: (row) => String(row.number) }, { label: "Provider", show: (row) => row.provider }, { label: "Model", show: (row) => row.model },
    { label: "How it went", show: (row) => (row.reason ? badge(plain(row.reason), "bad") : badge("Answered", "good")) }, { label: "Status", align: "end", show: (row) => (row.http_status ? String(row.http_status) : "–") },
    { label: "Time", align: "end", show: (row) => milliseconds(row.duration_ms) },
  ] });
}

function shaped(context, a) {
  const answerLink = (id, text) => h("a", { href: context.href("answers", [id]) }, text);
  const lists = [
    ["Memories", a.memories.map((m) => (m.text ? `${m.text}${m.is_active ? "" : " (no longer used)"}` : words.gone))],
    ["Passages of other conversations", a.passages.map((p) => (p.user_message === null && p.ai_response === null ? words.gone : h("span", {}, answerLink(p.answer_id, time(p.said_at)), `: ${p.user_message} → ${p.ai_response}`)))],
    ["Sources", a.sources.map((s) => (s.title ? h("a", { href: context.href("knowledge", [s.id]) }, s.title) : words.gone))],
    ["Cited", a.citations.map((c) => `[${c.number}] ${c.title ?? c.source_id}`)],
    ["Examples", a.examples.map((e) => (e.text ? h("span", {}, answerLink(e.answer_id, e.question ?? "An answer"), `: ${e.text}`) : h("span", {}, answerLink(e.answer_id, "An answer"), " that is no example any more")))],
    ["Experiments", a.exposures.map((x) => h("span", {}, h("a", { href: context.href("experiments", [x.experiment_id]) }, x.experiment ?? x.experiment_id), `: ${x.variant}${x.override ? ", asked for by a tester" : ""}`))],
    ["Withheld, to measure what it is worth", a.withheld.map((kind) => plain(kind))],
  ].filter(([, items]) => items.length > 0);
  return h("section", { class: "panel", "aria-labelledby": "shaped" }, h("h2", { id: "shaped" }, "What shaped it"),
    lists.length === 0 ? h("p", {}, "The coach’s prompt and the conversation alone.") : lists.map(([label, items]) => h("div", {}, h("h3", {}, label), h("ul", { class: "points" }, items.map((item) => h("li", {}, item))))));
}
