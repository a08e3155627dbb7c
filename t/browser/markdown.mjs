// markdown.js over a document that is just big enough, and written out as HTML to compare.
import assert from "node:assert/strict";
import { test } from "node:test";

const { answerStart, plainText, safeAddress, showMarkdown } = await import(`${process.env.PAGE_DIR}/lib/markdown.js`);

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

class Text {
  constructor(data) {
    this.data = data;
  }
  appendData(more) {
    this.data += more;
  }
  get textContent() {
    return this.data;
  }
  get html() {
    return escape(this.data);
  }
}

class Element {
  childNodes = [];
  attributes = {};
  className = "";
  constructor(ownerDocument, name) {
    this.ownerDocument = ownerDocument;
    this.name = name;
  }
  get localName() {
    return this.name;
  }
  append(...nodes) {
    for (const node of nodes) {
      const child = typeof node === "string" ? new Text(node) : node;
      child.parent = this;
      if (!(child instanceof Text && child.data === "")) this.childNodes.push(child);
    }
  }
  remove() {
    this.parent.childNodes = this.parent.childNodes.filter((node) => node !== this);
  }
  setAttribute(name, value) {
    assert.ok(!/^on|^style$/.test(name), `attribute ${name}`);
    this.attributes[name] = value;
  }
  get firstChild() {
    return this.childNodes[0] ?? null;
  }
  get lastChild() {
    return this.childNodes.at(-1) ?? null;
  }
  get textContent() {
    return this.childNodes.map((node) => node.textContent).join("");
  }
  set textContent(text) {
    this.childNodes = [];
    this.append(text);
  }
  set innerHTML(_) {
    assert.fail("innerHTML");
  }
  querySelector(selector) {
    const fits = (node) => (selector.startsWith(".") ? node.className === selector.slice(1) : node.name === selector);
    for (const node of this.childNodes) {
      if (!(node instanceof Element)) continue;
      const found = fits(node) ? node : node.querySelector(selector);
      if (found) return found;
    }
    return null;
  }
  get inner() {
    return this.childNodes.map((node) => node.html).join("");
  }
  get html() {
    const kept = Object.entries(this.attributes).filter(([name]) => !["dir", "tabindex", "target", "rel", "type", "scope", "role", "aria-label"].includes(name));
    const attributes = (this.className ? ` class="${this.className}"` : "") + kept.map(([name, value]) => ` ${name}="${escape(value)}"`).join("");
    return ["br", "hr"].includes(this.name) ? `<${this.name}>` : `<${this.name}${attributes}>${this.inner}</${this.name}>`;
  }
}

const document = { createElement: (name) => new Element(document, name) };

function html(text, options) {
  const root = document.createElement("div");
  showMarkdown(root, text, options);
  return root.inner;
}

const open = (text) => html(text, { open: true });
const cases = (name, list, draw = html) => test(`markdown: ${name}`, () => {
  for (const [text, wanted] of list) assert.equal(draw(text), wanted, JSON.stringify(text));
});
const code = (language, text) => `<div class="code-block"><div class="code-head"><span class="code-language">${language}</span><button class="code-copy">Copy</button></div><pre><code>${text}</code></pre></div>`;

cases("paragraphs and breaks", [
  ["", ""], ["   \n\n ", ""], ["a\nb\n\nc", "<p>a\nb</p><p>c</p>"], ["a  \nb", "<p>a<br>b</p>"], ["a\\\nb", "<p>a<br>b</p>"], ["a\r\nb\rc", "<p>a\nb\nc</p>"],
]);

cases("headings stand below the page's, and their levels follow one another", [
  ["# One", "<h3>One</h3>"], ["## Two ##", "<h3>Two</h3>"], ["###### Six", "<h3>Six</h3>"], ["#", "<h3></h3>"], ["One\n===", "<h3>One</h3>"],
  ["### a\n# b\n### c\n## d\n###### e", "<h3>a</h3><h3>b</h3><h4>c</h4><h4>d</h4><h5>e</h5>"], ["# 1\n## 2\n### 3\n#### 4\n##### 5", "<h3>1</h3><h4>2</h4><h5>3</h5><h6>4</h6><h6>5</h6>"],
  ["#no", "<p>#no</p>"], ["####### seven", "<p>####### seven</p>"], ["# C#", "<h3>C#</h3>"], ["text\n# One", "<p>text</p><h3>One</h3>"],
]);

cases("emphasis", [
  ["*a* **b** ***c*** ~~d~~", "<p><em>a</em> <strong>b</strong> <em><strong>c</strong></em> <s>d</s></p>"],
  ["_a_ __b__", "<p><em>a</em> <strong>b</strong></p>"], ["snake_case_name 2*3*4", "<p>snake_case_name 2<em>3</em>4</p>"],
  ["2 * 3 * 4", "<p>2 * 3 * 4</p>"], ["**a *b* c**", "<p><strong>a <em>b</em> c</strong></p>"], ["*a **b** c*", "<p><em>a <strong>b</strong> c</em></p>"],
  ["**open", "<p>**open</p>"], ["*a **b*", "<p>*a *<em>b</em></p>"], ["\\*a\\*", "<p>*a*</p>"], ["**Bold:** text", "<p><strong>Bold:</strong> text</p>"],
  ["a~b~c", "<p>a~b~c</p>"], ["*foo**bar**baz*", "<p><em>foo<strong>bar</strong>baz</em></p>"], ["**foo*bar*baz**", "<p><strong>foo<em>bar</em>baz</strong></p>"],
]);

cases("code", [
  ["`a *b* <i>`", "<p><code>a *b* &lt;i></code></p>"], ["`` a`b ``", "<p><code>a`b</code></p>"], ["`open", "<p>`open</p>"], ["`a\nb`", "<p><code>a b</code></p>"],
  ["```js\nlet a = `1`;\n\n# no\n```\nafter", code("js", "let a = `1`;\n\n# no") + "<p>after</p>"], ["~~~\na\n~~~", code("", "a")],
  ["````\n```\n````", code("", "```")], ["```\nnever closed", code("", "never closed")], ["  ```\n  a\n    b\n  ```", code("", "a\n  b")], ["```a`b", "<p>```a`b</p>"],
]);

cases("lists", [
  ["- a\n- b", "<ul><li>a</li><li>b</li></ul>"], ["1. a\n2. b\n10. c", "<ol><li>a</li><li>b</li><li>c</li></ol>"], ["3) a", '<ol start="3"><li>a</li></ol>'],
  ["- a\n  - b\n    - c\n- d", "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ul>"], ["1. a\n   - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"],
  ["1. a\n  - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"],
  ["- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"], ["- a\n\n  more\n- b", "<ul><li><p>a</p><p>more</p></li><li><p>b</p></li></ul>"],
  ["- a\nlazy\n\nafter", "<ul><li>a\nlazy</li></ul><p>after</p>"], ["- a\n* b", "<ul><li>a</li></ul><ul><li>b</li></ul>"], ["text\n- a", "<p>text</p><ul><li>a</li></ul>"],
  ["It was\n1986. A year", "<p>It was\n1986. A year</p>"], ["- [ ] a\n- [x] b", '<ul><li><span class="task"></span>a</li><li><span class="task task-done"></span>b</li></ul>'],
  ["- a\n  ```\n  x\n  ```", "<ul><li>a" + code("", "x") + "</li></ul>"], ["-", "<ul><li></li></ul>"], ["-no", "<p>-no</p>"],
]);

cases("quotes, rules, tables", [
  ["> a\n> b\nlazy\n\nc", "<blockquote><p>a\nb\nlazy</p></blockquote><p>c</p>"], ["> - a\n> - b", "<blockquote><ul><li>a</li><li>b</li></ul></blockquote>"], ["> > a", "<blockquote><blockquote><p>a</p></blockquote></blockquote>"],
  ["---", "<hr>"], ["* * *", "<hr>"], ["a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"],
  ["| a | b |\n|---|--:|\n| *1* | 2 \\| 3 |\n| x |\n\nend", '<div class="table-scroll"><table><thead><tr><th>a</th><th class="align-right">b</th></tr></thead><tbody><tr><td><em>1</em></td><td class="align-right">2 | 3</td></tr><tr><td>x</td><td class="align-right"></td></tr></tbody></table></div><p>end</p>'],
  ["a | b", "<p>a | b</p>"], ["a\n***", "<p>a</p><hr>"],
]);

cases("links, and only those that are safe", [
  ["[a *b*](https://x.org/y?z=1 \"t\")", '<p><a href="https://x.org/y?z=1">a <em>b</em></a></p>'], ["[m](mailto:a@b.org)", '<p><a href="mailto:a@b.org">m</a></p>'],
  ["see https://x.org/a_b_(c). Yes", '<p>see <a href="https://x.org/a_b_(c)">https://x.org/a_b_(c)</a>. Yes</p>'], ["(https://x.org)", '<p>(<a href="https://x.org/">https://x.org</a>)</p>'],
  ["**https://x.org**", '<p><strong><a href="https://x.org/">https://x.org</a></strong></p>'], ["<https://x.org>", '<p><a href="https://x.org/">https://x.org</a></p>'],
  ["![alt](https://x.org/p.png)", '<p><a href="https://x.org/p.png">alt</a></p>'], ["[a](</b c>)", "<p>a</p>"],
  ["[a](javascript:alert(1))", "<p>a</p>"], ["[a](JaVaScRiPt:alert`1`)", "<p>a</p>"], ["[a](data:text/html,x)", "<p>a</p>"], ["[a](vbscript:x)", "<p>a</p>"], ["[a](/relative)", "<p>a</p>"], ["[a](//x.org)", "<p>a</p>"],
  ["[a](java&#10;script:alert(1))", "<p>a</p>"], ["![x](javascript:alert(1))", "<p>x</p>"], ["[a][b] [c]", "<p>[a][b] [c]</p>"], ["[[a](https://x.org)", '<p>[<a href="https://x.org/">a</a></p>'],
]);

test("markdown: addresses", () => {
  for (const bad of ["javascript:1", " javascript:1", "java\nscript:1", "\u0001javascript:1", "blob:https://x/1", "file:///etc/passwd", "about:blank", "", "x"]) assert.equal(safeAddress(bad), null, JSON.stringify(bad));
  assert.equal(safeAddress("HTTPS://X.org"), "https://x.org/");
});

cases("markup is text", [
  ["<script>alert(1)</script>", "<p>&lt;script>alert(1)&lt;/script></p>"], ["<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)></p>"],
  ["&lt;b&gt; &amp; &copy; &nosuch; &#60; &#0; &#x1F3C3;", "<p>&lt;b> &amp; © &amp;nosuch; &lt; \ufffd 🏃</p>"], ["`</code><script>`", "<p><code>&lt;/code>&lt;script></code></p>"],
  ["```\"><script>\nx\n```", code("&quot;>&lt;script>", "x")],
]);

cases("an open end is drawn as if it were closed", [
  ["a **bol", "<p>a <strong>bol</strong></p>"], ["a **", "<p>a</p>"], ["a *it", "<p>a <em>it</em></p>"], ["a `co", "<p>a <code>co</code></p>"], ["a [link](https://x.o", "<p>a link</p>"], ["a [li", "<p>a li</p>"], ["a [", "<p>a</p>"],
  ["**a** b", "<p><strong>a</strong> b</p>"], ["***x", "<p><em><strong>x</strong></em></p>"], ["- a **b", "<ul><li>a <strong>b</strong></li></ul>"], ["**closed\n\nopen **b", "<p>**closed</p><p>open <strong>b</strong></p>"], ["```js\nlet", code("js", "let")], ["2 * 3", "<p>2 * 3</p>"],
], open);

test("markdown: growing by one character at a time ends as drawn at once, and keeps what is finished", () => {
  const text = "# T\n\nA **b** `c` [d](https://x.org).\n\n1. one\n2. two\n   - in\n\n> q\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```js\nlet a;\nlet b;\n```\n\nEnd *x*.";
  const root = document.createElement("div");
  let first = null;
  let pre = null;
  for (let i = 1; i <= text.length; i++) {
    showMarkdown(root, text.slice(0, i), { open: true });
    if (i === 6) first = root.childNodes[0];
    if (i > 6) assert.equal(root.childNodes[0], first, "a finished block is not built again");
    const block = root.querySelector("pre");
    if (pre && pre.textContent !== "") assert.equal(block, pre, "code grows in place");
    pre = block;
  }
  showMarkdown(root, text);
  assert.equal(root.inner, html(text));
  showMarkdown(root, "short");
  assert.equal(root.inner, "<p>short</p>");
});

// What takes more than linear time does not come to its end before the harness's patience does.
test("markdown: nothing makes it slow or deep", () => {
  const n = 40000;
  const walls = ["*".repeat(n), "*a ".repeat(n), "**a _b ".repeat(n), "_a* ".repeat(n), "[".repeat(n), "![".repeat(n), "[a](".repeat(n), "[a](b(".repeat(n), "`a``b```c".repeat(n / 4), "<https://".repeat(n), "> ".repeat(n) + "a", "- ".repeat(n) + "a",
    "  ".repeat(n) + "- a", "#".repeat(n), "# " + " #".repeat(n) + "x", "# " + " ".repeat(n) + "x", "|".repeat(n) + "\n" + "|-".repeat(n), "- - ".repeat(n), "\n".repeat(n), "a\n".repeat(n), "1. a\n".repeat(n), "&#".repeat(n), "https://".repeat(n), "\\".repeat(n),
    "`" + " ".repeat(n) + "x`", "~".repeat(n), "~~".repeat(n), "~~~ " + "~ ".repeat(n), "```\n".repeat(n), "***a***".repeat(n / 4), "> a\n\n".repeat(n / 4), "$a ".repeat(n), "$$".repeat(n), "\\(".repeat(n), "\\[".repeat(n), "\\[\n".repeat(n), "[a]: b\n".repeat(n), "<think>".repeat(n)];
  for (const wall of walls) {
    for (const draw of [html, open]) {
      const depth = Math.max(...draw(wall).split(/(?=<)/).reduce((all, tag) => [...all.slice(-1), (all.at(-1) ?? 0) + (/^<\//.test(tag) ? -1 : /^<(?!br|hr)[a-z]/.test(tag) ? 1 : 0)], [0]));
      plainText(wall);
      assert.ok(depth < 100, JSON.stringify(wall.slice(0, 12)));
    }
  }
});

const formula = (markup, tex) => `<span class="math">${markup}${tex}${{ "\\(": "\\)", $: "$" }[markup]}</span>`;
const display = (source) => `<div class="math math-display">${source}</div>`;

cases("formulas", [
  ["a \\(x_1 + y*2*3\\) b", `<p>a ${formula("\\(", "x_1 + y*2*3")} b</p>`], ["\\[\nx^2 = 4\n\\]", display("\\[x^2 = 4\\]")], ["so\n$$\na_b\n$$\nthen", `<p>so</p>${display("$$a_b$$")}<p>then</p>`],
  ["- b\n  \\[x=1\\]", `<ul><li>b${display("\\[x=1\\]")}</li></ul>`], ["$E=mc^2$ and $x$", `<p>${formula("$", "E=mc^2")} and ${formula("$", "x")}</p>`],
  ["from $5 to $10", "<p>from $5 to $10</p>"], ["$5-$10, or 3$/day and 4$/day", "<p>$5-$10, or 3$/day and 4$/day</p>"], ["\\[not a link\\](x)", "<p>[not a link](x)</p>"], ["`\\(x\\)`", "<p><code>\\(x\\)</code></p>"],
  ["\\( alone", "<p>\\( alone</p>"], ["\\(a\n\nb\\)", "<p>\\(a</p><p>b)</p>"], ["\\[\nnever closed", "<p>[\nnever closed</p>"],
]);

const thought = (summary, text) => `<details class="thought"><summary>${summary}</summary><div class="prose">${text}</div></details>`;

cases("what a reasoning model thinks aloud is folded away", [
  ["<think>\nhm *so*\n</think>\n\nYes.", thought("What it thought first", "<p>hm <em>so</em></p>") + "<p>Yes.</p>"], ["<thinking>a</thinking>b", thought("What it thought first", "<p>a</p>") + "<p>b</p>"],
  ["<think>never ends", thought("What it thought first", "<p>never ends</p>")], ["The <think> tag", "<p>The &lt;think> tag</p>"], ["<think></think>a", thought("What it thought first", "") + "<p>a</p>"],
]);

test("markdown: thoughts that are still coming are drawn in place, and nothing of their mark is seen", () => {
  const text = "<think>\na **b**\n</think>\nAnswer";
  const root = document.createElement("div");
  let fold = null;
  for (let i = 1; i <= text.length; i++) {
    showMarkdown(root, text.slice(0, i), { open: true });
    assert.ok(!root.textContent.includes("<th"), root.inner);
    fold ??= root.querySelector("details");
    assert.equal(root.querySelector("details"), fold, "the fold stays as the person left it");
    if (i === 13) assert.equal(root.inner, thought("Thinking …", "<p>a <strong>b</strong></p>"));
  }
  showMarkdown(root, text);
  assert.equal(root.inner, html(text));
  assert.equal(text.slice(answerStart(text)).trim(), "Answer");
  assert.equal(answerStart("plain"), 0);
});

test("markdown: each block has the direction of its own text", () => {
  const root = document.createElement("div");
  showMarkdown(root, "a\n\n- b\n  - c\n\n> d\n\n| e |\n|---|\n| f |\n\n# g");
  const directions = (node) => node.childNodes.flatMap((child) => (child instanceof Element ? [...(child.attributes.dir ? [`${child.name} ${child.attributes.dir}`] : []), ...directions(child)] : []));
  assert.deepEqual(directions(root), ["p auto", "ul auto", "blockquote auto", "table auto", "h3 auto"]);
});

test("markdown: the lines of what people type stay lines", () => {
  assert.equal(html("a\nb", { breaks: true }), "<p>a<br>b</p>");
  assert.equal(html("a\nb", { breaks: false }), "<p>a\nb</p>");
});

test("markdown: numbers that stand for sources", () => {
  const cited = new Map([[1, { title: "Sleep <b>", url: "https://example.org/" }], [2, { title: "FAQ", url: null }]]);
  const cite = (text) => html(text, { cited });
  const one = '<sup><a class="cite" href="https://example.org/" data-number="1" title="Sleep &lt;b>">1</a></sup>';
  const plain = (text) => html(text, { cited: new Map() });
  assert.equal(cite("Rest [1]."), `<p>Rest ${one}.</p>`);
  assert.equal(cite("Ask [2]"), '<p>Ask <sup><button class="cite" data-number="2" title="FAQ">2</button></sup></p>');
  assert.equal(cite("*[1, 9]*"), `<p><em>${one}</em></p>`);
  assert.equal(cite("[1, 2]").match(/<sup>/g).length, 2);
  for (const text of ["`a[1]`", "```\na[1]\n```", "[x [1]](https://example.net/)", "[1](https://example.net/)", "[9]", "[01x]", "\\[1]", "[1\\]", "[1\\, 2]"])
    assert.equal(cite(text), plain(text), text);
  assert.equal(cite("\\[1] \\\\[1]"), `<p>[1] \\${one}</p>`, "an escaped bracket, and one behind a backslash that is escaped itself");
  const root = document.createElement("div");
  const text = "So [1].\n\nNo more.";
  showMarkdown(root, text);
  const [first] = root.childNodes;
  showMarkdown(root, text, { cited });
  assert.notEqual(root.childNodes[0], first, "what cites is built again once it is known what it cites");
  assert.equal(root.inner, `<p>So ${one}.</p><p>No more.</p>`);
});

test("markdown: plain text for reading aloud", () => {
  assert.equal(plainText("\\(x\\) and \\[y\\]"), "x and y");
  assert.equal(plainText("Fix **my_file_name.py** and 2*3*4"), "Fix my_file_name.py and 2*3*4");
  assert.equal(plainText("# Hi\n\n- **a** [b](https://x.org) `c`\n\n```js\nx\n```").replace(/\s+/g, " ").trim(), "Hi a b c x");
});
