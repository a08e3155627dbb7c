/** The list of conversations: shows, opens, deletes, and is a drawer on narrow screens. */

import { avatar } from "./coach.js";
import { $, ask, h, icon, speak } from "../lib/dom.js";
import { messageOf } from "../lib/errors.js";
import { plainText } from "../lib/markdown.js";
import { locale, t } from "../lib/words.js";

const PAGE = 30;
const SEEK_AFTER_MS = 250; // of quiet at the keyboard
const NARROW = matchMedia("(max-width: 860px)");

export class Sidebar {
  #client;
  #loaded;
  #failed;
  #deleted;
  #renamed;
  #items = [];
  #sought = ""; // what the list is searched for
  #timer = 0;
  #more = false;
  #current = null;
  #loading = 0;

  /** `loaded` hears when the list was read, `failed` of errors, `deleted` of the id of a conversation that is gone, `renamed` of {id, title}. */
  constructor({ client, loaded, failed, deleted, renamed }) {
    this.#renamed = renamed;
    this.#client = client;
    this.#loaded = loaded;
    this.#failed = failed;
    this.#deleted = deleted;
    this.#wire();
  }

  /** Puts the cursor where one looks for conversations. */
  search() {
    if (NARROW.matches) this.open();
    $("search").focus();
    $("search").select();
  }

  /** Reads the first page again. */
  async load() {
    const turn = ++this.#loading;
    const sought = this.#sought;
    try {
      const list = await this.#client().conversations({ limit: PAGE, q: sought || undefined });
      if (turn !== this.#loading) return;
      if (sought !== "") {
        this.#items = list.data;
        this.#more = list.has_more;
        this.#show();
        this.#tellFound();
        this.#loaded();
        return;
      }
      // Pages that were opened further down stay.
      const known = new Set(list.data.map((item) => item.id));
      const oldest = list.data.at(-1)?.updated_at ?? "";
      const older = list.has_more ? this.#items.filter((item) => !known.has(item.id) && item.updated_at < oldest) : [];
      if (older.length === 0) this.#more = list.has_more;
      this.#items = [...list.data, ...older];
      this.#show();
      this.#loaded();
    } catch (error) {
      if (turn === this.#loading) this.#failed(error);
    }
  }

  #tellFound() {
    const n = this.#items.length;
    $("search-state").textContent = this.#more ? t("search.foundMore", { n }) : n === 0 ? t("search.none") : t("search.found", { n });
  }

  clear() {
    clearTimeout(this.#timer);
    this.#loading++;
    this.#items = [];
    this.#more = false;
    this.#sought = $("search").value = $("search-state").textContent = "";
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
    $("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#seek();
    });
    $("search").addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#seek(), SEEK_AFTER_MS);
    });
    $("search").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || $("search").value === "") return;
      event.stopPropagation();
      event.preventDefault();
      $("search").value = "";
      this.#seek();
    });
    $("rename-cancel").addEventListener("click", () => $("rename-dialog").close());
    $("more-conversations").addEventListener("click", () => this.#loadMore());
    $("app").addEventListener("click", (event) => {
      if (event.target === $("app")) this.close(); // the shade beside the drawer
    });
    NARROW.addEventListener("change", () => this.close());
  }

  #seek() {
    clearTimeout(this.#timer);
    const sought = $("search").value.trim();
    if (sought === this.#sought) return;
    this.#sought = sought;
    this.#items = [];
    if (sought === "") $("search-state").textContent = "";
    this.load();
  }

  async #loadMore() {
    const button = $("more-conversations");
    const turn = this.#loading;
    button.disabled = true;
    try {
      const list = await this.#client().conversations({ limit: PAGE, before: this.#items.at(-1)?.updated_at, q: this.#sought || undefined });
      if (turn !== this.#loading) return; // another list, or another search
      const known = new Set(this.#items.map((item) => item.id));
      this.#items.push(...list.data.filter((item) => !known.has(item.id)));
      this.#more = list.has_more;
      this.#show();
      if (this.#sought !== "") this.#tellFound();
    } catch (error) {
      if (turn === this.#loading) this.#failed(error);
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
      ? [this.#sought === "" && h("p", { class: "hint conversations-empty" }, t("sidebar.empty"))].filter(Boolean)
      : [...groups].map(([label, items]) => h("section", { "aria-label": label },
        h("h2", { class: "group-title" }, label), h("ul", { class: "conversation-list" }, items.map((item) => this.#row(item)))))));
    $("more-conversations").hidden = !this.#more;
    this.mark(this.#current);
    if (focused) this.#focus(focused);
  }

  #row(item) {
    const title = plainText(item.title ?? "").replace(/\s+/g, " ").trim() || t("sidebar.untitled");
    return h("li", { class: "conversation", "data-id": item.id },
      h("a", { class: "conversation-link", href: `#c/${item.id}`, "data-id": item.id, title },
        item.coach_id ? avatar(item.coach_id, "avatar-dot") : h("span", { class: "avatar avatar-dot" }), h("span", { class: "conversation-words" },
          h("span", { class: "conversation-title" }, title), item.excerpt && h("span", { class: "conversation-excerpt", dir: "auto" }, plainText(item.excerpt)))),
      h("button", { class: "icon-button conversation-rename", type: "button", "aria-label": t("sidebar.rename", { title }), title: t("sidebar.renameTitle"),
        onclick: () => this.#rename(item, title) }, icon("pen")),
      h("button", { class: "icon-button conversation-delete", type: "button", "aria-label": t("sidebar.delete", { title }),
        onclick: () => this.#delete(item, title) }, icon("trash")));
  }

  #rename(item, title) {
    const dialog = $("rename-dialog");
    $("rename-error").textContent = "";
    $("rename-text").value = title;
    $("rename-form").onsubmit = async (event) => {
      event.preventDefault();
      const wanted = $("rename-text").value.trim();
      if (wanted === "") return;
      try {
        Object.assign(item, { title: (await this.#client().renameConversation(item.id, wanted)).title });
      } catch (error) {
        $("rename-error").textContent = t("page.didNotWork", { why: messageOf(error) });
        return;
      }
      dialog.close();
      this.#show();
      this.#focus(item.id);
      this.#renamed(item);
      speak(t("sidebar.renamed"));
    };
    dialog.showModal();
    $("rename-text").select();
  }

  #focus(id) {
    document.querySelector(`.conversation[data-id="${CSS.escape(id)}"] a`)?.focus();
  }

  async #delete(item, title) {
    const sure = await ask({
      title: t("sidebar.deleteTitle"),
      text: t("sidebar.deleteText", { title: title.length > 80 ? title.slice(0, 79) + "…" : title }),
      yes: t("sidebar.deleteYes"),
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
    speak(t("sidebar.deleted"));
    const next = this.#items[Math.min(at, this.#items.length - 1)];
    if (next) this.#focus(next.id);
    else $("new-chat").focus();
    this.#deleted(item.id);
  }
}

function ageOf(date) {
  const day = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
  const days = Math.round((day(new Date()) - day(date)) / 86400000);
  if (days <= 0) return t("sidebar.today");
  if (days === 1) return t("sidebar.yesterday");
  if (days < 7) return t("sidebar.thisWeek");
  return date.toLocaleDateString(locale, { month: "long", year: "numeric" });
}
