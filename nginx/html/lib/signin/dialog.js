/** The sign-in dialog: what it shows depends on how one can sign in here. */

import { h } from "../dom.js";
import { parts, t } from "../words.js";

const STYLE = new URL("./sign_in.css", import.meta.url);

export class SignInDialog {
  #node;
  #actions;
  #view;
  #resolve = null;
  #stays = h("input", { type: "checkbox", id: "sign-in-stay" });
  #error = h("p", { class: "form-error", id: "sign-in-error", role: "alert" });
  #text = h("p", { id: "sign-in-text" });
  #body = h("div", { class: "sign-in-body" });
  #later = h("button", { class: "button", type: "button", id: "sign-in-later", onclick: () => this.close(false) }, t("signIn.later"));
  #submit = h("button", { class: "button primary", type: "submit", id: "sign-in-submit", form: "sign-in-form" }, t("signIn.title"));

  /**
   * @param {object} options way: an Oidc or a Supabase, or null where tokens are pasted; takesToken: whether they may be anyway;
   *   tokenHint: the command that prints one; actions: {redirect(stays, provider), password(stays, email, password),
   *   link(stays, email), code(stays, email, code), token(stays, token)}, each of which closes the dialog or throws what is to be
   *   said
   */
  constructor({ way, takesToken, tokenHint, actions }) {
    this.#actions = actions;
    if (!document.querySelector(`link[href="${STYLE}"]`)) document.head.append(h("link", { rel: "stylesheet", href: STYLE }));
    this.#node = document.getElementById("sign-in") ?? document.body.appendChild(h("dialog", { class: "card", id: "sign-in" }));
    this.#node.setAttribute("aria-labelledby", "sign-in-title");
    this.#node.setAttribute("aria-describedby", "sign-in-error sign-in-text");
    this.#node.replaceChildren(h("div", { class: "sign-in" }, h("h2", { id: "sign-in-title" }, t("signIn.title")), this.#text, this.#error, this.#body,
      h("label", { class: "sign-in-check", for: "sign-in-stay" }, this.#stays, h("span", {}, t("signIn.stay"))),
      h("div", { class: "card-actions sign-in-actions" }, this.#later, this.#submit)));
    this.#node.onclose = () => this.#ended(this.#node.returnValue === "yes");
    if (way === null) this.#view = this.#tokenView(tokenHint);
    else this.#view = way.providers === undefined ? this.#redirectView(way) : this.#supabaseView(way);
    if (way !== null && takesToken) this.#view.more = () => this.#tokenSection(tokenHint);
  }

  /** Shows it, unless it is there, with why it is shown; resolves to whether somebody signed in. */
  open(message = "") {
    this.#show(this.#view);
    this.say(message);
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#node.returnValue = "";
      if (!this.#node.open) this.#node.showModal();
      this.#focus();
    });
  }

  close(signedIn) {
    if (this.#node.open) this.#node.close(signedIn ? "yes" : "");
    else this.#ended(signedIn);
  }

  /** Says what went wrong, or what goes on. */
  say(message) {
    this.#error.textContent = message;
  }

  #ended(signedIn) {
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#body.replaceChildren(); // no password stays in the page
    resolve?.(signedIn);
  }

  #show({ text, nodes, submit, more }) {
    this.#text.textContent = text;
    this.#body.replaceChildren(...nodes(), ...(more ? [more()] : []));
    this.#submit.hidden = submit === null;
    if (submit !== null) this.#submit.textContent = submit;
    this.#idle();
  }

  #focus() {
    const fields = this.#body.querySelectorAll("input, textarea");
    const first = fields[0] && !fields[0].closest("details") ? fields[0] : null;
    (first ?? (this.#submit.hidden ? this.#body.querySelector("button") : this.#submit)).focus();
  }

  #idle(busy = false) {
    for (const button of this.#node.querySelectorAll("button:not(#sign-in-later)")) button.disabled = busy;
  }

  /** Does it, with nothing to press meanwhile, and says what went wrong. */
  async #try(act) {
    this.say("");
    this.#idle(true);
    try {
      await act(this.#stays.checked);
    } catch (error) {
      this.say(error.message);
    } finally {
      this.#idle(false);
    }
  }

  #form(nodes, act, id = "sign-in-form") {
    return h("form", { id, onsubmit: (event) => {
      event.preventDefault();
      this.#try((stays) => act(stays, new FormData(event.target)));
    } }, nodes);
  }

  #redirectView({ name }) {
    return { text: t("signIn.redirect", { name }), submit: t("signIn.continue", { name }),
      nodes: () => [this.#form([], (stays) => this.#actions.redirect(stays))] };
  }

  #supabaseView(way) {
    const text = t("signIn.choose");
    const providers = () => way.providers.map(({ id, name }) => h("button", {
      class: "button sign-in-provider", type: "button", onclick: () => this.#try((stays) => this.#actions.redirect(stays, id)) }, t("signIn.continue", { name })));
    if (!way.hasPassword && !way.hasLink) return { text, submit: null, nodes: providers };
    return { text, submit: way.hasPassword ? t("signIn.title") : t("signIn.sendLink"), nodes: () => [
      ...providers(),
      way.providers.length > 0 && h("p", { class: "sign-in-or" }, t("signIn.or")),
      this.#form([
        field(t("signIn.email"), { id: "sign-in-email", name: "email", type: "email", autocomplete: "username", required: true }),
        way.hasPassword && field(t("signIn.password"), { id: "sign-in-password", name: "password", type: "password", autocomplete: "current-password", required: true }),
      ], (stays, values) => way.hasPassword ? this.#actions.password(stays, values.get("email").trim(), values.get("password")) : this.#sendLink(stays)),
      way.hasPassword && way.hasLink && h("button", { class: "text-button", type: "button", id: "sign-in-link", onclick: () => this.#try((stays) => this.#sendLink(stays)) }, t("signIn.linkInstead")),
    ].filter(Boolean) };
  }

  async #sendLink(stays) {
    const input = this.#body.querySelector("#sign-in-email");
    if (!input.reportValidity()) return;
    const email = input.value.trim();
    await this.#actions.link(stays, email);
    this.#show({
      text: t("signIn.linkSent", { email }), submit: t("signIn.title"),
      nodes: () => [
        this.#form([field(t("signIn.code"), { id: "sign-in-code", name: "code", type: "text", inputmode: "numeric", autocomplete: "one-time-code", required: true })],
          (now, values) => this.#actions.code(now, email, values.get("code").replace(/\s+/g, ""))),
        h("button", { class: "text-button", type: "button", onclick: () => { this.#show(this.#view); this.#focus(); } }, t("signIn.otherAddress")),
      ],
    });
    this.#focus();
  }

  #tokenView(hint) {
    return { text: t("signIn.text"), submit: t("signIn.title"),
      nodes: () => [this.#tokenForm("sign-in-form"), hintOf(hint)] };
  }

  /** For development, beside another way to sign in. */
  #tokenSection(hint) {
    return h("details", { class: "sign-in-token" }, h("summary", {}, t("signIn.useToken")), this.#tokenForm("sign-in-token-form"), hintOf(hint),
      h("button", { class: "button", type: "submit", form: "sign-in-token-form" }, t("signIn.withToken")));
  }

  #tokenForm(id) {
    const area = h("textarea", { id: "token", name: "token", rows: 4, spellcheck: "false", autocomplete: "off", autocapitalize: "off", required: true, onkeydown: (event) => {
      // A token has no lines.
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        area.form.requestSubmit();
      }
    } });
    return this.#form([h("label", { for: "token" }, t("signIn.token")), area],
      (stays, values) => this.#actions.token(stays, values.get("token").trim().replace(/^Bearer\s+/i, "")), id);
  }
}

function field(label, attributes) {
  return h("div", { class: "sign-in-field" }, h("label", { for: attributes.id }, label), h("input", { spellcheck: "false", autocapitalize: "off", ...attributes }));
}

function hintOf(command) {
  return h("p", { class: "hint" }, parts("signIn.hint", { command: h("code", {}, command) }));
}
