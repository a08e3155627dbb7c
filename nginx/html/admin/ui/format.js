/** Figures and times as people read them. What is not known is a dash: never zero, never "null". */

import { h } from "../../lib/dom.js";

export const NOTHING = "–";

const LANGUAGE = /^en\b/.test(navigator.language) ? navigator.language : "en-GB";

function formatter(options) {
  return new Intl.NumberFormat(LANGUAGE, options);
}

const WHOLE = formatter({ maximumFractionDigits: 0 });
const SHORT = formatter({ notation: "compact", maximumFractionDigits: 1 });

function known(value) {
  return value !== null && value !== undefined && value !== "" && Number.isFinite(Number(value));
}

/** 12,345 */
export function count(value) {
  return known(value) ? WHOLE.format(value) : NOTHING;
}

/** 12.3K, for axes and small room; whole below a thousand. */
export function short(value) {
  if (!known(value)) return NOTHING;
  return Math.abs(value) < 1000 ? formatter({ maximumSignificantDigits: 3 }).format(value) : SHORT.format(value);
}

/** 4.27 */
export function decimal(value, digits = 2) {
  return known(value) ? formatter({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value) : NOTHING;
}

/** US dollars: cents from a dime on, and as many digits as say something below. */
export function money(value) {
  if (!known(value)) return NOTHING;
  const size = Math.abs(value);
  const digits = size >= 1000 ? { maximumFractionDigits: 0 } : size >= 0.1 || size === 0 ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumSignificantDigits: 2 };
  return formatter({ style: "currency", currency: "USD", ...digits }).format(value);
}

/** A share of one: 74.2 % */
export function percent(value, digits = 1) {
  return known(value) ? `${decimal(value * 100, digits)} %` : NOTHING;
}

/** An interval of shares of one: "71.0 to 77.2 %". */
export function percentInterval(low, high, digits = 1) {
  return known(low) && known(high) ? `${decimal(low * 100, digits)} to ${percent(high, digits)}` : "";
}

/** A number with its sign: +1.2 */
export function signed(value, show = count) {
  if (!known(value)) return NOTHING;
  return value > 0 ? `+${show(value)}` : value < 0 ? `−${show(-value)}` : show(value);
}

/** A time in milliseconds: 840 ms, 2.31 s. */
export function milliseconds(value) {
  if (!known(value)) return NOTHING;
  return value < 1000 ? `${WHOLE.format(value)} ms` : `${decimal(value / 1000, value < 10000 ? 2 : 1)} s`;
}

/** A time in seconds: 40 s, 12 min, 3 h 5 min, 2 days. */
export function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  const whole = Math.round(seconds);
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return `${Math.round(minutes / 1440)} days`;
}

export function bytes(value) {
  if (!known(value)) return NOTHING;
  const step = value < 1024 ? 0 : Math.min(4, Math.floor(Math.log(value) / Math.log(1024)));
  return `${decimal(value / 1024 ** step, step === 0 ? 0 : 1)} ${["bytes", "KB", "MB", "GB", "TB"][step]}`;
}

// --- times ---

const DAY = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const DAY_OF_YEAR = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", year: "numeric" });
const UTC_DAY = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", timeZone: "UTC" });
const UTC_DAY_OF_YEAR = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const MONTH = new Intl.DateTimeFormat(LANGUAGE, { month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function asDate(value) {
  if (!value) return null;
  const date = value instanceof Date ? value : new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** 30 Nov, or 30 Nov 2025 in another year: in the viewer's zone. */
export function day(value) {
  const date = asDate(value);
  if (date === null) return NOTHING;
  return (date.getFullYear() === new Date().getFullYear() ? DAY : DAY_OF_YEAR).format(date);
}

/** The same of a day of UTC, as figures are counted: it has its own name wherever the viewer is. */
export function utcDay(value) {
  const date = asDate(value);
  if (date === null) return NOTHING;
  return (date.getUTCFullYear() === new Date().getUTCFullYear() ? UTC_DAY : UTC_DAY_OF_YEAR).format(date);
}

/** 01:44: in the viewer's zone. */
export function clock(value) {
  const date = asDate(value);
  return date === null ? NOTHING : CLOCK.format(date);
}

/** Nov 2026 */
export function month(value) {
  const date = asDate(value);
  return date === null ? NOTHING : MONTH.format(date);
}

/** 30 Nov, 01:44: in the viewer's zone. */
export function moment(value) {
  const date = asDate(value);
  return date === null ? NOTHING : `${day(date)}, ${CLOCK.format(date)}`;
}

/** 2026-11-30 00:44:57 UTC */
export function utc(value) {
  const date = asDate(value);
  return date === null ? NOTHING : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A time as an element: the viewer's zone, with UTC on hover. `show` is moment, day or ago. */
export function time(value, show = moment) {
  const date = asDate(value);
  return date === null ? NOTHING : h("time", { datetime: date.toISOString(), title: utc(date) }, show(date));
}

/** "just now", "5 min ago", "in 3 h": with the moment itself from two days on. */
export function ago(value, now = Date.now()) {
  const date = asDate(value);
  if (date === null) return NOTHING;
  const seconds = (now - date.getTime()) / 1000;
  if (Math.abs(seconds) < 45) return "just now";
  if (Math.abs(seconds) > 48 * 3600) return moment(date);
  return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

/** A word of the API, for people: "roll-up-usage", "rate_limited" as "rate limited". */
export function words(value) {
  return known(value) || typeof value === "string" ? String(value).replaceAll("_", " ") : NOTHING;
}
