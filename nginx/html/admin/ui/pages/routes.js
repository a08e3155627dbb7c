/** Providers and which of them answer for a model: whether they do, and changing that. */

import { h, speak } from "../../../lib/dom.js";
import { path } from "../api.js";
import { confirm, formDialog } from "../dialog.js";
import { ago, count, milliseconds, time, words as asWords } from "../format.js";
import { actionButton, emptyState, loaded, toast } from "../states.js";
import { table } from "../table.js";
import { badge } from "../tiles.js";

export const title = "Providers and routes";

const words = {
  configured: "the configured one (UPLIFT_UPSTREAM_URL)",
  noHosts: "No worker has told of its circuit breakers in the last day, so what is shown of providers is not known to be so.",
  keyHint: "Where the key is, never the key: env:NAME_API_KEY or file:NAME. Its operator says to which server it may go (UPLIFT_PROVIDER_KEYS).",
  noModels: "No model has routes of its own",
  noModelsText: "All are asked of the configured provider. A model with two routes goes on answering when one provider fails.",
  weightHint: "Routes of one position share the chats by weight; those of the next are for when they fail.",
};
const REFRESH_MS = 10000;
const LIMITS = ["connect_timeout_ms", "first_byte_timeout_ms", "first_token_timeout_ms", "idle_timeout_ms", "total_timeout_ms"];
const CONTINUES = ["false", "true", "prefix", "partial", "continue_final_message"];

export function render(context) {
  const { api } = context;
  const providers = loaded(async () => {
    const [list, hosts] = await Promise.all([api.get(path`/admin/providers`), api.get(path`/admin/breakers`)]);
    return { providers: list.data, hosts: hosts.data };
  }, (known) => showProviders(context, known));
  const models = loaded(async () => {
    const [routes, list] = await Promise.all([api.get(path`/admin/models`), api.get(path`/admin/providers`)]);
    return { models: routes.data, providers: ["default", ...list.data.map((one) => one.name)] };
  }, (known) => showModels(context, known));
  context.actions.push(actionButton("New provider", () => editProvider(context, null), { id: "new-provider" }));
  return [h("section", { class: "stack" }, h("h2", {}, "Providers"), providers), h("section", { class: "stack" }, h("h2", {}, "Models with routes of their own"), models)];
}

// --- providers ---

function showProviders(context, { providers, hosts }) {
  const all = [{ name: "default", base_url: words.configured, is_enabled: true, is_default: true, models: [] }, ...providers];
  const states = h("div", { class: "stack" });
  const cells = new Map(all.map((provider) => [provider.name, h("span", { class: "row" })]));
  const results = new Map(all.map((provider) => [provider.name, h("div", { class: "test-result", role: "status" })]));
  const show = (now) => {
    const current = now.filter((host) => host.is_current);
    for (const [name, cell] of cells) cell.replaceChildren(...breakerOf(all.find((provider) => provider.name === name), current));
    states.replaceChildren(breakerList(now));
  };
  show(hosts);
  const timer = setInterval(async () => {
    try {
      show((await context.api.get(path`/admin/breakers`)).data);
    } catch {
      // As last known; the next look may do.
    }
  }, REFRESH_MS);
  context.signal.addEventListener("abort", () => clearInterval(timer));
  return [
    table({
      name: "Providers", rows: all,
      columns: [
        { label: "Provider", csv: (row) => row.name, show: (row) => h("span", {}, row.name, h("span", { class: "cell-note" }, row.base_url)) },
        { label: "State", show: (row) => cells.get(row.name) },
        { label: "Key", show: (row) => (row.is_default ? "OPENAI_API_KEY" : row.api_key ? h("code", {}, row.api_key) : "none") },
        { label: "Answers for", show: (row) => (row.is_default ? "all without other routes" : row.models.join(", ") || null) },
        { label: "Do", csv: false, show: (row) => h("div", { class: "stack" }, h("span", { class: "cell-actions" },
          actionButton("Test", () => testProvider(context, row, results.get(row.name)), { kind: "small", "aria-label": `Test ${row.name}` }),
          row.is_default ? null : actionButton("Change", () => editProvider(context, row), { kind: "small", "aria-label": `Change ${row.name}` }),
          row.is_default ? null : actionButton("Delete", () => deleteProvider(context, row), { kind: "small", "aria-label": `Delete ${row.name}` })), results.get(row.name)) },
      ],
    }),
    h("h3", {}, "Circuit breakers, as workers see them"), states,
  ];
}

function breakerOf(provider, hosts) {
  if (!provider.is_enabled) return [badge("off")];
  const own = hosts.flatMap((host) => host.breakers.filter((breaker) => breaker.provider === provider.name));
  if (hosts.length === 0) return [badge("not known")];
  if (own.some((breaker) => breaker.model === null && breaker.state === "open")) return [badge("open: not asked", "bad")];
  if (own.some((breaker) => breaker.state === "open")) return [badge("open for some models", "bad")];
  if (own.some((breaker) => breaker.state === "probing")) return [badge("about to be tried", "warn")];
  if (own.some((breaker) => breaker.cool_until && new Date(breaker.cool_until) > new Date())) return [badge("asked to wait", "warn")];
  return [own.length > 0 ? badge("closed, has failed", "warn") : badge("closed: all is well", "good")];
}

function breakerList(hosts) {
  if (hosts.length === 0) return h("p", { class: "hint" }, words.noHosts);
  const rows = hosts.flatMap((host) => host.breakers.map((breaker) => ({ host, ...breaker })));
  const told = h("p", { class: "hint" }, hosts.map((host, i) => h("span", {}, i > 0 ? ", " : "", host.host, host.is_current ? " told " : " was last heard of ", time(host.told_at, ago))), ".");
  if (rows.length === 0) return h("div", { class: "stack" }, h("p", {}, badge("closed", "good"), " All are closed, and nothing failed lately."), told);
  return h("div", { class: "stack" }, table({
    name: "Circuit breakers", rows,
    columns: [
      { label: "Provider", show: (row) => row.provider },
      { label: "Model", show: (row) => row.model ?? "all of it" },
      { label: "State", show: (row) => badge(row.state, row.state === "open" ? "bad" : row.state === "probing" ? "warn" : "plain") },
      { label: "Failures in a row", align: "end", show: (row) => count(row.failures) },
      { label: "Tried again", show: (row) => (row.open_until ?? row.cool_until) && time(row.open_until ?? row.cool_until, ago) },
      { label: "Host", show: (row) => row.host.host },
    ],
  }), told);
}

async function testProvider(context, provider, place) {
  place.replaceChildren("Asking…");
  try {
    const result = await context.api.post(path`/admin/providers/${provider.name}/test`);
    const said = result.is_good
      ? [badge("it answers", "good"), ` ${result.answered_by ?? result.model} in ${milliseconds(result.duration_ms)}${result.answer ? `: “${result.answer}”` : ""}`]
      : [badge(asWords(result.error.code), "bad"), ` ${result.error.message} (${result.model}, ${milliseconds(result.duration_ms)})`];
    place.replaceChildren(h("p", { class: "hint" }, said));
    speak(`${provider.name}: ${place.textContent}`);
  } catch (error) {
    place.replaceChildren();
    throw error;
  }
}

function editProvider(context, provider) {
  formDialog(context, {
    title: provider ? `Change ${provider.name}` : "New provider", label: provider ? "Save" : "Add it",
    fields: [
      ...(provider ? [] : [{ name: "name", label: "Name", required: true, maxlength: 63, hint: "Small letters, digits, '.', '_' and '-': as in figures and failures." }]),
      { name: "base_url", label: "URL of its API", required: true, type: "url", value: provider?.base_url, placeholder: "https://api.example.com/v1" },
      { name: "api_key", label: "Key", value: provider?.api_key, hint: words.keyHint, spellcheck: "false" },
      { name: "key_header", label: "Header of the key", value: provider?.key_header, placeholder: "Authorization" },
      { name: "is_enabled", label: "It is asked", type: "checkbox", value: provider?.is_enabled ?? true },
      { name: "continues", label: "Goes on with a stream that broke off", type: "select", options: CONTINUES.map((value) => ({ value, label: { false: "no", true: "yes" }[value] ?? value })), value: String(provider?.continues ?? false) },
      { name: "max_open", label: "Chats of one worker at once", type: "number", min: 1, value: provider?.max_open, hint: "Empty: no limit but the worker’s." },
      ...LIMITS.map((name) => ({ name, label: `${asWords(name.replace("_timeout_ms", ""))} limit, ms`, type: "number", min: 10, value: provider?.[name], hint: "Empty: as configured." })),
      { name: "note", label: "Note", value: provider?.note },
    ],
    whole: Boolean(provider),
    async submit({ name, ...values }) {
      const continues = { true: true, false: false }[values.continues] ?? values.continues;
      const given = { ...values, continues };
      // Only what was given can be taken away, but for the header, which there always is.
      if (given.key_header === null) delete given.key_header;
      await context.api.put(path`/admin/providers/${provider?.name ?? name}`, given);
    },
    done() {
      toast("Saved. Workers follow within two seconds.");
      context.refresh();
    },
  });
}

async function deleteProvider(context, provider) {
  const agreed = await confirm(context, {
    title: `Delete ${provider.name}?`, yes: "Delete it", danger: true,
    points: [provider.models.length > 0 ? `Routes of ${provider.models.join(", ")} lead to it: it is only deleted when those are changed first.` : "No route leads to it, so chats do not notice.", "Figures and failures of the past keep its name."],
  });
  if (!agreed) return;
  await context.api.delete(path`/admin/providers/${provider.name}`);
  toast(`${provider.name} is gone.`);
  context.refresh();
}

// --- models ---

function showModels(context, { models, providers }) {
  const add = actionButton("New routes", () => editModel(context, null, providers), { id: "new-routes" });
  if (models.length === 0) return emptyState(words.noModels, words.noModelsText, add);
  return [table({
    name: "Models with routes", rows: models,
    columns: [
      { label: "Model", show: (row) => (row.name === "*" ? "* (all others)" : row.name), csv: (row) => row.name },
      { label: "Routes in order", show: (row) => h("ol", { class: "routes" }, row.routes.map((route) => h("li", {}, `${route.provider}${route.model ? ` as ${route.model}` : ""}`, route.weight > 1 ? `, weight ${route.weight}` : "", ` (position ${route.position})`))) },
      { label: "Then", show: (row) => row.fallbacks.join(", ") || null },
      { label: "Clients see it", show: (row) => (row.is_listed ? "yes" : "no") },
      { label: "Do", csv: false, show: (row) => h("span", { class: "cell-actions" },
        actionButton("Change", () => editModel(context, row, providers), { kind: "small", "aria-label": `Change ${row.name}` }),
        actionButton("Delete", () => deleteModel(context, row), { kind: "small", "aria-label": `Delete the routes of ${row.name}` })) },
    ],
  }), add];
}

/** Lines of routes, to be added to and taken away. */
function routeLines(routes, providers) {
  const lines = h("div", { class: "stack" });
  const add = (route = {}) => {
    const input = (name, label, attributes) => h("label", { class: "filter" }, h("span", {}, label), h("input", { class: "input", "data-name": name, value: route[name] ?? "", ...attributes }));
    const choice = h("select", { class: "input", "data-name": "provider" }, [...new Set([...providers, route.provider].filter(Boolean))].map((value) => h("option", { value, selected: value === (route.provider ?? "default") }, value)));
    const line = h("fieldset", { class: "route-line row" }, h("legend", { class: "visually-hidden" }, "A route"), h("label", { class: "filter" }, h("span", {}, "Provider"), choice),
      input("model", "Its name there", { maxlength: 256 }), input("position", "Position", { type: "number", min: 1, max: 8 }), input("weight", "Weight", { type: "number", min: 1, max: 1000 }), input("context_tokens", "Tokens it takes", { type: "number", min: 1 }),
      h("button", { class: "text-button", type: "button", onclick: () => line.remove() }, "Take away"));
    lines.append(line);
  };
  (routes.length > 0 ? routes : [{}]).forEach(add);
  const read = () => [...lines.children].map((line) => Object.fromEntries([...line.querySelectorAll("[data-name]")].filter((input) => input.value.trim() !== "")
    .map((input) => [input.dataset.name, input.type === "number" ? Number(input.value) : input.value.trim()])));
  return { node: h("div", { class: "field" }, h("p", { class: "field-name" }, "Routes"), h("p", { class: "hint" }, words.weightHint), lines, h("button", { class: "text-button", type: "button", onclick: () => add() }, "Another route")), read };
}

function editModel(context, model, providers) {
  const routes = routeLines(model?.routes ?? [], providers);
  const { form: made } = formDialog(context, {
    title: model ? `Routes of ${model.name}` : "New routes", wide: true, label: "Save",
    fields: [
      { name: "name", label: "Model", required: true, maxlength: 256, value: model?.name, readonly: Boolean(model), hint: "As clients, coaches and model versions call it; * is every model without routes." },
      { name: "fallbacks", label: "Other models of this list to try then", type: "list", value: model?.fallbacks, hint: "One on each line." },
      { name: "is_listed", label: "Clients see it and may name it", type: "checkbox", value: model?.is_listed ?? true },
      { name: "note", label: "Note", value: model?.note },
    ],
    async submit(values) {
      await context.api.put(path`/admin/models`, { fallbacks: [], ...values, routes: routes.read() });
    },
    done() {
      toast("Saved. Workers follow within two seconds; chats under way keep their routes.");
      context.refresh();
    },
  });
  made.node.children[0].after(routes.node);
}

async function deleteModel(context, model) {
  const agreed = await confirm(context, { title: `Delete the routes of ${model.name}?`, yes: "Delete them", danger: true,
    points: ["Its chats go to the routes of *, or to the configured provider, from the next one on.", "Chats under way end where they are."] });
  if (!agreed) return;
  await context.api.delete(path`/admin/models`, { name: model.name });
  toast(`The routes of ${model.name} are gone.`);
  context.refresh();
}
