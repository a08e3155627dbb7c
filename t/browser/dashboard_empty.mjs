// The dashboard of a server that was never used, and who may see it. Run by dashboard.py.
import { done, equal, group, ok } from "../clients/tap.mjs";
import { checkAccessible, checkWidth, closeBrowser, closePage, openPage, until } from "./chromium.mjs";

const main = (page) => page.locator("#main");

await group("signing in", async () => {
  const page = await openPage({ hash: "admin/", token: null });
  page.expected.push(/status of 40[13]/);
  await page.locator("#sign-in").waitFor();
  await checkAccessible(page, "signing in");
  await page.locator("#sign-in-later").click();
  ok(await until(() => main(page).getByText("You are not signed in").isVisible()), "who does not sign in is told so");
  await main(page).getByRole("button", { name: "Try again" }).click();
  const give = async (token) => {
    await page.locator("#token").fill(token);
    await page.locator("#sign-in-submit").click();
  };
  await give("nonsense");
  ok(await until(async () => /refused/.test(await page.locator("#sign-in-error").innerText())), "a token that is none is refused");
  await give(process.env.USER_TOKEN);
  ok(await until(async () => /admin/.test(await page.locator("#sign-in-error").innerText())), "so is one that is no admin's");
  await give(process.env.PAGE_TOKEN);
  ok(await until(() => main(page).getByText("Nothing has been counted yet.").isVisible()), "with an admin's the page goes on");
  equal(await page.evaluate(() => [sessionStorage.getItem("uplift.token") !== null, localStorage.getItem("uplift.token"), location.href.includes("ey")]), [true, null, false], "which is kept for the tab alone, and in no URL");
  await page.reload();
  ok(await until(() => main(page).getByText("Nothing has been counted yet.").isVisible()), "also when it is loaded anew");
  await page.locator("#sign-out").click();
  ok(await until(() => main(page).getByText("You are signed out").isVisible()), "until they sign out");
  equal(await page.evaluate(() => sessionStorage.length + Number(localStorage.getItem("uplift.token") !== null)), 0, "which leaves nothing");
  await page.locator("#refused-sign-in").click();
  await page.locator("#sign-in-stay").check();
  await give(process.env.PAGE_TOKEN);
  ok(await until(() => main(page).getByText("Nothing has been counted yet.").isVisible()), "and in again");
  equal(await page.evaluate(() => [sessionStorage.getItem("uplift.token"), localStorage.getItem("uplift.token") !== null]), [null, true], "for longer, where they want it");
  await closePage(page, "signing in");
});

await group("who is no admin", async () => {
  const page = await openPage({ hash: "admin/", token: process.env.USER_TOKEN });
  page.expected.push(/status of 403/);
  ok(await until(() => main(page).getByText("This needs an admin", { exact: true }).isVisible()), "is told what it takes");
  await checkAccessible(page, "no permission");
  await closePage(page, "who is no admin");
});

await group("rights that are taken while the page is open", async () => {
  const page = await openPage({ hash: "admin/" });
  page.expected.push(/status of 403/);
  await main(page).getByRole("button", { name: "Count now" }).waitFor();
  await page.route("**/admin/jobs/**", (route) => route.fulfill({ status: 403, json: { error: { message: "this needs an admin's token", type: "permission_error", param: null, code: "admin_required" } } }));
  await main(page).getByRole("button", { name: "Count now" }).click();
  ok(await until(() => main(page).getByText("This needs an admin", { exact: true }).isVisible()), "the page says so in place of what it showed");
  await page.unroute("**/admin/jobs/**");
  await closePage(page, "rights that are taken");
});

await group("nothing yet", async () => {
  const page = await openPage({ hash: "admin/" });
  await main(page).getByRole("button", { name: "Count now" }).click();
  const dialog = page.locator("dialog[open]");
  ok(await until(() => dialog.locator('[data-status="succeeded"]').isVisible()), "the job can be had to count, and how it goes is told");
  await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
  ok(await until(() => page.locator(".tile").first().isVisible()), "then there are figures");
  ok(await until(async () => (await main(page).getByText("Nobody has rated answers of this time.").count()) === 2), "charts of nothing say so");
  ok(await until(() => main(page).getByText("There is too little yet to compare two weeks").isVisible()), "and of nothing no change is told");
  equal(await main(page).locator("section[aria-labelledby=changes-title] li").count(), 1, "which is said once");
  await checkAccessible(page, "nothing yet");
  await page.setViewportSize({ width: 360, height: 740 });
  await checkWidth(page, "nothing yet, on a phone");
  await page.evaluate(() => { location.hash = "#worth"; });
  ok(await until(() => main(page).getByText("No model has been fine-tuned yet.").isVisible()), "a loop that has not begun, too");
  await page.evaluate(() => { location.hash = "#nowhere"; });
  ok(await until(() => main(page).getByText("There is no such page.").isVisible()), "and a page that there is not");
  await closePage(page, "nothing yet");
});

await closeBrowser();
done();
