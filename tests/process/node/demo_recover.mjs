// The demo page's tab "Channels that recover" in a real Chromium, with the keyboard alone. Argument: its URL. Says "DONE" when
// all was seen.
import puppeteer from "puppeteer-core";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";

const url = process.argv[2];
const shots = process.env.DEMO_SHOTS; // a directory: screenshots are kept there
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!executablePath) throw new Error("chromium is missing: apt-get install chromium");

const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  timeout: 120_000, // its start, on a machine that runs other tests beside
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"],
});

const faults = [];

async function newPage() {
  const page = await browser.newPage();
  page.on("console", (line) => {
    if (["error", "warn"].includes(line.type())) faults.push(line.text());
  });
  page.on("pageerror", (error) => faults.push(error.message));
  await page.evaluateOnNewDocument(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await page.setViewport({ width: 1440, height: 900 });
  return page;
}

const page = await newPage();
const until = (what, ...args) => page.waitForFunction(what, { timeout: 120000, polling: 50 }, ...args);
const text = (selector) => page.$eval(selector, (node) => node.textContent);
const number = async (selector) => Number((await text(selector)).replaceAll(",", ""));
const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());

/** Tab until the element has the focus: it must be reachable, and show where the focus is. */
async function tabTo(id) {
  for (let i = 0; i < 60; ++i) {
    await press("Tab");
    const at = await page.evaluate(() => document.activeElement.id);
    if (at !== id) continue;
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", `${id} shows no focus`);
    return;
  }
  assert.fail(`the keyboard does not reach ${id}`);
}

async function openTheTab() {
  await until(() => !document.querySelector("#tabs").hidden);
  await tabTo("tab-connections");
  await press("ArrowRight");
  await until(() => !document.querySelector("#part-recover").hidden && document.querySelector("#part-connections").hidden);
  assert.equal(await page.evaluate(() => location.hash), "#recover");
}

async function subscribeAndPublish() {
  await tabTo("r-channel");
  await page.keyboard.type("demo-recover-test"); // what stood there was selected by Tab
  await press("Enter");
  await until(() => document.querySelector("#r-state").dataset.state === "open");
  await until(() => document.querySelectorAll("#r-people li").length === 1);
  assert.match(await text("#r-people"), /this page/);
  await tabTo("r-text");
  await page.keyboard.type("by hand");
  await press("Enter");
  await until(() => document.querySelector("#r-rows tbody .text")?.textContent === "by hand");
  assert.equal(await text("#r-rows tbody .how"), "live");
}

/** Another window of the same page is another client of the channel. */
async function seeAnother() {
  const other = await newPage();
  await other.goto(`${url}#recover`, { waitUntil: "load" });
  await other.waitForFunction(() => !document.querySelector("#part-recover").hidden, { timeout: 120000 });
  await other.evaluate(() => {
    document.querySelector("#r-channel").value = "demo-recover-test";
    document.querySelector("#r-subscribe-button").click();
  });
  await other.waitForFunction(() => document.querySelector("#r-state").dataset.state === "open", { timeout: 120000 });
  await page.bringToFront(); // a hidden page draws nothing
  await until(() => document.querySelector("#r-fig-here").textContent === "2");
  await other.close();
  await until(() => document.querySelector("#r-fig-here").textContent === "1");
  const events = await text("#r-events");
  assert.match(events, /is here/);
  assert.match(events, /has gone/);
}

async function dropAndRecover() {
  await tabTo("r-rate");
  await page.keyboard.type("20");
  await press("Enter");
  await until(() => Number(document.querySelector("#r-fig-live").textContent) > 5);
  await page.select("#r-away", "1000");
  await tabTo("r-drop-button");
  await press("Enter");
  await until(() => document.querySelector("#r-state").dataset.state === "waiting");
  await until(() => /^Recovered \d+ publications? after/.test(document.querySelector("#r-outcome").textContent));
  const [, n, first, last] = /^Recovered (\d+) publications after .*: offsets ([\d,]+) to ([\d,]+), none missing\.$/.exec(await text("#r-outcome"));
  assert.equal(Number(last.replaceAll(",", "")) - Number(first.replaceAll(",", "")) + 1, Number(n));
  await until((wanted) => document.querySelector("#r-fig-recovered").textContent === wanted, n);
  await tabTo("r-rate");
  await press("Enter"); // stops
  await until(() => document.querySelector("#r-traffic-button").getAttribute("aria-pressed") === "false");
  // What is on its way still comes.
  await until(() => {
    const value = (id) => Number(document.querySelector(`#r-fig-${id}`).textContent.replaceAll(",", ""));
    const cells = [...document.querySelectorAll("#r-strip li")].map((cell) => Number(cell.dataset.offset));
    return value("live") + value("recovered") >= cells.length && cells.every((offset, i) => i === 0 || offset === cells[i - 1] + 1);
  });
  assert.equal(await number("#r-fig-missed"), 0);
  assert.equal(await number("#r-fig-reconnects"), 1);
  assert.doesNotMatch(await text("#r-events"), /missing|twice/);
  assert.ok((await page.$$("#r-strip li[data-how=recovered]")).length > 0);
}

async function fits(width) {
  await page.setViewport({ width, height: 900 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, `at ${width} px the page scrolls sideways by ${overflow} px`);
}

async function keep(name, width, scheme) {
  if (!shots) return;
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setViewport({ width, height: width < 600 ? 844 : 900 });
  await page.screenshot({ path: `${shots}/${name}.png`, fullPage: width < 600 });
}

try {
  await page.goto(url, { waitUntil: "load" });
  await openTheTab();
  for (const width of [320, 390, 760, 1240, 1440]) await fits(width);
  await subscribeAndPublish();
  await seeAnother();
  await dropAndRecover();
  for (const width of [320, 390, 760, 1240, 1440]) await fits(width);
  await keep("recover-wide", 1440, "light");
  await keep("recover-narrow", 390, "dark");
  const nameless = await page.$$eval("#part-recover :is(button, input, select, [role])", (nodes) => nodes.filter((node) =>
    !node.hidden && !node.textContent.trim() && !node.labels?.length && !node.getAttribute("aria-label") &&
    !node.getAttribute("aria-labelledby") && node.getAttribute("role") !== "status").map((node) => node.outerHTML));
  assert.deepEqual(nameless, []);
  await tabTo("r-subscribe-button");
  await press("Enter");
  await until(() => document.querySelector("#r-state").dataset.state === "closed");
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  assert.deepEqual(faults, []);
  console.log("DONE");
} catch (error) {
  console.log(`${error.stack}\nfaults: ${faults.join("\n")}\noutcome: ${await text("#r-outcome")}\nevents: ${await text("#r-events")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
