/**
 * Markdown of untrusted text into DOM nodes, without a line of HTML in between: markdown-it parses, and
 * what it finds is built here node by node, so markup in an answer shows as the characters it is made of.
 *
 * Headings keep the page's order of levels, images become links (an answer must not make the page fetch
 * anything), links lead to http, https and mailto only, TeX is drawn by math.js, and what a reasoning
 * model thinks aloud (<think>) is folded away. Works on a text that is still coming: marks that are open
 * at its end are drawn as if they were closed, and only blocks that changed are built again.
 */

import MarkdownIt from "./vendor/markdown-it.js";
import { findMath, showMath } from "./math.js";
import { t } from "./words.js";

const DEPTH_MAX = 40; // of markdown-it's nesting: quotes, lists and emphasis inside each other
const ADDRESS_MAX = 4000; // characters of a link's: bounds the search for its end
const OPEN_MARKS_MAX = 20; // more marks that nothing closes are a wall of them, not emphasis
const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const CITATIONS = /\[(\d{1,2}(?:, *\d{1,2}){0,7})\]/g;
const THINKING = /^\s*<(think|thinking)>/;

const parser = makeParser();

function makeParser() {
  const parser = new MarkdownIt({ html: false, linkify: true, maxNesting: DEPTH_MAX });
  parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
  parser.validateLink = () => true; // safeAddress() decides, when a link is built
  parser.disable("reference"); // "[1]: https://..." is a list of sources, to be seen
  const { parseLinkDestination } = parser.helpers;
  parser.helpers.parseLinkDestination = (text, at, max) => parseLinkDestination(text, at, Math.min(max, at + ADDRESS_MAX));
  parser.core.ruler.before("inline", "open_end", closeOpenEnd);
  parser.core.ruler.after("inline", "breaks", keepBreaks);
  parser.core.ruler.push("citations", findCitations);
  findMath(parser);
  parser.inline.ruler.before("escape", "escaped", keepEscaped); // after math, which begins with \[
  return parser;
}

/**
 * Shows the text in the container. `open` says that more is to come; `breaks`, that each line end is one
 * to see, as in what people type; `thoughts`, that a reasoning model's thoughts may come first; `cited`, what
 * numbers in brackets stand for, number -> {title, url}: those become small links, or buttons where url is null.
 */
export function showMarkdown(container, text, { open = false, breaks = false, thoughts = true, cited = new Map() } = {}) {
  const from = thoughts ? answerStart(text) : 0;
  const blocks = parseText(text.slice(from), { open, breaks, cited });
  if (from > 0) blocks.unshift(thoughtOf(text.slice(0, from), open && from === text.length));
  if (thoughts && open && /^\s*<(t(h(i(n(k(i(ng?)?)?)?)?)?)?)?$/.test(text)) blocks.length = 0; // half of the mark
  const shown = container.markdownBlocks ?? [];
  let same = 0;
  while (same < shown.length && same < blocks.length && shown[same] === blocks[same].source) same++;
  if (growBlock(container, blocks, same)) same++;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (const block of blocks.slice(same)) container.append(buildBlock(container.ownerDocument, block));
  // The last block of an open text is drawn in its own way, so it is never the same.
  container.markdownBlocks = blocks.map(({ source, last }) => (open && last ? null : source));
}

/** Where the answer begins: behind what a reasoning model thought aloud; the text's end while it still thinks. */
export function answerStart(text) {
  const begun = THINKING.exec(text);
  if (begun === null) return 0;
  const end = text.indexOf(`</${begun[1]}>`);
  return end < 0 ? text.length : end + begun[1].length + 3;
}

/** The text of Markdown without its marks, for reading aloud. */
export function plainText(text) {
  return text
    .replace(/^[ \t]{0,8}(```|~~~).*$/gm, "")
    .replace(/^[ \t]{0,8}(#{1,6}|>|[-*+]|\d{1,9}[.)])[ \t]/gm, "")
    .replace(/!?\[([^[\]]{0,500})\]\([^()]{0,500}\)?/g, "$1")
    .replace(/\\[()[\]]/g, "")
    .replace(/(?<![\p{L}\p{N}])[*_~`|]+|[*_~`|]+(?![\p{L}\p{N}])/gu, "");
}

/** The address in the browser's own spelling, or null where it must not become a link. */
export function safeAddress(text) {
  try {
    const url = new URL(text);
    return SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null; // relative: it would lead to a page of ours that the answer made up
  }
}

// --- parsing ------------------------------------------------------------------------------------

/** [{source, last, tokens | thought}]: the source decides whether a block has to be built again. */
function parseText(text, environment) {
  const lines = withFullIndents(text.replace(/\r\n?/g, "\n").split("\n"));
  const tokens = parser.parse(lines.join("\n"), environment);
  setHeadingLevels(tokens);
  const blocks = [];
  let begin = 0;
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at].level !== 0 || tokens[at].nesting === 1) continue;
    const [first, end] = tokens[begin].map;
    const words = lines.slice(first, end).join("\n").trimEnd();
    const cites = environment.cited.size > 0 && words.search(CITATIONS) >= 0 ? JSON.stringify([...environment.cited]) : "";
    const source = `${tokens[begin].tag} ${words}${cites}`;
    blocks.push({ source, tokens: tokens.slice(begin, at + 1), last: at === tokens.length - 1 });
    begin = at + 1;
  }
  return blocks;
}

function thoughtOf(text, thinks) {
  const thought = text.replace(THINKING, "").replace(/<\/(think|thinking)>$/, "");
  return { source: `thought ${thought}`, thought, thinks, last: thinks };
}

/** Answers often indent what belongs to a numbered item by two or three where its number asks for more. */
function withFullIndents(lines) {
  let wanted = 0; // columns that what belongs to the last numbered item begins at; 0 outside of one
  let fence = null;
  return lines.map((line) => {
    const mark = /^ *(`{3,}|~{3,})/.exec(line);
    if (mark && (fence === null || (mark[1].startsWith(fence) && /^ *[`~]+\s*$/.test(line)))) fence = fence === null ? mark[1] : null;
    const item = /^(\d{1,9}[.)] +)\S/.exec(line);
    if (item) {
      wanted = Math.min(item[1].length, 5);
      return line;
    }
    if (/^\S/.test(line)) wanted = 0;
    const spaces = /^ */.exec(line)[0].length;
    if (wanted <= spaces || spaces < 2 || (fence !== null && mark === null) || !/^ *([-*+] |`{3}|~{3})/.test(line)) return line;
    return " ".repeat(wanted - spaces) + line;
  });
}

/** Levels as they follow one another, below the page's own: an answer may begin with its third and skip some. */
function setHeadingLevels(tokens) {
  const above = [];
  for (const token of tokens) {
    if (token.type !== "heading_open") continue;
    const level = Number(token.tag[1]);
    while (above.length > 0 && above.at(-1) >= level) above.pop();
    above.push(level);
    token.tag = `h${Math.min(above.length + 2, 6)}`;
  }
}

/** A rule of markdown-it, for what people type. */
function keepBreaks({ tokens, env }) {
  if (!env.breaks) return;
  for (const token of tokens.flatMap(({ children }) => children ?? [])) {
    if (token.type === "softbreak") token.type = "hardbreak";
  }
}

/** A rule of markdown-it: what is escaped in "\[1]" stays apart, so that findCitations() does not take it for a source. */
function keepEscaped(state, silent) {
  if (state.src[state.pos] !== "\\" || !"[],".includes(state.src[state.pos + 1] ?? "none")) return false;
  if (!silent) state.push("escaped", "", 0).content = state.src[state.pos + 1];
  state.pos += 2;
  return true;
}

/** A rule of markdown-it: numbers in brackets that stand for sources, but in the text of a link. */
function findCitations({ tokens, env, Token }) {
  if (!(env.cited?.size > 0)) return;
  for (const token of tokens) {
    let links = 0;
    token.children = token.children?.flatMap((child) => {
      links += child.type === "link_open" ? 1 : child.type === "link_close" ? -1 : 0;
      return child.type === "text" && links === 0 ? citationsIn(child, env.cited, Token) : [child];
    }) ?? null;
  }
}

/** A text's token as several, with those of citations among them. */
function citationsIn(text, cited, Token) {
  const tokens = [];
  let at = 0;
  const say = (content) => {
    if (content === "") return;
    const token = new Token("text", "", 0);
    token.content = content;
    token.level = text.level;
    tokens.push(token);
  };
  for (const found of text.content.matchAll(CITATIONS)) {
    const numbers = found[1].split(/, */).map(Number).filter((number) => cited.has(number));
    if (numbers.length === 0) continue;
    say(text.content.slice(at, found.index));
    at = found.index + found[0].length;
    for (const number of numbers) tokens.push(Object.assign(new Token("citation", "", 0), { level: text.level, meta: { number, ...cited.get(number) } }));
  }
  say(text.content.slice(at));
  return at === 0 ? [text] : tokens;
}

/** A rule of markdown-it: what is open at the end of a text that is still coming is closed. */
function closeOpenEnd({ tokens, env }) {
  if (!env.open) return;
  let at = tokens.length - 1;
  while (at >= 0 && tokens[at].nesting === -1) at--;
  if (at < 0 || tokens[at].type !== "inline") return;
  const text = withoutHalfMarks(tokens[at].content);
  const ticks = openTicks(text);
  tokens[at].content = text + ticks + openMarks(text + ticks, env);
}

/** Without what at the end is only half a mark. */
function withoutHalfMarks(text) {
  return text
    .replace(/!?\[([^[\]\n]{1,200})\]\([^()\s]*$/, "$1")
    .replace(/!?\[([^[\]\n]{0,200})$/, "$1")
    .replace(/(^|[^\\*_~`])[*_~`]{1,3}$/, "$1")
    .trimEnd();
}

/** The backticks that begin code which nothing ends. */
function openTicks(text) {
  const run = /\\.|`+/gs;
  for (let found = run.exec(text); found; found = run.exec(text)) {
    if (found[0][0] !== "`") continue;
    const close = new RegExp(`(?<!\`)${found[0]}(?!\`)`, "g");
    close.lastIndex = run.lastIndex;
    if (close.exec(text) === null) return found[0].length < 3 ? found[0] : "";
    run.lastIndex = close.lastIndex;
  }
  return "";
}

/** What closes the emphasis that is open at the end. */
function openMarks(text, environment) {
  const state = new parser.inline.State(text, parser, environment, []);
  parser.inline.tokenize(state);
  for (const rule of parser.inline.ruler2.getRules("")) rule(state);
  const open = state.delimiters.filter(({ open: opens, end }) => opens && end === -1);
  if (open.length > OPEN_MARKS_MAX) return "";
  return open.reverse().map(({ marker }) => (marker === 0x7e ? "~~" : String.fromCharCode(marker))).join("");
}

// --- nodes --------------------------------------------------------------------------------------

function element(document, name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function buildBlock(document, block) {
  if (block.thought !== undefined) return buildThought(document, block);
  const place = document.createElement("div");
  buildTokens(document, place, block.tokens);
  const node = place.firstChild;
  if (node.className === "") node.setAttribute("dir", "auto");
  return node;
}

/** What grows in place, so that a scroll position, a selection and a fold stay: code, and thoughts. */
function growBlock(container, blocks, at) {
  const node = container.childNodes[at];
  const block = blocks[at];
  if (node === undefined || block === undefined) return false;
  if (block.thought !== undefined) {
    if (node.className !== "thought") return false;
    fillThought(node, block);
    return true;
  }
  if (node.className !== "code-block" || !isCode(block.tokens[0])) return false;
  if (node.querySelector(".code-language").textContent !== languageOf(block.tokens[0])) return false;
  const code = node.querySelector("code");
  const shown = code.textContent;
  const text = codeOf(block.tokens[0]);
  const isPlain = code.childNodes.length === 1 && code.firstChild.appendData !== undefined; // not coloured since
  if (isPlain && shown !== "" && text.startsWith(shown)) code.firstChild.appendData(text.slice(shown.length));
  else code.textContent = text;
  return true;
}

function buildThought(document, block) {
  const node = element(document, "details", "thought", element(document, "summary", ""), element(document, "div", "prose"));
  fillThought(node, block);
  return node;
}

function fillThought(node, { thought, thinks }) {
  node.querySelector("summary").textContent = t(thinks ? "prose.thinking" : "prose.thought");
  showMarkdown(node.querySelector(".prose"), thought, { open: thinks, thoughts: false });
}

/** Tokens come flat, as openings, closings and what stands by itself. */
function buildTokens(document, parent, tokens) {
  const stack = [parent];
  for (const token of tokens) {
    const top = stack.at(-1);
    if (token.nesting === 0) {
      buildLeaf(document, top, token);
    } else if (token.nesting === -1) {
      stack.pop();
    } else {
      const { outer, inner } = openElement(document, top, token);
      if (outer !== null) top.append(outer);
      stack.push(inner);
    }
  }
}

/** The element that the token opens, and where what follows goes: a paragraph of a dense list has no element. */
function openElement(document, top, token) {
  if (token.hidden) return { outer: null, inner: top };
  if (token.type === "link_open") {
    const node = link(document, token.attrGet("href"));
    return { outer: node, inner: node ?? top };
  }
  const node = document.createElement(token.tag);
  if (token.type === "ordered_list_open" && token.attrGet("start") !== null) node.setAttribute("start", String(token.attrGet("start")));
  if (token.type === "th_open") node.setAttribute("scope", "col");
  const align = /text-align:(center|right)/.exec(token.attrGet("style") ?? "")?.[1];
  if (align) node.className = `align-${align}`;
  return { outer: token.type === "table_open" ? scroller(document, node) : node, inner: node };
}

function buildLeaf(document, top, token) {
  switch (token.type) {
    case "inline":
      buildInline(document, top, token.children);
      break;
    case "fence":
    case "code_block":
      top.append(buildCode(document, token));
      break;
    case "code_inline":
      top.append(element(document, "code", "", token.content));
      break;
    case "softbreak":
      top.append("\n");
      break;
    case "hardbreak":
      top.append(document.createElement("br"));
      break;
    case "hr":
      top.append(document.createElement("hr"));
      break;
    case "image":
      buildImage(document, top, token);
      break;
    case "citation":
      top.append(buildCitation(document, token.meta));
      break;
    case "math_inline":
    case "math_block":
      top.append(showMath(document, token.content, token.markup));
      break;
    default:
      top.append(token.content);
  }
}

function buildInline(document, top, children) {
  const task = top.localName === "li" ? /^\[([ xX])\](?:\s+|$)/.exec(children[0]?.type === "text" ? children[0].content : "") : null;
  if (task && top.childNodes.length === 0) {
    const box = element(document, "span", task[1] === " " ? "task" : "task task-done");
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", t(task[1] === " " ? "prose.toDo" : "prose.done"));
    top.append(box);
    children[0].content = children[0].content.slice(task[0].length);
  }
  buildTokens(document, top, children);
}

function buildCitation(document, { number, title, url }) {
  const node = (url === null ? null : link(document, url)) ?? document.createElement("button");
  if (node.localName === "button") node.setAttribute("type", "button");
  node.className = "cite";
  node.setAttribute("data-number", String(number));
  node.setAttribute("title", title);
  node.setAttribute("aria-label", t("prose.source", { number, title }));
  node.append(String(number));
  return element(document, "sup", "", node);
}

function buildImage(document, top, token) {
  const address = token.attrGet("src");
  const node = link(document, address);
  buildTokens(document, node ?? top, token.children);
  if (node !== null) top.append(node);
}

/** A link, or null for an address that must not be one: its text then stands alone. */
function link(document, href) {
  const address = safeAddress(href);
  if (address === null) return null;
  const node = document.createElement("a");
  node.setAttribute("href", address);
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
  return node;
}

function scroller(document, table) {
  table.setAttribute("dir", "auto");
  const node = element(document, "div", "table-scroll", table);
  node.setAttribute("tabindex", "0"); // it may scroll, and then needs the keyboard
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", t("prose.table"));
  return node;
}

function isCode(token) {
  return token.type === "fence" || token.type === "code_block";
}

function languageOf(token) {
  return (token.info ?? "").trim().split(/\s+/)[0].slice(0, 30);
}

function codeOf(token) {
  return token.content.replace(/\n$/, "");
}

function buildCode(document, token) {
  const code = element(document, "code", "", codeOf(token));
  const pre = element(document, "pre", "", code);
  pre.setAttribute("tabindex", "0");
  pre.setAttribute("dir", "ltr");
  const copy = element(document, "button", "code-copy", t("prose.copy"));
  copy.setAttribute("type", "button");
  return element(document, "div", "code-block", element(document, "div", "code-head", element(document, "span", "code-language", languageOf(token)), copy), pre);
}
