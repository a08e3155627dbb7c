/** What the person wrote: shown, copied, and edited where it stands. */

import { h, icon, speak } from "../lib/dom.js";
import { highlightCode } from "../lib/highlight.js";
import { showMarkdown } from "../lib/markdown.js";
import { t } from "../lib/words.js";

export class Question {
  #edit;
  #form = null;

  /** `edit(text)` is told what is to be asked instead. */
  constructor({ message, edit }) {
    this.#edit = edit;
    this.text = h("div", { class: "question-text prose" });
    const button = (name, label, act) => h("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick: act }, icon(name));
    this.editButton = button("pen", t("question.edit"), () => this.open());
    this.copyButton = button("copy", t("question.copy"), () => this.#copy());
    this.tools = h("div", { class: "question-tools", role: "group", "aria-label": t("question.tools") }, this.copyButton, this.editButton);
    this.node = h("div", { class: "question" }, h("span", { class: "visually-hidden" }, t("turn.youSaid")), this.text, this.tools);
    this.show(message);
  }

  show(message) {
    this.message = message;
    this.node.hidden = message === "";
    showMarkdown(this.text, message, { breaks: true, thoughts: false });
    highlightCode(this.text);
  }

  /** Whether it may be edited now. */
  setEditable(editable) {
    this.editButton.hidden = !editable;
    if (!editable) this.#close();
  }

  open() {
    if (this.editButton.hidden || this.#form !== null) return;
    const box = h("textarea", { rows: 2, "aria-label": t("question.editLabel"), onkeydown: (event) => this.#key(event), oninput: () => this.#fit() });
    box.value = this.message;
    this.#form = h("form", { class: "question-edit", onsubmit: (event) => this.#send(event) }, box,
      h("div", { class: "card-actions" }, h("button", { class: "button", type: "button", onclick: () => this.#close(true) }, t("page.cancel")),
        h("button", { class: "button primary", type: "submit" }, t("composer.send"))));
    this.#form.box = box;
    this.text.hidden = this.tools.hidden = true;
    this.node.append(this.#form);
    this.node.classList.add("is-edited");
    this.#fit();
    box.focus();
  }

  #close(focus = false) {
    if (this.#form === null) return;
    this.#form.remove();
    this.#form = null;
    this.text.hidden = this.tools.hidden = false;
    this.node.classList.remove("is-edited");
    if (focus) this.editButton.focus();
  }

  #fit() {
    const { box } = this.#form;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, innerHeight * 0.5)}px`;
  }

  #key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.#close(true);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !matchMedia("(pointer: coarse)").matches) {
      event.preventDefault();
      this.#form.requestSubmit();
    }
  }

  #send(event) {
    event.preventDefault();
    const text = this.#form.box.value.trim();
    if (text === "") return;
    this.#close(true);
    if (text !== this.message.trim()) this.#edit(text);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.message);
    } catch {
      speak(t("page.copyRefused"));
      return;
    }
    speak(t("page.copied"));
    this.copyButton.replaceChildren(icon("check"));
    setTimeout(() => this.copyButton.replaceChildren(icon("copy")), 1500);
  }
}
