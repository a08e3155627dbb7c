/** Batch jobs in pages: how one goes while it runs, and asking for one. */

import { h, speak } from "../../lib/dom.js";
import { isAborted, path } from "./api.js";
import { openDialog } from "./dialog.js";
import { count, time } from "./format.js";
import { badge } from "./tiles.js";

const POLL_MS = 3000; // where a stream of progress is not to be had
const KINDS = { queued: "plain", running: "warn", succeeded: "good", failed: "bad", cancelled: "plain" };

export function hasEnded(job) {
  return !["queued", "running", "pending"].includes(job.status);
}

/** The state of a batch or fine-tuning job as a word with a colour. */
export function jobBadge(status) {
  return badge(status, KINDS[status === "pending" ? "queued" : status] ?? "plain");
}

/**
 * How a job goes, as it changes: {node}. `changed(job)` is told of each change, `ended(job)` of the last one, at
 * once where it is over already.
 */
export function jobProgress(context, job, { changed = () => {}, ended = () => {} } = {}) {
  const bar = h("progress", { "aria-label": `Progress of ${job.name}` });
  const state = h("div", { class: "job-state" });
  const said = h("p", { class: "hint job-message" });
  const node = h("div", { class: "job-progress", "data-status": job.status }, state, bar, said);

  function show(now) {
    node.dataset.status = now.status;
    state.replaceChildren(jobBadge(now.status), h("span", {}, countOf(now)));
    bar.hidden = hasEnded(now) || now.status === "queued";
    if (now.total > 0) {
      bar.max = now.total;
      bar.value = Math.min(now.done, now.total);
    } else {
      bar.removeAttribute("value");
    }
    said.replaceChildren(...[sayOf(now)].flat().filter(Boolean));
    changed(now);
  }

  show(job);
  if (hasEnded(job)) ended(job);
  else {
    follow(context, job.job_id, show).then((last) => {
      if (last === null) return;
      speak(`${job.name} ${last.status}`);
      ended(last);
    });
  }
  return { node };
}

function countOf({ done, total, status }) {
  if (total > 0) return `${count(done)} of ${count(total)}`;
  return done > 0 ? `${count(done)} done` : status === "queued" ? "It waits for a free runner." : "";
}

function sayOf(job) {
  if (job.status === "failed") return `${job.error?.message ?? "It failed."}${job.error?.code ? ` (${job.error.code})` : ""}`;
  if (job.status === "queued" && job.error) return ["The last attempt failed: ", job.error.message, ". Again ", time(job.next_look_at)];
  if (job.cancel_requested_at && !hasEnded(job)) return "It is being cancelled.";
  return job.message ?? "";
}

/** Until it has ended: by its stream, and where that breaks off by asking. Resolves to the job, null when the page was left. */
async function follow(context, id, show) {
  let last = null;
  while (!context.signal.aborted) {
    try {
      for await (const { data } of context.api.events(path`/admin/jobs/${id}/events`)) {
        last = data;
        show(data);
      }
      if (last !== null && hasEnded(last)) return last;
    } catch (error) {
      if (isAborted(error) || context.signal.aborted) return null;
    }
    await pause(POLL_MS, context.signal);
    try {
      last = context.signal.aborted ? last : await context.api.get(path`/admin/jobs/${id}`);
    } catch (error) {
      if (isAborted(error) || context.signal.aborted) return null;
      if (error.status === 404 || error.status === 403) return null;
      continue;
    }
    if (context.signal.aborted) return null;
    show(last);
    if (hasEnded(last)) return last;
  }
  return null;
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

/** Asks for a job, and shows in a dialog how it goes; resolves to it when the dialog is closed. */
export async function runJob(context, name, given = {}) {
  const job = await context.api.post(path`/admin/jobs/${name}`, given);
  return watchJob(context, job);
}

/** The same of a job that was asked for. */
async function watchJob(context, job) {
  let now = job;
  const foot = h("div", { class: "dialog-actions" });
  const close = h("button", { class: "button", type: "button", onclick: () => dialog.close(now) }, "Go on without watching");
  foot.append(h("a", { class: "button", href: context.href("jobs", [job.job_id]), onclick: () => dialog.close(now) }, "See the job"), close);
  const { node } = jobProgress(context, job, { changed: (changed) => (now = changed), ended: (last) => {
    now = last;
    close.textContent = "Close";
    close.classList.add("primary");
    if (last.result) node.append(resultOf(last.result));
  } });
  const dialog = openDialog(context, { title: job.name, content: h("div", {}, node, foot) });
  close.focus();
  await dialog.closed;
  return now;
}

/** What came of a job, or what it was asked with: its members as a list; what is nested as JSON. */
export function resultOf(result) {
  return h("dl", { class: "facts" }, Object.entries(result).map(([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, valueOf(value)))));
}

function valueOf(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(value);
  if (typeof value !== "object") return String(value);
  return h("pre", { class: "code", tabindex: 0 }, JSON.stringify(value, null, 2));
}
