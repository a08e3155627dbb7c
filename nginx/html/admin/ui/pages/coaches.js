/** Coaches: made, changed, tried in a chat beside the form, brought back, retired. */

import { h } from "../../../lib/dom.js";
import { UpliftError } from "../../../lib/uplift.js";
import { isAborted, path } from "../api.js";
import { coachesOf } from "../coaches.js";
import { confirm, openDialog } from "../dialog.js";
import { form } from "../form.js";
import { time } from "../format.js";
import { heldRule, modelRule } from "../model_rule.js";
import { actionButton, emptyState, errorState, loaded, toast } from "../states.js";
import { table } from "../table.js";
import { badge } from "../tiles.js";

export const title = "Coaches";

const words = {
  none: "There are no coaches yet.",
  noneText: "A coach is a name and a personality. Users choose one, and every answer is given in its manner. The first takes a minute.",
  first: "Make the first coach",
  make: "Make a coach",
  personality: "Who it is, as the model reads it: its manner, what it knows, what it does not do. It is told how severe to be by itself.",
  example: "You are Fern, a patient running coach. You ask before you advise, give one step at a time, and never shame anybody.",
  try: "Try it",
  tryText: "The chat uses what stands in the form, saved or not, without anything that is known of a user. It is recorded as an answer of yours.",
  tryHint: "Write as one of its users would.",
};

const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

export function render(context) {
  const [id] = context.path;
  if (id === "new") return edit(context, null);
  return id === undefined ? list(context) : one(context, id);
}

function list(context) {
  context.actions.push(h("a", { class: "button primary", href: context.href("coaches", ["new"]) }, words.make));
  return table({ name: "Coaches", csv: false, load: context.api.pages(path`/admin/coaches`, {}),
    empty: emptyState(words.none, words.noneText, h("a", { class: "button primary", href: context.href("coaches", ["new"]) }, words.first)), columns: [
      { label: "Coach", show: (coach) => h("a", { href: context.href("coaches", [coach.id]) }, coach.name) },
      { label: "What it is", show: (coach) => coach.description ?? "–" },
      { label: "State", show: (coach) => h("span", { class: "row" }, badge(coach.is_offered ? "Offered" : "Retired", coach.is_offered ? "good" : "plain"), coach.is_default ? badge("Default") : null) },
      { label: "Changed", show: (coach) => time(coach.updated_at) },
      { label: "Answers", show: (coach) => h("a", { class: "nowrap", href: context.href("answers", [], { coach_id: coach.id }) }, "Its answers") },
    ] });
}

async function one(context, id) {
  const coach = await context.api.get(path`/admin/coaches/${id}`);
  context.setTitle(coach.name);
  context.actions.push(
    h("a", { class: "button", href: context.href("answers", [], { coach_id: coach.id }) }, "Its answers"),
    coach.is_offered ? actionButton("Retire…", () => retire(context, coach)) : actionButton("Offer it again", async () => {
      await context.api.put(path`/admin/coaches/${id}`, { is_offered: true });
      context.refresh();
    }));
  return [
    ...(coach.is_offered ? [] : [h("p", { class: "row" }, badge("Retired"), "Users cannot choose it. What was said with it stays.")]),
    ...edit(context, coach),
    h("section", { class: "stack", "aria-labelledby": "versions" }, h("h2", { id: "versions" }, "What it was like"), versions(context, coach)),
    h("section", { class: "panel", "aria-label": "Models" }, loaded(() => heldRule(context, "coach", coach.id), (rule) => modelRule(context, { scope: "coach", key: coach.id, rule }))),
  ];
}

// --- the form ---

function edit(context, coach) {
  if (coach === null) context.setTitle(words.make);
  const fields = [
    { name: "name", label: "Name", type: "text", required: true, value: coach?.name, maxlength: 100 },
    ...(coach === null ? [{ name: "id", label: "Id", type: "text", required: true, maxlength: 128, hint: "What programs call it: letters, digits, dots, hyphens and underscores. It cannot be changed later." }] : []),
    { name: "description", label: "In a line", type: "text", value: coach?.description, maxlength: 500, hint: "For those who choose one." },
    { name: "personality", label: "Personality", type: "textarea", required: true, rows: 12, value: coach?.personality, maxlength: 20000, hint: words.personality, placeholder: coach === null ? words.example : null },
    { name: "avatar_url", label: "Picture", type: "text", inputmode: "url", value: coach?.avatar_url, maxlength: 2000, hint: "The address of a picture." },
  ];
  const made = form({ fields, whole: true, label: coach === null ? "Make it" : "Save", submit: async ({ id, ...values }) => {
    if (coach === null && !ID.test(id)) throw new UpliftError("Letters, digits, dots, hyphens and underscores, beginning with a letter or digit.", { status: 400, param: "id" });
    if (coach === null && (await coachesOf(context)).has(id)) throw new UpliftError("There is a coach with this id.", { status: 409, param: "id" });
    await context.api.put(path`/admin/coaches/${coach?.id ?? id}`, values);
    toast(coach === null ? "The coach is there. Users can choose it from the next chat on." : "Saved. It holds from the next chat on.");
    if (coach === null) context.go(context.href("coaches", [id]));
    else context.refresh();
  } });
  if (coach === null) suggestId(made);
  return [h("div", { class: "columns" },
    h("section", { class: "panel", "aria-labelledby": "form" }, h("h2", { id: "form" }, coach === null ? "Who it is" : "Edit"), made.node),
    tryIt(context, () => ({ id: coach?.id ?? (made.field("id")?.value.trim() || "coach_new"), name: made.field("name").value.trim(), personality: made.field("personality").value.trim() })))];
}

/** An id out of the name, until somebody writes their own. */
function suggestId(made) {
  let own = false;
  made.field("id").addEventListener("input", () => { own = made.field("id").value !== ""; });
  made.field("name").addEventListener("input", () => {
    const word = made.field("name").value.normalize("NFD").toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");
    if (!own) made.field("id").value = word === "" ? "" : `coach_${word}`.slice(0, 128);
  });
}

async function retire(context, coach) {
  if (!(await confirm(context, { title: `Retire ${coach.name}?`, points: ["Users can no longer choose it.", "Those who had it get the default coach with their next message.", "What was said with it stays, and it can be offered again."], yes: "Retire" }))) return;
  await context.api.delete(path`/admin/coaches/${coach.id}`);
  context.refresh();
}

// --- trying it ---

function tryIt(context, draft) {
  const said = [];
  const log = h("div", { class: "try-log", role: "log", "aria-label": "The trial", tabindex: 0 }, h("p", { class: "hint" }, words.tryHint));
  const severity = h("input", { class: "input", type: "number", id: "try-severity", min: 1, max: 6, step: 0.5 });
  severity.value = "3";
  const message = h("textarea", { class: "input", id: "try-message", rows: 2, maxlength: 4000, onkeydown: (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  } });
  const button = h("button", { class: "button primary", type: "submit" }, "Send");
  const preview = async () => {
    const { id, name, personality } = draft();
    return (await context.api.post(path`/admin/coaches/${id}/preview`, { ...(name && { name }), ...(personality && { personality }), severity: Number(severity.value) || 3 })).system_prompt;
  };
  const line = (who, text, kind) => {
    const node = h("div", { class: `try-line try-${kind}` }, h("p", { class: "hint" }, who), h("p", { class: "speech-text" }, text));
    log.append(node);
    log.scrollTop = log.scrollHeight;
    return node;
  };

  async function send() {
    const text = message.value.trim();
    if (text === "" || button.disabled) return;
    button.disabled = true;
    if (said.length === 0) log.replaceChildren();
    line("You", text, "user");
    message.value = "";
    const waiting = line(draft().name || "The coach", "…", "coach");
    try {
      const answer = await context.api.post(path`/v1/chat/completions`, { messages: [{ role: "system", content: await preview() }, ...said, { role: "user", content: text }] });
      const content = answer.choices[0].message.content ?? "";
      said.push({ role: "user", content: text }, { role: "assistant", content });
      waiting.lastChild.textContent = content;
    } catch (error) {
      if (isAborted(error)) return;
      waiting.replaceWith(errorState(error));
      message.value = text;
    } finally {
      button.disabled = false;
      log.scrollTop = log.scrollHeight;
    }
  }

  return h("section", { class: "panel try", "aria-labelledby": "try" },
    h("div", { class: "section-head" }, h("h2", { id: "try" }, words.try),
      h("div", { class: "row" }, h("label", { for: "try-severity" }, "Severity"), severity,
        h("button", { class: "text-button", type: "button", onclick: () => {
          said.length = 0;
          log.replaceChildren(h("p", { class: "hint" }, words.tryHint));
        } }, "Begin anew"),
        actionButton("See its prompt", async () => {
          openDialog(context, { title: "The prompt it would have", wide: true, content: h("pre", { tabindex: 0 }, await preview()) });
        }, { class: "text-button" }))),
    log,
    h("form", { class: "try-form", onsubmit: (event) => {
      event.preventDefault();
      send();
    } }, h("label", { class: "visually-hidden", for: "try-message" }, "Your message"), message, button),
    h("p", { class: "hint" }, words.tryText));
}

// --- versions ---

function versions(context, coach) {
  return table({ name: "Versions", csv: false, load: context.api.pages(path`/admin/coaches/${coach.id}/versions`, {}, { limit: 10 }),
    empty: "It was never changed.", columns: [
      { label: "When", show: (v) => time(v.made_at) }, { label: "By", show: (v) => v.made_by ?? "What was there before" }, { label: "Name", show: (v) => v.name ?? "–" },
      { label: "Personality", show: (v) => h("details", {}, h("summary", {}, `${(v.personality ?? "").slice(0, 60)}…`), h("p", { class: "speech-text" }, v.personality)) },
      { label: "State", show: (v) => (v.personality === coach.personality && v.name === coach.name && v.description === coach.description && v.avatar_url === coach.avatar_url ? badge("As it is now") : actionButton("Bring it back", async () => {
        if (!(await confirm(context, { title: "Bring this version back?", points: ["Its name, line, personality and picture hold from the next chat on.", "What it is like now stays among the versions."], yes: "Bring it back" }))) return;
        await context.api.put(path`/admin/coaches/${coach.id}`, { version_id: v.id });
        toast("It is back.");
        context.refresh();
      })) },
    ] });
}
