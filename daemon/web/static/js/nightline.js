/* A day back and a day ahead on one line: what ran, what is to run, and where we stand between. */

import { svg } from "./dom.js";

const HOUR_MS = 3_600_000;
const AROUND_MS = 24 * HOUR_MS;
const STILL_MS = 60_000;
const ROWS = 3;
const AXIS_Y = 66;
const HEIGHT = 88;
const LETTER = 6.8; // how wide one is at the size they have
const FAILED = ["discarded", "retryable"];

/** `<night-line>`: its `data` is {runs, schedules}; it draws itself to the width it has. */
class NightLine extends HTMLElement {
  #data = null;
  #shown = "";
  #sizes = new ResizeObserver(() => this.#draw());

  get data() { return this.#data; }
  set data(value) {
    this.#data = value;
    // It moves by a point in minutes, and reading its width has the whole page laid out.
    const text = `${Math.floor(Date.now() / STILL_MS)} ${JSON.stringify(value)}`;
    if (text === this.#shown) return;
    this.#shown = text;
    this.#draw();
  }

  connectedCallback() { this.#sizes.observe(this); }
  disconnectedCallback() { this.#sizes.disconnect(); }

  #draw() {
    const width = this.clientWidth;
    if (this.#data === null || width === 0) return;
    this.replaceChildren(drawn(this.#data, width, Date.now()));
  }
}

customElements.define("night-line", NightLine);

function drawn({ runs, schedules }, width, now) {
  const x = (at) => Math.round(((Date.parse(at) - now + AROUND_MS) / (2 * AROUND_MS)) * width * 10) / 10;
  const isSeen = (at) => at && Math.abs(Date.parse(at) - now) < AROUND_MS;
  const past = runs.filter((it) => isSeen(it.startedAt));
  const next = schedules.filter((it) => isSeen(it.nextFireAt) && !it.pausedUntil);
  const label = `${past.length} runs in the last 24 hours, ${next.length} schedules fire in the next 24; the table below names them`;
  return svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label },
    hours(now, width),
    svg("line", { class: "axis", x1: 0, x2: width, y1: AXIS_Y, y2: AXIS_Y }),
    past.map((run) => svg("circle", { class: FAILED.includes(run.state) ? "ran bad" : "ran", cx: x(run.startedAt), cy: AXIS_Y, r: 4 },
      svg("title", {}, `${run.name}: ${run.state}`))),
    next.map((it) => svg("circle", { class: "next", cx: x(it.nextFireAt), cy: AXIS_Y, r: 4 }, svg("title", {}, it.name))),
    names(past, next, x, width),
    svg("line", { class: "here", x1: width / 2, x2: width / 2, y1: 14, y2: AXIS_Y + 8 }),
    svg("text", { class: "hour now", x: width / 2, y: 10 }, "now"));
}

/** A tick each six hours of the reader's clock, with midnights named by their day. */
function hours(now, width) {
  const ticks = [];
  const first = new Date(now - AROUND_MS);
  first.setMinutes(0, 0, 0);
  const every = width < 520 ? 12 : 6;
  for (let at = first.valueOf(); at < now + AROUND_MS; at += HOUR_MS) {
    const hour = new Date(at).getHours();
    const where = ((at - now + AROUND_MS) / (2 * AROUND_MS)) * width;
    if (hour % every !== 0 || where < 0) continue;
    const name = hour === 0 ? new Intl.DateTimeFormat("en-GB", { weekday: "short" }).format(at) : `${String(hour).padStart(2, "0")}:00`;
    ticks.push(svg("line", { class: hour === 0 ? "tick midnight" : "tick", x1: where, x2: where, y1: AXIS_Y - 4, y2: AXIS_Y + 4 }));
    if (where > 14 && where < width - 14) ticks.push(svg("text", { class: "hour", x: where, y: AXIS_Y + 18 }, name));
  }
  return ticks;
}

/** Names over their marks, in the first row with room; one that finds none goes without. */
function names(past, next, x, width) {
  const newest = new Map(past.map((run) => [run.name, run]));
  const wanted = [
    ...[...newest].map(([name, run]) => ({ name, at: x(run.startedAt), isBad: FAILED.includes(run.state) })),
    ...next.map((it) => ({ name: it.name, at: x(it.nextFireAt), isNext: true })),
  ].sort((one, other) => one.at - other.at);
  const ends = Array(ROWS).fill(-Infinity);
  return wanted.flatMap(({ name, at, isBad, isNext }) => {
    const length = name.length * LETTER;
    const from = Math.max(0, Math.min(width - length, at - length / 2));
    const row = ends.findIndex((end) => end < from - 8);
    // The line that says "now" is not written over.
    if (row < 0 || (from < width / 2 + 4 && from + length > width / 2 - 4)) return [];
    ends[row] = from + length;
    const y = AXIS_Y - 14 - row * 17;
    const look = `name${isBad ? " bad" : ""}${isNext ? " ahead" : ""}`;
    return [svg("line", { class: "stem", x1: at, x2: at, y1: y + 3, y2: AXIS_Y - 5 }), svg("text", { class: look, x: from, y }, name)];
  });
}
