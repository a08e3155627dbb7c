// Opens each page of the dashboard, twice, and prints as JSON what it asked the server for the second time, and how long that took.
import { GROUPS } from "../../nginx/html/admin/ui/pages.js";
import { closeBrowser, openPage, until } from "../browser/chromium.mjs";

const PATIENCE_MS = 60000;

const settled = (page) => until(() => page.evaluate(() => document.querySelector("#main h1") !== null
  && document.querySelector("#main[aria-busy], #main [aria-busy], #main .skeleton") === null), PATIENCE_MS);

/** What is asked of the admin API while a page opens. */
async function watch(page, open) {
  const asked = [];
  const note = (request) => new URL(request.url()).pathname.match(/^\/admin\/(?!ui\/)./) && asked.push(request);
  page.on("requestfinished", note);
  await open();
  await settled(page);
  page.off("requestfinished", note);
  const requests = asked.map((request) => ({ path: request.url().replace(/^https:\/\/[^/]*/, ""), at: request.timing().startTime, ...request.timing() }));
  const ends = requests.map(({ at, responseEnd }) => at + responseEnd);
  return {
    ms: requests.length === 0 ? 0 : Math.max(...ends) - Math.min(...requests.map(({ at }) => at)),
    requests: requests.map(({ path, requestStart, responseEnd }) => ({ path, ms: responseEnd - Math.max(requestStart, 0) })),
  };
}

const pages = {};
for (const { name } of GROUPS.flatMap((group) => group.pages)) {
  for (let time = 0; time < 2; time++) {
    const page = await openPage({ hash: "icon.svg" }); // so that what follows is the page alone
    pages[name] = await watch(page, () => page.goto(`${process.env.PAGE_URL}/admin/#${name}`));
    await page.context().close();
  }
}
await closeBrowser();
console.log(JSON.stringify(pages));
