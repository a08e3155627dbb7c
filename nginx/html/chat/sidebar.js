/** The list of conversations: shows, opens, deletes, and is a drawer on narrow screens. */

import { avatar } from "./coach.js";
import { $, ask, h, icon, speak } from "../lib/dom.js";
import { plainText } from "../lib/markdown.js";

const PAGE = 30;
const NARROW = matchMedia("(max-width: 860px)");

export class Sidebar {
  #client;
  #loaded;
  #failed;
  #deleted;
  #items = [];
  #more = false;
  #current = null;
  #loading = 0;

  /** `loaded` hears when the list was read, `failed` of errors, `deleted` of the id of a conversation that is gone. */
  constructor({ client, loaded, failed, deleted }) {
    this.#client = client;
    this.#loaded = loaded;
    this.#failed = failed;
    this.#deleted = deleted;
    this.#wire();
  }

  /** Reads the first page again. */
  async load() {
    const turn = ++this.#loading;
    try {
      const list = await this.#client().conversations({ limit: PAGE });
      if (turn !== this.#loading) return;
      // Pages that were opened further down stay.
      const known = new Set(list.data.map((item) => item.id));
      const oldest = list.data.at(-1)?.updated_at ?? "";
      const older = list.has_more ? this.#items.filter((item) => !known.has(item.id) && item.updated_at < oldest) : [];
      if (older.length === 0) this.#more = list.has_more;
      this.#items = [...list.data, ...older];
      this.#show();
      this.#loaded();
    } catch (error) {
      this.#failed(error);
    }
  }

  clear() {
    this.#loading++;
    this.#items = [];
    this.#more = false;
    this.#show();
  }

  /** Marks the conversation that is open. */
  mark(id) {
    this.#current = id;
    for (const link of document.querySelectorAll(".conversation-link")) {
      if (link.dataset.id === id) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  open() {
    // A dialog while it is open: the rest of the page is out of reach.
    $("sidebar").setAttribute("role", "dialog");
    $("sidebar").setAttribute("aria-modal", "true");
    $("app").classList.add("drawer-open");
    $("open-sidebar").setAttribute("aria-expanded", "true");
    $("stage").inert = true;
    $("close-sidebar").focus();
  }

  /** Closes the drawer. Returns whether it was open. */
  close() {
    if (!$("app").classList.contains("drawer-open")) return false;
    $("sidebar").setAttribute("role", "complementary");
    $("sidebar").removeAttribute("aria-modal");
    $("app").classList.remove("drawer-open");
    $("open-sidebar").setAttribute("aria-expanded", "false");
    $("stage").inert = false;
    $("open-sidebar").focus();
    return true;
  }

  #wire() {
    $("open-sidebar").append(icon("menu"));
    $("close-sidebar").append(icon("close"));
    $("new-chat").prepend(icon("pen"));
    $("new-chat-narrow").append(icon("pen"));
    $("open-sidebar").addEventListener("click", () => this.open());
    $("close-sidebar").addEventListener("click", () => this.close());
    $("more-conversations").addEventListener("click", () => this.#loadMore());
    $("app").addEventListener("click", (event) => {
      if (event.target === $("app")) this.close(); // the shade beside the drawer
    });
    NARROW.addEventListener("change", () => this.close());
  }

  async #loadMore() {
    const button = $("more-conversations");
    button.disabled = true;
    try {
      const list = await this.#client().conversations({ limit: PAGE, before: this.#items.at(-1)?.updated_at });
      const known = new Set(this.#items.map((item) => item.id));
      this.#items.push(...list.data.filter((item) => !known.has(item.id)));
      this.#more = list.has_more;
      this.#show();
    } catch (error) {
      this.#failed(error);
    } finally {
      button.disabled = false;
    }
  }

  #show() {
    const groups = new Map();
    for (const item of this.#items) {
      const label = ageOf(new Date(item.updated_at));
      if (!groups.has(label)) groups.set(label, []);
      groups.get(label).push(item);
    }
    const focused = document.activeElement?.closest?.(".conversation")?.dataset.id;
    $("conversation-groups").replaceChildren(...(this.#items.length === 0
      ? [h("p", { class: "hint conversations-empty" }, "Your conversations will be listed here.")]
      : [...groups].map(([label, items]) => h("section", { "aria-label": label },
        h("h2", { class: "group-title" }, label), h("ul", { class: "conversation-list" }, items.map((item) => this.#row(item)))))));
    $("more-conversations").hidden = !this.#more;
    this.mark(this.#current);
    if (focused) document.querySelector(`.conversation[data-id="${CSS.escape(focused)}"] a`)?.focus();
  }

  #row(item) {
    const title = plainText(item.title ?? "").replace(/\s+/g, " ").trim() || "Untitled";
    return h("li", { class: "conversation", "data-id": item.id },
      h("a", { class: "conversation-link", href: `#c/${item.id}`, "data-id": item.id, title },
        item.coach_id ? avatar(item.coach_id, "avatar-dot") : h("span", { class: "avatar avatar-dot" }), h("span", { class: "conversation-title" }, title)),
      h("button", { class: "icon-button conversation-delete", type: "button", "aria-label": `Delete “${title}”`,
        onclick: () => this.#delete(item, title) }, icon("trash")));
  }

  async #delete(item, title) {
    const sure = await ask({
      title: "Delete this conversation?",
      text: `“${title.length > 80 ? title.slice(0, 79) + "…" : title}” leaves your list, and your coach forgets it. This cannot be undone.`,
      yes: "Delete",
      danger: true,
    });
    if (!sure) return;
    try {
      await this.#client().deleteConversation(item.id);
    } catch (error) {
      if (error.status !== 404) return void this.#failed(error); // 404: it was deleted elsewhere
    }
    const at = this.#items.findIndex(({ id }) => id === item.id);
    this.#items = this.#items.filter(({ id }) => id !== item.id);
    this.#show();
    speak("The conversation was deleted");
    const next = this.#items[Math.min(at, this.#items.length - 1)];
    (next ? document.querySelector(`.conversation[data-id="${CSS.escape(next.id)}"] a`) : $("new-chat")).focus();
    this.#deleted(item.id);
  }
}

function ageOf(date) {
  const day = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
  const days = Math.round((day(new Date()) - day(date)) / 86400000);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days < 7) return "This week";
  return date.toLocaleDateString(undefined, { month: "long", year: "numeric" });
}
