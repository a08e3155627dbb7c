/** Saving what is shown: CSV for spreadsheets, and any other file. */

import { speak } from "../../lib/dom.js";
import { save } from "../../lib/keep.js";
import { UpliftError } from "../../lib/uplift.js";

/** A cell: quoted where it must be; what a spreadsheet would take for a formula is text. */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Lines of CSV as RFC 4180 has them. `columns` is [{label, csv: (row) => value}]. */
function toCsv(columns, rows) {
  return [columns.map((column) => cell(column.label)), ...rows.map((row) => columns.map((column) => cell(column.csv(row))))]
    .map((line) => `${line.join(",")}\r\n`).join("");
}

/** Has the browser save a Blob. */
export function saveBlob(name, blob) {
  save(blob, name);
  speak(`Saved ${name}`);
}

/**
 * Saves the body of a Response under a name when all of it has come; `told(bytes)` is called with how much there is so far. Resolves to
 * its size, null where `signal` gave it up. One that breaks off is an error, and nothing is saved.
 */
export async function saveStream(name, response, { told = () => {}, signal } = {}) {
  const parts = [];
  let size = 0;
  const reader = response.body.getReader();
  const stop = () => reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (signal?.aborted) return null;
      if (done) break;
      parts.push(value);
      told(size += value.length);
    }
  } catch (cause) {
    throw new UpliftError("the export broke off", { status: 0, type: "connection_error", code: cause.name === "AbortError" ? "aborted" : "connection_lost", cause });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  saveBlob(name, new Blob(parts, { type: response.headers.get("Content-Type") ?? "" }));
  return size;
}

export function saveCsv(name, columns, rows) {
  // The mark at the beginning tells Excel that it is UTF-8.
  saveBlob(`${fileName(name)}.csv`, new Blob(["\ufeff", toCsv(columns, rows)], { type: "text/csv;charset=utf-8" }));
}

/** A title as a file name with the day: "thumbs-up-rate-2026-11-30". */
export function fileName(title) {
  return `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "uplift"}-${new Date().toISOString().slice(0, 10)}`;
}
