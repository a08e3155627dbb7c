/** What experiments and rollouts are judged by: names, how values are written, and their figures as a table. */

import { h } from "../../lib/dom.js";
import { count, decimal, duration, milliseconds, money, percent, signed, words as asWords } from "./format.js";
import { table } from "./table.js";
import { badge, figure } from "./tiles.js";

const KINDS = {
  thumbs_up_rate: ["Thumbs up, of all thumbs", percent], avg_rating: ["Average stars", decimal], engagement_time: ["Time in conversations", duration], cost_per_answer: ["Cost of an answer", money],
  latency: ["Time to the end of an answer", milliseconds], regenerations: ["Asked for anew", percent], errors: ["Answers that failed", percent], retention: ["Came back in the second week", percent],
};
export const METRICS = Object.keys(KINDS);
export const DECIDING = METRICS.filter((metric) => metric !== "errors");
const REASONS = {
  no_users: "no users yet", one_arm_empty: "one variant has no users yet", too_few_users: "too few users yet", few_users_dominate: "few users make up most of it", no_answers: "no answers yet",
  zero_variance: "all users are alike", weights_changed: "the weights were changed on the way",
};

export function metricName(metric) {
  return KINDS[metric]?.[0] ?? asWords(metric);
}

export function formatOf(metric) {
  return KINDS[metric]?.[1] ?? decimal;
}

export function metricOptions(names) {
  return names.map((value) => ({ value, label: metricName(value) }));
}

/** Why there is no comparison, in words. */
export function reasonOf(reason) {
  return REASONS[reason] ?? asWords(reason);
}

/** What a variant changes, in words. */
export function changesOf(variant) {
  const { variant_name: _name, description: _description, weight: _weight, guideline_ids: _ids, ...changes } = variant;
  const told = Object.entries(changes).map(([name, value]) => `${asWords(name)}: ${typeof value === "object" && value !== null ? Object.entries(value).map(([key, number]) => `${asWords(key)} ${number}`).join(", ") : value}`);
  return told.length === 0 ? "as it is" : told.join("; ");
}

/** The variants of one metric of GET /admin/experiments/{id}/results, control first. `rows(variant)` leads to the answers behind one. */
export function metricTable({ metric, meaning, better, decides, variants }, rows = () => null) {
  const show = formatOf(metric);
  const between = (low, high) => (low === undefined || low === null ? null : `${signed(low, show)} to ${signed(high, show)}`);
  return h("section", { class: "stack" },
    h("h3", {}, metricName(metric), " ", decides ? badge("this decides", "plain") : null),
    h("p", { class: "hint" }, `${meaning}; ${better} is better.`),
    table({
      name: metricName(metric), rows: variants,
      columns: [
        { label: "Variant", show: (row) => row.variant },
        { label: "Users", align: "end", show: (row) => figure(count(row.figures.users), rows(row.variant)), csv: (row) => row.figures.users },
        { label: "Value", align: "end", show: (row) => (row.figures.value === undefined ? null : show(row.figures.value)), csv: (row) => row.figures.value },
        { label: "Difference", align: "end", show: (row) => (row.figures.difference === undefined ? null : h("span", {}, signed(row.figures.difference, show), row.figures.relative === undefined ? null : h("span", { class: "cell-note" }, signed(row.figures.relative, percent)))), csv: (row) => row.figures.difference },
        { label: "Interval, valid at any time", align: "end", show: (row) => row.figures.always_valid && between(row.figures.always_valid.lower, row.figures.always_valid.upper) },
        { label: "p", align: "end", show: (row) => row.figures.always_valid && decimal(row.figures.always_valid.adjusted_p ?? row.figures.always_valid.p, 4) },
        { label: "Verdict", show: (row) => verdict(row.figures, better, variants[0] === row) },
      ],
    }));
}

function verdict(figures, better, isControl) {
  if (isControl) return "what they are compared with";
  const marks = [];
  if (figures.guardrail) marks.push(badge(`guardrail ${figures.guardrail}`, { ok: "good", crossed: "bad" }[figures.guardrail] ?? "plain"));
  const valid = figures.always_valid;
  if (figures.reason) marks.push(reasonOf(figures.reason));
  else if (valid && (valid.lower > 0 || valid.upper < 0)) marks.push((valid.lower > 0) === (better === "more") ? badge("better", "good") : badge("worse", "bad"));
  else if (valid) marks.push("no difference shown yet", figures.chance_to_prove === undefined ? null : h("span", { class: "cell-note" }, `${percent(figures.chance_to_prove)} chance of being proven better in time`));
  if (valid?.has_drifted) marks.push(badge("changed with time", "warn"));
  return marks.length === 0 ? null : h("span", { class: "row" }, marks);
}
