/** A conversation as text: shared by what the device has for that, copied, or saved. */

import { $, h, icon, speak } from "../lib/dom.js";
import { copy, save } from "../lib/keep.js";
import { answerStart } from "../lib/markdown.js";
import { locale, t } from "../lib/words.js";

const NAME_MAX = 60; // characters of a file's

/** What was said, by whom. */
export function conversationText(turns, title) {
  const day = new Date().toLocaleDateString(locale, { dateStyle: "long" });
  const said = turns.flatMap((turn) => [
    turn.message !== "" && `${t("share.you")}\n${turn.message}`,
    turn.text !== "" && `${turn.coach.name}:\n${turn.text.slice(answerStart(turn.text)).trim() || turn.text}`,
  ]).filter(Boolean);
  return `${title}\n${day}\n\n${said.join("\n\n")}\n`;
}

export class Share {
  #conversation;

  /** `conversation()` gives {turns, title} of the one that is open. */
  constructor({ conversation }) {
    this.#conversation = conversation;
    const action = (id, name, label, act) => h("button", { class: "button", type: "button", id, onclick: act }, icon(name), label);
    // Where the device can share, that comes first.
    $("share-actions").append(
      ...(navigator.share === undefined ? [] : [action("share-away", "share", t("share.away"), () => this.#share())]),
      action("share-copy", "copy", t("share.copy"), () => this.#copy()), action("share-save", "down", t("share.save"), () => this.#save()));
  }

  open() {
    $("share-state").textContent = "";
    $("share-dialog").showModal();
  }

  #text() {
    const { turns, title } = this.#conversation();
    return conversationText(turns, title);
  }

  async #share() {
    try {
      await navigator.share({ title: this.#conversation().title, text: this.#text() });
      $("share-dialog").close();
    } catch (error) {
      if (error.name !== "AbortError") $("share-state").textContent = t("share.refused");
    }
  }

  async #copy() {
    if (await copy(this.#text(), (why) => ($("share-state").textContent = why))) $("share-dialog").close();
  }

  #save() {
    const name = this.#conversation().title.replace(/[^\p{L}\p{N} _-]+/gu, " ").trim().slice(0, NAME_MAX).trim() || "uplift";
    save(new Blob([this.#text()], { type: "text/plain;charset=utf-8" }), `${name}.txt`);
    $("share-dialog").close();
    speak(t("data.downloaded"));
  }
}
