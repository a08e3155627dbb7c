// What pages of the dashboard are made of: charts of little or nothing, tables, forms, figures. Run by dashboard.py.
import { readFile } from "node:fs/promises";

import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { checkAccessible, closeBrowser, closePage, openPage, until } from "./chromium.mjs";

const page = await openPage({ hash: "admin/#nowhere" });
await page.locator(".state").waitFor();

/** Puts in place of the page what `make` makes of the module. */
const put = (name, make, given) => page.evaluate(async ([path, source, value]) => {
  const module = await import(`/admin/ui/${path}.js`);
  // No text becomes code here: what the test asks for is on this list.
  const makers = {
    line: () => module.lineChart({ title: "Trial", description: "A trial.", series: value.series, events: value.events ?? [], format: (one) => `<${one}>` }),
    bars: () => module.barChart({ title: "Trial", series: value.series, stacked: true }),
    rows: () => module.table({ name: "Trial", columns: [{ label: "Name", show: (row) => row.name, sort: (row) => row.name }, { label: "Size", align: "end", show: (row) => row.size, sort: (row) => row.size }], rows: value }),
    pages: () => module.table({ name: "Trial", columns: [{ label: "Name", show: (row) => row }], load: async (next) => {
      globalThis.asked = [...(globalThis.asked ?? []), next];
      if (next === 2 && !globalThis.mended) throw Object.assign(new Error("the database cannot be reached"), { status: 503, code: "database_unavailable", retryAfter: null });
      return { rows: [`page ${next ?? 0}, a`, `page ${next ?? 0}, b`], next: (next ?? 0) < 2 ? (next ?? 0) + 1 : null };
    } }),
    form: () => module.form({ fields: [{ name: "name", label: "Name", required: true }, { name: "size", label: "Size", type: "number", min: 1, max: 9 }, { name: "extra", label: "Extra", type: "json" }, { name: "on", label: "On", type: "checkbox" }], submit: (values) => {
      globalThis.given = values;
      if (values.name === "taken") throw Object.assign(new Error("there is one of that name"), { status: 409, param: "name" });
    } }).node,
  };
  document.getElementById("main").replaceChildren(makers[source]());
}, [name, make, given]);
const day = (n) => `2026-03-0${n}T12:00:00Z`;
const points = (...values) => values.map((value, i) => ({ at: day(i + 1), value }));

await group("charts", async () => {
  await put("chart", "line", { series: [{ name: "", points: [] }] });
  ok(await page.getByText("There is nothing to show for this time.").isVisible(), "of nothing there is no drawing, but a word");
  await put("chart", "line", { series: [{ name: "", points: points(null, null) }] });
  ok(await page.getByText("There is nothing to show for this time.").isVisible(), "nor of gaps alone");

  await put("chart", "line", { series: [{ name: "", points: [{ at: day(1), value: 0.5, low: 0.2, high: 0.9 }] }] });
  await page.locator(".chart svg[role=img]").waitFor();
  equal(await page.locator(".chart-dot").count(), 1, "one point is a dot");
  const finite = () => page.evaluate(() => [...document.querySelectorAll(".chart-plot *")].every((node) => [...node.attributes].every(({ value }) => !/NaN|Infinity/.test(value))));
  ok(await finite(), "in a place that there is");
  await put("chart", "bars", { series: [{ name: "", points: points(0) }] });
  await page.locator(".chart svg[role=img]").waitFor();
  ok(await finite(), "so is a bar of nothing");

  await put("chart", "line", { series: [{ name: "a", points: points(1, 2, null, 4, 5) }, { name: "b", points: points(3, 3, 3, 3, 3) }], events: [{ at: day(2), label: "something new" }] });
  await page.locator(".chart svg[role=img]").waitFor();
  equal((await page.locator(".chart-plot .series-1 .chart-line").getAttribute("d")).match(/M/g).length, 2, "a gap parts the line");
  ok((await page.locator(".chart-plot .series-2 .chart-line").getAttribute("stroke-dasharray")) !== (await page.locator(".chart-plot .series-1 .chart-line").getAttribute("stroke-dasharray")), "lines differ in more than colour");
  matches(await page.locator(".chart-events").innerText(), /something new/, "events are listed");
  await page.locator(".chart-plot").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  matches(await page.locator(".chart-reading").innerText(), /: a –, b <3>$/, "arrow keys read values, and a gap is not zero");
  await checkAccessible(page, "a chart", { but: ["page-has-heading-one", "heading-order"] });

  await page.getByRole("button", { name: "Table" }).click();
  equal(await page.locator(".chart tbody tr").nth(2).locator("td").allInnerTexts(), ["–", "<3>"], "its table has a dash there");
  equal(await page.locator(".chart-plot").isVisible(), false, "in place of the drawing");
  await page.getByRole("button", { name: "Table" }).click();
  const [csv] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  matches(csv.suggestedFilename(), /^trial-\d{4}-\d\d-\d\d\.csv$/, "it is saved as CSV");
  equal((await readFile(await csv.path(), "utf8")).split("\r\n").slice(2, 4), ["2026-03-02T12:00:00.000Z,2,3", "2026-03-03T12:00:00.000Z,,3"], "with plain numbers");
  const [png] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "PNG" }).click()]);
  const picture = await readFile(await png.path());
  equal([picture.subarray(1, 4).toString(), picture.readUInt32BE(16) > 600], ["PNG", true], "and as PNG");
  // Drawn, and not only paper: the lines' colour is in it.
  const colours = await page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const { data } = pen.getImageData(0, 0, image.width, image.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add(`${data[i] >> 4},${data[i + 1] >> 4},${data[i + 2] >> 4}`);
    return seen.size;
  }, picture.toString("base64"));
  ok(colours > 8, "which shows what was drawn", colours);
  await page.evaluate(() => { HTMLCanvasElement.prototype.toBlob = (given) => given(null); });
  await page.getByRole("button", { name: "PNG" }).click();
  ok(await until(() => page.locator(".toast-error").getByText("The picture could not be made").isVisible()), "one that cannot be made is told");
  await page.locator(".toast-error").getByRole("button", { name: "Close" }).click();
});

await group("colours of charts", async () => {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    const low = await page.evaluate(() => {
      const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
      const probe = document.body.appendChild(document.createElement("span"));
      const luminance = (name) => {
        probe.style.color = `var(--${name})`;
        pen.fillStyle = getComputedStyle(probe).color;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const found = [1, 2, 3, 4, 5, 6].map((n) => [luminance(`series-${n}`), luminance("raised")].sort((a, b) => a - b)).map(([dark, light]) => (light + 0.05) / (dark + 0.05));
      probe.remove();
      return Math.min(...found);
    });
    ok(low >= 3, `${scheme}: each stands out from the page, 3 to 1`, low);
  }
  await page.emulateMedia({ colorScheme: "light" });
});

await group("tables", async () => {
  await put("table", "rows", [{ name: "b", size: 2 }, { name: "=1+1", size: null }, { name: "a, \"quoted\"", size: 10 }]);
  const sizes = () => page.locator("tbody td").allInnerTexts();
  await page.getByRole("button", { name: "Size" }).click();
  equal(await sizes(), ["10", "2", "–"], "numbers are sorted as numbers, the largest first");
  await page.getByRole("button", { name: "Size" }).click();
  equal([await sizes(), await page.locator("th[aria-sort=ascending]").innerText()], [["–", "2", "10"], "Size"], "and the other way round");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download as CSV" }).click()]);
  equal(await readFile(await file.path(), "utf8"), "\ufeffName,Size\r\n'=1+1,\r\nb,2\r\n\"a, \"\"quoted\"\"\",10\r\n", "a file of it has no formula");
  await put("table", "rows", []);
  ok(await page.getByText("There is nothing here yet.").isVisible(), "one without rows says so");

  await put("table", "pages");
  await page.getByRole("button", { name: "Show more" }).click();
  ok(await until(async () => (await page.locator("tbody tr").count()) === 4), "a list is shown page by page");
  equal(await page.evaluate(() => globalThis.asked), [null, 1], "and never counted");
  await page.getByRole("button", { name: "Show more" }).click();
  ok(await until(() => page.getByText("The server is busy or away").isVisible()), "a page that does not come says why");
  equal(await page.locator("tbody tr").count(), 4, "what was there stays");
  await page.evaluate(() => { globalThis.mended = true; });
  await page.getByRole("button", { name: "Try again" }).click();
  ok(await until(async () => (await page.locator("tbody tr").count()) === 6 && (await page.getByRole("button", { name: "Show more" }).count()) === 0), "and comes at last");
});

await group("forms", async () => {
  await put("form", "form");
  const send = () => page.getByRole("button", { name: "Save" }).click();
  await send();
  equal(await page.locator(".field-error").first().innerText(), "This is needed.", "what is missing is said beside it");
  equal(await page.evaluate(() => document.activeElement.name), "name", "and has the focus");
  await page.getByLabel("Name").fill("  x ");
  await page.getByLabel("Size").fill("10");
  await page.getByLabel("Extra").fill("{");
  await send();
  matches((await page.locator(".field-error").allInnerTexts()).filter(Boolean).join(" "), /At most 9\. This is not JSON/, "so is what cannot be");
  await page.getByLabel("Size").fill("3");
  await page.getByLabel("Extra").fill('{"a": 1}');
  await send();
  equal(await page.evaluate(() => globalThis.given), { name: "x", size: 3, extra: { a: 1 }, on: false }, "values have their types");
  await page.getByLabel("Name").fill("taken");
  await send();
  ok(await until(async () => (await page.locator("#main .field").first().innerText()).includes("There is one of that name.")), "what the server says of a field stands beside it");
});

await group("figures and words", async () => {
  const seen = await page.evaluate(async () => {
    const f = await import("/admin/ui/format.js");
    const { sentenceOf, tooFewOf } = await import("/admin/ui/pages/overview.js");
    const { readHash, hrefOf } = await import("/admin/ui/router.js");
    const change = { metric: "thumbs_up_rate", now: 0.5, before: 0.4, low: null, high: null, n: 12, n_before: 8, verdict: "too_few" };
    return {
      none: [f.count(null), f.money(undefined), f.percent(null), f.milliseconds(NaN), f.time(null), f.signed(null)],
      some: [f.count(1234567), f.money(0.00421), f.money(3.5), f.money(0), f.percent(0.7416), f.milliseconds(840), f.milliseconds(2310), f.duration(3700), f.signed(-0.02, f.money)],
      utc: f.time("2026-03-01T12:00:00Z").title,
      few: [tooFewOf([change]), tooFewOf([change, { ...change, metric: "error_rate", verdict: "same" }]), tooFewOf([{ ...change, verdict: "same" }])], unclear: sentenceOf({ ...change, verdict: "unclear", low: -0.02, high: 0.22 }), same: sentenceOf({ ...change, metric: "requests", now: 105, before: 100, verdict: "same" }),
      hash: readHash(hrefOf("answers", ["a/b c"], { q: "50 % & more", none: null, empty: "" })),
    };
  });
  equal(seen.none, ["–", "–", "–", "–", "–", "–"], "what is not known is a dash");
  equal(seen.some, ["1,234,567", "$0.0042", "$3.50", "$0.00", "74.2 %", "840 ms", "2.31 s", "62 min", "−$0.02"], "figures are short");
  equal(seen.utc, "2026-03-01 12:00:00 UTC", "times have UTC beside them");
  equal([/^There is too little yet/.test(seen.few[0]), ...seen.few.slice(1)], [true, "Too little of this and the week before to compare: thumbs up.", null], "of little nothing is said, and that once");
  equal(seen.unclear, "Thumbs up: no clear change, 50.0 % after 40.0 % (the difference is between −2.0 and +22.0 points).", "of chance neither");
  equal(seen.same, "Answers: about as before, 105 (100).", "and what stays is told");
  equal(seen.hash, { name: "answers", path: ["a/b c"], query: { q: "50 % & more" } }, "an address holds any text");
});

await closePage(page, "what pages are made of");
await closeBrowser();
done();
