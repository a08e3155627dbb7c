/**
 * Photos of meals: a dialog that takes one with the camera or from the files, shows what a model sees on it, lets that be
 * corrected, and hands it to the coach. What was photographed before is there as well.
 */

import { $, ask, h, icon, speak } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { enumerate, hasWords, locale, t } from "../lib/words.js";

const POLL_MS = [400, 600, 1000, 1500, 2000]; // the last one again and again
const PATIENCE_MS = 180000; // of a photo that is being looked at
const EARLIER = 8;
const MACROS = ["protein_g", "carbohydrate_g", "fat_g"];
const WHEN = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const whole = (number) => (number === null || number === undefined ? "" : String(Math.round(number)));
const sum = (rows, name) => (rows.length > 0 && rows.every((row) => Number.isFinite(row[name])) ? rows.reduce((total, row) => total + row[name], 0) : null);

/** A picture as an address that the page's policy lets it show. */
function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function surety(confidence) {
  if (confidence >= 0.8) return "";
  return t(confidence >= 0.5 ? "photo.probably" : "photo.guess");
}

export class Photos {
  #client;
  #discuss;
  #photo = null; // the one that is open
  #rows = []; // its foods: {name, grams, calories, ..., confidence}, as they stand in the form
  #isChanged = false;
  #looking = 0; // which wait for a photo is the last one
  #listing = 0; // which reading of those of before is the last one

  /** `client()` is the API's; `discuss(text, photoId)` begins to talk about a photo, and says why that cannot be now, null otherwise. */
  constructor({ client, discuss }) {
    this.#client = client;
    this.#discuss = discuss;
    this.#build();
  }

  #build() {
    this.button = $("photo-button");
    this.button.append(icon("camera"));
    this.button.addEventListener("click", () => this.open());
    const input = (properties) => h("input", { type: "file", class: "visually-hidden", tabindex: -1, "aria-hidden": "true", accept: "image/jpeg,image/png,image/webp,image/heic,image/heif", ...properties,
      onchange: (event) => this.#chosen(event.currentTarget) });
    this.camera = input({ id: "photo-camera", capture: "environment" });
    this.files = input({ id: "photo-file" });
    this.picture = h("div", { class: "photo-frame", hidden: true });
    this.state = h("p", { class: "hint photo-state", role: "status" });
    this.progress = h("progress", { class: "photo-progress", "aria-label": t("photo.looking"), hidden: true });
    this.error = h("p", { class: "form-error", role: "alert" });
    this.list = h("ul", { class: "foods", "aria-label": t("photo.foods") });
    this.total = h("p", { class: "photo-total" });
    this.add = h("button", { class: "text-button", type: "button", onclick: () => this.#addFood() }, t("photo.add"));
    this.save = h("button", { class: "button", type: "submit" });
    this.talk = h("button", { class: "button primary", type: "button", onclick: () => this.#talk() }, t("photo.ask"));
    this.remove = h("button", { class: "text-button danger", type: "button", onclick: () => this.#delete() }, t("photo.delete"));
    this.form = h("form", { class: "photo-form", hidden: true, onsubmit: (event) => this.#submit(event) },
      this.list, this.add, this.total, h("div", { class: "card-actions" }, this.save, this.talk), this.remove);
    this.earlier = h("ul", { class: "memories photo-earlier" });
    this.earlierTitle = h("h3", { class: "photo-heading", hidden: true }, t("photo.earlier"));
    $("photos").append(
      h("p", { class: "hint" }, t("photo.hint")),
      h("div", { class: "photo-ways" },
        h("button", { class: "button", type: "button", id: "take-photo", onclick: () => this.camera.click() }, icon("camera"), t("photo.take")),
        h("button", { class: "button", type: "button", id: "choose-photo", onclick: () => this.files.click() }, t("photo.choose"))),
      this.camera, this.files, this.picture, this.progress, this.state, this.error, this.form, this.earlierTitle, this.earlier);
    $("photos-dialog").addEventListener("close", () => this.#looking++);
    $("message").addEventListener("paste", (event) => this.#pasted(event));
  }

  /** A picture alone, and when the person says so: programs put one of it beside the text that is copied. */
  async #pasted(event) {
    const { files = [], types = [] } = event.clipboardData ?? {};
    const picture = [...files].find((file) => file.type.startsWith("image/"));
    if (!picture || types.includes("text/plain")) return;
    event.preventDefault();
    if (!(await ask({ title: t("photo.pastedTitle"), text: t("photo.pastedText"), yes: t("photo.pastedYes") }))) return;
    this.open();
    this.#send(picture);
  }

  /** Nobody's any more. */
  clear() {
    this.#looking++;
    this.#rows = [];
    this.#show(null);
    this.picture.replaceChildren();
    this.#draw();
    this.#list([]);
  }

  open() {
    this.#show(null);
    if (!$("photos-dialog").open) $("photos-dialog").showModal();
    this.#listEarlier();
  }

  /** What is open and where it stands. */
  #show(photo, said = "") {
    this.#photo = photo;
    this.error.textContent = "";
    this.state.textContent = said;
    this.progress.hidden = photo?.status !== "pending";
    this.form.hidden = photo === null || photo.status === "pending";
    if (photo === null) this.picture.hidden = true;
  }

  async #chosen(input) {
    const [file] = input.files;
    input.value = ""; // so that the same one can be chosen again
    if (file) await this.#send(file);
  }

  async #send(file) {
    const looking = ++this.#looking;
    this.#show(null, t("photo.sending"));
    this.progress.hidden = false;
    this.picture.hidden = true;
    // Not every browser shows every kind; then the one that is kept is shown.
    dataUrl(file).then((url) => looking === this.#looking && this.#picture(url), () => {});
    try {
      const photo = await this.#client().addFoodPhoto(file);
      if (looking === this.#looking) await this.#follow(photo, looking);
      if (looking === this.#looking) this.#listEarlier();
    } catch (error) {
      if (looking !== this.#looking) return;
      this.#show(null);
      this.error.textContent = t("page.didNotWork", { why: messageOf(error) });
    }
  }

  #picture(url) {
    const image = h("img", { class: "photo-picture", alt: t("photo.alt"), onload: () => (this.picture.hidden = false), onerror: () => (this.picture.hidden = true) });
    image.src = url;
    this.picture.replaceChildren(image);
  }

  /** Shows a photo, and waits until it is known what is on it. */
  async #follow(photo, looking) {
    const until = Date.now() + PATIENCE_MS;
    for (let i = 0; photo.status === "pending" && Date.now() < until; i++) {
      this.#show(photo, t("photo.looking"));
      await pause(POLL_MS[Math.min(i, POLL_MS.length - 1)]);
      if (looking !== this.#looking) return;
      photo = await this.#client().foodPhoto(photo.id);
      if (looking !== this.#looking) return;
    }
    this.#open(photo);
    if (this.picture.hidden) this.#loadPicture(photo, looking);
  }

  async #loadPicture(photo, looking) {
    try {
      const url = await dataUrl(await this.#client().foodPhotoImage(photo.id));
      if (looking === this.#looking) this.#picture(url);
    } catch {
      // The words are there.
    }
  }

  #open(photo) {
    const said = photo.user_confirmed_foods !== null;
    const confidence = new Map((photo.ai_detected_foods ?? []).map((food) => [food.name.toLowerCase(), food.confidence]));
    const portions = said ? photo.user_confirmed_portions ?? photo.user_confirmed_foods : photo.ai_estimated_portions;
    this.#rows = (portions ?? []).map((food) => ({ ...food, confidence: said ? 1 : confidence.get(food.name.toLowerCase()) }));
    this.#isChanged = false;
    const pending = photo.status === "pending";
    this.#show({ ...photo, status: pending ? "failed" : photo.status }, said ? t("photo.asSaid") : "");
    if (pending) this.state.textContent = t("photo.slow");
    else if (photo.status === "failed" && !said) this.state.textContent = t(hasWords(`photo.error.${photo.error_code}`) ? `photo.error.${photo.error_code}` : "photo.notSeen");
    else if (photo.status === "off" && !said) this.state.textContent = t("photo.say");
    else if (this.#rows.length === 0) this.state.textContent = t(said ? "photo.emptySaid" : "photo.empty");
    this.#draw();
    speak(this.#rows.length > 0 ? t("photo.spoken", { foods: enumerate(this.#rows.map(({ name }) => name)) }) : this.state.textContent);
  }

  #draw() {
    this.list.replaceChildren(...this.#rows.map((row, i) => this.#foodRow(row, i)));
    this.#showTotal();
  }

  #foodRow(row, i) {
    const field = (name, label, unit, max) => h("label", { class: "food-number" },
      h("span", { class: "visually-hidden" }, t(label, { n: i + 1 })),
      h("input", { class: "field", type: "number", min: 0, max, step: "any", inputmode: "decimal", value: whole(row[name]), oninput: (event) => this.#setNumber(row, name, event.currentTarget) }),
      h("span", { "aria-hidden": "true" }, unit));
    const calories = field("calories", "photo.caloriesOf", "kcal", 100000);
    row.caloriesInput = calories.querySelector("input");
    return h("li", { class: "food" },
      h("div", { class: "food-name" },
        h("input", { class: "field", type: "text", maxlength: 100, required: true, autocomplete: "off", value: row.name ?? "", placeholder: t("photo.what"), "aria-label": t("photo.food", { n: i + 1 }),
          oninput: (event) => this.#setName(row, event.currentTarget.value) }),
        h("span", { class: "hint" }, surety(row.confidence ?? 1))),
      field("grams", "photo.gramsOf", "g", 100000), calories,
      h("button", { class: "icon-button", type: "button", "aria-label": t("photo.remove", { food: row.name || t("photo.food", { n: i + 1 }) }), title: t("photo.removeIt"), onclick: () => this.#removeFood(row) }, icon("trash")));
  }

  #setName(row, name) {
    row.name = name;
    this.#changed();
  }

  /** A portion of another size has as much more of everything. */
  #setNumber(row, name, input) {
    const number = input.value === "" ? null : Number(input.value);
    const before = row[name];
    if (name === "grams" && before > 0 && number > 0) {
      for (const other of ["amount", "calories", ...MACROS]) {
        if (Number.isFinite(row[other])) row[other] *= number / before;
      }
      row.caloriesInput.value = whole(row.calories);
    }
    row[name] = number;
    this.#changed();
  }

  #removeFood(row) {
    this.#rows = this.#rows.filter((other) => other !== row);
    this.#draw();
    this.#changed();
    speak(t("photo.removed", { food: row.name }));
    this.add.focus();
  }

  #addFood() {
    this.#rows.push({ name: "", confidence: 1 });
    this.#draw();
    this.#changed();
    this.list.lastElementChild.querySelector("input").focus();
  }

  #changed() {
    this.#isChanged = true;
    this.state.textContent = "";
    this.#showTotal();
  }

  #showTotal() {
    const calories = sum(this.#rows, "calories");
    const macros = MACROS.map((name) => [name, sum(this.#rows, name)]).filter(([, value]) => value !== null);
    this.total.textContent = enumerate([...(calories === null ? [] : [t("photo.about", { kcal: Math.round(calories) })]), ...macros.map(([name, value]) => t(`photo.of.${name}`, { grams: Math.round(value) }))]);
    const accepts = !this.#isChanged && this.#photo?.status === "analysed";
    this.save.textContent = t(accepts ? "photo.right" : "page.save");
    this.save.disabled = !this.#isChanged && this.#photo?.user_confirmed_foods !== null;
    this.talk.disabled = this.#rows.length === 0;
  }

  /** What the person says now, for the API. */
  #correction() {
    if (!this.#isChanged && this.#photo.status === "analysed") return { user_accepted: true };
    const names = ["amount", "grams", "calories", ...MACROS];
    return { user_confirmed_portions: this.#rows.map((row) => Object.fromEntries([["name", row.name.trim()], ...(row.unit ? [["unit", row.unit]] : []),
      ...names.filter((name) => Number.isFinite(row[name])).map((name) => [name, Math.round(row[name] * 10) / 10])])) };
  }

  /** Stores what the person says. Resolves to whether that worked. */
  async #store() {
    if (!this.form.reportValidity()) return false;
    this.error.textContent = "";
    this.save.disabled = true;
    try {
      this.#open(await this.#client().correctFoodPhoto(this.#photo.id, this.#correction()));
      this.#listEarlier();
      return true;
    } catch (error) {
      this.#showTotal();
      this.error.textContent = t("photo.notStored", { why: messageOf(error) });
      return false;
    }
  }

  async #submit(event) {
    event.preventDefault();
    if (await this.#store()) {
      this.state.textContent = t("photo.noted");
      this.talk.focus();
    }
  }

  async #talk() {
    const { id } = this.#photo;
    if (this.#isChanged && !(await this.#store())) return;
    const why = this.#discuss(t("photo.question"), id);
    if (why === null) $("photos-dialog").close();
    else this.error.textContent = why;
  }

  async #delete() {
    const { id } = this.#photo;
    const sure = await ask({ title: t("photo.deleteTitle"), text: t("photo.deleteText"), yes: t("photo.deleteIt"), danger: true });
    if (!sure) return;
    try {
      await this.#client().deleteFoodPhoto(id);
      this.#looking++;
      this.#show(null, t("photo.deleted"));
      this.#listEarlier();
      $("choose-photo").focus();
    } catch (error) {
      this.error.textContent = t("page.didNotWork", { why: messageOf(error) });
    }
  }

  // --- those of before ---

  async #listEarlier() {
    const listing = ++this.#listing;
    let photos = [];
    try {
      photos = (await this.#client().foodPhotos({ limit: EARLIER })).data;
    } catch {
      // A new one can be taken all the same.
    }
    if (listing === this.#listing) this.#list(photos);
  }

  #list(photos) {
    this.#listing++;
    this.earlierTitle.hidden = photos.length === 0;
    this.earlier.replaceChildren(...photos.map((photo) => this.#earlierRow(photo)));
  }

  #earlierRow(photo) {
    const foods = photo.user_confirmed_foods ?? photo.ai_detected_foods ?? [];
    const calories = photo.user_confirmed_foods === null ? photo.ai_estimated_calories : photo.user_confirmed_calories;
    const what = (foods.length > 0 ? enumerate(foods.map(({ name }) => name)) : t(photo.status === "pending" ? "photo.notYet" : "photo.none"));
    return h("li", { class: "memory" },
      h("button", { class: "photo-row", type: "button", onclick: () => this.#reopen(photo) },
        h("span", { class: "memory-text" }, what),
        h("span", { class: "hint" }, [WHEN.format(new Date(photo.created_at)), calories !== null && `${whole(calories)} kcal`].filter(Boolean).join(", "))));
  }

  async #reopen(photo) {
    const looking = ++this.#looking;
    this.picture.hidden = true;
    $("photos-dialog").scrollTop = 0;
    this.#show(photo);
    this.#loadPicture(photo, looking);
    try {
      await this.#follow(photo, looking);
    } catch (error) {
      if (looking === this.#looking) this.error.textContent = t("page.didNotWork", { why: messageOf(error) });
    }
  }
}
