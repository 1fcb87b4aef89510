/* The ring of the day: a share of the circle for everything a report can have come to. */

import { el, svg } from "./dom.js";
import { count, percent } from "./format.js";

const SHARES = [
  ["good", "delivered", (it) => it.delivered - it.degraded],
  ["warn", "delivered, plain", (it) => it.degraded],
  ["odd", "unknown", (it) => it.unknown],
  ["bad", "failed", (it) => it.failed],
  ["late", "missing", (it) => it.missing],
];
const GAP = 0.8;

export function ring(coverage) {
  const owed = coverage.expected - coverage.excused;
  const parts = SHARES.map(([tone, name, of]) => ({ tone, name, value: of(coverage) })).filter((it) => it.value > 0);
  let from = 0;
  const arcs = parts.map(({ tone, value }) => {
    const length = (100 * value) / owed;
    const shown = parts.length > 1 ? Math.max(length - GAP, 0.6) : length;
    const arc = svg("circle", {
      class: `arc ${tone}`, cx: 60, cy: 60, r: 50, pathLength: 100,
      "stroke-dasharray": `${shown} ${100 - shown}`, "stroke-dashoffset": 25 - from,
    });
    from += length;
    return arc;
  });
  return el("div", { class: "ring" },
    svg("svg", { viewBox: "0 0 120 120", role: "img", "aria-label": inWords(coverage, owed, parts) },
      svg("circle", { class: "track", cx: 60, cy: 60, r: 50 }), arcs),
    el("p", { class: "ring-middle", "aria-hidden": "true" },
      el("strong", {}, percent(coverage.percent)), el("span", {}, `${count(coverage.delivered)} of ${count(owed)}`)));
}

function inWords(coverage, owed, parts) {
  const rest = parts.filter((it) => it.tone !== "good").map((it) => `${count(it.value)} ${it.name}`);
  const excused = coverage.excused ? [`${count(coverage.excused)} excused`] : [];
  return [`Coverage of ${coverage.date}: ${count(coverage.delivered)} of ${count(owed)} reports delivered`, ...rest, ...excused].join(", ");
}
