// Where links of the dashboard lead, and what is left of a page when it was left. Run by dashboard.py.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { checkAccessible, closeBrowser, closePage, openPage, until } from "./chromium.mjs";
import { ADMIN, askedOf, goTo, openDashboard, settled } from "./dashboard_page.mjs";

const USER = "30000000-0000-4000-8000-000000000001";
const dialogs = (page) => page.locator("dialog[open]:not(#sign-in)");
const heading = (page) => page.locator("#page-title").innerText();

await group("a link to another thing than its page is for", async () => {
  const page = await openDashboard("limits");
  const asked = askedOf(page);
  // Each page that has something of its own at NAME/ID.
  const pages = ["answers", "people", "coaches", "datasets", "datasets/version", "training", "versions", "experiments", "rollouts", "playbooks", "knowledge", "jobs", "errors"];
  for (const [i, name] of pages.entries()) {
    for (const part of [`..%2Fusers%2F${USER}`, `%2e%2e%2fusers%2f${USER}`, "..", `${USER}%2F..%2F..%2Fusers%2F${USER}`].slice(0, i === 0 ? 4 : 2)) {
      const before = asked.length;
      await goTo(page, `${name}/${part}`);
      ok(await until(() => page.getByText("There is nothing here").first().isVisible()), `${name}/${part}: is nothing`);
      equal(asked.slice(before), [], `${name}/${part}: and nothing else is asked`);
    }
  }
  await checkAccessible(page, "nothing of that name");
  await goTo(page, `people/${USER}`);
  ok(asked.includes(`GET /admin/users/${USER}`), "a link to a person asks for that one");
  await closePage(page, "a link to another thing");
});

await group("a page that is left before it has come", async () => {
  const page = await openDashboard("limits");
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  await page.route("**/admin/ui/pages/jobs.js", async (route) => {
    await held;
    await route.continue();
  });
  await page.clock.install();
  await page.evaluate(() => { location.hash = "#jobs"; });
  await page.evaluate(() => { location.hash = "#keys"; });
  ok(await until(async () => (await heading(page)) === "API keys"), "another page is there at once");
  await page.clock.fastForward(2000);
  equal(await heading(page), "API keys", "grey bars of the first do not take its place");
  const asked = askedOf(page);
  const loaded = page.waitForResponse((response) => response.url().endsWith("/pages/jobs.js"));
  go();
  await (await loaded).finished();
  await page.evaluate(() => import("/admin/ui/pages/jobs.js"));
  await settled(page);
  equal([await heading(page), await page.title(), asked], ["API keys", "API keys · uplift", []], "nor does it itself, and it asks for nothing");
  await closePage(page, "a page that is left");
});

await group("a dialog whose page is left", async () => {
  const page = await openDashboard("keys");
  await goTo(page, "limits");
  await page.locator("#new-limit").click();
  await dialogs(page).waitFor();
  await page.goBack();
  ok(await until(async () => (await heading(page)) === "API keys"), "Back leads back");
  equal(await dialogs(page).count(), 0, "and the dialog is gone");
  await page.locator("#new-key").click();
  equal(await page.evaluate(() => document.activeElement.name), "name", "another page's opens, at its first field");
  await page.keyboard.press("Escape");

  // A rollout that another page sent here: asked about once.
  await goTo(page, "rollouts?model_version_id=40000000-0000-4000-8000-000000000002");
  ok(await until(() => dialogs(page).getByText("It rolls out the model version").isVisible()), "what was sent to be rolled out is asked about");
  equal(await page.evaluate(() => location.hash), "#rollouts", "and stands in the URL no more");
  await page.goBack();
  ok(await until(async () => (await dialogs(page).count()) === 0 && (await heading(page)) === "API keys"), "Back leaves nothing of it");

  page.expected.push(/status of 403/);
  await goTo(page, "limits");
  await page.locator("#new-limit").click();
  await page.route("**/admin/rate-limits", (route) => (route.request().method() === "PUT" ? route.fulfill({ status: 403, json: { error: { message: "this needs an admin's token", type: "permission_error", param: null, code: "admin_required" } } }) : route.continue()));
  await dialogs(page).getByLabel("Chats a minute").fill("60");
  await dialogs(page).getByRole("button", { name: "Save" }).click();
  ok(await until(() => page.locator("#main").getByText("This needs an admin", { exact: true }).isVisible()), "whose rights are taken while one is open is told so");
  equal(await dialogs(page).count(), 0, "and it does not stand before that");
  await closePage(page, "a dialog whose page is left");
});

await group("what comes of a dialog", async () => {
  const page = await openDashboard("answers");
  equal(await page.evaluate(async () => {
    const { formDialog } = await import("/admin/ui/dialog.js");
    const left = new AbortController();
    const { form, closed } = formDialog({ signal: left.signal }, { title: "Trial", fields: [], submit: () => "done", done: () => left.abort() });
    form.node.requestSubmit();
    return closed;
  }), "done", "what was done is what it resolves to, also where its page is shown anew by that");

  await page.route("**/admin/answers/export?*", () => {}); // it does not begin
  await page.getByRole("button", { name: "Export…" }).click();
  const ended = page.waitForEvent("requestfailed", (request) => request.url().includes("/admin/answers/export?")).then(() => true, () => false);
  await Promise.all([page.waitForRequest("**/admin/answers/export?*"), page.getByRole("button", { name: "Download", exact: true }).click()]);
  await page.keyboard.press("Escape");
  ok(await ended, "an export is ended with its dialog, also before it begins");

  const sent = askedOf(page);
  await goTo(page, "settings?q=autopilot.max_share");
  await page.getByLabel("autopilot.max_share").fill("0.1");
  await page.getByRole("button", { name: "Save" }).click();
  ok(await until(() => dialogs(page).getByText("autopilot may do more without asking").isVisible()), "a bound of the autopilot where there was none is asked about");
  await page.keyboard.press("Escape");
  equal(sent.filter((one) => one.startsWith("PATCH")), [], "and not set before");
  await closePage(page, "what comes of a dialog");
});

await group("a session that ends before something is saved", async () => {
  const page = await openDashboard("limits");
  page.expected.push(/status of 401/);
  // Refused with the token that has ended, and without one.
  const sent = [];
  await page.route("**/admin/rate-limits", (route) => {
    if (route.request().method() !== "PUT") return route.continue();
    sent.push(route.request().headers().authorization);
    return sent.length < 3 ? route.fulfill({ status: 401, json: { error: { message: "the token has expired", type: "authentication_error", param: null, code: "token_expired" } } }) : route.fulfill({ json: {} });
  });
  const save = async (token) => {
    sent.length = 0;
    await page.locator("#new-limit").click();
    await dialogs(page).getByLabel("Chats a minute").fill("60");
    await dialogs(page).getByRole("button", { name: "Save" }).click();
    ok(await until(() => page.locator("#sign-in").isVisible()), "whose session has ended is asked to sign in");
    const refused = sent.length;
    const read = page.waitForResponse((response) => response.request().method() === "GET" && response.url().endsWith("/admin/rate-limits") && response.request().headers().authorization === `Bearer ${token}`);
    await page.locator("#token").fill(token);
    await page.keyboard.press("Enter");
    await read;
    await settled(page);
    ok(await until(async () => (await dialogs(page).count()) === 0), "and the dialog is gone then");
    return sent.slice(refused);
  };
  equal(await save(ADMIN), [`Bearer ${ADMIN}`], "what the same person asked for is done");
  await page.reload();
  await settled(page);
  await page.route("**/config.json", (route) => route.fulfill({ json: {} }));
  equal(await save(process.env.PAGE_OTHER_ADMIN), [], "what somebody else asked for is not");
  await closePage(page, "a session that ends before something is saved");
});

await group("a page when somebody else comes", async () => {
  const page = await openDashboard("limits");
  await page.route(`**/admin/users/${USER}`, async (route) => route.fulfill({ json: { ...(await (await route.fetch()).json()), name: "Ann Secret" } }));
  await goTo(page, `people/${USER}`);
  equal([await heading(page), await page.title()], ["Ann Secret", "Ann Secret · uplift"], "a page is called by whom it is about");
  const name = () => page.evaluate(() => document.documentElement.outerHTML.includes("Ann Secret"));
  await page.unroute(`**/admin/users/${USER}`);
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  const asked = [];
  await page.route(`**/admin/users/${USER}`, async (route) => {
    asked.push(route.request().headers().authorization);
    await held;
    await route.continue();
  });
  await page.route("**/config.json", (route) => route.fulfill({ json: {} }));
  await page.evaluate(() => import("/lib/session.js").then(({ signIn }) => { signIn(); }));
  await page.locator("#token").fill(process.env.PAGE_OTHER_ADMIN);
  await page.keyboard.press("Enter");
  await until(() => asked.length > 0);
  equal([asked, await name(), await page.locator("#topbar-title").textContent(), await page.title()], [[`Bearer ${process.env.PAGE_OTHER_ADMIN}`], false, "People", "People · uplift"], "which somebody else does not see while theirs is on its way");
  go();
  ok(await until(() => page.getByRole("button", { name: "Export", exact: true }).isVisible()), "but then");
  await page.locator("#sign-out").click();
  ok(await until(() => page.locator(".state-refused").isVisible()), "whoever signs out");
  equal([await heading(page), await page.title()], ["People", "People · uplift"], "leaves nobody's name");
  await closePage(page, "a page when somebody else comes");
});

/** The query of the next call of a path of the API. */
const queryOf = async (page, pathname, act) => {
  const request = page.waitForRequest((one) => new URL(one.url()).pathname === pathname);
  await act();
  return Object.fromEntries(new URL((await request).url()).searchParams);
};
const figures = (more) => ({ n: 1000, n_with_outcome: 600, n_judged: 600, accuracy: 0.7, brier: 0.2, reliability: 0.01, resolution: 0.02, uncertainty: 0.21, within_bin: 0, ece: 0.06, log_loss: 0.6, mae: null, mape: null, ...more });
const json = (body) => (route) => route.fulfill({ json: body });

await group("the days of predictions", async () => {
  const page = await openDashboard("limits");
  await page.clock.setFixedTime("2026-06-10T23:30:00Z");
  const asked = (hash) => queryOf(page, "/admin/predictions/calibration", () => goTo(page, hash));
  equal(await asked("predictions?days=7"), { from: "2026-06-04", to: "2026-06-10" }, "seven days are seven, and end today, also in the last hour of it");
  equal(await asked("predictions?from=2026-06-01&to=2026-06-03"), { from: "2026-06-01", to: "2026-06-03" }, "days are as they are named");
  equal(await page.locator("#filter-days option").allInnerTexts(), ["Last 7 days", "Last 28 days", "Last 90 days", "Last year", "From … to …"], "of whole days no 24 hours are offered");

  await page.route("**/admin/predictions/calibration?*", json({ total: figures(), data: [] }));
  // Whichever step, each of four hundred days or weeks has a point.
  const points = [];
  await page.route("**/admin/predictions/figures?*", (route) => {
    const query = new URL(route.request().url()).searchParams;
    if (query.get("by") !== "time") return route.fulfill({ json: { data: [], has_more: false, total: figures() } });
    points.push(query.get("step"));
    const step = query.get("step") === "day" ? 1 : 7;
    const data = Array.from({ length: Math.ceil(400 / step) }, (_, i) => figures({ at: new Date(Date.UTC(2026, 5, 8) - i * step * 86400000).toISOString().slice(0, 10) }));
    return route.fulfill({ json: { data: data.slice(0, Number(query.get("limit"))), has_more: data.length > Number(query.get("limit")), total: figures() } });
  });
  await page.route("**/admin/predictions/drift", json({ data: [{ prediction_type: "coaching_response", model_name: "guess", model_version: "1", exceeds: ["brier"], since: "2026-06-09T00:00:00Z", n: 700, brier: 0.3, ece: 0.05,
    reference: { of: "version", n: 900, brier: 0.2, ece: 0.05 }, looked_at: "2026-06-10T00:00:00Z" }], has_more: false, bounds: { brier: 0.07, ece: 0.05, min_outcomes: 500, watch_days: 7, reference_days: 28 } }));
  await goTo(page, "predictions?from=2025-05-07&to=2026-06-10");
  ok(await until(() => page.getByText("Brier score 0.300, before 0.200, of 700 outcomes. Told is a Brier score more than 0.07 higher.").isVisible()), "what has become worse is told with the bound that holds");
  const chart = page.locator(".chart", { hasText: "week by week" });
  await chart.getByRole("button", { name: "Table" }).click();
  equal([points.at(-1), await chart.locator("tbody tr").count()], ["week", 58], "a year and more is drawn whole, by the week");
  equal(await chart.locator("tbody tr").last().locator("th").innerText(), "Jun 8", "to the last");
  await closePage(page, "the days of predictions");
});

await group("days for who is elsewhere", async () => {
  const page = await openPage({ token: ADMIN, hash: "admin/#limits", zone: "Pacific/Auckland" });
  await settled(page);
  await goTo(page, "overview?from=2026-06-01&to=2026-06-02");
  equal(await page.evaluate(async () => {
    const { utcDay } = await import("/admin/ui/format.js");
    const { noon, utcDays, period } = await import("/admin/ui/filters.js");
    const query = { from: "2026-06-01T00:00:00Z", to: "2026-06-03T00:00:00Z" };
    const { to } = period({ query });
    return [utcDay(noon("2026-06-01")), utcDays(query), to.toISOString()];
  }), ["Jun 1", { from: "2026-06-01", last: "2026-06-02", to: "2026-06-03", days: 2 }, "2026-06-03T00:00:00.000Z"], "a day of UTC has its own name everywhere, and a time ends before it");
  await goTo(page, "answers?from=2026-06-01T12:00:00Z&to=2026-06-02T12:00:00Z");
  equal([await page.locator("#filter-from").inputValue(), await page.locator("#filter-to").inputValue()], ["2026-06-02", "2026-06-02"], "the last day is the one that the time before it is in");
  await closePage(page, "days for who is elsewhere");
});

await group("figures and the rows behind them", async () => {
  const page = await openDashboard("overview?days=28");
  const tile = page.locator(".tile", { hasText: "failed or broke off" });
  const told = Number((await tile.locator(".tile-note").innerText()).match(/\d+/)[0]);
  ok(told > 0, "some answers failed");
  const behind = async (link) => {
    await link.click();
    await settled(page);
    for (let more = page.getByRole("button", { name: "Show more" }); await more.count() > 0;) {
      await more.click();
      await settled(page);
    }
    return page.locator("#main tbody tr").count();
  };
  equal(await behind(tile.locator("a")), told, "the link leads to as many");

  await goTo(page, "versions/40000000-0000-4000-8000-000000000002");
  const thumbs = page.locator(".tile", { hasText: "Thumbs up" });
  const given = Number((await thumbs.locator(".tile-note").innerText()).match(/\d+/)[0]);
  ok(given > 0, "a model version has thumbs");
  equal(await behind(thumbs.locator("a")), given, "and its link leads to those, without what came from the cache");

  await goTo(page, "worth");
  const tuned = page.locator(".tile", { hasText: /^Tuned models/ });
  const served = Number((await tuned.locator(".tile-note").innerText()).match(/\d+/)[0]);
  ok(served > 0, "tuned models have answered");
  equal(await behind(tuned.locator("a")), served, "and what they cost leads to what they answered");
  ok((await page.getByLabel("Fine-tuned models alone").isVisible()) && (await page.getByLabel("Fine-tuned models alone").isChecked()), "with the filter that says so in sight");

  await goTo(page, "knowledge");
  const source = () => page.locator("#main tbody tr", { hasText: "rain.md" });
  for (const [name, n, what] of [["4", 4, "with it in their prompts"], ["2 up", 2, "liked ones that cite it"], ["1 down", 1, "the other one"]]) {
    equal(await behind(source().getByRole("link", { name, exact: true })), n, `a source of knowledge leads to answers ${what}`);
    await page.goBack();
    await settled(page);
  }

  await goTo(page, `people/${USER}`);
  const spent = page.locator(".tile", { hasText: "Spent this month" });
  const link = new URLSearchParams((await spent.locator("a").getAttribute("href")).split("?")[1]);
  equal([link.get("user_id"), link.get("from")], [USER, `${new Date().toISOString().slice(0, 7)}-01T00:00:00Z`], "what was spent in a month leads to the answers of that month");
  await closePage(page, "figures and the rows behind them");
});

await group("lists that go on", async () => {
  const page = await openDashboard("limits");
  const asked = [];
  const row = (i) => ({ fingerprint: `f${i}`, error_type: `kind_${i}`, provider: "far", model: "m", count: 1, users: 1, user_visible: 0, recovered: 0, last_seen: "2026-06-01T00:00:00Z", is_resolved: false });
  await page.route("**/admin/errors?*", (route) => {
    const after = new URL(route.request().url()).searchParams.get("after");
    asked.push(after);
    return route.fulfill({ json: { data: [row(asked.length)], has_more: asked.length < 2, next_after: asked.length < 2 ? "123-f1" : null } });
  });
  await goTo(page, "errors");
  await page.getByRole("button", { name: "Show more" }).click();
  ok(await until(async () => (await page.locator("tbody tr").count()) === 2), "failures beyond the first page are there");
  equal(asked, [null, "123-f1"], "from where the first page ended");
  await closePage(page, "lists that go on");
});

await closeBrowser();
done();
