// Drives the compose stack from outside, as browsers would, while containers are killed and started again.
// Arguments: the balancer's URL, the compose project's name, the words of the compose command. Ends with 0 when everything was as promised.
import WebSocket from "ws";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

const [url, project, ...composeWords] = process.argv.slice(2);
const idOf = { ws1: "1111", ws2: "2222", ws3: "3333", ws4: "4444" };
const deadlineMs = 120000;
const began = Date.now();

const say = (text) => console.log(`  ${((Date.now() - began) / 1000).toFixed(1)} s  ${text}`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const run = (program, args) => execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
const podman = (...args) => run("podman", args);
const compose = (...args) => run(composeWords[0], [...composeWords.slice(1), ...args]);

// podman-compose 1.0 joins names with "_", newer ones and docker with "-".
const containers = podman("ps", "--format", "{{.Names}}").split("\n");
const container = (service) => {
  const name = containers.find((entry) => [`${project}_${service}_1`, `${project}-${service}-1`].includes(entry));
  assert.ok(name, `no container of ${service} among ${containers}`);
  return name;
};

async function until(what, holds) {
  for (const end = Date.now() + deadlineMs; Date.now() < end; await pause(50)) {
    const result = await holds();
    if (result) return result;
  }
  throw new Error(`not within ${deadlineMs / 1000} s: ${what}`);
}

/// One browser: what it received, where it is, how it ended.
class Client {
  received = [];
  closeCode = null;
  id = null; // of its gateway, from the greeting
  constructor() {
    this.socket = new WebSocket(url);
    this.socket.on("error", () => {});
    this.socket.on("close", (code) => (this.closeCode = code));
    this.socket.on("message", (data, binary) => {
      assert.equal(binary, false);
      const text = data.toString();
      const greeting = /^Connected successfully to server (\d{4})$/.exec(text);
      if (greeting) this.id = greeting[1];
      else this.received.push(text);
    });
  }
  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }
  static async open() {
    return until("a client is let in", async () => {
      const client = new Client();
      await until("an answer", () => client.isOpen || client.closeCode !== null);
      return client.isOpen ? client : pause(200).then(() => null);
    });
  }
  count(text) {
    return this.received.filter((entry) => entry === `${this.id}:${text}`).length;
  }
}

async function greeted(clients) {
  await until("greetings", () => clients.every((client) => client.id));
}

/// Each client gets the text, once, with its own gateway's tag.
async function reachesAll(text, clients) {
  await until(`"${text}" reaches all`, () => clients.every((client) => client.count(text) > 0));
  for (const client of clients) assert.equal(client.count(text), 1, `"${text}" came more than once`);
}

let serial = 0;
/// Returns the number of its subscribers.
const publishAtRedis = (text) => podman("exec", container("rds"), "redis-cli", "PUBLISH", "livechat", text);

/// After an outage: Redis is given messages until one has reached all. Earlier ones may be lost, which gateways tell. Clients send only
/// then: what waits longer than --publish-wait closes its sender, and how long an outage lasts is the machine's affair.
async function trafficResumes(sender, clients) {
  await until("traffic resumes", async () => {
    const text = `are you there ${++serial}`;
    publishAtRedis(text);
    for (let i = 0; i < 10; ++i) {
      if (clients.every((client) => client.count(text) === 1)) return true;
      await pause(50);
    }
    return false;
  });
  const text = `and from here ${++serial}`;
  sender.socket.send(text);
  await reachesAll(text, clients);
}

async function restart(service, start) {
  podman("kill", container(service));
  await start();
  podman("start", container(service));
}

async function snippet(clients) {
  clients[0].socket.send("Hello! I'm client 1");
  await reachesAll("Hello! I'm client 1", clients);
  // The stack's own Redis has one subscriber: the relay.
  assert.equal(publishAtRedis("hi from redis"), "1");
  await reachesAll("hi from redis", clients);
}

async function everyGatewayServes() {
  const more = [];
  const seen = () => new Set(more.map((client) => client.id));
  await until("all four gateways serve", async () => {
    const batch = await Promise.all([1, 2, 3, 4].map(() => Client.open()));
    more.push(...batch);
    await greeted(batch);
    return seen().size === 4;
  });
  for (const client of more) client.socket.close(1000);
  await until("closed", () => more.every((client) => client.closeCode !== null));
  for (const client of more) assert.equal(client.closeCode, 1000);
}

const serviceOf = (client) => Object.keys(idOf).find((name) => idOf[name] === client.id);

/// Whatever becomes of a gateway's process, its clients stay: what is said meanwhile reaches them once it is back.
async function clientsStay(clients, what, takeItAway, bringItBack) {
  const service = serviceOf(clients[2]);
  const others = clients.filter((client) => client.id !== clients[2].id);
  assert.ok(others.length >= 1, "all clients on one gateway");
  const text = `${service} is ${what}`;
  takeItAway(service);
  others[0].socket.send(text);
  await reachesAll(text, others);
  bringItBack(service);
  await reachesAll(text, clients);
  clients[2].socket.send(`${text}, and back`);
  await reachesAll(`${text}, and back`, clients);
  for (const client of clients) assert.ok(client.isOpen, `${text}, and a client closed with ${client.closeCode}`);
  await until(`${service} takes new clients`, async () => {
    const batch = await Promise.all([1, 2, 3, 4].map(() => Client.open()));
    await greeted(batch);
    for (const client of batch) client.socket.close(1000);
    return batch.some((client) => client.id === idOf[service]);
  });
}

const gatewayKilled = (clients) =>
  clientsStay(
    clients,
    "killed",
    (service) => podman("kill", container(service)),
    (service) => podman("start", container(service)),
  );

/// As for a new image: another container of the same service.
const gatewayReplaced = (clients) =>
  clientsStay(
    clients,
    "replaced",
    (service) => podman("rm", "-f", "-t", "20", container(service)),
    (service) => compose("up", "-d", "--no-deps", service),
  );

/// Keeper and gateway have process ids of their own: who asks again as another program is known all the same.
async function gatewayUpgraded(clients) {
  const id = clients[2].id;
  const said = podman("exec", container("relay"), "sluice", "upgrade", id, "--relay", "unix:/run/sluice/relay.sock");
  assert.match(said, /upgraded/);
  clients[2].socket.send("upgraded in place");
  await reachesAll("upgraded in place", clients);
  for (const client of clients) assert.ok(client.isOpen);
}

async function killedBehindThem(service, clients) {
  await restart(service, () => pause(1500)); // long enough to be noticed
  await trafficResumes(clients[0], clients);
  for (const client of clients) assert.ok(client.isOpen, `${service} was killed, and a client closed with ${client.closeCode}`);
}

/// Stopped and not started again: its keeper tells its clients, when they have waited for --handoff-wait.
async function gatewayStopped(clients) {
  const service = serviceOf(clients[0]);
  const [told, others] = [true, false].map((hit) => clients.filter((c) => (c.id === clients[0].id) === hit));
  podman("stop", "-t", "40", container(service));
  await until("its clients are told", () => told.every((client) => client.closeCode !== null));
  for (const client of told) assert.equal(client.closeCode, 1012);
  for (const client of others) assert.ok(client.isOpen);
  return others;
}

/// Three clients, not all on one gateway: the balancer may have looked at one gateway earlier than at the others.
async function threeClients() {
  const clients = [await Client.open(), await Client.open()];
  await greeted(clients);
  await until("a client on another gateway", async () => {
    const client = await Client.open();
    await greeted([client]);
    clients.push(client);
    return new Set(clients.map((c) => c.id)).size > 1;
  });
  return clients;
}

await everyGatewayServes();
say("all four gateways serve");
let clients = await threeClients();
say(`clients on ${clients.map((client) => client.id)}`);
await snippet(clients);
say("the snippet and a PUBLISH reach all");
await gatewayKilled(clients);
say("gateway killed and started again, clients stayed");
await gatewayReplaced(clients);
say("gateway's container replaced, clients stayed");
await gatewayUpgraded(clients);
say("gateway upgraded in place, clients stayed");
await killedBehindThem("rds", clients);
assert.equal(publishAtRedis("redis again"), "1");
await reachesAll("redis again", clients);
say("Redis killed and started again, clients stayed");
await killedBehindThem("relay", clients);
say("relay killed and started again, clients stayed");
clients = await gatewayStopped(clients);
say("gateway stopped for good: 1012");
for (const client of clients) client.socket.close(1000);
await until("closed", () => clients.every((client) => client.closeCode !== null));
