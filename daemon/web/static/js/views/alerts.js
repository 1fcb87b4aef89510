/* Alerts: what is open, who was told, who is on it; taking one on, closing it, silencing its like. */

import { act } from "../api.js";
import { patch, refresh, under, use } from "../cache.js";
import { confirm, field } from "../dialogs.js";
import { el, kept } from "../dom.js";
import { count, distance, foreign, moment, relative, words } from "../format.js";
import { firstOf } from "../more.js";
import { badge, card, deed, facts, heading, quiet, table, when } from "../parts.js";
import { to } from "../router.js";
import { session } from "../session.js";

const SHOWN = 50;

export const title = (id) => (id ? "Alert" : "Alerts");

export const draw = (id) => (id ? one(id) : all());

function all() {
  const alerts = use("api/alerts?limit=1000");
  return [
    heading("Alerts"),
    el("div", { class: "grid" },
      card("Open", { id: "open", wide: true }, when(alerts, (rows) => {
        const open = rows.filter((it) => it.resolvedAt === null).reverse();
        const { first, more } = firstOf(open, "open alerts", SHOWN);
        return open.length ? [alertList(first), more] : quiet("None. Nobody has to do anything.");
      })),
      card("Over", { id: "over", wide: true }, when(alerts, (rows) => {
        const over = rows.filter((it) => it.resolvedAt !== null).sort((one, other) => other.resolvedAt.localeCompare(one.resolvedAt));
        const { first, more } = firstOf(over, "alerts that are over", SHOWN);
        return over.length ? [overTable(first), more] : quiet("None of late.");
      })),
      silencesCard()),
  ];
}

export function alertList(alerts) {
  return el("ul", { class: "alerts" }, alerts.map((it) => kept("li", it.id, factsOf(it), () => listed(it))));
}

/** All that the list shows of an alert, the times as they read now. */
function factsOf(it) {
  const times = [it.firstAt, it.acknowledgedAt ?? it.told?.at].map((at) => (at ? relative(at) : ""));
  return [session.mayOperate, session.me?.name, new Date().getDate(), ...times, JSON.stringify(it)].join(" ");
}

function listed(it) {
  return el("li", { class: `alert ${it.severity}`, "data-key": it.id },
    el("div", { class: "alert-head" }, badge(it.severity), el("a", { href: to("alerts", it.id), class: "alert-name", "aria-label": `${it.name}: ${it.summary}` }, foreign(it.name)),
      el("span", { class: "quiet" }, moment(it.firstAt), " · ", distance(it.firstAt), it.count > 1 ? ` · ${count(it.count)} times` : "")),
    el("p", { class: "summary" }, foreign(it.summary)),
    el("div", { class: "alert-foot" }, el("span", { class: "quiet" }, standing(it)), el("div", { class: "deeds" }, deeds(it))));
}

/** How far people know of it, and who is on it. */
function standing(it) {
  if (it.acknowledgedAt) return ["Taken on by ", foreign(it.acknowledgedBy ?? "somebody"), " ", distance(it.acknowledgedAt)];
  if (!it.told) return "Nobody has been told yet";
  const who = it.told.receiver ? ` ${it.told.receiver}` : "";
  const how = it.told.channel ? ` by ${it.told.channel}` : "";
  if (it.told.state === "delivered") return [`Told${who}${how} `, distance(it.told.at)];
  return it.told.state === "muted" ? `Not told: ${it.told.reason}` : `Being told${who}`;
}

function deeds(it) {
  if (it.resolvedAt !== null) return null;
  return [
    it.acknowledgedAt ? null : deed("Acknowledge", () => acknowledge(it), { id: `ack-${it.id}`, about: subject(it), isPrimary: true }),
    deed("Resolve", () => askResolve(it), { id: `resolve-${it.id}`, about: subject(it) }),
    deed("Silence", () => askSilence(it), { id: `silence-${it.id}`, about: subject(it) }),
  ];
}

/** What tells an alert from others of its name. */
const subject = (it) => [it.name, Object.values(it.labels).join(", ")].filter(Boolean).join(" of ");

const path = (it, what) => `api/alerts/${encodeURIComponent(it.id)}/${what}`;
const by = () => ({ by: session.me?.name ?? "operator" });

function took(made) {
  patch("api/alerts", (rows) => rows.map((it) => (it.id === made.id ? { ...it, ...made } : it)));
  refresh((it) => it === `api/alerts/${encodeURIComponent(made.id)}`);
}

function acknowledge(it) {
  confirm({
    title: "Are you on it?",
    text: `${it.summary} – it will be told no further; it stays open until it is over.`,
    verb: "I am on it",
    act: async () => took(await act(path(it, "ack"), by())),
    done: `${it.name} is acknowledged.`,
  });
}

function askResolve(it) {
  confirm({
    title: `Is ${it.name} over?`,
    text: "It is closed on your word. Where its cause goes on, it opens again.",
    verb: "It is over",
    act: async () => took(await act(path(it, "resolve"), by())),
    done: `${it.name} is resolved.`,
  });
}

function askSilence(it) {
  const match = field({ name: "match", label: "What", value: it.name, required: true, maxlength: 200, hint: "A name, or label=value, several with commas; * stands for anything." });
  const until = field({ name: "until", label: "For how long", value: "1h", choices: [["30m", "30 minutes"], ["1h", "1 hour"], ["4h", "4 hours"], ["12h", "12 hours"], ["24h", "24 hours, the longest"]] });
  const reason = field({ name: "reason", label: "Why", required: true, maxlength: 500, hint: "For whoever wonders later that nobody was told." });
  confirm({
    title: "Silence alerts like this?",
    text: "They are still recorded and shown here; nobody is told of them.",
    fields: [match, until, reason],
    verb: "Silence",
    act: async (given) => {
      await act("api/silences", { ...given, owner: by().by });
      refresh((it) => under("api/silences")(it) || under("api/alerts")(it));
    },
    done: ({ match: what }) => `${what ?? it.name} is silenced.`,
  });
}

function overTable(rows) {
  return table("Alerts that are over, newest first", ["Alert", "What", "Began", "Over"], rows.map((it) => el("tr", { "data-key": it.id },
    el("th", { scope: "row" }, badge(it.severity, "idle"), " ", el("a", { href: to("alerts", it.id) }, foreign(it.name))),
    el("td", { "data-head": "What" }, foreign(it.summary)), el("td", { "data-head": "Began" }, moment(it.firstAt)),
    el("td", { "data-head": "Over" }, moment(it.resolvedAt)))));
}

function silencesCard() {
  return card("Silences", { id: "silences", wide: true }, when(use("api/silences"), (rows) => (rows.length
    ? table("Silences in force", ["What", "Why", "By", "Until", el("span", { class: "unseen" }, "Actions")], rows.map((it) => el("tr", { "data-key": it.id },
      el("th", { scope: "row" }, el("code", {}, foreign(it.match))), el("td", { "data-head": "Why" }, foreign(it.reason)), el("td", { "data-head": "By" }, foreign(it.owner)),
      el("td", { "data-head": "Until" }, moment(it.endsAt), " ", distance(it.endsAt)),
      el("td", { class: "deeds" }, deed("End", () => askEnd(it), { id: `end-${it.id}`, about: `the silence of ${it.match}` })))))
    : quiet("None is in force."))));
}

function askEnd(it) {
  confirm({
    title: `End the silence of ${it.match}?`,
    verb: "End it",
    act: async () => {
      await act(`api/silences/${encodeURIComponent(it.id)}/end`, by());
      refresh(under("api/silences"));
    },
    done: "The silence has ended.",
  });
}

function one(id) {
  const alert = use(`api/alerts/${encodeURIComponent(id)}`);
  const back = { href: to("alerts"), text: "Alerts" };
  if (alert.value === null) return [heading("Alert", back), when(alert, () => null)];
  const it = alert.value;
  return [
    heading(it.name, back, badge(it.severity), it.resolvedAt ? badge("over", "good") : null),
    el("p", { class: "lead" }, foreign(it.summary)),
    el("div", { class: "grid" },
      card("What is known", { id: "known", aside: el("div", { class: "deeds" }, deeds(it)) }, facts([
        ["What to do", it.advice ? el("code", {}, foreign(it.advice)) : null],
        ["Began", [moment(it.firstAt, { isExact: true }), " ", distance(it.firstAt)]], ["Last", it.count > 1 ? moment(it.lastAt, { isExact: true }) : null],
        ["Times", it.count > 1 ? count(it.count) : null], ["Over", it.resolvedAt ? moment(it.resolvedAt, { isExact: true }) : null],
        ["Standing", standing(it)],
        ...Object.entries(it.labels).map(([name, value]) => [words(name), foreign(value)]),
        ...Object.entries(it.details).map(([name, value]) => [words(name), foreign(plain(value))]),
        ["Id", el("code", {}, it.id)]])),
      card("Who was told", { id: "told" }, noticeTable(it.notices ?? []))),
  ];
}

const plain = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

function noticeTable(notices) {
  if (!notices.length) return quiet("No message has been made of it.");
  return table("Messages of this alert", ["Message", "To", "By", "State"], notices.map((it) => el("tr", { "data-key": it.id },
    el("th", { scope: "row" }, foreign(it.title)), el("td", { "data-head": "To" }, it.receiver), el("td", { "data-head": "By" }, it.channel ?? "–"),
    el("td", { "data-head": "State" }, badge(it.state), " ", moment(it.deliveredAt ?? it.createdAt), it.error ? foreign(it.error, { class: "quiet block" }) : null))));
}
