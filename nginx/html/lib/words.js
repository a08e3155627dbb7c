/**
 * What a page says, in the person's language: all words are in words/en.js, words/de.js, ..., one file a language, and
 * words/en.js says how they are written. A page names the languages that it speaks, as <html data-languages="en de">;
 * the person's choice counts, then what the browser asks for, then the first.
 *
 * In HTML, data-words="key" gets the text of an element, data-words-label, -title, -placeholder and -content its
 * attributes. On a server, where there is no page, it speaks English.
 */

const KEY = "uplift.language";
const ATTRIBUTES = { wordsLabel: "aria-label", wordsTitle: "title", wordsPlaceholder: "placeholder", wordsContent: "content" };
const page = globalThis.document;

/** Codes of the languages that the page speaks. */
export const languages = (page?.documentElement.dataset.languages ?? "en").split(" ");

/** The code of the one that it speaks now. */
export const language = chosenLanguage();

/** How dates and numbers are written: as the browser says, where that is about the same language. */
export const locale = asked().find((wanted) => baseOf(wanted) === language) ?? language;

const words = (await import(`../words/${language}.js`)).default;
const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(locale);

/** The words of a key. Values take the places that are in braces; of several forms, that for the number `n` is taken. */
export function t(key, values = {}) {
  return parts(key, values).join("");
}

/** The same as a list of texts and of what was given, such as nodes, for what stands within a sentence. */
export function parts(key, values = {}) {
  const found = words[key] ?? key;
  const text = typeof found === "string" ? found : (found[plurals.select(values.n)] ?? found.other);
  return text.split(/\{(\w+)\}/).map((part, at) => (at % 2 === 0 ? part : spell(values[part]))).filter((part) => part !== "");
}

export function hasWords(key) {
  return Object.hasOwn(words, key);
}

/** Words that stand beside one another: "one, two" */
export function enumerate(texts) {
  return new Intl.ListFormat(language, { type: "unit" }).format(texts);
}

/** Has the page speak this language from now on, which means from the beginning. */
export function speakLanguage(code) {
  try {
    localStorage.setItem(KEY, code);
  } catch {
    // Storage is blocked: the browser's language it is.
  }
  location.reload();
}

/** Puts the words into the page's own elements. */
function fillPage() {
  page.documentElement.lang = language;
  for (const node of page.querySelectorAll("[data-words]")) node.textContent = t(node.dataset.words);
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    const selector = `data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    for (const node of page.querySelectorAll(`[${selector}]`)) node.setAttribute(attribute, t(node.dataset[name]));
  }
}

function spell(value) {
  return typeof value === "number" ? numbers.format(value) : (value ?? "");
}

function asked() {
  return page ? (globalThis.navigator?.languages ?? []) : [];
}

function baseOf(code) {
  return code.toLowerCase().split("-")[0];
}

function chosenLanguage() {
  let kept = null;
  try {
    kept = page ? localStorage.getItem(KEY) : null;
  } catch {
    // Storage is blocked.
  }
  return [kept, ...asked().map(baseOf)].find((code) => languages.includes(code)) ?? languages[0];
}

if (page) fillPage();
