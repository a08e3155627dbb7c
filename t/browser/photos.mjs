// Photos of meals, as a person takes and corrects them on the page. Run by photos.py.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, lastAnswer, message, openPage, say, until } from "./chromium.mjs";

const { PAGE_MEAL: meal, PAGE_SAME: same, PAGE_OTHER: other, PAGE_EMPTY: empty } = process.env;
const names = (page) => page.locator(".food-name input").evaluateAll((inputs) => inputs.map((input) => input.value));
const state = (page) => page.locator(".photo-state").innerText();

for (const [name, options] of [["desktop", {}], ["phone, dark", { width: 375, height: 812, scheme: "dark", touch: true }]]) {
  await group(`photos, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    await page.getByRole("button", { name: "Show a meal" }).click();
    ok(await until(() => page.locator("#photos-dialog").isVisible()), "the dialog opens");
    equal(await page.locator("#photo-camera").getAttribute("capture"), "environment", "a phone takes a photo with its camera");
    await checkAccessible(page, `no photo, ${name}`);

    await page.locator("#photo-file").setInputFiles(name === "desktop" ? meal : same);
    ok(await until(() => page.locator(".photo-picture").isVisible()), "the photo is seen at once");
    ok(await until(async () => (await names(page)).length === 2), "and then what is on it");
    equal(await names(page), ["grilled salmon", "broccoli"], "by name");
    matches(await page.locator(".photo-total").innerText(), /^About \d+ kcal, \d+ g protein, \d+ g carbohydrates, \d+ g fat$/, "with calories and macronutrients");
    await checkAccessible(page, `a photo, ${name}`);
    await checkWidth(page, `a photo, ${name}`);

    if (name === "desktop") {
      await page.getByRole("button", { name: "That is right" }).click();
      ok(await until(async () => /noted/.test(await state(page))), "it is right");
    }
    await page.getByLabel("Food 1", { exact: true }).fill("trout");
    await page.getByLabel("Grams of food 1").fill("150");
    equal(await page.getByLabel("Calories of food 1").inputValue(), "309", "a smaller portion has fewer calories");
    await page.getByRole("button", { name: "Remove broccoli" }).click();
    await page.getByRole("button", { name: "Add a food" }).click();
    await page.keyboard.type("<b>rice</b>");
    await page.getByLabel("Calories of food 2").fill("100");
    matches(await page.locator(".photo-total").innerText(), /^About 409 kcal/, "what is changed is added up");
    await page.getByRole("button", { name: "Save" }).click();
    ok(await until(async () => /noted/.test(await state(page))), "it is stored");
    equal(await names(page), ["trout", "<b>rice</b>"], "as it was said");
    await checkAccessible(page, `corrected, ${name}`);

    await page.getByRole("button", { name: "Ask my coach" }).click();
    ok(await until(() => page.locator("#photos-dialog").isHidden()), "the coach is asked");
    equal(await answerEnded(page), "complete", "and answers");
    ok((await lastAnswer(page).locator(".prose").innerText()).length > 20, "with something");
    const asked = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/v1/chat"));
    await lastAnswer(page).getByRole("button", { name: "Answer again" }).click();
    matches((await asked).postDataJSON().photo_id ?? "", /^[0-9a-f-]{36}$/, "and once more, about the same photo");
    equal(await answerEnded(page), "complete", "to its end");

    await page.getByRole("button", { name: "Show a meal" }).click();
    ok(await until(async () => (await page.locator(".photo-row").count()) > 0), "what was photographed is listed");
    matches(await page.locator(".photo-row").first().innerText(), /^trout, <b>rice<\/b>\n.+409 kcal$/, "as it was corrected");
    await page.locator("#photo-file").setInputFiles(other);
    ok(await until(async () => (await names(page)).join() === "scrambled eggs,green salad"), "another one");
    await page.locator(".photo-row").filter({ hasText: "trout" }).first().click();
    ok(await until(async () => (await names(page)).join() === "trout,<b>rice</b>"), "and the first again");
    ok(await until(() => page.locator(".photo-picture").isVisible()), "with its picture");
    await page.locator(".photo-row").filter({ hasText: "scrambled" }).click();
    ok(await until(async () => (await names(page)).join() === "scrambled eggs,green salad"), "the other one is opened");
    await page.getByRole("button", { name: "Delete this photo" }).click();
    await page.locator("#confirm-yes").click();
    ok(await until(async () => (await state(page)) === "Deleted."), "and deleted");
    ok(await until(async () => (await page.locator(".photo-row").filter({ hasText: "scrambled" }).count()) === 0), "so that it is not listed any more");
    await closePage(page, `photos, ${name}`);
  });
}

await group("photos while the coach answers, and pasted ones", async () => {
  const page = await openPage({});
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && request.url().endsWith("/v1/food-photos") && sent.push(request.url()));
  await page.waitForSelector(".coach-card");
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/v1/chat", (route) => held.then(() => route.continue()));
  await say(page, "What is a good dinner?");
  await message(page).fill("And a draft");
  await page.getByRole("button", { name: "Show a meal" }).click();
  await page.locator(".photo-row").filter({ hasText: "trout" }).first().click();
  ok(await until(async () => (await names(page)).join() === "trout,<b>rice</b>"), "a photo is opened while an answer comes");
  await page.getByRole("button", { name: "Ask my coach" }).click();
  ok(await until(() => page.locator("#photos .form-error").innerText().then((text) => /still answering/.test(text))), "the coach is said to be busy");
  ok(await page.locator("#photos-dialog").isVisible(), "and the photo stays");
  release();
  equal(await answerEnded(page), "complete", "until there is time");
  await page.getByRole("button", { name: "Ask my coach" }).click();
  ok(await until(() => page.locator("#photos-dialog").isHidden()), "and is asked about then");
  equal(await answerEnded(page), "complete", "and answered");
  equal(await message(page).inputValue(), "And a draft", "with what was written still there");

  const paste = (text) => message(page).evaluate((node, words) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["not a picture"], "image.png", { type: "image/png" }));
    if (words !== "") clipboardData.setData("text/plain", words);
    return node.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
  equal(await paste("Cells of a table"), true, "text that brings a picture of itself is pasted as text");
  equal(await page.locator("dialog[open]").count(), 0, "with nothing else");
  equal(await paste(""), false, "a picture alone is no text");
  await checkAccessible(page, "a picture that was pasted");
  await page.locator("#confirm-no").click();
  equal(sent, [], "and is sent to nobody who does not want that");
  page.expected.push(/status of 4\d\d/);
  await paste("");
  await page.getByRole("button", { name: "Send it" }).click();
  ok(await until(() => page.locator("#photos .form-error").innerText().then((text) => /must be a JPEG/.test(text))), "only to who does");
  equal(sent.length, 1, "once");
  await closePage(page, "photos while the coach answers, and pasted ones");
});

await group("photos that are none", async () => {
  const page = await openPage({});
  page.expected.push(/status of 4\d\d/);
  await page.waitForSelector(".coach-card");
  await page.getByRole("button", { name: "Show a meal" }).click();
  await page.locator("#photo-file").setInputFiles({ name: "<i>x</i>.jpg", mimeType: "image/jpeg", buffer: Buffer.from("not a picture") });
  ok(await until(() => page.locator("#photos .form-error").innerText().then((text) => /must be a JPEG/.test(text))), "what is no photo is refused in words");
  await page.locator("#photo-file").setInputFiles(empty);
  ok(await until(async () => (await state(page)) === "There seems to be no food on this photo."), "a plate without food is one");
  ok(await page.getByRole("button", { name: "Ask my coach" }).isDisabled(), "of which there is nothing to ask");
  await page.getByRole("button", { name: "Delete this photo" }).click();
  await page.locator("#confirm-yes").click();
  ok(await until(async () => (await state(page)) === "Deleted."), "and goes");
  await page.route("**/v1/food-photos", (route) => (route.request().method() === "POST" ? route.fulfill({ status: 413, json: { error: { message: "the request body is too large", code: "request_too_large" } } }) : route.continue()));
  await page.locator("#photo-file").setInputFiles(meal);
  ok(await until(() => page.locator("#photos .form-error").innerText().then((text) => text === "That did not work: that is larger than this server takes.")), "one that is too large is told");
  await closePage(page);
});

await closeBrowser();
done();
