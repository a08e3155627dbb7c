/**
 * Markdown of untrusted text into DOM nodes, without a line of HTML in between: what is not Markdown
 * is a text node, so markup in an answer shows as the characters it is made of.
 *
 * Headings, paragraphs, emphasis, code, fenced code, lists, tasks, block quotes, tables, rules and
 * links to http, https and mailto. Images become links: an answer must not make the page fetch
 * anything. Works on a text that is still coming: what is open at the end is drawn as if it were
 * closed, and only blocks that changed are built again.
 */

const DEPTH_MAX = 12; // of quotes, lists and emphasis in each other
const LABEL_MAX = 1000; // characters of a link's text: bounds the search for its end
const OPENERS_MAX = 200; // marks that a closing one looks back over: bounds the time for a wall of them
const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const PUNCTUATION = /[!-/:-@[-`{-~]/;

/** Shows the text in the container. `open` says that more is to come. */
export function showMarkdown(container, text, { open = false } = {}) {
  const blocks = parseBlocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
  const shown = container.markdownBlocks ?? [];
  let same = 0;
  // The last block of an open text is drawn in its own way, so it is never the same.
  while (same < shown.length && same < blocks.length && shown[same] === blocks[same].source) same++;
  if (growCode(container, blocks, same)) same++;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (let i = same; i < blocks.length; i++) {
    container.append(build(container.ownerDocument, blocks[i], open && i === blocks.length - 1));
  }
  container.markdownBlocks = blocks.map(({ source }, i) => (open && i === blocks.length - 1 ? null : source));
}

/** Code that is still coming grows in place, so that its scroll position and a selection stay. */
function growCode(container, blocks, at) {
  const node = container.childNodes[at];
  const block = blocks[at];
  if (block?.type !== "code" || node?.className !== "code-block") return false;
  if (node.querySelector(".code-language").textContent !== block.language.slice(0, 30)) return false;
  const code = node.querySelector("code");
  const shown = code.textContent;
  if (shown !== "" && block.text.startsWith(shown)) code.firstChild.appendData(block.text.slice(shown.length));
  else code.textContent = block.text;
  return true;
}

/** The text of Markdown without its marks, for reading aloud. */
export function plainText(text) {
  return text
    .replace(/^[ \t]{0,8}(```|~~~).*$/gm, "")
    .replace(/^[ \t]{0,8}(#{1,6}|>|[-*+]|\d{1,9}[.)])[ \t]/gm, "")
    .replace(/!?\[([^[\]]{0,500})\]\([^()]{0,500}\)?/g, "$1")
    .replace(/[*_`~|]+/g, "");
}

// --- blocks -------------------------------------------------------------------------------------

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t](.*))?$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:( {1,4})(?=\S)| +|$)/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/** [{type, source, ...}]: the source decides whether a block has to be built again. */
function parseBlocks(lines, depth) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at].trim() === "") {
      at++;
      continue;
    }
    const [block, next] = parseBlock(lines, at, depth);
    block.source = lines.slice(at, next).join("\n");
    blocks.push(block);
    at = next;
  }
  return blocks;
}

function parseBlock(lines, at, depth) {
  const line = lines[at];
  if (FENCE.test(line)) return parseFence(lines, at);
  const heading = HEADING.exec(line);
  if (heading) return [{ type: "heading", level: heading[1].length, text: headingText(heading[2] ?? "") }, at + 1];
  if (RULE.test(line)) return [{ type: "rule" }, at + 1];
  if (depth < DEPTH_MAX) {
    if (QUOTE.test(line)) return parseQuote(lines, at, depth);
    if (ITEM.test(line)) return parseList(lines, at, depth);
  }
  if (isTable(lines, at)) return parseTable(lines, at);
  return parseParagraph(lines, at, depth);
}

/** Without the closing marks of "## so ##". By hand: a regular expression would be slow on a wall of marks. */
function headingText(text) {
  const whole = text.trim();
  let end = whole.length;
  while (whole[end - 1] === "#") end--;
  return end === 0 || /\s/.test(whole[end - 1]) ? whole.slice(0, end).trimEnd() : whole;
}

function parseFence(lines, at) {
  const [, fence, language] = FENCE.exec(lines[at]);
  const indent = /^ */.exec(lines[at])[0].length;
  const code = [];
  let next = at + 1;
  let closed = false;
  for (; next < lines.length && !closed; next++) {
    const end = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(lines[next]);
    closed = end !== null && end[1][0] === fence[0] && end[1].length >= fence.length;
    if (!closed) code.push(lines[next].replace(new RegExp(`^ {0,${indent}}`), ""));
  }
  return [{ type: "code", language, text: code.join("\n"), closed }, next];
}

function parseQuote(lines, at, depth) {
  const inner = [];
  let next = at;
  for (; next < lines.length; next++) {
    if (QUOTE.test(lines[next])) inner.push(lines[next].replace(QUOTE, ""));
    else if (lines[next].trim() === "" || startsBlock(lines, next, depth)) break;
    else inner.push(lines[next]); // a paragraph's lazy line
  }
  return [{ type: "quote", blocks: parseBlocks(inner, depth + 1) }, next];
}

function parseList(lines, at, depth) {
  const ordered = /\d/.test(ITEM.exec(lines[at])[2]);
  const mark = markKind(lines[at]);
  const list = { type: "list", ordered, start: ordered ? parseInt(ITEM.exec(lines[at])[2], 10) : 1, items: [], loose: false };
  let next = at;
  while (next < lines.length && ITEM.test(lines[next]) && markKind(lines[next]) === mark && !RULE.test(lines[next])) {
    const item = ITEM.exec(lines[next]);
    const indent = item[1].length + item[2].length + (item[3]?.length ?? 1);
    const inner = [lines[next].slice(indent)];
    let blank = false;
    for (next++; next < lines.length; next++) {
      const line = lines[next];
      if (line.trim() === "") {
        blank = true;
        inner.push("");
      } else if (/^ */.exec(line)[0].length >= Math.min(indent, 2 + item[1].length)) {
        // Answers often indent by two where the mark asks for three.
        const spaces = /^ */.exec(line)[0].length;
        inner.push(line.slice(Math.min(indent, spaces)));
        if (blank && !ITEM.test(line.trimStart())) list.loose = true;
        blank = false;
      } else if (blank || ITEM.test(line) || startsBlock(lines, next, depth)) {
        break;
      } else {
        inner.push(line.trimStart());
      }
    }
    if (blank && next < lines.length && ITEM.test(lines[next]) && markKind(lines[next]) === mark) list.loose = true;
    list.items.push(makeItem(inner, depth));
  }
  return [list, next];
}

function makeItem(lines, depth) {
  const task = /^\[([ xX])\][ \t]+/.exec(lines[0]);
  if (task) lines[0] = lines[0].slice(task[0].length);
  return { task: task ? task[1] !== " " : null, blocks: parseBlocks(lines, depth + 1) };
}

function markKind(line) {
  const mark = ITEM.exec(line)[2];
  return mark.length > 1 ? mark.at(-1) : mark;
}

function startsBlock(lines, at, depth) {
  const line = lines[at];
  if (FENCE.test(line) || HEADING.test(line) || RULE.test(line)) return true;
  // A number in running text, such as a year at the start of a line, begins no list.
  const item = ITEM.exec(line);
  return depth < DEPTH_MAX && (QUOTE.test(line) || (item !== null && item[3] !== undefined && /^([-*+]|1[.)])$/.test(item[2])));
}

function isTable(lines, at) {
  return at + 1 < lines.length && lines[at].includes("|") && TABLE_RULE.test(lines[at + 1]) &&
    cells(lines[at]).length === cells(lines[at + 1]).length;
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(^|[^\\])\|$/, "$1");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function parseTable(lines, at) {
  const align = cells(lines[at + 1]).map((rule) =>
    rule.endsWith(":") ? (rule.startsWith(":") ? "center" : "right") : "left");
  const rows = [];
  let next = at + 2;
  for (; next < lines.length && lines[next].trim() !== "" && lines[next].includes("|"); next++) {
    rows.push(cells(lines[next]).slice(0, align.length));
  }
  return [{ type: "table", align, head: cells(lines[at]), rows }, next];
}

function parseParagraph(lines, at, depth) {
  const text = [lines[at].trimStart()];
  let next = at + 1;
  for (; next < lines.length && lines[next].trim() !== ""; next++) {
    if (startsBlock(lines, next, depth) || isTable(lines, next)) break;
    text.push(lines[next].trimStart());
  }
  return [{ type: "paragraph", text: text.join("\n") }, next];
}

// --- nodes --------------------------------------------------------------------------------------

function element(document, name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function build(document, block, open) {
  switch (block.type) {
    case "heading": // an answer stands below the page's own headings
      return inlineElement(document, `h${Math.min(block.level + 2, 6)}`, block.text, open);
    case "paragraph":
      return inlineElement(document, "p", block.text, open);
    case "rule":
      return document.createElement("hr");
    case "code":
      return buildCode(document, block);
    case "quote":
      return element(document, "blockquote", "", ...buildAll(document, block.blocks, open));
    case "list":
      return buildList(document, block, open);
    default:
      return buildTable(document, block, open);
  }
}

function buildAll(document, blocks, open) {
  return blocks.map((block, i) => build(document, block, open && i === blocks.length - 1));
}

function inlineElement(document, name, text, open) {
  const node = element(document, name, "");
  node.setAttribute("dir", "auto");
  buildInline(document, node, text.trimEnd(), open);
  return node;
}

function buildCode(document, block) {
  const code = element(document, "code", "", block.text);
  const pre = element(document, "pre", "", code);
  pre.setAttribute("tabindex", "0"); // it may scroll, and then needs the keyboard
  pre.setAttribute("dir", "ltr");
  const language = element(document, "span", "code-language", block.language.slice(0, 30));
  const copy = element(document, "button", "code-copy", "Copy");
  copy.setAttribute("type", "button");
  return element(document, "div", "code-block", element(document, "div", "code-head", language, copy), pre);
}

function buildList(document, block, open) {
  const list = element(document, block.ordered ? "ol" : "ul", "");
  if (block.ordered && block.start !== 1) list.setAttribute("start", String(block.start));
  block.items.forEach((item, i) => {
    const node = element(document, "li", "");
    node.setAttribute("dir", "auto");
    if (item.task !== null) {
      const box = element(document, "span", item.task ? "task task-done" : "task");
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", item.task ? "done:" : "to do:");
      node.append(box);
    }
    item.blocks.forEach((inner, j) => {
      const last = open && i === block.items.length - 1 && j === item.blocks.length - 1;
      if (inner.type === "paragraph" && !block.loose) buildInline(document, node, inner.text.trimEnd(), last);
      else node.append(build(document, inner, last));
    });
    list.append(node);
  });
  return list;
}

function buildTable(document, block, open) {
  const row = (name, texts, last) => element(document, "tr", "", ...block.align.map((align, i) => {
    const cell = inlineElement(document, name, texts[i] ?? "", last && i === texts.length - 1);
    if (align !== "left") cell.className = `align-${align}`;
    if (name === "th") cell.setAttribute("scope", "col");
    return cell;
  }));
  const table = element(document, "table", "",
    element(document, "thead", "", row("th", block.head, false)),
    element(document, "tbody", "", ...block.rows.map((texts, i) => row("td", texts, open && i === block.rows.length - 1))));
  const scroller = element(document, "div", "table-scroll", table);
  scroller.setAttribute("tabindex", "0");
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", "Table");
  return scroller;
}

// --- inline -------------------------------------------------------------------------------------

/*
 * Inline text becomes a flat list of tokens: {text}, {code}, {link, tokens}, {br}, and runs of marks
 * {mark, length, opens, closes}. Runs are then paired by CommonMark's rules into {start}/{end}, and
 * the list is turned into nodes with a stack whose depth is bounded.
 */
function buildInline(document, parent, text, open) {
  emit(document, parent, inlineTokens(open ? withoutOpenEnd(text) : text, true, open));
}

/** Without what at the end of a text that is still coming is only half a mark. */
function withoutOpenEnd(text) {
  return text
    .replace(/!?\[([^[\]\n]{1,200})\]\([^()\s]*$/, "$1")
    .replace(/!?\[([^[\]\n]{0,200})$/, "$1")
    .replace(/(^|[^\\*_~`])[*_~`]{1,3}$/, "$1")
    .trimEnd();
}

function inlineTokens(text, links, open) {
  const tokens = [];
  const noTicks = new Set(); // lengths of backtick runs that no run closes
  let plain = "";
  const flush = () => {
    if (plain !== "") tokens.push({ text: plain });
    plain = "";
  };
  let at = 0;
  while (at < text.length) {
    const found = scanInline(text, at, { links, noTicks, open });
    if (found === null) {
      plain += text[at++];
    } else if (found.token.text !== undefined) {
      plain += found.token.text;
      at = found.next;
    } else {
      if (found.token.br) plain = plain.trimEnd();
      flush();
      tokens.push(found.token);
      at = found.next;
    }
  }
  flush();
  return pairMarks(tokens, open);
}

/** What begins here that is not a plain character: {token, next}, or null. */
function scanInline(text, at, state) {
  switch (text[at]) {
    case "\\":
      if (text[at + 1] === "\n") return { token: { br: true }, next: at + 2 };
      return PUNCTUATION.test(text[at + 1] ?? "") ? { token: { text: text[at + 1] }, next: at + 2 } : null;
    case "\n":
      return { token: text.slice(at - 2, at) === "  " ? { br: true } : { text: "\n" }, next: at + 1 };
    case "`":
      return scanCode(text, at, state);
    case "*":
    case "_":
    case "~":
      return scanMark(text, at);
    case "&":
      return scanEntity(text, at);
    case "!":
      return state.links && text[at + 1] === "[" ? scanLink(text, at + 1) : null;
    case "[":
      return state.links ? scanLink(text, at) : null;
    case "<":
      return state.links ? scanAngle(text, at) : null;
    case "h":
      return state.links ? scanUrl(text, at) : null;
    default:
      return null;
  }
}

function scanCode(text, at, { noTicks, open }) {
  const run = /`+/y;
  run.lastIndex = at;
  const ticks = run.exec(text)[0].length;
  const from = at + ticks;
  const literal = { token: { text: "`".repeat(ticks) }, next: from };
  if (noTicks.has(ticks)) return literal;
  const runs = /`+/g;
  runs.lastIndex = from;
  for (let found = runs.exec(text); found; found = runs.exec(text)) {
    if (found[0].length === ticks) return { token: { code: codeText(text.slice(from, found.index)) }, next: runs.lastIndex };
  }
  if (open && ticks < 3) return { token: { code: codeText(text.slice(from)) }, next: text.length };
  noTicks.add(ticks);
  return literal;
}

function codeText(text) {
  const line = text.replace(/\n/g, " ");
  return line.startsWith(" ") && line.endsWith(" ") && line.trim() !== "" ? line.slice(1, -1) : line;
}

function scanMark(text, at) {
  const mark = text[at];
  let end = at;
  while (text[end] === mark) end++;
  const before = text[at - 1] ?? " ";
  const after = text[end] ?? " ";
  const spaceBefore = /\s/.test(before);
  const spaceAfter = /\s/.test(after);
  const punctuationBefore = isPunctuation(before);
  const punctuationAfter = isPunctuation(after);
  const left = !spaceAfter && (!punctuationAfter || spaceBefore || punctuationBefore);
  const right = !spaceBefore && (!punctuationBefore || spaceAfter || punctuationAfter);
  const length = end - at;
  if (mark === "~" && length !== 2) return { token: { text: text.slice(at, end) }, next: end };
  const opens = mark === "_" ? left && (!right || punctuationBefore) : left;
  const closes = mark === "_" ? right && (!left || punctuationAfter) : right;
  return { token: { mark, length, opens, closes }, next: end };
}

function isPunctuation(character) {
  return /[\p{P}\p{S}]/u.test(character);
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", hellip: "…", mdash: "—", ndash: "–", copy: "©", rarr: "→", times: "×" };

function scanEntity(text, at) {
  const entity = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,6}));/y;
  entity.lastIndex = at;
  const found = entity.exec(text);
  if (found === null) return null;
  const code = found[3] === undefined ? parseInt(found[1] ?? found[2], found[1] === undefined ? 16 : 10) : -1;
  const character = code < 0 ? ENTITIES[found[3]] : code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : "\ufffd";
  return character === undefined ? null : { token: { text: character }, next: entity.lastIndex };
}

/** [text](address "title") */
function scanLink(text, at) {
  let depth = 0;
  let end = at;
  const limit = Math.min(text.length, at + LABEL_MAX);
  for (; end < limit; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === "[") depth++;
    else if (text[end] === "]" && --depth === 0) break;
  }
  if (end >= limit || text[end + 1] !== "(") return null;
  const target = /\(\s*(?:<([^<>\n]*)>|((?:[^\s()\\]|\\.|\([^\s()]*\))*))(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)/y;
  target.lastIndex = end + 1;
  const found = target.exec(text);
  if (found === null) return null;
  const label = text.slice(at + 1, end);
  const address = (found[1] ?? found[2]).replace(/\\([!-/:-@[-`{-~])/g, "$1");
  const tokens = inlineTokens(label === "" ? address : label, false, false);
  return { token: { link: safeAddress(address), tokens }, next: target.lastIndex };
}

/** <https://example.org> */
function scanAngle(text, at) {
  const angle = /<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/iy;
  angle.lastIndex = at;
  const found = angle.exec(text);
  return found && { token: { link: safeAddress(found[1]), tokens: [{ text: found[1] }] }, next: angle.lastIndex };
}

/** A bare https://example.org, without the punctuation of the sentence around it. */
function scanUrl(text, at) {
  const bare = /https?:\/\/[^\s<>"`]{1,2000}/iy;
  bare.lastIndex = at;
  if (/[\p{L}\p{N}]/u.test(text[at - 1] ?? "")) return null;
  let found = bare.exec(text)?.[0].replace(/[*_~]+$/, "").replace(/[.,:;!?'"\]]+$/, "");
  if (found === undefined) return null;
  while (found.endsWith(")") && found.split(")").length > found.split("(").length) found = found.slice(0, -1);
  found = found.replace(/[.,:;!?'"]+$/, "");
  const address = safeAddress(found);
  return address && { token: { link: address, tokens: [{ text: found }] }, next: at + found.length };
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

/** CommonMark's "process emphasis", on our flat list. */
function pairMarks(tokens, open) {
  const stack = []; // openers, as indices into tokens
  const edges = tokens.map(() => ({ before: [], after: [] })); // starts and ends around each run
  for (let i = 0; i < tokens.length; i++) {
    const run = tokens[i];
    if (run.mark === undefined) continue;
    run.left = run.length;
    if (run.closes) closeRun(tokens, edges, stack, i);
    if (run.opens && run.left > 0) stack.push(i);
  }
  if (open) {
    // As if the text ended with what would close it.
    for (const i of stack.reverse()) {
      const run = tokens[i];
      if (i === tokens.length - 1 || run.left > 3) continue;
      const names = run.mark === "~" ? ["s"] : run.left === 1 ? ["em"] : run.left === 2 ? ["strong"] : ["strong", "em"]; // the outer one last
      for (const name of names) {
        edges[i].after.unshift({ start: name });
        edges[tokens.length - 1].after.push({ end: name });
      }
      run.left = 0;
    }
  }
  return tokens.flatMap((token, i) => [
    ...edges[i].before,
    ...(token.mark === undefined ? [token] : token.left > 0 ? [{ text: token.mark.repeat(token.left) }] : []),
    ...edges[i].after,
  ]);
}

function closeRun(tokens, edges, stack, i) {
  const closer = tokens[i];
  while (closer.left > 0) {
    let k = stack.length - 1;
    const last = Math.max(0, stack.length - OPENERS_MAX);
    while (k >= last && !matches(tokens[stack[k]], closer)) k--;
    if (k < last) return;
    const opener = tokens[stack[k]];
    const length = closer.mark === "~" || (opener.left >= 2 && closer.left >= 2) ? 2 : 1;
    const name = closer.mark === "~" ? "s" : length === 2 ? "strong" : "em";
    edges[stack[k]].after.unshift({ start: name });
    edges[i].before.push({ end: name });
    opener.left -= length;
    closer.left -= length;
    stack.length = k + (opener.left > 0 ? 1 : 0);
  }
}

function matches(opener, closer) {
  if (opener.mark !== closer.mark) return false;
  // "The rule of three": a run that could do both pairs only with lengths that do not add up to it.
  const both = opener.closes || closer.opens;
  return !(both && (opener.length + closer.length) % 3 === 0 && (opener.length % 3 !== 0 || closer.length % 3 !== 0));
}

function emit(document, parent, tokens) {
  const stack = [parent];
  let skipped = 0; // elements too deep to be made
  for (const token of tokens) {
    const top = stack.at(-1);
    if (token.text !== undefined) top.append(token.text);
    else if (token.code !== undefined) top.append(element(document, "code", "", token.code));
    else if (token.br) top.append(document.createElement("br"));
    else if (token.start) {
      if (stack.length > DEPTH_MAX) {
        skipped++;
      } else {
        const node = document.createElement(token.start);
        top.append(node);
        stack.push(node);
      }
    } else if (token.end) {
      if (skipped > 0) skipped--;
      else stack.pop();
    } else {
      emitLink(document, top, token);
    }
  }
}

function emitLink(document, parent, { link, tokens }) {
  if (link === null) {
    emit(document, parent, tokens);
    return;
  }
  const node = document.createElement("a");
  node.setAttribute("href", link);
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
  emit(document, node, tokens);
  parent.append(node);
}
