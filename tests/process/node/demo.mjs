// The demo page in a real Chromium, with the keyboard alone. Argument: its URL, behind the balancer of four gateways.
// Says "READY to lose a gateway" when the test is to kill 2222, "READY for a plain client" when somebody else is to publish
// "from outside" on the default channel, "DONE" when all was seen.
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

const page = await browser.newPage();
const faults = [];
// A lost WebSocket is an error to the console; that is what this test brings about.
page.on("console", (line) => {
  if (["error", "warn"].includes(line.type()) && !/WebSocket connection to/.test(line.text())) faults.push(line.text());
});
page.on("pageerror", (error) => faults.push(error.message));
page.on("requestfailed", (request) => faults.push(`${request.url()} ${request.failure()?.errorText}`));
await page.evaluateOnNewDocument(() => {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
  });
});

const until = (what, ...args) => page.waitForFunction(what, { timeout: 120000, polling: 50 }, ...args);
const text = (selector) => page.$eval(selector, (node) => node.textContent);
const cells = (part) => page.$$eval(`.cell ${part}`, (nodes) => nodes.map((node) => node.textContent));
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

async function openTwenty() {
  await tabTo("count");
  await page.keyboard.type("20"); // what stood there was selected by Tab
  await press("Enter");
  await until(() => document.querySelector("#fig-open").textContent === "20");
  assert.equal((await page.$$(".cell[data-state=open]")).length, 20);
  const gateways = new Set(await cells(".gateway"));
  assert.ok(gateways.size >= 2, `all on ${[...gateways]}`);
  return gateways;
}

/** Sends one message; every connection must show it, with a latency. */
async function send(message) {
  await tabTo("text");
  await page.keyboard.type(message);
  await press("Enter");
  await until((sent) => [...document.querySelectorAll("#messages tbody tr")].some((row) =>
    row.querySelector(".text").textContent === sent && row.querySelector(".heard").textContent === "20/20"), message);
  const row = await page.evaluate((sent) => {
    const found = [...document.querySelectorAll("#messages tbody tr")].find((one) => one.querySelector(".text").textContent === sent);
    return [...found.cells].map((cell) => cell.textContent);
  }, message);
  assert.match(row[1], /^#\d+$/);
  assert.match(row[4], /^[\d.]+(–[\d.]+)?$/);
}

/** The grid is one tab stop; arrows move in it, Enter opens what one connection got. */
async function lookAtOne(message) {
  await until(() => [...document.querySelectorAll(".cell .latency")].every((node) => node.textContent.endsWith(" ms")));
  for (let i = 0; i < 60 && !(await page.evaluate(() => document.activeElement.classList.contains("cell"))); ++i) await press("Tab");
  await press("ArrowRight", "ArrowRight", "End", "Home", "ArrowDown", "ArrowUp", "ArrowRight", "Enter");
  await until(() => document.querySelector("#at").value === "2");
  await until((sent) => document.querySelector("#messages tbody .text")?.textContent === sent, message);
  assert.equal(await page.$eval(".cell[aria-pressed=true] .number", (node) => node.textContent), "#2");
  await press("Enter");
  await until(() => document.querySelector("#one").hidden);
}

async function loseAGateway() {
  const victims = (await cells(".gateway")).filter((gateway) => gateway === "2222").length;
  assert.ok(victims > 0, "nobody is on 2222");
  console.log("READY to lose a gateway");
  await until((n) => document.querySelector("#fig-reconnects").textContent === String(n), victims);
  await until(() => document.querySelector("#fig-open").textContent === "20");
  assert.ok(!(await cells(".gateway")).includes("2222"));
  assert.equal((await cells(".reconnects")).filter((mark) => mark === "↻ 1").length, victims);
  const events = await text("#events");
  assert.match(events, /lost at 2222: 1006/);
  assert.match(events, /back, 2222 → (1111|3333|4444), in /);
  assert.match(await page.$$eval("#gateways tbody tr", (rows) => rows[1].textContent), /^2222none for/);
}

async function hearOthers() {
  console.log("READY for a plain client");
  await until(() => [...document.querySelectorAll("#messages tbody tr")].some((row) =>
    row.querySelector(".text").textContent === "from outside" && row.querySelector(".from").textContent === "outside" &&
    row.querySelector(".heard").textContent === "20/20"));
}

async function trafficRunsAndStops() {
  await tabTo("rate");
  await page.keyboard.type("40");
  await press("Enter");
  await until(() => Number(document.querySelector("#fig-delivered").textContent.replace(",", "")) > 0);
  await press("Enter"); // the focus is still on the number: Enter stops
  await until(() => document.querySelector("#traffic-button").getAttribute("aria-pressed") === "false");
  await until(() => document.querySelector("#fig-sent").textContent === "0");
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
  await until(() => document.querySelector("#rate-chart").width > 0);
  await page.screenshot({ path: `${shots}/${name}.png` });
}

try {
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(url, { waitUntil: "load" });
  for (const width of [320, 390, 760, 1240, 1440]) await fits(width);
  await openTwenty();
  await send("Hello, twenty!");
  await lookAtOne("Hello, twenty!");
  await loseAGateway();
  await send("And on we go");
  await hearOthers();
  await trafficRunsAndStops();
  for (const width of [320, 390, 760, 1240, 1440]) await fits(width);
  await keep("wide", 1440, "light");
  await keep("narrow", 390, "dark");
  // Every control has a name that is read out.
  const nameless = await page.$$eval("button, input, select, [role]", (nodes) => nodes.filter((node) =>
    !node.hidden && !node.textContent.trim() && !node.labels?.length && !node.getAttribute("aria-label") &&
    !node.getAttribute("aria-labelledby") && node.getAttribute("role") !== "status").map((node) => node.outerHTML));
  assert.deepEqual(nameless, []);
  // These gateways do not have what the second tab needs.
  assert.equal(await page.$eval("#tabs", (tabs) => tabs.hidden), true);
  await tabTo("close");
  await press("Enter");
  await until(() => document.querySelectorAll(".cell").length === 0);
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  assert.deepEqual(faults, []);
  console.log("DONE");
} catch (error) {
  console.log(`${error.stack}\nfaults: ${faults.join("\n")}\nfigures: ${await text(".figures")}\nevents: ${await text("#events")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
