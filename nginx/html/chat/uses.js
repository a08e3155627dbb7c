/** The reason why an answer is as it is: the person's memories, earlier conversations, sources and examples that it was made with. Shown below it when asked; memories are let go there. */

import { h, icon, speak } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { readCitations } from "./sources.js";
import { enumerate, locale, t } from "../lib/words.js";

const DAY = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });

export class Uses {
  #actions;
  #id = null;

  /** actions: {context(answer's id), forget(memory's id)} */
  constructor(actions) {
    this.#actions = actions;
    this.button = h("button", { class: "text-button uses-button", type: "button", hidden: true, "aria-expanded": "false", onclick: () => this.#toggle() });
    this.list = h("ul", { class: "memories" });
    this.state = h("p", { class: "hint" });
    this.box = h("section", { class: "uses", "aria-label": t("uses.label"), hidden: true }, this.state, this.list);
  }

  /** How many there are of the answer with that id: {memories_used, passages_used, examples_used, sources}, which may be left out. */
  tell(id = null, { memories_used: memories = 0, passages_used: passages = 0, examples_used: examples = 0, sources = 0 } = {}) {
    const words = enumerate([["uses.memories", memories], ["uses.passages", passages], ["uses.sources", sources], ["uses.examples", examples]].filter(([, n]) => n > 0).map(([key, n]) => t(key, { n })));
    this.#id = id;
    this.button.hidden = words === "";
    this.button.textContent = t("uses.button", { what: words });
    this.#close();
  }

  #close() {
    this.box.hidden = true;
    this.list.replaceChildren();
    this.button.setAttribute("aria-expanded", "false");
  }

  async #toggle() {
    if (!this.box.hidden) return this.#close();
    const id = this.#id;
    this.box.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.list.replaceChildren();
    this.state.textContent = t("page.loading");
    try {
      const context = await this.#actions.context(id);
      if (this.#id === id) this.#show(context);
    } catch (error) {
      if (this.#id === id) this.state.textContent = t("uses.unread", { why: messageOf(error) });
    }
    return undefined;
  }

  #show({ memories, passages, citations = [], examples_used: examples = 0 }) {
    const item = (kind, ...words) => h("li", { class: "memory" }, h("div", { class: "memory-words" }, h("span", { class: "memory-kind" }, kind), words));
    const sources = [...readCitations(citations).values()];
    this.list.replaceChildren(...memories.map((memory) => this.#memory(memory)),
      ...passages.map((passage) => item(t("uses.saidOn", { day: DAY.format(new Date(passage.created_at)) }), h("span", { class: "memory-text" }, passage.user_message))),
      ...sources.map(({ title, url }) => item(t("uses.source"), h("span", { class: "memory-text" },
        url === null ? title : h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, title)))),
      ...(examples > 0 ? [item(t("uses.example"), h("span", { class: "hint" }, t("uses.examplesHint", { n: examples })))] : []));
    this.#sayIfEmpty();
  }

  #memory(memory) {
    const item = h("li", { class: "memory" },
      h("div", { class: "memory-words" }, h("span", { class: "memory-kind" }, t("uses.memory")), h("span", { class: "memory-text" }, memory.text)),
      h("button", { class: "icon-button", type: "button", "aria-label": t("memories.forgetOne", { text: memory.text }), title: t("memories.forget"),
        onclick: () => this.#forget(memory, item) }, icon("trash")));
    return item;
  }

  #sayIfEmpty() {
    this.state.textContent = this.list.children.length === 0 ? t("uses.none") : "";
  }

  async #forget(memory, item) {
    try {
      await this.#actions.forget(memory.id);
    } catch (error) {
      if (error.code !== "memory_not_found") {
        this.state.textContent = t("page.didNotWork", { why: messageOf(error) });
        return;
      }
    }
    item.remove();
    this.#sayIfEmpty();
    speak(t("memories.forgotten"));
    this.button.focus();
  }
}
