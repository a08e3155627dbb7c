/** All that is kept of the person: a line of the panel that downloads it, or has it erased. */

import { ask, h, icon, speak } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { save } from "../lib/keep.js";
import { parts, t } from "../lib/words.js";

export class OwnData {
  #client;
  #erased;

  /** `erased` is called when nothing is left of what the page shows. */
  constructor({ client, erased }) {
    this.#client = client;
    this.#erased = erased;
    this.state = h("span", { class: "own-data-state", role: "status" });
    this.error = h("span", { class: "form-error", role: "alert" });
    this.get = h("button", { class: "text-button inline", type: "button", id: "download-data", onclick: () => this.#download() }, t("data.download"));
    this.getPhotos = h("button", { class: "text-button inline", type: "button", id: "download-photos", onclick: () => this.#downloadPhotos() }, t("data.photos"));
    this.end = h("button", { class: "text-button inline danger", type: "button", id: "erase-data", onclick: () => this.#erase() }, t("data.erase"));
    this.node = h("div", { class: "option-row" },
      h("span", { class: "option-label" }, icon("person"), t("data.label")),
      h("span", { class: "hint" }, parts("data.text", { download: this.get, photos: this.getPhotos, erase: this.end }), this.state, this.error));
  }

  async #run(doing, what) {
    this.error.textContent = "";
    this.state.textContent = doing;
    this.get.disabled = this.getPhotos.disabled = this.end.disabled = true;
    try {
      await what();
    } catch (error) {
      this.error.textContent = t("page.didNotWork", { why: messageOf(error) });
    }
    this.state.textContent = "";
    this.get.disabled = this.getPhotos.disabled = this.end.disabled = false;
  }

  #download() {
    return this.#run(t("data.collecting"), async () => this.#keep(await this.#client().exportData(), "export", "json"));
  }

  #downloadPhotos() {
    return this.#run(t("data.collecting"), async () => this.#keep(await this.#client().exportPhotos(), "photos", "zip"));
  }

  #keep(file, name, ending) {
    save(file, `uplift-${name}-${new Date().toISOString().slice(0, 10)}.${ending}`);
    speak(t("data.downloaded"));
  }

  async #erase() {
    const sure = await ask({ title: t("data.eraseTitle"), text: t("data.eraseText"), yes: t("data.erase"), danger: true });
    if (!sure) return;
    await this.#run(t("data.erasing"), async () => {
      await this.#client().eraseData();
      this.#erased();
    });
  }
}
