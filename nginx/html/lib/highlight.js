/**
 * Colours for code, by highlight.js, which is fetched only when the first code of a known language comes. It gives HTML;
 * what of that it may be made of, spans with a class and text, is read here and built node by node.
 */

const CODE_MAX = 20000; // characters: more is shown as it is
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };
const NAMES = { shell: "bash", console: "bash", tsx: "typescript", postgresql: "sql", psql: "sql" }; // that it does not know itself

let library = null;
let fetching = null;

/** Colours the code blocks within a node, but for those within `but`. */
export function highlightCode(node, { but = null } = {}) {
  for (const block of node.querySelectorAll(".code-block:not([data-coloured])")) {
    if (but !== null && but.contains(block)) continue;
    const name = block.querySelector(".code-language").textContent.toLowerCase();
    const code = block.querySelector("code");
    if (name === "" || code.textContent.length > CODE_MAX) continue;
    if (library !== null) colour(block, code, NAMES[name] ?? name);
    else fetchLibrary().then(() => code.isConnected && colour(block, code, NAMES[name] ?? name), () => {});
  }
}

function fetchLibrary() {
  fetching ??= import("./vendor/highlight.js").then((module) => {
    library = module.default;
  });
  return fetching;
}

function colour(block, code, language) {
  if (library === null || library.getLanguage(language) === undefined) return;
  const text = code.textContent;
  let nodes;
  try {
    nodes = nodesOf(code.ownerDocument, library.highlight(language, text, true).value);
  } catch {
    return; // it stays as it is
  }
  block.dataset.coloured = "";
  code.replaceChildren(...nodes);
  if (code.textContent !== text) code.textContent = text;
}

/** Nodes of what highlight.js writes; whatever else were in it would be text. */
function nodesOf(document, html) {
  const root = document.createDocumentFragment();
  const open = [root];
  for (const [, tag, name, close, text] of html.matchAll(/(<span class="([\w -]*)">)|(<\/span>)|([^<]+|<)/g)) {
    if (tag !== undefined) {
      const span = document.createElement("span");
      span.className = name;
      open.at(-1).append(span);
      open.push(span);
    } else if (close !== undefined) {
      if (open.length > 1) open.pop();
    } else {
      open.at(-1).append(text.replace(/&(amp|lt|gt|quot|#x27);/g, (_, entity) => ENTITIES[entity]));
    }
  }
  return [...root.childNodes];
}
