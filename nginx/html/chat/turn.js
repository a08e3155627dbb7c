/**
 * One turn of the conversation: what the person wrote and the answer below it, with its marks, its
 * feedback and its troubles. A turn shows what it is told; app.js decides.
 */

import { avatar, bandName, lookOf } from "./coach.js";
import { h, icon, speak } from "../lib/dom.js";
import { answerStart, plainText, showMarkdown } from "../lib/markdown.js";
import { readCitations, sourceList } from "./sources.js";
import { Uses } from "./uses.js";

const SPEAK_EVERY_MS = 1500;

export class Turn {
  id = null; // the answer's id, once it is known
  text = "";
  feedback = { helpful: null, rating: null, feedback_text: null };
  #cited = readCitations(); // what the numbers in the text stand for
  used = {};
  #actions;
  #spoken = 0; // characters of the text that were read aloud
  #spokenAt = 0;
  #frame = 0;
  #timer = 0;
  #drawingMs = 0; // what the last drawing took
  #pending = Promise.resolve(); // feedback goes one at a time, in order
  #confirmed = { ...this.feedback };

  /** actions: {again(turn), feedback(id, changes), context(id), forget(memory's id)} */
  constructor({ message, coach, actions }) {
    this.message = message;
    this.#actions = actions;
    this.uses = new Uses(actions);
    this.#build(message);
    this.setCoach(coach);
  }

  /** {id, name, severity, mode} */
  setCoach(coach) {
    this.coach = coach;
    this.answer.style.setProperty("--hue", lookOf(coach.id).hue);
    this.face.replaceChildren(avatar(coach.id));
    this.who.textContent = coach.name;
    this.answer.setAttribute("aria-label", `Answer of ${coach.name}`);
    this.tone.textContent = coach.mode === "roast" ? "roast" : coach.severity ? bandName(coach.severity) : "";
  }

  /** waiting | streaming | complete | stopped | incomplete | failed */
  setState(state) {
    this.state = state;
    const busy = state === "waiting" || state === "streaming";
    this.answer.dataset.state = state;
    this.answer.setAttribute("aria-busy", String(busy));
    this.wait.hidden = state !== "waiting";
    this.body.hidden = this.text === "";
    this.tools.hidden = this.id === null || this.text === "";
    for (const button of this.whole) button.hidden = busy;
    if (!busy) this.#drawNow();
  }

  /** An answer that is there already. */
  show({ id, content, helpful = null, rating = null, feedback_text = null, outcome = "complete", citations = null, ...used }) {
    this.id = id;
    this.setUsed(used);
    this.text = content;
    this.#cited = readCitations(citations);
    this.#confirmed = { helpful, rating, feedback_text };
    this.feedback = { ...this.#confirmed };
    this.#showFeedback();
    const states = { complete: "complete", cancelled: "stopped", partial: "incomplete", failed: content === "" ? "failed" : "incomplete" };
    this.setState(states[outcome] ?? "complete");
  }

  /** What the answer was made with: {memories_used, passages_used}. */
  setUsed(used) {
    this.used = used;
    this.uses.tell(this.id, used);
  }

  /** Begins anew, keeping what was there for restore(). */
  begin() {
    this.before = this.text === "" ? null : { id: this.id, text: this.text, cited: this.#cited, feedback: this.feedback, used: this.used, coach: this.coach, state: this.state };
    this.id = null;
    this.setUsed({});
    this.text = "";
    this.#cited = readCitations();
    this.feedback = { helpful: null, rating: null, feedback_text: null };
    this.#confirmed = { ...this.feedback };
    this.#spoken = 0;
    this.#spokenAt = 0;
    this.note();
    this.#showFeedback();
    this.#closeComment();
    this.setState("waiting");
  }

  /** Back to the answer that a failed new one was to take the place of. Returns whether there was one. */
  restore() {
    const { before } = this;
    if (!before) return false;
    this.before = null;
    this.id = before.id;
    this.setUsed(before.used);
    this.text = before.text;
    this.#cited = before.cited;
    this.feedback = before.feedback;
    this.#confirmed = { ...before.feedback };
    this.setCoach(before.coach);
    this.#showFeedback();
    this.setState(before.state);
    return true;
  }

  /** The text so far is void; another one follows. */
  restart() {
    this.text = "";
    this.#spoken = 0;
    this.#spokenAt = 0;
  }

  add(delta) {
    this.text += delta;
    if (this.state !== "streaming") this.setState("streaming");
    this.#speakNew(false);
    // One drawing a frame, however many pieces come. A hidden page has no frames; and a text so long
    // that drawing it takes a while is drawn less often, so that the page stays usable.
    if (this.#frame || this.#timer) return;
    if (document.hidden || this.#drawingMs > 8) this.#timer = setTimeout(() => this.#drawNow(), Math.max(100, 4 * this.#drawingMs));
    else this.#frame = requestAnimationFrame(() => this.#drawNow());
  }

  /** `citations` as the server says them, of an answer that is whole. */
  end(state, citations = null) {
    this.#speakNew(true);
    this.#cited = readCitations(citations);
    this.before = null;
    this.setState(state);
  }

  /** A word below the answer, with buttons: [{label, act, primary}]. Without a text it goes away. `quiet` is for what is no news. */
  note(text = "", { kind = "info", buttons = [], detail = "", quiet = false } = {}) {
    const focused = this.notes.contains(document.activeElement);
    this.notes.replaceChildren();
    if (text !== "") this.#showNote(text, { kind, buttons, detail });
    if (text !== "" && !quiet) this.#speak(text);
    if (focused) (this.notes.querySelector("button") ?? this.answer).focus({ preventScroll: true });
  }

  #showNote(text, { kind, buttons, detail }) {
    this.notes.append(h("div", { class: `answer-note note-${kind}` },
      h("p", {}, text, detail && h("span", { class: "note-detail" }, detail)),
      buttons.length > 0 && h("div", { class: "note-buttons" }, buttons.map(({ label, act, primary }) =>
        h("button", { class: primary ? "button primary" : "button", type: "button", onclick: act }, label)))));
  }

  /** Changes the words of the note that is shown, unheard, and leaves its buttons and the focus alone. */
  setNoteText(text) {
    const paragraph = this.notes.querySelector("p");
    if (paragraph) paragraph.textContent = text;
  }

  /** Whether it is the last, and so can be asked again. */
  setLast(last) {
    this.againButton.classList.toggle("not-last", !last);
  }

  #build(message) {
    this.body = h("div", { class: "prose", onclick: (event) => this.#showSource(event) });
    this.sources = h("section", { class: "sources", "aria-label": "Sources of this answer", hidden: true });
    this.wait = h("p", { class: "wait" }, h("span", { class: "wait-dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      h("span", { class: "visually-hidden" }, "The answer is on its way"));
    this.notes = h("div", { class: "notes" });
    this.face = h("div", { class: "face", "aria-hidden": "true" });
    this.who = h("span", { class: "who" });
    this.tone = h("span", { class: "tone" });
    this.#buildTools();
    this.answer = h("article", { class: "answer", tabindex: -1 }, this.face,
      h("div", { class: "answer-main" }, h("h2", { class: "answer-head" }, this.who, this.tone), this.wait, this.body, this.sources, this.notes, this.tools, this.commentBox, this.uses.box));
    const text = h("div", { class: "question-text prose" });
    showMarkdown(text, message, { breaks: true, thoughts: false });
    const question = h("div", { class: "question" }, h("span", { class: "visually-hidden" }, "You said: "), text);
    this.node = h("li", { class: "turn" }, message !== "" && question, this.answer);
  }

  #buildTools() {
    const button = (name, label, act) => h("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick: act }, icon(name));
    this.thumbs = [[true, "Helpful", ""], [false, "Not helpful", "flip"]].map(([value, label, flip]) => {
      const node = h("button", { class: `icon-button thumb ${flip}`, type: "button", "aria-label": label, title: label, "aria-pressed": "false",
        onclick: () => this.#give({ helpful: this.feedback.helpful === value ? null : value }) }, icon("thumb"));
      node.thumb = value;
      return node;
    });
    this.stars = [1, 2, 3, 4, 5].map((n) => h("button", { class: "star", type: "button", "aria-pressed": "false",
      "aria-label": n === 1 ? "1 star" : `${n} stars`, onclick: () => this.#give({ rating: this.feedback.rating === n ? null : n }) }, icon("star")));
    this.copyButton = button("copy", "Copy the answer", () => this.#copy());
    this.againButton = button("again", "Answer again", () => this.#actions.again(this));
    this.againButton.classList.add("again");
    this.commentButton = button("comment", "Comment on this answer", () => this.#toggleComment());
    this.commentButton.setAttribute("aria-expanded", "false");
    this.starGroup = h("div", { class: "stars", role: "group", "aria-label": "Rating" }, this.stars);
    this.whole = [this.copyButton, this.againButton, this.commentButton, this.starGroup]; // for answers that have ended
    this.tools = h("div", { class: "tools", role: "group", "aria-label": "This answer", hidden: true },
      this.thumbs, this.copyButton, this.againButton, this.commentButton, this.starGroup, this.uses.button);
    this.comment = h("textarea", { rows: 2, maxlength: 10000, "aria-label": "Your comment", onkeydown: (event) => this.#commentKey(event) });
    this.commentBox = h("form", { class: "comment-box", hidden: true, onsubmit: (event) => this.#sendComment(event) }, this.comment,
      h("div", { class: "card-actions" }, h("button", { class: "button", type: "button", onclick: () => this.#closeComment(true) }, "Cancel"),
        h("button", { class: "button primary", type: "submit" }, "Save")));
  }

  #drawNow() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = this.#timer = 0;
    const begun = performance.now();
    showMarkdown(this.body, this.text, { open: this.state === "streaming", cited: this.#cited });
    this.#drawingMs = performance.now() - begun;
    const { sources } = this;
    if (sources.cited === this.#cited) return;
    sources.cited = this.#cited;
    sources.replaceChildren(...sourceList(this.#cited));
    sources.hidden = this.#cited.size === 0;
  }

  /** A number whose source has no address leads to its entry in the list. */
  #showSource(event) {
    const number = event.target.closest("button.cite")?.dataset.number;
    if (number !== undefined) this.sources.querySelector(`[data-number="${number}"]`)?.focus();
  }

  /** Whole sentences, and not too often: each one is read to its end. */
  #speakNew(all) {
    const now = performance.now();
    if (!all && now - this.#spokenAt < SPEAK_EVERY_MS) return;
    this.#spoken = Math.max(this.#spoken, answerStart(this.text)); // thoughts are not read aloud
    const rest = this.text.slice(this.#spoken);
    const end = all ? rest.length : Math.max(...[". ", "! ", "? ", "\n", "。"].map((mark) => rest.lastIndexOf(mark))) + 1;
    if (end <= 0) return;
    this.#spoken += end;
    this.#spokenAt = now;
    const words = plainText(rest.slice(0, end)).trim();
    if (words !== "") this.#speak(words);
  }

  #speak(words) {
    if (this.node.isConnected) speak(words); // its conversation is open
  }

  #showFeedback() {
    for (const thumb of this.thumbs) thumb.setAttribute("aria-pressed", String(this.feedback.helpful === thumb.thumb));
    this.stars.forEach((star, i) => {
      star.setAttribute("aria-pressed", String(this.feedback.rating === i + 1));
      star.classList.toggle("lit", i < (this.feedback.rating ?? 0));
    });
    const commented = Boolean(this.feedback.feedback_text);
    this.commentButton.classList.toggle("has-comment", commented);
    const label = commented ? "Change your comment" : "Comment on this answer";
    this.commentButton.setAttribute("aria-label", label);
    this.commentButton.title = label;
  }

  /** Shows it at once; takes it back when the server does not take it. */
  #give(changes) {
    const { id } = this;
    this.feedback = { ...this.feedback, ...changes };
    this.#showFeedback();
    this.#pending = this.#pending.then(async () => {
      try {
        await this.#actions.feedback(id, changes);
        if (this.id !== id) return;
        Object.assign(this.#confirmed, changes);
        if (this.notes.querySelector(".note-feedback")) this.note();
      } catch (error) {
        if (this.id !== id) return;
        this.feedback = { ...this.#confirmed };
        this.#showFeedback();
        this.note(`Your feedback was not stored: ${error.message}.`, { kind: "feedback" });
      }
    });
    return this.#pending;
  }

  #toggleComment() {
    if (!this.commentBox.hidden) return this.#closeComment(true);
    this.commentBox.hidden = false;
    this.commentButton.setAttribute("aria-expanded", "true");
    this.comment.value = this.feedback.feedback_text ?? "";
    this.comment.placeholder = this.feedback.helpful === false ? "What would have helped?" : "What was good, what was not?";
    this.comment.focus();
    this.commentBox.scrollIntoView({ block: "nearest" });
    return undefined;
  }

  #closeComment(focus = false) {
    this.commentBox.hidden = true;
    this.commentButton.setAttribute("aria-expanded", "false");
    if (focus) this.commentButton.focus();
  }

  #sendComment(event) {
    event.preventDefault();
    const text = this.comment.value.trim();
    this.#closeComment(true);
    if (text === (this.feedback.feedback_text ?? "")) return;
    this.#give({ feedback_text: text === "" ? null : text }).then(() => {
      if ((this.feedback.feedback_text ?? "") === text) speak(text === "" ? "Comment taken back" : "Comment saved");
    });
  }

  #commentKey(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.#closeComment(true);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.commentBox.requestSubmit();
    }
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.text.slice(answerStart(this.text)).trim() || this.text);
    } catch {
      speak("Copying is not allowed here");
      return;
    }
    speak("Copied");
    this.copyButton.replaceChildren(icon("check"));
    setTimeout(() => this.copyButton.replaceChildren(icon("copy")), 1500);
  }
}
