/* What it all runs on: the queue, the channels, the providers of language models, and every component. */

import { use } from "../cache.js";
import { el } from "../dom.js";
import { count, distance, foreign, moment, percent, span, words } from "../format.js";
import { badge, card, heading, quiet, table, tone, when } from "../parts.js";

export const title = () => "Health";

export function queueCard(today) {
  return card("Queue", { id: "queue" }, when(today, (it) => {
    const lanes = Object.entries(it.queue?.lanes ?? {});
    return table("Tasks by lane", ["Lane", "Waiting", "Running", "Oldest"], lanes.map(([name, lane]) => el("tr", { "data-key": name },
      el("th", { scope: "row" }, words(name)), el("td", { "data-head": "Waiting" }, count(lane.waiting)), el("td", { "data-head": "Running" }, count(lane.running)),
      el("td", { "data-head": "Oldest" }, lane.oldestAgeS ? span(lane.oldestAgeS) : "–"))), { className: "narrow" });
  }));
}

export function channelsCard(today) {
  return card("Channels", { id: "channels" }, when(today, (it) => standings(it.channels ?? [], "No channel is configured; alerts stand in the log alone.", (row) => row.type)));
}

export function providersCard(today) {
  const rows = today.value?.providers ?? [];
  if (today.value !== null && !rows.length) return null;
  return card("Language models", { id: "providers" }, when(today, () => standings(rows, "", (row) => (row.until ? ["until ", moment(row.until)] : null))));
}

/** Each by its name with how it fares, the last error below. */
function standings(rows, none, about) {
  if (!rows.length) return quiet(none);
  return el("ul", { class: "plain lines" }, rows.map((it) => el("li", { "data-key": it.name },
    el("span", { class: "grow" }, foreign(it.name), " ", el("span", { class: "quiet" }, about(it))),
    el("span", {}, it.since && tone(it.status) !== "good" ? el("span", { class: "quiet" }, "since ", moment(it.since), " ") : null, standing(it)),
    it.lastError ? foreign(it.lastError, { class: "quiet row-below cut", title: it.lastError }) : null)));
}

/** One miss is no condition yet, but it is no blank sheet either. */
const standing = (it) => (it.status === "untried" && it.lastError ? badge("failed once", "warn") : badge(it.status));

/** The health view: every component measured, the goals, and what to do. */
export function draw() {
  const health = use("api/reports/system/health");
  return [
    heading("Health", null, health.value ? badge(health.value.status) : null),
    when(health, (known) => el("div", { class: "grid" }, componentsCard(known), goalsCard(known.kpis ?? {}), adviceCard(known.recommendations ?? []))),
  ];
}

function componentsCard(health) {
  return card("Components", { id: "components", wide: true, aside: health.at ? el("span", { class: "quiet" }, "measured ", distance(health.at)) : null },
    table("Every component", ["Component", "State", "Answers in", "Detail"], Object.entries(health.components ?? {}).map(([name, it]) => el("tr", { "data-key": name },
      el("th", { scope: "row" }, foreign(name)), el("td", { "data-head": "State" }, badge(it.status)),
      el("td", { "data-head": "Answers in" }, it.latencyMs === null || it.latencyMs === undefined ? "–" : `${it.latencyMs} ms`),
      el("td", { "data-head": "Detail" }, foreign(it.detail ?? ""))))));
}

function goalsCard(kpis) {
  return card("Goals", { id: "goals" }, table("Goals and where they stand", ["Goal", "Is", "Wanted"], Object.entries(kpis).map(([name, it]) => el("tr", { "data-key": name },
    el("th", { scope: "row" }, words(name), el("span", { class: "quiet block" }, it.over)),
    el("td", { "data-head": "Is" }, badge(figure(it), it.value === null ? "idle" : it.met ? "good" : "bad")),
    el("td", { "data-head": "Wanted" }, `${it.target} ${it.unit}`)))));
}

const figure = (it) => (it.value === null ? "not known" : it.unit === "%" ? percent(it.value) : `${count(it.value)} ${it.unit}`);

function adviceCard(rows) {
  return card("What to do", { id: "advice" }, rows.length
    ? el("ul", { class: "plain advice" }, rows.map((it) => el("li", {}, el("p", {}, foreign(it.text)), it.command ? el("code", {}, foreign(it.command)) : null)))
    : quiet("Nothing. It does well."));
}
