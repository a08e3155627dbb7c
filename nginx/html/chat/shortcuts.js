/** Keys that do something, and the list of them. Single keys, which a voice or a slip may press, can be turned off. */

import { $, h, recall, remember } from "../lib/dom.js";
import { t } from "../lib/words.js";

const STORED = "uplift.singleKeys"; // "off", or not there
const IS_APPLE = /mac|iphone|ipad/i.test(navigator.userAgentData?.platform ?? navigator.platform ?? "");

/** Keys as they stand on the keyboard. */
function nameOf(key) {
  const names = { mod: IS_APPLE ? "⌘" : t("keys.ctrl"), shift: t("keys.shift"), escape: t("keys.escape"), enter: t("keys.enter"), up: "↑" };
  return names[key] ?? key.toUpperCase();
}

export class Shortcuts {
  #acts;

  /** What keys do: {search(), startNew(), editLast()}, the last telling whether there is one. */
  constructor(acts) {
    this.#acts = acts;
    const single = h("input", { type: "checkbox", role: "switch", class: "switch", id: "single-keys", checked: this.#singleKeys, onchange: () =>
      remember("localStorage", STORED, single.checked ? null : "off") });
    const rows = [[["enter"], "keys.send"], [["shift", "enter"], "keys.newLine"], [["up"], "keys.editLast"], [["escape"], "keys.stop"],
      [["mod", "k"], "keys.search"], [["mod", "shift", "o"], "keys.new"], [["mod", "/"], "keys.list"], [["?"], "keys.list"]];
    $("shortcut-list").append(...rows.map(([keys, what]) => h("div", { class: "shortcut" }, h("dt", {}, t(what)),
      h("dd", {}, keys.map((key) => h("kbd", {}, nameOf(key)))))));
    $("shortcut-options").append(h("label", { for: "single-keys", class: "option-label" }, t("keys.single")),
      h("span", { class: "hint" }, t("keys.singleHint")), single);
    document.addEventListener("keydown", (event) => this.#press(event));
    $("message").addEventListener("keydown", (event) => {
      if (event.key === "ArrowUp" && $("message").value === "" && !event.isComposing && acts.editLast()) event.preventDefault();
    });
  }

  open() {
    $("shortcuts-dialog").showModal();
  }

  get #singleKeys() {
    return recall("localStorage", STORED) !== "off";
  }

  #press(event) {
    if (document.querySelector("dialog[open]") || event.altKey || event.isComposing) return;
    const act = this.#actOf(event);
    if (act === null) return;
    event.preventDefault();
    act();
  }

  #actOf({ key, ctrlKey, metaKey, shiftKey, target }) {
    const pressed = key.toLowerCase();
    if (IS_APPLE ? metaKey : ctrlKey) {
      if (pressed === "k" && !shiftKey) return this.#acts.search;
      if (pressed === "o" && shiftKey) return this.#acts.startNew;
      return pressed === "/" ? () => this.open() : null;
    }
    const writes = target.closest?.("input, textarea, select") !== null && target.closest !== undefined;
    return pressed === "?" && !writes && !ctrlKey && !metaKey && this.#singleKeys ? () => this.open() : null;
  }
}
