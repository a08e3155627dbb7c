/** Of figures that a job counts: how fresh they are, and having them counted now. */

import { h } from "../../lib/dom.js";
import { time } from "./format.js";
import { actionButton, emptyState } from "./states.js";

const JOB = "roll-up-usage";
const LOOK_MS = 500;

const words = {
  counted: "Counted", now: "Count now",
  never: "Nothing has been counted yet.",
  neverText: "Job roll-up-usage counts answers each ten minutes. It has not run here: see whether the schedules run, or have it count now.",
  failed: "Counting did not work",
};

/** Has the job run and waits for its end. */
async function countNow(context) {
  let job = await context.api.post(`/admin/jobs/${JOB}`);
  while (job.status === "queued" || job.status === "running") {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    job = await context.api.get(`/admin/jobs/${job.job_id}`);
  }
  if (job.status !== "succeeded") throw Object.assign(new Error(`${words.failed}: ${job.error?.message ?? job.status}`), { status: 500 });
  context.refresh();
}

/** "Counted 01:44" with a button; `at` is the answer's counted_at. */
export function countedNote(context, at) {
  return h("p", { class: "hint row" }, h("span", {}, `${words.counted} `, time(at)), actionButton(words.now, () => countNow(context), { kind: "button-small" }));
}

/** In place of figures of which there are none yet. */
export function neverCounted(context) {
  return emptyState(words.never, words.neverText, actionButton(words.now, () => countNow(context), { kind: "primary" }));
}
