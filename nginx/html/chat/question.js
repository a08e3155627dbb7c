/** What the person wrote: shown, copied, and edited where it stands. */

import { h, icon } from "../lib/dom.js";
import { highlightCode } from "../lib/highlight.js";
import { copyButton } from "../lib/keep.js";
import { showMarkdown } from "../lib/markdown.js";
import { t } from "../lib/words.js";

export class Question {
  #edit;
  #wanted;
  #form = null;

  /** `edit(text)` is told what is to be asked instead, and says why that cannot be now, null otherwise; `wanted()` is what was not asked so far, or null. */
  constructor({ message, edit, wanted }) {
    this.#edit = edit;
    this.#wanted = wanted;
    this.text = h("div", { class: "question-text prose" });
    const label = t("question.edit");
    this.editButton = h("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick: () => this.open() }, icon("pen"));
    this.copyButton = copyButton(t("question.copy"), () => this.message);
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
    const box = h("textarea", { rows: 2, "aria-label": t("question.editLabel"), onkeydown: (event) => this.#key(event), oninput: () => this.#changed() });
    box.value = this.#wanted() ?? this.message;
    const error = h("p", { class: "form-error", role: "alert" });
    this.#form = h("form", { class: "question-edit", onsubmit: (event) => this.#send(event) }, box, error,
      h("div", { class: "card-actions" }, h("button", { class: "button", type: "button", onclick: () => this.#close(true) }, t("page.cancel")),
        h("button", { class: "button primary", type: "submit" }, t("composer.send"))));
    Object.assign(this.#form, { box, error });
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

  #changed() {
    this.#form.error.textContent = "";
    this.#fit();
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
    const why = text === this.message.trim() ? null : this.#edit(text);
    if (why === null) this.#close(true);
    else this.#form.error.textContent = why;
  }
}
