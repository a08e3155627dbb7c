/** Rollouts: candidates on their way to production, with the evidence of each step. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { formDialog } from "../dialog.js";
import { filterBar } from "../filters.js";
import { ago, count, decimal, duration, percent, signed, time } from "../format.js";
import { changesOf, DECIDING, formatOf, metricName, metricOptions, metricTable } from "../metrics.js";
import { withReason } from "../reason.js";
import { actionButton, emptyState, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge, tiles } from "../tiles.js";

export const title = "Rollouts";

const words = {
  none: "There are no rollouts yet",
  noneText: "A rollout brings a model version, or what won an experiment, to more and more users, and takes it back when it does harm.",
  noneFiltered: "No rollout is in that state.",
  changesHint: "As a variant of an experiment has them: {\"severity\": 2.5, \"prompt_suffix\": \"Be brief.\"}.",
};
const STATES = { running: "warn", promoted: "good", rolled_back: "bad" };
const STEPS = { started: "plain", advanced: "good", promoted: "good", held: "warn", rolled_back: "bad" };

export function render(context) {
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

function list(context) {
  const { status, experiment, variant, model_version_id: version } = context.query;
  context.actions.push(actionButton("New rollout", () => begin(context, {}), { kind: "primary", id: "new-rollout" }));
  // A winner or a model version that another page sent here: asked about once, and not by Back again.
  if (experiment || version) {
    context.dropQuery("experiment", "variant", "model_version_id");
    queueMicrotask(() => begin(context, { experiment_id: experiment, variant, model_version_id: version }));
  }
  return [
    filterBar(context, [{ name: "status", label: "State", type: "select", any: "Any state", options: Object.keys(STATES).map((value) => ({ value, label: value.replace("_", " ") })) }]),
    table({
      name: "Rollouts", load: context.api.pages(path`/admin/rollouts`, { status }), empty: status ? words.noneFiltered : emptyState(words.none, words.noneText),
      columns: [
        { label: "Rollout", show: (row) => h("a", { href: context.href("rollouts", [row.id]) }, row.name) },
        { label: "State", show: stateOf },
        { label: "For", show: (row) => row.coach_id ?? "all coaches" },
        { label: "Stage", align: "end", show: (row) => `${row.stage} of ${row.stages.length}, ${percent(row.share, 0)}` },
        { label: "Candidate", show: (row) => changesOf(row.changes) },
        { label: "Began", show: (row) => time(row.created_at, ago), csv: (row) => row.created_at },
        { label: "By", show: (row) => row.created_by },
      ],
    }),
  ];
}

function stateOf(row) {
  return h("span", {}, badge(row.status.replace("_", " "), STATES[row.status]), row.reason ? h("span", { class: "cell-note" }, row.reason) : null);
}

async function one(context, id) {
  const rollout = await context.api.get(path`/admin/rollouts/${id}`);
  context.setTitle(rollout.name);
  addActions(context, rollout);
  const show = formatOf(rollout.success_metric);
  const { evidence } = rollout;
  const candidate = evidence?.metrics?.[rollout.success_metric];
  return [
    h("p", {}, h("a", { href: context.href("rollouts") }, "All rollouts"), " · ", h("a", { href: context.href("experiments", [rollout.experiment_id]) }, "Its experiment, with intervals over time")),
    h("ol", { class: "stages", "aria-label": "Stages" }, rollout.stages.map((share, i) => h("li", { class: i + 1 < rollout.stage || rollout.status === "promoted" ? "stage-done" : i + 1 === rollout.stage && rollout.status === "running" ? "stage-now" : "",
      "aria-current": i + 1 === rollout.stage && rollout.status === "running" ? "step" : null }, percent(share, 0), " of users")),
    h("li", { class: rollout.status === "promoted" ? "stage-done" : "" }, "production")),
    tiles([
      { label: metricName(rollout.success_metric), value: candidate?.value === undefined ? "–" : show(candidate.value), note: evidence?.production?.[rollout.success_metric] === undefined ? "" : `production ${show(evidence.production[rollout.success_metric])}` },
      { label: "Difference, valid at any time", value: candidate?.always_valid ? `${signed(candidate.always_valid.lower, show)} to ${signed(candidate.always_valid.upper, show)}` : "–", note: rollout.margin > 0 ? `at most ${percent(rollout.margin)} worse is taken` : "it has to be better" },
      { label: "Users", value: evidence?.users?.users ? evidence.users.users.map((users) => count(users)).join(" and ") : "–", note: `${count(rollout.min_users)} of each are needed` },
      { label: "In this stage", value: rollout.status === "running" ? duration((Date.now() - new Date(rollout.stage_began_at)) / 1000) : "–", note: `at least ${decimal(rollout.min_stage_hours, 0)} h` },
    ]),
    evidence?.users?.is_mismatch ? h("div", { class: "notice notice-bad", role: "alert" }, h("p", {}, "Users came in other shares than they should have: it is held until you know why.")) : null,
    facts([["State", stateOf(rollout)], ["Candidate", changesOf(rollout.changes)], ["For", rollout.coach_id ?? ["all coaches", ...rollout.coaches_of_their_own.map((coach) => `but for what ${coach} has alone`)].join(", ")], ["Guardrails", rollout.guardrails.map((guardrail) => `${metricName(guardrail.metric)}: ${percent(guardrail.max_worse, 0)} worse at most`).join("; ")],
      ["Rolled back without evidence after", `${decimal(rollout.max_days, 0)} days`], ["Began", time(rollout.created_at)], ["By", rollout.created_by], ["Ended", rollout.ended_at && time(rollout.ended_at)]]),
    h("section", { class: "stack" }, h("h2", {}, "Evidence now"), evidenceOf(context, rollout, evidence)),
    h("section", { class: "stack" }, h("h2", {}, "Steps"), table({
      name: "Steps", rows: [...rollout.steps].reverse(), csv: false,
      columns: [
        { label: "When", show: (row) => time(row.at) }, { label: "Step", show: (row) => badge(row.step.replace("_", " "), STEPS[row.step] ?? "plain") }, { label: "Stage", align: "end", show: (row) => row.stage },
        { label: "Who", show: (row) => row.who }, { label: "Why", show: (row) => row.reason },
        { label: "With", show: (row) => row.evidence && Object.keys(row.evidence.metrics ?? {}).length > 0 && h("details", {}, h("summary", {}, "evidence"), evidenceOf(context, rollout, row.evidence)) },
      ],
    })),
  ].filter(Boolean);
}

function evidenceOf(context, rollout, evidence) {
  const metrics = Object.entries(evidence?.metrics ?? {});
  if (metrics.length === 0) return emptyState("Nothing was measured yet", "The job watch-rollouts looks every five minutes.");
  const about = new Set([rollout.success_metric, ...rollout.guardrails.map((guardrail) => guardrail.metric)]);
  return h("div", { class: "stack" }, metrics.filter(([metric]) => about.has(metric)).sort(([a], [b]) => (b === rollout.success_metric) - (a === rollout.success_metric)).map(([metric, figures]) => metricTable({
    metric, meaning: metricName(metric), better: ["cost_per_answer", "latency", "regenerations", "errors"].includes(metric) ? "less" : "more", decides: metric === rollout.success_metric,
    variants: [{ variant: "production", figures: { value: evidence.production?.[metric] ?? undefined } }, { variant: "candidate", figures }] }, (variant) => context.href("answers", [], { experiment_id: rollout.experiment_id, variant, days: 365 }))));
}

function addActions(context, rollout) {
  const own = path`/admin/rollouts/${rollout.id}`;
  const act = (verb, said) => async (reason) => {
    await context.api.post(path`${own}/${verb}`, { reason });
    toast(said);
    context.refresh();
  };
  const forWhom = rollout.coach_id ? `users of ${rollout.coach_id}` : "users";
  const keep = rollout.coaches_of_their_own.length > 0 ? [`What production has for these coaches alone stays: ${rollout.coaches_of_their_own.join(", ")}.`] : [];
  if (rollout.status === "running") {
    const next = rollout.stages[rollout.stage];
    if (next !== undefined) {
      context.actions.push(actionButton("Advance", () => withReason(context, { title: `Advance ${rollout.name}?`, yes: "Go to the next stage", points: [`${percent(next, 0)} of ${forWhom} get the candidate from their next chats on, in place of ${percent(rollout.share, 0)}.`, "Its evidence is not waited for.", "It is still taken back when a guardrail is crossed."], act: act("advance", "It is at the next stage.") }), { id: "advance" }));
    }
    context.actions.push(actionButton("Promote", () => withReason(context, { title: `Promote ${rollout.name}?`, yes: "Promote it", points: [`All ${forWhom} get the candidate (${changesOf(rollout.changes)}) from their next chats on.`, ...keep, "Its evidence is not waited for.", "It can be rolled back."], act: act("promote", "It is in production.") }), { id: "promote" }));
  }
  if (rollout.status === "running" || rollout.status === "promoted") {
    context.actions.push(actionButton("Roll back", () => withReason(context, { title: `Roll ${rollout.name} back?`, danger: true, yes: "Roll it back",
      points: [rollout.status === "promoted" ? `All ${forWhom} get what was production before, from their next chats on.` : `The ${percent(rollout.share, 0)} of ${forWhom} that have the candidate get production again, from their next chats on.`, "It cannot go on after that: begin another one."], act: act("rollback", "It is rolled back.") }), { kind: "danger", id: "roll-back" }));
  }
}

function begin(context, given) {
  const about = given.experiment_id ? `It rolls out “${given.variant}” of the experiment.` : given.model_version_id ? `It rolls out the model version ${given.model_version_id}.` : null;
  formDialog(context, {
    title: "New rollout", label: "Begin", intro: about && h("p", {}, about),
    fields: [
      { name: "name", label: "Name", required: true, maxlength: 150 },
      ...(given.experiment_id ? [] : given.model_version_id ? [] : [
        { name: "model_version_id", label: "A model version", hint: "Its id, or" },
        { name: "changes", label: "Changes", type: "json", hint: words.changesHint }]),
      { name: "coach_id", label: "For one coach", hint: "Its id; empty: for all." },
      { name: "success_metric", label: "What decides", type: "select", options: metricOptions(DECIDING), value: "thumbs_up_rate" },
      { name: "margin", label: "How much worse it may be, as a share", type: "number", min: 0, max: 1, value: 0, hint: "0: it has to be better." },
      { name: "stages", label: "Shares of users", value: "0.05, 0.25, 0.5", hint: "One after another, at most 0.5: as many again are compared with them." },
      { name: "min_stage_hours", label: "Hours of a stage, at least", type: "number", min: 0, value: 24 },
      { name: "min_users", label: "Users of each, at least", type: "number", min: 1, value: 100 },
    ],
    async submit({ stages, ...values }) {
      const body = { ...values, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value)) };
      if (stages) body.stages = stages.split(",").map((share) => Number(share));
      return context.api.post(path`/admin/rollouts`, body);
    },
    done(rollout) {
      toast("It has begun.");
      context.go(context.href("rollouts", [rollout.id]));
    },
  });
}
