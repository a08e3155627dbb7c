/** Asking why, before something is done that has to be explained later. */

import { h } from "../../lib/dom.js";
import { openDialog } from "./dialog.js";
import { form } from "./form.js";

/**
 * A dialog that says what will happen (`points`) and wants a reason; `act(reason)` does it, and what it refuses is shown there.
 * `required` false: it may be left out. Resolves to whether it was done.
 */
export async function withReason({ title, text = null, points = [], yes, act, danger = false, required = true, hint = "It is kept in the history." }) {
  let done = false;
  const made = form({
    label: yes, cancel: () => dialog.close(),
    fields: [{ name: "reason", label: "Why", type: "textarea", rows: 2, required, maxlength: 1000, hint }],
    async submit({ reason }) {
      await act(reason);
      done = true;
      dialog.close();
    },
  });
  if (danger) made.node.querySelector("[type=submit]").classList.add("danger");
  const dialog = openDialog({ title, content: h("div", { class: "stack" }, text && h("p", {}, text),
    points.length > 0 ? h("ul", { class: "points" }, points.map((point) => h("li", {}, point))) : null, made.node) });
  made.field("reason").focus();
  await dialog.closed;
  return done;
}
