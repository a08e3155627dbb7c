/** Batch jobs: what was asked for, how it goes, and asking for more. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { confirm, formDialog } from "../dialog.js";
import { filterBar } from "../filters.js";
import { ago, duration, moment, time } from "../format.js";
import { hasEnded, jobBadge, jobProgress, resultOf } from "../job.js";
import { actionButton, toast } from "../states.js";
import { facts, table } from "../table.js";

export const title = "Jobs";

const words = {
  run: "Run a job",
  empty: "No job was asked for yet. Schedules ask for most; you can run one here.",
  emptyFiltered: "No job is like that.",
  argumentsHint: "As JSON. {} runs it as its schedule does; fcgi-batch kinds lists the arguments of each.",
};
const STATES = ["queued", "running", "succeeded", "failed", "cancelled"];

export function render(context) {
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

function list(context) {
  const kinds = context.api.get(path`/admin/job-kinds`).then(({ data }) => data);
  kinds.catch(() => {});
  context.actions.push(actionButton(words.run, async () => askForJob(context, await kinds), { kind: "primary", id: "run-job" }));
  const { name, status } = context.query;
  return [
    filterBar(context, [
      { name: "name", label: "Job", type: "select", any: "All jobs", options: kinds.then((all) => all.map((kind) => ({ value: kind.name, label: kind.name }))) },
      { name: "status", label: "State", type: "select", any: "Any state", options: STATES.map((value) => ({ value, label: value })) },
    ]),
    table({
      name: "Jobs", empty: name || status ? words.emptyFiltered : words.empty, load: context.api.pages(path`/admin/jobs`, { name, status }),
      columns: [
        { label: "Job", show: (job) => h("a", { href: context.href("jobs", [job.job_id]) }, job.name) },
        { label: "State", show: (job) => jobBadge(job.status) },
        { label: "Asked for", show: (job) => time(job.created_at, ago), csv: (job) => job.created_at },
        { label: "Took", align: "end", show: (job) => tookOf(job) },
        { label: "By", show: (job) => job.requested_by },
        { label: "What it said", show: (job) => job.error?.message ?? job.message },
      ],
    }),
  ];
}

function tookOf(job) {
  if (!job.started_at) return null;
  return duration((new Date(job.finished_at ?? Date.now()) - new Date(job.started_at)) / 1000);
}

function askForJob(context, kinds) {
  const described = h("p", { class: "hint" });
  const { form: made } = formDialog(context, {
    title: words.run, label: "Run it",
    fields: [
      { name: "name", label: "Job", type: "select", options: kinds.map((kind) => ({ value: kind.name, label: kind.name })), value: context.query.name },
      { name: "arguments", label: "Arguments", type: "json", hint: words.argumentsHint, value: {} },
    ],
    async submit(values) {
      return context.api.post(path`/admin/jobs/${values.name}`, values.arguments ?? {});
    },
    done(job) {
      context.go(context.href("jobs", [job.job_id]));
    },
  });
  const describe = () => { described.textContent = kinds.find((kind) => kind.name === made.field("name").value)?.description ?? ""; };
  made.field("name").addEventListener("change", describe);
  describe();
  made.field("name").after(described);
}

async function one(context, id) {
  const job = await context.api.get(path`/admin/jobs/${id}`);
  context.setTitle(job.name);
  if (!hasEnded(job)) {
    context.actions.push(actionButton("Cancel it", async () => {
      const agreed = await confirm(context, { title: `Cancel ${job.name}?`, text: job.status === "queued" ? "It has not begun." : "It stops within a second or two.", points: ["What it has done so far stays.", "It can be asked for again."], yes: "Cancel the job", no: "Let it run", danger: true });
      if (!agreed) return;
      await context.api.post(path`/admin/jobs/${id}/cancel`);
      toast("It is being cancelled.");
      context.refresh();
    }));
  } else {
    context.actions.push(actionButton("Run it again", async () => {
      const again = await context.api.post(path`/admin/jobs/${job.name}`, job.arguments);
      context.go(context.href("jobs", [again.job_id]));
    }, { id: "run-again" }));
  }
  const outcome = h("div");
  const history = h("div");
  const ended = (last) => outcome.replaceChildren(...(last.result && Object.keys(last.result).length > 0 ? [h("h2", {}, "What came of it"), resultOf(last.result)] : []));
  const told = (events) => history.replaceChildren(table({
    name: "History", rows: events, csv: false,
    columns: [
      { label: "When", show: (event) => time(event.at, moment) },
      { label: "What", show: (event) => event.event.replaceAll("_", " ") },
      { label: "Message", show: (event) => event.message },
      { label: "Attempt", align: "end", show: (event) => event.attempt },
      { label: "Runner", show: (event) => event.runner },
    ],
  }));
  told(job.history ?? []);
  const progress = jobProgress(context, job, { ended: (last) => {
    ended(last);
    // What was said meanwhile, and what can be done now.
    if (!hasEnded(job)) context.refresh();
  } });
  return [
    h("p", {}, h("a", { href: context.href("jobs", [], { name: job.name }) }, `All runs of ${job.name}`)),
    progress.node,
    facts([["Asked for", time(job.created_at)], ["By", job.requested_by], ["Began", job.started_at && time(job.started_at)], ["Ended", job.finished_at && time(job.finished_at)],
      ["Took", tookOf(job)], ["Attempts", `${job.attempts} of ${job.max_attempts}`], ["Runner", job.runner]]),
    Object.keys(job.arguments ?? {}).length > 0 ? [h("h2", {}, "Arguments"), resultOf(job.arguments)] : [],
    outcome,
    h("h2", {}, "History"), history,
  ].flat();
}
