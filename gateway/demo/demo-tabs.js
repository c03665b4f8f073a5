// The page's tabs: shown when the gateway speaks what the second one needs. Arrow keys move between them; the address says which
// one it is (#recover).
import { socketUrl } from "./demo-centrifuge.js";
import { byId } from "./demo-dom.js";

const kTabs = ["connections", "recover"];

/** Tells whether the gateway has the Centrifuge protocol: by opening it, for nothing else is sure to get through to it. */
function probe(url) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => {
      socket.close(1000);
      resolve(true);
    };
    socket.onerror = () => resolve(false);
  });
}

function select(name, focus) {
  for (const one of kTabs) {
    const tab = byId(`tab-${one}`);
    const chosen = one === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    byId(`part-${one}`).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  history.replaceState(null, "", name === kTabs[0] ? location.pathname + location.search : `#${name}`);
}

function key(event) {
  const at = kTabs.findIndex((name) => byId(`tab-${name}`) === document.activeElement);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (at < 0 || step === undefined) return;
  event.preventDefault();
  select(kTabs[(at + step + kTabs.length) % kTabs.length], true);
}

export async function startTabs() {
  if (!(await probe(socketUrl(document.baseURI)))) return;
  for (const name of kTabs) {
    byId(`tab-${name}`).addEventListener("click", () => select(name, false));
    byId(`part-${name}`).setAttribute("role", "tabpanel");
    byId(`part-${name}`).setAttribute("aria-labelledby", `tab-${name}`);
  }
  byId("tabs").addEventListener("keydown", key);
  byId("tabs").hidden = false;
  if (location.hash === "#recover") select("recover", false);
}
