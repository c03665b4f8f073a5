// The demo page in a real Chromium while somebody restarts gateways behind the balancer. Arguments: its URL, and where the
// screenshot goes (empty: none). Opens twenty connections under traffic and says "OK"; on each line "look" of its input it says
// whether anything was noticed since, on "end" it stops the traffic, waits for the last messages and looks once more.
// "BAD what" and exit code 1 when the connection counter moved, even for a moment, or a message is missing at some connection.
import puppeteer from "puppeteer-core";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const [url, shot] = process.argv.slice(2);
const kConnections = 20;
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!executablePath) throw new Error("chromium is missing: apt-get install chromium");

const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  timeout: 120_000, // its start, on a machine that does much else
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"],
});
const page = await browser.newPage();
const faults = [];
page.on("console", (line) => {
  if (["error", "warn"].includes(line.type())) faults.push(line.text());
});
page.on("pageerror", (error) => faults.push(error.message));

const until = (what, ...args) => page.waitForFunction(what, { timeout: 60_000, polling: 50 }, ...args);

async function open() {
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(url, { waitUntil: "load" });
  await page.$eval("#count", (input, count) => { input.value = String(count); }, kConnections);
  await page.click("#open");
  await until((count) => document.querySelectorAll(".cell[data-state=open]").length === count, kConnections);
  // From now on every value that the counter shows is kept: a look now and then would miss a short dip.
  await page.evaluate(() => {
    const counter = document.querySelector("#fig-open");
    window.opened = new Set([counter.textContent]);
    new MutationObserver(() => window.opened.add(counter.textContent)).observe(counter, { childList: true, characterData: true, subtree: true });
  });
  await page.click("#traffic-button");
  await until(() => Number(document.querySelector("#fig-delivered").textContent.replaceAll(",", "")) > 0);
}

/** What the page shows: what is wrong with it, and in short how it stands. */
async function look() {
  const seen = await page.evaluate(() => {
    const text = (selector) => document.querySelector(selector).textContent;
    return {
      opened: [...window.opened],
      cells: document.querySelectorAll(".cell[data-state=open]").length,
      reconnects: text("#fig-reconnects"),
      missed: text("#fig-missed"),
      gaps: [...document.querySelectorAll("#events li")].map((line) => line.textContent).filter((line) => /gap|lost|twice|out of order|fail/i.test(line)),
      delivered: text("#fig-delivered"),
      p99: text("#fig-p99"),
    };
  });
  const wrong = [...faults, ...seen.gaps];
  if (seen.opened.join() !== String(kConnections)) wrong.push(`the connection counter has shown ${seen.opened.join(", ")}`);
  if (seen.cells !== kConnections) wrong.push(`${seen.cells} connections are open`);
  if (seen.reconnects !== "0") wrong.push(`${seen.reconnects} reconnects`);
  if (seen.missed !== "0") wrong.push(`${seen.missed} messages missed`);
  const short = `${seen.opened.join()} connections, 0 reconnects, ${seen.missed} missed, ${seen.delivered} deliveries/s, p99 ${seen.p99} ms`;
  return { wrong, short };
}

/** Two seconds of traffic have come through: that it goes on is part of what is looked at. */
async function hearMore() {
  const newest = () => Math.max(0, ...[...document.querySelectorAll("#messages tbody .text")].map((cell) => Number(cell.textContent.replace(/\D/g, ""))));
  const before = await page.evaluate(newest);
  await until(`(${newest})() >= ${before + 40}`);
}

/** Every message in the table has been heard by everybody: offsets alone would not show a lost end. */
async function finish() {
  if (shot) await page.screenshot({ path: shot });
  await page.click("#traffic-button");
  await until((all) => [...document.querySelectorAll("#messages tbody .heard")].every((cell) => cell.textContent === all), `${kConnections}/${kConnections}`);
}

async function answer() {
  const { wrong, short } = await look();
  console.log(wrong.length === 0 ? `OK ${short}` : `BAD ${wrong.slice(0, 5).join("; ").replaceAll("\n", " ")}`);
  if (wrong.length > 0) process.exitCode = 1;
  return wrong.length === 0;
}

try {
  await open();
  let good = await answer();
  for await (const line of createInterface({ input: process.stdin })) {
    await (line === "end" ? finish() : hearMore());
    good = (await answer()) && good;
    if (line === "end" || !good) break;
  }
} catch (error) {
  console.log(`BAD ${String(error.stack).replaceAll("\n", " ")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.exit(); // our input may be open still
}
