// The official SDK in a real Chromium page. Arguments: WebSocket URL of the endpoint, "json" or "protobuf", and options of the SDK
// as JSON. Two pages: both subscribe, the second publishes, the first hears it and asks who is there and what was said.
// Prints one line, RESULT and JSON: { heard, own, presence, stats, history, recovered }.
import puppeteer from "puppeteer-core";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";

const [url, encoding, options] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4] ?? "{}")];
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!executablePath) throw new Error("chromium is missing: apt-get install chromium");

const bundle = encoding === "protobuf" ? "centrifuge.protobuf.js" : "centrifuge.js";
const script = readFileSync(new URL(`node_modules/centrifuge/dist/${bundle}`, import.meta.url));
const home = createServer((request, answer) => {
  if (request.url !== "/sdk.js") return answer.setHeader("Content-Type", "text/html").end('<!doctype html><script src="/sdk.js"></script>');
  answer.setHeader("Content-Type", "text/javascript").end(script);
});
await new Promise((listening) => home.listen(0, "127.0.0.1", listening));

const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  timeout: 120_000, // its start, on a machine that runs other tests beside
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"],
});

/** A page whose client is subscribed to `browser`. */
async function open() {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${home.address().port}/`);
  await page.evaluate(
    async (address, binary, given) => {
      const plain = (data) => (data instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(data)) : data);
      window.toData = (value) => (binary ? new TextEncoder().encode(JSON.stringify(value)) : value);
      window.heard = [];
      window.recovered = [];
      window.client = new Centrifuge(address, given);
      window.channel = window.client.newSubscription("browser", { recoverable: true, positioned: true });
      window.channel.on("publication", (ctx) => window.heard.push(plain(ctx.data)));
      window.channel.on("subscribed", (ctx) => window.recovered.push(ctx.recovered));
      window.plain = plain;
      window.channel.subscribe();
      window.client.connect();
      await window.channel.ready(20_000);
    },
    url,
    encoding === "protobuf",
    options,
  );
  return page;
}

const until = (page, count) => page.waitForFunction((n) => window.heard.length >= n, { timeout: 20_000, polling: 50 }, count);
const publish = (page, value) => page.evaluate((data) => window.channel.publish(window.toData(data)), value);

try {
  const [hearing, speaking] = [await open(), await open()];
  await publish(speaking, { text: "ünï", number: 1 });
  await until(hearing, 1);
  const result = await hearing.evaluate(async () => ({
    presence: Object.keys((await window.channel.presence()).clients).length,
    stats: await window.channel.presenceStats(),
    history: (await window.channel.history({ limit: 10 })).publications.map((one) => window.plain(one.data)),
  }));
  // Away and back: what was said in the meantime comes after.
  await hearing.evaluate(() => window.client.disconnect());
  await publish(speaking, { text: "meanwhile", number: 2 });
  await hearing.evaluate(() => window.client.connect());
  await until(hearing, 2);
  await until(speaking, 2);
  result.heard = await hearing.evaluate(() => window.heard);
  result.own = await speaking.evaluate(() => window.heard);
  result.recovered = await hearing.evaluate(() => window.recovered);
  console.log("RESULT " + JSON.stringify(result));
} finally {
  await browser.close();
  home.close();
}
