// A client of the Centrifuge protocol in JSON, as far as the demo page needs one: one channel, or none, to which it comes back
// where it was. No DOM.
import { backoffMs } from "./demo-client.js";

const kReplyWaitMs = 5000; // a command without a reply for so long: the connection is given up
const kSilenceMs = 10000; // so long after a ping was due, too
const kStableMs = 5000; // open for so long: the next loss starts with the shortest pause again
const kErrorTokenExpired = 109;

/** Close codes after which an SDK does not come back. */
export const isTerminal = (code) => (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000) || code === 1009;

const isTemporary = (error) => error.temporary === true || error.code < 100 || error.code === kErrorTokenExpired;

/** At the gateway that served the page. */
export function socketUrl(base) {
  const url = new URL("connection/websocket", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/**
 * States: "connecting" (until it is connected, and subscribed where it has a channel), "open", "waiting" (for the next
 * attempt, at `retryAt`), "closed". `events` has changed(before), subscribed(outcome), publication(publication), missing(count),
 * joined(info), left(info), present(), failed(text). A publication is {offset, data, info, recovered}; an outcome
 * is null for a first subscription, else {recovered, count, from, to, missed, awayMs}: `count` publications came for the offsets
 * `from` + 1 to `to`; `missed` is null where nobody knows.
 */
export class CentrifugeClient {
  state = "closed";
  id = ""; // of this connection; the gateway's word
  epoch = "";
  offset = null; // of the last publication; null: the channel has no positions
  present = null; // id -> info; null: not known
  reconnects = 0;
  retryAt = 0;
  #url;
  #channel;
  #events;
  #socket = null;
  #timer = 0;
  #silence = 0;
  #silenceMs = 0;
  #pongs = false;
  #number = 0; // of the last command
  #commands = new Map(); // number -> {done, timer}
  #attempts = 0;
  #openedAt = 0;
  #lostAt = 0;

  /** `channel`: empty for none. */
  constructor(url, channel, events) {
    this.#url = url;
    this.#channel = channel;
    this.#events = events;
  }

  start() {
    if (this.state === "closed") this.#connect();
  }

  stop() {
    this.#leave();
    clearTimeout(this.#timer);
    this.present = null;
    if (this.state !== "closed") this.#enter("closed");
  }

  /** As if the network had gone; it comes back by itself after `awayMs`. */
  drop(awayMs) {
    if (this.state === "closed" || this.#socket === null) return;
    this.#leave();
    this.#wait(awayMs);
  }

  /** `done` gets the error, or null. */
  publish(channel, data, done) {
    if (this.state !== "open") return done({ code: 0, message: "not connected" });
    this.#send([this.#command("publish", { channel, data }, (reply) => done(reply.error ?? null))]);
  }

  #enter(state) {
    const before = this.state;
    this.state = state;
    this.#events.changed(before);
  }

  #connect() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#frame(event.data);
    socket.onclose = (event) => this.#closed(event);
    this.#timer = setTimeout(() => this.drop(backoffMs(this.#attempts++)), kReplyWaitMs);
    this.#enter("connecting");
  }

  /** Both commands at once, as SDKs do: the second need not wait for the first one's reply. */
  #opened() {
    clearTimeout(this.#timer);
    const commands = [this.#command("connect", { name: "demo" }, (reply) => this.#connected(reply))];
    if (this.#channel !== "") commands.push(this.#subscribeCommand());
    this.#send(commands);
  }

  #subscribeCommand() {
    const request = { channel: this.#channel, positioned: true, recoverable: true, join_leave: true };
    if (this.offset !== null) Object.assign(request, { recover: true, epoch: this.epoch, offset: this.offset });
    return this.#command("subscribe", request, (reply) => this.#subscribed(reply));
  }

  #command(method, request, done) {
    const number = ++this.#number;
    const timer = setTimeout(() => this.drop(backoffMs(this.#attempts++)), kReplyWaitMs);
    this.#commands.set(number, { done, timer });
    return JSON.stringify({ id: number, [method]: request });
  }

  #send(commands) {
    this.#socket.send(commands.join("\n"));
  }

  /** Lets the socket go, whatever it still brings. */
  #leave() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#silence);
    for (const { timer } of this.#commands.values()) clearTimeout(timer);
    this.#commands.clear();
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  #wait(pause) {
    const now = performance.now();
    clearTimeout(this.#timer);
    if (this.state === "open") {
      this.#lostAt = now;
      if (now - this.#openedAt >= kStableMs) this.#attempts = 0;
    }
    this.retryAt = now + pause;
    this.#timer = setTimeout(() => this.#connect(), pause);
    this.#enter("waiting");
  }

  #closed(event) {
    this.#leave();
    if (isTerminal(event.code)) return this.#giveUp(`${event.code} ${event.reason}`.trim());
    this.#wait(backoffMs(this.#attempts++));
  }

  #giveUp(text) {
    this.stop();
    this.#events.failed(text);
  }

  #refused(what, error) {
    if (isTemporary(error)) return this.drop(backoffMs(this.#attempts++));
    this.#giveUp(`${what} refused: ${error.code} ${error.message}`);
  }

  #frame(text) {
    this.#listen();
    const socket = this.#socket;
    for (const line of text.split("\n")) {
      // What one reply leads to may have ended the connection.
      if (this.#socket !== socket) return;
      if (line !== "") this.#reply(JSON.parse(line));
    }
  }

  #reply(reply) {
    if (reply.id !== undefined) {
      const command = this.#commands.get(reply.id);
      if (command === undefined) return;
      this.#commands.delete(reply.id);
      clearTimeout(command.timer);
      command.done(reply);
    } else if (reply.push !== undefined) {
      this.#push(reply.push);
    } else if (this.#pongs) {
      this.#send(["{}"]); // a ping
    }
  }

  #listen() {
    clearTimeout(this.#silence);
    if (this.#silenceMs > 0) this.#silence = setTimeout(() => this.drop(backoffMs(this.#attempts++)), this.#silenceMs);
  }

  #connected({ error, connect }) {
    if (error !== undefined) return this.#refused("connecting", error);
    this.id = connect.client;
    this.#pongs = connect.pong === true;
    this.#silenceMs = (connect.ping ?? 0) > 0 ? connect.ping * 1000 + kSilenceMs : 0;
    this.#listen();
    if (this.#channel === "") this.#ready();
  }

  #ready() {
    this.#openedAt = performance.now();
    if (this.#lostAt !== 0) ++this.reconnects;
    this.#lostAt = 0;
    this.#enter("open");
  }

  #subscribed({ error, subscribe }) {
    if (error !== undefined) return this.#refused("subscribing", error);
    const awayMs = this.#lostAt === 0 ? 0 : performance.now() - this.#lostAt;
    const from = this.offset;
    const epoch = this.epoch;
    const top = subscribe.offset ?? 0;
    const publications = subscribe.publications ?? [];
    const recovered = subscribe.recovered === true;
    this.epoch = subscribe.epoch ?? "";
    // Recovered: behind the old position, one by one. Else the stream goes on at the top.
    this.offset = subscribe.recoverable === true || subscribe.positioned === true ? (recovered ? from : top) : null;
    this.#ready();
    for (const publication of publications) this.#publication(publication, true);
    const missed = recovered ? 0 : this.epoch === epoch && from !== null ? Math.max(0, top - from) : null;
    this.#events.subscribed(from === null || subscribe.was_recovering !== true ? null
      : { recovered, count: publications.length, from, to: this.offset, missed, awayMs });
    this.#askPresence();
  }

  #askPresence() {
    this.present = null;
    this.#send([this.#command("presence", { channel: this.#channel }, ({ error, presence }) => {
      if (error !== undefined) return;
      this.present = new Map(Object.entries(presence.presence ?? {}));
      this.#events.present();
    })]);
  }

  #push(push) {
    if (push.pub !== undefined) return this.#publication(push.pub, false);
    if (push.join !== undefined) return this.#moved(push.join.info, true);
    if (push.leave !== undefined) return this.#moved(push.leave.info, false);
    if (push.unsubscribe !== undefined) this.#unsubscribed(push.unsubscribe);
  }

  /** From 2500 on the client subscribes again, from where it was. */
  #unsubscribed({ code, reason }) {
    if (code < 2500) return this.#giveUp(`unsubscribed: ${code} ${reason ?? ""}`.trim());
    this.#lostAt = performance.now();
    this.#enter("connecting");
    this.#send([this.#subscribeCommand()]);
  }

  #moved(info, here) {
    if (here) this.present?.set(info.client, info);
    else this.present?.delete(info.client);
    if (here) this.#events.joined(info);
    else this.#events.left(info);
  }

  #publication({ offset = 0, data, info = null }, recovered) {
    // Offset 0: beside the channel's history. It has no place, and moves no position.
    if (this.offset !== null && offset !== 0) {
      const step = offset - this.offset;
      if (step !== 1) this.#events.missing(step - 1);
      this.offset = offset;
    }
    this.#events.publication({ offset, data, info, recovered });
  }
}
