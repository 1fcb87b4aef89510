/* Today at a glance: what wants somebody, what was delivered, what runs next. */

import { use } from "../cache.js";
import { el } from "../dom.js";
import { count, distance, foreign, many, moment, relative } from "../format.js";
import { runsPath } from "../live.js";
import { badge, card, heading, quiet, when } from "../parts.js";
import { ring } from "../ring.js";
import { to } from "../router.js";
import { alertList } from "./alerts.js";
import { recentDigests } from "./digests.js";
import { channelsCard, providersCard, queueCard } from "./machinery.js";
import { ratesCard } from "./rates.js";
import { firstSchedules, schedulesCard } from "./schedules.js";

const OPEN = "api/alerts?open=1&limit=500";
const SHOWN = 6;

export const title = () => "Today";

export function draw() {
  const today = use("api/today");
  const alerts = use(OPEN);
  const schedules = use("api/schedules");
  return [
    headline(use("api/status"), today, alerts, schedules),
    el("div", { class: "grid" },
      ...columns(today, alerts),
      nightCard(schedules),
      schedulesCard(schedules),
      ratesCard(),
      el("div", { class: "row wide" }, channelsCard(today), providersCard(today), recentDigests())),
  ];
}

/** What matters now, in two columns; the queue stands where there is room for it. */
function columns(today, alerts) {
  const isLong = (alerts.value ?? []).filter((it) => it.resolvedAt === null).length > 1;
  const [queue, open, coverage] = [queueCard(today), openAlertsCard(alerts), coverageCard(today)];
  return [
    el("div", { class: "stack", "data-key": "left" }, open, isLong ? null : queue),
    el("div", { class: "stack", "data-key": "right" }, coverage, isLong ? queue : null),
  ];
}

/** The one sentence that is worth being woken for, and the figures it rests on. */
function headline(status, today, alerts, schedules) {
  const { look, text } = verdict(status, today, alerts);
  const coverage = today.value?.coverage;
  const next = (schedules.value ?? []).filter((it) => it.nextFireAt && !it.pausedUntil && it.name !== "heartbeat")
    .sort((one, other) => one.nextFireAt.localeCompare(other.nextFireAt))[0];
  const lines = [
    coverage?.expected ? `${count(coverage.delivered)} of ${many(coverage.expected - coverage.excused, "report")} delivered` : null,
    today.value?.atRiskTotal ? `${count(today.value.atRiskTotal)} at risk` : null,
    status.value?.queueDepth ? `${many(status.value.queueDepth, "task")} waiting` : null,
    next ? `next: ${next.name} ${relative(next.nextFireAt)}` : null,
  ].filter(Boolean);
  return el("div", { class: `headline ${look}`, "data-key": "headline" }, heading(text), el("p", { class: "quiet" }, lines.join("  ·  ")));
}

function verdict(status, today, alerts) {
  const problem = status.problem ?? alerts.problem ?? today.problem;
  if (problem !== null && status.value === null) return { look: "bad", text: problem.message };
  if (status.value === null || alerts.value === null || today.value === null) return { look: "idle", text: "Looking …" };
  if (!status.value.ready) return { look: "bad", text: "The daemon takes no work" };
  const open = alerts.value.filter((it) => it.resolvedAt === null);
  const untaken = open.filter((it) => it.acknowledgedAt === null);
  const { failed = 0, missing = 0, unknown = 0 } = today.value.coverage ?? {};
  const lacking = failed + missing + unknown;
  const isGrave = untaken.some((it) => ["critical", "error"].includes(it.severity)) || failed + missing > 0;
  const wants = untaken.length ? `${many(untaken.length, "alert")} ${untaken.length === 1 ? "wants" : "want"} somebody` : null;
  const lacks = lacking ? `${many(lacking, "report")} did not arrive` : null;
  if (wants || lacks) return { look: isGrave ? "bad" : "warn", text: [wants, lacks].filter(Boolean).join(", ") };
  if (open.length) return { look: "warn", text: "Somebody is on it" };
  return { look: "good", text: "All is well" };
}

function coverageCard(today) {
  return card("Coverage", { id: "coverage", aside: today.value?.coverage ? dayLink(today.value) : null }, when(today, (it) => {
    if (it.ledgerError) return el("p", { class: "problem" }, foreign(it.ledgerError));
    if (!it.coverage?.expected) return quiet("No reports are owed today.");
    return [
      el("div", { class: "coverage" }, ring(it.coverage), legend(it.coverage)),
      troubled("Missing", it.missing ?? [], it.missingTotal ?? 0),
      troubled("At risk", it.atRisk ?? [], it.atRiskTotal ?? 0),
    ];
  }));
}

const dayLink = (today) => el("a", { href: to("reports", today.coverage.date) }, today.coverage.date);

function legend(it) {
  const open = it.expected - it.delivered - it.excused - it.unknown - it.failed - it.missing;
  const rows = [
    ["good", "Delivered", it.delivered - it.degraded], ["warn", "Delivered, plain", it.degraded],
    ["idle", "Still to come", open], ["odd", "Unknown", it.unknown],
    ["bad", "Failed", it.failed], ["late", "Missing", it.missing], ["idle", "Excused", it.excused],
  ].filter(([, name, value]) => value > 0 || name === "Delivered");
  return el("dl", { class: "legend" }, rows.map(([tone, name, value]) =>
    el("div", { class: `key ${tone}` }, el("dt", {}, name), el("dd", {}, count(value)))));
}

function troubled(name, rows, total) {
  if (!rows.length) return null;
  const more = total > rows.length ? el("li", { class: "quiet" }, `… and ${count(total - rows.length)} more`) : null;
  return el("div", { class: "troubled" }, el("h3", {}, `${name}: ${count(Math.max(total, rows.length))}`), el("ul", { class: "plain" },
    rows.map((it) => el("li", { "data-key": it.companyId },
      el("a", { href: to("reports", it.companyId, it.date) }, foreign(it.companyId)), " ", badge(it.status), " ",
      it.deadlineAt ? el("span", { class: "quiet" }, "deadline ", moment(it.deadlineAt), " ", distance(it.deadlineAt)) : null,
      it.error ? foreign(it.error, { class: "quiet cut", title: it.error }) : null)), more));
}

function openAlertsCard(alerts) {
  const all = el("a", { href: to("alerts") }, "All alerts");
  return card("Open alerts", { id: "open-alerts", aside: all }, when(alerts, (rows) => {
    const open = rows.filter((it) => it.resolvedAt === null);
    if (!open.length) return quiet("None. Nobody has to do anything.");
    const more = Math.max(alerts.total ?? 0, open.length) - SHOWN;
    return [alertList(open.slice(-SHOWN).reverse()), more > 0 ? quiet(`… and ${count(more)} more`) : null];
  }));
}

function nightCard(schedules) {
  return card("A day back, a day ahead", { id: "night", wide: true }, when(schedules, (rows) => {
    const shown = firstSchedules(rows).first.filter((it) => it.name !== "heartbeat");
    const runs = shown.flatMap(({ name }) => (use(runsPath(name)).value ?? []).map(({ startedAt, state }) => ({ name, startedAt, state })));
    return el("night-line", { data: { runs, schedules: shown.map(({ name, nextFireAt, pausedUntil }) => ({ name, nextFireAt, pausedUntil })) } });
  }));
}

