/** What was foretold, and how good that was: over time, and by how sure it was. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { lineChart } from "../chart.js";
import { filterBar, noon, shifted, utcDays } from "../filters.js";
import { ago, count, decimal, percent, time, utcDay, words as asWords } from "../format.js";
import { emptyState, loaded } from "../states.js";
import { facts, table } from "../table.js";
import { badge, figure, tiles } from "../tiles.js";

export const title = "Predictions";

const words = {
  calibrationAbout: "How often what was predicted came true, by how sure it was. On the diagonal the two are the same; the band is what may be chance.",
  brierAbout: "The mean square of confidence less what came, and how far confidence is from what came true. Less is better.",
  none: "There are no predictions in this time",
  noneText: "Thumbs are predicted once the job train-thumb-model has enough rated answers; others record theirs by POST /v1/predictions.",
  noDrift: "No model has become worse than it was.",
  worse: "has become worse",
  scores: { brier: "Brier score", ece: "calibration error" },
  over: { day: "How good, day by day", week: "How good, week by week" },
};

const OTHER = "other"; // what the figures of a day put together
const LIST = "list"; // the page of them one by one
const MOST_POINTS = 200; // of a chart; of more days there is a point a week

export function render(context) {
  return context.path[0] === LIST ? list(context) : overview(context);
}

function askedOf({ query }) {
  const { from, last, days } = utcDays(query);
  const { prediction_type: type, model_name: model, model_version: version } = query;
  return { days, asked: { prediction_type: type, model_name: model, model_version: version, from, to: last } };
}

/** The filters of both pages, by what was predicted in that time. */
function fields(context, { from, to }) {
  const all = context.api.get(path`/admin/predictions/figures`, { from, to, step: "all", limit: 200 });
  all.catch(() => {});
  const choices = (name) => all.then(({ data }) => [...new Set(data.map((row) => row[name]))].sort().map((value) => ({ value, label: asWords(value) })));
  return [
    { type: "period", utc: true },
    { name: "prediction_type", label: "What", type: "select", any: "All", options: choices("prediction_type") },
    { name: "model_name", label: "Model", type: "select", any: "All models", options: choices("model_name") },
    { name: "model_version", label: "Version", type: "select", any: "All versions", options: choices("model_version") },
  ];
}

function overview(context) {
  const { days, asked } = askedOf(context);
  const step = days <= MOST_POINTS ? "day" : "week";
  return [
    filterBar(context, fields(context, asked)),
    loaded(() => context.api.get(path`/admin/predictions/drift`), (answer) => showDrift(context, answer), { busy: 1 }),
    loaded(() => Promise.all([context.api.get(path`/admin/predictions/calibration`, asked), context.api.get(path`/admin/predictions/figures`, { ...asked, step, by: "time", limit: MOST_POINTS })]), ([calibration, figures]) => showAll(context, calibration, figures.data, step), { busy: 8 }),
    h("h2", {}, "By model and version"),
    loaded(() => context.api.get(path`/admin/predictions/figures`, { ...asked, step: "all", limit: 200 }), ({ data }) => table({
      name: "Predictions by model", rows: data, empty: words.none,
      columns: [
        { label: "What", show: (row) => asWords(row.prediction_type) },
        { label: "Model", show: (row) => h("a", { href: context.href("predictions", [], { ...context.query, model_name: row.model_name, model_version: row.model_version }) }, `${row.model_name} ${row.model_version ?? ""}`) },
        { label: "Predictions", align: "end", sort: (row) => row.n, show: (row) => figure(count(row.n), row.model_name === OTHER ? null : context.href("predictions", [LIST], { ...context.query, prediction_type: row.prediction_type, model_name: row.model_name, model_version: row.model_version })), csv: (row) => row.n },
        { label: "Came true or not", align: "end", sort: (row) => row.n_judged, show: (row) => count(row.n_judged), csv: (row) => row.n_judged },
        ...[["Accuracy", "accuracy", percent], ["Brier", "brier", (value) => decimal(value, 3)], ["Calibration error", "ece", (value) => decimal(value, 3)], ["Log loss", "log_loss", (value) => decimal(value, 3)], ["MAE", "mae", decimal], ["MAPE", "mape", percent]]
          .map(([label, name, show]) => ({ label, align: "end", sort: (row) => row[name], show: (row) => show(row[name]), csv: (row) => row[name] })),
      ],
    })),
  ];
}

function list(context) {
  const { asked } = askedOf(context);
  context.setTitle("Predictions one by one");
  return [
    filterBar(context, [...fields(context, asked), { name: "came_true", label: "Outcome", type: "select", any: "All", options: [{ value: "true", label: "Came true" }, { value: "false", label: "Did not" }] }]),
    table({
      name: "Predictions", empty: words.none,
      load: context.api.pages(path`/admin/predictions`, { ...asked, came_true: context.query.came_true }),
      columns: [
        { label: "When", show: (row) => time(row.created_at, ago), csv: (row) => row.created_at },
        { label: "What", show: (row) => asWords(row.prediction_type), csv: (row) => row.prediction_type },
        { label: "Model", show: (row) => `${row.model_name} ${row.model_version}` },
        { label: "Confidence", align: "end", show: (row) => percent(row.confidence_score), csv: (row) => row.confidence_score },
        { label: "Accuracy", align: "end", show: (row) => percent(row.prediction_accuracy), csv: (row) => row.prediction_accuracy },
        { label: "Outcome", show: (row) => (row.came_true === null ? null : row.came_true ? badge("came true", "good") : badge("did not", "bad")), csv: (row) => row.came_true },
        { label: "Who", show: (row) => h("a", { href: context.href("people", [row.user_id]) }, row.user_id.slice(-12)), csv: (row) => row.user_id },
        { label: "Answer", show: (row) => row.answer_id && h("a", { href: context.href("answers", [row.answer_id]) }, row.answer_id.slice(-12)), csv: (row) => row.answer_id },
      ],
    }),
  ];
}

function showDrift(context, { data, bounds }) {
  if (data.length === 0) return h("p", { class: "row" }, badge("no drift", "good"), words.noDrift);
  return data.map((row) => h("div", { class: "notice notice-warn" },
    h("p", {}, h("strong", {}, `${asWords(row.prediction_type)} by ${row.model_name} ${row.model_version ?? ""} ${words.worse}`), `, since `, time(row.since), ": ", row.exceeds.map((what) => `${words.scores[what]} ${decimal(row[what], 3)}, before ${decimal(row.reference[what], 3)}`).join("; "),
      `, of ${count(row.n)} outcomes. Told is ${row.exceeds.map((what) => `a ${words.scores[what]} more than ${decimal(bounds[what])} higher`).join(", and ")}.`)));
}

function showAll(context, calibration, figures, step) {
  const { total } = calibration;
  if (!total || !total.n) return emptyState(words.none, words.noneText);
  const bins = calibration.data;
  const points = filled(figures, step);
  return [
    h("h2", {}, "How good they are"),
    tiles([
      { label: "Predictions", value: count(total.n), href: context.href("predictions", [LIST], context.query), note: `${count(total.n_with_outcome)} have an outcome` },
      { label: "Accuracy", value: percent(total.accuracy) },
      { label: "Brier score", value: decimal(total.brier, 3), note: `of always predicting the mean: ${decimal(total.uncertainty, 3)}` },
      { label: "Calibration error", value: decimal(total.ece, 3), note: "mean distance of confidence from what came true" },
      total.mae === null ? null : { label: "Mean error of numbers", value: decimal(total.mae), note: total.mape === null ? "" : percent(total.mape) },
    ]),
    h("div", { class: "columns" },
      lineChart({
        title: "Calibration", description: words.calibrationAbout, across: (value) => percent(value, 0), by: "Confidence", format: percent, axis: (value) => percent(value, 0), y: { min: 0, max: 1 }, height: 300,
        series: [
          { name: "came true", behind: "predictions", points: bins.map((bin) => ({ at: bin.mean_confidence ?? (bin.from + bin.to) / 2, value: bin.count > 0 ? bin.observed_rate : null, low: bin.low, high: bin.high, n: bin.count })) },
          { name: "as sure as it was", points: [{ at: 0, value: 0 }, ...bins.map((bin) => bin.mean_confidence ?? (bin.from + bin.to) / 2).map((at) => ({ at, value: at })), { at: 1, value: 1 }] },
        ],
        empty: "Nothing that has a confidence came true or not yet.",
      }),
      lineChart({
        title: words.over[step], description: words.brierAbout, format: (value) => decimal(value, 3), axis: decimal, y: { min: 0 }, height: 300, when: utcDay, by: step === "day" ? "Day" : "Week from",
        series: [{ name: words.scores.brier, behind: "outcomes", points: points.map((point) => ({ at: noon(point.at), value: point.brier, n: point.n_judged })) }, { name: words.scores.ece, points: points.map((point) => ({ at: noon(point.at), value: point.ece })) }],
        empty: "No outcome came in this time.",
      })),
    h("details", {}, h("summary", {}, "What the Brier score is made of"),
      facts([["Reliability (less is better)", decimal(total.reliability, 4)], ["Resolution (more is better)", decimal(total.resolution, 4)], ["Uncertainty", decimal(total.uncertainty, 4)], ["Within bins", decimal(total.within_bin, 4)], ["Log loss", decimal(total.log_loss, 4)]])),
  ];
}

/** The points in their order; days or weeks without any are gaps. */
function filled(points, step) {
  const known = new Map(points.map((point) => [point.at, point]));
  const [first, last] = [points.at(-1)?.at, points[0]?.at];
  const all = [];
  for (let at = first; at !== undefined && at <= last; at = shifted(at, step === "day" ? 1 : 7)) all.push(known.get(at) ?? { at, n_judged: 0, brier: null, ece: null });
  return all;
}
