/** What a model thought before its answer, where its provider tells: folded away, and fetched of an older answer when it is opened. */

import { h } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { showMarkdown } from "../lib/markdown.js";
import { t } from "../lib/words.js";

export class Thought {
  #load = null;

  constructor() {
    this.summary = h("summary", {});
    this.text = h("div", { class: "prose" });
    this.node = h("details", { class: "thought", hidden: true, ontoggle: () => this.#open() }, this.summary);
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
    this.#load = load;
    this.node.hidden = false;
    this.node.append(this.text);
    this.summary.textContent = t("prose.thought");
  }

  async #open() {
    const load = this.#load;
    if (!this.node.open || load === null) return;
    this.#load = null;
    this.text.textContent = t("page.looking");
    try {
      const text = (await load()) ?? "";
      this.text.replaceChildren();
      showMarkdown(this.text, text === "" ? t("prose.thoughtGone") : text, { thoughts: false });
    } catch (error) {
      this.#load = load;
      this.text.textContent = t("page.didNotWork", { why: messageOf(error) });
    }
  }
}
