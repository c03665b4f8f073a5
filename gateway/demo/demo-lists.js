// The demo page's lists: gateways, messages, events. Rows are made once and reused; none of the lists grows without end.
import { pageId } from "./demo-client.js";
import { clock, count, element, milliseconds, setText } from "./demo-dom.js";

const kMessageRows = 40;
const kOnItsWayMs = 1000; // a message that some have not got after this is marked
const kEventsMax = 100;
const kEventMergeMs = 3000;
const kNumbersShown = 12;

// ---- gateways

export class GatewayTable {
  #body;
  #rows = new Map();

  constructor(table) {
    this.#body = table.tBodies[0];
    this.table = table;
  }

  /** `gateways`: {name, slot, version, open, draining, perSecond, lost, idleMs}, in the order to show. */
  render(gateways, wanted) {
    this.table.hidden = gateways.length === 0;
    const names = new Set(gateways.map((gateway) => gateway.name));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.line.remove();
      this.#rows.delete(name);
    }
    gateways.forEach((gateway, i) => {
      const row = this.#rows.get(gateway.name) ?? this.#make(gateway);
      if (this.#body.rows[i] !== row.line) this.#body.insertBefore(row.line, this.#body.rows[i] ?? null);
      row.line.dataset.idle = String(gateway.open === 0);
      setText(row.state, stateOf(gateway));
      setText(row.open, String(gateway.open));
      row.bar.style.width = `${wanted === 0 ? 0 : (100 * gateway.open) / wanted}%`;
      setText(row.rate, count(Math.round(gateway.perSecond)));
      setText(row.lost, String(gateway.lost));
      setText(row.version, gateway.version);
    });
  }

  #make(gateway) {
    const line = element("tr");
    line.dataset.g = gateway.slot;
    const name = element("th", "gateway", gateway.name);
    name.scope = "row";
    const row = {
      line,
      state: element("td"),
      open: element("span", "number"),
      bar: element("span", "bar"),
      rate: element("td", "n"),
      lost: element("td", "n"),
      version: element("td", "n wide"),
    };
    const track = element("span", "track");
    track.append(row.bar);
    const open = element("td", "share");
    open.append(row.open, track);
    line.append(name, row.state, open, row.rate, row.lost, row.version);
    this.#rows.set(gateway.name, row);
    return row;
  }
}

function stateOf({ open, draining, idleMs }) {
  if (open > 0) return draining ? "draining" : "serving";
  return `none for ${idleMs < 60000 ? `${Math.floor(idleMs / 1000)} s` : `${Math.floor(idleMs / 60000)} min`}`;
}

// ---- messages

export class MessageTable {
  #body;
  #rows = [];

  constructor(table) {
    this.table = table;
    this.#body = table.tBodies[0];
  }

  /** All connections together: entries of a MessageLog, the newest last. */
  renderAll(entries) {
    this.table.classList.remove("one");
    const now = Date.now();
    const shown = entries.slice(-kMessageRows).reverse();
    this.#size(shown.length);
    shown.forEach((entry, i) => {
      this.#fill(this.#rows[i], entry, entry.at, `${entry.heard}/${entry.expected}`, range(entry.min, entry.max));
      this.#rows[i].line.dataset.part = String(entry.heard < entry.expected && now - entry.at > kOnItsWayMs);
    });
  }

  /** What one connection got, the newest first. */
  renderOne(recent) {
    this.table.classList.add("one");
    this.#size(recent.length);
    recent.forEach(({ entry, at, latency }, i) => {
      this.#fill(this.#rows[i], entry, at, "", latency === null ? "–" : milliseconds(latency));
      this.#rows[i].line.dataset.part = "false";
    });
  }

  #size(rows) {
    while (this.#rows.length > rows) this.#rows.pop().line.remove();
    while (this.#rows.length < rows) {
      const row = {
        line: element("tr"),
        time: element("td", "time"),
        from: element("td", "from"),
        text: element("td", "text"),
        heard: element("td", "n heard"),
        latency: element("td", "n"),
      };
      row.line.append(row.time, row.from, row.text, row.heard, row.latency);
      this.#body.append(row.line);
      this.#rows.push(row);
    }
  }

  #fill(row, entry, at, heard, latency) {
    setText(row.time, clock(at));
    setText(row.from, entry.from);
    if (row.text.title !== entry.text) row.text.title = entry.text;
    setText(row.text, entry.text);
    row.text.classList.toggle("binary", entry.binary);
    setText(row.heard, heard);
    setText(row.latency, latency);
  }
}

function range(min, max) {
  if (min === null) return "–";
  const [low, high] = [milliseconds(min), milliseconds(max)];
  return low === high ? low : `${low}–${high}`;
}

/** Who sent a message, from its stamp. */
export function senderText(stamp) {
  if (stamp === null) return "outside";
  return stamp.page === pageId ? `#${stamp.number}` : `page ${stamp.page.slice(0, 4)} #${stamp.number}`;
}

// ---- events

/** The same thing happening to many connections at once is one line. */
export class EventList {
  #list;
  #events = []; // newest first: {kind, key, numbers, at, stamp, row}

  constructor(list) {
    this.#list = list;
  }

  get length() {
    return this.#events.length;
  }

  /** `text(numbers)` makes the line; `kind` is good, bad or note. */
  add(kind, key, number, text) {
    const now = performance.now();
    let event = this.#events.find((one) => one.key === key && now - one.at < kEventMergeMs);
    if (event === undefined) {
      event = { key, numbers: [], at: now, text, row: this.#make(kind) };
      this.#events.unshift(event);
      this.#list.prepend(event.row.line);
      if (this.#events.length > kEventsMax) this.#events.pop().row.line.remove();
    }
    event.numbers.push(number);
    event.text = text;
    if (event.numbers.length === 1) setText(event.row.text, text(event.numbers));
    event.stale = true;
  }

  render() {
    for (const event of this.#events) {
      if (!event.stale) continue;
      event.stale = false;
      setText(event.row.text, event.text(event.numbers));
      setText(event.row.who, numbersText(event.numbers));
    }
  }

  #make(kind) {
    const line = element("li");
    line.dataset.kind = kind;
    const row = { line, text: element("span", "what"), who: element("span", "who") };
    line.append(element("time", "time", clock(Date.now())), row.text, row.who);
    return row;
  }
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

function numbersText(numbers) {
  const known = [...new Set(numbers)].filter((n) => n !== 0).sort((a, b) => a - b);
  const shown = known.slice(0, kNumbersShown).map((n) => `#${n}`);
  if (known.length > kNumbersShown) shown.push(`and ${known.length - kNumbersShown} more`);
  return shown.join(" ");
}
