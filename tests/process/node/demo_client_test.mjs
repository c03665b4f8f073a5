// The demo page's own client of the Centrifuge protocol, against a socket and a clock made here. Says "DONE" when all holds.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;

// ---- the world around it

const world = { now: 0, timers: new Map(), nextTimer: 1, sockets: [] };
globalThis.performance = { now: () => world.now };
globalThis.setTimeout = (what, ms) => {
  world.timers.set(world.nextTimer, { what, at: world.now + ms });
  return world.nextTimer++;
};
globalThis.clearTimeout = (id) => world.timers.delete(id);

function advance(ms) {
  const end = world.now + ms;
  while (true) {
    const due = [...world.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
    if (due === undefined) break;
    world.timers.delete(due[0]);
    world.now = Math.max(world.now, due[1].at);
    due[1].what();
  }
  world.now = end;
}

class FakeSocket {
  sent = []; // frames, each as its commands
  closed = false;
  constructor(url) {
    this.url = url;
    world.sockets.push(this);
  }
  send(frame) {
    this.sent.push(frame.split("\n").map((line) => JSON.parse(line)));
  }
  close() {
    this.closed = true;
  }
  /** What the gateway does. */
  open() {
    this.onopen();
  }
  say(...messages) {
    this.onmessage({ data: messages.map((message) => JSON.stringify(message)).join("\n") });
  }
  end(code, reason = "") {
    this.onclose({ code, reason });
  }
}
globalThis.WebSocket = FakeSocket;

const { CentrifugeClient, isTerminal, socketUrl } = await import("../../../gateway/demo/demo-centrifuge.js");

// ---- helpers

const socket = () => world.sockets.at(-1);
const connected = { id: 1, connect: { client: "c1", ping: 25, pong: true } };
const publication = (offset) => ({ push: { channel: "a", pub: { offset, data: { n: offset } } } });

function make(channel = "a") {
  Object.assign(world, { now: 1000, timers: new Map(), sockets: [] });
  const seen = [];
  const tell = (name) => (...values) => seen.push([name, ...values]);
  const events = Object.fromEntries(["subscribed", "publication", "missing", "joined", "left", "present", "failed"].map((name) => [name, tell(name)]));
  events.changed = () => {};
  const client = new CentrifugeClient("ws://x/", channel, events);
  client.start();
  return { client, seen, of: (name) => seen.filter((one) => one[0] === name).map((one) => one[1]) };
}

/** Subscribed to a channel that is at `offset`. */
function subscribed(offset = 41) {
  const made = make();
  socket().open();
  socket().say(connected, { id: 2, subscribe: { recoverable: true, positioned: true, epoch: "e", offset } });
  assert.equal(made.client.state, "open");
  return made;
}

/** Lost and connected again; the subscribe reply is `result`. */
function comeBack(made, result) {
  made.client.drop(3000);
  assert.equal(made.client.state, "waiting");
  advance(3000);
  socket().open();
  const [connect, subscribe] = socket().sent[0];
  socket().say({ id: connect.id, connect: connected.connect }, { id: subscribe.id, subscribe: { recoverable: true, was_recovering: true, epoch: "e", ...result } });
  return subscribe.subscribe;
}

const tests = {
  connectAndSubscribeLeaveTogether() {
    make();
    socket().open();
    assert.deepEqual(socket().sent, [[
      { id: 1, connect: { name: "demo" } },
      { id: 2, subscribe: { channel: "a", positioned: true, recoverable: true, join_leave: true } },
    ]]);
  },

  publicationsAreFollowed() {
    const { client, of } = subscribed();
    socket().say(publication(42), publication(43));
    assert.equal(client.offset, 43);
    assert.deepEqual(of("publication").map((one) => [one.offset, one.recovered]), [[42, false], [43, false]]);
    assert.deepEqual(of("missing"), []);
  },

  besideTheHistoryNothingMoves() {
    const { client, of } = subscribed();
    socket().say(publication(42), { push: { channel: "a", pub: { data: "raw" } } }, publication(43));
    assert.equal(client.offset, 43);
    assert.deepEqual(of("publication").map((one) => one.offset), [42, 0, 43]);
    assert.deepEqual(of("missing"), []);
  },

  anEmptyStreamBeginsAtZero() {
    const made = make();
    socket().open();
    socket().say(connected, { id: 2, subscribe: { recoverable: true, positioned: true, epoch: "e" } });
    assert.equal(made.client.offset, 0);
    socket().say(publication(1));
    assert.deepEqual(made.of("missing"), []);
  },

  aChannelWithoutPositions() {
    const made = make();
    socket().open();
    socket().say(connected, { id: 2, subscribe: {} });
    socket().say({ push: { channel: "a", pub: { data: 1 } } }, { push: { channel: "a", pub: { data: 2 } } });
    assert.equal(made.client.offset, null);
    assert.deepEqual(made.of("missing"), []);
    made.client.drop(10);
    advance(10);
    socket().open();
    assert.equal(socket().sent[0][1].subscribe.recover, undefined);
  },

  itComesBackWhereItWas() {
    const made = subscribed();
    socket().say(publication(42));
    const request = comeBack(made, { recovered: true, offset: 42, publications: [{ offset: 43, data: 1 }, { offset: 44, data: 2 }] });
    assert.equal(request.recover, true);
    assert.equal(request.epoch, "e");
    assert.equal(request.offset, 42);
    assert.deepEqual(made.of("publication").map((one) => [one.offset, one.recovered]), [[42, false], [43, true], [44, true]]);
    assert.deepEqual(made.of("missing"), []);
    assert.deepEqual(made.of("subscribed").at(-1), { recovered: true, count: 2, from: 42, to: 44, missed: 0, awayMs: 3000 });
    assert.equal(made.client.reconnects, 1);
    socket().say(publication(45));
    assert.deepEqual(made.of("missing"), []);
  },

  nothingWasPublishedMeanwhile() {
    const made = subscribed();
    comeBack(made, { recovered: true, offset: 41 });
    assert.deepEqual(made.of("subscribed").at(-1), { recovered: true, count: 0, from: 41, to: 41, missed: 0, awayMs: 3000 });
  },

  whatCannotBeRecoveredIsCounted() {
    const made = subscribed();
    comeBack(made, { offset: 141 });
    assert.deepEqual(made.of("subscribed").at(-1), { recovered: false, count: 0, from: 41, to: 141, missed: 100, awayMs: 3000 });
    assert.equal(made.client.offset, 141);
  },

  anotherEpochIsALossOfUnknownSize() {
    const made = subscribed();
    comeBack(made, { epoch: "f", offset: 2 });
    assert.equal(made.of("subscribed").at(-1).missed, null);
    assert.equal(made.client.epoch, "f");
    assert.equal(made.client.offset, 2);
  },

  whatTheGatewayGetsWrongIsSeen() {
    const made = subscribed();
    socket().say(publication(44), publication(44));
    assert.deepEqual(made.of("missing"), [2, -1]);
  },

  aPingIsAnsweredWhereThatIsWanted() {
    subscribed();
    const before = socket().sent.length;
    socket().say({});
    assert.deepEqual(socket().sent.slice(before), [[{}]]);
    make();
    socket().open();
    socket().say({ id: 1, connect: { client: "c", ping: 25 } }, {});
    assert.equal(socket().sent.length, 1);
  },

  closeCodes() {
    for (const code of [1000, 1006, 1012, 3000, 3001, 3010, 3012, 4000, 4499, 5000]) assert.ok(!isTerminal(code), code);
    for (const code of [1009, 3500, 3501, 3503, 3999, 4500, 4999]) assert.ok(isTerminal(code), code);
    const lost = subscribed();
    socket().end(3001, "shutdown");
    assert.equal(lost.client.state, "waiting");
    advance(300); // the first pause is no longer
    assert.equal(world.sockets.length, 2);
    const ended = subscribed();
    socket().end(3503, "force disconnect");
    assert.equal(ended.client.state, "closed");
    assert.deepEqual(ended.of("failed"), ["3503 force disconnect"]);
    advance(60000);
    assert.equal(world.sockets.length, 1);
  },

  unsubscribedByTheServer() {
    const made = subscribed();
    socket().say({ push: { channel: "a", unsubscribe: { code: 2500, reason: "insufficient state" } } });
    const again = socket().sent.at(-1)[0];
    assert.equal(again.subscribe.recover, true);
    assert.equal(again.subscribe.offset, 41);
    socket().say({ id: again.id, subscribe: { recoverable: true, was_recovering: true, recovered: true, epoch: "e", offset: 41 } });
    assert.equal(made.client.state, "open");
    socket().say({ push: { channel: "a", unsubscribe: { code: 2000, reason: "server" } } });
    assert.equal(made.client.state, "closed");
  },

  refusals() {
    const forever = make();
    socket().open();
    socket().say(connected, { id: 2, error: { code: 103, message: "permission denied" } });
    assert.equal(forever.client.state, "closed");
    assert.deepEqual(forever.of("failed"), ["subscribing refused: 103 permission denied"]);
    const later = make();
    socket().open();
    socket().say({ id: 1, error: { code: 100, message: "internal", temporary: true } });
    assert.equal(later.client.state, "waiting");
  },

  silenceEndsTheConnection() {
    const made = subscribed();
    const presence = socket().sent.at(-1)[0];
    socket().say({ id: presence.id, presence: { presence: {} } });
    advance(34000);
    assert.equal(made.client.state, "open");
    socket().say({});
    advance(34000);
    assert.equal(made.client.state, "open");
    advance(1000);
    assert.equal(made.client.state, "waiting");
  },

  aCommandWithoutReplyEndsIt() {
    const made = subscribed();
    const presence = socket().sent.at(-1)[0];
    assert.equal(presence.presence.channel, "a");
    advance(5000);
    assert.equal(made.client.state, "waiting");
    assert.ok(world.sockets[0].closed);
  },

  presenceJoinsAndLeaves() {
    const made = subscribed();
    const presence = socket().sent.at(-1)[0];
    socket().say({ id: presence.id, presence: { presence: { c1: { user: "", client: "c1" } } } });
    socket().say({ push: { channel: "a", join: { info: { user: "u", client: "c2" } } } });
    assert.deepEqual([...made.client.present.keys()], ["c1", "c2"]);
    socket().say({ push: { channel: "a", leave: { info: { user: "u", client: "c2" } } } });
    assert.deepEqual([...made.client.present.keys()], ["c1"]);
    assert.equal(made.of("joined").length, 1);
    assert.equal(made.of("left").length, 1);
  },

  publishing() {
    const made = make("");
    socket().open();
    assert.equal(socket().sent[0].length, 1, "without a channel it only connects");
    socket().say(connected);
    assert.equal(made.client.state, "open");
    const outcomes = [];
    made.client.publish("a", { text: "x" }, (error) => outcomes.push(error));
    const command = socket().sent.at(-1)[0];
    assert.deepEqual(command.publish, { channel: "a", data: { text: "x" } });
    socket().say({ id: command.id, publish: {} });
    made.client.stop();
    made.client.publish("a", {}, (error) => outcomes.push(error?.message));
    assert.deepEqual(outcomes, [null, "not connected"]);
  },

  stoppingIsTheEnd() {
    const made = subscribed();
    made.client.stop();
    assert.equal(made.client.state, "closed");
    assert.ok(socket().closed);
    advance(60000);
    assert.equal(world.sockets.length, 1);
    assert.equal(world.timers.size, 0);
  },

  whereTheSocketIs() {
    assert.equal(socketUrl("https://example.org/"), "wss://example.org/connection/websocket");
    assert.equal(socketUrl("http://127.0.0.1:8080/#recover"), "ws://127.0.0.1:8080/connection/websocket");
  },
};

for (const [name, test] of Object.entries(tests)) {
  try {
    test();
  } catch (error) {
    console.log(`${name}: ${error.stack}`);
    process.exitCode = 1;
  }
}
if (!process.exitCode) console.log("DONE");
