/** API keys, for servers: made once, shown once. */

import { h, speak } from "../../../lib/dom.js";
import { path } from "../api.js";
import { confirm, formDialog, openDialog } from "../dialog.js";
import { ago, day, time } from "../format.js";
import { heldRule, modelRule } from "../model_rule.js";
import { actionButton, emptyState, toast } from "../states.js";
import { table } from "../table.js";
import { badge } from "../tiles.js";

export const title = "API keys";

const words = {
  none: "There are no API keys",
  noneText: "A key lets a server chat, in place of a user’s token.",
  once: "This is the key. It is shown now and never again: what is kept is a hash of it.",
  unseen: (name) => `The key ${name} was made, but the page was left before it could be shown: revoke it, and make another one.`,
  scopes: {
    chat: "Chats, with the user’s conversations and memories",
    feedback: "Thumbs, stars and comments",
    read: "What was said and chosen",
    act: "All of these for the user that X-Uplift-User names",
    admin: "The admin API: all of this dashboard",
  },
};
const SCOPES = Object.keys(words.scopes);

export function render(context) {
  context.actions.push(actionButton("New key", () => make(context), { kind: "primary", id: "new-key" }));
  return table({
    name: "API keys", load: context.api.pages(path`/admin/api-keys`), empty: emptyState(words.none, words.noneText),
    columns: [
      { label: "Name", show: (row) => h("span", {}, row.name, h("span", { class: "cell-note" }, `${row.prefix}…`)), csv: (row) => row.name },
      { label: "State", show: (row) => badge(row.state, row.state === "active" ? "good" : row.state === "expired" ? "warn" : "plain") },
      { label: "May", show: (row) => row.scopes.join(", ") },
      { label: "User", show: (row) => row.user_id && h("a", { href: context.href("people", [row.user_id]) }, row.user_id.slice(-12)), csv: (row) => row.user_id },
      { label: "Last used", show: (row) => (row.last_used_at ? time(row.last_used_at, ago) : "never"), csv: (row) => row.last_used_at },
      { label: "Ends", show: (row) => row.expires_at && time(row.expires_at, day), csv: (row) => row.expires_at },
      { label: "Made", show: (row) => time(row.created_at, day), csv: (row) => row.created_at },
      { label: "Do", csv: false, show: (row) => (row.state === "revoked" ? null : h("span", { class: "cell-actions" },
        actionButton("Models", () => models(context, row), { kind: "small", "aria-label": `Models of ${row.name}` }),
        actionButton("Change", () => edit(context, row), { kind: "small", "aria-label": `Change ${row.name}` }),
        actionButton("Revoke", () => revoke(context, row), { kind: "small", "aria-label": `Revoke ${row.name}` }))) },
    ],
  });
}

/** Which models it may name. */
async function models(context, row) {
  const rule = await heldRule(context, "api_key", row.id);
  openDialog(context, { title: row.name, content: modelRule(context, { scope: "api_key", key: row.id, rule }) });
}

/** The fields of a key; scopes are boxes, put together by scopesOf(). */
function fieldsOf(row) {
  return [
    { name: "name", label: "Name", required: true, maxlength: 100, value: row?.name, hint: "Which server it is for." },
    ...SCOPES.map((scope) => ({ name: scope, label: scope, type: "checkbox", value: row ? row.scopes.includes(scope) : scope === "chat", hint: words.scopes[scope] })),
    { name: "expires_at", label: "Ends", type: "datetime-local", value: row?.expires_at, hint: "Empty: it does not end by itself." },
  ];
}

function readKey(values) {
  const { name, expires_at: ends, user_id: user } = values;
  return { name, scopes: SCOPES.filter((scope) => values[scope]), expires_at: ends ?? null, ...(user ? { user_id: user } : {}) };
}

function make(context) {
  formDialog(context, {
    title: "New API key", label: "Make the key",
    fields: [...fieldsOf(null), { name: "user_id", label: "Its user", hint: "The service user whose the chats are; empty: a new one." }],
    async submit(values) {
      const { expires_at: ends, ...given } = readKey(values);
      return context.api.post(path`/admin/api-keys`, { ...given, ...(ends ? { expires_at: ends } : {}) });
    },
    async done(key) {
      await showOnce(context, key);
      context.refresh();
    },
  });
}

async function showOnce(context, key) {
  // Whoever has left the page does not see it, and cannot see it later.
  if (context.signal.aborted) toast(words.unseen(key.name), { kind: "error" });
  const field = h("input", { class: "input input-code", id: "new-key-value", readonly: true, value: key.key, "aria-label": "The key", onfocus: () => field.select() });
  const done = h("button", { class: "button primary", type: "button", onclick: () => dialog.close() }, "I have kept it");
  const dialog = openDialog(context, { title: key.name, content: h("div", { class: "stack" }, h("p", {}, words.once), field,
    h("div", { class: "dialog-actions" }, h("button", { class: "button", type: "button", onclick: async () => {
      try {
        await navigator.clipboard.writeText(key.key);
        speak("Copied");
        toast("Copied.");
      } catch {
        field.focus();
        field.select();
      }
    } }, "Copy"), done)) });
  field.focus();
  await dialog.closed;
  field.value = ""; // nothing of it stays in the document
}

function edit(context, row) {
  formDialog(context, {
    title: `Change ${row.name}`, label: "Save", fields: fieldsOf(row),
    async submit(values) {
      await context.api.patch(path`/admin/api-keys/${row.id}`, readKey(values));
    },
    done() {
      toast("Saved. Workers follow within five seconds.");
      context.refresh();
    },
  });
}

async function revoke(context, row) {
  const agreed = await confirm(context, { title: `Revoke ${row.name}?`, yes: "Revoke it", danger: true, type: row.name,
    points: ["Whoever uses it is refused within five seconds (as long as Postgres is away, they are not).", "It cannot be undone: make a new key instead.", "What was said with it stays."] });
  if (!agreed) return;
  await context.api.post(path`/admin/api-keys/${row.id}/revoke`);
  toast(`${row.name} is revoked.`);
  context.refresh();
}
