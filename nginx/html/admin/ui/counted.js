/** Of figures that a job counts: how fresh they are, and having them counted now. */

import { h } from "../../lib/dom.js";
import { time } from "./format.js";
import { runJob } from "./job.js";
import { actionButton, emptyState } from "./states.js";

const words = {
  counted: "Counted", now: "Count now",
  never: "Nothing has been counted yet.",
  neverText: "Job roll-up-usage counts answers each ten minutes. It has not run here: see whether the schedules run, or have it count now.",
};

async function countNow(context) {
  await runJob(context, "roll-up-usage");
  context.refresh();
}

/** "Counted 01:44" with a button; `at` is the answer's counted_at. */
export function countedNote(context, at) {
  return h("p", { class: "hint row" }, h("span", {}, `${words.counted} `, time(at)), actionButton(words.now, () => countNow(context), { kind: "small" }));
}

/** In place of figures of which there are none yet. */
export function neverCounted(context) {
  return emptyState(words.never, words.neverText, actionButton(words.now, () => countNow(context), { kind: "primary" }));
}
