/* Nodes out of plain values. Text becomes text nodes and nothing else: no title can become markup. */

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onsubmit", "onchange", "oninput"];

/** An HTML element: attributes by name, `on…` as functions; children are nodes, texts, or lists of them. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for drawings. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (HANDLERS.includes(name) || name === "value" || name === "data") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/**
 * An element of a long list, made only where it is new or has changed: `facts` is a text of all that is
 * shown of it, and what stands there with the same facts stays as it is.
 */
export function kept(tag, key, facts, make) {
  const stub = el(tag, { "data-key": key, "data-stub": true });
  return Object.assign(stub, { facts, make });
}

function grown(node) {
  if (node.make !== undefined) return Object.assign(node.make(), { facts: node.facts });
  if (node instanceof Element) node.querySelectorAll("[data-stub]").forEach((it) => it.replaceWith(grown(it)));
  return node;
}

/**
 * Make the children of `old` what those of `made` are, and keep every node that can be kept: so the
 * focus, a selection and an open menu outlive news. Children with a `data-key` are matched by it.
 */
export function morph(old, made) {
  const keyed = new Map();
  for (const child of old.children) {
    if (child.dataset.key) keyed.set(child.dataset.key, child);
  }
  let at = old.firstChild;
  for (const wanted of [...made.childNodes]) {
    const found = counterpart(at, wanted, keyed);
    if (found === null) {
      old.insertBefore(grown(wanted), at);
      continue;
    }
    at = placed(old, found, at);
    if (wanted.facts === undefined || wanted.facts !== found.facts) become(found, wanted);
  }
  while (at !== null) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Bring a node to a place, and give what stands behind it. One with the focus stays: moved it would lose it. */
function placed(parent, found, at) {
  if (found === at) return at.nextSibling;
  if (!found.contains(document.activeElement)) {
    parent.insertBefore(found, at);
    return at;
  }
  for (let before = at; before !== found; before = at) {
    at = before.nextSibling;
    parent.append(before);
  }
  return found.nextSibling;
}

function counterpart(at, wanted, keyed) {
  const key = wanted.dataset?.key;
  if (key !== undefined) {
    const found = keyed.get(key);
    keyed.delete(key);
    return found !== undefined && found.nodeName === wanted.nodeName ? found : null;
  }
  return at !== null && at.nodeName === wanted.nodeName && at.dataset?.key === undefined ? at : null;
}

function become(old, made) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
    return;
  }
  if (made.make !== undefined) {
    old.facts = made.facts;
    made = made.make();
  }
  for (const { name } of [...old.attributes]) {
    if (!made.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of made.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const name of HANDLERS) old[name] = made[name];
  // A drawing that keeps itself up to date is handed its figures, and never looked into.
  if ("data" in old && old instanceof HTMLElement) old.data = made.data;
  else morph(old, made);
}
