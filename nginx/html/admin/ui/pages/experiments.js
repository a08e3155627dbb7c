/** Experiments: which there are, what came of them, starting and stopping, and how many users one needs. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { lineChart } from "../chart.js";
import { confirm, formDialog } from "../dialog.js";
import { filterBar } from "../filters.js";
import { form } from "../form.js";
import { ago, count, decimal, percent, time } from "../format.js";
import { runJob } from "../job.js";
import { changesOf, DECIDING, formatOf, metricName, metricOptions, metricTable, METRICS, reasonOf } from "../metrics.js";
import { withReason } from "../reason.js";
import { actionButton, emptyState, loaded, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge, tiles } from "../tiles.js";

export const title = "Experiments";

const words = {
  none: "There are no experiments yet",
  noneText: "An experiment gives some users another severity, wording or model, and says whether they like it better.",
  noneFiltered: "No experiment is in that state.",
  mismatch: "Users came to the variants in other shares than they should have. Believe no difference before you know why.",
  mismatchText: "Often a variant fails for some users, or something else than the experiment decides who is counted.",
  overTimeAbout: "The difference to control as of each look, with an interval that is valid however often one looks: what leaves 0 is a difference.",
  planIntro: "How many users an experiment needs to find a difference, from what users did in the last 28 days. First those to look at any time, by which experiments are decided; beside them those for one look at the planned end.",
  moreHint: "Whatever else a variant may change, as JSON: {\"temperature\": 0.4, \"memory\": \"off\"}.",
};
const STATES = { draft: "plain", running: "good", paused: "warn", completed: "plain" };

export function render(context) {
  const [id] = context.path;
  if (id === undefined) return list(context);
  return id === "plan" ? plan(context) : one(context, id);
}

// --- all ---

function list(context) {
  const { status } = context.query;
  context.actions.push(h("a", { class: "button", href: context.href("experiments", ["plan"]), id: "to-plan" }, "How many users?"),
    actionButton("New experiment", () => edit(context, null), { kind: "primary", id: "new-experiment" }));
  return [
    filterBar(context, [{ name: "status", label: "State", type: "select", any: "Any state", options: Object.keys(STATES).map((value) => ({ value, label: value })) }]),
    table({
      name: "Experiments", load: context.api.pages(path`/admin/experiments`, { status }), empty: status ? words.noneFiltered : emptyState(words.none, words.noneText),
      columns: [
        { label: "Experiment", show: (row) => h("a", { href: context.href("experiments", [row.id]) }, row.experiment_name) },
        { label: "State", show: stateOf },
        { label: "Decided by", show: (row) => metricName(row.success_metric), csv: (row) => row.success_metric },
        { label: "Variants", align: "end", show: (row) => count(row.test_variants.length + 1) },
        { label: "Winner", show: (row) => row.winner_variant && badge(row.winner_variant, "good") },
        { label: "Began", show: (row) => row.start_date && time(row.start_date, ago), csv: (row) => row.start_date },
        { label: "Users that take part", align: "end", show: (row) => percent(row.traffic_share, 0), csv: (row) => row.traffic_share },
      ],
    }),
  ];
}

function stateOf(row) {
  return h("span", {}, badge(row.status, STATES[row.status] ?? "plain"), row.status_reason ? h("span", { class: "cell-note" }, row.status_reason) : null);
}

// --- one ---

async function one(context, id) {
  const experiment = await context.api.get(path`/admin/experiments/${id}`);
  context.setTitle(experiment.experiment_name);
  addActions(context, experiment);
  const variants = [experiment.control_variant, ...experiment.test_variants];
  const { coaches } = experiment.targeting;
  return [
    h("p", {}, h("a", { href: context.href("experiments") }, "All experiments")),
    experiment.hypothesis || experiment.description ? h("p", { class: "prose-line" }, experiment.hypothesis ?? experiment.description) : null,
    facts([["State", stateOf(experiment)], ["Decided by", metricName(experiment.success_metric)], ["Users that take part", percent(experiment.traffic_share, 0)], ["For", coaches?.length ? coaches.join(", ") : "all coaches"],
      ["Layer", experiment.layer], ["Chance of a false winner", percent(experiment.alpha)], ["Users that each variant needs", count(experiment.min_users)],
      ["Guardrails", experiment.guardrails.map((guardrail) => `${metricName(guardrail.metric)}: ${percent(guardrail.max_worse, 0)} worse at most`).join("; ") || "none"],
      ["Began", experiment.start_date && time(experiment.start_date)], ["Ended", experiment.end_date && time(experiment.end_date)]]),
    h("section", { class: "stack" }, h("h2", {}, "Variants"), table({
      name: "Variants", rows: variants, csv: false,
      columns: [
        { label: "Variant", show: (row) => row.variant_name },
        { label: "What it changes", show: changesOf },
        { label: "Weight", align: "end", show: (row) => decimal(row.weight ?? 1, 2) },
      ],
    })),
    experiment.status === "draft" ? loaded(() => context.api.get(path`/admin/experiments/${id}/check`), showCheck, { busy: 1 }) : results(context, experiment),
    preview(context, experiment),
    h("section", { class: "stack" }, h("h2", {}, "History"), table({
      name: "History", rows: [...experiment.events].reverse(), csv: false, empty: "There is no history yet.",
      columns: [{ label: "When", show: (row) => time(row.at) }, { label: "What", show: (row) => row.event.replaceAll("_", " ") }, { label: "Who", show: (row) => row.who }, { label: "Why", show: (row) => row.reason }],
    })),
  ].filter(Boolean);
}

function showCheck({ can_start: canStart, problems, coaches_of_their_own: keepers }) {
  if (canStart) return h("p", { class: "row" }, badge("ready", "good"), "It can be started.", keepers.length > 0 && ` What production has for these coaches alone stays: ${keepers.join(", ")}.`);
  return h("div", { class: "notice notice-warn" }, h("p", {}, "It cannot be started as it is:"), h("ul", { class: "points" }, problems.map((problem) => h("li", {}, problem.param ? `${problem.param}: ` : "", problem.message))));
}

function results(context, experiment) {
  const metric = METRICS.includes(context.query.metric) ? context.query.metric : experiment.success_metric;
  const own = path`/admin/experiments/${experiment.id}/results`;
  return h("section", { class: "stack" },
    h("div", { class: "section-head" }, h("h2", {}, "Results"), actionButton("Measure now", async () => {
      await runJob(context, "measure-experiments");
      context.refresh();
    }, { kind: "small", id: "measure" })),
    loaded(() => context.api.get(own), (answer) => showResults(context, experiment, answer), { busy: 6 }),
    h("h3", {}, "Over time"),
    filterBar(context, [{ name: "metric", label: "Of", type: "select", options: metricOptions(METRICS) }].map((field) => ({ ...field, any: metricName(experiment.success_metric) }))),
    loaded(() => Promise.all([context.api.get(own, { history: metric }), context.api.get(own, { history: "users" })]), ([looks, users]) => h("div", { class: "columns" }, overTime(experiment, metric, looks.data), usersOverTime(experiment, users.data)), { busy: 6 }));
}

function showResults(context, experiment, { looked_at: lookedAt, next, sample_ratio: ratio, metrics }) {
  if (next) return emptyState("Nothing was measured yet", "The job measure-experiments does it each hour, or now.");
  const parts = [];
  const rows = (variant) => answersOf(context, experiment, variant);
  const shown = (metric) => metricTable(metric, rows);
  if (ratio?.is_mismatch) parts.push(h("div", { class: "notice notice-bad", role: "alert", id: "sample-ratio" }, h("p", {}, h("strong", {}, words.mismatch)), h("p", {}, words.mismatchText)));
  const [control, ...others] = ratio?.users ?? [];
  parts.push(tiles([
    { label: "Users", href: ratio?.users ? answersOf(context, experiment) : null, value: count((ratio?.users ?? []).reduce((sum, users) => sum + users, 0)), note: ratio?.users ? `control ${count(control)}, others ${others.map((users) => count(users)).join(", ")}` : "" },
    { label: "Shares of users", value: ratio?.reason ? "–" : ratio?.is_mismatch ? "wrong" : "right", note: ratio?.reason ? reasonOf(ratio.reason) : ratio?.p === undefined ? "" : `p ${decimal(ratio.p, 4)}` },
    { label: "Winner", value: experiment.winner_variant ?? "none yet", note: experiment.winner_variant ? `confidence ${percent(experiment.confidence_level)}` : "The interval of a difference has to leave 0" },
    { label: "Last measured", value: time(lookedAt, ago) },
  ]));
  const [deciding, ...rest] = metrics;
  if (deciding) parts.push(shown(deciding));
  const guarded = rest.filter((metric) => metric.variants.some((variant) => variant.figures.guardrail));
  if (guarded.length > 0) parts.push(h("h3", {}, "Guardrails"), ...guarded.map(shown));
  const plain = rest.filter((metric) => !guarded.includes(metric));
  if (plain.length > 0) parts.push(h("details", {}, h("summary", {}, `${count(plain.length)} other figures`), h("div", { class: "stack" }, plain.map(shown))));
  if (experiment.winner_variant && experiment.winner_variant !== experiment.control_variant.variant_name) {
    parts.push(h("p", {}, h("a", { class: "button primary", href: context.href("rollouts", [], { experiment: experiment.id, variant: experiment.winner_variant }) }, `Roll out “${experiment.winner_variant}”`)));
  }
  return h("div", { class: "stack" }, parts);
}

/** The answers of one variant, or of all. */
function answersOf(context, experiment, variant = null) {
  return context.href("answers", [], { experiment_id: experiment.id, variant, days: 365 });
}

function overTime(experiment, metric, looks) {
  const show = formatOf(metric);
  return lineChart({
    title: `${metricName(metric)}: difference to control`, description: words.overTimeAbout, format: show, by: "Measured", y: { min: 0, max: 0 },
    series: experiment.test_variants.slice(0, 6).map((variant) => ({
      name: variant.variant_name, behind: "users",
      points: looks.filter((look) => look.variant === variant.variant_name).map(({ looked_at: at, figures }) => ({
        at, value: figures.always_valid ? figures.difference ?? null : null, low: figures.always_valid?.lower, high: figures.always_valid?.upper, n: figures.users })),
    })),
    empty: "There is no comparison yet: too few users, or nothing of this kind.",
  });
}

function usersOverTime(experiment, looks) {
  const names = [experiment.control_variant, ...experiment.test_variants].map((variant) => variant.variant_name);
  return lineChart({
    title: "Users", description: "How many users each variant has.", y: { min: 0 }, by: "Measured",
    series: names.slice(0, 6).map((name, i) => ({ name, points: looks.map(({ looked_at: at, figures }) => ({ at, value: figures.users?.[i] ?? null })) })),
    empty: "Nobody takes part yet.",
  });
}

function preview(context, experiment) {
  const found = h("p", { "aria-live": "polite" });
  const made = form({
    label: "See", inline: true,
    fields: [{ name: "user_id", label: "User", required: true, size: 38, placeholder: "id" }, { name: "coach_id", label: "With the coach", placeholder: "id, or empty" }],
    async submit(values) {
      const got = await context.api.get(path`/admin/experiments/${experiment.id}/preview`, values);
      found.textContent = got.is_exposed ? `They get “${got.variant}”: ${changesOf(got.changes ?? {})}.` : `They do not take part: ${got.reason?.replaceAll("_", " ")}.`;
    },
  });
  return h("details", {}, h("summary", {}, "What would a user get?"), h("div", { class: "stack" }, made.node, found));
}

// --- what can be done ---

function addActions(context, experiment) {
  const { id, status } = experiment;
  const own = path`/admin/experiments/${id}`;
  const name = experiment.experiment_name;
  const act = async (verb, said, body) => {
    await context.api.post(path`${own}/${verb}`, body);
    toast(said);
    context.refresh();
  };
  if (status === "draft" || status === "paused") {
    context.actions.push(actionButton("Start", async () => {
      const agreed = await confirm(context, { title: `Start ${name}?`, yes: "Start it", points: [
        `${percent(experiment.traffic_share, 0)} of users ${experiment.targeting.coaches?.length ? `of ${experiment.targeting.coaches.join(", ")} ` : ""}take part, from their next chats on.`,
        ...experiment.test_variants.map((variant) => `“${variant.variant_name}”: ${changesOf(variant)}.`),
        experiment.guardrails.length > 0 ? "It pauses by itself when a guardrail is crossed." : "It has no guardrails: nothing stops it by itself when it does harm.",
        "Once begun, only weights, share, guardrails and words can be changed."] });
      if (agreed) await act("start", "It runs.");
    }, { kind: "primary", id: "start-experiment" }));
  }
  if (status === "running") {
    context.actions.push(actionButton("Pause", () => withReason(context, { title: `Pause ${name}?`, points: ["All users get what control gets, from their next chats on.", "It can be started again; users keep their variants."], yes: "Pause it", act: (reason) => act("pause", "It is paused.", { reason }), required: false }), { id: "pause-experiment" }));
  }
  if (status === "running" || status === "paused") {
    context.actions.push(actionButton("Stop", () => withReason(context, { title: `Stop ${name}?`, danger: true, points: ["All users get what control gets, from their next chats on.", `Feedback that comes within ${count(experiment.feedback_days)} days still counts.`, "It cannot be started again: clone it for that."], yes: "Stop it", act: (reason) => act("stop", "It is stopped.", { reason }), required: false }), { id: "stop-experiment" }));
  }
  if (status === "draft") {
    context.actions.push(actionButton("Change", () => edit(context, experiment)), actionButton("Delete", async () => {
      if (!(await confirm(context, { title: `Delete ${name}?`, yes: "Delete it", danger: true, points: ["It never began, so nothing is lost but the draft."] }))) return;
      await context.api.delete(own);
      toast("The draft is gone.");
      context.go(context.href("experiments"));
    }));
  } else {
    context.actions.push(actionButton("Clone", async () => {
      const copy = await context.api.post(path`${own}/clone`, { experiment_name: `${name} again`.slice(0, 200) });
      toast("A draft like it, with users assigned anew.");
      context.go(context.href("experiments", [copy.id]));
    }));
  }
}

// --- making one ---

function variantFields(variant = {}) {
  const { variant_name: _n, description: _d, weight: _w, prompt_suffix: _p, guidelines: _g, severity: _s, model: _m, ...more } = variant;
  return [
    { name: "variant_name", label: "Name of the variant", required: true, maxlength: 100, value: variant.variant_name ?? "variant" },
    { name: "prompt_suffix", label: "Words at the end of the coach’s prompt", type: "textarea", rows: 2, value: variant.prompt_suffix },
    ...(variant.guidelines ? [{ name: "guidelines", label: "Guidelines of its playbook, behind these", type: "textarea", rows: 4, value: variant.guidelines, hint: "Changed here, they are no longer the playbook’s, which goes by their text." }] : []),
    { name: "severity", label: "Severity", type: "number", min: 1, max: 6, step: 0.5, value: variant.severity },
    { name: "model", label: "Model", value: variant.model, maxlength: 256 },
    { name: "weight", label: "Weight beside control’s", type: "number", min: 0, value: variant.weight ?? 1 },
    { name: "more", label: "What else it changes", type: "json", value: Object.keys(more).length > 0 ? more : undefined, hint: words.moreHint },
  ];
}

function edit(context, experiment) {
  const [first, ...others] = experiment?.test_variants ?? [];
  formDialog(context, {
    title: experiment ? `Change ${experiment.experiment_name}` : "New experiment", wide: true, label: experiment ? "Save" : "Make the draft",
    fields: [
      { name: "experiment_name", label: "Name", required: true, maxlength: 200, value: experiment?.experiment_name },
      { name: "hypothesis", label: "What is expected, and why", type: "textarea", rows: 2, value: experiment?.hypothesis },
      { name: "success_metric", label: "What decides", type: "select", options: metricOptions(DECIDING), value: experiment?.success_metric ?? "thumbs_up_rate" },
      ...variantFields(first),
      { name: "test_variants", label: "Further variants", type: "json", value: others.length > 0 ? others : undefined, hint: "As JSON, a list of variants." },
      { name: "coaches", label: "Only for these coaches", type: "list", value: experiment?.targeting?.coaches, hint: "An id on each line; empty: all, but for what production has for a coach alone." },
      { name: "traffic_share", label: "Share of users that takes part", type: "number", min: 0.0001, max: 1, value: experiment?.traffic_share ?? 1 },
      { name: "min_users", label: "Users that each variant needs", type: "number", min: 1, step: 1, value: experiment?.min_users ?? 100 },
      { name: "guardrails", label: "Guardrails", type: "json", value: experiment?.guardrails ?? [{ metric: "errors", max_worse: 0.5 }, { metric: "latency", max_worse: 0.3 }], hint: "By what share of control’s figure each may be worse." },
    ],
    async submit(values) {
      const { variant_name: name, prompt_suffix: suffix, guidelines, severity, model, weight, more, test_variants: further, coaches, ...rest } = values;
      const variant = { ...more, variant_name: name, weight, ...(suffix ? { prompt_suffix: suffix } : {}), ...(guidelines ? { guidelines } : {}), ...(severity === undefined ? {} : { severity }), ...(model ? { model } : {}) };
      const body = { ...rest, test_variants: [variant, ...(further ?? [])], targeting: { ...experiment?.targeting, coaches: coaches ?? [] } };
      if (!coaches) delete body.targeting.coaches;
      if (!experiment) body.control_variant = { variant_name: "control" };
      return experiment ? context.api.patch(path`/admin/experiments/${experiment.id}`, body) : context.api.post(path`/admin/experiments`, body);
    },
    done(saved) {
      toast("Saved.");
      if (experiment) context.refresh();
      else context.go(context.href("experiments", [saved.id]));
    },
  });
}

// --- how many users ---

function plan(context) {
  context.setTitle("How many users does an experiment need?");
  const { metric = "thumbs_up_rate", lift = "0.05", variants = "2", alpha = "0.05", power = "0.8", traffic_share: share = "1", users_per_day: perDay } = context.query;
  const made = form({
    label: "Work it out",
    fields: [
      { name: "metric", label: "What decides", type: "select", options: metricOptions(DECIDING.filter((name) => name !== "retention")), value: metric },
      { name: "lift", label: "Difference to find, as a share of what it is now", type: "number", min: -0.99, max: 10, required: true, value: lift, hint: "0.05 finds 70 % becoming 73.5 %." },
      { name: "variants", label: "Variants, with control", type: "number", min: 2, max: 11, step: 1, required: true, value: variants },
      { name: "traffic_share", label: "Share of users that takes part", type: "number", min: 0.000001, max: 1, required: true, value: share },
      { name: "alpha", label: "Chance of a false winner", type: "number", min: 0.0001, max: 0.5, required: true, value: alpha },
      { name: "power", label: "Chance to find a difference that is there", type: "number", min: 0.5, max: 0.999, required: true, value: power },
      { name: "users_per_day", label: "New users a day", type: "number", min: 0.001, value: perDay, hint: "Empty: as lately." },
    ],
    async submit(values) {
      context.setQuery(Object.fromEntries(["metric", "lift", "variants", "traffic_share", "alpha", "power", "users_per_day"].map((name) => [name, values[name] === undefined ? null : String(values[name])])));
    },
  });
  return [
    h("p", {}, h("a", { href: context.href("experiments") }, "All experiments")),
    h("p", { class: "prose-line" }, words.planIntro),
    h("div", { class: "columns" }, h("section", { class: "panel" }, made.node),
      loaded(() => context.api.get(path`/admin/experiment-plan`, { metric, lift, variants, alpha, power, traffic_share: share, users_per_day: perDay }), showPlan)),
  ];
}

function daysOf(days) {
  return days === null ? "never, with nobody" : days < 1 ? "less than one" : count(Math.ceil(days));
}

function showPlan(answer) {
  if (answer.reason) return emptyState("That cannot be said", `Of the last 28 days: ${reasonOf(answer.reason)}.`);
  const show = formatOf(answer.metric);
  return tiles([
    { label: "Users of each variant", value: count(answer.always_valid.users_per_variant), note: `to look at any time; ${count(answer.users_per_variant)} for one look at the end` },
    { label: "Users in all", value: count(answer.always_valid.users), note: `${count(answer.users)} for one look at the end` },
    { label: "Days", value: daysOf(answer.always_valid.days), note: `with ${decimal(answer.users_per_day, 1)} new users a day; ${daysOf(answer.days)} for one look at the end` },
    { label: "As it is now", value: show(answer.baseline), note: `of ${count(answer.measured_users)} users` },
    { label: "Found would be", value: show(answer.baseline + answer.difference), note: `a difference of ${show(Math.abs(answer.difference))}` },
  ]);
}
