/**
 * One turn of the conversation: what the person wrote and the answer below it, with its marks, its
 * feedback and its troubles. A turn shows what it is told; app.js decides.
 */

import { avatar, bandName, lookOf } from "./coach.js";
import { h, icon, speak } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { highlightCode } from "../lib/highlight.js";
import { copyButton } from "../lib/keep.js";
import { answerStart, plainText, showMarkdown } from "../lib/markdown.js";
import { Question } from "./question.js";
import { readCitations, sourceList } from "./sources.js";
import { Thought } from "./thought.js";
import { Uses } from "./uses.js";
import { t } from "../lib/words.js";

const SPEAK_EVERY_MS = 1500;

export class Turn {
  id = null; // the answer's id, once it is known
  text = "";
  feedback = { helpful: null, rating: null, feedback_text: null };
  reasoning = ""; // what the model thought, of an answer that came while the page was open
  versions = []; // ids of all versions of this turn, the oldest first; none while there is one
  #cited = readCitations(); // what the numbers in the text stand for
  #goesOn = false; // what comes begins with the text that is there
  #asked = null; // the question that an edited one stands in for, until that is answered
  wanted = null; // what is to be asked in the place of the question, until that is answered
  used = {};
  #actions;
  #spoken = 0; // characters of the text that were read aloud
  #spokenAt = 0;
  #frame = 0;
  #timer = 0;
  #drawingMs = 0; // what the last drawing took
  #pending = Promise.resolve(); // feedback goes one at a time, in order
  #confirmed = { ...this.feedback };

  /** actions: {again(turn), edit(turn, text), version(turn, id), feedback(id, changes), context(id), forget(memory's id)} */
  constructor({ message, coach, actions }) {
    this.#actions = actions;
    this.uses = new Uses(actions);
    this.question = new Question({ message, edit: (text) => actions.edit(this, text), wanted: () => this.wanted });
    this.thought = new Thought();
    this.#build();
    this.setCoach(coach);
  }

  /** What was asked. */
  get message() {
    return this.question.message;
  }

  /** Shows another question in the place of this one, until unask(). */
  ask(message) {
    this.#asked ??= this.message;
    this.question.show(message);
  }

  /** Back to the question that was there. */
  unask() {
    if (this.#asked !== null) this.question.show(this.#asked);
    this.#asked = null;
  }

  /** {id, name, severity, mode} */
  setCoach(coach) {
    this.coach = coach;
    this.answer.style.setProperty("--hue", lookOf(coach.id).hue);
    this.face.replaceChildren(avatar(coach.id));
    this.who.textContent = coach.name;
    this.answer.setAttribute("aria-label", t("turn.answerOf", { coach: coach.name }));
    this.tone.textContent = coach.mode === "roast" ? t("coach.roastTone") : coach.severity ? bandName(coach.severity) : "";
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
    this.question.setEditable(!busy && this.id !== null);
    for (const button of this.whole) button.hidden = busy;
    if (!busy) this.#drawNow();
  }

  /** An answer that is there already. */
  show({ id, content, helpful = null, rating = null, feedback_text = null, outcome = "complete", citations = null, versions = null, has_reasoning: hasReasoning = false, ...used }) {
    this.id = id;
    this.text = content;
    this.#cited = readCitations(citations);
    this.setUsed(used);
    this.setVersions(versions ?? []);
    if (hasReasoning) this.thought.offer(async () => (await this.#actions.context(id)).reasoning_content);
    this.#confirmed = { helpful, rating, feedback_text };
    this.feedback = { ...this.#confirmed };
    this.#showFeedback();
    const states = { complete: "complete", cancelled: "stopped", partial: "incomplete", failed: content === "" ? "failed" : "incomplete" };
    this.setState(states[outcome] ?? "complete");
  }

  /** What the answer was made with: {memories_used, passages_used, examples_used}, and the sources that it cites. */
  setUsed(used) {
    this.used = used;
    this.uses.tell(this.id, { ...used, sources: this.#cited.size });
  }

  /** Ids of all versions, its own among them; fewer than two are none to choose from. */
  setVersions(ids) {
    this.versions = ids;
    const at = ids.indexOf(this.id);
    this.pager.hidden = at < 0 || ids.length < 2;
    if (this.pager.hidden) return;
    this.pagerText.textContent = t("versions.place", { place: at + 1, of: ids.length });
    [this.older.disabled, this.newer.disabled] = [at === 0, at === ids.length - 1];
  }

  /** Begins anew, keeping what was there for restore(); `goesOn`: what comes begins with the text that is there. */
  begin({ goesOn = false } = {}) {
    this.before = this.text === "" ? null : { id: this.id, text: this.text, cited: this.#cited, feedback: this.feedback, used: this.used,
      coach: this.coach, state: this.state, reasoning: this.reasoning, thought: this.thought.offered, versions: this.versions };
    this.id = null;
    this.#goesOn = goesOn;
    this.#cited = goesOn ? this.#cited : readCitations();
    this.text = goesOn ? this.text : "";
    this.reasoning = "";
    this.thought.clear();
    this.setUsed({});
    this.setVersions([]);
    this.feedback = { helpful: null, rating: null, feedback_text: null };
    this.#confirmed = { ...this.feedback };
    this.#spoken = 0;
    this.#spokenAt = 0;
    this.note();
    this.#showFeedback();
    this.#closeComment();
    this.setState("waiting");
    this.question.setEditable(false);
  }

  /** Back to the answer that a failed new one was to take the place of. Returns whether there was one. */
  restore() {
    const { before } = this;
    if (!before) return false;
    this.before = null;
    this.unask();
    this.id = before.id;
    this.text = before.text;
    this.reasoning = before.reasoning;
    if (before.thought !== null) this.thought.offer(before.thought);
    else this.thought.show(before.reasoning, false);
    this.#cited = before.cited;
    this.setUsed(before.used);
    this.setVersions(before.versions);
    this.feedback = before.feedback;
    this.#confirmed = { ...before.feedback };
    this.setCoach(before.coach);
    this.#showFeedback();
    this.setState(before.state);
    return true;
  }

  /** The text so far is void, and gone at once; another one follows, however long it takes to begin. */
  restart() {
    this.#goesOn = false;
    this.text = "";
    this.reasoning = "";
    this.thought.clear();
    this.#spoken = 0;
    this.#spokenAt = 0;
    this.setState("waiting");
    this.#drawNow();
  }

  /** All that the model thought so far. */
  think(reasoning) {
    if (reasoning === this.reasoning) return;
    this.reasoning = reasoning;
    this.thought.show(reasoning, this.text === "" || this.#goesOn);
  }

  add(delta) {
    if (delta === "") return;
    if (this.#goesOn) this.text = "";
    this.#goesOn = false;
    if (this.text === "") this.thought.show(this.reasoning, false);
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
    this.#goesOn = false;
    this.#asked = this.wanted = null;
    this.#cited = readCitations(citations);
    this.before = null;
    this.thought.show(this.reasoning, false);
    this.setUsed(this.used);
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

  #build() {
    this.body = h("div", { class: "prose", onclick: (event) => this.#showSource(event) });
    this.sources = h("section", { class: "sources", "aria-label": t("turn.sources"), hidden: true });
    this.wait = h("p", { class: "wait" }, h("span", { class: "wait-dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      h("span", { class: "visually-hidden" }, t("turn.waiting")));
    this.notes = h("div", { class: "notes" });
    this.face = h("div", { class: "face", "aria-hidden": "true" });
    this.who = h("span", { class: "who" });
    this.tone = h("span", { class: "tone" });
    this.#buildPager();
    this.#buildTools();
    this.answer = h("article", { class: "answer", tabindex: -1 }, this.face,
      h("div", { class: "answer-main" }, h("h2", { class: "answer-head" }, this.who, this.tone), this.thought.node, this.wait, this.body, this.sources, this.notes, this.tools, this.commentBox, this.uses.box));
    this.node = h("li", { class: "turn" }, this.question.node, this.answer);
  }

  #buildPager() {
    const step = (name, label, by) => h("button", { class: "icon-button", type: "button", "aria-label": label, title: label,
      onclick: () => this.#actions.version(this, this.versions[this.versions.indexOf(this.id) + by]) }, icon(name));
    this.older = step("left", t("versions.older"), -1);
    this.newer = step("right", t("versions.newer"), 1);
    this.pagerText = h("span", { class: "pager-text" });
    this.pager = h("div", { class: "pager", role: "group", "aria-label": t("versions.label"), hidden: true }, this.older, this.pagerText, this.newer);
  }

  #buildTools() {
    const button = (name, label, act) => h("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick: act }, icon(name));
    this.thumbs = [[true, t("turn.helpful"), ""], [false, t("turn.notHelpful"), "flip"]].map(([value, label, flip]) => {
      const node = h("button", { class: `icon-button thumb ${flip}`, type: "button", "aria-label": label, title: label, "aria-pressed": "false",
        onclick: () => this.#give({ helpful: this.feedback.helpful === value ? null : value }) }, icon("thumb"));
      node.thumb = value;
      return node;
    });
    this.stars = [1, 2, 3, 4, 5].map((n) => h("button", { class: "star", type: "button", "aria-pressed": "false",
      "aria-label": t("turn.stars", { n }), onclick: () => this.#give({ rating: this.feedback.rating === n ? null : n }) }, icon("star")));
    this.copyButton = copyButton(t("turn.copy"), () => this.text.slice(answerStart(this.text)).trim() || this.text);
    this.againButton = button("again", t("turn.again"), () => this.#actions.again(this));
    this.againButton.classList.add("again");
    this.commentButton = button("comment", t("turn.comment"), () => this.#toggleComment());
    this.commentButton.setAttribute("aria-expanded", "false");
    this.starGroup = h("div", { class: "stars", role: "group", "aria-label": t("turn.rating") }, this.stars);
    this.whole = [this.copyButton, this.againButton, this.commentButton, this.starGroup]; // for answers that have ended
    this.tools = h("div", { class: "tools", role: "group", "aria-label": t("turn.tools"), hidden: true },
      this.pager, this.thumbs, this.copyButton, this.againButton, this.commentButton, this.starGroup, this.uses.button);
    this.comment = h("textarea", { rows: 2, maxlength: 10000, "aria-label": t("turn.commentLabel"), onkeydown: (event) => this.#commentKey(event) });
    this.commentBox = h("form", { class: "comment-box", hidden: true, onsubmit: (event) => this.#sendComment(event) }, this.comment,
      h("div", { class: "card-actions" }, h("button", { class: "button", type: "button", onclick: () => this.#closeComment(true) }, t("page.cancel")),
        h("button", { class: "button primary", type: "submit" }, t("page.save"))));
  }

  #drawNow() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = this.#timer = 0;
    const begun = performance.now();
    showMarkdown(this.body, this.text, { open: this.state === "streaming", cited: this.#cited });
    // What is still growing gets its colours when it has come to its end.
    highlightCode(this.body, { but: this.state === "streaming" ? this.body.lastElementChild : null });
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
    const label = t(commented ? "turn.commentChange" : "turn.comment");
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
        this.note(t("turn.feedbackLost", { why: messageOf(error) }), { kind: "feedback" });
      }
    });
    return this.#pending;
  }

  #toggleComment() {
    if (!this.commentBox.hidden) return this.#closeComment(true);
    this.commentBox.hidden = false;
    this.commentButton.setAttribute("aria-expanded", "true");
    this.comment.value = this.feedback.feedback_text ?? "";
    this.comment.placeholder = t(this.feedback.helpful === false ? "turn.commentBad" : "turn.commentGood");
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
      if ((this.feedback.feedback_text ?? "") === text) speak(t(text === "" ? "turn.commentTakenBack" : "turn.commentSaved"));
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
}
