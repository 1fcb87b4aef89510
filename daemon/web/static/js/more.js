/* Long lists: the first of them, and more when somebody asks. A page of thousands would be drawn by nobody's patience. */

import { el } from "./dom.js";
import { count } from "./format.js";

const shown = new Map();
let redraw = () => {};

/** `redrawing` is called when somebody wants to see more. */
export function listen(redrawing) {
  redraw = redrawing;
}

/** The first rows of a list, by its name, and the button for the next ones where there are any. */
export function firstOf(rows, name, step) {
  const most = shown.get(name) ?? step;
  const left = rows.length - most;
  return { first: left > 0 ? rows.slice(0, most) : rows, more: left > 0 ? button(name, most, step, left) : null };
}

function button(name, most, step, left) {
  const onclick = () => {
    shown.set(name, most + step);
    redraw();
  };
  return el("div", { class: "actions more" },
    el("span", { class: "quiet" }, `${count(most)} of ${count(most + left)}`),
    el("button", { class: "button", type: "button", id: `more-${name}`, "aria-label": `Show ${count(Math.min(step, left))} more ${name}`, onclick }, `Show ${count(Math.min(step, left))} more`));
}
