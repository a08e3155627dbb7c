/** Making nodes: elements, icons, and what is said to a screen reader. */

import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element. Properties: class, on<event> functions, anything else as an attribute; false and null leave it out. */
export function h(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") node.className = value;
    else if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function $(id) {
  return document.getElementById(id);
}

export function svg(viewBox, className, paths) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", viewBox);
  node.setAttribute("class", className);
  node.setAttribute("aria-hidden", "true");
  for (const [name, attributes] of paths) {
    const part = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    node.append(part);
  }
  return node;
}

const ICONS = {
  camera: "M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 10a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.6z",
  menu: "M4 7h16M4 12h16M4 17h10",
  close: "M6 6l12 12M18 6 6 18",
  pen: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  up: "M12 19V6M6 11.5 12 5.5l6 6",
  down: "M12 5v13M6 12.5l6 6 6-6",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5 10 17.5 19.5 7",
  left: "M14.5 6 8.5 12l6 6",
  right: "M9.5 6l6 6-6 6",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  share: "M12 15V4M8 7.5 12 3.5l4 4M6 11.5H5v9h14v-9h-1",
  keys: "M3.5 6.5h17v11h-17zM7 10h.01M10.3 10h.01M13.6 10h.01M17 10h.01M8 14h8",
  install: "M12 3.5v10M7.5 9.5 12 14l4.5-4.5M4.5 16.5v3.5h15v-3.5",
  again: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.7 3.6v4.2h-4.2",
  comment: "M5 5h14v10.5H11L6.5 19.5v-4H5z",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.2A8 8 0 0 1 9.8 4a8 8 0 1 0 10.2 10.2z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  flame: "M12 3.5c.6 3.4 5.2 5 5.2 10a5.2 5.2 0 0 1-10.4 0c0-2 .9-3.2 1.9-4.3.3 1.4.9 2.1 1.7 2.5-.3-3 .3-6 1.6-8.2z",
  flask: "M9 4h6M10 4v6l-5 8.5A1.7 1.7 0 0 0 6.5 21h11a1.7 1.7 0 0 0 1.5-2.5L14 10V4M8 15h8",
  sprout: "M12 20v-8M12 12c0-3.5-2.5-6-7-6 0 4 2.5 6 7 6zM12 14c0-3 2.5-5.5 7-5.5 0 3.5-2.5 5.5-7 5.5",
  person: "M12 4a3.8 3.8 0 1 0 0 7.6A3.8 3.8 0 0 0 12 4zM4.5 20.5c.6-4 3.6-6 7.5-6s6.9 2 7.5 6",
  bookmark: "M7 4.5h10V20l-5-4-5 4z",
  thumb: "M7.5 11 11 4c1.5 0 2.5 1 2.5 2.5V10h4.6c1.2 0 2 1 1.8 2.2l-1 5.6c-.2 1-1 1.7-2 1.7H7.5zM7.5 11H4v8.5h3.5",
  star: "M12 3.8l2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z",
};

export function icon(name, className = "") {
  return svg("0 0 24 24", `icon icon-${name} ${className}`.trim(), [["path", { d: ICONS[name] }]]);
}

export function stopIcon() {
  return svg("0 0 24 24", "icon icon-stop", [["rect", { x: 7, y: 7, width: 10, height: 10, rx: 2.5 }]]);
}

/** Said politely by a screen reader; not seen. */
export function speak(text) {
  const region = $("spoken");
  region.append(h("p", {}, text));
  while (region.childNodes.length > 8) region.firstChild.remove();
}

/** Resolves to whether the person agreed. */
export function ask({ title, text, yes, no = t("page.cancel"), danger = false }) {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  $("confirm-no").textContent = no;
  $("confirm-yes").classList.toggle("danger", danger);
  return new Promise((resolve) => {
    const end = (answer) => () => {
      $("confirm-yes").onclick = $("confirm-no").onclick = dialog.onclose = null;
      if (dialog.open) dialog.close();
      resolve(answer);
    };
    $("confirm-yes").onclick = end(true);
    $("confirm-no").onclick = end(false);
    dialog.onclose = end(false); // Escape
    dialog.showModal();
    $(danger ? "confirm-no" : "confirm-yes").focus();
  });
}

/** A storage that may be blocked or full: then things are forgotten, and nothing breaks. */
export function remember(storage, key, value) {
  try {
    if (value === null || value === "") globalThis[storage].removeItem(key);
    else globalThis[storage].setItem(key, value);
  } catch {
    // Forgotten.
  }
}

export function recall(storage, key) {
  try {
    return globalThis[storage].getItem(key);
  } catch {
    return null;
  }
}
