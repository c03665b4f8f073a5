// One connection of the demo page, from the first attempt to the last: its socket, its state, what it counts. No DOM.
// The frames are those of gateway/protocols/demo.h.

export const kConnectionsMax = 100;
const kConnectWaitMs = 10000; // an attempt that takes longer is given up
const kBackoffFirstMs = 300;
const kBackoffMaxMs = 8000;
const kStableMs = 5000; // open for so long: the next loss starts with the shortest pause again
const kRecentMax = 40; // messages kept per connection
const kLatenciesMax = 256;
const kParsedMax = 256;

// ---- what is published: readable text with a stamp behind it, "Hello! [5f3a91c2#7.12 @10234.118]": page, connection,
// number of the message, the page's clock in milliseconds.

export const pageId = crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, "0");

const kStamp = /^(.*) \[([0-9a-f]{8})#(\d{1,3})\.(\d+) @(\d+\.\d{3})\]$/s;

export function stampText(text, number, sequence, now) {
  return `${text} [${pageId}#${number}.${sequence} @${now.toFixed(3)}]`;
}

/** The parts of a stamped text, or null. */
export function readStamp(text) {
  const parts = kStamp.exec(text);
  if (parts === null) return null;
  return { text: parts[1], page: parts[2], number: Number(parts[3]), sequence: Number(parts[4]), at: Number(parts[5]) };
}

const parsed = new Map();

/** The frame as an object, not to be changed: a message comes once per connection, and is taken apart once. */
function parseFrame(data) {
  let frame = parsed.get(data);
  if (frame !== undefined) return frame;
  frame = JSON.parse(data);
  frame.stamp = frame.text === undefined ? null : readStamp(frame.text);
  if (parsed.size >= kParsedMax) parsed.delete(parsed.keys().next().value);
  parsed.set(data, frame);
  return frame;
}

// ---- pauses and close codes

/** Doubles from attempt to attempt, with half of it at random: those who were lost together come back one by one. */
export function backoffMs(attempt, random = Math.random()) {
  const whole = Math.min(kBackoffMaxMs, kBackoffFirstMs * 2 ** Math.min(attempt, 16));
  return whole / 2 + (whole / 2) * random;
}

const kCloseTexts = {
  1000: "closed",
  1001: "going away",
  1002: "protocol error",
  1005: "closed without a code",
  1006: "lost without a close frame",
  1007: "not UTF-8",
  1008: "policy",
  1009: "message too big",
  1011: "internal error",
  1012: "service restart",
  1013: "try again later",
};

/** "1001 draining": the peer's own reason, or what the code means. */
export function closeText(code, reason) {
  return `${code} ${reason || kCloseTexts[code] || ""}`.trim();
}

// ---- the connection

/**
 * States: "connecting" (until the gateway's welcome), "open", "waiting" (for the next attempt, at `retryAt`), "closed" (by
 * the user). `events` has changed(connection, before), message(connection, message), gap(connection, gap),
 * publishFailed(connection, reason).
 */
export class Connection {
  state = "closed";
  gateway = ""; // where it is, or was last
  id = ""; // as the gateway's log has it
  attempts = 0; // since it was last open for a while
  retryAt = 0;
  openedAt = 0;
  lostAt = 0; // 0: it is open, or never was
  awayMs = 0; // before it was opened this time; 0: it was not lost
  lastClose = null; // {code, reason, gateway, wasOpen}
  received = 0;
  reconnects = 0;
  missed = 0;
  sequence = 0;
  latency = null; // of the last own message
  latencies = []; // ring
  recent = []; // ring of {entry, at, latency}
  #latencyNext = 0;
  #recentNext = 0;
  #epoch = "";
  #offset = 0;
  #fresh = true; // no message since it was opened
  #socket = null;
  #timer = 0;

  constructor(number, url, events) {
    this.number = number;
    this.url = url;
    this.events = events;
  }

  start() {
    if (this.state !== "closed") return;
    this.attempts = 0;
    this.lostAt = 0;
    this.#epoch = ""; // what was published meanwhile was not missed
    this.#connect();
  }

  stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null) {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    }
    if (this.state === "closed") return;
    this.lastClose = { code: 1000, reason: "closed by this page", gateway: this.gateway, wasOpen: this.state === "open" };
    this.#enter("closed");
  }

  /** The text as published; empty: not open. */
  send(text) {
    if (this.state !== "open") return "";
    const stamped = stampText(text, this.number, ++this.sequence, performance.now());
    this.#socket.send(stamped);
    return stamped;
  }

  /** `entry` is shared by all connections that got the message. */
  note(entry, latency, now) {
    ++this.received;
    this.recent[this.#recentNext] = { entry, at: now, latency };
    this.#recentNext = (this.#recentNext + 1) % kRecentMax;
    if (latency === null) return;
    this.latency = latency;
    this.latencies[this.#latencyNext] = latency;
    this.#latencyNext = (this.#latencyNext + 1) % kLatenciesMax;
  }

  /** Newest first. */
  recentMessages() {
    const end = this.#recentNext;
    return [...this.recent.slice(end), ...this.recent.slice(0, end)].reverse();
  }

  #enter(state) {
    const before = this.state;
    this.state = state;
    this.events.changed(this, before);
  }

  #connect() {
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onmessage = (event) => this.#frame(parseFrame(event.data));
    socket.onclose = (event) => this.#closed(event);
    this.#timer = setTimeout(() => socket.close(), kConnectWaitMs);
    this.#enter("connecting");
  }

  #closed(event) {
    const now = performance.now();
    const wasOpen = this.state === "open";
    clearTimeout(this.#timer);
    this.#socket = null;
    this.lastClose = { code: event.code, reason: event.reason, gateway: this.gateway, wasOpen };
    if (wasOpen) {
      this.lostAt = now;
      if (now - this.openedAt >= kStableMs) this.attempts = 0;
    }
    const pause = backoffMs(this.attempts++);
    this.retryAt = now + pause;
    this.#timer = setTimeout(() => this.#connect(), pause);
    this.#enter("waiting");
  }

  #frame(frame) {
    switch (frame.type) {
      case "welcome":
        return this.#welcome(frame);
      case "message":
        this.#follow(frame);
        return this.events.message(this, frame);
      case "gap":
        return this.#gap(frame);
      case "publish_failed":
        return this.events.publishFailed(this, frame.reason);
    }
  }

  #welcome(frame) {
    clearTimeout(this.#timer);
    this.gateway = frame.gateway;
    this.version = frame.version;
    this.draining = frame.draining;
    this.channel = frame.channel;
    this.id = frame.connection;
    this.openedAt = performance.now();
    this.#fresh = true;
    this.awayMs = this.lostAt === 0 ? 0 : this.openedAt - this.lostAt;
    if (this.lostAt !== 0) ++this.reconnects;
    this.lostAt = 0;
    this.#enter("open");
  }

  /** Offsets go up by one: what lies between the last and this one was missed, while the connection was away if it is new. */
  #follow(frame) {
    if (frame.offset === 0) return; // beside the channel's history: it has no place, and can't be missed
    if (frame.epoch === this.#epoch) {
      const step = frame.offset - this.#offset;
      if (step > 1) {
        this.missed += step - 1;
        if (!this.#fresh) this.events.gap(this, { cause: "not told by the gateway", count: step - 1 });
      } else if (step < 1) {
        this.events.gap(this, { cause: "a message came twice or out of order", count: 0 });
      }
    }
    this.#fresh = false;
    this.#epoch = frame.epoch;
    this.#offset = frame.offset;
  }

  #gap(frame) {
    this.missed += frame.count ?? 0;
    this.#epoch = frame.epoch;
    this.#offset = frame.offset;
    this.#fresh = false;
    this.events.gap(this, frame);
  }
}
