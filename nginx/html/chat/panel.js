/**
 * The coach panel: who answers, how severely, whether in roast mode, and what is remembered. One set of controls that
 * stands on the welcome page and moves into a dialog once a conversation is under way.
 */

import { avatar, bandName, bandNames, lookOf, meter } from "./coach.js";
import { $, ask, h, icon, speak } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { locale, t } from "../lib/words.js";

const SAVE_AFTER_MS = 600;
const PLACES = [1, 2, 3]; // kept free until it is known who there is

/** 4.2, as the language writes it. */
function tenths(severity) {
  return severity.toLocaleString(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

export class CoachPanel {
  /** What is chosen: {coach_id, severity, mode}. */
  choice = { coach_id: null, severity: 3.0, mode: "default" };
  coaches = [];
  consent = false; // to roast mode
  memory = true; // whether coaches remember
  tests = true; // whether new things are tried on the person
  training = null; // consent to training on rated conversations; null: no answer
  trainingDefault = false; // what no answer means, which the operator chose
  trainingAsked = true; // whether the person was asked; until preferences are known nobody is
  #save;
  #changed;
  #openMemories;
  #timer = 0;
  #unsaved = {};

  /** `save` stores preferences and resolves to all of them; `changed` hears of each new choice; `ownData` is a line to show last. */
  constructor({ save, changed, openMemories, ownData }) {
    this.#save = save;
    this.#changed = changed;
    this.#openMemories = openMemories;
    this.#build(ownData);
    this.#show();
    addEventListener("pagehide", () => this.#store());
  }

  get coach() {
    return this.coaches.find((coach) => coach.id === this.choice.coach_id) ?? null;
  }

  nameOf(id) {
    return this.coaches.find((coach) => coach.id === id)?.name ?? t("coach.any");
  }

  /** Takes over what the server knows. */
  load(coaches, preferences) {
    this.coaches = coaches;
    const fallback = coaches.find((coach) => coach.default) ?? coaches[0];
    const wanted = coaches.find((coach) => coach.id === preferences?.active_coach_id) ?? fallback;
    this.consent = preferences?.roast_consent === true;
    this.memory = preferences?.memory_enabled ?? true;
    this.tests = preferences?.experiments_enabled ?? preferences?.experiments_enabled_default ?? true;
    this.training = preferences?.training_consent ?? null;
    this.trainingDefault = preferences?.training_consent_default === true;
    this.trainingAsked = preferences?.training_consent_asked ?? true;
    this.choice = {
      coach_id: wanted?.id ?? null,
      severity: Number(preferences?.severity ?? 3.0),
      mode: preferences?.mode === "roast" && this.consent ? "roast" : "default",
    };
    this.#listCoaches();
    this.#show();
  }

  /** Nobody's any more: what was chosen a moment ago is not stored as another's. */
  clear() {
    clearTimeout(this.#timer);
    this.#unsaved = {};
    this.say("");
    this.load(this.coaches, null);
  }

  /** Chooses the coach of a conversation that was opened, without making it a preference. */
  follow(coachId) {
    if (coachId === this.choice.coach_id || !this.coaches.some((coach) => coach.id === coachId)) return;
    this.choice.coach_id = coachId;
    this.#show();
  }

  /** Puts the controls where they are wanted. */
  moveTo(place) {
    if (this.node.parentNode !== place) place.append(this.node);
  }

  /** Asks whether being roasted is all right. Resolves to whether it is. */
  async askConsent() {
    const agreed = await ask({
      title: t("roast.title"),
      text: t("roast.text"),
      yes: t("roast.yes"),
      no: t("roast.no"),
    });
    if (!agreed) return false;
    try {
      const now = await this.#save({ roast_consent: true });
      this.consent = now.roast_consent === true;
    } catch (error) {
      this.say(t("roast.notStored", { why: messageOf(error) }));
    }
    return this.consent;
  }

  /** Stores whether coaches remember. */
  async setMemory(wanted) {
    const before = this.memory;
    this.memory = wanted;
    try {
      this.memory = (await this.#save({ memory_enabled: wanted })).memory_enabled ?? wanted;
      this.say("");
    } catch (error) {
      this.memory = before;
      this.say(t("coach.notStored", { why: messageOf(error) }));
    }
    this.#show();
  }

  /** Stores whether new things are tried on the person. */
  async setTests(wanted) {
    const before = this.tests;
    this.tests = wanted;
    try {
      this.tests = (await this.#save({ experiments_enabled: wanted })).experiments_enabled ?? wanted;
      this.say("");
    } catch (error) {
      this.tests = before;
      this.say(t("coach.notStored", { why: messageOf(error) }));
    }
    this.#show();
  }

  /** Stores whether conversations that the person rates may train models. Resolves to whether that worked. */
  async setTraining(agreed) {
    const before = this.training;
    this.training = agreed;
    this.#show();
    try {
      this.training = (await this.#save({ training_consent: agreed })).training_consent ?? null;
      this.say("");
    } catch (error) {
      this.training = before;
      this.say(t("coach.notStored", { why: messageOf(error) }));
    }
    this.#show();
    return this.training === agreed;
  }

  /** Stores that the person was asked, on whichever device. Resolves to whether that worked. */
  async noteTrainingAsked() {
    this.trainingAsked = true;
    return this.#save({ training_consent_asked: true }).then(() => true, () => false);
  }

  say(text) {
    this.error.textContent = text;
  }

  #build(ownData) {
    this.cards = h("div", { class: "coach-cards" }, PLACES.map(() => h("div", { class: "coach-place" })));
    this.range = h("input", { type: "range", id: "severity", min: 1, max: 6, step: 0.1, value: 3,
      oninput: () => this.#slide(), onchange: () => this.#slide() });
    this.bandName = h("span", { class: "band-name" });
    this.bandNumber = h("span", { class: "band-number" });
    this.roast = h("input", { type: "checkbox", role: "switch", id: "roast", class: "switch", "aria-describedby": "roast-hint",
      onchange: () => this.#toggleRoast() });
    this.recall = h("input", { type: "checkbox", role: "switch", id: "memory", class: "switch", "aria-describedby": "memory-hint",
      onchange: () => this.setMemory(this.recall.checked) });
    this.learn = h("input", { type: "checkbox", role: "switch", id: "training", class: "switch", "aria-describedby": "training-hint",
      onchange: () => this.setTraining(this.learn.checked) });
    this.tries = h("input", { type: "checkbox", role: "switch", id: "tests", class: "switch", "aria-describedby": "tests-hint",
      onchange: () => this.setTests(this.tries.checked) });
    this.error = h("p", { class: "form-error", role: "alert" });
    this.node = h("div", { class: "panel" },
      h("fieldset", { class: "coach-choice" }, h("legend", { class: "visually-hidden" }, t("coach.any")), this.cards),
      h("div", { class: "severity" },
        h("div", { class: "severity-head" }, h("label", { for: "severity" }, t("coach.severity")),
          h("output", { for: "severity", class: "band", "aria-hidden": "true" }, this.bandName, this.bandNumber)),
        this.range,
        h("div", { class: "severity-ends", "aria-hidden": "true" }, h("span", {}, bandNames[0]), h("span", {}, bandNames.at(-1)))),
      h("div", { class: "option-row" },
        h("label", { for: "roast", class: "option-label" }, icon("flame"), t("roast.label")),
        h("span", { class: "hint", id: "roast-hint" }, t("roast.hint")), this.roast),
      h("div", { class: "option-row" },
        h("label", { for: "memory", class: "option-label" }, icon("bookmark"), t("consent.memory")),
        h("span", { class: "hint" }, h("span", { id: "memory-hint" }, t("consent.memoryHint")),
          h("button", { class: "text-button inline", type: "button", id: "see-memories", onclick: () => this.#openMemories() }, t("consent.memorySee"))),
        this.recall),
      h("div", { class: "option-row" },
        h("label", { for: "training", class: "option-label" }, icon("sprout"), t("consent.training")),
        h("span", { class: "hint", id: "training-hint" }, t("consent.trainingHint")), this.learn),
      h("div", { class: "option-row" },
        h("label", { for: "tests", class: "option-label" }, icon("flask"), t("consent.experiments")),
        h("span", { class: "hint", id: "tests-hint" }, t("consent.experimentsHint")), this.tries),
      ownData, this.error);
  }

  #listCoaches() {
    this.cards.replaceChildren(...this.coaches.map((coach, i) => {
      const card = h("label", { class: "coach-card" },
        h("input", { type: "radio", name: "coach", value: coach.id, class: "visually-hidden",
          "aria-labelledby": `name-${i}`, "aria-describedby": `about-${i}`, onchange: () => this.#choose({ coach_id: coach.id }) }),
        avatar(coach.id, "avatar-large"),
        h("span", { class: "coach-card-text" }, h("span", { class: "coach-card-name", id: `name-${i}` }, coach.name),
          h("span", { class: "coach-card-about", id: `about-${i}` }, coach.description ?? "")));
      card.style.setProperty("--hue", lookOf(coach.id).hue);
      return card;
    }));
  }

  #slide() {
    const severity = Math.round(Number(this.range.value) * 10) / 10;
    if (severity !== this.choice.severity) this.#choose({ severity });
  }

  async #toggleRoast() {
    if (!this.roast.checked) return this.#choose({ mode: "default" });
    if (!this.consent && !(await this.askConsent())) {
      this.roast.checked = false;
      return undefined;
    }
    this.roast.checked = true;
    speak(t("roast.on"));
    return this.#choose({ mode: "roast" });
  }

  #choose(changes) {
    Object.assign(this.choice, changes);
    const { coach_id: active_coach_id, ...rest } = changes;
    Object.assign(this.#unsaved, rest, active_coach_id === undefined ? {} : { active_coach_id });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#store(), SAVE_AFTER_MS);
    this.#show();
  }

  async #store() {
    clearTimeout(this.#timer);
    const changes = this.#unsaved;
    this.#unsaved = {};
    if (Object.keys(changes).length === 0) return;
    try {
      await this.#save(changes);
      this.say("");
    } catch (error) {
      // The choice still holds for this page: each message carries it.
      this.say(t("coach.notRemembered", { why: messageOf(error) }));
    }
  }

  #show() {
    const { coach_id, severity, mode } = this.choice;
    for (const input of this.cards.querySelectorAll("input")) input.checked = input.value === coach_id;
    this.range.value = severity;
    this.range.setAttribute("aria-valuetext", t("coach.severityValue", { severity: tenths(severity), band: bandName(severity) }));
    this.range.style.setProperty("--at", (severity - 1) / 5);
    this.bandName.textContent = bandName(severity);
    this.bandNumber.textContent = tenths(severity);
    this.roast.checked = mode === "roast";
    this.recall.checked = this.memory;
    this.tries.checked = this.tests;
    this.learn.checked = this.training ?? this.trainingDefault;
    if (coach_id) document.documentElement.style.setProperty("--hue", lookOf(coach_id).hue);
    $("coach-chip").replaceChildren(...(this.coach ? [avatar(coach_id), h("span", { class: "chip-name" }, this.coach.name)] : [h("span", { class: "chip-name" }, t("coach.any"))]));
    $("coach-chip").setAttribute("aria-label", t("coach.choose", { coach: this.coach?.name ?? t("coach.none") }));
    const tone = mode === "roast" ? t("coach.roastTone") : bandName(severity);
    $("tone-chip").replaceChildren(mode === "roast" ? icon("flame") : meter(severity), h("span", {}, tone));
    $("tone-chip").setAttribute("aria-label", t("coach.tone", { tone, severity: tenths(severity) }));
    $("message").placeholder = this.coach ? t("composer.writeTo", { coach: this.coach.name }) : t("composer.label");
    this.#changed(this.choice);
  }
}
