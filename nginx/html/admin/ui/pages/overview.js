/** How uplift does: use, quality, cost and speed, over time and by what; what changed since last week. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { barChart, lineChart } from "../chart.js";
import { coachNames, coachOptions } from "../coaches.js";
import { countedNote, neverCounted } from "../counted.js";
import { dayRange, filterBar, noon, shifted, utcDays } from "../filters.js";
import { count, decimal, milliseconds, money, NOTHING, percent, percentInterval, short, signed, utcDay } from "../format.js";
import { loaded } from "../states.js";
import { table } from "../table.js";
import { figure, tiles } from "../tiles.js";

const words = {
  title: "Overview",
  coach: "Coach", anyCoach: "All coaches", mode: "Mode", anyMode: "All modes", modes: { default: "Default", roast: "Roast" },
  severity: "Severity", anySeverity: "All severities", severities: { 1: "1, gentle", 2: "2", 3: "3", 4: "4", 5: "5", 6: "6, hard" },
  model: "Model", anyModel: "All models", provider: "Provider", anyProvider: "All providers",
  heads: { coach: "Coach", mode: "Mode", severity: "Severity", model: "Model", provider: "Provider" },
  by: "By", bys: { coach: "coach", mode: "mode", severity: "severity", model: "model", provider: "provider" },
  none: { coach: "no coach", mode: "no mode", severity: "no severity", model: "no model", provider: "no provider" },
  answers: "Answers", users: "Users", thumbsUp: "Thumbs up", rating: "Rating", cost: "Cost", perAnswer: "Cost per answer", saved: "Saved by the cache",
  firstToken: "First token", whole: "Whole answer", errors: "Errors",
  was: (text) => `was ${text}`, thumbs: (n) => `of ${n} thumbs`, ratings: (n) => `of ${n} ratings`,
  unpriced: (n) => `without ${n} whose model has no price`, hits: (text) => `${text} of answers came from it`,
  p95: (text) => `95 of 100 within ${text}`, failed: (n) => `${n} failed or broke off`, about: "about, over several days",
  partOfPart: "not counted for parts of parts",
  changesTitle: "What changed since last week", changesNote: (from, to) => `The seven days from ${from} to ${to} (UTC) against the seven before.`,
  tooFew: "Too little of this and the week before to compare:",
  allTooFew: "There is too little yet to compare two weeks: that takes 20 thumbs or ratings, 50 answers for errors and 100 for times and costs, in each.",
  overTime: "Over time", partsTitle: (by) => `By ${by}`, only: "Only this",
  days: "Days are those of UTC.",
  charts: {
    answers: ["Answers a day", "How many answers were asked for each day, and how they ended."], users: ["Users a day", "How many people got an answer each day."],
    thumbs: ["Thumbs-up rate", "Thumbs up among all thumbs of each day, with the interval of 95 %."], rating: ["Rating", "The mean of stars of each day, with the interval of 95 %."],
    cost: ["Cost a day", "US dollars spent each day, and what answers from the cache would have cost."], perAnswer: ["Cost per answer", "US dollars per answer of each day."],
    firstToken: ["Time to the first token", "The median of each day, and what 95 of 100 answers kept within."], whole: ["Time to the whole answer", "The median of each day, and what 95 of 100 answers kept within."],
    errors: ["Errors", "The share of answers that failed or broke off."],
  },
  series: { complete: "complete", cancelled: "cancelled by the user", wrong: "failed or broken off", cost: "spent", saved: "saved", p50: "median", p95: "95 of 100" },
  noRatings: "Nobody has rated answers of this time.", noTimes: "No answer of this time has a time.",
};

export const title = words.title;

const PARTS = ["coach", "mode", "severity", "model", "provider"];
const FILTERS = ["coach_id", "provider", "model", "mode", "severity"];

export function render(context) {
  const time = utcDays(context.query);
  const by = PARTS.includes(context.query.by) ? context.query.by : "coach";
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, context.query[name]]));
  // Each figure's way to its rows, by the filters of the page of answers.
  const rows = (more = {}) => context.href("answers", [], { ...dayRange(time.from, time.to), ...asAnswers({ ...chosen, ...more }) });
  return [
    filterBar(context, fields(context, by)),
    loaded(() => Promise.all([context.api.get(path`/admin/overview`, { from: time.from, to: time.to, by, ...chosen }), coachNames(context)]), ([overview, names]) => (overview.counted_at === null ? neverCounted(context) : [
      figures(overview, rows),
      loaded(() => context.api.get(path`/admin/changes`, chosen), (changes) => changesPanel(context, changes, chosen, names), { busy: 4 }),
      h("h2", {}, words.overTime), charts(overview.by_day, context, chosen),
      h("h2", {}, words.partsTitle(words.bys[by])), parts(context, overview, rows, names), countedNote(context, overview.counted_at),
    ]), { busy: 10 }),
  ];
}

/** Filters as the page of answers has them: there severity is from one to another. */
function asAnswers({ severity, ...rest }) {
  return severity === undefined ? rest : { ...rest, min_severity: severity, max_severity: Math.min(6, Number(severity) + 0.9) };
}

function fields(context, by) {
  const options = (names) => Object.entries(names).map(([value, label]) => ({ value, label }));
  return [
    { type: "period", days: 28, utc: true },
    { name: "coach_id", label: words.coach, type: "select", any: words.anyCoach, options: coachOptions(context) },
    { name: "mode", label: words.mode, type: "select", any: words.anyMode, options: options(words.modes) },
    { name: "severity", label: words.severity, type: "select", any: words.anySeverity, options: options(words.severities) },
    // Chosen in the table below.
    context.query.model === undefined ? null : { name: "model", label: words.model, type: "select", any: words.anyModel, options: [] },
    context.query.provider === undefined ? null : { name: "provider", label: words.provider, type: "select", any: words.anyProvider, options: [] },
    { name: "by", label: words.by, type: "select", options: PARTS.map((part) => ({ value: part, label: words.bys[part] })), value: by },
  ].filter(Boolean);
}

function figures({ total, before }, rows) {
  const was = (value) => (value === NOTHING ? null : { text: words.was(value), good: null });
  const compared = (now, then, show, lowerIsBetter = false) => (then === null || now === null ? null : { ...was(show(then)), good: now === then ? null : now > then !== lowerIsBetter });
  return tiles([
    { label: words.answers, value: count(total.requests), href: total.requests > 0 ? rows() : null, change: was(count(before.requests)) },
    { label: words.users, value: count(total.users), href: total.users > 0 ? rows() : null, note: total.users === null ? words.partOfPart : words.about, change: total.users === null ? null : was(count(before.users)) },
    { label: words.thumbsUp, value: percent(total.thumbs_up_rate), href: total.thumbs > 0 ? rows({ helpful: "any" }) : null,
      note: total.thumbs > 0 ? `${percentInterval(total.thumbs_up_low, total.thumbs_up_high)}, ${words.thumbs(count(total.thumbs))}` : null, change: was(percent(before.thumbs_up_rate)) },
    { label: words.rating, value: decimal(total.average_rating), href: total.ratings > 0 ? rows({ rating: "any" }) : null,
      note: total.ratings > 0 ? `${total.rating_low === null ? "" : `${decimal(total.rating_low)} to ${decimal(total.rating_high)}, `}${words.ratings(count(total.ratings))}` : null, change: was(decimal(before.average_rating)) },
    { label: words.cost, value: money(total.cost_usd), href: total.requests > 0 ? rows() : null, note: total.unpriced > 0 ? words.unpriced(count(total.unpriced)) : null, change: was(money(before.cost_usd)) },
    { label: words.perAnswer, value: money(total.cost_usd_per_answer), href: total.requests > 0 ? rows() : null, change: compared(total.cost_usd_per_answer, before.cost_usd_per_answer, money, true) },
    { label: words.saved, value: money(total.saved_usd), href: total.cache_hits > 0 ? rows({ from_cache: "true" }) : null, note: total.requests > 0 ? words.hits(percent(total.cache_hit_rate)) : null, change: was(money(before.saved_usd)) },
    { label: words.firstToken, value: milliseconds(total.first_token_ms.p50), href: total.first_token_ms.p50 === null ? null : rows(), note: total.first_token_ms.p95 === null ? null : words.p95(milliseconds(total.first_token_ms.p95)), change: compared(total.first_token_ms.p50, before.first_token_ms.p50, milliseconds, true) },
    { label: words.whole, value: milliseconds(total.response_ms.p50), href: total.response_ms.p50 === null ? null : rows(), note: total.response_ms.p95 === null ? null : words.p95(milliseconds(total.response_ms.p95)), change: compared(total.response_ms.p50, before.response_ms.p50, milliseconds, true) },
    { label: words.errors, value: percent(total.error_rate, 2), href: total.failed + total.partial > 0 ? rows({ outcome: "wrong" }) : null,
      note: words.failed(count(total.failed + total.partial)), change: compared(total.error_rate, before.error_rate, (value) => percent(value, 2), true) },
  ], { label: words.title });
}

// --- what changed, in words ---

const METRICS = {
  requests: { name: "Answers", show: count }, users: { name: "Users", show: count }, cost_usd: { name: "Cost", show: money },
  thumbs_up_rate: { name: "Thumbs up", show: (value) => percent(value), points: true },
  average_rating: { name: "The rating", show: (value) => decimal(value) },
  error_rate: { name: "Errors", show: (value) => percent(value, 2), points: true },
  cost_usd_per_answer: { name: "Cost per answer", show: money },
  first_token_p50: { name: "The median time to the first token", show: milliseconds },
  response_p95: { name: "The time that 95 of 100 answers keep within", show: milliseconds },
};

/** One sentence of all that there is too little of; null where there is enough of everything. */
export function tooFewOf(changes) {
  const few = changes.filter((change) => change.verdict === "too_few");
  if (few.length === 0) return null;
  return few.length === changes.length ? words.allTooFew : `${words.tooFew} ${few.map(({ metric }) => METRICS[metric].name.toLowerCase()).join(", ")}.`;
}

/** A sentence of one comparison, honest about what can be said. */
export function sentenceOf({ metric, now, before, low, high, verdict }) {
  const { name, show, points } = METRICS[metric];
  const spread = (value) => (points ? decimal(value * 100, 1) : decimal(value, 2));
  const within = low === null ? "" : `the difference is between ${signed(low, spread)} and ${signed(high, spread)}${points ? " points" : ""}`;
  if (verdict === "same") return `${name}: about as before, ${show(now)} (${show(before)}).`;
  if (verdict === "unclear") return `${name}: no clear change, ${show(now)} after ${show(before)} (${within}).`;
  const share = before > 0 && !points && metric !== "average_rating" ? `, ${percent(Math.abs(now / before - 1), 0)} ${now > before ? "more" : "less"}` : "";
  return `${name} ${now > before ? "rose" : "fell"} from ${show(before)} to ${show(now)}${share}${within ? ` (${within})` : ""}.`;
}

function changesPanel(context, { data, from, to, before_from }, chosen, names) {
  const good = { better: "better", worse: "worse" };
  const href = (change) => context.href("answers", [], { ...dayRange(before_from, to), ...asAnswers(chosen), ...(change.by === null ? {} : { [change.by === "coach" ? "coach_id" : change.by]: change.part }) });
  const line = (change) => h("li", {}, good[change.verdict] ? h("span", { class: change.verdict === "better" ? "good" : "bad" }, `${change.verdict === "better" ? "Better" : "Worse"}. `) : null,
    change.by === null ? null : h("a", { href: href(change) }, names.get(change.part) ?? change.part ?? words.none[change.by]), change.by === null ? null : ": ", sentenceOf(change));
  // Nothing that was nothing before says nothing.
  const all = data.filter((change) => change.by === null && !(change.verdict === "same" && Number(change.now) === 0 && Number(change.before) === 0));
  const clear = data.filter((change) => change.by !== null && good[change.verdict]);
  const rest = all.filter((change) => !good[change.verdict] && change.verdict !== "too_few");
  const few = tooFewOf(all);
  return h("section", { class: "panel", "aria-labelledby": "changes-title" }, h("h2", { id: "changes-title" }, words.changesTitle),
    h("p", { class: "hint" }, words.changesNote(utcDay(from), utcDay(shifted(to, -1))), " ", h("a", { href: href({ by: null }) }, "The answers behind it")),
    h("ul", { class: "points" }, [...all.filter((change) => good[change.verdict]), ...clear, ...rest].map(line), few === null ? null : h("li", {}, few)));
}

// --- over time ---

function charts(days, context, chosen) {
  // `which` answers of a day a value counts, and `of` how many those are.
  const series = (name, value, { which = {}, of = (point) => point.requests, more = () => ({}) } = {}) => ({ name, points: days.map((point) => ({
    at: noon(point.day), value: value(point), href: of(point) > 0 ? context.href("answers", [], { ...dayRange(point.day), ...asAnswers(chosen), ...which }) : null, ...more(point) })) });
  const common = (key) => ({ title: words.charts[key][0], description: `${words.charts[key][1]} ${words.days}`, when: utcDay, by: "Day" });
  const times = (key, field) => lineChart({ ...common(key), format: milliseconds, y: { min: 0 }, empty: words.noTimes,
    series: [series(words.series.p50, (point) => point[field].p50), series(words.series.p95, (point) => point[field].p95)] });
  return h("div", { class: "columns" }, [
    barChart({ ...common("answers"), axis: short, stacked: true, series: [["complete", (point) => point.complete], ["cancelled", (point) => point.cancelled], ["wrong", (point) => point.failed + point.partial]]
      .map(([outcome, of]) => ({ ...series(words.series[outcome], of, { which: { outcome }, of }), ...(outcome === "wrong" ? { colour: 4 } : {}) })) }),
    lineChart({ ...common("users"), axis: short, y: { min: 0 }, series: [series("", (point) => point.users)] }),
    lineChart({ ...common("thumbs"), format: (value) => percent(value), axis: (value) => percent(value, 0), empty: words.noRatings,
      series: [{ ...series("", (point) => point.thumbs_up_rate, { which: { helpful: "any" }, of: (point) => point.thumbs, more: (point) => ({ low: point.thumbs_up_low, high: point.thumbs_up_high, n: point.thumbs }) }), behind: "thumbs" }] }),
    lineChart({ ...common("rating"), format: (value) => decimal(value), axis: (value) => decimal(value, 1), empty: words.noRatings,
      series: [{ ...series("", (point) => point.average_rating, { which: { rating: "any" }, of: (point) => point.ratings, more: (point) => ({ low: point.rating_low, high: point.rating_high, n: point.ratings }) }), behind: "ratings" }] }),
    barChart({ ...common("cost"), format: money, stacked: true, series: [series(words.series.cost, (point) => point.cost_usd), series(words.series.saved, (point) => point.saved_usd, { which: { from_cache: "true" }, of: (point) => point.cache_hits })] }),
    lineChart({ ...common("perAnswer"), format: money, y: { min: 0 }, series: [series("", (point) => point.cost_usd_per_answer)] }),
    times("firstToken", "first_token_ms"), times("whole", "response_ms"),
    lineChart({ ...common("errors"), format: (value) => percent(value, 2), axis: (value) => percent(value, 1), y: { min: 0 }, series: [series("", (point) => point.error_rate, { which: { outcome: "wrong" }, of: (point) => point.failed + point.partial, more: (point) => ({ n: point.requests }) })] }),
  ].map((chart) => h("div", { class: "panel" }, chart)));
}

// --- by what ---

function parts(context, { parts: list, by }, rows, names) {
  const filter = by === "coach" ? "coach_id" : by;
  const nameOf = (part) => (part[by] === null ? words.none[by] : by === "severity" ? words.severities[part[by]] : by === "mode" ? (words.modes[part[by]] ?? part[by]) : (by === "coach" && names.get(part[by])) || part[by]);
  const href = (part, more) => (part[by] === null || part.requests === 0 ? null : rows({ [filter]: part[by], ...more }));
  const number = (label, value, show, link) => ({ label, align: "end", sort: value, csv: value, show: (part) => figure(show(value(part)), link?.(part)) });
  return table({ name: words.partsTitle(words.bys[by]), rows: list, order: { by: words.answers, descending: true }, columns: [
    { label: words.heads[by], show: nameOf, csv: nameOf, sort: nameOf },
    number(words.answers, (part) => part.requests, count, (part) => href(part)),
    number(words.users, (part) => part.users, count, (part) => href(part)),
    { ...number(words.thumbsUp, (part) => part.thumbs_up_rate === null ? null : Number(part.thumbs_up_rate), percent),
      show: (part) => [figure(percent(part.thumbs_up_rate), part.thumbs > 0 ? href(part, { helpful: "any" }) : null), part.thumbs > 0 ? h("div", { class: "hint" }, percentInterval(part.thumbs_up_low, part.thumbs_up_high, 0)) : null].filter(Boolean) },
    number(words.rating, (part) => part.average_rating, decimal, (part) => part.ratings > 0 && href(part, { rating: "any" })),
    number(words.cost, (part) => part.cost_usd, money, (part) => href(part)), number(words.perAnswer, (part) => part.cost_usd_per_answer, money, (part) => href(part)),
    number(words.firstToken, (part) => part.first_token_ms.p50, milliseconds, (part) => href(part)), number(words.whole, (part) => part.response_ms.p50, milliseconds, (part) => href(part)),
    number(words.errors, (part) => part.error_rate, (value) => percent(value, 2), (part) => part.failed + part.partial > 0 && href(part, { outcome: "wrong" })),
    { label: words.only, csv: false, show: (part) => part[by] === null ? "" : h("a", { href: context.href("overview", [], { ...context.query, [filter]: part[by] }) }, words.only) },
  ] });
}
