/** Asking why, before something is done that has to be explained later. */

import { h } from "../../lib/dom.js";
import { formDialog } from "./dialog.js";

/**
 * A dialog that says what will happen (`points`) and wants a reason; `act(reason)` does it, and what it refuses is shown there.
 * `required` false: it may be left out. Resolves to whether it was done.
 */
export async function withReason(context, { title, text = null, points = [], yes, act, danger = false, required = true, hint = "It is kept in the history." }) {
  const asked = formDialog(context, {
    title, danger, label: yes,
    intro: [text && h("p", {}, text), points.length > 0 ? h("ul", { class: "points" }, points.map((point) => h("li", {}, point))) : null],
    fields: [{ name: "reason", label: "Why", type: "textarea", rows: 2, required, maxlength: 1000, hint }],
    submit: async ({ reason }) => {
      await act(reason);
      return true;
    },
  });
  return (await asked.closed) === true;
}
