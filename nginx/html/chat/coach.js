/** What a coach looks like and how severe it is: colours, marks, bands. */

import { svg } from "../lib/dom.js";
import { t } from "../lib/words.js";

// The bands of build_coach_system_prompt: each reaches up to its cut.
const BANDS = [1.6, 2.6, 3.6, 4.6, 5.6, Infinity];

/** 1 to 6 */
export function bandNumber(severity) {
  return BANDS.findIndex((cut) => Number(severity) < cut) + 1;
}

export function bandName(severity) {
  return t(`coach.band${bandNumber(severity)}`);
}

export const bandNames = BANDS.map((_, i) => t(`coach.band${i + 1}`));

const LOOKS = {
  coach_decibel_avatar: { hue: 302, mark: "bars" },
  coach_maple_avatar: { hue: 148, mark: "rings" },
  coach_ledger_avatar: { hue: 258, mark: "lines" },
};
const HUES = [205, 330, 85, 275, 178, 120, 232, 100]; // none near the red of errors
const MARKS = ["waves", "petals", "dots", "steps"];

/** Its own look, or one that its id always leads to. */
export function lookOf(id) {
  if (Object.hasOwn(LOOKS, id)) return LOOKS[id];
  let hash = 2166136261;
  for (const character of String(id)) hash = Math.imul(hash ^ character.codePointAt(0), 16777619) >>> 0;
  return { hue: HUES[hash % HUES.length], mark: MARKS[(hash >>> 8) % MARKS.length] };
}

const DRAWINGS = {
  bars: [4, 8, 12, 16, 20].map((x, i) => ["line", { x1: x, x2: x, y1: 12 - [3, 6.5, 8.5, 5, 2.5][i], y2: 12 + [3, 6.5, 8.5, 5, 2.5][i] }]),
  rings: [9, 5.6, 2.2].map((r) => ["circle", { cx: 12 - (9 - r) * 0.12, cy: 12 + (9 - r) * 0.1, r }]),
  lines: [[5, 14], [9.7, 19], [14.3, 11], [19, 17]].map(([y, x]) => ["line", { x1: 5, x2: x, y1: y, y2: y }]),
  waves: [7, 12, 17].map((y) => ["path", { d: `M3 ${y}c3-4 6-4 9 0s6 4 9 0` }]),
  petals: [0, 60, 120].map((angle) => ["ellipse", { cx: 12, cy: 12, rx: 3.2, ry: 9, transform: `rotate(${angle} 12 12)` }]),
  dots: [6, 12, 18].flatMap((x) => [6, 12, 18].map((y) => ["circle", { cx: x, cy: y, r: x + y > 26 ? 0.8 : 1.7 }])),
  steps: [["path", { d: "M3 19.5h5v-5h5v-5h5v-5h3" }]],
};

/** The coach's round mark, in its colour. */
export function avatar(id, className = "") {
  const { hue, mark } = lookOf(id);
  const node = document.createElement("span");
  node.className = `avatar avatar-${mark} ${className}`.trim();
  node.style.setProperty("--hue", hue);
  node.append(svg("0 0 24 24", "avatar-mark", DRAWINGS[mark]));
  return node;
}

/** Six little bars, as many filled as the band is severe. */
export function meter(severity) {
  const node = document.createElement("span");
  node.className = "meter";
  node.setAttribute("aria-hidden", "true");
  for (let i = 1; i <= 6; i++) {
    const bar = document.createElement("span");
    bar.className = i <= bandNumber(severity) ? `meter-bar on band-${bandNumber(severity)}` : "meter-bar";
    node.append(bar);
  }
  return node;
}
