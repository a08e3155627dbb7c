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
  lose: "What is older than this goes with the next run of enforce-retention, and cannot be brought back.",
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
    const shorter = Object.keys(changes).filter((name) => name.startsWith("retention.") && changes[name] !== null);
    if (shorter.length > 0 && !(await confirm(context, { title: "Delete what is older?", text: words.lose, points: shorter.map((name) => `${name}: ${changes[name]} days`), yes: "Set it", danger: true }))) return;
    await context.api.patch(path`/admin/settings`, changes);
    toast(`Saved: ${Object.keys(changes).join(", ")}.`);
    context.refresh();
  } });
  return h("section", { class: "panel settings", "aria-labelledby": id },
    h("div", { class: "section-head" }, h("h2", { id }, label), own.length === 0 ? null : h("span", { class: "row" }, badge(`${own.length} changed`, "warn"),
      actionButton("Back to what it was at first", async () => {
        if (!(await confirm(context, { title: `${label}: back to what it was at first?`, points: own.map((setting) => `${setting.name}: ${show(setting.value)} becomes ${show(setting.default)}`), yes: "Set back" }))) return;
        await context.api.patch(path`/admin/settings`, Object.fromEntries(own.map((setting) => [setting.name, null])));
        toast("It is as it was at first.");
        context.refresh();
      }))),
    made.node);
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
