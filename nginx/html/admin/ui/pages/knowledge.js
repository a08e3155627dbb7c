/** What coaches draw on: its sources, taking in more, and what a question would find. */

import { h, speak } from "../../../lib/dom.js";
import { path } from "../api.js";
import { coachOptions } from "../coaches.js";
import { confirm, formDialog } from "../dialog.js";
import { filterBar } from "../filters.js";
import { form } from "../form.js";
import { ago, count, decimal, time, words as asWords } from "../format.js";
import { actionButton, emptyState, toast } from "../states.js";
import { facts, table } from "../table.js";
import { badge, figure } from "../tiles.js";

export const title = "Knowledge";

const words = {
  none: "Coaches have no knowledge yet",
  noneText: "Add texts, Markdown or HTML here, or import directories, PDFs and web pages by fcgi-batch run import-knowledge.",
  noneFiltered: "No source is like that.",
  upload: "Add knowledge",
  filesHint: "Text, Markdown or HTML, up to 5 MB each. PDFs are imported on the server: fcgi-batch run import-knowledge FILE.",
  tried: "Ask what users ask: which passages a chat would be given, and why others are left out.",
  leftOut: { score: "fits too little", coach: "for other coaches", audience: "for another audience", withdrawn: "withdrawn", deprecated: "replaced by a newer version", room: "no room: others fit better" },
};
const TYPES = ["usda_api", "nutrition_research", "fitness_guidelines", "medical_database", "recipe_database", "faq", "coaching_script", "user_generated"];
const FORMATS = { txt: "text", text: "text", md: "markdown", markdown: "markdown", html: "html", htm: "html", xhtml: "html" };
const FILE_MAX = 5000000;

export function render(context) {
  return context.path.length > 0 ? one(context, context.path[0]) : list(context);
}

function list(context) {
  const coaches = coachOptions(context);
  coaches.catch(() => {});
  context.actions.push(actionButton(words.upload, async () => upload(context, await coaches.catch(() => [])), { kind: "primary", id: "add-knowledge" }));
  const { active, topic, coach, text } = context.query;
  return [
    tryBox(context, coaches),
    h("h2", {}, "Sources"),
    filterBar(context, [
      { name: "text", label: "Search", type: "text", placeholder: "title, name or content" },
      { name: "active", label: "State", type: "select", any: "In effect or not", options: [{ value: "true", label: "In effect" }, { value: "false", label: "Not in effect" }] },
      { name: "coach", label: "Coach", type: "select", any: "All coaches", options: coaches },
      { name: "topic", label: "Topic", type: "text" },
    ]),
    table({
      name: "Sources of knowledge", load: context.api.pages(path`/admin/knowledge`, { active, topic, coach, text }), empty: active || topic || coach || text ? words.noneFiltered : emptyState(words.none, words.noneText),
      columns: [
        { label: "Source", show: (row) => h("span", {}, h("a", { href: context.href("knowledge", [row.id]) }, row.title || row.name), row.name && row.name !== row.title ? h("span", { class: "cell-note" }, row.name) : null), csv: (row) => row.title },
        { label: "State", show: stateOf },
        { label: "Topics", show: (row) => row.topics?.join(", ") || null },
        { label: "For", show: (row) => (row.coach_ids ? row.coach_ids.join(", ") : "all coaches") },
        { label: "In answers", align: "end", show: (row) => usesOf(context, row), csv: (row) => row.times_referenced },
        { label: "Thumbs", align: "end", show: (row) => thumbsOf(context, row), csv: (row) => `${row.helpful_votes} up, ${row.not_helpful_votes} down` },
        { label: "Pieces", align: "end", show: (row) => figure(count(row.chunks), context.href("knowledge", [row.id])), csv: (row) => row.chunks },
        { label: "Changed", show: (row) => time(row.updated_at ?? row.created_at, ago), csv: (row) => row.updated_at },
      ],
    }),
  ];
}

function stateOf(row) {
  if (row.deprecated_by) return badge("replaced");
  return row.is_active ? badge("in effect", "good") : badge("withdrawn", "warn");
}

// --- trying a question ---

function tryBox(context, coaches) {
  const found = h("div", { class: "stack", "aria-live": "polite" });
  const made = form({
    label: "Try it", inline: true,
    fields: [
      { name: "question", label: "A question", required: true, maxlength: 2000, size: 44, placeholder: "How do I fall asleep sooner?" },
      { name: "coach_id", label: "With", type: "select", options: [{ value: "", label: "any coach" }] },
      { name: "user_id", label: "As the user", placeholder: "id, or empty", maxlength: 36 },
    ],
    async submit(values) {
      found.replaceChildren(h("p", { class: "hint" }, "Looking through all knowledge…"));
      try {
        found.replaceChildren(...shownOf(context, await context.api.post(path`/admin/knowledge/search`, values)));
      } catch (error) {
        found.replaceChildren();
        throw error;
      }
    },
  });
  coaches.then((all) => made.field("coach_id").append(...all.map(({ value, label }) => h("option", { value }, label))), () => {});
  return h("section", { class: "panel", "aria-labelledby": "try-title" }, h("h2", { id: "try-title" }, "Try a question"), h("p", { class: "hint" }, words.tried), made.node, found);
}

function shownOf(context, result) {
  const offered = result.data.filter((passage) => passage.number !== null);
  return [
    h("p", {}, h("strong", {}, offered.length === 0 ? "Nothing would be in the prompt." : `${count(offered.length)} ${offered.length === 1 ? "passage" : "passages"} would be in the prompt.`),
      ` Looked for ${result.words.length > 0 ? result.words.join(", ") : "no word"} in ${count(result.searched)} pieces; what scores below ${decimal(result.least_score)} is left out.`),
    result.data.length === 0 ? null : table({
      name: "Passages found", rows: result.data, csv: false, rowClass: (row) => (row.number === null ? "left-out" : "selected"),
      columns: [
        { label: "Passage", show: (row) => h("span", {}, row.number === null ? null : h("strong", {}, `[${row.number}] `), h("a", { href: context.href("knowledge", [row.source_id]) }, row.title), h("span", { class: "cell-note" }, row.text)) },
        { label: "Score", align: "end", show: (row) => decimal(row.score) },
        { label: "In the prompt", show: (row) => (row.number === null ? badge(words.leftOut[row.left_out] ?? asWords(row.left_out)) : badge("yes", "good")) },
      ],
    }),
    result.lines ? h("details", {}, h("summary", {}, "As it would stand in the prompt"), h("pre", { tabindex: 0 }, result.lines)) : null,
  ].filter(Boolean);
}

// --- adding ---

function upload(context, coaches) {
  const outcome = h("ul", { class: "points", "aria-live": "polite" });
  let added = false;
  const { form: made, closed } = formDialog(context, {
    title: words.upload, wide: true, label: "Add", after: outcome,
    fields: [
      { name: "files", label: "Files", type: "file", multiple: true, accept: ".txt,.text,.md,.markdown,.html,.htm,.xhtml", hint: words.filesHint },
      { name: "content", label: "Or a text", type: "textarea", rows: 6, hint: "Markdown." },
      { name: "title", label: "Title", maxlength: 300, hint: "Of files by default their own, or their name." },
      { name: "url", label: "Where users may read it", type: "url", hint: "Citations lead there." },
      { name: "topics", label: "Topics", hint: "Separated by commas." },
      { name: "coach_ids", label: "Coaches that may use it", type: "select", multiple: true, size: Math.min(5, coaches.length || 1), options: coaches, hint: "None chosen: all." },
      { name: "audience", label: "Audience", hint: "Only for users whose trait says so; empty: for all." },
      { name: "reliability", label: "Reliability, 0 to 10", type: "number", min: 0, max: 10, hint: "10 counts one and a half times, 0 half." },
      { name: "source_type", label: "Kind", type: "select", options: [{ value: "", label: "–" }, ...TYPES.map((value) => ({ value, label: asWords(value) }))] },
    ],
    async submit(values) {
      outcome.replaceChildren();
      const documents = await documentsOf(values);
      const { files, content, title: name, ...rest } = values;
      const chosen = [...made.field("coach_ids").selectedOptions].map((option) => option.value);
      const common = { ...rest, topics: rest.topics?.split(",").map((topic) => topic.trim()).filter(Boolean) };
      if (chosen.length > 0) common.coach_ids = chosen;
      else delete common.coach_ids;
      let good = 0;
      for (const document of documents) {
        if (document.problem) {
          outcome.append(h("li", {}, `${document.name}: ${document.problem}`));
          continue;
        }
        try {
          const source = await context.api.post(path`/admin/knowledge`, { ...common, ...document.body });
          good += 1;
          outcome.append(h("li", {}, h("a", { href: context.href("knowledge", [source.id]) }, source.title), `: ${source.outcome}${source.replaces ? ", in place of an older version" : ""}`));
        } catch (error) {
          if (documents.length === 1) throw error;
          outcome.append(h("li", {}, `${document.name}: ${error.message}`));
        }
      }
      speak(`${good} of ${documents.length} added`);
      if (good > 0) added = true;
      // What came of each of several is to be read first.
      return good === documents.length && documents.length === 1;
    },
    done: () => toast("It is in effect at once."),
  });
  closed.then(() => added && context.refresh());
}

/** What was chosen, as what is sent of it: [{name, body} or {name, problem}]. */
async function documentsOf({ files = [], content, title: name }) {
  const documents = await Promise.all(files.map(async (file) => {
    const format = FORMATS[file.name.split(".").pop().toLowerCase()];
    if (format === undefined) return { name: file.name, problem: "it is neither text, Markdown nor HTML" };
    if (file.size > FILE_MAX * 4) return { name: file.name, problem: "it is larger than 5 MB of text" };
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      return { name: file.name, problem: "it is not UTF-8" };
    }
    if (text.trim() === "") return { name: file.name, problem: "there is nothing in it" };
    const given = files.length === 1 ? name : undefined;
    // Markdown and HTML may have titles of their own, which are looked for first.
    const own = format === "text" || !/^\s*#|<title|<h1/im.test(text) ? file.name.replace(/\.[^.]*$/, "") : undefined;
    return { name: file.name, body: { content: text, format, name: file.name, ...(given ?? own ? { title: given ?? own } : {}) } };
  }));
  if (content) documents.push({ name: name ?? "the text", body: { content, ...(name ? { title: name } : {}) } });
  if (documents.length === 0) throw Object.assign(new Error("choose a file, or write a text"), { status: 400, param: "files", code: "missing_content" });
  return documents;
}

// --- one source ---

/** How many answers had a source in their prompts, and the thumbs on those that cite it, each with its way there. */
function usesOf(context, { id, times_referenced: n }) {
  return figure(count(n), n > 0 ? context.href("answers", [], { source_id: id }) : null);
}

function thumbsOf(context, { id, helpful_votes: up, not_helpful_votes: down }) {
  const way = (n, helpful) => (n > 0 ? context.href("answers", [], { cited_source_id: id, helpful }) : null);
  return h("span", {}, figure(`${count(up)} up`, way(up, "true")), ", ", figure(`${count(down)} down`, way(down, "false")));
}

async function one(context, id) {
  const source = await context.api.get(path`/admin/knowledge/${id}`);
  context.setTitle(source.title || source.name);
  context.actions.push(
    actionButton("Change", () => edit(context, source)),
    actionButton(source.is_active ? "Withdraw" : "Put into effect", async () => {
      const agreed = await confirm(context, source.is_active
        ? { title: `Withdraw ${source.title}?`, yes: "Withdraw it", points: ["No chat finds it any more, from the next one on.", "It stays withdrawn, whatever is imported.", "It can be put into effect again."] }
        : { title: `Put ${source.title} into effect?`, yes: "Put it into effect", points: ["Chats find it from the next one on."] });
      if (!agreed) return;
      await context.api.patch(path`/admin/knowledge/${id}`, { is_active: !source.is_active });
      toast(source.is_active ? "It is withdrawn." : "It is in effect.");
      context.refresh();
    }, { id: "withdraw" }),
    actionButton("Delete", async () => {
      const agreed = await confirm(context, { title: `Delete ${source.title}?`, yes: "Delete it", danger: true, points: ["It is gone for good, with the versions before it.", "Answers that cite it keep their text; the link to it leads nowhere.", "An import may bring it again: withdraw it instead to keep it out."] });
      if (!agreed) return;
      await context.api.delete(path`/admin/knowledge/${id}`);
      toast("It is gone.");
      context.go(context.href("knowledge"));
    }),
  );
  return [
    h("p", {}, h("a", { href: context.href("knowledge") }, "All sources")),
    facts([["State", stateOf(source)], ["Name", source.name], ["Address", source.url && h("a", { href: /^https?:/.test(source.url) ? source.url : null, rel: "noreferrer", target: "_blank" }, source.url)],
      ["Topics", source.topics?.join(", ")], ["For", source.coach_ids ? source.coach_ids.join(", ") : "all coaches"], ["Audience", source.audience ?? "all"], ["Reliability", source.reliability], ["Kind", source.source_type && asWords(source.source_type)],
      ["Collection", source.collection], ["In answers", usesOf(context, source)], ["Thumbs on answers that cite it", thumbsOf(context, source)],
      ["Replaced by", source.deprecated_by && h("a", { href: context.href("knowledge", [source.deprecated_by]) }, "a newer version")], ["Added", time(source.created_at)], ["Changed", source.updated_at && time(source.updated_at)]]),
    h("h2", {}, "As it is searched"),
    table({
      name: "Pieces", load: context.api.pages(path`/admin/knowledge/${id}/chunks`, {}, { after: (_, last) => last?.part }), csv: false, empty: "It has no pieces: there is nothing in it to search.",
      columns: [
        { label: "Part", align: "end", show: (row) => count(row.part) },
        { label: "Text", show: (row) => h("span", {}, h("strong", {}, row.title), h("span", { class: "cell-note" }, row.body)) },
        { label: "Searched", show: (row) => (row.is_searched ? badge("yes", "good") : badge("no")) },
      ],
    }),
    h("details", {}, h("summary", {}, "Its content"), h("pre", { tabindex: 0 }, source.content)),
  ];
}

function edit(context, source) {
  formDialog(context, {
    title: `Change ${source.title}`, label: "Save", whole: true,
    fields: [
      { name: "title", label: "Title", maxlength: 300, value: source.title, required: true },
      { name: "topics", label: "Topics", value: source.topics?.join(", "), hint: "Separated by commas." },
      { name: "coach_ids", label: "Coaches that may use it", type: "list", value: source.coach_ids, hint: "An id on each line; empty: all." },
      { name: "audience", label: "Audience", value: source.audience },
      { name: "reliability", label: "Reliability, 0 to 10", type: "number", min: 0, max: 10, value: source.reliability },
    ],
    async submit(values) {
      await context.api.patch(path`/admin/knowledge/${source.id}`, { ...values, topics: (values.topics ?? "").split(",").map((topic) => topic.trim()).filter(Boolean) });
    },
    done() {
      toast("Saved.");
      context.refresh();
    },
  });
}
