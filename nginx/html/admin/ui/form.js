/** Forms: fields with labels and hints, values with their types, and errors beside the field that they are about. */

import { h } from "../../lib/dom.js";
import { explain, isAborted } from "./api.js";

let forms = 0;

/**
 * A form. `fields` are {name, label, type, hint, required, value, options, ...attributes of the input}; types are
 * "text", "number", "textarea", "select" (options: [{value, label}]), "checkbox", "date", "datetime-local", "password",
 * "file", "json", and "list" (a line each). `submit(values)` does it: an error whose `param` names a field
 * (as "messages[1].content" names messages) is shown there. Values that are empty are left out; with `whole` they are null.
 * Returns {node, values(), field(name), setValues(values), fail(error), focus()}.
 */
export function form({ fields, submit, label = "Save", cancel = null, whole = false, inline = false }) {
  const prefix = `form-${++forms}`;
  const made = fields.map((field) => makeField(field, prefix));
  const trouble = h("p", { class: "form-error", role: "alert" });
  const button = h("button", { class: "button primary", type: "submit" }, label);
  const node = h("form", { class: `form ${inline ? "form-inline" : ""}`.trim(), novalidate: true, onsubmit: run },
    made.map((field) => field.node), trouble,
    h("div", { class: "form-actions" }, cancel ? h("button", { class: "button", type: "button", onclick: cancel }, "Cancel") : null, button));

  function clear() {
    trouble.textContent = "";
    for (const field of made) field.fail("");
  }

  /** The values by name, or null where one cannot be read: it says so. */
  function values() {
    clear();
    const read = {};
    let wrong = null;
    for (const field of made) {
      const { value, problem } = field.read();
      if (problem) {
        field.fail(problem);
        wrong ??= field;
      } else if (value !== null || whole) {
        read[field.name] = value;
      }
    }
    wrong?.input.focus();
    return wrong ? null : read;
  }

  function fail(error) {
    if (isAborted(error)) return;
    const told = explain(error);
    const about = made.find(({ name }) => error.param === name || String(error.param ?? "").startsWith(`${name}.`) || String(error.param ?? "").startsWith(`${name}[`));
    if (about) {
      about.fail(told.text);
      about.input.focus();
    } else {
      trouble.textContent = [told.text, error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 403 ? "" : told.next, told.reference].filter(Boolean).join(" ");
      if (error.status === undefined) console.error(error);
    }
  }

  async function run(event) {
    event.preventDefault();
    const given = values();
    if (given === null) return;
    button.disabled = true;
    try {
      await submit(given);
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = false;
    }
  }

  return { node, values, fail, focus: () => made[0]?.input.focus(), field: (name) => made.find((field) => field.name === name)?.input,
    setValues: (given) => made.forEach((field) => field.name in given && field.write(given[field.name])) };
}

function makeField({ name, label, type = "text", hint = "", required = false, value, options = [], ...attributes }, prefix) {
  const id = `${prefix}-${name}`;
  const described = `${id}-error${hint ? ` ${id}-hint` : ""}`;
  const shared = { id, name, required, "aria-describedby": described, ...attributes };
  const input = makeInput(type, shared, options);
  const error = h("p", { class: "field-error", id: `${id}-error` });
  const labelled = h("label", { for: id }, label, required ? h("span", { class: "required" }, " (required)") : null);
  const help = hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null;
  const field = {
    name, input,
    node: type === "checkbox" ? h("div", { class: "field field-check" }, input, labelled, help, error) : h("div", { class: "field" }, labelled, input, help, error),
    fail(text) {
      error.textContent = text;
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
    read: () => readInput(input, type, required),
    write: (given) => writeInput(input, type, given),
  };
  if (value !== undefined && value !== null) field.write(value);
  return field;
}

function makeInput(type, shared, options) {
  if (type === "select") return h("select", { class: "input", ...shared }, options.map(({ value, label }) => h("option", { value }, label)));
  if (type === "textarea" || type === "list" || type === "json") return h("textarea", { class: `input ${type === "json" ? "input-code" : ""}`.trim(), rows: 4, ...shared });
  if (type === "checkbox") return h("input", { type, ...shared });
  return h("input", { class: "input", type, autocomplete: "off", ...(type === "number" ? { step: "any", inputmode: "decimal" } : {}), ...shared });
}

/** {value, problem}: null for nothing. */
function readInput(input, type, required) {
  if (type === "checkbox") return { value: input.checked };
  if (type === "file") return input.files.length > 0 ? { value: input.multiple ? [...input.files] : input.files[0] } : { value: null, problem: required ? "Choose a file." : "" };
  const text = type === "textarea" || type === "json" ? input.value : input.value.trim();
  if (type === "number" && input.validity?.badInput) return { value: null, problem: "This is not a number." };
  if (text.trim() === "") return { value: null, problem: required ? "This is needed." : "" };
  if (type === "number") return numberOf(text, input);
  if (type === "list") return { value: text.split("\n").map((line) => line.trim()).filter(Boolean) };
  if (type === "datetime-local") return { value: new Date(text).toISOString() };
  if (type === "json") {
    try {
      return { value: JSON.parse(text) };
    } catch (error) {
      return { value: null, problem: `This is not JSON: ${error.message}.` };
    }
  }
  return { value: text };
}

function numberOf(text, input) {
  const value = Number(text);
  if (Number.isNaN(value)) return { value: null, problem: "This is not a number." };
  if (input.min !== "" && value < Number(input.min)) return { value: null, problem: `At least ${input.min}.` };
  if (input.max !== "" && value > Number(input.max)) return { value: null, problem: `At most ${input.max}.` };
  return { value };
}

function writeInput(input, type, given) {
  if (type === "checkbox") input.checked = given === true;
  else if (type === "json") input.value = given === null ? "" : JSON.stringify(given, null, 2);
  else if (type === "list") input.value = (given ?? []).join("\n");
  else if (type === "datetime-local") input.value = given ? localMinute(new Date(given)) : "";
  else if (type !== "file") input.value = given ?? "";
}

function localMinute(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
