/** What coaches remember of the person: a dialog that shows it, adds to it, and lets it go. */

import { $, ask, h, icon, speak } from "../lib/dom.js";

const MOST = 200; // no more are kept
const KINDS = { goal: "Goal", preference: "Preference", achievement: "Achievement", struggle: "Struggle", milestone: "Milestone" };
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long" });

/** Where a memory is from, in words. */
function origin({ source, answer_id: answer, last_said_at: said, created_at: made }) {
  const day = DAY.format(new Date(said ?? made));
  // Only what comes from feedback names an answer: wishes, and what we had wrong.
  if (source === "feedback" || (answer && source !== "user")) return `from your feedback on ${day}`;
  if (source === "user") return `added by you on ${day}`;
  return source === "deployment" ? `since ${day}` : `you said so on ${day}`;
}

export class Memories {
  #client;
  #items = [];

  constructor({ client }) {
    this.#client = client;
    this.list = h("ul", { class: "memories" });
    this.state = h("p", { class: "hint memories-state", role: "status" });
    this.error = h("p", { class: "form-error", role: "alert" });
    this.text = h("input", { id: "memory-text", class: "field", maxlength: 500, autocomplete: "off", placeholder: "I train best in the mornings" });
    this.all = h("button", { class: "text-button", type: "button", onclick: () => this.#forgetAll() }, "Forget all");
    $("memories").append(
      h("p", { class: "hint" }, "Your coaches use this in later conversations. It is yours: nobody else sees it, and what you forget here is not learnt again."),
      h("form", { class: "memory-form", onsubmit: (event) => this.#add(event) },
        h("label", { class: "visually-hidden", for: "memory-text" }, "Something to remember"), this.text,
        h("button", { class: "button", type: "submit" }, "Remember")),
      this.error, this.state, this.list, this.all);
  }

  async open() {
    this.#items = [];
    this.#show("Looking…");
    $("memories-dialog").showModal();
    try {
      const { data, memory_enabled: enabled } = await this.#client().memories({ limit: MOST });
      this.#items = data;
      this.#show(enabled ? "Nothing yet. What you tell your coach about your goals, likes and hurdles will be here." :
        "Memory is off: nothing is learnt, and nothing of this is used.", !enabled);
    } catch (error) {
      this.#show("");
      this.error.textContent = `What is remembered could not be read: ${error.message}.`;
    }
  }

  /** Shows what there is; `note` where that is nothing, or always. */
  #show(note, always = false) {
    this.error.textContent = "";
    this.state.textContent = this.#items.length === 0 || always ? note : "";
    this.all.hidden = this.#items.length === 0;
    this.list.replaceChildren(...this.#items.map((memory) => h("li", { class: "memory" },
      h("div", { class: "memory-words" },
        h("span", { class: "memory-kind" }, KINDS[memory.type] ?? memory.type), h("span", { class: "memory-text" }, memory.text),
        h("span", { class: "hint" }, origin(memory))),
      h("button", { class: "icon-button", type: "button", "aria-label": `Forget: ${memory.text}`, title: "Forget",
        onclick: () => this.#forget(memory) }, icon("trash")))));
  }

  async #change(change) {
    try {
      await change();
      this.#show("Nothing is remembered.");
    } catch (error) {
      this.error.textContent = `That did not work: ${error.message}.`;
    }
  }

  #add(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    if (text === "") return undefined;
    return this.#change(async () => {
      const memory = await this.#client().addMemory({ text });
      this.#items = [memory, ...this.#items.filter(({ id }) => id !== memory.id)];
      this.text.value = "";
      speak("Remembered");
    });
  }

  #forget(memory) {
    return this.#change(async () => {
      await this.#client().forgetMemory(memory.id);
      this.#items = this.#items.filter(({ id }) => id !== memory.id);
      speak("Forgotten");
      this.text.focus();
    });
  }

  async #forgetAll() {
    const sure = await ask({ title: "Forget all?", text: "Everything that your coaches remember of you is deleted, and not learnt again. This cannot be undone.",
      yes: "Forget all", danger: true });
    if (!sure) return;
    await this.#change(async () => {
      await this.#client().forgetMemory();
      this.#items = [];
      speak("All is forgotten");
    });
  }
}
