/** What of the person's memories and earlier conversations an answer was made with: shown below it when asked, and let go there. */

import { h, icon, speak } from "../lib/dom.js";

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });

function counted(n, one, many) {
  return n === 0 ? null : n === 1 ? `1 ${one}` : `${n} ${many}`;
}

export class Uses {
  #actions;
  #id = null;

  /** actions: {context(answer's id), forget(memory's id)} */
  constructor(actions) {
    this.#actions = actions;
    this.button = h("button", { class: "text-button uses-button", type: "button", hidden: true, "aria-expanded": "false", onclick: () => this.#toggle() });
    this.list = h("ul", { class: "memories" });
    this.state = h("p", { class: "hint" });
    this.box = h("section", { class: "uses", "aria-label": "What this answer used", hidden: true }, this.state, this.list);
  }

  /** How many there are of the answer with that id: {memories_used, passages_used}, which may be left out. */
  tell(id = null, { memories_used: memories = 0, passages_used: passages = 0 } = {}) {
    const words = [counted(memories, "memory", "memories"), counted(passages, "earlier message", "earlier messages")].filter(Boolean).join(", ");
    this.#id = id;
    this.button.hidden = words === "";
    this.button.textContent = `uses ${words}`;
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
    this.state.textContent = "Looking…";
    try {
      const context = await this.#actions.context(id);
      if (this.#id === id) this.#show(context);
    } catch (error) {
      if (this.#id === id) this.state.textContent = `What it used could not be read: ${error.message}.`;
    }
    return undefined;
  }

  #show({ memories, passages }) {
    this.list.replaceChildren(...memories.map((memory) => this.#memory(memory)), ...passages.map((passage) => h("li", { class: "memory" },
      h("div", { class: "memory-words" }, h("span", { class: "memory-kind" }, `You said on ${DAY.format(new Date(passage.created_at))}`),
        h("span", { class: "memory-text" }, passage.user_message)))));
    this.#sayIfEmpty();
  }

  #memory(memory) {
    const item = h("li", { class: "memory" },
      h("div", { class: "memory-words" }, h("span", { class: "memory-kind" }, "Memory"), h("span", { class: "memory-text" }, memory.text)),
      h("button", { class: "icon-button", type: "button", "aria-label": `Forget: ${memory.text}`, title: "Forget",
        onclick: () => this.#forget(memory, item) }, icon("trash")));
    return item;
  }

  #sayIfEmpty() {
    this.state.textContent = this.list.children.length === 0 ? "What it used is no longer there." : "";
  }

  async #forget(memory, item) {
    try {
      await this.#actions.forget(memory.id);
    } catch (error) {
      if (error.code !== "memory_not_found") {
        this.state.textContent = `That did not work: ${error.message}.`;
        return;
      }
    }
    item.remove();
    this.#sayIfEmpty();
    speak("Forgotten");
    this.button.focus();
  }
}
