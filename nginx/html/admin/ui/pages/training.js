/** Fine-tuning: what was trained on what, with the loss as it comes. */

import { h } from "../../../lib/dom.js";
import { isAborted, path } from "../api.js";
import { lineChart } from "../chart.js";
import { confirm } from "../dialog.js";
import { filterBar } from "../filters.js";
import { form } from "../form.js";
import { ago, count, decimal, duration, money, percent, time, words as asWords } from "../format.js";
import { hasEnded, jobBadge, jobProgress } from "../job.js";
import { actionButton, emptyState, errorState, toast } from "../states.js";
import { facts, table } from "../table.js";
import { tiles } from "../tiles.js";

export const title = "Fine-tuning";

const words = {
  none: "No model has been trained yet",
  noneText: "Choose a dataset with at least ten good examples and a base model, or let the schedule look monthly whether there is enough.",
  noneFiltered: "No training is in that state.",
  lossAbout: "What the model still gets wrong, on what it learns from and on what it does not see. Where the second rises while the first falls, it learns by heart.",
  noLoss: "The trainer has told no losses yet.",
};
const STATES = ["pending", "running", "succeeded", "failed", "cancelled"];
const EVENTS_MS = 5000;
const MOST_EVENTS = 1000;

export function render(context) {
  const [id] = context.path;
  if (id === undefined) return list(context);
  return id === "new" ? begin(context) : one(context, id);
}

function list(context) {
  const { status } = context.query;
  context.actions.push(h("a", { class: "button primary", href: context.href("training", ["new"]), id: "new-training" }, "Train a model"));
  return [
    filterBar(context, [{ name: "status", label: "State", type: "select", any: "Any state", options: STATES.map((value) => ({ value, label: value })) }]),
    table({
      name: "Trainings", load: context.api.pages(path`/admin/finetuning-jobs`, { status }), empty: status ? words.noneFiltered : emptyState(words.none, words.noneText),
      columns: [
        { label: "Training", show: (row) => h("a", { href: context.href("training", [row.id]) }, row.job_name) },
        { label: "State", show: (row) => jobBadge(row.status) },
        { label: "Progress", align: "end", show: (row) => (row.progress_percentage === null ? null : percent(row.progress_percentage / 100, 0)), csv: (row) => row.progress_percentage },
        { label: "Base model", show: (row) => row.base_model }, { label: "Method", show: (row) => row.method },
        { label: "Loss", align: "end", show: (row) => decimal(row.validation_loss ?? row.training_loss, 3), csv: (row) => row.validation_loss ?? row.training_loss },
        { label: "Cost", align: "end", show: (row) => money(row.actual_cost ?? row.estimated_cost), csv: (row) => row.actual_cost ?? row.estimated_cost },
        { label: "Asked for", show: (row) => time(row.created_at, ago), csv: (row) => row.created_at },
      ],
    }),
  ];
}

async function begin(context) {
  context.setTitle("Train a model");
  const { dataset_id: dataset, dataset_version_id: version } = context.query;
  const datasets = version ? [] : (await context.api.get(path`/admin/datasets`, { limit: 200 })).data;
  const made = form({
    label: "Train it", cancel: () => context.go(context.href("training")),
    fields: [
      ...(version ? [{ name: "dataset_version_id", label: "Version of a dataset", value: version, required: true }]
        : [{ name: "dataset_id", label: "Dataset", type: "select", options: datasets.map((row) => ({ value: row.id, label: `${row.name} (${count(row.total_examples)} examples)` })), value: dataset, hint: "It is frozen first." }]),
      { name: "base_model", label: "Base model", required: true, hint: "As the trainer names it.", placeholder: "gpt-4.1-mini-2025-04-14" },
      { name: "trainer", label: "Trainer", type: "select", options: [{ value: "", label: "the configured one" }, { value: "openai", label: "OpenAI’s API" }, { value: "command", label: "a command of this server" }] },
      { name: "method", label: "Method", type: "select", options: [{ value: "", label: "what fits the dataset" }, ...["supervised", "dpo", "kto"].map((value) => ({ value, label: value }))] },
      { name: "n_epochs", label: "Passes over the examples", type: "number", min: 1, max: 50, step: 1, hint: "Empty: the trainer chooses." },
      { name: "suffix", label: "Name of its versions", maxlength: 64 },
      { name: "seed", label: "Seed", type: "number", min: 0, max: 2147483647, step: 1 },
      { name: "force", label: "Also where little is new", type: "checkbox", hint: "Skips the check whether there is enough since the last time, never the trainer’s own rules." },
    ],
    async submit({ n_epochs: epochs, ...values }) {
      const points = ["The examples are sent to the trainer, redacted.", "It costs what the trainer asks for; the estimate is on its page once it is asked for.", "The model that comes of it serves nobody until it is deployed or rolled out."];
      if (!(await confirm(context, { title: `Train ${values.base_model}?`, points, yes: "Train it" }))) return;
      const job = await context.api.post(path`/admin/finetuning-jobs`, { ...values, ...(epochs === undefined ? {} : { hyperparameters: { n_epochs: epochs } }) }, { headers: { "Idempotency-Key": crypto.randomUUID() } });
      context.go(context.href("training", [job.id]));
    },
  });
  return [h("p", {}, h("a", { href: context.href("training") }, "All trainings")), h("section", { class: "panel" }, made.node)];
}

async function one(context, id) {
  const job = await context.api.get(path`/admin/finetuning-jobs/${id}`);
  context.setTitle(job.job_name);
  const isOver = hasEnded(job);
  if (!isOver) {
    context.actions.push(actionButton("Cancel it", async () => {
      if (!(await confirm(context, { title: `Cancel ${job.job_name}?`, danger: true, yes: "Cancel the training", no: "Let it run", points: ["It is cancelled at the trainer, too.", "What was trained so far is lost, and may cost all the same."] }))) return;
      await context.api.post(path`/admin/finetuning-jobs/${id}/cancel`);
      toast("It is being cancelled.");
      context.refresh();
    }, { id: "cancel-training" }));
  }
  const figures = h("div");
  const curve = h("div");
  const said = h("div");
  let shownSteps = -1;
  const draw = (now) => {
    figures.replaceChildren(tiles([
      { label: "State", value: jobBadge(now.status), note: now.external_status && now.external_status !== now.status ? `the trainer says ${now.external_status}` : "" },
      { label: "Progress", value: now.progress_percentage === null ? "–" : percent(now.progress_percentage / 100, 0) },
      { label: "Training loss", value: decimal(now.training_loss, 4) }, { label: "Validation loss", value: decimal(now.validation_loss, 4) },
      { label: "Cost", value: money(now.actual_cost ?? now.estimated_cost), note: now.actual_cost !== null ? "as it was" : now.estimated_cost === null ? "its price is not known" : "as estimated" },
      { label: "Tokens", value: count(now.trained_tokens ?? now.estimated_tokens), note: now.trained_tokens === null ? "as estimated" : "trained" },
    ]));
    // A drawing that somebody reads stays until there is more to draw.
    if (now.loss_curve.length === shownSteps) return;
    shownSteps = now.loss_curve.length;
    const points = (name) => now.loss_curve.filter((step) => step[name] !== null).map((step) => ({ at: step.step, value: step[name] }));
    curve.replaceChildren(lineChart({ title: "Loss", description: words.lossAbout, across: count, by: "Step", format: (value) => decimal(value, 4), axis: (value) => decimal(value, 2), y: { min: 0 }, height: 280,
      series: [{ name: "training", points: points("training_loss") }, { name: "validation", points: points("validation_loss") }].filter((one, i) => i === 0 || one.points.length > 0), empty: words.noLoss }));
  };
  draw(job);
  // The newest stand first, and only what is new is asked for; of very many the first ones are left out.
  const events = [];
  let after = null;
  let telling = null;
  const tell = () => (telling ??= read().finally(() => { telling = null; }));
  const read = async () => {
    const known = after;
    for (let more = true; more;) {
      const page = await context.api.get(path`/admin/finetuning-jobs/${id}/events`, { limit: 200, after });
      events.push(...page.data);
      after = events.at(-1)?.id ?? null;
      more = page.has_more;
    }
    events.splice(0, events.length - MOST_EVENTS);
    if (after === known && said.childNodes.length > 0) return;
    said.replaceChildren(table({
      name: "What the trainer said", rows: [...events].reverse(), empty: "Nothing yet.",
      columns: [{ label: "When", show: (row) => time(row.at), csv: (row) => row.at }, { label: "Level", show: (row) => row.level }, { label: "Message", show: (row) => row.message }, { label: "Step", align: "end", show: (row) => row.step }],
    }));
  };
  const tellFirst = () => tell().catch((error) => !isAborted(error) && said.replaceChildren(errorState(error, tellFirst)));
  tellFirst();
  return [
    h("p", {}, h("a", { href: context.href("training") }, "All trainings")),
    job.warning ? h("div", { class: "notice notice-warn" }, h("p", {}, job.warning)) : null,
    job.error ? h("div", { class: "notice notice-bad", role: "alert" }, h("p", {}, h("strong", {}, `${job.error.message} (${job.error.code})`)), job.error.advice ? h("p", {}, job.error.advice) : null) : null,
    isOver ? null : await progressOf(context, job, draw, tell),
    h("h2", {}, isOver ? "How it learnt" : "How it learns"), figures, curve,
    facts([["Base model", job.base_model], ["Trained on", job.dataset_version_id && h("a", { href: context.href("datasets", ["version", job.dataset_version_id]) }, "a version of a dataset")], ["Method", job.method], ["Trainer", job.trainer],
      ["Hyperparameters", Object.entries(job.hyperparameters ?? {}).map(([name, value]) => `${asWords(name)} ${value}`).join(", ") || null], ["Seed", job.seed], ["Model", job.model_id],
      ["Model version", job.model_version_id && h("a", { href: context.href("versions", [job.model_version_id]) }, "the one that it made")], ["Asked for", time(job.created_at)], ["By", job.requested_by], ["Ended", job.completed_at && time(job.completed_at)],
      ["Took", job.started_at && job.completed_at && duration((new Date(job.completed_at) - new Date(job.started_at)) / 1000)], ["Batch job", job.batch_job_id && h("a", { href: context.href("jobs", [job.batch_job_id]) }, "its history")]]),
    h("section", { class: "stack" }, h("h2", {}, "What the trainer said"), said),
  ].filter(Boolean);
}

/** Its batch job as it goes; with each change of that, and now and then, what the trainer has told since. */
async function progressOf(context, job, draw, tell) {
  let asking = false;
  const look = async () => {
    if (asking || context.signal.aborted) return;
    asking = true;
    try {
      const now = await context.api.get(path`/admin/finetuning-jobs/${job.id}`);
      draw(now);
      if (hasEnded(now)) context.refresh();
      else await tell();
    } catch {
      // The next look may do.
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(look, EVENTS_MS);
  context.signal.addEventListener("abort", () => clearInterval(timer));
  const batch = await context.api.get(path`/admin/jobs/${job.batch_job_id}`);
  return jobProgress(context, batch, { changed: (now) => now !== batch && look(), ended: look }).node;
}
