/** What a person takes along: texts copied, files saved. */

import { h, icon, speak } from "./dom.js";
import { t } from "./words.js";

const SHOWN_MS = 1500; // that something was copied
const KEEP_MS = 60000; // the download has begun by then

/** Copies a text, and says so. Resolves to whether that worked; where it is not allowed, `refused` is told in words. */
export async function copy(text, refused = speak) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    refused(t("page.copyRefused"));
    return false;
  }
  speak(t("page.copied"));
  return true;
}

/** The same for a button, whose content is another one for a moment then. */
export async function copyBy(button, text, [before, after]) {
  if (!(await copy(text))) return;
  button.replaceChildren(after());
  setTimeout(() => button.replaceChildren(before()), SHOWN_MS);
}

/** A button that copies what `text()` gives. */
export function copyButton(label, text) {
  const button = h("button", { class: "icon-button", type: "button", "aria-label": label, title: label,
    onclick: () => copyBy(button, text(), [() => icon("copy"), () => icon("check")]) }, icon("copy"));
  return button;
}

/** Has the browser save a Blob as a file of this name. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEEP_MS);
}
