/* Reports: those of a date, and one with why it stands as it does and what was kept of it. */

import { act } from "../api.js";
import { refresh, under, use } from "../cache.js";
import { confirm } from "../dialogs.js";
import { el } from "../dom.js";
import { count, dateName, foreign, moment, words } from "../format.js";
import { begin, pageOf, pager } from "../pages.js";
import { badge, card, deed, facts, heading, quiet, table, when } from "../parts.js";
import { go, to } from "../router.js";
import { session } from "../session.js";

const GONE = 400; // a page began after a row that is no longer in the list
const LIST_AGES_MS = [1_500, 8_000]; // a list that took long to read is given for a while after
const BEFORE = "_week_before";
const UNSETTLED = ["failed", "unknown"];

let isOfMissing = false;
let redraw = () => {};

/** `redrawing` is called when somebody chose others. */
export function listen(redrawing) {
  redraw = redrawing;
}

export const title = (one, two) => (two ? `Report of ${one}, ${two}` : "Reports");

export const draw = (first, second) => (second ? one(first, second) : ofDate(first));

function ofDate(date) {
  const today = use("api/today").value?.date;
  const on = date ?? today;
  if (on === undefined) return [heading("Reports"), when(use("api/today"), () => null)];
  const reports = use(pageOf(`api/reports${isOfMissing ? "/missing" : ""}?date=${encodeURIComponent(on)}`));
  if (reports.problem?.status === GONE) begin();
  const none = isOfMissing ? "Nobody lacks a report of this date." : "No reports are owed for this date.";
  return [
    heading(`Reports of ${on}`, null, companySearch(on), dateChoice(on)),
    card(dateName(on), { id: "by-company", wide: true, aside: choice() }, when(reports, (rows) => (rows.length
      ? [reportTable(rows), pager(reports, "reports", (it) => it.companyId)]
      : quiet(none)))),
  ];
}

function choice() {
  return el("div", { class: "choice", role: "group", "aria-label": "Which" }, [[false, "All"], [true, "Missing"]].map(([value, text]) =>
    el("button", { type: "button", id: `which-${text}`, "aria-pressed": String(value === isOfMissing), onclick: () => choose(value) }, text)));
}

function choose(wanted) {
  isOfMissing = wanted;
  redraw();
}

/** The way to one of thousands. */
function companySearch(on) {
  const input = el("input", { id: "company", name: "company", maxlength: 64, required: true, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const submit = (event) => {
    event.preventDefault();
    go("reports", event.target.elements.company.value.trim(), on);
  };
  return el("form", { class: "field inline", role: "search", onsubmit: submit }, el("label", { for: "company" }, "Company"), input);
}

/** Drawn anew for another date: what somebody has typed into an input is never changed under their hands. */
function dateChoice(on) {
  const input = el("input", { type: "date", id: "date", value: on, onchange: (event) => event.target.value && go("reports", event.target.value) });
  return el("div", { class: "field inline", "data-key": on }, el("label", { for: "date" }, "Date"), input);
}

function reportTable(rows) {
  return table("Reports by company", ["Company", "State", "Deadline", "Delivered", "Attempts", "By", "Problem"], rows.map((it) => el("tr", { "data-key": it.companyId },
    el("th", { scope: "row" }, el("a", { href: to("reports", it.companyId, it.date) }, foreign(it.companyId))),
    el("td", { "data-head": "State" }, badge(it.status)), el("td", { "data-head": "Deadline" }, moment(it.deadlineAt)),
    el("td", { "data-head": "Delivered" }, moment(it.deliveredAt)), el("td", { "data-head": "Attempts" }, count(it.attempts)),
    el("td", { "data-head": "By" }, it.channel ?? "–"), el("td", { "data-head": "Problem" }, it.error || it.reason ? foreign(it.error ?? it.reason, { class: "cut", title: it.error ?? it.reason }) : "–"))));
}

function one(company, date) {
  const place = `${encodeURIComponent(company)}/${encodeURIComponent(date)}`;
  const report = use(`api/reports/${place}`);
  const why = use(`api/why/${place}`);
  const back = { href: to("reports", date), text: `Reports of ${date}` };
  if (report.value === null) return [heading(`${company}, ${date}`, back), when(report, () => null)];
  const it = report.value;
  return [
    heading(it.report?.companyName ?? company, back, badge(it.status)),
    el("p", { class: "lead" }, dateName(it.date), it.advice ? el("span", { class: "advice-line" }, " What to do: ", foreign(it.advice)) : null),
    el("div", { class: "grid" },
      el("div", { class: "stack" }, card("Why", { id: "why", aside: el("div", { class: "deeds" }, deeds(it)) }, when(why, chain)), card("Delivery", { id: "delivery" }, facts([
        ["Delivered", it.deliveredAt ? moment(it.deliveredAt, { isExact: true }) : null], ["Deadline", moment(it.deadlineAt)], ["Channel", it.channel],
        ["Attempts", count(it.attempts)], ["Written by", it.rung], ["Error", it.error ? foreign(it.error) : null], ["Reason", it.reason ? foreign(it.reason) : null],
        ["Message id", it.stableId ? el("code", {}, it.stableId) : null]]))),
      copyCard(it)),
  ];
}

/** What decided it, then every link of the chain with its time. */
function chain(why) {
  return [
    el("p", {}, badge(why.status), " ", foreign(why.because ?? "")),
    el("ol", { class: "chain" }, why.links.map((it) => el("li", { class: linkTone(it.event) }, moment(it.at, { isExact: true }), " ", el("code", {}, it.event), " ", it.detail ? foreign(it.detail) : null))),
  ];
}

const linkTone = (event) => (/failed|retryable|expired|missed|unknown|refused/.test(event) ? "bad" : /delivered$/.test(event) ? "good" : null);

function copyCard(it) {
  if (!it.report && !it.text) return card("The report", { id: "copy" }, quiet("Nothing was kept of it."));
  const { facts: figures = {}, tables = {}, prose } = it.report ?? {};
  return card("The report", { id: "copy" },
    prose ? el("div", { class: "prose" }, prose.split(/\n{2,}/).map((part) => el("p", {}, foreign(part)))) : null,
    Object.keys(figures).length ? figureTable(figures) : null,
    Object.entries(tables).map(([name, rows]) => [el("h3", {}, foreign(name)), rowTable(name, rows)]),
    it.text ? el("details", {}, el("summary", {}, "As it was sent, as text"), el("pre", { tabindex: "0" }, foreign(it.text))) : null);
}

/** Each figure in a row; one that says what it was a week before stands beside the one it belongs to. */
function figureTable(figures) {
  const isBefore = (name) => name.endsWith(BEFORE) && name.slice(0, -BEFORE.length) in figures;
  const own = Object.keys(figures).filter((name) => !isBefore(name));
  const hasBefore = own.length < Object.keys(figures).length;
  return table("Figures", ["Figure", "Day", hasBefore ? "Week before" : null].filter(Boolean), own.map((name) => el("tr", {},
    el("th", { scope: "row" }, foreign(words(name))), el("td", { "data-head": "Day", class: "figure" }, cell(figures[name])),
    hasBefore ? el("td", { "data-head": "Week before" }, cell(figures[name + BEFORE])) : null)), { className: "narrow" });
}

function rowTable(name, rows) {
  if (!rows.length) return quiet("No rows.");
  const columns = Object.keys(rows[0]);
  return table(name, columns.map((it) => foreign(words(it))), rows.map((row) => el("tr", {}, columns.map((it) => el("td", { "data-head": words(it) }, cell(row[it]))))));
}

const cell = (value) => (typeof value === "number" ? count(value) : value === null || value === undefined ? "–" : foreign(String(value)));

function deeds(it) {
  if (UNSETTLED.includes(it.status)) {
    return [deed("It has arrived", () => askResolve(it, "delivered"), { id: "resolve-delivered" }), deed("Send again", () => askResolve(it, "resend"), { id: "resolve-resend", isGrave: it.status === "unknown" })];
  }
  return it.deliveredAt || it.status === "excused" ? null : [deed("Make it now", () => askEnsure(it), { id: "ensure", isPrimary: true })];
}

/** Ask anew after a deed, and once more when lists know of it too. */
function news() {
  refresh((path) => ["api/reports", "api/why", "api/today"].some((it) => under(it)(path)));
  LIST_AGES_MS.forEach((ms) => setTimeout(() => refresh(under("api/reports")), ms));
}

function askResolve(it, word) {
  const isResend = word === "resend";
  confirm({
    title: isResend ? "Send this report again?" : "Has this report arrived?",
    text: isResend && it.status === "unknown" ? "Nobody knows whether it has arrived. It may come twice." : "Your word is kept with your name.",
    verb: isResend ? "Send it again" : "It has arrived",
    isGrave: isResend && it.status === "unknown",
    act: async () => {
      await act(`api/reports/${encodeURIComponent(it.companyId)}/${encodeURIComponent(it.date)}/resolve`, { as: word, by: session.me?.name ?? "operator" });
      news();
    },
    done: "Noted.",
  });
}

function askEnsure(it) {
  confirm({
    title: `Make the report of ${it.companyId} now?`,
    text: "What has been delivered is not sent again.",
    verb: "Make it now",
    act: async () => {
      await act("api/reports/ensure", { date: it.date, company: it.companyId });
      news();
    },
    done: `The report of ${it.companyId} is being made.`,
  });
}

