/** Exports, which may be large: saved as they come, with how much there is so far, and given up by closing the dialog. */

import { h } from "../../lib/dom.js";
import { saveStream } from "./csv.js";
import { formDialog } from "./dialog.js";
import { bytes } from "./format.js";

const words = { label: "Download", soFar: (size) => `${size} so far`, saved: (size) => `${size} saved.` };

/**
 * Asks by `fields` what is wanted. `open(values, signal)` resolves to the Response, and ends when the signal says so: with the dialog,
 * and so with its page; `name(values)` is what the file is called.
 */
export function exportDialog(context, { title, intro = [], fields, open, name }) {
  const progress = h("p", { role: "status" });
  const stop = new AbortController();
  const { closed } = formDialog(context, {
    title, intro, fields, label: words.label, after: progress,
    async submit(values) {
      const size = await saveStream(name(values), await open(values, stop.signal), { told: (so) => { progress.textContent = words.soFar(bytes(so)); }, signal: stop.signal });
      if (size !== null) progress.textContent = words.saved(bytes(size));
      return false; // it says how much it was
    },
  });
  closed.then(() => stop.abort());
}
