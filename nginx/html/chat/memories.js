/** What coaches remember of the person: a dialog that shows it, adds to it, and lets it go. */

import { $, ask, h, icon, speak } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { hasWords, locale, t } from "../lib/words.js";

const MOST = 200; // no more are kept
const DAY = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long" });

/** What kind of thing it is, in words. */
function kindOf({ type }) {
  return hasWords(`kind.${type}`) ? t(`kind.${type}`) : type;
}

/** Where a memory is from, in words. */
function origin({ source, answer_id: answer, last_said_at: said, created_at: made }) {
  const day = DAY.format(new Date(said ?? made));
  // Only what comes from feedback names an answer: wishes, and what we had wrong.
  if (source === "feedback" || (answer && source !== "user")) return t("memories.fromFeedback", { day });
  if (source === "user") return t("memories.fromUser", { day });
  return t(source === "deployment" ? "memories.fromDeployment" : "memories.fromChat", { day });
}

export class Memories {
  #client;
  #items = [];
  #reading = 0; // which reading of them is the last one

  constructor({ client }) {
    this.#client = client;
    this.list = h("ul", { class: "memories" });
    this.state = h("p", { class: "hint memories-state", role: "status" });
    this.error = h("p", { class: "form-error", role: "alert" });
    this.text = h("input", { id: "memory-text", class: "field", maxlength: 500, autocomplete: "off", placeholder: t("memories.example") });
    this.all = h("button", { class: "text-button", type: "button", onclick: () => this.#forgetAll() }, t("memories.forgetAll"));
    $("memories").append(
      h("p", { class: "hint" }, t("memories.hint")),
      h("form", { class: "memory-form", onsubmit: (event) => this.#add(event) },
        h("label", { class: "visually-hidden", for: "memory-text" }, t("memories.text")), this.text,
        h("button", { class: "button", type: "submit" }, t("memories.add"))),
      this.error, this.state, this.list, this.all);
  }

  async open() {
    const reading = ++this.#reading;
    this.#items = [];
    this.#show(t("page.loading"));
    $("memories-dialog").showModal();
    try {
      const { data, memory_enabled: enabled } = await this.#client().memories({ limit: MOST });
      if (reading !== this.#reading) return;
      this.#items = data;
      this.#show(t(enabled ? "memories.noneYet" : "memories.off"), !enabled);
    } catch (error) {
      if (reading !== this.#reading) return;
      this.#show("");
      this.error.textContent = t("memories.unread", { why: messageOf(error) });
    }
  }

  /** Of nobody any more. */
  clear() {
    this.#reading++;
    this.#items = [];
    this.text.value = "";
    this.#show("");
  }

  /** Shows what there is; `note` where that is nothing, or always. */
  #show(note, always = false) {
    this.error.textContent = "";
    this.state.textContent = this.#items.length === 0 || always ? note : "";
    this.all.hidden = this.#items.length === 0;
    this.list.replaceChildren(...this.#items.map((memory) => h("li", { class: "memory" },
      h("div", { class: "memory-words" },
        h("span", { class: "memory-kind" }, kindOf(memory)), h("span", { class: "memory-text" }, memory.text),
        h("span", { class: "hint" }, origin(memory))),
      h("button", { class: "icon-button", type: "button", "aria-label": t("memories.forgetOne", { text: memory.text }), title: t("memories.forget"),
        onclick: () => this.#forget(memory) }, icon("trash")))));
  }

  async #change(change) {
    try {
      await change();
      this.#show(t("memories.none"));
    } catch (error) {
      this.error.textContent = t("page.didNotWork", { why: messageOf(error) });
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
      speak(t("memories.added"));
    });
  }

  #forget(memory) {
    return this.#change(async () => {
      await this.#client().forgetMemory(memory.id);
      this.#items = this.#items.filter(({ id }) => id !== memory.id);
      speak(t("memories.forgotten"));
      this.text.focus();
    });
  }

  async #forgetAll() {
    const sure = await ask({ title: t("memories.forgetAllTitle"), text: t("memories.forgetAllText"), yes: t("memories.forgetAll"), danger: true });
    if (!sure) return;
    await this.#change(async () => {
      await this.#client().forgetMemory();
      this.#items = [];
      speak(t("memories.allForgotten"));
    });
  }
}
