// Opens the operator's page of a running service in headless Chromium, clicks what can be clicked, and takes pictures of
// it: wide, on a tablet and on a phone, light and dark. Fails on an error of the page, a request to elsewhere, or a page that
// is wider than the screen. Usage: node page.mjs http://127.0.0.1:8080/ FOLDER_FOR_PICTURES
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
if (!url || !folder) throw new Error("usage: node page.mjs URL FOLDER");
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const troubles = [];
const expect = (holds, what) => { if (!holds) troubles.push(what); };

for (const [name, width, height] of [["wide", 1280, 900], ["tablet", 820, 1180], ["phone", 390, 844]]) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme });
    page.on("pageerror", error => troubles.push(`${name}: ${error}`));
    page.on("console", message => { if (message.type() === "error") troubles.push(`${name}: ${message.text()}`); });
    page.on("request", request => expect(request.url().startsWith(url), `asked elsewhere: ${request.url()}`));
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById("state").textContent.includes("serving"));
    expect((await page.locator("#model").textContent()).startsWith("classifier@"), "the model is not named");
    expect(await page.locator("#quantiles tbody tr").count() === 3, "three latencies are shown");
    expect(await page.locator("#placement .chip").count() > 0, "no replica is shown");
    const wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(!wider, `${name}: the page is wider than the screen`);
    const outside = await page.evaluate(() => [...document.querySelectorAll("section *")].filter(element =>
      !element.closest(".scroll, svg") && element.getBoundingClientRect().right > element.closest("section").getBoundingClientRect().right - 8)
      .map(element => element.textContent));
    expect(!outside.length, `${name}: runs out of its box: ${outside}`);

    const all = await page.locator("#recent tbody tr").count();
    await page.click("[data-show=refused]");
    const refused = await page.locator("#recent tbody tr").count();
    const statuses = await page.locator("#recent tbody tr td:nth-child(3)").allTextContents();
    expect(all > 0 && refused > 0, "the drive before did not leave both kinds of requests");
    expect(statuses.every(status => Number(status.slice(0, 3)) >= 400), "the filter lets answers through");
    await page.click("[data-show=all]");
    await page.click("#pause");
    const before = await page.locator("#facts").textContent();
    await page.waitForTimeout(1600);
    expect(await page.locator("#facts").textContent() === before, "a paused page moves");
    await page.click("#pause");
    await page.waitForFunction(old => document.getElementById("facts").textContent !== old, before);
    await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png`, fullPage: true });
    await page.close();
  }
}
await browser.close();
for (const trouble of troubles) console.error(`page: ${trouble}`);
console.log(`page: ${troubles.length} troubles; pictures in ${folder}`);
process.exit(troubles.length ? 1 : 0);
