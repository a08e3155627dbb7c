/** Playbooks: what users write about answers, as guidelines of each coach, with the comments that they rest on. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { formDialog } from "../dialog.js";
import { ago, count, decimal, time } from "../format.js";
import { runJob } from "../job.js";
import { withReason } from "../reason.js";
import { actionButton, emptyState, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge, figure } from "../tiles.js";

export const title = "Playbooks";

const words = {
  none: "There are no coaches yet, and so no playbooks.",
  noGuidelines: "No guideline yet",
  noGuidelinesText: "They come of what users write with a thumb, once three of them want the same, and of what you add.",
  states: {
    active: ["good", "in production"], proposed: ["warn", "in the playbook, to be tried"], gathering: ["plain", "too few users say so yet"], retired: ["plain", "out of it"], merged: ["plain", "says the same as another one"],
  },
  evidence: "Comments are redacted, and not told whose they are.",
};

export function render(context) {
  context.actions.push(actionButton("Read comments now", async () => {
    await runJob(context, "write-playbooks");
    context.refresh();
  }, { id: "write-playbooks" }));
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

function list(context) {
  return table({
    name: "Playbooks", load: context.api.pages(path`/admin/playbooks`, {}, { after: (_, last) => last?.coach_id }), empty: words.none,
    columns: [
      { label: "Coach", show: (row) => h("a", { href: context.href("playbooks", [row.coach_id]) }, row.coach_id) },
      ...["active", "proposed", "gathering", "retired"].map((state) => ({ label: state, align: "end", show: (row) => figure(count(row[state]), row[state] > 0 ? context.href("playbooks", [row.coach_id]) : null), csv: (row) => row[state] })),
      { label: "Comments waiting for a model", align: "end", show: (row) => count(row.comments_waiting), csv: (row) => row.comments_waiting },
      { label: "Draft", show: (row) => row.experiment_id && h("a", { href: context.href("experiments", [row.experiment_id]) }, "to be started"), csv: (row) => row.experiment_id },
    ],
  });
}

async function one(context, coach) {
  const playbook = await context.api.get(path`/admin/playbooks/${coach}`);
  context.setTitle(`Playbook of ${coach}`);
  context.actions.push(actionButton("Add a guideline", () => add(context, coach), { kind: "primary", id: "add-guideline" }));
  return [
    h("p", {}, h("a", { href: context.href("playbooks") }, "All playbooks")),
    facts([["In production", count(playbook.active)], ["To be tried", count(playbook.proposed)], ["Comments waiting for a model", count(playbook.comments_waiting)],
      ["Draft", playbook.experiment_id && h("a", { href: context.href("experiments", [playbook.experiment_id]) }, "an experiment, to be started")]]),
    h("h2", {}, "Guidelines"),
    playbook.guidelines.length === 0 ? emptyState(words.noGuidelines, words.noGuidelinesText) : h("ul", { class: "cards", "aria-label": "Guidelines" }, playbook.guidelines.map((guideline) => card(context, guideline))),
    h("section", { class: "stack" }, h("h2", {}, "Versions"), table({
      name: "Versions of the playbook", rows: playbook.versions, csv: false, empty: "There is none yet: a change of its guidelines makes one.",
      columns: [
        { label: "Made", show: (row) => time(row.created_at) },
        { label: "Guidelines", align: "end", show: (row) => count(row.guideline_ids?.length ?? 0) },
        { label: "What it adds to prompts", show: (row) => h("details", {}, h("summary", {}, "text"), h("pre", { tabindex: 0 }, row.text)) },
        { label: "Tried by", show: (row) => (row.experiments.length === 0 ? null : h("ul", { class: "plain-list" }, row.experiments.map((trial) => h("li", {}, h("a", { href: trial.rollout_id ? context.href("rollouts", [trial.rollout_id]) : context.href("experiments", [trial.experiment_id]) }, trial.rollout_id ? "rollout" : "experiment"), ` ${trial.status.replace("_", " ")}`)))) },
      ],
    })),
  ];
}

function card(context, guideline) {
  const [kind, meaning] = words.states[guideline.state] ?? ["plain", guideline.state];
  const isOut = guideline.state === "retired" || guideline.state === "merged";
  const thumbs = guideline.helpful + guideline.harmful;
  return h("li", { class: "panel card" },
    h("div", { class: "section-head" }, h("h3", {}, guideline.text), badge(`${guideline.state}: ${meaning}`, kind)),
    h("p", { class: "hint" }, `${count(guideline.users)} users in ${count(guideline.comments)} comments want it. `,
      thumbs > 0 ? `Answers with it: ${decimal(guideline.helpful, 1)} thumbs up, ${decimal(guideline.harmful, 1)} down, as independent users would give. ` : "",
      `By ${guideline.made_by === "admin" ? "an admin" : guideline.made_by === "model" ? "a model" : "rules"}, `, time(guideline.updated_at, ago), guideline.reason ? `. ${guideline.reason}` : "", guideline.decided_by ? `. Decided by ${guideline.decided_by}` : ""),
    guideline.evidence.length > 0 ? h("details", {}, h("summary", {}, "The latest comments"), h("p", { class: "hint" }, words.evidence),
      h("ul", { class: "quotes" }, guideline.evidence.map((comment) => h("li", {}, h("q", {}, comment.comment), " ", h("a", { href: context.href("answers", [comment.answer_id]) }, time(comment.said_at, ago)))))) : null,
    guideline.state === "merged" ? null : h("div", { class: "row" }, isOut
      ? actionButton("Restore", () => decide(context, guideline, "restore"), { kind: "small", "aria-label": `Restore: ${guideline.text}` })
      : actionButton("Retire", () => decide(context, guideline, "retire"), { kind: "small", "aria-label": `Retire: ${guideline.text}` })));
}

function decide(context, guideline, verb) {
  const retire = verb === "retire";
  return withReason(context, {
    title: retire ? "Retire this guideline?" : "Restore this guideline?", text: guideline.text, yes: retire ? "Retire it" : "Restore it", required: false,
    points: [retire ? "It is out of the playbook for good: rules do not bring it back." : "It is in the playbook again, and rules leave it there.", "The draft of the playbook’s experiment follows at once; production does not, until that is rolled out."],
    act: async (reason) => {
      await context.api.post(path`/admin/playbook-guidelines/${guideline.id}/${verb}`, reason ? { reason } : {});
      toast(retire ? "It is retired." : "It is restored.");
      context.refresh();
    },
  });
}

function add(context, coach) {
  formDialog(context, {
    title: "Add a guideline", label: "Add it",
    fields: [
      { name: "text", label: "The guideline", required: true, minlength: 8, maxlength: 200, hint: "One short sentence, as it would stand in the prompt: “Keep answers short.”" },
      { name: "kind", label: "Is about", type: "select", options: [{ value: "manner", label: "how it is said" }, { value: "content", label: "what is said" }] },
      { name: "reason", label: "Why", maxlength: 1000 },
    ],
    async submit(values) {
      await context.api.post(path`/admin/playbooks/${coach}/guidelines`, values);
    },
    done() {
      toast("Added. The draft follows at once.");
      context.refresh();
    },
  });
}
