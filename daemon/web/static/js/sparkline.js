/* How long the last runs of a schedule took: a bar each, and red where one failed. */

import { svg } from "./dom.js";
import { many, span } from "./format.js";

const WIDTH = 120;
const HEIGHT = 24;
const BAR = 3;
const FAILED = ["discarded", "retryable"];

export function sparkline(runs, { isWhole = false } = {}) {
  const shown = runs.slice(-WIDTH / BAR);
  const known = shown.map((it) => it.durationS ?? 0);
  const longest = Math.max(...known, 0.001);
  // One path for all of a kind: thirty schedules would have a thousand bars.
  const drawn = (isBad) => shown.map((run, index) => (FAILED.includes(run.state) === isBad ? bar(index, known[index] / longest) : "")).join("");
  // Alone it is as wide as its room; in a table all have one scale.
  const width = isWhole ? Math.max(shown.length, 1) * BAR : WIDTH;
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": inWords(shown, known) },
    svg("title", {}, inWords(shown, known)),
    svg("path", { class: "bar", d: drawn(false) }), svg("path", { class: "bar bad", d: drawn(true) }));
}

function bar(index, share) {
  const height = Math.max(2, HEIGHT * share).toFixed(1);
  return `M${index * BAR} ${HEIGHT}v-${height}h${BAR - 1}v${height}z`;
}

function inWords(shown, known) {
  if (!shown.length) return "No runs are kept";
  const sorted = [...known].sort((one, other) => one - other);
  const failed = shown.filter((it) => FAILED.includes(it.state)).length;
  const told = `${many(shown.length, "run")}, the median took ${span(sorted[Math.floor(sorted.length / 2)])}, the longest ${span(sorted.at(-1))}`;
  return failed ? `${told}; ${count(failed)} failed` : told;
}

const count = (value) => String(value);
