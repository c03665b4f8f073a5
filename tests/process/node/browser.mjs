// The article's three lines in real browser pages. Arguments: URL of the balancer, number of pages. Prints one JSON line:
// per page all messages that it got.
import puppeteer from "puppeteer-core";
import { existsSync } from "node:fs";
import { createServer } from "node:http";

const [url, count] = [process.argv[2], Number(process.argv[3])];
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!executablePath) throw new Error("chromium is missing: apt-get install chromium");

// Chromium lets a page into the local network only from there: an empty page of our own instead of about:blank.
const home = createServer((_, answer) => answer.end("<!doctype html>"));
await new Promise((listening) => home.listen(0, "127.0.0.1", listening));

const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  timeout: 120_000, // its start, on a machine that runs other tests beside
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"],
});
try {
  const pages = [];
  for (let i = 0; i < count; ++i) {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${home.address().port}/`);
    await page.evaluate((address) => {
      window.got = [];
      window.opened = new Promise((resolve, reject) => {
        // The article's first two lines; the third follows when the socket is open.
        let ws = new WebSocket(address);
        ws.onmessage = (message) => window.got.push(message.data);
        ws.onopen = resolve;
        ws.onerror = () => reject(new Error("no connection"));
        window.ws = ws;
      });
      return window.opened;
    }, url);
    pages.push(page);
  }
  for (const [i, page] of pages.entries()) {
    await page.evaluate((n) => window.ws.send(`Hello! I'm client ${n}`), i + 1);
  }
  // One greeting and `count` messages for each.
  for (const page of pages) {
    await page.waitForFunction((n) => window.got.length >= n, { timeout: 20000, polling: 50 }, count + 1);
  }
  const got = [];
  for (const page of pages) got.push(await page.evaluate(() => window.got));
  console.log("RESULT " + JSON.stringify(got));
} finally {
  await browser.close();
  home.close();
}
