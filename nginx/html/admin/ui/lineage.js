/** The lineage of model versions, drawn as a graph: from what they were made to what tried them, in columns. */

import { h } from "../../lib/dom.js";
import { emptyState } from "./states.js";
import { table } from "./table.js";

const SVG = "http://www.w3.org/2000/svg";
const COLUMNS = ["dataset_version", "base_model", "finetuning_job", "model_version", "experiment", "rollout"];
const PLACES = { dataset_version: 0, base_model: 0, finetuning_job: 1, model_version: 2, experiment: 3, rollout: 3 };
const BOX = { width: 190, height: 46, across: 70, down: 14 };
const words = {
  kinds: { dataset_version: "dataset", base_model: "base model", finetuning_job: "training", model_version: "model version", experiment: "experiment", rollout: "rollout" },
  edges: { trained_on: "is trained on by", made_of: "is the base of", made_by: "made", tried_in: "is tried in", replaced_by: "was replaced by" },
  empty: "There is no model version yet",
  emptyText: "A training that succeeds makes one.",
  about: "From left to right: what models are trained on, trainings, model versions, and what tried them. Each is a link.",
};

/** Places by column, each as near as may be to what leads to it. */
function placed({ nodes, edges }) {
  const columns = [[], [], [], []];
  for (const node of nodes) columns[PLACES[node.kind]].push(node);
  for (const column of columns) column.sort((a, b) => COLUMNS.indexOf(a.kind) - COLUMNS.indexOf(b.kind) || String(b.at ?? "").localeCompare(String(a.at ?? "")));
  const row = new Map();
  const number = (column) => column.forEach((node, i) => row.set(node.id, i));
  columns.forEach(number);
  const around = (node) => edges.flatMap((edge) => (edge.kind === "replaced_by" ? [] : edge.to === node.id ? [edge.from] : edge.from === node.id ? [edge.to] : [])).map((id) => row.get(id)).filter((at) => at !== undefined);
  // Twice there and back leaves few crossings.
  for (const column of [...columns.slice(1), ...columns.slice(0, -1).reverse(), ...columns.slice(1)]) {
    const middle = new Map(column.map((node) => [node.id, around(node).reduce((sum, at, _, all) => sum + at / all.length, 0)]));
    column.sort((a, b) => middle.get(a.id) - middle.get(b.id));
    number(column);
  }
  const height = Math.max(1, ...columns.map((column) => column.length)) * (BOX.height + BOX.down);
  const places = new Map();
  const used = columns.filter((column) => column.length > 0);
  used.forEach((column, i) => column.forEach((node, at) => places.set(node.id, {
    node, x: 4 + i * (BOX.width + BOX.across), y: 4 + (height - column.length * (BOX.height + BOX.down)) / 2 + at * (BOX.height + BOX.down) })));
  return { places, width: 8 + used.length * (BOX.width + BOX.across) - BOX.across, height: height + 8 };
}

function part(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function clipped(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function hrefOf(context, node) {
  if (node.kind === "dataset_version") return context.href("datasets", ["version", node.id]);
  const page = { finetuning_job: "training", model_version: "versions", experiment: "experiments", rollout: "rollouts" }[node.kind];
  return page ? context.href(page, [node.id]) : null;
}

function box(context, { node, x, y }, isNow) {
  const href = hrefOf(context, node);
  const state = [words.kinds[node.kind], node.environment ?? node.status?.replace("_", " ")].filter(Boolean).join(", ");
  const shape = part("g", { class: `node node-${node.kind} ${node.status === "deployed" ? "node-deployed" : ""} ${isNow ? "node-now" : ""}`.trim(), transform: `translate(${x},${y})` },
    part("title", {}, `${node.name}: ${state}`),
    part("rect", { width: BOX.width, height: BOX.height, rx: 10 }),
    part("text", { x: 11, y: 19, class: "node-name" }, clipped(node.name, 24)),
    part("text", { x: 11, y: 36, class: "node-state" }, clipped(state, 28)));
  return href === null ? shape : part("a", { href }, shape);
}

function curve(from, to, kind) {
  // What one version replaced stands above or below it: round its side.
  if (from.x === to.x) {
    const x = from.x + BOX.width;
    return part("path", { class: `edge edge-${kind}`, d: `M${x} ${from.y + BOX.height / 2}C${x + 34} ${from.y + BOX.height / 2} ${x + 34} ${to.y + BOX.height / 2} ${x} ${to.y + BOX.height / 2}`, "marker-end": "url(#arrow)" });
  }
  const [x1, y1, x2, y2] = [from.x + BOX.width, from.y + BOX.height / 2, to.x, to.y + BOX.height / 2];
  const bend = (x2 - x1) / 2;
  return part("path", { class: `edge edge-${kind}`, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, "marker-end": "url(#arrow)" });
}

/** GET /admin/model-lineage as a graph, and as a table of its arrows. `now`: the id of the one that the page is about. */
export function lineageGraph(context, graph, { now = null } = {}) {
  if (graph.nodes.length === 0) return emptyState(words.empty, words.emptyText);
  const { places, width, height } = placed(graph);
  const drawing = part("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "lineage", role: "group", "aria-label": "Lineage of model versions" },
    part("defs", {}, part("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, part("path", { class: "arrow", d: "M0 0 8 4 0 8z" }))),
    ...graph.edges.filter((edge) => places.has(edge.from) && places.has(edge.to)).map((edge) => curve(places.get(edge.from), places.get(edge.to), edge.kind)),
    ...[...places.values()].map((place) => box(context, place, place.node.id === now)));
  const names = new Map(graph.nodes.map((node) => [node.id, node]));
  const named = (id) => {
    const node = names.get(id);
    const href = hrefOf(context, node);
    const text = `${node.name} (${words.kinds[node.kind]})`;
    return href === null ? text : h("a", { href }, text);
  };
  return h("div", { class: "stack" }, h("p", { class: "hint" }, words.about),
    h("div", { class: "lineage-scroll", tabindex: 0, role: "region", "aria-label": "Lineage" }, drawing),
    h("details", {}, h("summary", {}, "As a table"), table({
      name: "Lineage", rows: graph.edges,
      columns: [{ label: "From", show: (edge) => named(edge.from) }, { label: "What", show: (edge) => words.edges[edge.kind] ?? edge.kind }, { label: "To", show: (edge) => named(edge.to) }],
    })));
}

/** The part of a graph that has to do with one node: all that leads to it, and all that comes of it. */
export function around(graph, id) {
  const kept = new Set([id]);
  const walk = (from, to) => {
    const reached = new Set([id]);
    for (let grown = true; grown;) {
      grown = false;
      for (const edge of graph.edges) {
        if (edge.kind !== "replaced_by" && reached.has(edge[from]) && !reached.has(edge[to])) grown = Boolean(reached.add(edge[to]));
      }
    }
    for (const one of reached) kept.add(one);
  };
  walk("to", "from");
  walk("from", "to");
  for (const edge of graph.edges) if (edge.kind === "replaced_by" && (edge.from === id || edge.to === id)) kept.add(edge.from).add(edge.to);
  return { nodes: graph.nodes.filter((node) => kept.has(node.id)), edges: graph.edges.filter((edge) => kept.has(edge.from) && kept.has(edge.to)) };
}
