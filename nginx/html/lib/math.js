/**
 * TeX in answers: where it stands in Markdown, and drawing it as MathML by KaTeX, which is fetched only
 * when the first formula comes. Until then, and where KaTeX does not understand it, its source is shown.
 *
 * Formulas stand between \( \) or \[ \], as most models write them, or between $ $ or $$ $$. A lone
 * dollar is mostly money, so what stands between two of them must look like a formula.
 */

const FORMULA_MAX = 10000; // characters
const LINES_MAX = 200;
const LOOKS_LIKE_TEX = /[\\^_{}=+<>]|^[A-Za-z]$/;
const CLOSERS = { "\\(": "\\)", "\\[": "\\]", "$$": "$$", $: "$" };

let katex = null;
let fetching = null;
const waiting = new Set(); // {node, tex, display} that are drawn once KaTeX is here

/** Teaches markdown-it where formulas stand: tokens math_inline and math_block, the TeX in content. */
export function findMath(parser) {
  parser.inline.ruler.before("escape", "math_inline", readInline);
  parser.block.ruler.before("fence", "math_block", readBlock, { alt: ["paragraph", "reference", "blockquote", "list"] });
}

/** A node with the formula; markup is what it stood between. */
export function showMath(document, tex, markup) {
  const display = markup === "\\[" || markup === "$$";
  const node = document.createElement(display ? "div" : "span");
  node.className = display ? "math math-display" : "math";
  node.setAttribute("dir", "ltr");
  node.append(markup + tex + CLOSERS[markup]);
  const formula = { node, tex, display };
  if (katex !== null) {
    draw(formula);
  } else {
    waiting.add(formula);
    fetchKatex();
  }
  return node;
}

function fetchKatex() {
  fetching ??= import("./vendor/katex.js").then(
    (module) => {
      katex = module.default;
      for (const formula of waiting) draw(formula);
      waiting.clear();
    },
    () => waiting.clear(), // the source stays
  );
}

function draw({ node, tex, display }) {
  const source = node.textContent;
  try {
    katex.render(tex, node, { output: "mathml", displayMode: display, throwOnError: true, strict: "ignore", trust: false, maxExpand: 500, maxSize: 20 });
  } catch {
    node.textContent = source;
  }
}

function openerAt(text, at) {
  return ["\\(", "\\[", "$$", "$"].find((opener) => text.startsWith(opener, at));
}

function readInline(state, silent) {
  const { src, pos } = state;
  if (src[pos] !== "$" && src[pos] !== "\\") return false;
  const opener = openerAt(src, pos);
  if (opener === undefined) return false;
  const from = pos + opener.length;
  const end = closerAfter(state, opener, from);
  const tex = end < 0 ? "" : src.slice(from, end);
  if (!isFormula(opener, tex, src[end + CLOSERS[opener].length])) {
    // "\(" of a formula that is still coming, or that nothing ends, keeps its backslash.
    if (opener !== "\\(" || end >= 0) return false;
    if (!silent) state.pending += opener;
    state.pos = from;
    return true;
  }
  if (!silent) {
    const token = state.push("math_inline", "math", 0);
    token.content = tex;
    token.markup = opener;
  }
  state.pos = end + CLOSERS[opener].length;
  return true;
}

/** Where the opener's closer stands, -1 for nowhere near. */
function closerAfter(state, opener, from) {
  if (hasNoMore(state, opener, from)) return -1;
  let end = state.src.indexOf(CLOSERS[opener], from);
  while (opener === "$" && end > 0 && state.src[end - 1] === "\\") end = state.src.indexOf("$", end + 1);
  return end - from > FORMULA_MAX ? -1 : end;
}

/** Whether the rest of the text has no closer; remembered, so that a wall of openers stays cheap. */
function hasNoMore({ env, src }, opener, from) {
  if (env.mathSource !== src) Object.assign(env, { mathSource: src, mathEnds: {} });
  env.mathEnds[opener] ??= src.lastIndexOf(CLOSERS[opener]);
  return env.mathEnds[opener] < from;
}

function isFormula(opener, tex, next = "") {
  if (tex.trim() === "" || /\n[ \t]*\n/.test(tex)) return false;
  if (opener === "\\[") return LOOKS_LIKE_TEX.test(tex); // else it is how Markdown escapes a bracket
  if (opener === "$") return !/^\s|\s$/.test(tex) && !/\d/.test(next) && LOOKS_LIKE_TEX.test(tex);
  return true;
}

/** A formula that has lines of its own. */
function readBlock(state, startLine, endLine, silent) {
  const lineOf = (number) => state.src.slice(state.bMarks[number] + state.tShift[number], state.eMarks[number]).trimEnd();
  const first = lineOf(startLine);
  const opener = first.startsWith("\\[") ? "\\[" : first.startsWith("$$") ? "$$" : null;
  if (opener === null || state.sCount[startLine] - state.blkIndent >= 4) return false;
  const closer = CLOSERS[opener];
  if (hasNoMore(state, opener, state.bMarks[startLine] + state.tShift[startLine] + 2)) return false;
  const lines = [first.slice(2)];
  while (!lines.at(-1).endsWith(closer)) {
    const line = startLine + lines.length;
    if (line >= endLine || lines.length > LINES_MAX || state.sCount[line] < state.blkIndent || lineOf(line) === "") return false;
    lines.push(lineOf(line));
  }
  const tex = lines.join("\n").slice(0, -closer.length).trim();
  if (tex === "" || tex.length > FORMULA_MAX || tex.includes(closer)) return false;
  if (silent) return true;
  const token = state.push("math_block", "math", 0);
  token.block = true;
  token.content = tex;
  token.markup = opener;
  token.map = [startLine, startLine + lines.length];
  state.line = startLine + lines.length;
  return true;
}
