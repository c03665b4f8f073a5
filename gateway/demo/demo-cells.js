// The grid of connections: one button each, one tab stop for all of them.
import { closeText } from "./demo-client.js";
import { count, element, milliseconds, setText, seconds } from "./demo-dom.js";

const kKeys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

export class Cells {
  #root;
  #cells = []; // by connection, in order
  #chosen = null;
  #onChoose;

  constructor(root, onChoose) {
    this.#root = root;
    this.#onChoose = onChoose;
    root.addEventListener("click", (event) => this.#clicked(event));
    root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Makes the grid show exactly these connections. */
  assign(connections) {
    while (this.#cells.length > connections.length) this.#cells.pop().button.remove();
    for (let i = this.#cells.length; i < connections.length; ++i) this.#cells.push(this.#make(i));
    this.#cells.forEach((cell, i) => (cell.connection = connections[i]));
    this.#root.hidden = connections.length === 0;
    this.choose(connections.includes(this.#chosen) ? this.#chosen : null);
  }

  choose(connection) {
    this.#chosen = connection;
    this.#cells.forEach(({ button }) => button.setAttribute("aria-pressed", "false"));
    const cell = this.#cells.find((one) => one.connection === connection);
    cell?.button.setAttribute("aria-pressed", "true");
    this.#tabStop(cell?.button ?? this.#cells[0]?.button);
  }

  render(now, slotOf) {
    for (const { connection, button, parts } of this.#cells) {
      button.dataset.state = connection.state;
      button.dataset.g = slotOf(connection.gateway);
      setText(parts.number, `#${connection.number}`);
      setText(parts.gateway, connection.gateway || "–");
      setText(parts.state, stateText(connection, now));
      setText(parts.received, count(connection.received));
      setText(parts.latency, connection.latency === null ? "" : `${milliseconds(connection.latency)} ms`);
      setText(parts.reconnects, connection.reconnects === 0 ? "" : `↻ ${connection.reconnects}`);
      parts.reconnects.title = connection.reconnects === 0 ? "" : `${connection.reconnects} reconnects`;
    }
  }

  #make(index) {
    const parts = {
      number: element("span", "number"),
      gateway: element("span", "gateway"),
      state: element("span", "state"),
      reconnects: element("span", "reconnects"),
      received: element("span", "received"),
      latency: element("span", "latency"),
    };
    const button = element("button", "cell");
    button.type = "button";
    button.tabIndex = index === 0 ? 0 : -1;
    const unit = element("span", "hidden");
    unit.textContent = " messages ";
    button.append(parts.number, parts.gateway, parts.state, parts.reconnects, parts.received, unit, parts.latency);
    this.#root.append(button);
    return { button, parts, connection: null };
  }

  #clicked(event) {
    const button = event.target.closest("button");
    const cell = this.#cells.find((one) => one.button === button);
    if (cell === undefined) return;
    const chosen = cell.connection === this.#chosen ? null : cell.connection;
    this.choose(chosen);
    this.#tabStop(button);
    this.#onChoose(chosen);
  }

  #tabStop(button) {
    for (const cell of this.#cells) cell.button.tabIndex = cell.button === button ? 0 : -1;
  }

  #key(event) {
    const from = this.#cells.findIndex((cell) => cell.button === document.activeElement);
    if (from < 0 || !kKeys.includes(event.key)) return;
    event.preventDefault();
    const top = this.#cells[0].button.offsetTop;
    const next = this.#cells.findIndex((cell) => cell.button.offsetTop !== top);
    const columns = next < 0 ? this.#cells.length : next;
    const last = this.#cells.length - 1;
    const to = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      ArrowUp: from - columns,
      ArrowDown: from + columns,
      Home: 0,
      End: last,
    }[event.key];
    if (to < 0 || to > last) return;
    this.#tabStop(this.#cells[to].button);
    this.#cells[to].button.focus();
  }
}

/** "open", "1006, in 1.2 s", "closed 1000". */
export function stateText(connection, now) {
  const code = connection.lastClose?.code;
  switch (connection.state) {
    case "open":
      return "open";
    case "connecting":
      return connection.attempts === 0 ? "connecting" : "reconnecting";
    case "waiting":
      return `${code}, in ${seconds(Math.max(0, connection.retryAt - now))}`;
    default:
      return connection.lastClose === null ? "new" : `closed ${code}`;
  }
}

/** The same in a sentence, with the reason of the close. */
export function stateSentence(connection, now) {
  if (connection.state === "open" || connection.state === "connecting") return stateText(connection, now);
  if (connection.lastClose === null) return "new";
  const { code, reason } = connection.lastClose;
  const what = closeText(code, reason);
  return connection.state === "closed" ? `closed: ${what}` : `${what}; again in ${seconds(Math.max(0, connection.retryAt - now))}`;
}
