/**
 * Charts, by D3: lines with interval bands and marked events, and bars. Each has a table of its figures, and is saved as CSV or PNG.
 *
 * A chart takes
 *   title, description   its name, and a sentence of what it shows, for those who do not see it
 *   series               [{name, points: [{at, value, low, high, n, href}]}], six at most: `at` is a time (bars: or a word), a
 *                        value of null is a gap, `low` and `high` a band, `n` how many are behind it, `href` the rows;
 *                        `colour` (1 to 6) where another than the next one says more: 4 for what went wrong
 *   format               how values are written: count, money, percent, ...
 *   events               [{at, label, href}], marked on the line and listed below it
 *   empty                what stands there without any value: a text or node
 *   across               of lines whose places are numbers and no times, how those are written
 *   y                    {min, max}: what the axis has at least
 *   when                 how times are written where points are whole days or months: day, month (else with the hour)
 */

import { axisBottom, axisLeft, bisector, extent, line, area, max, min, scaleBand, scaleLinear, scaleTime, select } from "../../lib/vendor/d3.js";
import { h, speak } from "../../lib/dom.js";
import { fileName, saveBlob, saveCsv } from "./csv.js";
import { clock, count as plainCount, day, moment, NOTHING, time } from "./format.js";
import { emptyState, toast } from "./states.js";
import { table } from "./table.js";

const HEIGHT = 240;
const MARGIN = { top: 14, right: 22, bottom: 26, left: 56 };
const DASHES = ["", "7 4", "2 4", "9 3 2 3", "4 3", "12 4"]; // what tells lines apart besides their colours
const HOUR = 3600000;
let charts = 0;

export function lineChart(options) {
  return chart(options, drawLines);
}

/** `stacked`: the series of one place stand on one another, else beside each other. */
export function barChart(options) {
  return chart(options, drawBars);
}

// --- the frame: heading, tools, drawing or table ---

function chart({ title, description = "", series, format = plainCount, axis = format, events = [], empty = "There is nothing to show for this time.", y = {}, stacked = false, across = null, by = "Time", when = null, height = HEIGHT }, draw) {
  const id = `chart-${++charts}`;
  const shown = series.map((one) => ({ ...one, points: one.points.map(readPoint) }));
  const model = { id, title, description, series: shown, format, axis, events: events.map(readPoint), y, stacked, when, across, height };
  const hasValues = shown.some((one) => one.points.some((point) => point.value !== null));
  const heading = h("h3", { id: `${id}-title` }, title);
  const note = description ? h("p", { class: "chart-note", id: `${id}-note` }, description) : null;
  if (!hasValues) return h("section", { class: "chart", "aria-labelledby": `${id}-title` }, h("div", { class: "chart-head" }, heading), typeof empty === "string" ? emptyState(empty) : empty);

  const plot = h("div", { class: "chart-plot", tabindex: 0, role: "group", "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-reading` });
  const reading = h("p", { class: "chart-reading", id: `${id}-reading` }, words.reading);
  const drawing = h("div", {}, plot, shown.length > 1 || shown[0].name ? legend(shown, draw === drawLines) : null, reading, eventList(model.events));
  const rows = h("div", { hidden: true });
  const toggle = h("button", { class: "text-button", type: "button", "aria-pressed": "false", onclick: () => {
    const asTable = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(asTable));
    if (asTable && rows.childNodes.length === 0) rows.append(table({ name: title, columns: columnsOf(model, by), rows: rowsOf(model), csv: false }));
    rows.hidden = !asTable;
    drawing.hidden = asTable;
  } }, words.table);
  const tools = h("div", { class: "chart-tools", role: "group", "aria-label": words.tools },
    toggle,
    h("button", { class: "text-button", type: "button", onclick: () => saveCsv(title, columnsOf(model, by), rowsOf(model)) }, words.csv),
    h("button", { class: "text-button", type: "button", onclick: () => savePng(plot.querySelector("svg"), model).catch(() => toast(words.noPng, { kind: "error" })) }, words.png));
  const node = h("section", { class: "chart", "aria-labelledby": `${id}-title` }, h("div", { class: "chart-head" }, heading, tools), note, drawing, rows);
  redrawn(plot, (width) => {
    const cursor = draw(plot, model, width);
    wireReading(plot, reading, cursor);
  });
  return node;
}

const words = {
  reading: "Point at it, or use the arrow keys, to read values.",
  table: "Table", csv: "CSV", png: "PNG", tools: "This chart",
  low: "from", high: "to", behind: "answers", noPng: "The picture could not be made. The table and CSV have the same figures.",
};

/** Draws when the place has a width, and again when it has another one. */
function redrawn(plot, draw) {
  let drawn = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width < 40 || width === drawn) return;
    drawn = width;
    draw(width);
  }).observe(plot);
}

function readPoint(point) {
  const at = point.at instanceof Date || !/^\d{4}-\d\d-\d\d/.test(point.at) ? point.at : new Date(point.at);
  const number = (value) => (value === null || value === undefined || !Number.isFinite(Number(value)) ? null : Number(value));
  return { ...point, at, value: number(point.value), low: number(point.low), high: number(point.high) };
}

function seriesClass(one, i) {
  return `series-${one.colour ?? i + 1}`;
}

function legend(series, lines) {
  return h("ul", { class: "chart-legend" }, series.map((one, i) => {
    const sign = select(document.createElementNS("http://www.w3.org/2000/svg", "svg")).attr("viewBox", "0 0 26 12").attr("aria-hidden", "true").attr("class", seriesClass(one, i));
    if (lines) sign.append("path").attr("class", "chart-line").attr("d", "M1 6h24").attr("stroke-dasharray", DASHES[i]);
    else sign.append("rect").attr("class", "chart-bar").attr("x", 5).attr("width", 16).attr("height", 12);
    return h("li", {}, sign.node(), one.name);
  }));
}

function eventList(events) {
  if (events.length === 0) return null;
  return h("ol", { class: "chart-events" }, events.map((event) => h("li", {}, time(event.at, day), " ", event.href ? h("a", { href: event.href }, event.label) : event.label)));
}

// --- as a table ---

/** The values of all series, a row a place: {at, values: [point or undefined]}. */
function rowsOf({ series }) {
  const places = new Map();
  series.forEach((one, i) => one.points.forEach((point) => {
    const key = +point.at || point.at;
    if (!places.has(key)) places.set(key, { at: point.at, values: [] });
    places.get(key).values[i] = point;
  }));
  return [...places.values()].sort((a, b) => (typeof a.at === "string" ? 0 : a.at - b.at));
}

function columnsOf({ series, format, title, when, across }, by) {
  const csv = (row) => (row.at instanceof Date && when ? row.at.toISOString().slice(0, 10) : row.at);
  return [{ label: by, show: (row) => (row.at instanceof Date ? (when ? when(row.at) : time(row.at)) : across ? across(row.at) : row.at), csv },
    ...series.flatMap((one, i) => {
      const label = one.name || title;
      const has = (name) => one.points.some((point) => point[name] !== null && point[name] !== undefined);
      return [{ label, align: "end", show: (row) => link(row.values[i], format), csv: (row) => row.values[i]?.value ?? null },
        ...(has("low") ? [["low", words.low], ["high", words.high]].map(([edge, word]) => (
          { label: `${one.name ? `${one.name}, ` : ""}${word}`, align: "end", show: (row) => format(row.values[i]?.[edge]), csv: (row) => row.values[i]?.[edge] ?? null })) : []),
        ...(has("n") ? [{ label: `${one.name ? `${one.name}, ` : ""}${one.behind ?? words.behind}`, align: "end", show: (row) => plainCount(row.values[i]?.n), csv: (row) => row.values[i]?.n ?? null }] : [])];
    })];
}

function link(point, format) {
  if (point === undefined || point.value === null) return NOTHING;
  return point.href ? h("a", { href: point.href }, format(point.value)) : format(point.value);
}

// --- drawing ---

function newSvg(plot, { id, title, description, height }, width) {
  plot.querySelector("svg")?.remove();
  const root = select(plot).append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height)
    .attr("role", "img").attr("aria-labelledby", `${id}-name${description ? ` ${id}-about` : ""}`);
  root.append("title").attr("id", `${id}-name`).text(title);
  if (description) root.append("desc").attr("id", `${id}-about`).text(description);
  return root;
}

function valueScale({ series, y, stacked, height }, tops) {
  const all = series.flatMap((one) => one.points.flatMap((point) => [point.value, point.low, point.high])).filter((value) => value !== null);
  const top = Math.max(stacked ? max(tops) : max(all), y.max ?? -Infinity);
  const bottom = Math.min(min(all), y.min ?? Infinity);
  // One value, or the same ones, still make an axis.
  const room = top === bottom ? Math.abs(top) * 0.1 || 1 : 0;
  return scaleLinear().domain([bottom - (bottom === 0 || bottom === y.min ? 0 : room), top + room]).nice(4).range([height - MARGIN.bottom, MARGIN.top]);
}

function drawValueAxis(root, scale, axis, width) {
  const node = root.append("g").attr("class", "axis").attr("transform", `translate(${MARGIN.left},0)`).attr("aria-hidden", "true")
    .call(axisLeft(scale).ticks(4).tickSize(-(width - MARGIN.left - MARGIN.right)).tickPadding(8).tickFormat((value) => axis(value)));
  node.select(".domain").remove();
}

function drawTimeAxis(root, scale, { series, when, across, height }, width) {
  const [from, to] = scale.domain();
  const room = Math.max(2, Math.min(8, Math.floor(width / 90)));
  const axis = axisBottom(scale).ticks(room).tickSizeOuter(0).tickFormat(across ? (value) => across(value) : when ?? (to - from < 48 * HOUR ? clock : day));
  // Of whole days and months the points themselves are the places to name.
  const points = series[0].points.map((point) => point.at);
  if (when !== null) axis.tickValues(points.filter((_, i) => (points.length - 1 - i) % Math.ceil(points.length / room) === 0));
  root.append("g").attr("class", "axis").attr("transform", `translate(0,${height - MARGIN.bottom})`).attr("aria-hidden", "true").call(axis);
}

function drawLines(plot, model, width) {
  const { series, events, height } = model;
  const root = newSvg(plot, model, width);
  const times = [...series.flatMap((one) => one.points.map((point) => point.at)), ...events.map((event) => event.at)];
  let [from, to] = extent(times);
  if (+from === +to) [from, to] = model.across ? [from - 0.5, to + 0.5] : [new Date(+from - 12 * HOUR), new Date(+to + 12 * HOUR)];
  const x = (model.across ? scaleLinear() : scaleTime()).domain([from, to]).range([MARGIN.left, width - MARGIN.right]);
  const y = valueScale(model);
  drawValueAxis(root, y, model.axis, width);
  drawTimeAxis(root, x, model, width);
  series.forEach((one, i) => {
    const part = root.append("g").attr("class", seriesClass(one, i));
    const isThere = (point) => point.value !== null;
    if (one.points.some((point) => point.low !== null)) {
      part.append("path").attr("class", "chart-band").attr("d", area().defined((p) => p.low !== null && p.high !== null).x((p) => x(p.at)).y0((p) => y(p.low)).y1((p) => y(p.high))(one.points));
    }
    part.append("path").attr("class", "chart-line").attr("stroke-dasharray", DASHES[i]).attr("d", line().defined(isThere).x((p) => x(p.at)).y((p) => y(p.value))(one.points));
    // A value between two gaps has no line to be seen by.
    one.points.forEach((point, at) => {
      const lonely = isThere(point) && !(one.points[at - 1] && isThere(one.points[at - 1])) && !(one.points[at + 1] && isThere(one.points[at + 1]));
      if (!lonely) return;
      if (point.low !== null) part.append("path").attr("class", "chart-line").attr("d", `M${x(point.at)} ${y(point.low)}V${y(point.high)}`);
      part.append("circle").attr("class", "chart-dot").attr("cx", x(point.at)).attr("cy", y(point.value)).attr("r", 3.5);
    });
  });
  drawEvents(root, events, x, height);
  return { root, steps: rowsOf(model), place: (row) => x(row.at), height, read: (row) => readRow(model, row), dots: (row) => row.values.map((point, i) => point && point.value !== null && { series: seriesClass(series[i], i), x: x(point.at), y: y(point.value) }).filter(Boolean) };
}

function drawEvents(root, events, x, height) {
  events.forEach((event, i) => {
    const mark = root.append("g").attr("class", "chart-event").attr("transform", `translate(${x(event.at)},0)`);
    mark.append("title").text(`${event.label}, ${day(event.at)}`);
    mark.append("line").attr("y1", MARGIN.top).attr("y2", height - MARGIN.bottom);
    mark.append("circle").attr("cy", MARGIN.top).attr("r", 3.5);
    mark.append("text").attr("x", 6).attr("y", MARGIN.top + 4).text(String(i + 1));
  });
}

function drawBars(plot, model, width) {
  const { series, height, stacked } = model;
  const root = newSvg(plot, model, width);
  const rows = rowsOf(model);
  const tops = rows.map((row) => row.values.reduce((sum, point) => sum + (point?.value ?? 0), 0));
  const y = valueScale({ ...model, y: { min: 0, ...model.y } }, tops);
  const keyOf = (row) => +row.at || row.at;
  const x = scaleBand().domain(rows.map(keyOf)).range([MARGIN.left, width - MARGIN.right]).paddingInner(0.18).paddingOuter(0.1);
  const beside = scaleBand().domain(series.map((_, i) => i)).range([0, x.bandwidth()]).paddingInner(0.06);
  drawValueAxis(root, y, model.axis, width);
  drawBandAxis(root, x, rows, model, width);
  series.forEach((one, i) => {
    const part = root.append("g").attr("class", seriesClass(one, i));
    rows.forEach((row) => {
      const value = row.values[i]?.value ?? null;
      if (value === null || value === 0) return;
      const below = stacked ? row.values.slice(0, i).reduce((sum, point) => sum + (point?.value ?? 0), 0) : 0;
      const [low, high] = [Math.min(below, below + value), Math.max(below, below + value)];
      part.append("rect").attr("class", "chart-bar").attr("x", x(keyOf(row)) + (stacked ? 0 : beside(i))).attr("width", Math.max(1, stacked ? x.bandwidth() : beside.bandwidth()))
        .attr("y", y(high)).attr("height", Math.max(1, y(low) - y(high)));
    });
  });
  return { root, steps: rows, place: (row) => x(keyOf(row)) + x.bandwidth() / 2, height, read: (row) => readRow(model, row), dots: () => [] };
}

/** As many names as have room. */
function drawBandAxis(root, x, rows, { when, height }, width) {
  const long = max(rows.map((row) => (row.at instanceof Date ? 6 : String(row.at).length)));
  const each = Math.ceil(rows.length / Math.max(1, Math.floor((width - MARGIN.left) / (Math.min(long, 18) * 7 + 14))));
  const shown = rows.filter((_, i) => i % each === 0).map((row) => +row.at || row.at);
  const span = rows.length > 1 && rows[0].at instanceof Date ? rows.at(-1).at - rows[0].at : Infinity;
  const name = (key) => (typeof key === "number" ? (when ?? (span < 48 * HOUR ? clock : day))(new Date(key)) : key.length > 18 ? `${key.slice(0, 17)}…` : key);
  root.append("g").attr("class", "axis").attr("transform", `translate(0,${height - MARGIN.bottom})`).attr("aria-hidden", "true")
    .call(axisBottom(x).tickValues(shown).tickSize(0).tickPadding(8).tickFormat(name));
}

// --- reading values ---

function readRow({ series, format, when, across }, row) {
  const at = row.at instanceof Date ? (when ?? moment)(row.at) : across ? across(row.at) : row.at;
  return `${at}: ${series.map((one, i) => {
    const point = row.values[i];
    const band = point && point.low !== null && point.high !== null ? ` (${format(point.low)} to ${format(point.high)})` : "";
    return `${one.name ? `${one.name} ` : ""}${point && point.value !== null ? format(point.value) : NOTHING}${band}`;
  }).join(", ")}`;
}

/** A line that follows the pointer or the arrow keys, and what is there in words. */
function wireReading(plot, reading, { root, steps, place, height, read, dots }) {
  const cursor = root.append("g").attr("aria-hidden", "true");
  let now = -1;
  const show = (i, spoken) => {
    now = Math.max(0, Math.min(steps.length - 1, i));
    const row = steps[now];
    cursor.selectAll("*").remove();
    cursor.append("line").attr("class", "chart-cursor").attr("x1", place(row)).attr("x2", place(row)).attr("y1", MARGIN.top).attr("y2", height - MARGIN.bottom);
    for (const dot of dots(row)) cursor.append("g").attr("class", dot.series).append("circle").attr("class", "chart-ring").attr("cx", dot.x).attr("cy", dot.y).attr("r", 4);
    reading.textContent = read(row);
    if (spoken) speak(reading.textContent);
  };
  const nearest = bisector(place).left;
  plot.onpointermove = (event) => {
    const x = event.clientX - plot.getBoundingClientRect().left;
    const i = Math.min(nearest(steps, x), steps.length - 1);
    show(i > 0 && x - place(steps[i - 1]) < place(steps[i]) - x ? i - 1 : i, false);
  };
  plot.onpointerleave = () => {
    cursor.selectAll("*").remove();
    reading.textContent = words.reading;
    now = -1;
  };
  plot.onkeydown = (event) => {
    const to = { ArrowLeft: now < 0 ? steps.length - 1 : now - 1, ArrowRight: now + 1, Home: 0, End: steps.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to, true);
  };
}

// --- as a picture ---

const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "font-size", "font-family", "font-weight"];

/** Saves the drawing as PNG, twice as large, on the page's background and with its title. */
async function savePng(svg, { title, series }) {
  const { width, height } = svg.viewBox.baseVal;
  const top = 26;
  const below = series.length > 1 ? 22 : 6;
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll("*")];
  // A picture has no style sheet, so each shape says itself how it looks.
  [copy, ...copy.querySelectorAll("*")].forEach((node, i) => {
    const look = getComputedStyle(from[i]);
    for (const name of LOOKS) node.setAttribute(name, look.getPropertyValue(name));
  });
  copy.setAttribute("width", 2 * width);
  copy.setAttribute("height", 2 * height);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await picture.decode();
  const canvas = h("canvas", { width: 2 * width, height: 2 * (height + top + below) });
  const pen = canvas.getContext("2d");
  const look = getComputedStyle(document.body);
  pen.fillStyle = look.backgroundColor;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.scale(2, 2);
  pen.fillStyle = look.color;
  pen.font = `600 15px ${look.fontFamily}`;
  pen.fillText(title, 12, 19, width - 24);
  pen.drawImage(picture, 0, top, width, height);
  if (series.length > 1) drawKey(pen, svg, series, top + height + 14, look);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (blob === null) throw new Error("no picture came of it");
  saveBlob(`${fileName(title)}.png`, blob);
}

function drawKey(pen, svg, series, y, look) {
  let x = MARGIN.left;
  pen.font = `12px ${look.fontFamily}`;
  series.forEach((one, i) => {
    const sample = svg.querySelector(`.${seriesClass(one, i)} :is(.chart-line, .chart-bar)`);
    const style = sample === null ? look : getComputedStyle(sample);
    pen.fillStyle = style.fill === "none" ? style.stroke : style.fill;
    pen.fillRect(x, y - 8, 12, 8);
    pen.fillStyle = look.color;
    pen.fillText(one.name, x + 17, y);
    x += 17 + pen.measureText(one.name).width + 16;
  });
}
