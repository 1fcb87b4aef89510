/* How often it went well: reports and runs of 30 or 90 days, as bars and as a table. */

import { use } from "../cache.js";
import { el } from "../dom.js";
import { count, many, percent } from "../format.js";
import { card, quiet, table, when } from "../parts.js";

const CHOICES = [30, 90];
let days = CHOICES[0];
let redraw = () => {};

/** `redrawing` is called when somebody chose other days. */
export function listen(redrawing) {
  redraw = redrawing;
}

export function ratesCard() {
  const rates = use(`api/rates?days=${days}`);
  const choice = el("div", { class: "choice", role: "group", "aria-label": "Days" }, CHOICES.map((it) =>
    el("button", { type: "button", id: `days-${it}`, "aria-pressed": String(it === days), onclick: () => choose(it) }, `${it} days`)));
  return card("Success and failure", { id: "rates", wide: true, aside: choice }, when(rates, (it) => el("div", { class: "charts" }, reportsChart(it.reports), runsChart(it.runs))));
}

function choose(wanted) {
  days = wanted;
  redraw();
}

function reportsChart(rows) {
  const good = sum(rows, onTime);
  const poor = sum(rows, (it) => it.late + it.degraded);
  const bad = sum(rows, lost);
  const owed = good + poor + bad;
  const text = owed ? `${percent(share(good + poor, owed))} of ${many(owed, "report")} delivered; ${count(poor)} late or plain, ${count(bad)} failed or unknown` : null;
  return chart("Reports", text, rows, [
    { name: "Delivered", tone: "calm-good", values: rows.map(onTime) },
    { name: "Late or plain", tone: "warn", values: rows.map((it) => it.late + it.degraded) },
    { name: "Failed or unknown", tone: "bad", values: rows.map(lost) },
  ]);
}

const onTime = (it) => it.delivered - it.late - it.degraded;
const lost = (it) => it.failed + it.unknown;

function runsChart(rows) {
  const [good, bad] = [sum(rows, (it) => it.succeeded), sum(rows, (it) => it.failed)];
  const text = good + bad ? `${percent(share(good, good + bad))} of ${many(good + bad, "run")} succeeded; ${count(bad)} failed` : null;
  return chart("Runs", text, rows, [
    { name: "Succeeded", tone: "calm", values: rows.map((it) => it.succeeded) },
    { name: "Failed", tone: "bad", values: rows.map((it) => it.failed) },
  ]);
}

function chart(name, text, rows, series) {
  if (text === null) return el("figure", { "data-key": name }, el("figcaption", {}, el("h3", {}, name)), quiet("None in these days."));
  return el("figure", { "data-key": name },
    el("figcaption", {}, el("h3", {}, name), el("p", { class: "quiet" }, text)),
    el("day-bars", { "aria-hidden": "true", data: { dates: rows.map((it) => it.date), series } }),
    el("ul", { class: "keys", "aria-hidden": "true" }, series.map((it) => el("li", { class: `key ${it.tone}` }, it.name))),
    el("details", {}, el("summary", {}, "As a table"),
      table(`${name} by day`, ["Date", ...series.map((it) => it.name)], [...rows.keys()].reverse().map((day) => el("tr", {},
        el("th", { scope: "row" }, rows[day].date), series.map((it) => el("td", { "data-head": it.name }, count(it.values[day]))))), { className: "narrow" })));
}

const sum = (rows, of) => rows.reduce((all, it) => all + of(it), 0);

/** Rounded down, so that 100 means all. */
const share = (part, whole) => Math.floor((10_000 * part) / whole) / 100;
