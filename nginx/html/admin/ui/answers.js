/** Answers in pages: a table of those that are searched for, and what there is to say of one. */

import { h } from "../../lib/dom.js";
import { path } from "./api.js";
import { coachNames } from "./coaches.js";
import { count, milliseconds, moment, money, time, words as plain } from "./format.js";
import { table } from "./table.js";
import { badge } from "./tiles.js";

const words = {
  none: "No answer is like that.",
  noneYet: "There are no answers yet. Each answer that a coach gives is here a moment after it ends.",
  noneSoFar: (seen, to) => `Nothing found so far: looked through ${count(seen)} answers, back to ${moment(to)}.`,
  searching: (seen) => `Looking… ${count(seen)} answers so far`,
  seen: (seen, to) => `Looked through ${count(seen)} answers${to ? `, back to ${moment(to)}` : ", all of them"}.`,
};
export const OUTCOMES = { complete: "Complete", partial: "Cut off", cancelled: "Cancelled", failed: "Failed" };
export const REVIEWS = { marked: "Marked for training", rejected: "Rejected" };

const SEARCH_MS = 8000; // goes on by itself for so long, until a page is full
const PAGE = 30;

/** A table of answers, that goes on looking for a while where few are found. */
export function answersTable(context, query, { status = null, name = "Answers", limit = PAGE } = {}) {
  const isAsked = Object.values(query).some((value) => value !== undefined);
  const empty = h("div", { class: "state" }, h("p", { class: "state-title" }, isAsked ? words.none : words.noneYet));
  const asked = coachNames(context);
  let names = new Map();
  let seen = 0;
  const say = (text) => status && (status.textContent = text);
  const load = async (next) => {
    const rows = [];
    const until = performance.now() + SEARCH_MS;
    let page;
    do {
      page = await context.api.get(path`/admin/answers`, { ...query, limit: limit - rows.length, after: next });
      rows.push(...page.data);
      seen += page.looked_at;
      next = page.next_after;
      if (next !== null && rows.length < limit) say(words.searching(seen));
    } while (next !== null && rows.length < limit && performance.now() < until);
    say(query.text !== undefined || seen > 2000 ? words.seen(seen, page.searched_to) : "");
    names = await asked;
    if (next !== null) empty.firstChild.textContent = words.noneSoFar(seen, page.searched_to);
    else empty.firstChild.textContent = isAsked ? words.none : words.noneYet;
    return { rows, next };
  };
  return table({
    name, load, empty, columns: [
      { label: "When", show: (a) => h("a", { href: context.href("answers", [a.id]) }, time(a.created_at)), csv: (a) => a.created_at },
      { label: "What was said", show: said, csv: (a) => `${a.user_message} → ${a.ai_response}` },
      { label: "Feedback", show: feedback, csv: (a) => [a.helpful === null ? "" : a.helpful ? "up" : "down", a.rating ?? "", a.feedback_text ?? ""].join(" ").trim() },
      { label: "Coach", show: (a) => names.get(a.coach_id) ?? a.coach_id ?? "–", csv: (a) => a.coach_id },
      { label: "Model", show: (a) => a.model ?? "–" },
      { label: "Cost", align: "end", show: (a) => money(a.cost_usd), csv: (a) => a.cost_usd },
      { label: "Time", align: "end", show: (a) => milliseconds(a.response_time_ms), csv: (a) => a.response_time_ms },
    ] });
}

function said(answer) {
  return h("div", { class: "said" }, h("p", { class: "said-question" }, answer.user_message || "–"),
    h("p", { class: "said-answer" }, answer.ai_response || (answer.error_code ? plain(answer.error_code) : "–")), marks(answer));
}

export function marks(answer) {
  const made = [
    answer.outcome !== "complete" && badge(OUTCOMES[answer.outcome] ?? answer.outcome, answer.outcome === "cancelled" ? "plain" : "bad"),
    answer.from_cache && badge("From the cache"),
    answer.review === "marked" && badge(REVIEWS.marked, "good"),
    answer.review === "rejected" && badge(REVIEWS.rejected, "warn"),
  ].filter(Boolean);
  return made.length > 0 ? h("p", { class: "row" }, made) : null;
}

export function feedback({ helpful, rating, feedback_text: comment }) {
  if (helpful === null && rating === null && !comment) return "–";
  return h("div", { class: "said-feedback" },
    helpful === null ? null : badge(helpful ? "Thumb up" : "Thumb down", helpful ? "good" : "bad"), " ",
    rating === null ? null : h("span", {}, h("span", { "aria-hidden": "true" }, "★".repeat(rating) + "☆".repeat(5 - rating)), h("span", { class: "visually-hidden" }, `${rating} of 5 stars`)),
    comment ? h("p", {}, `“${comment}”`) : null);
}
