/** Settings: what each does, what it may be, and changing it. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { confirm } from "../dialog.js";
import { filterBar } from "../filters.js";
import { form } from "../form.js";
import { time } from "../format.js";
import { actionButton, emptyState, toast } from "../states.js";
import { facts } from "../table.js";
import { badge } from "../tiles.js";

export const title = "Settings";

const words = {
  groups: {
    training: "Training", experiments: "Experiments", memory: "Memories", knowledge: "Knowledge", examples: "Examples", context: "Measuring context", playbook: "Playbooks",
    predictions: "Predictions", budgets: "Budgets", cache: "Cache", errors: "Errors", erasures: "Erasures", answers: "Answers", retention: "How long things are kept", autopilot: "Autopilot",
  },
  others: "Set elsewhere",
  none: "No setting is called so.",
  lose: "what is older is deleted by the next run of its job, and cannot be brought back.",
  weak: "of users who have more, the weakest memories are deleted, and cannot be brought back.",
  train: "answers of all who did not say otherwise train models from the next run on.",
  tried: "all who did not say otherwise take part in experiments from their next chat on.",
  remembered: "of what users say from now on, this is remembered.",
  unpriced: "models without a price answer without any budget noticing.",
  prompts: "whole prompts, with what is remembered of users in them, are stored with each answer.",
  spends: "autopilot may do more without asking.",
  agree: "Change it", agreeDanger: "Change it all the same",
};

export async function render(context) {
  const { data } = await context.api.get(path`/admin/settings`);
  const asked = (context.query.q ?? "").toLowerCase();
  const found = data.filter((setting) => `${setting.name} ${setting.description ?? ""}`.toLowerCase().includes(asked));
  const changeable = found.filter((setting) => setting.kind !== "read-only");
  const groups = Object.entries(grouped(changeable));
  const others = found.filter((setting) => setting.kind === "read-only");
  return [
    h("p", { class: "prose-line" }, "Chats go by a setting from the next one on. Who changed what is on the page Privacy."),
    filterBar(context, [{ name: "q", label: "Find a setting", type: "text" }]),
    ...(found.length === 0 ? [emptyState(words.none)] : []),
    ...groups.map(([name, settings]) => group(context, words.groups[name] ?? name, settings)),
    ...(others.length > 0 ? [h("section", { class: "panel", "aria-labelledby": "others" }, h("h2", { id: "others" }, words.others),
      facts(others.map((setting) => [setting.name, h("span", {}, h("code", {}, JSON.stringify(setting.value)), h("span", { class: "hint" }, ` ${setting.description ?? ""}`))])))] : []),
  ];
}

function grouped(settings) {
  const groups = {};
  for (const setting of settings) (groups[setting.name.split(".")[0]] ??= []).push(setting);
  return groups;
}

function group(context, label, settings) {
  const id = `group-of-${label.toLowerCase().replaceAll(" ", "-")}`;
  const own = settings.filter((setting) => !setting.is_default);
  const made = form({ whole: true, fields: settings.map(fieldOf), submit: async (values) => {
    const changes = Object.fromEntries(settings.map((setting) => [setting.name, read(setting, values[setting.name])]).filter(([name, value]) => !same(value, settings.find((s) => s.name === name).value)));
    if (Object.keys(changes).length === 0) {
      toast("Nothing is different.");
      return;
    }
    const risks = risksOf(settings, changes);
    if (risks.length > 0 && !(await confirm(context, { title: `Change ${risks.length === 1 ? risks[0].name : `${risks.length} settings that matter`}?`, ...questionOf(risks) }))) return;
    await context.api.patch(path`/admin/settings`, changes);
    toast(`Saved: ${Object.keys(changes).join(", ")}.`);
    context.refresh();
  } });
  return h("section", { class: "panel settings", "aria-labelledby": id },
    h("div", { class: "section-head" }, h("h2", { id }, label), own.length === 0 ? null : h("span", { class: "row" }, badge(`${own.length} changed`, "warn"),
      actionButton("Back to what it was at first", async () => {
        const changes = Object.fromEntries(own.map((setting) => [setting.name, null]));
        const { points, danger } = questionOf(risksOf(own, changes));
        if (!(await confirm(context, { title: `${label}: back to what it was at first?`, points: [...own.map((setting) => `${setting.name}: ${show(setting.value)} becomes ${show(setting.default)}`), ...points], danger, yes: "Set back" }))) return;
        await context.api.patch(path`/admin/settings`, changes);
        toast("It is as it was at first.");
        context.refresh();
      }))),
    made.node);
}

const less = (value, was) => value !== null && (was === null || Number(value) < Number(was));
const more = (value, was) => value !== null && (was === null || Number(value) > Number(was));

/** Changes that somebody should think about: which settings, when, and what comes of it; `danger` where that cannot be undone. */
const RISKS = [
  { of: /^retention\.|^errors\.keep_days$/, when: less, text: words.lose, danger: true },
  { of: /^memory\.max_per_user$/, when: less, text: words.weak, danger: true },
  { of: /^training\.consent_default$/, when: (value) => value === true, text: words.train, danger: true },
  { of: /^experiments\.consent_default$/, when: (value) => value === true, text: words.tried },
  { of: /^memory\.(credentials|health|minors|names)$/, when: (value, was) => value === "keep" || (value === "mask" && was === "refuse"), text: words.remembered },
  { of: /^budgets\.unpriced$/, when: (value) => value === "allow", text: words.unpriced },
  { of: /^answers\.whole_prompts$/, when: (value) => value === true, text: words.prompts },
  { of: /^autopilot\.max_(usd|share|at_once)/, when: more, text: words.spends },
  { of: /^autopilot\.(fine_tunes|model_prompts)$/, when: (value) => value === true, text: words.spends },
];

/** Those of `changes` that are such: null is what holds at first. */
function risksOf(settings, changes) {
  return settings.flatMap(({ name, value: was, default: first }) => {
    if (!(name in changes)) return [];
    const value = changes[name] ?? first;
    return RISKS.filter((risk) => risk.of.test(name) && risk.when(value, was)).map((risk) => ({ ...risk, name, value }));
  });
}

function questionOf(risks) {
  const danger = risks.some((risk) => risk.danger);
  return { points: risks.map((risk) => `${risk.name} ${show(risk.value)}: ${risk.text}`), danger, yes: danger ? words.agreeDanger : words.agree };
}

/** A field of the form: everything may be empty, which is what holds at first. */
function fieldOf(setting) {
  const shared = { name: setting.name, label: setting.name };
  const changed = setting.updated_at && !setting.is_default ? h("span", {}, "Changed ", time(setting.updated_at), ". ") : null;
  const hint = h("span", {}, `${setting.description ?? ""} `, changed, `At first: ${show(setting.default)}${bounds(setting)}.`);
  if (setting.kind === "flag") return { ...shared, hint, type: "select", value: String(setting.value), options: [{ value: "true", label: "Yes" }, { value: "false", label: "No" }] };
  if (setting.words !== null) {
    return { ...shared, hint, type: "select", value: setting.value === null ? "" : String(setting.value), options: [...(setting.default === null ? [{ value: "", label: "Not set" }] : []), ...setting.words.map((word) => ({ value: word, label: word }))] };
  }
  if (setting.least !== null) return { ...shared, hint, type: "number", value: setting.value, min: setting.least, max: setting.most };
  return Array.isArray(setting.value) || setting.name === "autopilot.coaches" ? { ...shared, hint, type: "list", value: setting.value } : { ...shared, hint, type: "text", value: setting.value };
}

function bounds({ least, most }) {
  return least === null ? "" : `; from ${least} to ${most}`;
}

function show(value) {
  if (value === null) return "not set";
  if (value === true) return "yes";
  if (value === false) return "no";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

function read(setting, value) {
  if (value === null || value === "") return null;
  return value === "true" ? true : value === "false" ? false : value;
}

function same(value, was) {
  return JSON.stringify(value) === JSON.stringify(was);
}
