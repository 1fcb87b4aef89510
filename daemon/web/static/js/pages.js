/* A list that the daemon gives page by page: which one is looked at, and the way to the others. */

import { el } from "./dom.js";
import { count } from "./format.js";

const SHOWN = 100;
let list = null;
let cursors = [];
let redraw = () => {};

/** `redrawing` is called when somebody turned a page. */
export function listen(redrawing) {
  redraw = redrawing;
}

/** The address of the page that is looked at; another list begins with its first. */
export function pageOf(path) {
  if (path !== list) [list, cursors] = [path, []];
  const cursor = cursors.at(-1);
  return `${path}&limit=${SHOWN}${cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
}

/** Where one is among all, with the ways on and back; nothing where all fits on one page. `lastOf` names the last row. */
export function pager({ value: rows, total }, what, lastOf) {
  const before = cursors.length * SHOWN;
  const isLast = rows.length < SHOWN || (total !== null && before + rows.length >= total);
  if (!cursors.length && isLast) return null;
  const of = total === null ? "" : ` of ${count(total)}`;
  return el("nav", { class: "actions more", "aria-label": `Pages of ${what}` },
    el("span", { class: "quiet", role: "status" }, `${count(before + 1)} to ${count(before + rows.length)}${of}`),
    turn("Back", !cursors.length, () => cursors.pop()),
    turn("Next", isLast, () => cursors.push(lastOf(rows.at(-1)))));
}

/** Back to the first page, where the row that a page began after is gone. */
export function begin() {
  cursors = [];
}

function turn(text, isEnd, move) {
  const onclick = () => {
    if (isEnd) return;
    move();
    redraw();
  };
  return el("button", { class: "button", type: "button", id: `page-${text.toLowerCase()}`, "aria-disabled": isEnd ? "true" : null, onclick }, text);
}
