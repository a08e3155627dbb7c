/** Datasets: what models learn from; looking through examples, freezing versions, exporting. */

import { h, speak } from "../../../lib/dom.js";
import { path } from "../api.js";
import { barChart } from "../chart.js";
import { fileName } from "../csv.js";
import { formDialog, openDialog } from "../dialog.js";
import { exportDialog } from "../export.js";
import { filterBar } from "../filters.js";
import { ago, count, decimal, time, words as asWords } from "../format.js";
import { runJob } from "../job.js";
import { actionButton, emptyState, toast, toastError } from "../states.js";
import { facts, table } from "../table.js";
import { badge, tiles } from "../tiles.js";

export const title = "Datasets";

const words = {
  none: "There are no datasets yet",
  noneText: "The job generate-training-data makes them of answers that users liked, of those who agreed to training.",
  noExamples: "There is no example like that.",
  types: { conversation: "Conversations", preference: "Preference pairs", unpaired: "Rated answers" },
  formats: { openai: "OpenAI chat", "openai-dpo": "OpenAI preferences", "trl-dpo": "TRL preferences", "trl-kto": "TRL rated" },
  review: "j and k go to the next and the one before, v keeps it, x rejects it, e changes it.",
  reviewed: "That was the last one.",
  freezeText: "A version is what is in the set now, by ids and hashes: what a model is trained on can be named and made again, and a person can still be erased.",
};
const FORMATS = { conversation: ["openai"], preference: ["openai-dpo", "trl-dpo"], unpaired: ["trl-kto"] };
const SPLITS = ["train", "validation", "test"];
const FILTERS = ["split", "review", "tag", "min_quality", "max_quality", "search"];
const PAGE = 25;

export function render(context) {
  const [id, what] = context.path;
  if (id === undefined) return list(context);
  if (id === "version") return version(context, what);
  return what === "review" ? review(context, id) : one(context, id);
}

// --- all ---

function list(context) {
  context.actions.push(actionButton("Bring in step with feedback", async () => {
    await runJob(context, "generate-training-data");
    context.refresh();
  }, { id: "generate" }), actionButton("New dataset", () => make(context), { kind: "primary", id: "new-dataset" }));
  return table({
    name: "Datasets", load: context.api.pages(path`/admin/datasets`), empty: emptyState(words.none, words.noneText),
    columns: [
      { label: "Dataset", show: (row) => h("a", { href: context.href("datasets", [row.id]) }, row.name) },
      { label: "Type", show: (row) => words.types[row.type] ?? row.type },
      { label: "Examples", align: "end", show: (row) => count(row.total_examples), csv: (row) => row.total_examples },
      { label: "Quality", align: "end", show: (row) => decimal(row.average_quality_score, 1), csv: (row) => row.average_quality_score },
      { label: "Tokens", align: "end", show: (row) => count(row.total_tokens), csv: (row) => row.total_tokens },
      { label: "Look through", csv: false, show: (row) => (row.total_examples > 0 ? h("a", { class: "button small", href: context.href("datasets", [row.id, "review"], { review: "none" }), "aria-label": `Review ${row.name}` }, "Review") : null) },
    ],
  });
}

function make(context) {
  formDialog(context, {
    title: "New dataset", label: "Make it",
    fields: [
      { name: "name", label: "Name", required: true, maxlength: 200 },
      { name: "type", label: "Type", type: "select", options: Object.entries(words.types).map(([value, label]) => ({ value, label })), hint: "For examples written by hand." },
      { name: "description", label: "What it is for" }, { name: "model_target", label: "Model it is meant to train" },
    ],
    async submit(values) {
      return context.api.post(path`/admin/datasets`, values);
    },
    done(dataset) {
      context.go(context.href("datasets", [dataset.id]));
    },
  });
}

// --- one ---

async function one(context, id) {
  const dataset = await context.api.get(path`/admin/datasets/${id}`);
  context.setTitle(dataset.name);
  context.actions.push(h("a", { class: "button primary", id: "review", href: context.href("datasets", [id, "review"], { review: "none" }) }, "Review"),
    actionButton("Export", () => exportOf(context, dataset, id), { id: "export" }), actionButton("Freeze a version", () => freeze(context, dataset), { id: "freeze" }),
    h("a", { class: "button", href: context.href("training", ["new"], { dataset_id: id }) }, "Train on it"), actionButton("Write an example", () => write(context, dataset), { id: "write-example" }));
  const asked = Object.fromEntries(FILTERS.map((name) => [name, context.query[name]]));
  const link = (query) => context.href("datasets", [id], query);
  return [
    h("p", {}, h("a", { href: context.href("datasets") }, "All datasets"), dataset.description ? ` · ${dataset.description}` : ""),
    tiles([
      { label: "Examples", value: count(dataset.total_examples), note: words.types[dataset.type] },
      ...SPLITS.map((split) => ({ label: asWords(split), value: count(dataset[`${split}_examples`]), href: link({ split }) })),
      { label: "Quality", value: decimal(dataset.average_quality_score, 1), note: "of 10" },
      { label: "Rejected by people", value: count(dataset.rejected_examples), href: link({ review: "rejected" }) },
      { label: "Tokens", value: count(dataset.total_tokens) },
    ]),
    h("h2", {}, "What is in it"),
    h("div", { class: "columns" },
      barChart({ title: "Quality", description: "How many examples have which score, of 10.", by: "Score", series: [{ name: "", behind: "examples", points: dataset.quality_histogram.map((bin) => ({ at: bin.quality >= 10 ? "all of 10" : `${bin.quality} to ${bin.quality + 1}`, value: bin.examples, href: link({ min_quality: bin.quality, max_quality: Math.min(10, bin.quality + 0.99) }) })) }], empty: "No example has a score." }),
      h("section", { class: "stack" }, h("h3", {}, "Tags"), dataset.tags.length === 0 ? h("p", { class: "hint" }, "None.") : h("ul", { class: "tags" }, dataset.tags.map((tag) => h("li", {}, h("a", { href: link({ tag: tag.tag }) }, tag.tag), ` ${count(tag.examples)}`))))),
    h("section", { class: "stack" }, h("h2", {}, "Versions"), table({
      name: "Versions of the dataset", load: context.api.pages(path`/admin/datasets/${id}/versions`), csv: false, empty: "Nothing was frozen yet.",
      columns: [
        { label: "Version", show: (row) => h("a", { href: context.href("datasets", ["version", row.id]) }, `Version ${row.version}`) },
        { label: "Examples", align: "end", show: (row) => count(row.total_examples) }, { label: "Least quality", align: "end", show: (row) => decimal(row.min_quality, 1) },
        { label: "Frozen", show: (row) => time(row.created_at, ago) }, { label: "By", show: (row) => row.created_by }, { label: "Note", show: (row) => row.note },
      ],
    })),
    h("h2", {}, "Examples"),
    exampleFilters(context),
    table({
      name: "Examples", load: context.api.pages(path`/admin/datasets/${id}/examples`, asked), empty: words.noExamples,
      columns: [
        { label: "Question", show: (row) => h("button", { class: "text-button clip", type: "button", onclick: () => openExample(context, row.id) }, lastOf(row, "user")), csv: (row) => lastOf(row, "user") },
        { label: "Answer", show: (row) => h("span", { class: "clip" }, answerOf(row)), csv: (row) => answerOf(row) },
        { label: "Quality", align: "end", show: (row) => decimal(row.quality_score, 1), csv: (row) => row.quality_score },
        { label: "Split", show: (row) => row.split }, { label: "Review", show: reviewOf }, { label: "Tags", show: (row) => row.tags.join(", ") || null },
      ],
    }),
  ];
}

function exampleFilters(context) {
  return filterBar(context, [
    { name: "search", label: "Search", type: "text" },
    { name: "review", label: "Review", type: "select", any: "Any", options: [{ value: "none", label: "not looked at" }, { value: "validated", label: "kept" }, { value: "rejected", label: "rejected" }] },
    { name: "split", label: "Split", type: "select", any: "All", options: SPLITS.map((value) => ({ value, label: value })) },
    { name: "tag", label: "Tag", type: "text" },
    { name: "min_quality", label: "Quality from", type: "number" }, { name: "max_quality", label: "to", type: "number" },
  ]);
}

function textOf(message) {
  const { content } = message;
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map((part) => part.text ?? `[${part.type}]`).join(" ") : "";
}

function lastOf(example, role) {
  const last = example.messages.filter((message) => message.role === role).at(-1);
  return last ? textOf(last) : "–";
}

function answerOf(example) {
  return example.completion ? example.completion.map(textOf).join(" ") : lastOf(example, "assistant");
}

function reviewOf(row) {
  if (row.review === "validated") return badge("kept", "good");
  return row.review === "rejected" ? badge("rejected", "bad") : badge("not looked at");
}

/** The whole of an example: its messages, and what it was made of. */
function messagesOf(example) {
  const said = (message, kind = message.role) => h("div", { class: `message message-${kind}` }, kind === "system" ? null : h("p", { class: "message-role" }, kind), kind === "system" ? h("details", {}, h("summary", {}, "Instructions"), h("p", { class: "message-text" }, textOf(message))) : h("p", { class: "message-text" }, textOf(message)));
  return h("div", { class: "messages" }, example.messages.map((message) => said(message)), (example.completion ?? []).map((message) => said(message, example.rejected ? "better" : "answer")),
    (example.rejected ?? []).map((message) => said(message, "worse")), example.label === null || example.label === undefined ? null : h("p", {}, "Users ", example.label ? badge("liked it", "good") : badge("disliked it", "bad")));
}

async function openExample(context, id) {
  try {
    const example = await context.api.get(path`/admin/examples/${id}`);
    const dialog = openDialog(context, { title: "Example", wide: true, content: h("div", { class: "stack" }, messagesOf(example), factsOf(context, example),
      h("div", { class: "dialog-actions" }, decisions(context, example, () => {
        dialog.close();
        context.refresh();
      }), actionButton("Change", async () => {
        dialog.close();
        if (await edit(context, example)) context.refresh();
      }))) });
  } catch (error) {
    toastError(error);
  }
}

function factsOf(context, example) {
  return facts([["Quality", decimal(example.quality_score, 1)], ["Split", example.split], ["Tags", example.tags.join(", ") || null], ["Coach", example.coach_id], ["Model", example.model_used], ["Review", reviewOf(example)],
    ["Reviewed", example.reviewed_at && time(example.reviewed_at)], ["By", example.reviewed_by], ["Note", example.review_note], ["Changed by a person", example.edited_at && time(example.edited_at)],
    ["Answers it was made of", example.sources?.length ? h("ul", { class: "plain-list" }, example.sources.map((source, i) => h("li", {}, h("a", { href: context.href("answers", [source.answer_id]) }, `answer ${i + 1}`)))) : null],
    ["In versions", example.versions?.length ? example.versions.map((frozen) => frozen.version).join(", ") : null]]);
}

function decisions(context, example, done) {
  const decide = (verb) => async () => {
    await context.api.post(path`/admin/examples/${example.id}/${verb}`);
    toast(verb === "validate" ? "Kept." : "Rejected: it is out of its set, and stays out.");
    done();
  };
  return [example.review === "validated" ? null : actionButton("Keep", decide("validate")), example.review === "rejected" ? null : actionButton("Reject", decide("reject"))].filter(Boolean);
}

/** Resolves to the example as it is then, null when nothing was changed. */
function edit(context, example) {
  return formDialog(context, {
    title: "Change the example", wide: true, label: "Save",
    fields: [
      { name: "messages", label: "Messages", type: "json", rows: 12, required: true, value: example.messages },
      ...(example.completion ? [{ name: "completion", label: example.rejected ? "The better answer" : "Answer", type: "json", rows: 4, value: example.completion }] : []),
      ...(example.rejected ? [{ name: "rejected", label: "The worse answer", type: "json", rows: 4, value: example.rejected }] : []),
      { name: "quality_score", label: "Quality, 0 to 10", type: "number", min: 0, max: 10, value: example.quality_score },
      { name: "tags", label: "Tags", type: "list", value: example.tags, hint: "One on each line." },
    ],
    async submit(values) {
      const { messages, completion, rejected, ...rest } = values;
      // Text that a person changed stays from then on, so only what was changed is sent.
      const given = { tags: [], ...rest };
      for (const [name, value] of Object.entries({ messages, completion, rejected })) if (value !== undefined && JSON.stringify(value) !== JSON.stringify(example[name])) given[name] = value;
      return context.api.patch(path`/admin/examples/${example.id}`, given);
    },
    done() {
      toast("Saved.");
    },
  }).closed;
}

function write(context, dataset) {
  const isPair = dataset.type === "preference";
  formDialog(context, {
    title: "Write an example", wide: true, label: "Add it",
    fields: [
      { name: "system", label: "Instructions", type: "textarea", rows: 2 },
      { name: "user", label: "What the user says", type: "textarea", required: true },
      { name: "answer", label: isPair ? "The better answer" : "The answer", type: "textarea", required: true },
      ...(isPair ? [{ name: "worse", label: "The worse answer", type: "textarea", required: true }] : []),
      ...(dataset.type === "unpaired" ? [{ name: "label", label: "Users would like it", type: "checkbox", value: true }] : []),
      { name: "split", label: "Split", type: "select", options: SPLITS.map((value) => ({ value, label: value })) },
      { name: "quality_score", label: "Quality, 0 to 10", type: "number", min: 0, max: 10, value: 10 },
    ],
    async submit({ system, user, answer, worse, ...rest }) {
      const messages = [...(system ? [{ role: "system", content: system }] : []), { role: "user", content: user }];
      const said = (content) => [{ role: "assistant", content }];
      const body = dataset.type === "conversation" ? { messages: [...messages, ...said(answer)] } : { messages, completion: said(answer), ...(isPair ? { rejected: said(worse) } : {}) };
      await context.api.post(path`/admin/datasets/${dataset.id}/examples`, { ...body, ...rest });
    },
    done() {
      toast("Added.");
      context.refresh();
    },
  });
}

// --- versions and exports ---

function freeze(context, dataset) {
  formDialog(context, {
    title: `Freeze ${dataset.name}`, label: "Freeze", intro: h("p", {}, words.freezeText),
    fields: [{ name: "min_quality", label: "Quality, at least", type: "number", min: 0, max: 10, value: 6 }, { name: "note", label: "Note", maxlength: 1000 }],
    async submit(values) {
      return context.api.post(path`/admin/datasets/${dataset.id}/versions`, values);
    },
    done(frozen) {
      toast(`Version ${frozen.version} has ${count(frozen.total_examples)} examples.`);
      context.refresh();
    },
  });
}

async function version(context, id) {
  const frozen = await context.api.get(path`/admin/dataset-versions/${id}`);
  const dataset = await context.api.get(path`/admin/datasets/${frozen.dataset_id}`);
  context.setTitle(`${dataset.name}, version ${frozen.version}`);
  context.actions.push(actionButton("Export", () => exportOf(context, dataset, id), { id: "export" }), h("a", { class: "button primary", href: context.href("training", ["new"], { dataset_version_id: id }) }, "Train on it"));
  const links = (ids, page, label) => (ids.length === 0 ? "none" : h("ul", { class: "plain-list" }, ids.map((one, i) => h("li", {}, h("a", { href: context.href(page, [one]) }, `${label} ${i + 1}`)))));
  return [
    h("p", {}, h("a", { href: context.href("datasets", [dataset.id]) }, dataset.name)),
    tiles([{ label: "Examples", value: count(frozen.total_examples) }, ...SPLITS.map((split) => ({ label: asWords(split), value: count(frozen[`${split}_examples`]) })),
      { label: "Gone since", value: count(frozen.missing_examples), note: "their users were erased, or took consent back" }, { label: "Users in it", value: count(frozen.users) }, { label: "Tokens", value: count(frozen.tokens) }]),
    facts([["Least quality", decimal(frozen.min_quality, 1)], ["Frozen", time(frozen.created_at)], ["By", frozen.created_by], ["Note", frozen.note], ["Hash", h("code", {}, frozen.content_hash)],
      ["Trainings on it", links(frozen.finetuning_jobs, "training", "training")], ["Models of it", links(frozen.model_versions, "versions", "model version")]]),
  ];
}

function exportOf(context, dataset, id) {
  exportDialog(context, {
    title: `Export ${dataset.name}`,
    fields: [
      { name: "format", label: "Format", type: "select", options: FORMATS[dataset.type].map((value) => ({ value, label: words.formats[value] })) },
      { name: "split", label: "Split", type: "select", options: [{ value: "", label: "all" }, ...SPLITS.map((value) => ({ value, label: value }))] },
      { name: "min_quality", label: "Quality, at least", type: "number", min: 0, max: 10 },
    ],
    open: (values, signal) => context.api.open(path`/admin/datasets/${id}/export`, values, { signal }),
    name: () => `${fileName(dataset.name)}.jsonl`,
  });
}

// --- looking through, by keyboard ---

async function review(context, id) {
  const dataset = await context.api.get(path`/admin/datasets/${id}`);
  context.setTitle(`Review: ${dataset.name}`);
  const asked = Object.fromEntries(FILTERS.map((name) => [name, context.query[name]]));
  const load = context.api.pages(path`/admin/datasets/${id}/examples`, asked, { limit: PAGE });
  const rows = [];
  let next = null;
  let now = 0;
  let busy = false;
  let decided = 0;

  const place = h("article", { class: "panel review", tabindex: -1, "aria-labelledby": "review-at" });
  const at = h("h2", { id: "review-at" });
  const button = (label, key, act, kind = "") => h("button", { class: `button ${kind}`.trim(), type: "button", "aria-keyshortcuts": key, onclick: act, id: `review-${key}` }, label, " ", h("kbd", { "aria-hidden": "true" }, key));
  const bar = h("div", { class: "review-bar row", role: "group", "aria-label": "Decide" }, button("Keep", "v", () => decide("validate"), "primary"), button("Reject", "x", () => decide("reject")), button("Change", "e", () => change()), button("Before", "k", () => move(-1)), button("Next", "j", () => move(1)));

  async function more() {
    const got = await load(next);
    rows.push(...got.rows);
    next = got.next;
  }

  /** Looks on for the next ones: a page may be empty, and not the last. */
  async function fill() {
    while (now >= rows.length && next !== null) await more();
  }

  function show({ spoken = true } = {}) {
    const example = rows[now];
    const there = example !== undefined;
    for (const one of bar.querySelectorAll("button")) one.disabled = !there;
    bar.querySelector("#review-k").disabled = now === 0;
    at.textContent = there ? `Example ${count(now + 1)}${next === null ? ` of ${count(rows.length)}` : ""}` : rows.length === 0 ? words.noExamples : words.reviewed;
    place.replaceChildren(h("div", { class: "section-head" }, at, there ? h("span", { class: "row" }, reviewOf(example), h("span", { class: "hint" }, `quality ${decimal(example.quality_score, 1)}, ${example.split}`)) : null),
      there ? messagesOf(example) : emptyState(rows.length === 0 ? words.noExamples : `${count(decided)} decided.`, "", h("a", { class: "button", href: context.href("datasets", [id]) }, "Back to the dataset")));
    if (spoken && there) speak(`${at.textContent}: ${lastOf(example, "user").slice(0, 120)}`);
    place.focus({ preventScroll: true });
  }

  async function move(by) {
    if (busy) return;
    busy = true;
    try {
      now = Math.max(0, Math.min(now + by, rows.length));
      await fill();
      show();
    } catch (error) {
      now = Math.max(0, now - by);
      toastError(error);
    } finally {
      busy = false;
    }
  }

  async function decide(verb) {
    const example = rows[now];
    if (busy || example === undefined) return;
    busy = true;
    try {
      rows[now] = { ...example, ...(await context.api.post(path`/admin/examples/${example.id}/${verb}`)) };
      decided += example.review === null ? 1 : 0;
      speak(verb === "validate" ? "Kept" : "Rejected");
      busy = false;
      await move(1);
    } catch (error) {
      toastError(error);
    } finally {
      busy = false;
    }
  }

  async function change() {
    const example = rows[now];
    if (busy || example === undefined) return;
    const changed = await edit(context, example);
    if (changed !== null) rows[now] = changed;
    show({ spoken: false });
  }

  const keys = { j: () => move(1), k: () => move(-1), v: () => decide("validate"), x: () => decide("reject"), e: () => change() };
  document.addEventListener("keydown", (event) => {
    // Not while somebody types, nor for a browser's own keys, nor behind a dialog.
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.target.closest("input, select, textarea, dialog") || document.querySelector("dialog[open]")) return;
    const act = keys[event.key];
    if (act === undefined || event.repeat && event.key !== "j" && event.key !== "k") return;
    event.preventDefault();
    act();
  }, { signal: context.signal });

  await more();
  while (rows.length === 0 && next !== null) await more();
  show({ spoken: false });
  return [
    h("p", {}, h("a", { href: context.href("datasets", [id]) }, dataset.name), ` · ${words.review}`),
    exampleFilters(context),
    place, bar,
  ];
}
