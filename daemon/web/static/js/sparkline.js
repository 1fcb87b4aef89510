/* How long the last runs of a schedule took: a bar each, and red where one failed. */

import { svg } from "./dom.js";
import { many, span } from "./format.js";

const WIDTH = 120;
const HEIGHT = 24;
const BAR = 3;
const FAILED = ["discarded", "retryable"];

export function sparkline(runs) {
  const shown = runs.slice(-WIDTH / BAR);
  const known = shown.map((it) => it.durationS ?? 0);
  const longest = Math.max(...known, 0.001);
  const bars = shown.map((run, index) => {
    const height = Math.max(2, (HEIGHT * (run.durationS ?? 0)) / longest);
    return svg("rect", {
      class: FAILED.includes(run.state) ? "bar bad" : "bar",
      x: index * BAR, y: HEIGHT - height, width: BAR - 1, height, rx: 0.5,
    });
  });
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": inWords(shown, known) },
    svg("title", {}, inWords(shown, known)), bars);
}

function inWords(shown, known) {
  if (!shown.length) return "No runs are kept";
  const sorted = [...known].sort((one, other) => one - other);
  const failed = shown.filter((it) => FAILED.includes(it.state)).length;
  const told = `${many(shown.length, "run")}, the median took ${span(sorted[Math.floor(sorted.length / 2)])}, the longest ${span(sorted.at(-1))}`;
  return failed ? `${told}; ${count(failed)} failed` : told;
}

const count = (value) => String(value);
