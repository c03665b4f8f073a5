// The tab "Channels that recover": one subscriber that loses its connection and comes back where it was, and another connection
// that goes on publishing meanwhile. The protocol is in demo-centrifuge.js.
import { CentrifugeClient, socketUrl } from "./demo-centrifuge.js";
import { byId, clock, count, element, seconds, setText } from "./demo-dom.js";
import { EventList, plural } from "./demo-lists.js";
import { startTabs } from "./demo-tabs.js";

const kRenderMs = 100;
const kRows = 60; // publications shown
const kStrip = 120; // offsets shown
const kPeopleShown = 50;
const kTextMax = 200;
const kStateTexts = {
  closed: "not connected", connecting: "connecting", open: "subscribed", waiting: "connection lost",
};

const state = {
  client: null,
  channel: "",
  publisher: null, // {client, timer, sent}
  rows: [], // newest first: {offset, at, from, text, recovered}
  marks: [], // by offset, oldest first: {offset, how}
  live: 0,
  recovered: 0,
  missed: 0,
  unknown: false, // a loss of which nobody knows the size
  awayMs: 0,
  renderedAt: 0,
  stale: true,
};
const events = new EventList(byId("r-events"));

// ---- what the client tells

const hooks = {
  changed(before) {
    if (state.client.state === "waiting" && before === "open") note("bad", "Connection lost");
    if (state.client.state === "closed") note("note", "Left the channel");
    state.stale = true;
  },

  subscribed(outcome) {
    if (outcome === null) {
      say("", "");
      note("good", state.client.offset === null ? "Subscribed; the channel has no positions to come back to" : `Subscribed at offset ${count(state.client.offset)}`);
    } else if (outcome.recovered) {
      cameBack(outcome);
    } else {
      cameBackWithLoss(outcome);
    }
    state.stale = true;
  },

  publication({ offset, data, info, recovered }) {
    if (recovered) ++state.recovered;
    else ++state.live;
    if (offset !== 0) mark(offset, recovered ? "recovered" : "live");
    state.rows.unshift({ offset, at: Date.now(), from: info === null ? "" : short(info.client), text: textOf(data), recovered });
    if (state.rows.length > kRows) state.rows.pop();
    state.stale = true;
  },

  missing(n) {
    if (n > 0) state.missed += n;
    note("bad", n > 0 ? `${plural(n, "publication")} missing, and nobody said so` : "A publication came twice or out of order");
  },

  joined(info) {
    note("note", `${name(info)} is here`);
    state.stale = true;
  },

  left(info) {
    note("note", `${name(info)} has gone`);
    state.stale = true;
  },

  present() {
    state.stale = true;
  },

  failed(text) {
    say("bad", text);
    note("bad", text);
    state.stale = true;
  },
};

function cameBack({ count: n, from, to, awayMs }) {
  const range = n === 0 ? `nothing was published behind offset ${count(from)}` : `offsets ${count(from + 1)} to ${count(to)}`;
  say("good", n === 0 ? `Back after ${seconds(awayMs)}: ${range}.` : `Recovered ${plural(n, "publication")} after ${seconds(awayMs)}: ${range}, none missing.`);
  note("good", `Back from offset ${count(from)}: ${plural(n, "publication")} recovered`);
}

function cameBackWithLoss({ from, to, missed, awayMs }) {
  if (missed === null) state.unknown = true;
  else state.missed += missed;
  for (let offset = Math.max(from + 1, to - kStrip + 1); missed !== null && offset <= to; ++offset) mark(offset, "missed");
  const lost = missed === null ? "the channel began anew meanwhile, and what was published before is lost" : `${plural(missed, "publication")} could not be recovered`;
  say("bad", `Back after ${seconds(awayMs)}: ${lost}.`);
  note("bad", `Back from offset ${count(from)}: not recovered`);
}

function note(kind, text) {
  events.add(kind, text, 0, (numbers) => (numbers.length === 1 ? text : `${text} (${numbers.length} times)`));
}

function say(kind, text) {
  byId("r-outcome").dataset.kind = kind;
  setText(byId("r-outcome"), text || "Drop the connection to see it come back.");
}

function mark(offset, how) {
  state.marks.push({ offset, how });
  if (state.marks.length > kStrip) state.marks.shift();
}

const short = (id) => id.slice(0, 8);
const name = (info) => (info.client === state.client.id ? "This page" : `${info.user || "Client"} ${short(info.client)}`);

function textOf(data) {
  const text = typeof data?.text === "string" ? data.text : JSON.stringify(data) ?? "";
  return text.length > kTextMax ? `${text.slice(0, kTextMax)}…` : text;
}

// ---- what the user asks for

function subscribe(channel) {
  leave();
  Object.assign(state, { channel, rows: [], marks: [], live: 0, recovered: 0, missed: 0, unknown: false });
  say("", "");
  state.client = new CentrifugeClient(socketUrl(document.baseURI), channel, hooks);
  state.client.start();
}

function leave() {
  stopPublisher();
  state.client?.stop();
}

function publish(client, text) {
  client.publish(state.channel, { text }, (error) => {
    if (error !== null) note("bad", `Not published: ${error.code} ${error.message}`);
  });
}

function startPublisher(rate) {
  const silent = Object.fromEntries(Object.keys(hooks).map((hook) => [hook, () => {}]));
  const client = new CentrifugeClient(socketUrl(document.baseURI), "", silent);
  const publisher = { client, sent: 0 };
  publisher.timer = setInterval(() => {
    if (client.state === "open") publish(client, `Publication ${++publisher.sent}`);
  }, 1000 / rate);
  client.start();
  state.publisher = publisher;
  state.stale = true;
}

function stopPublisher() {
  if (state.publisher === null) return;
  clearInterval(state.publisher.timer);
  state.publisher.client.stop();
  state.publisher = null;
  state.stale = true;
}

const isActive = () => state.client !== null && state.client.state !== "closed";

function listen() {
  byId("r-subscribe").addEventListener("submit", (event) => {
    event.preventDefault();
    if (isActive() && state.channel === byId("r-channel").value) leave();
    else subscribe(byId("r-channel").value);
  });
  byId("r-channel").addEventListener("input", () => (state.stale = true));
  byId("r-publish").addEventListener("submit", (event) => {
    event.preventDefault();
    publish(state.client, byId("r-text").value);
    byId("r-text").select();
  });
  byId("r-traffic").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.publisher !== null) stopPublisher();
    else startPublisher(byId("r-rate").valueAsNumber);
  });
  byId("r-drop").addEventListener("submit", (event) => {
    event.preventDefault();
    state.awayMs = Number(byId("r-away").value);
    state.client.drop(state.awayMs);
  });
}

// ---- drawing

function renderFigures() {
  const { client } = state;
  setText(byId("r-fig-offset"), client === null || client.offset === null ? "–" : count(client.offset));
  setText(byId("r-fig-live"), count(state.live));
  setText(byId("r-fig-recovered"), count(state.recovered));
  setText(byId("r-fig-missed"), state.unknown ? `${count(state.missed)} + ?` : count(state.missed));
  byId("r-fig-missed").parentElement.dataset.part = String(state.missed > 0 || state.unknown);
  setText(byId("r-fig-here"), isActive() && client.present !== null ? count(client.present.size) : "–");
  setText(byId("r-fig-reconnects"), count(client?.reconnects ?? 0));
}

function renderControls() {
  const active = isActive();
  const open = active && state.client.state === "open";
  const same = active && state.channel === byId("r-channel").value;
  setText(byId("r-subscribe-button"), same ? "Leave" : "Subscribe");
  byId("r-subscribe-button").classList.toggle("primary", !same);
  byId("r-publish-button").disabled = !open;
  byId("r-drop-button").disabled = !open;
  const publishing = state.publisher !== null;
  byId("r-traffic-button").disabled = !active;
  byId("r-traffic-button").setAttribute("aria-pressed", String(publishing));
  setText(byId("r-traffic-button"), publishing ? "Stop" : "Start");
}

function renderState(now) {
  const { client } = state;
  byId("r-state").dataset.state = client?.state ?? "closed";
  const text = kStateTexts[client?.state ?? "closed"];
  setText(byId("r-state"), client?.state === "waiting" ? `${text}, back in ${seconds(Math.max(0, client.retryAt - now))}` : text);
  setText(byId("r-client"), isActive() && client.id !== "" ? client.id : "–");
  setText(byId("r-epoch"), isActive() && client.epoch !== "" ? client.epoch : "–");
}

/** Cells are made once and reused: a new publication moves what they show, not them. */
function renderStrip() {
  const strip = byId("r-strip");
  while (strip.children.length > state.marks.length) strip.lastChild.remove();
  while (strip.children.length < state.marks.length) strip.append(element("li"));
  state.marks.forEach(({ offset, how }, i) => {
    const cell = strip.children[i];
    if (cell.dataset.how !== how) cell.dataset.how = how;
    if (cell.dataset.offset !== String(offset)) {
      cell.dataset.offset = offset;
      cell.title = `offset ${offset}, ${how}`;
    }
  });
  const of = (how) => state.marks.filter((one) => one.how === how).length;
  strip.setAttribute("aria-label", `The last ${plural(state.marks.length, "publication")}: ${of("live")} live, ${of("recovered")} recovered, ${of("missed")} missed`);
  byId("r-strip-empty").hidden = state.marks.length > 0;
}

function renderRows() {
  const body = byId("r-rows").tBodies[0];
  while (body.rows.length > state.rows.length) body.lastChild.remove();
  while (body.rows.length < state.rows.length) {
    const line = element("tr");
    line.append(element("td", "n offset"), element("td", "time"), element("td", "from"), element("td", "text"), element("td", "how"));
    body.append(line);
  }
  state.rows.forEach((row, i) => {
    const [offset, time, from, text, how] = body.rows[i].cells;
    setText(offset, row.offset === 0 ? "–" : count(row.offset));
    setText(time, clock(row.at));
    setText(from, row.from || "–");
    setText(text, row.text);
    setText(how, row.recovered ? "recovered" : "live");
    body.rows[i].dataset.how = row.recovered ? "recovered" : "live";
  });
  byId("r-rows-scroll").hidden = state.rows.length === 0;
  byId("r-rows-empty").hidden = state.rows.length > 0;
}

function renderPeople() {
  const present = isActive() ? state.client.present : null;
  const people = present === null ? [] : [...present.values()].sort((a, b) => (a.client < b.client ? -1 : 1));
  const lines = people.slice(0, kPeopleShown).map((info) => {
    const line = element("li", "", info.client === state.client.id ? "this page" : info.user || "anonymous");
    line.prepend(element("code", "", short(info.client)));
    if (info.client === state.client.id) line.dataset.own = "true";
    return line;
  });
  if (people.length > kPeopleShown) lines.push(element("li", "", `and ${count(people.length - kPeopleShown)} more`));
  byId("r-people").replaceChildren(...lines);
  byId("r-people-empty").hidden = people.length > 0;
}

function frame(now) {
  requestAnimationFrame(frame);
  if (byId("part-recover").hidden || now - state.renderedAt < kRenderMs) return;
  state.renderedAt = now;
  renderState(performance.now());
  events.render();
  byId("r-events-scroll").hidden = events.length === 0;
  byId("r-events-empty").hidden = events.length > 0;
  if (!state.stale) return;
  state.stale = false;
  renderFigures();
  renderControls();
  renderStrip();
  renderRows();
  renderPeople();
}

listen();
say("", "");
requestAnimationFrame(frame);
startTabs();
