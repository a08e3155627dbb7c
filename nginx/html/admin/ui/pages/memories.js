/** What is remembered of users at all: the policy, and trying it. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { confirm } from "../dialog.js";
import { form } from "../form.js";
import { words as asWords } from "../format.js";
import { loaded, toast } from "../states.js";
import { table } from "../table.js";
import { badge } from "../tiles.js";

export const title = "Memories policy";

const words = {
  intro: "Coaches remember what users say about themselves. Here it is decided what of it may be kept. Users see, change and forget their own memories on the chat page, and can turn memory off.",
  kinds: {
    credentials: ["Passwords, keys, numbers", "Passwords, keys, card and account numbers, addresses and numbers to reach somebody."],
    health: ["Health", "Illnesses and medicines."],
    minors: ["Children", "Ages and names of children."],
    names: ["Other people’s names", "“My friend Ann” is kept as “my friend [name]” where they are masked."],
  },
  policies: { keep: "keep", mask: "keep it, masked", refuse: "keep nothing of the sentence" },
  limits: {
    max_per_user: ["Memories of one user", "Beyond that the weakest go."],
    max_tokens: ["Tokens of memories in a prompt", "Beside those that are pinned. Four bytes are taken for a token."],
    passage_tokens: ["Tokens of earlier conversations in a prompt", "0 for none."],
  },
  tryHint: "By the policy as it is set on this page, saved or not.",
  nothing: "Nothing of it is worth remembering, by rules. (A model may find what rules do not understand.)",
  leftOut: { refused: "refused by the policy", instruction: "reads as an instruction" },
  after: "It holds for what is said from now on. What is remembered already stays as it is.",
};
const KINDS = Object.keys(words.kinds);

export function render(context) {
  return [
    h("p", { class: "prose-line" }, words.intro),
    loaded(() => context.api.get(path`/admin/memory-policy`), (policy) => h("div", { class: "columns" }, ...parts(context, policy))),
  ];
}

function parts(context, policy) {
  let known = policy;
  const made = form({
    label: "Save the policy",
    fields: [
      ...KINDS.map((name) => ({ name, label: words.kinds[name][0], hint: words.kinds[name][1], type: "select", options: Object.entries(words.policies).map(([value, label]) => ({ value, label })), value: policy[name] })),
      ...Object.entries(words.limits).map(([name, [label, hint]]) => ({ name, label, hint, type: "number", min: name === "max_per_user" ? 1 : 0, step: 1, required: true, value: policy[name] })),
    ],
    async submit(values) {
      const changes = Object.fromEntries(Object.entries(values).filter(([name, value]) => String(value) !== String(known[name])));
      if (Object.keys(changes).length === 0) {
        toast("Nothing was changed.");
        return;
      }
      const points = Object.entries(changes).map(([name, value]) => `${(words.kinds[name] ?? words.limits[name])[0]}: ${words.policies[value] ?? value}, in place of ${words.policies[known[name]] ?? known[name]}.`);
      if (!(await confirm(context, { title: "Change what is remembered?", points: [...points, words.after], yes: "Change it" }))) return;
      known = await context.api.patch(path`/admin/memory-policy`, changes);
      toast("Saved.");
    },
  });
  const found = h("div", { "aria-live": "polite" });
  const trial = form({
    label: "Try it",
    fields: [{ name: "text", label: "What a user might say", type: "textarea", required: true, maxlength: 2000, hint: words.tryHint, placeholder: "I want to get my diabetes under control. My friend Ann loves hiking. My password is hunter22." }],
    async submit({ text }) {
      const given = made.values();
      if (given === null) return;
      const { data } = await context.api.post(path`/admin/memory-policy/try`, { text, ...Object.fromEntries(KINDS.map((kind) => [kind, given[kind]])) });
      found.replaceChildren(data.length === 0 ? h("p", {}, words.nothing) : table({
        name: "What would be remembered", rows: data, csv: false,
        columns: [
          { label: "Said", show: (row) => row.said },
          { label: "Kept", show: (row) => row.kept ?? badge(words.leftOut[row.left_out], "warn") },
          { label: "As", show: (row) => [asWords(row.type), row.subject && `of the ${row.subject}`].filter(Boolean).join(" ") },
        ],
      }));
    },
  });
  return [
    h("section", { class: "panel", "aria-labelledby": "policy-title" }, h("h2", { id: "policy-title" }, "The policy"), made.node),
    h("section", { class: "panel", "aria-labelledby": "trial-title" }, h("h2", { id: "trial-title" }, "Try it"), trial.node, found),
  ];
}
