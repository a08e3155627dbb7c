// The page's words without a browser: each language has all of them, in the forms that it needs, and none are left in the
// code. Run by words.py, in the directory of the page.
import { readdirSync, readFileSync } from "node:fs";

import { parse } from "acorn";

import { done, equal, ok } from "../clients/tap.mjs";

const page = process.env.PAGE_DIR;
const read = (path) => readFileSync(`${page}/${path}`, "utf8");
const files = (directory) => readdirSync(`${page}/${directory}`).filter((name) => name.endsWith(".js")).map((name) => `${directory}/${name}`);

const languages = files("words").map((path) => /(\w+)\.js$/.exec(path)[1]);
const words = Object.fromEntries(await Promise.all(languages.map(async (code) => [code, (await import(`${page}/words/${code}.js`)).default])));
const html = read("index.html");
// But for what speaks to programs, and to whoever sets the page up.
const scripts = [...files("chat"), ...files("lib"), ...files("lib/signin")].filter((path) => !["lib/uplift.js", "lib/signin/setup.js"].includes(path));
const trees = new Map(scripts.map((path) => [path, parse(read(path), { ecmaVersion: 2022, sourceType: "module" })]));

// --- the languages against each other -------------------------------------------------------------

const placesOf = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort().join();
const formsOf = (value) => (typeof value === "string" ? [value] : Object.values(value));
/** What is filled in, by form; one that stands for a single number, such as "one", may leave that unsaid. */
const filledIn = (value) => formsOf(value).map((text) => placesOf(value.other?.includes("{n}") && !text.includes("{n}") ? `${text}{n}` : text));

equal([...html.match(/data-languages="([^"]*)"/)[1].split(" ")].sort(), languages.sort(), "the page names the languages that there are");
const keys = Object.keys(words.en);
for (const [code, of] of Object.entries(words)) {
  const own = Object.keys(of);
  equal([keys.filter((key) => !own.includes(key)), own.filter((key) => !keys.includes(key))], [[], []], `${code}: has the same keys as English, no fewer and no more`);
  equal(keys.filter((key) => of[key] !== undefined && (typeof of[key] !== typeof words.en[key] || formsOf(of[key]).some((form) => form.trim() === ""))), [], `${code}: none is empty, or of another kind`);
  equal(keys.filter((key) => of[key] !== undefined && new Set([...filledIn(of[key]), ...filledIn(words.en[key])]).size > 1), [], `${code}: the same is filled in`);
  const wanted = new Intl.PluralRules(code).resolvedOptions().pluralCategories.slice().sort();
  equal(own.filter((key) => typeof of[key] === "object" && Object.keys(of[key]).sort().join() !== wanted.join()), [], `${code}: what depends on a number has each form: ${wanted.join(", ")}`);
  equal(own.filter((key) => code !== "en" && formsOf(of[key]).join() === formsOf(words.en[key] ?? "").join() && /\w \w+ \w/.test(formsOf(of[key]).join())), [], `${code}: no sentence is still English`);
}

// --- the keys against the code --------------------------------------------------------------------

/** Calls `visit(node, parents)` for all nodes of a tree. */
function walk(node, visit, parents = []) {
  visit(node, parents);
  for (const child of Object.values(node)) {
    for (const inner of Array.isArray(child) ? child : [child]) {
      if (typeof inner?.type === "string") walk(inner, visit, [...parents, node]);
    }
  }
}

const texts = new Set(); // all that is written in quotes
const beginnings = new Set(); // of what goes on with a variable
for (const tree of trees.values()) {
  walk(tree, (node) => {
    if (node.type === "Literal" && typeof node.value === "string") texts.add(node.value);
    if (node.type === "TemplateLiteral" && node.expressions.length > 0) beginnings.add(node.quasis[0].value.cooked);
  });
}
const inHtml = [...html.matchAll(/data-words(?:-\w+)?="([^"]*)"/g)].map((found) => found[1]);
const isUsed = (key) => texts.has(key) || inHtml.includes(key) || [...beginnings].some((beginning) => /^[a-z]\w*\./i.test(beginning) && key.startsWith(beginning));
equal(keys.filter((key) => !isUsed(key)), [], "each is used somewhere");
const said = [...inHtml, ...[...texts].filter((text) => /^[a-z]+[A-Za-z]*\.[a-z]\w*$/.test(text) && keys.some((key) => key.split(".")[0] === text.split(".")[0]))];
equal(said.filter((key) => !keys.includes(key)), [], "and each that is said is there");

// --- the code against words -----------------------------------------------------------------------

const IS_WORDS = /\p{L}{2,}[,;:]?\s+\p{L}{2,}|^\p{Lu}\p{Ll}+|\p{L}…|\p{L}[!?]$/u;
// Where text is not for people: attributes and calls.
const NOT_SAID = new Set(["class", "rel", "d", "viewBox", "transform", "autocomplete"]);
const CALLS = new Set(["querySelector", "querySelectorAll", "closest", "matches", "matchMedia", "getElementById", "add", "remove", "toggle", "svg", "element", "setAttribute", "test", "Set"]);
// Names of keys of a keyboard, of headers and of products, and what is written for developers.
const NAMES = /^(Escape|Enter|Arrow\w+|\w+Error|Bearer ?|Intl|Shift|Control|Alt|Meta|Microsoft|GitHub|GitLab|LinkedIn|Slack|WorkOS|\.\/dev token( --admin)?)$/;

function isSaid(node, parents) {
  const parent = parents.at(-1);
  if (/^(Import|Export)/.test(parent.type)) return false;
  if (parents.some(({ type, key }) => type === "Property" && NOT_SAID.has(key.name ?? key.value))) return false;
  if (parent.type === "Property" && parent.key === node) return false;
  if (parents.some(({ type, left }) => type === "AssignmentExpression" && ["className", "d"].includes(left.property?.name))) return false;
  return !parents.some((call) => {
    if (call.type !== "CallExpression" && call.type !== "NewExpression") return false;
    const name = call.callee.property?.name ?? call.callee.name;
    return CALLS.has(name) && call.arguments.some((argument) => argument === node || parents.includes(argument));
  });
}

for (const [path, tree] of trees) {
  const found = [];
  walk(tree, (node, parents) => {
    const text = node.type === "Literal" ? node.value : node.type === "TemplateElement" ? node.value.cooked : null;
    if (typeof text === "string" && IS_WORDS.test(text) && !NAMES.test(text) && isSaid(node, parents)) found.push(text);
  });
  equal(found, [], `${path}: no words are left in it`);
}

const marked = html.replace(/<!--.*?-->/gs, "").replace(/<noscript>.*<\/noscript>/s, "").replace(/<(style|script)\b.*?<\/\1>/gs, "");
equal([...marked.matchAll(/>([^<]+)</g)].map((found) => found[1].trim()).filter((text) => text !== "" && text !== "uplift"), [], "index.html: nor in its text");
equal([...marked.matchAll(/\s(aria-label|title|placeholder|alt)="([^"]+)"/g)].map((found) => found[0]), [], "nor in its attributes");
ok(/<noscript>.*lang="de".*<\/noscript>/s.test(html), "who has no JavaScript reads all languages");
const styles = read("chat/style.css");
equal([...styles.matchAll(/content:\s*"([^"]*\p{L}[^"]*)"/gu)].map((found) => found[1]), [], "style.css: nor in its texts");
done();
