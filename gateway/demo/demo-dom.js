// Small things that every part of the demo page's view needs.

export const byId = (id) => document.getElementById(id);

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

/** Touches the document only when something changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const kCount = new Intl.NumberFormat("en");

export const count = (number) => kCount.format(number);

/** Without a unit: "0.42", "12.3", "250"; null: "–". */
export function milliseconds(value) {
  if (value === null) return "–";
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

export const seconds = (ms) => `${(ms / 1000).toFixed(1)}\u00a0s`;

export function clock(time) {
  const date = new Date(time);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
