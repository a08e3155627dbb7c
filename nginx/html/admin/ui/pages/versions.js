/** Model versions: where they come from, where they serve, and putting them there or taking them back. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { coachOptions } from "../coaches.js";
import { formDialog } from "../dialog.js";
import { filterBar } from "../filters.js";
import { ago, count, decimal, milliseconds, money, percent, time } from "../format.js";
import { around, lineageGraph } from "../lineage.js";
import { withReason } from "../reason.js";
import { actionButton, emptyState, errorState, loaded, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge, figure, tiles } from "../tiles.js";

export const title = "Model versions";

const words = {
  none: "There is no model version yet",
  noneText: "A training that succeeds makes one.",
  noneFiltered: "No model version serves there.",
  configured: "the configured model (UPLIFT_MODEL)",
};
const ENVIRONMENTS = ["production", "staging", "experimental"];
const GRAPH = 100; // versions that are drawn

export function render(context) {
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

function list(context) {
  const { environment } = context.query;
  return [
    h("section", { class: "panel" }, h("h2", {}, "Where they come from"), loaded(() => context.api.get(path`/admin/model-lineage`, { limit: GRAPH }), (graph) => [lineageGraph(context, graph), graph.has_more ? h("p", { class: "hint" }, `The newest ${GRAPH} versions are drawn.`) : null], { busy: 6 })),
    filterBar(context, [{ name: "environment", label: "Where", type: "select", any: "Anywhere", options: ENVIRONMENTS.map((value) => ({ value, label: value })) }]),
    table({
      name: "Model versions", load: context.api.pages(path`/admin/model-versions`, { environment }), empty: environment ? words.noneFiltered : emptyState(words.none, words.noneText),
      columns: [
        { label: "Version", show: (row) => h("span", {}, h("a", { href: context.href("versions", [row.id]) }, nameOf(row)), h("span", { class: "cell-note" }, row.model_id)), csv: (row) => nameOf(row) },
        { label: "State", show: stateOf },
        ...[["Thumbs up", "thumbs_up_rate", percent, { helpful: "any" }], ["Answers", "answers", count], ["Cost of one", "cost_usd_per_answer", money], ["95 % are done in", "latency_ms_p95", milliseconds]]
          .map(([label, name, show, which]) => ({ label, align: "end", show: (row) => figure(show(row.production_metrics?.[name]), answersOf(context, row, which)), csv: (row) => row.production_metrics?.[name] })),
        { label: "Made", show: (row) => time(row.created_at, ago), csv: (row) => row.created_at },
      ],
    }),
  ];
}

/** The answers that its figures are of, as when they were counted, or some of them. What came from the cache is not among them. */
function answersOf(context, { id, production_metrics: metrics }, which = {}) {
  if (!(metrics?.answers > 0)) return null;
  const to = new Date(metrics.refreshed_at);
  return context.href("answers", [], { model_version_id: id, from_cache: "false", from: new Date(to - metrics.days * 86400000).toISOString(), to: to.toISOString(), ...which });
}

function nameOf(version) {
  return `${version.model_name} ${version.version}`;
}

function stateOf(row) {
  const state = row.is_deployed ? badge(`serves ${row.deployment_environment}${row.coach_id ? ` for ${row.coach_id}` : ""}`, row.deployment_environment === "production" ? "good" : "warn")
    : row.rollback_reason ? badge("rolled back", "bad") : badge("serves nobody");
  return row.warning ? h("span", {}, state, h("span", { class: "cell-note" }, row.warning)) : state;
}

async function one(context, id) {
  const version = await context.api.get(path`/admin/model-versions/${id}`);
  context.setTitle(nameOf(version));
  context.actions.push(actionButton("Deploy", () => deploy(context, version), { kind: "primary", id: "deploy" }));
  if (version.is_deployed) context.actions.push(actionButton("Roll back", () => rollBack(context, version, { environment: version.deployment_environment, coach_id: version.coach_id }), { kind: "danger", id: "roll-back" }));
  context.actions.push(h("a", { class: "button", href: context.href("rollouts", [], { model_version_id: id }) }, "Roll out by stages"));
  const metrics = version.production_metrics;
  const rows = (which) => answersOf(context, version, which);
  return [
    h("p", {}, h("a", { href: context.href("versions") }, "All model versions")),
    version.warning ? h("div", { class: "notice notice-warn" }, h("p", {}, version.warning)) : null,
    metrics ? tiles([
      { label: "Answers", value: count(metrics.answers), note: `in the last ${count(metrics.days)} days`, href: rows() },
      { label: "Thumbs up", value: percent(metrics.thumbs_up_rate), note: `of ${count(metrics.thumbs)}`, href: metrics.thumbs > 0 ? rows({ helpful: "any" }) : null },
      { label: "Stars", value: decimal(metrics.average_rating, 2), note: `of ${count(metrics.ratings)}`, href: metrics.ratings > 0 ? rows({ rating: "any" }) : null },
      { label: "Half are done in", value: milliseconds(metrics.latency_ms_p50), href: rows() }, { label: "95 % are done in", value: milliseconds(metrics.latency_ms_p95), href: rows() },
      { label: "Cost of an answer", value: money(metrics.cost_usd_per_answer), href: rows() },
      { label: "Failed", value: percent(metrics.error_rate), note: `${count(metrics.errors)} answers`, href: metrics.errors > 0 ? rows({ outcome: "failed" }) : null },
    ]) : emptyState("It has given no answers yet", "The job refresh-model-metrics looks each hour."),
    facts([["State", stateOf(version)], ["Model", version.model_id], ["Base model", version.base_model], ["Training", version.finetuning_job_id && h("a", { href: context.href("training", [version.finetuning_job_id]) }, "the one that made it")],
      ["Trained on", version.dataset_version_id && h("a", { href: context.href("datasets", ["version", version.dataset_version_id]) }, "a version of a dataset")],
      ["Before it", version.previous_version_id && h("a", { href: context.href("versions", [version.previous_version_id]) }, "the version that served there")], ["Rolled back because", version.rollback_reason], ["Made", time(version.created_at)],
      ...Object.entries(version.benchmark_scores ?? {}).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)])]),
    h("section", { class: "panel" }, h("h2", {}, "Lineage"), loaded(() => context.api.get(path`/admin/model-lineage`, { limit: 200 }), (graph) => lineageGraph(context, around(graph, id), { now: id }), { busy: 4 })),
    h("section", { class: "stack" }, h("h2", {}, "Where it served"), table({
      name: "Deployments", rows: [...version.deployments].reverse(), empty: "Nowhere yet.",
      columns: [
        { label: "Where", show: (row) => row.environment }, { label: "For", show: (row) => row.coach_id ?? "all coaches without their own" }, { label: "From", show: (row) => time(row.began_at), csv: (row) => row.began_at }, { label: "By", show: (row) => row.began_by },
        { label: "Until", show: (row) => (row.ended_at ? time(row.ended_at) : badge("now", "good")), csv: (row) => row.ended_at }, { label: "Why it ended", show: (row) => (row.ended_at ? row.reason : actionButton("Roll back", () => rollBack(context, version, { environment: row.environment, coach_id: row.coach_id }), { kind: "small", "aria-label": `Roll back in ${row.environment}${row.coach_id ? ` for ${row.coach_id}` : ""}` })), csv: (row) => row.reason },
      ],
    })),
  ].filter(Boolean);
}

// --- putting it there, taking it back ---

/** What GET .../deploy-plan or rollback-plan says, in sentences. */
function pointsOf(plan) {
  const name = (version) => (version === null ? words.configured : version.model_name ? `${version.model_name} ${version.version} (${version.model_id})` : version.model_id);
  const points = plan.changes.map((change) => {
    const where = change.coach_id ? `${change.environment}, for ${change.coach_id}` : `${change.environment}, for all coaches without a model of their own`;
    const after = change.after === null && change.coach_id ? "what serves all other coaches" : name(change.after);
    return `In ${where}: ${after} takes the place of ${change.before === null && change.coach_id ? "what serves all other coaches" : name(change.before)}.`;
  });
  if (plan.changes.length === 0) points.push("Nothing changes: it serves there already.");
  if (plan.environment === "production" && plan.changes.length > 0) points.push(`It holds from the next chat on: ${count(plan.answers_of_last_day)} answers of the last 24 hours would have been concerned. Chats under way end where they are.`);
  if (plan.environment !== "production" && plan.changes.length > 0) points.push("No user’s chat is concerned: that is only production.");
  if (plan.coaches_of_their_own.length > 0) points.push(`Not concerned, because they have a model of their own: ${plan.coaches_of_their_own.join(", ")}.`);
  for (const test of plan.tests) {
    points.push(`${test.rollout_id ? "The rollout" : "The experiment"} “${test.name}” ${test.loses_coach ? `loses users of ${plan.coach_id}, who get this version` : "goes on to say which model its users get"}.`);
  }
  return points;
}

async function deploy(context, version) {
  const coaches = await coachOptions(context).catch(() => []);
  const place = h("div", { "aria-live": "polite", id: "deploy-plan" });
  let asked = 0;
  const look = async () => {
    const number = ++asked;
    const { environment, coach_id: coach } = made.values() ?? {};
    submit.disabled = true;
    try {
      const plan = await context.api.get(path`/admin/model-versions/${version.id}/deploy-plan`, { environment, coach_id: coach });
      if (number !== asked) return;
      place.replaceChildren(h("h3", {}, "What will happen"), h("ul", { class: "points" }, pointsOf(plan).map((point) => h("li", {}, point))));
      submit.disabled = plan.changes.length === 0;
    } catch (error) {
      if (number === asked) place.replaceChildren(errorState(error));
    }
  };
  const { form: made } = formDialog(context, {
    title: `Deploy ${nameOf(version)}?`, label: "Deploy it",
    fields: [
      { name: "environment", label: "Where", type: "select", options: ENVIRONMENTS.map((value) => ({ value, label: value })), onchange: () => look() },
      { name: "coach_id", label: "For", type: "select", options: [{ value: "", label: "all coaches without a model of their own" }, ...coaches], onchange: () => look() },
    ],
    async submit(values) {
      await context.api.post(path`/admin/model-versions/${version.id}/deploy`, values);
      return values.environment;
    },
    done(environment) {
      toast(`${nameOf(version)} serves ${environment}.`);
      context.refresh();
    },
  });
  const submit = made.node.querySelector("[type=submit]");
  made.node.querySelector(".form-error").before(place);
  await look();
}

/** `where`: it may serve in several places. */
async function rollBack(context, version, where) {
  const plan = await context.api.get(path`/admin/model-versions/${version.id}/rollback-plan`, new URLSearchParams({ environment: where.environment, coach_id: where.coach_id ?? "" }));
  await withReason(context, {
    title: `Roll ${nameOf(version)} back?`, points: pointsOf(plan), yes: "Roll it back", danger: true,
    act: async (reason) => {
      const after = await context.api.post(path`/admin/model-versions/${version.id}/rollback`, { reason, ...where });
      toast(after.serves_now ? `${nameOf(after.serves_now)} serves again.` : "What was there before it serves again.");
      context.refresh();
    },
  });
}
