/** API keys, for servers: made once, shown once. */

import { h, speak } from "../../../lib/dom.js";
import { confirm, openDialog } from "../dialog.js";
import { form } from "../form.js";
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
    name: "API keys", load: context.api.pages("/admin/api-keys"), empty: emptyState(words.none, words.noneText),
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
  openDialog({ title: row.name, content: modelRule(context, { scope: "api_key", key: row.id, rule }) });
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
  const made = form({
    label: "Make the key", cancel: () => dialog.close(),
    fields: [...fieldsOf(null), { name: "user_id", label: "Its user", hint: "The service user whose the chats are; empty: a new one." }],
    async submit(values) {
      const { expires_at: ends, ...given } = readKey(values);
      const key = await context.api.post("/admin/api-keys", { ...given, ...(ends ? { expires_at: ends } : {}) });
      dialog.close();
      await showOnce(key);
      context.refresh();
    },
  });
  const dialog = openDialog({ title: "New API key", content: made.node });
}

async function showOnce(key) {
  const field = h("input", { class: "input input-code", id: "new-key-value", readonly: true, value: key.key, "aria-label": "The key", onfocus: () => field.select() });
  const done = h("button", { class: "button primary", type: "button", onclick: () => dialog.close() }, "I have kept it");
  const dialog = openDialog({ title: key.name, content: h("div", { class: "stack" }, h("p", {}, words.once), field,
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
  const made = form({
    label: "Save", cancel: () => dialog.close(), fields: fieldsOf(row),
    async submit(values) {
      await context.api.patch(`/admin/api-keys/${row.id}`, readKey(values));
      dialog.close();
      toast("Saved. Workers follow within five seconds.");
      context.refresh();
    },
  });
  const dialog = openDialog({ title: `Change ${row.name}`, content: made.node });
}

async function revoke(context, row) {
  const agreed = await confirm({ title: `Revoke ${row.name}?`, yes: "Revoke it", danger: true, type: row.name,
    points: ["Whoever uses it is refused within five seconds (as long as Postgres is away, they are not).", "It cannot be undone: make a new key instead.", "What was said with it stays."] });
  if (!agreed) return;
  await context.api.post(`/admin/api-keys/${row.id}/revoke`);
  toast(`${row.name} is revoked.`);
  context.refresh();
}
