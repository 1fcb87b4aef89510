/* The schedules: when each fired and fires, how long its runs took, and having one run, wait or go on. */

import { act } from "../api.js";
import { patch, use } from "../cache.js";
import { confirm, field } from "../dialogs.js";
import { el } from "../dom.js";
import { distance, foreign, moment, span } from "../format.js";
import { runsPath } from "../live.js";
import { firstOf } from "../more.js";
import { badge, card, deed, facts, heading, quiet, table, when } from "../parts.js";
import { to } from "../router.js";
import { sparkline } from "../sparkline.js";

const SHOWN = 30; // the runs of each are asked for

export const title = (name) => name;

/** Those that are shown, and the button for more. */
export const firstSchedules = (rows) => firstOf(rows, "schedules", SHOWN);

export function schedulesCard(schedules) {
  return card("Schedules", { id: "schedules", wide: true }, when(schedules, (rows) => {
    if (!rows.length) return quiet("No schedules are configured.");
    const { first, more } = firstSchedules(rows);
    return [table("Schedules with their last and next fires", ["Schedule", "Last", "Next", "Durations", el("span", { class: "unseen" }, "Actions")], first.map(row), { className: "schedules" }), more];
  }));
}

function row(it) {
  const runs = use(runsPath(it.name)).value;
  const last = runs?.at(-1);
  return el("tr", { "data-key": it.name, id: `schedule-${it.name}` },
    el("th", { scope: "row" }, el("a", { href: to("schedules", it.name) }, foreign(it.name)), el("span", { class: "quiet block" }, it.cron, " ", it.timezone)),
    el("td", { "data-head": "Last" }, lastOf(it, last)),
    el("td", { "data-head": "Next" }, it.pausedUntil ? paused(it) : [moment(it.nextFireAt), " ", distance(it.nextFireAt)]),
    el("td", { "data-head": "Durations" }, runs === null ? null : sparkline(runs)),
    el("td", { class: "deeds" }, deeds(it)));
}

function lastOf(it, last) {
  if (last === undefined) return [moment(it.lastFiredAt), " ", distance(it.lastFiredAt)];
  return [badge(last.state), " ", moment(last.startedAt), " ", distance(last.startedAt)];
}

const paused = (it) => [badge("paused", "warn"), " until ", moment(it.pausedUntil), it.pauseReason ? foreign(it.pauseReason, { class: "quiet block" }) : null];

function deeds(it) {
  return [
    deed("Run", () => askRun(it), { id: `run-${it.name}`, about: it.name }),
    it.pausedUntil
      ? deed("Resume", () => askResume(it), { id: `pause-${it.name}`, about: it.name })
      : deed("Pause", () => askPause(it), { id: `pause-${it.name}`, about: it.name }),
  ];
}

const path = (it, what) => `api/schedules/${encodeURIComponent(it.name)}/${what}`;

const replaced = (made) => patch("api/schedules", (rows) => rows.map((it) => (it.name === made.name ? made : it)));

function askRun(it) {
  confirm({
    title: `Run ${it.name} now?`,
    text: "It runs once beside its schedule; the next fire stays as it is.",
    verb: "Run now",
    act: () => act(path(it, "trigger")),
    done: `${it.name} has been triggered.`,
  });
}

function askPause(it) {
  const until = field({ name: "until", label: "For how long", value: "4h", choices: [["1h", "1 hour"], ["4h", "4 hours"], ["12h", "12 hours"], ["24h", "1 day"], ["168h", "1 week"]] });
  const reason = field({ name: "reason", label: "Why", required: true, maxlength: 500, hint: "For whoever wonders later that nothing ran." });
  confirm({
    title: `Pause ${it.name}?`,
    fields: [until, reason],
    verb: "Pause",
    act: async (given) => replaced(await act(path(it, "pause"), given)),
    done: `${it.name} is paused.`,
  });
}

function askResume(it) {
  confirm({
    title: `Resume ${it.name}?`,
    text: it.pauseReason ? `It was paused because: ${it.pauseReason}` : null,
    verb: "Resume",
    act: async () => replaced(await act(path(it, "resume"))),
    done: `${it.name} goes on.`,
  });
}

/** One schedule with its last runs. */
export function draw(name) {
  const schedules = use("api/schedules");
  const runs = use(runsPath(name));
  return [
    heading(name, { href: to(), text: "Today" }),
    when(schedules, (rows) => {
      const it = rows.find((each) => each.name === name);
      if (it === undefined) return quiet("There is no schedule of this name.");
      return el("div", { class: "grid" },
        card("When", { id: "when", aside: el("div", { class: "deeds" }, deeds(it)) }, facts([
          ["Cron", el("code", {}, it.cron)], ["Zone", it.timezone], ["Last fire", moment(it.lastFiredAt)],
          ["Next fire", it.pausedUntil ? null : [moment(it.nextFireAt), " ", distance(it.nextFireAt)]],
          ["Paused", it.pausedUntil ? paused(it) : null]])),
        card("Durations", { id: "durations" }, el("div", { class: "large" }, sparkline(runs.value ?? [], { isWhole: true }))),
        card("Last runs", { id: "runs", wide: true }, when(runs, runTable)));
    }),
  ];
}

function runTable(runs) {
  if (!runs.length) return quiet("No run is kept. Of heartbeats none ever is.");
  return table("The last runs, newest first", ["Started", "State", "Took", "By", "Error"], [...runs].reverse().map((it) =>
    el("tr", {}, el("td", { "data-head": "Started" }, moment(it.startedAt, { isExact: true })), el("td", { "data-head": "State" }, badge(it.state)),
      el("td", { "data-head": "Took" }, span(it.durationS)), el("td", { "data-head": "By" }, it.trigger ?? "–"),
      el("td", { "data-head": "Error" }, it.error ? foreign(it.error) : "–"))));
}
