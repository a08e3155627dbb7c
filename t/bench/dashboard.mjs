// Opens each page of the dashboard and the first of what it lists, twice, and prints as JSON what each asked the server for the second time, and
// how long that took. A page that does not come to rest, or has an error, is no measurement: it ends with what was wrong.
import { GROUPS } from "../../nginx/html/admin/ui/pages.js";
import { closeBrowser, openPage } from "../browser/chromium.mjs";
import { settled } from "../browser/dashboard_page.mjs";

const PATIENCE_MS = 60000;

/** What is asked of the admin API while a page opens. */
async function watch(page, hash) {
  const asked = [];
  const refused = [];
  const isAsked = (request) => /^\/admin\/(?!ui\/)./.test(new URL(request.url()).pathname);
  const note = (request) => isAsked(request) && asked.push(request);
  page.on("requestfinished", note);
  page.on("response", (response) => isAsked(response.request()) && response.status() >= 400 && refused.push(`${response.status()} ${response.url()}`));
  await page.goto(`${process.env.PAGE_URL}/admin/#${hash}`);
  const isThere = await settled(page, PATIENCE_MS);
  page.off("requestfinished", note);
  const errors = await page.locator(".state-error, .state-refused").allInnerTexts();
  const wrong = [...(isThere ? [] : ["it did not come to rest"]), ...refused, ...errors, ...page.wrong];
  if (wrong.length > 0) throw new Error(`#${hash}: ${wrong.join("; ")}`);
  const requests = asked.map((request) => ({ path: request.url().replace(/^https:\/\/[^/]*/, ""), at: request.timing().startTime, ...request.timing() }));
  const ends = requests.map(({ at, responseEnd }) => at + responseEnd);
  return {
    ms: requests.length === 0 ? 0 : Math.max(...ends) - Math.min(...requests.map(({ at }) => at)),
    requests: requests.map(({ path, requestStart, responseEnd }) => ({ path, ms: responseEnd - Math.max(requestStart, 0) })),
  };
}

/** Opens a page in a session of its own, twice; what `then(page)` gives of the second one is kept. */
async function opened(hash, then = () => null) {
  let seen;
  for (let time = 0; time < 2; time++) {
    const page = await openPage({ hash: "icon.svg" }); // so that what follows is the page alone
    seen = { ...(await watch(page, hash)), then: await then(page) };
    await page.context().close();
  }
  return seen;
}

/** Where the first link leads to something of its own that a page lists; null where it lists nothing. */
const firstOf = (name) => (page) => page.evaluate((start) => [...document.querySelectorAll("#main table a")].map((link) => link.getAttribute("href")).find((href) => href.startsWith(start)) ?? null, `#${name}/`);

const pages = {};
try {
  for (const { name } of GROUPS.flatMap((group) => group.pages)) {
    const { then: first, ...seen } = await opened(name, firstOf(name));
    pages[name] = seen;
    if (first === null) continue;
    const { then: _, ...one } = await opened(first.slice(1));
    pages[`${name}, one`] = one;
  }
} finally {
  await closeBrowser();
}
console.log(JSON.stringify(pages));
