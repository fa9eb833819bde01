// Elements made from text nodes and attributes only: no text is ever read as markup.
const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

const el = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);

const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

const byId = (id) => document.getElementById(id);

// At most two decimals, none where they are zero.
const number = (value) => String(Math.round(value * 100) / 100);

const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

// Text that others wrote, with its own line breaks and direction.
const quote = (text, kind = "") => el("div", { class: `quote ${kind}`, dir: "auto" }, text);

const DATA = JSON.parse(byId("data").textContent);
