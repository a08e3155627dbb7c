/** Autopilot: its switch, its bounds, what runs, and every decision with its reason. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { formDialog, openDialog } from "../dialog.js";
import { ago, count, money, percent, time } from "../format.js";
import { DECIDING, metricOptions } from "../metrics.js";
import { jobBadge } from "../job.js";
import { withReason } from "../reason.js";
import { actionButton, emptyState, loaded, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge } from "../tiles.js";

export const title = "Autopilot";

const words = {
  off: "Autopilot is off",
  offText: "When it is on, it tries severities, words and playbooks on a share of users, rolls out what wins and stops the rest, within bounds that you set.",
  on: "Autopilot is on",
  noDecisions: "It has decided nothing yet. It looks each hour.",
  rehearsed: "What it would do now. Nothing of it was done.",
  rehearsedNothing: "It would do nothing now.",
};
const GOOD = new Set(["begun", "rolled_out", "promoted", "submitted", "started"]);
const PAGE = 50;
const BAD = new Set(["discarded"]);

export function render(context) {
  return loaded(() => context.api.get(path`/admin/autopilot`, { limit: PAGE }), (state) => shown(context, state), { busy: 8 });
}

function shown(context, state) {
  const { enabled, bounds, settings } = state;
  return [
    h("section", { class: `panel autopilot ${enabled ? "autopilot-on" : ""}`.trim() },
      h("div", { class: "section-head" }, h("h2", {}, enabled ? words.on : words.off, " ", badge(enabled ? "on" : "off", enabled ? "good" : "plain")), switchOf(context, state)),
      h("p", {}, enabled ? [state.began_by ? `Switched on by ${state.began_by} ` : "Switched on ", time(state.began_at, ago), ". "] : words.offText, state.rests && enabled ? badge(state.rests, "warn") : null),
      h("ul", { class: "bounds" }, [
        bound("Spent today", bounds.usd_today, bounds.max_usd_per_day, money), bound("Spent this month", bounds.usd_this_month, bounds.max_usd_per_month, money),
        bound("Users in its tests", bounds.share, bounds.max_share, (value) => percent(value)), bound("Tests at once", bounds.at_once, bounds.max_at_once, count)]),
      h("div", { class: "row" }, enabled ? actionButton("Change bounds and settings", () => edit(context, state), { id: "autopilot-settings" }) : null, actionButton("What would it do now?", () => rehearse(context), { id: "rehearse" }),
        actionButton("Daily report", () => report(context), { id: "autopilot-report" }))),
    h("section", { class: "stack" }, h("h2", {}, "Running"), running(context, state)),
    state.winners.length > 0 ? h("section", { class: "stack" }, h("h2", {}, "Winners that it could not roll out"), table({
      name: "Winners", rows: state.winners, csv: false,
      columns: [
        { label: "Winner", show: (row) => h("a", { href: context.href("experiments", [row.experiment_id]) }, `${row.name}: ${row.variant}`) }, { label: "Why not", show: (row) => row.reason }, { label: "When", show: (row) => time(row.at, ago) },
        { label: "Do", show: (row) => h("a", { class: "button small", href: context.href("rollouts", [], { experiment: row.experiment_id, variant: row.variant }) }, "Roll it out") },
      ],
    })) : null,
    h("section", { class: "stack" }, h("h2", {}, "Decisions"), decisions(context, state)),
    h("details", {}, h("summary", {}, "All settings"), facts(Object.entries(settings).map(([name, value]) => [name.replaceAll("_", " "), value === null ? "–" : Array.isArray(value) ? value.join(", ") : String(value)]))),
  ].filter(Boolean);
}

function bound(label, used, most, show) {
  const known = most !== null && most !== undefined;
  return h("li", {}, h("span", { class: "tile-label" }, label), h("strong", {}, known ? `${show(used)} of ${show(most)}` : `${show(used)}, no bound`),
    known ? h("meter", { min: 0, max: Number(most) || 1, low: Number(most) * 0.8, high: Number(most) * 0.999, optimum: 0, value: Math.min(Number(used), Number(most)), "aria-label": `${label}: ${show(used)} of ${show(most)}` }) : null);
}

function switchOf(context, state) {
  if (state.enabled) {
    return actionButton("Switch it off", () => withReason(context, {
      title: "Switch autopilot off?", danger: true, yes: "Switch it off",
      points: [`Its ${count(state.running.length)} experiments and rollouts are stopped or rolled back, and its ${count(state.training.length)} trainings cancelled.`,
        "Production is what people made it last: what autopilot changed since it was switched on is taken out. What a person put in its place or beside it stays.", "All of that at once, from the next chat on."],
      act: async (reason) => {
        const after = await context.api.post(path`/admin/autopilot/stop`, { reason });
        toast(`It is off. ${count(after.stopped.length)} tests stopped, ${count(after.cancelled.length)} trainings cancelled, ${count(after.models_restored.length + after.production_restored.length)} places of production put back.`);
        context.refresh();
      },
    }), { kind: "danger", id: "autopilot-off" });
  }
  return actionButton("Switch it on", () => edit(context, state), { kind: "primary", id: "autopilot-on" });
}

function running(context, { running: tests, training }) {
  if (tests.length === 0 && training.length === 0) return emptyState("Nothing of it is running.");
  return [tests.length === 0 ? null : table({
    name: "Tests of autopilot", rows: tests,
    columns: [
      { label: "Test", show: (row) => h("a", { href: row.rollout_id ? context.href("rollouts", [row.rollout_id]) : context.href("experiments", [row.experiment_id]) }, row.name) },
      { label: "Is a", show: (row) => (row.rollout_id ? "rollout" : "experiment") }, { label: "For", show: (row) => row.coach_id ?? "all coaches" },
      { label: "Users", align: "end", show: (row) => percent(row.share) }, { label: "Began", show: (row) => time(row.began_at, ago) },
      { label: "So far", show: (row) => figuresOf(row.figures) },
    ],
  }), ...training.map((job) => h("p", { class: "row" }, jobBadge(job.status), h("a", { href: context.href("training", [job.id]) }, job.job_name)))].filter(Boolean);
}

function figuresOf(figures) {
  const variants = Object.entries(figures?.variants ?? {});
  return variants.length === 0 ? "nothing measured yet" : variants.map(([name, figure]) => `${name} ${figure.value === undefined || figure.value === null ? "–" : Number(figure.value).toPrecision(3)}`).join(", ");
}

function decisions(context, first) {
  const pageOf = ({ decisions: rows, has_more: more }) => ({ rows, next: more ? rows.at(-1).id : null });
  return table({
    name: "Decisions of autopilot", empty: words.noDecisions,
    load: async (after) => pageOf(after === null ? first : await context.api.get(path`/admin/autopilot`, { limit: PAGE, after })),
    columns: [
      { label: "When", show: (row) => time(row.at), csv: (row) => row.at },
      { label: "What", show: (row) => linkOf(context, row), csv: (row) => `${row.kind} ${row.name ?? ""}` },
      { label: "Decision", show: (row) => h("span", {}, badge(row.decision.replaceAll("_", " "), GOOD.has(row.decision) ? "good" : BAD.has(row.decision) ? "bad" : "plain"), row.is_dry_run ? " dry run" : "") },
      { label: "Why", show: (row) => row.reason },
      { label: "Numbers", show: (row) => row.numbers && Object.keys(row.numbers).length > 0 && h("details", {}, h("summary", {}, "numbers"), h("pre", { tabindex: 0 }, JSON.stringify(row.numbers, null, 2))), csv: (row) => JSON.stringify(row.numbers) },
      { label: "Who", show: (row) => row.who },
    ],
  });
}

function linkOf(context, row) {
  const page = { experiment: "experiments", candidate: "experiments", rollout: "rollouts", fine_tune: "training", model: "versions" }[row.kind];
  const text = [row.kind.replaceAll("_", "-"), row.name, row.coach_id && `(${row.coach_id})`].filter(Boolean).join(" ");
  return page && row.subject_id ? h("a", { href: context.href(page, [row.subject_id]) }, text) : text;
}

function settingFields(settings) {
  const number = (name, label, more = {}) => ({ name, label, type: "number", value: settings[name], ...more });
  return [
    number("max_usd_per_day", "US dollars a day, at most", { min: 0, required: true }), number("max_usd_per_month", "US dollars a month, at most", { min: 0, required: true }),
    number("max_share", "Share of users in its tests, at most", { min: 0.001, max: 1, required: true, hint: "Those they are compared with among them." }), number("max_at_once", "Tests at once, at most", { min: 1, max: 20, step: 1, required: true }),
    number("quiet_from", "Quiet from this hour, UTC", { min: 0, max: 23, step: 1 }), number("quiet_to", "to this one", { min: 0, max: 23, step: 1, hint: "In quiet hours nothing begins, goes on or ends; a guardrail that is crossed still takes a rollout back." }),
    { name: "success_metric", label: "What decides", type: "select", options: metricOptions(DECIDING), value: settings.success_metric ?? "thumbs_up_rate" },
    { name: "coaches", label: "Only for these coaches, one by one", type: "list", value: settings.coaches, hint: "An id on each line; empty: for all at once." },
    { name: "fine_tunes", label: "It may have models trained", type: "checkbox", value: settings.fine_tunes }, { name: "base_model", label: "Which model it trains", value: settings.base_model },
    { name: "model_prompts", label: "It may ask a model for words to try", type: "checkbox", value: settings.model_prompts },
  ];
}

function edit(context, { enabled, settings, bounds }) {
  const { form: made } = formDialog(context, {
    title: enabled ? "Bounds and settings" : "Switch autopilot on", wide: true, label: enabled ? "Save" : "Switch it on", whole: true, fields: settingFields({ ...settings, ...bounds }),
    intro: enabled ? [] : h("ul", { class: "points" }, ["It begins tests on users within these bounds, and rolls out what wins, without asking.", "Each step is in its log with the reason.", "One switch stops all of it and puts production back."].map((point) => h("li", {}, point))),
    after: h("p", {}, actionButton("What would it do with these?", async () => {
      const values = made.values();
      if (values !== null) await rehearse(context, values).catch(made.fail);
    })),
    async submit(values) {
      await context.api.post(path`/admin/autopilot/start`, values);
    },
    done() {
      toast(enabled ? "Saved." : "It is on, and looks within the hour.");
      context.refresh();
    },
  });
}

async function rehearse(context, settings = {}) {
  const { decisions: rows } = await context.api.post(path`/admin/autopilot/dry-run`, settings);
  openDialog(context, { title: "What it would do now", wide: true, content: h("div", { class: "stack" }, h("p", {}, rows.length === 0 ? words.rehearsedNothing : words.rehearsed), rows.length === 0 ? null : table({
    name: "What autopilot would do", rows, csv: false,
    columns: [{ label: "What", show: (row) => [row.kind?.replaceAll("_", "-"), row.name].filter(Boolean).join(" ") }, { label: "Decision", show: (row) => badge(row.decision.replaceAll("_", " "), GOOD.has(row.decision) ? "good" : "plain") }, { label: "Why", show: (row) => row.reason }],
  })) });
}

function report(context) {
  const shown = h("div", { class: "stack", "aria-live": "polite" });
  const input = h("input", { class: "input", type: "date", id: "report-day", max: new Date().toISOString().slice(0, 10), onchange: () => input.value && look() });
  input.value = new Date().toISOString().slice(0, 10);
  const look = () => shown.replaceChildren(loaded(() => context.api.get(path`/admin/autopilot/report`, { day: input.value }),
    ({ markdown, decisions: rows, usd }) => [h("p", {}, `${count(rows.length)} decisions, ${money(usd)} spent.`), h("pre", { tabindex: 0 }, markdown)]));
  look();
  openDialog(context, { title: "Daily report", wide: true, content: h("div", { class: "stack" }, h("div", { class: "filter" }, h("label", { for: "report-day" }, "Day (UTC)"), input), shown) });
}
