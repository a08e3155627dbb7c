/** Which models a user, a coach or an API key may name: the rule that holds, and changing it. */

import { h } from "../../lib/dom.js";
import { path } from "./api.js";
import { formDialog } from "./dialog.js";
import { actionButton, toast } from "./states.js";

const words = {
  listed: "Those that are listed",
  own: "a rule of its own",
  all: "the rule for all",
  hint: "A name a line; a * at its end stands for anything. Empty: those that are listed.",
};

/** `rule` is what holds now: its own, that for each (key null), or null. */
export function modelRule(context, { scope, key, rule }) {
  const place = h("div", { class: "stack" });
  const draw = (held) => {
    const own = held !== null && held.key !== null;
    place.replaceChildren(h("h3", {}, "Models that may be named"),
      h("p", {}, describe(held), h("span", { class: "hint" }, held === null ? "" : own ? ` (${words.own})` : ` (${words.all})`)),
      h("p", { class: "row" }, actionButton(own ? "Change…" : "Make a rule…", () => change(context, scope, key, own ? held : null, draw)),
        own ? actionButton("Take the rule away", async () => {
          await context.api.delete(path`/admin/model-rules`, { scope, key });
          draw(await heldRule(context, scope, key));
          toast("The rule is gone.");
        }) : null));
  };
  draw(rule);
  return place;
}

/** The rule that holds for one: its own, else that for each of the scope; null for none. */
export async function heldRule(context, scope, key) {
  for (const one of [key, ""]) {
    const { data } = await context.api.get(path`/admin/model-rules`, new URLSearchParams({ scope, key: one }));
    if (data.length > 0) return data[0];
  }
  return null;
}

function describe(rule) {
  if (rule === null) return words.listed;
  const allowed = rule.allow === null ? words.listed : rule.allow.length === 0 ? "None" : rule.allow.join(", ");
  return rule.deny?.length > 0 ? `${allowed}; not ${rule.deny.join(", ")}` : allowed;
}

async function change(context, scope, key, rule, draw) {
  await formDialog(context, {
    title: "Models that may be named",
    fields: [
      { name: "allow", label: "May be named", type: "list", value: rule?.allow, hint: words.hint },
      { name: "deny", label: "May not", type: "list", value: rule?.deny },
      { name: "note", label: "Why", type: "text", value: rule?.note, maxlength: 2000 },
    ],
    submit: (values) => context.api.put(path`/admin/model-rules`, { scope, key, ...values }),
    done(made) {
      draw(made);
      toast("It holds within two seconds.");
    },
  }).closed;
}
