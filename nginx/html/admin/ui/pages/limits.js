/** Rate limits: how much a user, an address or an API key may ask for in a minute. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { confirm, formDialog } from "../dialog.js";
import { count } from "../format.js";
import { actionButton, emptyState, loaded, toast } from "../states.js";
import { table } from "../table.js";

export const title = "Rate limits";

const words = {
  none: "There are no rate limits",
  noneText: "Anybody may ask for as much as the server can do.",
  intro: "Who has a limit of their own has that in place of the one for each. What is left out is no limit.",
};
const SCOPES = [{ value: "user", label: "a user" }, { value: "address", label: "an address" }, { value: "api_key", label: "an API key" }];

export function render(context) {
  context.actions.push(actionButton("New limit", () => edit(context, null), { kind: "primary", id: "new-limit" }));
  return [
    h("p", { class: "prose-line" }, words.intro),
    loaded(() => context.api.get(path`/admin/rate-limits`), ({ data }) => (data.length === 0 ? emptyState(words.none, words.noneText) : table({
      name: "Rate limits", rows: data,
      columns: [
        { label: "For", show: forWhom, csv: forWhom },
        ...[["Chats a minute", "requests_per_minute"], ["At once", "burst"], ["Tokens a minute", "tokens_per_minute"], ["Feedback a minute", "feedback_per_minute"]].map(([label, name]) => (
          { label, align: "end", csv: (row) => row[name], show: (row) => (row[name] === null ? (name === "burst" ? "a minute’s worth" : "no limit") : count(row[name])) })),
        { label: "Set by", show: (row) => row.updated_by },
        { label: "Do", csv: false, show: (row) => h("span", { class: "cell-actions" },
          actionButton("Change", () => edit(context, row), { kind: "small", "aria-label": `Change the limit for ${forWhom(row)}` }),
          actionButton("Take away", () => remove(context, row), { kind: "small", "aria-label": `Take away the limit for ${forWhom(row)}` })) },
      ],
    }))),
  ];
}

function forWhom(row) {
  const scope = row.scope.replace("api_key", "API key");
  return row.key ? `${scope} ${row.key}` : `each ${scope}`;
}

function edit(context, row) {
  formDialog(context, {
    title: row ? `Limit for ${forWhom(row)}` : "New limit", label: "Save", whole: true,
    fields: [
      ...(row ? [] : [{ name: "scope", label: "For", type: "select", options: SCOPES }, { name: "key", label: "Which one", hint: "The id of a user or API key, or an address; empty: each that has none of its own." }]),
      { name: "requests_per_minute", label: "Chats a minute", type: "number", min: 0, value: row?.requests_per_minute },
      { name: "burst", label: "Chats at once", type: "number", min: 1, value: row?.burst, hint: "Empty: a minute’s worth." },
      { name: "tokens_per_minute", label: "Tokens a minute", type: "number", min: 0, value: row?.tokens_per_minute },
      { name: "feedback_per_minute", label: "Calls of feedback a minute", type: "number", min: 0, value: row?.feedback_per_minute },
    ],
    async submit(values) {
      const given = row ? { scope: row.scope, ...(row.key ? { key: row.key } : {}), ...values } : values;
      if (given.key === null) delete given.key;
      await context.api.put(path`/admin/rate-limits`, given);
    },
    done() {
      toast("Saved. It holds within two seconds.");
      context.refresh();
    },
  });
}

async function remove(context, row) {
  const agreed = await confirm(context, { title: `Take away the limit for ${forWhom(row)}?`, yes: "Take it away", danger: true,
    points: [row.key ? "What holds for each holds for this one then." : `Each ${row.scope.replace("api_key", "API key")} without a limit of its own may ask for any amount.`, "It holds within two seconds."] });
  if (!agreed) return;
  await context.api.delete(path`/admin/rate-limits`, { scope: row.scope, key: row.key });
  toast("The limit is gone.");
  context.refresh();
}
