// The demo page: opens connections, sends, and shows what comes back. Sockets and counts are in demo-client.js and
// demo-stats.js, which draw nothing; what has changed is drawn here, a few times a second and never while the page is hidden,
// whatever comes in.
import { Cells, stateSentence } from "./demo-cells.js";
import { Chart } from "./demo-chart.js";
import { closeText, Connection, kConnectionsMax, pageId } from "./demo-client.js";
import { byId, count, element, milliseconds, seconds, setText } from "./demo-dom.js";
import { EventList, GatewayTable, MessageTable, plural, senderText } from "./demo-lists.js";
import { kBucketMs, MessageLog, quantile, sortedNumbers, Timeline } from "./demo-stats.js";

const kRenderMs = 100;
const kRenderBusyMs = 250; // with more than kBusyPerSecond messages to show: nobody reads faster
const kBusyPerSecond = 1000;
const kTrafficTickMs = 10;
const kAnnounceMs = 2000;
const kSummaryMs = 5000;
const kGatewaysMax = 64; // rows kept; more names than that is no demonstration any more
const kColors = 8;

const state = {
  connections: [],
  gateways: new Map(), // name -> {name, slot, version, draining, lost, leftAt}
  channel: null, // as wanted; null: nothing was opened yet
  chosen: null,
  paused: false,
  reconnectsGone: 0, // of connections that are no more
  missedGone: 0,
  nextSender: 0,
  traffic: null, // {timer, last, credit, sent}
};
const timeline = new Timeline(performance.now());
const log = new MessageLog();

const cells = new Cells(byId("cells"), (connection) => choose(connection));
const gatewayTable = new GatewayTable(byId("gateways"));
const messageTable = new MessageTable(byId("messages"));
const events = new EventList(byId("events"));
const rateChart = new Chart(byId("rate-chart"), () => drawCharts());
const latencyChart = new Chart(byId("latency-chart"), () => drawCharts());

// ---- gateways

function gatewayOf(connection) {
  const name = connection.gateway;
  let gateway = state.gateways.get(name);
  if (gateway === undefined) {
    if (state.gateways.size >= kGatewaysMax) state.gateways.delete(state.gateways.keys().next().value);
    gateway = { name, slot: String((state.gateways.size % kColors) + 1), version: "", draining: false, lost: 0, leftAt: 0 };
    state.gateways.set(name, gateway);
  }
  return gateway;
}

/** In the order in which they are shown: a gateway keeps its colour whatever comes and goes. */
const gatewaysShown = () => [...state.gateways.values()].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
const slotOf = (name) => state.gateways.get(name)?.slot ?? "0";
const isOpen = (connection) => connection.state === "open";
const openConnections = () => state.connections.filter(isOpen);
const openCount = () => state.connections.reduce((n, connection) => n + (isOpen(connection) ? 1 : 0), 0);

// ---- what connections tell

const hooks = {
  changed(connection, before) {
    if (connection.state === "open") opened(connection);
    if (connection.state === "waiting") lost(connection, before === "open");
    if (connection.state === "closed") closed(connection, before === "open");
    announceSoon();
  },

  message(connection, message) {
    const now = performance.now();
    const { stamp } = message;
    const own = stamp !== null && stamp.page === pageId;
    const latency = own ? now - stamp.at : null;
    // Own messages are known by their stamp from the moment they were sent; others by their place in the channel, or
    // by what they say where they have none.
    const place = message.offset === 0 ? `beside-${message.text}` : `${message.epoch}-${message.offset}`;
    const key = own ? message.text : place;
    const entry = log.entry(key, () => describe(message), openCount);
    MessageLog.heard(entry, latency);
    connection.note(entry, latency, Date.now());
    timeline.delivered(connection.gateway, latency);
  },

  gap(connection, { cause, count: missing }) {
    const size = missing === null ? "of unknown size" : plural(missing, "message");
    events.add("bad", `gap ${cause}`, connection.number, (numbers) => `Gap (${cause}), ${size}, on ${plural(numbers.length, "connection")}`);
  },

  publishFailed(connection, reason) {
    events.add("bad", `publish ${reason}`, connection.number, (numbers) => `${plural(numbers.length, "message")} not published: ${reason}`);
  },
};

function describe(message) {
  if (message.text === undefined) return { text: `${plural(message.bytes, "byte")}, no text`, binary: true, from: senderText(null) };
  return { text: message.stamp?.text ?? message.text, binary: false, from: senderText(message.stamp) };
}

function opened(connection) {
  const gateway = gatewayOf(connection);
  gateway.version = connection.version;
  gateway.draining = connection.draining;
  if (connection.awayMs === 0) {
    events.add("good", `open ${gateway.name}`, connection.number, (numbers) => `${plural(numbers.length, "connection")} opened at ${gateway.name}`);
    return;
  }
  const from = connection.lastClose.gateway;
  const longest = (numbers) => Math.max(...numbers.map((n) => state.connections[n - 1]?.awayMs ?? 0));
  events.add("good", `back ${from} ${gateway.name}`, connection.number,
    (numbers) => `${plural(numbers.length, "connection")} back, ${from} → ${gateway.name}, in ${seconds(longest(numbers))}`);
}

function lost(connection, wasOpen) {
  const { code, reason, gateway: name } = connection.lastClose;
  const why = closeText(code, reason);
  if (!wasOpen) {
    events.add("note", `attempt ${code}`, connection.number, (numbers) => `${plural(numbers.length, "attempt")} failed: ${why}`);
    return;
  }
  const gateway = gatewayOf(connection);
  ++gateway.lost;
  gateway.leftAt = performance.now();
  if (code === 1001) gateway.draining = true;
  timeline.lost();
  events.add("bad", `lost ${name} ${code}`, connection.number, (numbers) => `${plural(numbers.length, "connection")} lost at ${name}: ${why}`);
}

function closed(connection, wasOpen) {
  if (wasOpen) gatewayOf(connection).leftAt = performance.now();
  events.add("note", "closed", connection.number, (numbers) => `${plural(numbers.length, "connection")} closed by this page`);
}

// ---- what the user asks for

function socketUrl(channel) {
  const url = new URL(channel === "" ? "demo" : `demo/channel/${encodeURIComponent(channel)}`, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

function open(channel, wanted) {
  if (state.channel !== channel) closeAll();
  if (state.channel !== channel || state.connections.length === 0) log.clear();
  state.channel = channel;
  while (state.connections.length > wanted) drop(state.connections.pop());
  while (state.connections.length < wanted) {
    state.connections.push(new Connection(state.connections.length + 1, socketUrl(channel), hooks));
  }
  for (const connection of state.connections) connection.start();
  connectionsChanged();
}

function closeAll() {
  stopTraffic();
  while (state.connections.length > 0) drop(state.connections.pop());
  connectionsChanged();
}

function drop(connection) {
  connection.stop();
  state.reconnectsGone += connection.reconnects;
  state.missedGone += connection.missed;
}

function connectionsChanged() {
  cells.assign(state.connections);
  if (!state.connections.includes(state.chosen)) choose(null);
  fillChoice(byId("from"), state.connections);
  fillChoice(byId("at"), state.connections);
  byId("cells-empty").hidden = state.connections.length > 0;
  byId("close").disabled = state.connections.length === 0;
  setText(byId("open"), state.connections.length === 0 ? "Open" : "Apply");
  byId("open").classList.toggle("primary", state.connections.length === 0);
}

/** Keeps the choice where it still exists. */
function fillChoice(select, connections) {
  while (select.options.length > connections.length + 1) select.remove(select.options.length - 1);
  for (let i = select.options.length; i <= connections.length; ++i) {
    const option = element("option", "", `#${i}`);
    option.value = String(i);
    select.append(option);
  }
}

/** The connection to send from: the one named, else the open ones in turn. */
function sender(choice) {
  if (choice !== "") return state.connections[Number(choice) - 1] ?? null;
  const open = openConnections();
  return open.length === 0 ? null : open[state.nextSender++ % open.length];
}

function send(text, choice) {
  const connection = sender(choice);
  const stamped = connection?.send(text) ?? "";
  if (stamped === "") return false;
  const from = `#${connection.number}`;
  log.entry(stamped, () => ({ text, binary: false, from }), openCount);
  timeline.sent();
  return true;
}

function startTraffic(rate) {
  state.traffic = { rate, last: performance.now(), credit: 1, sent: 0 };
  state.traffic.timer = setInterval(trafficTick, kTrafficTickMs);
  showTraffic();
}

function trafficTick() {
  const traffic = state.traffic;
  const now = performance.now();
  // A throttled timer does not make up for more than a tenth of a second.
  traffic.credit = Math.min(traffic.credit + ((now - traffic.last) * traffic.rate) / 1000, Math.max(1, traffic.rate / 10));
  traffic.last = now;
  for (; traffic.credit >= 1; --traffic.credit) {
    if (send(`Message ${traffic.sent + 1}`, "")) ++traffic.sent;
  }
}

function stopTraffic() {
  if (state.traffic === null) return;
  clearInterval(state.traffic.timer);
  state.traffic = null;
  showTraffic();
}

function showTraffic() {
  const running = state.traffic !== null;
  byId("traffic-button").setAttribute("aria-pressed", String(running));
  setText(byId("traffic-button"), running ? "Stop" : "Start");
}

function choose(connection) {
  state.chosen = connection;
  cells.choose(connection);
  byId("at").value = connection === null ? "" : String(connection.number);
  byId("one").hidden = connection === null;
  log.changed = true;
  if (connection !== null) byId("messages-panel").scrollIntoView({ block: "nearest" });
}

function listen() {
  byId("connect").addEventListener("submit", (event) => {
    event.preventDefault();
    open(byId("channel").value, Math.min(kConnectionsMax, Math.max(1, byId("count").valueAsNumber)));
  });
  byId("close").addEventListener("click", closeAll);
  byId("send").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!send(byId("text").value, byId("from").value)) {
      events.add("note", "send", 0, () => "Nothing sent: the connection is not open");
    }
    byId("text").select();
  });
  byId("traffic").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.traffic !== null) stopTraffic();
    else startTraffic(byId("rate").valueAsNumber);
  });
  byId("rate").addEventListener("change", () => {
    if (state.traffic !== null && byId("rate").reportValidity()) state.traffic.rate = byId("rate").valueAsNumber;
  });
  byId("at").addEventListener("change", () => choose(state.connections[Number(byId("at").value) - 1] ?? null));
  byId("one-toggle").addEventListener("click", () => {
    if (state.chosen.state === "closed") state.chosen.start();
    else state.chosen.stop();
  });
  byId("pause").addEventListener("click", () => {
    state.paused = !state.paused;
    byId("pause").setAttribute("aria-pressed", String(state.paused));
    log.changed = true;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
}

// ---- drawing

function renderFigures(open) {
  const total = state.connections.length;
  setText(byId("fig-open"), count(open));
  setText(byId("fig-wanted"), total === 0 ? "" : `of ${total}`);
  byId("fig-open").parentElement.dataset.part = String(open < total);
  const serving = new Set(openConnections().map((connection) => connection.gateway));
  setText(byId("fig-gateways"), count(serving.size));
  setText(byId("fig-sent"), count(Math.round(timeline.perSecond((bucket) => bucket.sent))));
  setText(byId("fig-delivered"), count(Math.round(timeline.perSecond((bucket) => bucket.delivered))));
  const latest = timeline.latest();
  setText(byId("fig-p50"), milliseconds(latest?.p50 ?? null));
  setText(byId("fig-p99"), milliseconds(latest?.p99 ?? null));
  const sum = (gone, field) => state.connections.reduce((n, connection) => n + connection[field], gone);
  setText(byId("fig-reconnects"), count(sum(state.reconnectsGone, "reconnects")));
  setText(byId("fig-missed"), count(sum(state.missedGone, "missed")));
  byId("send-button").disabled = open === 0;
  byId("traffic-button").disabled = open === 0 && state.traffic === null;
}

function renderGateways(now) {
  const open = new Map();
  for (const connection of openConnections()) open.set(connection.gateway, (open.get(connection.gateway) ?? 0) + 1);
  const rows = gatewaysShown().map((gateway) => ({
    ...gateway,
    open: open.get(gateway.name) ?? 0,
    perSecond: timeline.perSecond((bucket) => bucket.byGateway.get(gateway.name) ?? 0),
    idleMs: now - gateway.leftAt,
  }));
  byId("gateways-empty").hidden = rows.length > 0;
  gatewayTable.render(rows, state.connections.length);
}

function renderMessages() {
  if (!log.changed || state.paused) return;
  log.changed = false;
  if (state.chosen === null) messageTable.renderAll(log.entries);
  else messageTable.renderOne(state.chosen.recentMessages());
  const any = state.chosen === null ? log.entries.length > 0 : state.chosen.received > 0;
  byId("messages-scroll").hidden = !any;
  byId("messages-empty").hidden = any;
  byId("pause").disabled = !any;
}

function renderChosen(now) {
  const one = state.chosen;
  if (one === null) return;
  const sorted = sortedNumbers(one.latencies);
  const facts = [
    ["Gateway", one.gateway || "–"],
    ["State", stateSentence(one, now)],
    ["Received", count(one.received)],
    ["Latency", sorted.length === 0 ? "–" : `${milliseconds(quantile(sorted, 0.5))} ms p50, ${milliseconds(quantile(sorted, 0.99))} ms p99`],
    ["Reconnects", `${one.reconnects}, ${plural(one.missed, "message")} missed`],
    ["In the log", one.id || "–"],
  ];
  const list = byId("one-facts");
  if (list.children.length === 0) {
    for (const [name] of facts) {
      const row = element("div");
      row.append(element("dt", "", name), element("dd"));
      list.append(row);
    }
  }
  facts.forEach(([, text], i) => setText(list.children[i].lastChild, text));
  setText(byId("one-toggle"), one.state === "closed" ? "Open it" : "Close it");
}

function renderEvents() {
  events.render();
  byId("events-scroll").hidden = events.length === 0;
  byId("events-empty").hidden = events.length > 0;
}

function chartColors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { text: of("ink-3"), grid: of("grid"), axis: of("axis"), mark: of("bad"), of };
}

function drawCharts() {
  const colors = chartColors();
  const buckets = timeline.buckets;
  const series = gatewaysShown().map((gateway) => ({
    color: colors.of(`g${gateway.slot}`),
    values: buckets.map((bucket) => ((bucket.byGateway.get(gateway.name) ?? 0) * 1000) / kBucketMs),
  }));
  const marks = buckets.flatMap((bucket, index) => (bucket.lost > 0 ? [{ index, text: `${bucket.lost} lost` }] : []));
  rateChart.draw({ series, stacked: true, marks, floor: 10, colors });
  const line = (field, color, dashed) => ({ color, dashed, values: buckets.map((bucket) => bucket[field]) });
  latencyChart.draw({
    series: [line("p99", colors.of("p99"), true), line("p50", colors.of("p50"), false)],
    stacked: false, marks: [], floor: 1, colors,
  });
}

function renderLegend() {
  const legend = byId("rate-legend");
  const names = gatewaysShown();
  if (legend.textContent === names.map((gateway) => gateway.name).join("")) return;
  legend.replaceChildren(...names.map((gateway) => {
    const item = element("li", "", gateway.name);
    item.dataset.g = gateway.slot;
    return item;
  }));
}

let summaryAt = 0;

/** What the charts show, for those who can't see them; read when asked for, not by itself. */
function renderSummaries(now) {
  if (now < summaryAt) return;
  summaryAt = now + kSummaryMs;
  const rate = count(Math.round(timeline.perSecond((bucket) => bucket.delivered)));
  const latest = timeline.latest();
  setText(byId("rate-summary"), `Chart of the last minute. Now ${rate} per second.`);
  setText(byId("latency-summary"),
    `Chart of the last minute. ${latest === null ? "No latency yet." : `Now ${milliseconds(latest.p50)} p50, ${milliseconds(latest.p99)} p99.`}`);
}

let announceTimer = 0;

/** One sentence for screen readers when things have settled a little, never one per connection. */
function announceSoon() {
  if (announceTimer !== 0) return;
  announceTimer = setTimeout(() => {
    announceTimer = 0;
    const [open, total] = [openCount(), state.connections.length];
    const gateways = new Set(openConnections().map((connection) => connection.gateway)).size;
    setText(byId("announce"), total === 0 ? "No connections." : `${open} of ${plural(total, "connection")} open, on ${plural(gateways, "gateway")}.`);
  }, kAnnounceMs);
}

let renderedAt = 0;

function frame(now) {
  requestAnimationFrame(frame);
  if (byId("part-connections").hidden) return;
  const busy = timeline.perSecond((bucket) => bucket.delivered) > kBusyPerSecond;
  if (now - renderedAt < (busy ? kRenderBusyMs : kRenderMs)) return;
  renderedAt = now;
  const clockNow = performance.now();
  const open = openConnections();
  if (timeline.advance(clockNow)) {
    drawCharts();
    renderSummaries(clockNow);
  }
  renderFigures(open.length);
  renderLegend();
  renderGateways(clockNow);
  cells.render(clockNow, slotOf);
  renderMessages();
  renderChosen(clockNow);
  renderEvents();
  const channel = open[0]?.channel;
  setText(byId("where"), `${channel === undefined ? "" : `channel ${channel} at `}${location.host}`);
}

listen();
byId("stop").open = matchMedia("(min-width: 760px)").matches;
showTraffic();
requestAnimationFrame(frame);
