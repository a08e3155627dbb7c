/** All that is kept of the person: a line of the panel that downloads it, or has it erased. */

import { ask, h, icon, speak } from "../lib/dom.js";

export class OwnData {
  #client;
  #erased;

  /** `erased` is called when nothing is left of what the page shows. */
  constructor({ client, erased }) {
    this.#client = client;
    this.#erased = erased;
    this.state = h("span", { class: "own-data-state", role: "status" });
    this.error = h("span", { class: "form-error", role: "alert" });
    this.get = h("button", { class: "text-button inline", type: "button", id: "download-data", onclick: () => this.#download() }, "Download it");
    this.end = h("button", { class: "text-button inline danger", type: "button", id: "erase-data", onclick: () => this.#erase() }, "Erase everything");
    this.node = h("div", { class: "option-row" },
      h("span", { class: "option-label" }, icon("person"), "Your data"),
      h("span", { class: "hint" }, "Everything that is kept of you: conversations, ratings, memories. ", this.get, " or ", this.end, ". ", this.state, this.error));
  }

  async #run(doing, what) {
    this.error.textContent = "";
    this.state.textContent = doing;
    this.get.disabled = this.end.disabled = true;
    try {
      await what();
    } catch (error) {
      this.error.textContent = `That did not work: ${error.message}.`;
    }
    this.state.textContent = "";
    this.get.disabled = this.end.disabled = false;
  }

  #download() {
    return this.#run("Collecting…", async () => {
      const file = await this.#client().exportData();
      const url = URL.createObjectURL(file);
      h("a", { href: url, download: `uplift-export-${new Date().toISOString().slice(0, 10)}.json` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60000); // the download has begun by then
      speak("Downloaded");
    });
  }

  async #erase() {
    const sure = await ask({ title: "Erase everything?",
      text: "All your conversations, ratings, memories and settings are deleted now, for good, on every device. Download them first if you want to keep them. This cannot be undone.",
      yes: "Erase everything", danger: true });
    if (!sure) return;
    await this.#run("Erasing…", async () => {
      await this.#client().eraseData();
      this.#erased();
    });
  }
}
