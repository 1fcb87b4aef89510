/* What keeps the page true: events while the stream holds, asking every so often while it does not. */

import * as cache from "./cache.js";
import { hear } from "./stream.js";
import { announce } from "./announce.js";

const POLL_MS = 15_000;
const LOOK_MS = 60_000; // while live: what no event told is not wrong for longer
const MOST_SAID = 1_000;
const RUNS_SHOWN = 30;
const news = { state: "connecting", since: Date.now() };
// Alerts that were announced; each speaks up once, however often it changes.
const said = new Set();
let stream = null;
let poll = null;
let look = null;
let changed = () => {};

/** How fresh the page is: {state: "connecting" | "live" | "away", since}. */
export const freshness = () => news;

export function start({ onChange, onRefused }) {
  changed = onChange;
  stream = hear("api/events", { onEvent: take, onState: become, onRefused });
  poll = setInterval(() => news.state === "live" || cache.refresh(), POLL_MS);
  look = setInterval(() => document.hidden || cache.refresh((path) => !path.includes("/runs?"), { isOld: true }), LOOK_MS);
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
}

export function stop() {
  stream?.stop();
  clearInterval(poll);
  clearInterval(look);
  removeEventListener("online", hurry);
  document.removeEventListener("visibilitychange", hurry);
  stream = null;
  said.clear();
  Object.assign(news, { state: "connecting", since: Date.now() });
}

function hurry() {
  if (!document.hidden) stream?.hurry();
}

function become(state) {
  if (state === news.state) return;
  const before = news.state;
  const wasAway = before === "away";
  Object.assign(news, { state, since: Date.now() });
  // What happened between the two lines and fell out of the server's memory is told as `reset`.
  if (state === "live" && wasAway) cache.refresh(undefined, { isOld: true });
  if (state === "away" && before === "live") announce("The line to the daemon is lost; what is shown grows old.");
  if (state === "live" && wasAway) announce("The page is live again.");
  changed();
}

const TAKERS = {
  reset: () => cache.refresh(),
  status: (data) => {
    cache.patch("api/status", (known) => ({ ...known, ...data }));
    cache.refreshSoon("api/today", 5_000);
  },
  schedule: (data) => cache.patch("api/schedules", (rows) => rows.map((it) => (it.name === data.name ? data : it))),
  run: takeRun,
  alert: takeAlert,
  coverage: (data) => {
    cache.patch("api/today", (known) => (known.coverage?.date === data.date ? { ...known, coverage: data } : known));
    cache.refreshSoon("api/today");
    cache.refreshSoon("api/reports");
    cache.refreshSoon("api/why");
    cache.refreshSoon("api/rates", 30_000);
  },
  digest: () => cache.refreshSoon("api/digests", 500),
};

function take(type, data) {
  TAKERS[type]?.(data);
}

function takeRun(run) {
  if (run.schedule) cache.patch(runsPath(run.schedule), (rows) => [...rows, asFigure(run)].slice(-RUNS_SHOWN));
  cache.refreshSoon("api/today", 3_000);
  cache.refreshSoon("api/rates", 60_000);
}

function takeAlert(alert) {
  cache.patch("api/alerts", (rows) => {
    const isKnown = rows.some((it) => it.id === alert.id);
    return isKnown ? rows.map((it) => (it.id === alert.id ? { ...it, ...alert } : it)) : [...rows, alert];
  });
  cache.refreshSoon(`api/alerts/${encodeURIComponent(alert.id)}`, 500);
  cache.refreshSoon("api/status", 500);
  if (alert.resolvedAt !== null && said.delete(alert.id)) announce(`Over: ${alert.summary}`);
  if (alert.resolvedAt !== null || alert.acknowledgedAt !== null || said.has(alert.id)) return;
  if (said.size > MOST_SAID) said.clear();
  said.add(alert.id);
  if (alert.count === 1) announce(`New alert, ${alert.severity}: ${alert.summary}`);
}

/** Where the last runs of a schedule are asked for. */
export const runsPath = (name) => `api/schedules/${encodeURIComponent(name)}/runs?limit=${RUNS_SHOWN}`;

function asFigure(run) {
  const durationS = run.startedAt && run.finishedAt ? (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000 : null;
  return { startedAt: run.startedAt, finishedAt: run.finishedAt, durationS, state: run.state, trigger: run.trigger, slot: run.slot, error: run.error };
}
