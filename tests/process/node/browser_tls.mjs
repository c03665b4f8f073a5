// WebSockets over TLS and HTTP/2 (RFC 8441) in real browser pages. Arguments: wss:// URL of the balancer, PEM file with its
// certificate, number of pages. Each page speaks once; ends with 0 when all have heard all.
//
// Chromium puts a WebSocket on an HTTP/2 connection that it has to that host already, so each page is loaded from there.
import puppeteer from "puppeteer-core";
import { createHash, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";

const [url, certificate, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!executablePath) throw new Error("chromium is missing: apt-get install chromium");

// Trust in this one key, as if an authority that the browser knows had signed it.
const key = new X509Certificate(readFileSync(certificate)).publicKey.export({ type: "spki", format: "der" });
const pin = createHash("sha256").update(key).digest("base64");

const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  timeout: 120_000, // its start, on a machine that runs other tests beside
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server", `--ignore-certificate-errors-spki-list=${pin}`],
});
try {
  const pages = [];
  for (let i = 0; i < count; ++i) {
    const page = await browser.newPage();
    await page.goto(url.replace(/^wss/, "https") + "/", { waitUntil: "load" });
    const protocol = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
    if (protocol !== "h2") throw new Error(`the page came by ${protocol}`);
    await page.evaluate((address) => {
      window.got = [];
      return new Promise((resolve, reject) => {
        window.ws = new WebSocket(address);
        window.ws.onmessage = (message) => window.got.push(message.data);
        window.ws.onopen = resolve;
        window.ws.onerror = () => reject(new Error("no connection"));
      });
    }, `${url}/channel/h2`);
    pages.push(page);
  }
  // A subscription is confirmed after the handshake: everybody repeats until everybody has heard everybody.
  const heard = (page) => page.evaluate((n) => new Promise((resolve, reject) => {
    const wanted = Array.from({ length: n }, (_, i) => `client ${i + 1}`);
    const missing = () => wanted.filter((one) => !window.got.some((text) => text.endsWith(`:${one}`)));
    const started = Date.now();
    const look = setInterval(() => {
      if (missing().length > 0 && Date.now() - started < 20000) return;
      clearInterval(look);
      if (missing().length > 0) reject(new Error(`never heard: ${missing()}`));
      else resolve(wanted);
    }, 50);
  }), count);
  for (const [i, page] of pages.entries()) {
    await page.evaluate((n) => { window.again = setInterval(() => window.ws.send(`client ${n}`), 100); }, i + 1);
  }
  for (const [i, page] of pages.entries()) {
    for (const client of await heard(page)) console.log(`page ${i + 1} heard ${client}`);
  }
  for (const page of pages) {
    await page.evaluate(() => new Promise((closed) => {
      clearInterval(window.again);
      window.ws.onclose = closed;
      window.ws.close(1000);
    }));
  }
} finally {
  await browser.close();
}
