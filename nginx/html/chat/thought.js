/** What a model thought before its answer, where its provider tells: folded away, and fetched of an older answer when it is opened. */

import { h } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { showMarkdown } from "../lib/markdown.js";
import { t } from "../lib/words.js";

export class Thought {
  #load = null; // what fetches one that is not here
  #isRead = false; // whether it has been

  constructor() {
    this.summary = h("summary", {});
    this.text = h("div", { class: "prose" });
    this.node = h("details", { class: "thought", hidden: true, ontoggle: () => this.#open() }, this.summary);
  }

  /** What was offered to fetch it, null where it is here. */
  get offered() {
    return this.#load;
  }

  /** None, until there is one. */
  clear() {
    this.#load = null;
    this.node.open = false;
    this.node.hidden = true;
    this.text.remove();
    this.text = h("div", { class: "prose" });
  }

  /** All of it so far, and whether more is to come. */
  show(text, thinks) {
    this.#load = null;
    this.node.hidden = text === "";
    if (text !== "") this.node.append(this.text);
    this.summary.textContent = t(thinks ? "prose.thinking" : "prose.thought");
    if (this.node.open || !thinks) showMarkdown(this.text, text, { open: thinks, thoughts: false });
  }

  /** There is one that `load` resolves to. */
  offer(load) {
    this.clear();
    this.#load = load;
    this.#isRead = false;
    this.node.hidden = false;
    this.node.append(this.text);
    this.summary.textContent = t("prose.thought");
  }

  async #open() {
    const { text: place } = this; // another answer's has another one
    if (!this.node.open || this.#load === null || this.#isRead) return;
    this.#isRead = true;
    place.textContent = t("page.loading");
    try {
      const text = (await this.#load()) ?? "";
      place.replaceChildren();
      showMarkdown(place, text === "" ? t("prose.thoughtGone") : text, { thoughts: false });
    } catch (error) {
      if (place === this.text) this.#isRead = false;
      place.textContent = t("page.didNotWork", { why: messageOf(error) });
    }
  }
}
