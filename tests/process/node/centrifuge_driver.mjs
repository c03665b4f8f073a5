// Hundreds of clients of the official SDK (npm `centrifuge`) in one process, driven over pipes: a command is a line of JSON on
// stdin, every event of the SDK and every result a line of JSON on stdout. Ends with stdin.
//
// Command: { id, do, client, … }. Its result: { result: id, value } or { result: id, error: { code, message } }.
// Event: { client, event, ctx } and, of a subscription, with `channel`. `event: "getToken"`: the SDK asks; `do: "token"` answers.
//
//   new         url, protobuf, options (the SDK's), tokens: what getToken answers, in turn; null: unauthorized. Asks the test when they
//               are used up, and has no getToken at all when there is no such field. quiet: publications are counted, not told
//   connect, disconnect, setToken(token), ready
//   subscribe   channel, options, tokens (as above), quiet. Data that is { n: 1, 2, … } is counted by its numbers as well
//   unsubscribe, resubscribe, removeSubscription, readySubscription(channel)
//   publish(channel, data), presence, presenceStats(channel), history(channel, options), rpc(method, data), send(data)
//   cut         ends the connection without a word, as a network does
//   mute        sends nothing any more; { muted: true } of new: nothing from the beginning
//   frame(text) sends what the SDK would not
//   state       what the client and its subscriptions are in, with the counts
//   stats       the counts of all clients together
import { Centrifuge, UnauthorizedError } from "centrifuge";
import { Centrifuge as CentrifugeProtobuf, UnauthorizedError as ProtobufUnauthorizedError } from "centrifuge/build/protobuf";
import { createInterface } from "node:readline";
import WebSocket from "ws";

const clients = new Map();
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

/** Bytes as the JSON that they are, or as text. */
function fromBytes(bytes) {
  const text = new TextDecoder().decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What the SDK gives out, as plain JSON. */
function plain(value) {
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return fromBytes(value);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]));
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Error) return { code: value.code, message: value.message };
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  }
  return value;
}

/** The publications of a channel: whether each follows the last, by offset where that counts, and by number where the data has one. */
class Count {
  count = 0;
  missing = 0;
  repeated = 0;
  misnumbered = 0;
  last = 0; // number
  offset = 0;
  positioned = false;

  subscribed(ctx) {
    this.positioned = ctx.positioned || ctx.recoverable;
    // The SDK tells where the stream stands before what was recovered is given out.
    if (!ctx.recovered) {
      this.offset = ctx.streamPosition?.offset ?? 0;
      this.last = 0;
    }
  }

  publication(ctx) {
    ++this.count;
    if (this.positioned && ctx.offset !== undefined) {
      if (ctx.offset <= this.offset) ++this.repeated;
      if (ctx.offset > this.offset + 1) this.missing += ctx.offset - this.offset - 1;
      this.offset = ctx.offset;
    }
    const number = ctx.data?.n;
    if (number === undefined) return;
    if (this.last !== 0 && number !== this.last + 1) ++this.misnumbered;
    this.last = number;
  }
}

class Client {
  constructor(name, command) {
    this.name = name;
    this.protobuf = command.protobuf === true;
    this.quiet = command.quiet === true;
    this.sockets = new Set();
    this.waiting = new Map(); // who waits for a token, by channel ("": the connection)
    this.counts = new Map();
    this.muted = command.muted === true;
    const sockets = this.sockets;
    const client = this;
    class Socket extends WebSocket {
      constructor(...args) {
        super(...args);
        sockets.add(this);
        this.addEventListener("close", () => sockets.delete(this));
      }

      send(...args) {
        if (!client.muted) super.send(...args);
      }
    }
    const options = { websocket: Socket, ...command.options };
    if (options.data !== undefined) options.data = this.toData(options.data);
    if (command.tokens !== undefined) options.getToken = this.tokenSource("", command.tokens);
    this.sdk = new (this.protobuf ? CentrifugeProtobuf : Centrifuge)(command.url, options);
    for (const event of ["connecting", "connected", "disconnected", "message", "error", "unsubscribed", "subscribing", "join", "leave"]) {
      this.sdk.on(event, (ctx) => this.tell(event, ctx));
    }
    this.sdk.on("subscribed", (ctx) => this.subscribed(ctx.channel, ctx));
    this.sdk.on("publication", (ctx) => this.publication(ctx.channel, ctx, this.quiet));
  }

  toData(value) {
    return this.protobuf ? new TextEncoder().encode(JSON.stringify(value)) : value;
  }

  tell(event, ctx, channel) {
    print({ client: this.name, ...(channel === undefined ? {} : { channel }), event, ctx: plain(ctx) });
  }

  count(channel) {
    if (!this.counts.has(channel)) this.counts.set(channel, new Count());
    return this.counts.get(channel);
  }

  subscribed(channel, ctx) {
    this.count(channel).subscribed(ctx);
    this.tell("subscribed", ctx, channel);
  }

  publication(channel, ctx, quiet) {
    const told = plain(ctx);
    this.count(channel).publication(told);
    if (!quiet) print({ client: this.name, channel, event: "publication", ctx: told });
  }

  tokenSource(channel, tokens) {
    const left = [...tokens];
    return () => {
      if (left.length > 0) return this.judge(left.shift());
      this.tell("getToken", {}, channel);
      return new Promise((resolve) => this.waiting.set(channel, (token) => resolve(this.judge(token))));
    };
  }

  async judge(token) {
    if (token === null) throw new (this.protobuf ? ProtobufUnauthorizedError : UnauthorizedError)("unauthorized");
    return token;
  }

  subscribe(command) {
    const options = { ...command.options };
    if (options.data !== undefined) options.data = this.toData(options.data);
    if (command.tokens !== undefined) options.getToken = this.tokenSource(command.channel, command.tokens);
    const subscription = this.sdk.newSubscription(command.channel, options);
    const quiet = command.quiet ?? this.quiet;
    for (const event of ["subscribing", "unsubscribed", "join", "leave", "error"]) {
      subscription.on(event, (ctx) => this.tell(event, ctx, command.channel));
    }
    subscription.on("subscribed", (ctx) => this.subscribed(command.channel, ctx));
    subscription.on("publication", (ctx) => this.publication(command.channel, ctx, quiet));
    subscription.subscribe();
  }

  subscription(channel) {
    const found = this.sdk.getSubscription(channel);
    if (!found) throw new Error(`no subscription to ${channel}`);
    return found;
  }

  state() {
    const subscriptions = Object.entries(this.sdk.subscriptions()).map(([channel, one]) => [channel, one.state]);
    return { state: this.sdk.state, subscriptions: Object.fromEntries(subscriptions), counts: Object.fromEntries(this.counts) };
  }
}

/** Counts of all, and who is not where they should be. */
function stats() {
  const sum = { clients: clients.size, connected: 0, subscribed: 0, subscriptions: 0, publications: 0, missing: 0, repeated: 0, misnumbered: 0, least: {} };
  for (const client of clients.values()) {
    if (client.sdk.state === "connected") ++sum.connected;
    for (const one of Object.values(client.sdk.subscriptions())) {
      ++sum.subscriptions;
      if (one.state === "subscribed") ++sum.subscribed;
    }
    for (const [channel, count] of client.counts) {
      sum.publications += count.count;
      sum.missing += count.missing;
      sum.repeated += count.repeated;
      sum.misnumbered += count.misnumbered;
      sum.least[channel] = Math.min(sum.least[channel] ?? Infinity, count.last);
    }
  }
  return sum;
}

const does = {
  connect: (client) => void client.sdk.connect(),
  disconnect: (client) => void client.sdk.disconnect(),
  ready: (client, command) => client.sdk.ready(command.timeout),
  setToken: (client, command) => void client.sdk.setToken(command.token),
  token(client, command) {
    const channel = command.channel ?? "";
    const answer = client.waiting.get(channel);
    if (!answer) throw new Error("nobody waits for a token");
    client.waiting.delete(channel);
    answer(command.token);
  },
  subscribe: (client, command) => void client.subscribe(command),
  unsubscribe: (client, command) => void client.subscription(command.channel).unsubscribe(),
  resubscribe: (client, command) => void client.subscription(command.channel).subscribe(),
  removeSubscription: (client, command) => void client.sdk.removeSubscription(client.subscription(command.channel)),
  readySubscription: (client, command) => client.subscription(command.channel).ready(command.timeout),
  publish: (client, command) => client.sdk.publish(command.channel, client.toData(command.data)),
  presence: (client, command) => client.sdk.presence(command.channel),
  presenceStats: (client, command) => client.sdk.presenceStats(command.channel),
  history: (client, command) => client.sdk.history(command.channel, command.options),
  rpc: (client, command) => client.sdk.rpc(command.method, client.toData(command.data)),
  send: (client, command) => client.sdk.send(client.toData(command.data)),
  cut: (client) => client.sockets.forEach((socket) => socket.terminate()),
  mute: (client) => void (client.muted = true),
  frame: (client, command) => client.sockets.forEach((socket) => socket.send(client.protobuf ? new TextEncoder().encode(command.text) : command.text)),
  state: (client) => client.state(),
};

async function run(command) {
  if (command.do === "stats") return stats();
  if (command.do === "new") {
    if (clients.has(command.client)) throw new Error("there is such a client");
    clients.set(command.client, new Client(command.client, command));
    return undefined;
  }
  const client = clients.get(command.client);
  if (!client || !Object.hasOwn(does, command.do)) throw new Error(`no such client or command: ${command.client}, ${command.do}`);
  return does[command.do](client, command);
}

createInterface({ input: process.stdin, crlfDelay: Infinity })
  .on("line", async (line) => {
    const command = JSON.parse(line);
    try {
      const value = await run(command);
      print({ result: command.id, value: plain(value) ?? null });
    } catch (error) {
      print({ result: command.id, error: { code: error.code ?? 0, message: error.message } });
    }
  })
  .on("close", () => process.exit(0));
