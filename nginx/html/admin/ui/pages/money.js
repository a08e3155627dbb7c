/** Prices of models, and what may be spent. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { confirm, formDialog } from "../dialog.js";
import { dayRange, filterBar } from "../filters.js";
import { count, day, money, percent, time } from "../format.js";
import { actionButton, emptyState, loaded, toast } from "../states.js";
import { table } from "../table.js";
import { badge } from "../tiles.js";

export const title = "Prices and budgets";

const words = {
  noBudgets: "There are no budgets",
  noBudgetsText: "A budget warns, refuses, or lets a cheaper model answer when a day’s or month’s money is used up.",
  unpriced: "Answers of these models cost nothing in all figures, because their price is not known:",
  priceHint: "US dollars for a million tokens.",
  noPrices: "There are no prices yet, so the cost of answers is not known.",
};
const PRICE = new Intl.NumberFormat(navigator.language, { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 6 });
const SCOPES = [{ value: "total", label: "everything" }, { value: "coach", label: "a coach" }, { value: "user", label: "a user" }];

export function render(context) {
  return [
    h("section", { class: "stack" }, h("h2", {}, "Budgets"), loaded(() => context.api.get(path`/admin/budgets`), ({ data }) => showBudgets(context, data))),
    h("section", { class: "stack" }, h("h2", {}, "Prices"),
      loaded(() => context.api.get(path`/admin/costs`), ({ unpriced_models: models }) => showUnpriced(context, models), { busy: 1 }),
      filterBar(context, [{ name: "all", label: "Past and future prices, too", type: "check" }]),
      loaded(() => context.api.get(path`/admin/prices`, { current: context.query.all ? null : "true" }), ({ data }) => showPrices(context, data))),
  ];
}

// --- budgets ---

function showBudgets(context, budgets) {
  const add = actionButton("New budget", () => editBudget(context, null), { id: "new-budget" });
  if (budgets.length === 0) return emptyState(words.noBudgets, words.noBudgetsText, add);
  return [table({
    name: "Budgets", rows: budgets,
    columns: [
      { label: "For", show: (row) => forWhom(row), csv: (row) => forWhom(row) },
      { label: "Spent", csv: (row) => row.spent[0]?.spent_usd ?? 0, show: (row) => spentOf(context, row) },
      { label: "Limit", align: "end", csv: (row) => row.limit_usd, show: (row) => `${money(row.limit_usd)} a ${row.period}` },
      { label: "When used up", show: (row) => (row.action === "refuse" ? "chats are refused" : `${row.cheaper_model} answers`) },
      { label: "Until", show: (row) => time(row.period_end) },
      { label: "State", show: (row) => (row.is_enabled ? worstOf(row) : badge("off")) },
      { label: "Do", csv: false, show: (row) => h("span", { class: "cell-actions" },
        actionButton("Change", () => editBudget(context, row), { kind: "small", "aria-label": `Change the budget for ${forWhom(row)}` }),
        actionButton("Delete", () => deleteBudget(context, row), { kind: "small", "aria-label": `Delete the budget for ${forWhom(row)}` })) },
    ],
  }), add];
}

function forWhom(row) {
  if (row.scope === "total") return "everything";
  return row.key ? `${row.scope} ${row.key}` : `each ${row.scope}`;
}

function worstOf(row) {
  const states = row.spent.map((one) => one.state);
  if (states.includes("exhausted")) return badge("used up", "bad");
  return states.includes("warning") ? badge("nearly used up", "warn") : badge("ok", "good");
}

function spentOf(context, row) {
  if (row.spent.length === 0) return money(0);
  return h("ul", { class: "plain-list" }, row.spent.slice(0, 3).map((one) => h("li", {},
    row.scope !== "total" && !row.key ? `${row.scope === "user" ? `…${one.key.slice(-12)}` : one.key}: ` : null, h("a", { href: answersOf(context, row, one) }, money(one.spent_usd)),
    `, ${percent(one.share, 0)} `, h("meter", { min: 0, max: 1, low: row.warn_at, high: 0.999, optimum: 0, value: Math.min(one.share ?? 0, 1), "aria-label": `${percent(one.share, 0)} of the limit` }))),
  row.spent.length > 3 ? h("li", { class: "hint" }, `and ${count(row.spent.length - 3)} more`) : null);
}

/** The answers of the period under way that were paid out of it: of one of those that it is for. */
function answersOf(context, row, one) {
  return context.href("answers", [], { ...dayRange(row.period_start, new Date(row.period_end).toISOString().slice(0, 10)), ...(row.scope === "total" ? {} : { [`${row.scope}_id`]: row.key ?? one.key }) });
}

function editBudget(context, budget) {
  formDialog(context, {
    title: budget ? `Change the budget for ${forWhom(budget)}` : "New budget", label: budget ? "Save" : "Make it", whole: Boolean(budget),
    fields: [
      ...(budget ? [] : [
        { name: "scope", label: "For", type: "select", options: SCOPES },
        { name: "key", label: "Which one", hint: "The id of one coach or user; empty: each by itself." },
        { name: "period", label: "Each", type: "select", options: [{ value: "month", label: "month" }, { value: "day", label: "day" }] }]),
      { name: "limit_usd", label: "US dollars", type: "number", min: 0, required: true, value: budget?.limit_usd },
      { name: "warn_at", label: "Warn at this share of it", type: "number", min: 0.01, max: 1, value: budget?.warn_at ?? 0.8, required: true },
      { name: "action", label: "When it is used up", type: "select", options: [{ value: "refuse", label: "refuse chats" }, { value: "cheaper", label: "a cheaper model answers" }], value: budget?.action },
      { name: "cheaper_model", label: "The cheaper model", value: budget?.cheaper_model },
      { name: "is_enabled", label: "It holds", type: "checkbox", value: budget?.is_enabled ?? true },
      { name: "note", label: "Note", value: budget?.note },
    ],
    async submit(values) {
      if (budget) await context.api.patch(path`/admin/budgets/${budget.id}`, values);
      else await context.api.post(path`/admin/budgets`, values);
    },
    done() {
      toast("Saved. It holds from the next chats on.");
      context.refresh();
    },
  });
}

async function deleteBudget(context, budget) {
  const agreed = await confirm(context, { title: `Delete the budget for ${forWhom(budget)}?`, yes: "Delete it", danger: true,
    points: ["Nothing of it limits chats any more, from the next ones on.", "What was spent stays in the figures of costs."] });
  if (!agreed) return;
  await context.api.delete(path`/admin/budgets/${budget.id}`);
  toast("The budget is gone.");
  context.refresh();
}

// --- prices ---

function showUnpriced(context, models) {
  const without = models.filter((model) => !model.has_price_now);
  if (without.length === 0) return null;
  return h("div", { class: "notice notice-warn" }, h("p", {}, words.unpriced),
    h("ul", { class: "points" }, without.map((model) => h("li", {}, `${model.model} (${model.provider}), `, h("a", { href: context.href("answers", [], { model: model.model, provider: model.provider, from: `${new Date().toISOString().slice(0, 7)}-01T00:00:00Z` }) }, `${count(model.answers)} answers`), " ",
      actionButton("Set its price", () => setPrice(context, { model: model.model }), { kind: "small", "aria-label": `Set the price of ${model.model}` })))));
}

function showPrices(context, prices) {
  const add = actionButton("Set a price", () => setPrice(context, {}), { id: "new-price" });
  if (prices.length === 0) return emptyState(words.noPrices, "", add);
  return [table({
    name: "Prices", rows: prices, caption: false,
    columns: [
      { label: "Model", sort: (row) => row.model, show: (row) => row.model },
      { label: "Provider", show: (row) => row.provider ?? "any" },
      { label: "Input", align: "end", sort: (row) => Number(row.input_per_million), csv: (row) => row.input_per_million, show: (row) => PRICE.format(row.input_per_million) },
      { label: "Cached input", align: "end", csv: (row) => row.cached_input_per_million, show: (row) => (row.cached_input_per_million === null ? "as input" : PRICE.format(row.cached_input_per_million)) },
      { label: "Output", align: "end", sort: (row) => Number(row.output_per_million), csv: (row) => row.output_per_million, show: (row) => PRICE.format(row.output_per_million) },
      { label: "From", show: (row) => row.valid_from && time(row.valid_from, day), csv: (row) => row.valid_from },
      { label: "Until", show: (row) => row.valid_until && time(row.valid_until, day), csv: (row) => row.valid_until },
      { label: "Do", csv: false, show: (row) => h("span", { class: "cell-actions" },
        actionButton("New price", () => setPrice(context, row), { kind: "small", "aria-label": `New price of ${row.model}` }),
        actionButton("Delete", () => deletePrice(context, row), { kind: "small", "aria-label": `Delete a price of ${row.model}` })) },
    ],
  }), h("p", { class: "hint" }, words.priceHint), add];
}

function setPrice(context, price) {
  formDialog(context, {
    title: price.model ? `Price of ${price.model}` : "Set a price", label: "Set it",
    fields: [
      { name: "model", label: "Model", required: true, maxlength: 256, value: price.model },
      { name: "provider", label: "Of one provider alone", value: price.provider, hint: "Empty: of any." },
      { name: "input_per_million", label: "Input", type: "number", min: 0, required: true, value: price.input_per_million, hint: words.priceHint },
      { name: "cached_input_per_million", label: "Cached input", type: "number", min: 0, value: price.cached_input_per_million, hint: "Empty: as input." },
      { name: "output_per_million", label: "Output", type: "number", min: 0, required: true, value: price.output_per_million },
      { name: "valid_from", label: "From", type: "datetime-local", hint: "Empty: from now on. Answers keep what they cost at their time." },
    ],
    async submit(values) {
      await context.api.put(path`/admin/prices`, values);
    },
    done() {
      toast("The price is set.");
      context.refresh();
    },
  });
}

async function deletePrice(context, price) {
  const agreed = await confirm(context, { title: `Delete this price of ${price.model}?`, yes: "Delete it", danger: true,
    points: ["Answers keep what they cost.", "Answers of that time that are still to come, or are counted anew, have no price, unless another one fits.", "Chats that fall under a budget are refused where their model has no price."] });
  if (!agreed) return;
  await context.api.delete(path`/admin/prices`, { model: price.model, provider: price.provider, valid_from: price.valid_from });
  toast("The price is gone.");
  context.refresh();
}
