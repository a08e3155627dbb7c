/** Filters that live in the URL: a bar of them, and the time that is asked about. */

import { h } from "../../lib/dom.js";

const HOUR = 3600000;
const DAY = /^\d{4}-\d\d-\d\d$/;
export const PERIODS = [{ days: 1, label: "Last 24 hours" }, { days: 7, label: "Last 7 days" }, { days: 28, label: "Last 28 days" }, { days: 90, label: "Last 90 days" }, { days: 365, label: "Last year" }];

/**
 * A bar of filters bound to the URL. `fields` are
 *   {name, label, type: "select", options: [{value, label}] or a promise of them, any: "All coaches", value (what holds otherwise)}
 *   {name, label, type: "text", placeholder}     applies on Enter or when it is left
 *   {name, label, type: "check"}                  "true" or nothing
 *   {type: "period", days: 28, periods}           `days`, or `from` and `to` as days of the viewer's zone: period() reads it
 *   {type: "period", days: 28, utc: true}         the same by whole days of UTC: utcDays() reads it
 * Each change is an entry of the history.
 */
export function filterBar(context, fields, { label = "Filters" } = {}) {
  const clear = h("button", { class: "text-button", type: "button", onclick: () => context.setQuery(Object.fromEntries(names(fields).map((name) => [name, null]))) }, "Clear filters");
  clear.hidden = !names(fields).some((name) => context.query[name] !== undefined);
  return h("form", { class: "filters", role: "search", "aria-label": label, onsubmit: (event) => event.preventDefault() },
    fields.map((field) => (field.type === "period" ? periodField(context, field) : plainField(context, field))), clear);
}

function names(fields) {
  return fields.flatMap((field) => (field.type === "period" ? ["days", "from", "to"] : [field.name]));
}

function labelled(label, input) {
  return h("div", { class: "filter" }, h("label", { for: input.id }, label), input);
}

function plainField(context, field) {
  const id = `filter-${field.name}`;
  const value = context.query[field.name] ?? field.value ?? "";
  if (field.type === "select") return labelled(field.label, choice(context, field, id, value));
  if (field.type === "check") {
    const box = h("input", { type: "checkbox", id, onchange: () => context.setQuery({ [field.name]: box.checked ? "true" : null }) });
    box.checked = value === "true";
    return h("div", { class: "filter filter-check" }, box, h("label", { for: id }, field.label));
  }
  const apply = () => input.value.trim() !== value && context.setQuery({ [field.name]: input.value.trim() || null });
  const input = h("input", { class: "input", id, type: field.type === "text" ? "search" : field.type, placeholder: field.placeholder ?? null, maxlength: 200, autocomplete: "off", onchange: apply,
    onkeydown: (event) => event.key === "Enter" && !event.isComposing && apply() });
  input.value = value;
  return labelled(field.label, input);
}

function choice(context, field, id, value) {
  const select = h("select", { class: "input", id, onchange: () => context.setQuery({ [field.name]: select.value || null }) });
  const fill = (options) => {
    const known = options.some((option) => String(option.value) === value);
    select.replaceChildren(...(field.any === undefined ? [] : [h("option", { value: "" }, field.any)]),
      ...options.map((option) => h("option", { value: option.value }, option.label)),
      // What the URL names stays chosen, also where it is not (any more) on the list.
      ...(value !== "" && !known ? [h("option", { value }, value)] : []));
    select.value = value;
  };
  fill(Array.isArray(field.options) ? field.options : []);
  if (!Array.isArray(field.options)) Promise.resolve(field.options).then(fill, () => {});
  return select;
}

function periodField(context, { days = 28, utc = false, periods = utc ? PERIODS.filter((known) => known.days > 1) : PERIODS }) {
  const { from, to } = context.query;
  const own = from !== undefined || to !== undefined;
  const select = h("select", { class: "input", id: "filter-days", onchange: () => {
    if (select.value !== "own") context.setQuery({ days: Number(select.value) === days ? null : select.value, from: null, to: null });
    else if (utc) {
      const now = utcDays(context.query, days);
      context.setQuery({ days: null, from: now.from, to: now.last });
    } else {
      const now = period(context, days);
      context.setQuery({ days: null, from: localDay(now.from), to: localDay(new Date(now.to.getTime() - 1)) });
    }
  } }, periods.map((known) => h("option", { value: known.days }, known.label)), h("option", { value: "own" }, "From … to …"));
  const wanted = own ? "own" : String(context.query.days ?? days);
  if (![...select.options].some((option) => option.value === wanted)) select.append(h("option", { value: wanted }, `Last ${wanted} days`));
  select.value = wanted;
  const edge = (name, label, value) => {
    const input = h("input", { class: "input", type: "date", id: `filter-${name}`, onchange: () => input.validity.valid && context.setQuery({ [name]: input.value || null }) });
    input.value = value ?? "";
    return labelled(label, input);
  };
  return h("div", { class: "filter-period" }, labelled("Time", select), own ? [edge("from", "From", dayText(from)), edge("to", "To and with", dayText(to, -1))] : null);
}

/** The day of what the URL says; a whole time as `to` is the end of what is asked about, so that the day is that of the moment before. */
function dayText(value, before = 0) {
  const date = value === undefined ? null : localDate(value);
  return date === null ? "" : localDay(DAY.test(value) ? date : new Date(date.getTime() + before));
}

/** A day in the viewer's zone as the beginning of it, or a whole time as it is; null where it is neither. */
function localDate(text) {
  const date = DAY.test(text) ? new Date(`${text}T00:00:00`) : new Date(text);
  return Number.isNaN(date.getTime()) ? null : date;
}

function localDay(date) {
  return [date.getFullYear(), String(date.getMonth() + 1).padStart(2, "0"), String(date.getDate()).padStart(2, "0")].join("-");
}

/**
 * The time that the URL asks about, {from, to, days} as Dates: `from` and `to` (days of the viewer's zone, `to` with it, or
 * whole times), else the last `days`. It ends with the hour that is under way, so that the same page asks the same.
 */
export function period(context, days = 28, now = Date.now()) {
  const end = new Date(Math.ceil((now + 1) / HOUR) * HOUR);
  const given = { from: localDate(context.query.from ?? ""), to: localDate(context.query.to ?? "") };
  if (given.to !== null && DAY.test(context.query.to)) given.to.setDate(given.to.getDate() + 1);
  const to = given.to !== null && given.to < end ? given.to : end;
  const wanted = Number(context.query.days) > 0 ? Math.min(Number(context.query.days), 1000) : days;
  const from = given.from !== null && given.from < to ? given.from : new Date(to.getTime() - (given.from === null && given.to === null ? wanted : days) * 24 * HOUR);
  return { from, to, days: (to - from) / (24 * HOUR) };
}

/**
 * The same as whole days of UTC, by which figures are counted: {from, last, to} as "2026-11-30", `last` with it, `to` the day
 * after, and how many `days` that is.
 */
export function utcDays(query, days = 28, now = Date.now()) {
  const end = dayOfUtc(query.to, -1) ?? new Date(now).toISOString().slice(0, 10);
  const wanted = Number(query.days) > 0 && Number(query.days) <= 1000 ? Math.floor(Number(query.days)) : days;
  const begin = dayOfUtc(query.from) ?? shifted(end, 1 - wanted);
  const from = begin <= end ? begin : end;
  return { from, last: end, to: shifted(end, 1), days: 1 + (Date.parse(end) - Date.parse(from)) / (24 * HOUR) };
}

function dayOfUtc(text = "", before = 0) {
  const at = DAY.test(text) ? Date.parse(text) : Date.parse(text) + before;
  return Number.isNaN(at) ? null : new Date(at).toISOString().slice(0, 10);
}

/** A day some days later. */
export function shifted(day, days) {
  return new Date(Date.parse(day) + days * 24 * HOUR).toISOString().slice(0, 10);
}

/** What asks the page of answers for whole days of UTC: from one to before another, by default one day alone. */
export function dayRange(from, to = shifted(from, 1)) {
  return { from: `${from}T00:00:00Z`, to: `${to}T00:00:00Z` };
}

/** Where a day of UTC stands in a chart. */
export function noon(day) {
  return `${day}T12:00:00Z`;
}
