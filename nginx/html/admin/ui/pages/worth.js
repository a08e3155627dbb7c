/** What the loop is worth: quality by the month, what tuned models cost and save, and whether training has paid. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { barChart, lineChart } from "../chart.js";
import { coachOptions } from "../coaches.js";
import { countedNote, neverCounted } from "../counted.js";
import { dayRange, filterBar, shifted } from "../filters.js";
import { count, day, decimal, money, month, NOTHING, percent, percentInterval, signed, utcDay } from "../format.js";
import { emptyState, loaded } from "../states.js";
import { table } from "../table.js";
import { badge, figure, tiles } from "../tiles.js";

const words = {
  title: "What the loop is worth",
  coach: "Coach", anyCoach: "All coaches", against: "Compared with", anyAgainst: "Each one’s own base model",
  training: "Training", trainingNote: "spent in these months", tuned: "Tuned models", tunedNote: (n) => `for ${n} answers`,
  other: (name) => (name === null ? "Their base models" : name), otherNote: "would have cost, for the same tokens",
  saved: "Saved by tuned models", savedNote: "less what training cost: ", cache: "Saved by the cache", cacheNote: "what its answers had cost before",
  unknown: "not known: a price is missing",
  quality: ["Thumbs-up rate by month", "Thumbs up among all thumbs of each month, with the interval of 95 %. Promotions and rollbacks are marked."],
  rating: ["Rating by month", "The mean of stars of each month, with the interval of 95 %. Promotions and rollbacks are marked."],
  spending: ["Spending by month", "US dollars for answers and for training, each month."],
  compared: ["Tuned models and what they are compared with", "US dollars that answers of tuned models cost each month, and what the other model would have cost for the same tokens."],
  series: { answers: "answers", training: "training", tuned: "tuned models" },
  byMonth: "By month",
  promoted: (label) => `${label} promoted`, rolledBack: (label, reason) => `${label} rolled back${reason ? `: ${reason}` : ""}`, ofCoach: (coach) => ` (${coach})`,
  runs: "Fine-tuning runs", run: "Run", state: "State", trained: "Training cost", estimated: "estimated", answers: "Answers", cost: "Cost", wouldCost: "Would have cost",
  savedColumn: "Saved", thumbs: "Thumbs up", payback: "Has it paid?", serves: "in production",
  noRuns: "No model has been fine-tuned yet.", noRunsText: "Liked answers become training examples by themselves; with enough of them a model can be trained.", toLearning: "To fine-tuning",
  noThumbs: "Nobody has rated answers yet.", noSpending: "Nothing has been spent.", noTuned: "No tuned model has answered, or a price is not known.",
  caution: "Months differ in more than the model: who writes, about what. What a change is worth by itself, experiments say.",
  toExperiments: "To experiments",
};

const PAYBACK = {
  not_used: ["plain", () => "not used yet"], unknown: ["warn", () => "not known: a price is missing"],
  paid_back: ["good", (payback) => `paid back on ${utcDay(payback.day)}`],
  paying_back: ["plain", (payback) => `in about ${count(payback.days_left)} days at this pace`],
  stopped: ["bad", () => "no, and it does not serve any more"], costs_more: ["bad", () => "no: it costs more than what it is compared with"],
};

export const title = words.title;

export function render(context) {
  const { coach_id, against } = context.query;
  return [
    filterBar(context, [
      { name: "coach_id", label: words.coach, type: "select", any: words.anyCoach,
        options: coachOptions(context) },
      { name: "against", label: words.against, type: "select", any: words.anyAgainst,
        options: context.api.get(path`/admin/prices`, { current: "true" }).then(({ data }) => [...new Set(data.map((price) => price.model))].map((model) => ({ value: model, label: model }))) },
    ]),
    loaded(() => context.api.get(path`/admin/worth`, { coach_id, against }), (worth) => (worth.counted_at === null ? neverCounted(context) : [
      figures(context, worth), h("p", { class: "hint prose-line" }, words.caution, " ", h("a", { href: context.href("experiments") }, words.toExperiments)),
      h("h2", {}, words.byMonth), charts(context, worth), h("h2", {}, words.runs), runs(context, worth), countedNote(context, worth.counted_at),
    ]), { busy: 10 }),
  ];
}

/** The sum, or null where one is not known. */
function sum(list, value) {
  return list.reduce((so, one) => (so === null || value(one) === null ? null : so + Number(value(one))), 0);
}

function figures(context, { months, against }) {
  const tuned = months.filter((one) => one.tuned_requests > 0);
  const training = sum(months, (one) => one.training_usd);
  const cost = sum(tuned, (one) => one.tuned_cost_usd);
  const other = sum(tuned, (one) => one.against_usd);
  const saved = cost === null || other === null ? null : other - cost;
  const isTraining = training !== null;
  const rows = (which) => context.href("answers", [], { ...which, coach_id: context.query.coach_id, ...dayRange(months[0].month, nextMonth(months.at(-1).month)) });
  const ofTuned = tuned.length > 0 ? rows({ tuned: "true" }) : null;
  return tiles([
    isTraining ? { label: words.training, value: money(training), note: words.trainingNote, href: context.href("training") } : null,
    { label: words.tuned, value: money(cost), note: words.tunedNote(count(sum(tuned, (one) => one.tuned_requests))), href: ofTuned },
    { label: words.other(against), value: money(other), note: other === null ? words.unknown : words.otherNote, href: ofTuned },
    { label: words.saved, value: signed(saved, money), note: saved === null ? words.unknown : isTraining ? `${words.savedNote}${signed(saved - training, money)}` : null, href: ofTuned },
    { label: words.cache, value: money(sum(months, (one) => one.saved_usd)), note: words.cacheNote,
      href: months.some((one) => one.cache_hits > 0) ? rows({ from_cache: "true" }) : null },
  ], { label: words.title });
}

/** The first day of the month after that of a day. */
function nextMonth(first) {
  return `${shifted(`${first.slice(0, 7)}-01`, 31).slice(0, 7)}-01`;
}

function charts(context, { months, events, against }) {
  // The middle of the month, so that it has its own name wherever the viewer is.
  const at = (one) => `${one.month.slice(0, 8)}15T12:00:00Z`;
  // `which` answers of a month a value counts, and `of` how many those are.
  const series = (name, value, { which = {}, of = (one) => one.requests, more = () => ({}) } = {}) => ({ name, points: months.map((one) => ({ at: at(one), value: value(one),
    href: of(one) > 0 ? context.href("answers", [], { ...dayRange(one.month, nextMonth(one.month)), coach_id: context.query.coach_id, ...which }) : null, ...more(one) })) });
  const ofTuned = { which: { tuned: "true" }, of: (one) => one.tuned_requests };
  const marked = events.map((event) => ({ at: event.at, label: (event.kind === "promoted" ? words.promoted(event.label) : words.rolledBack(event.label, event.reason)) + (event.coach_id ? words.ofCoach(event.coach_id) : ""),
    href: event.rollout_id ? context.href("rollouts", [event.rollout_id]) : context.href("versions", [event.model_version_id]) }));
  const common = ([name, description]) => ({ title: name, description, when: month, by: "Month" });
  return h("div", { class: "columns" }, [
    lineChart({ ...common(words.quality), events: marked, format: (value) => percent(value), axis: (value) => percent(value, 0), empty: words.noThumbs,
      series: [{ ...series("", (one) => one.thumbs_up_rate, { which: { helpful: "any" }, of: (one) => one.thumbs, more: (one) => ({ low: one.thumbs_up_low, high: one.thumbs_up_high, n: one.thumbs }) }), behind: "thumbs" }] }),
    lineChart({ ...common(words.rating), events: marked, format: (value) => decimal(value), axis: (value) => decimal(value, 1), empty: words.noThumbs,
      series: [{ ...series("", (one) => one.average_rating, { which: { rating: "any" }, of: (one) => one.ratings, more: (one) => ({ low: one.rating_low, high: one.rating_high, n: one.ratings }) }), behind: "ratings" }] }),
    barChart({ ...common(words.spending), format: money, stacked: true, empty: words.noSpending,
      series: [series(words.series.answers, (one) => one.cost_usd), ...(context.query.coach_id ? [] : [series(words.series.training, (one) => one.training_usd, { more: () => ({ href: context.href("training") }) })])] }),
    barChart({ ...common(words.compared), format: money, empty: words.noTuned,
      series: [series(words.series.tuned, (one) => one.tuned_cost_usd, ofTuned), series(words.other(against), (one) => one.against_usd, ofTuned)] }),
  ].map((chart) => h("div", { class: "panel" }, chart)));
}

function runs(context, { runs: list }) {
  const rows = (run, more = {}) => context.href("answers", [], { model: run.model_id, coach_id: context.query.coach_id, ...dayRange(run.first_day, shifted(run.last_day, 1)), ...more });
  const usd = (label, value, note = () => null) => ({ label, align: "end", sort: (run) => (value(run) === null ? null : Number(value(run))), csv: value, show: (run) => [money(value(run)), note(run)].filter(Boolean) });
  return table({ name: words.runs, rows: list, empty: emptyState(words.noRuns, words.noRunsText, h("a", { class: "button", href: context.href("training") }, words.toLearning)), columns: [
    { label: words.run, csv: (run) => run.job_name, show: (run) => [h("a", { href: run.model_version_id === null ? context.href("training", [run.finetuning_job_id]) : context.href("versions", [run.model_version_id]) }, run.job_name), h("div", { class: "hint" }, [run.base_model, run.completed_at && day(run.completed_at)].filter(Boolean).join(", "))] },
    { label: words.state, show: (run) => [run.status, run.serves ? [" ", badge(words.serves, "good")] : []].flat(), csv: (run) => run.status },
    usd(words.trained, (run) => run.training_usd, (run) => run.is_estimated && run.training_usd !== null && h("div", { class: "hint" }, words.estimated)),
    { label: words.answers, align: "end", csv: (run) => run.answers, sort: (run) => run.answers, show: (run) => figure(count(run.answers), run.answers > 0 ? rows(run) : null) },
    { ...usd(words.cost, (run) => run.cost_usd), show: (run) => figure(money(run.cost_usd), run.answers > 0 ? rows(run) : null) }, usd(words.wouldCost, (run) => run.against_usd, (run) => run.against_usd !== null && h("div", { class: "hint" }, run.against)),
    { ...usd(words.savedColumn, (run) => run.saved_usd), show: (run) => signed(run.saved_usd === null ? null : Number(run.saved_usd), money) },
    { label: words.thumbs, align: "end", csv: (run) => run.thumbs_up_rate, show: (run) => (run.thumbs_up_rate === null ? NOTHING : [figure(percent(run.thumbs_up_rate), rows(run, { helpful: "any" })), h("div", { class: "hint" }, percentInterval(run.thumbs_up_low, run.thumbs_up_high, 0))]) },
    { label: words.payback, csv: (run) => run.payback.state, show: (run) => h("span", { class: { good: "good", bad: "bad" }[PAYBACK[run.payback.state][0]] ?? "" }, PAYBACK[run.payback.state][1](run.payback)) },
  ] });
}
