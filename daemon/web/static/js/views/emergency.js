/* The emergency: say why, look at what would happen, confirm the count, watch it, call it off. */

import { announce } from "../announce.js";
import { act, newKey } from "../api.js";
import { use } from "../cache.js";
import { confirm, field } from "../dialogs.js";
import { el } from "../dom.js";
import { count, distance, foreign, many, moment } from "../format.js";
import { badge, card, deed, facts, heading, quiet, when } from "../parts.js";
import { go, to } from "../router.js";
import { session } from "../session.js";

const ALL = "api/reports/emergency/trigger-all-reports";
const COUNTS = [
  ["willSend", "will be sent", "bad"], ["alreadyDelivered", "delivered already, left alone", "good"], ["sentAgain", "sent again", "warn"],
  ["unknown", "unknown, wait for your word", "odd"], ["excused", "excused", "idle"], ["notDueYet", "not due yet", "idle"],
];
const STEPS = { waiting: "Waits for its time", canary: "A few go first", running: "The rest follows", done: "Done" };
const ENDS = { cancelled: "It was called off; nothing was sent.", stopped: "The first few failed, so the rest was not sent." };
const FINAL = ["done", "cancelled", "stopped"];
const form = { preview: null, problem: null, key: null, isBusy: false };
const seen = { planId: null, state: null };
let redraw = () => {};

/** `redrawing` is called when a preview came or went. */
export function listen(redrawing) {
  redraw = redrawing;
}

export const title = (id) => (id ? "Emergency plan" : "Emergency");

export const draw = (id) => (id ? plan(id) : wish());

function wish() {
  return [
    heading("Emergency"),
    el("p", { class: "lead" }, "See to it that reports are there. What has arrived is never sent again; a few go first, and if they fail the rest stays."),
    el("div", { class: "grid" }, card("What is to be done", { id: "wish" },
      el("form", { class: "form", id: "wish-form", onsubmit: preview },
        fields().map((it) => it.node),
        form.problem ? el("p", { class: "problem", role: "alert" }, form.problem) : null,
        el("div", { class: "actions" }, previewButton()))),
    form.preview ? previewCard(form.preview) : card("The plan", { id: "plan" }, quiet("Nothing is sent before you have seen the counts and confirmed them."))),
  ];
}

function fields() {
  const stale = () => {
    if (form.preview === null) return;
    form.preview = null;
    redraw();
  };
  return [
    field({ id: "reason", name: "reason", label: "Reason", required: true, maxlength: 500, oninput: stale, hint: "It stands in the audit, with your name." }),
    field({ id: "company-id", name: "companyId", label: "Company", placeholder: "all companies", maxlength: 64, oninput: stale, hint: "An id from the roster; empty for all." }),
    field({ id: "on-date", name: "date", label: "Date", type: "date", oninput: stale, hint: "Empty for each company's own today." }),
    field({ id: "delay", name: "delayMinutes", label: "Begin in minutes", type: "number", value: "0", min: 0, max: 1440, oninput: stale, hint: "Until then it can be called off." }),
  ];
}

/** A submit button; with a reading token one that says why it does nothing. */
function previewButton() {
  if (!session.mayOperate) return deed("Show the plan", () => {}, { id: "preview" });
  return el("button", { class: "button primary", id: "preview", type: "submit", "aria-disabled": form.isBusy ? "true" : null }, form.isBusy ? "Counting …" : "Show the plan");
}

function given() {
  const typed = [...new FormData(document.getElementById("wish-form"))].map(([name, value]) => [name, value.trim()]);
  const { reason, companyId, date, delayMinutes } = Object.fromEntries(typed);
  const body = { reason, owner: session.me?.name ?? "operator", delayMinutes: Number(delayMinutes || 0) };
  if (date) body.date = date;
  return { path: companyId ? `api/reports/emergency/companies/${encodeURIComponent(companyId)}/trigger-report` : ALL, body };
}

async function preview(event) {
  event.preventDefault();
  if (!session.mayOperate || form.isBusy) return;
  Object.assign(form, { problem: null, preview: null, isBusy: true });
  redraw();
  try {
    const { path, body } = given();
    form.preview = await act(path, { ...body, dryRun: true });
    form.key = newKey(); // one plan for one look, however often it is confirmed
    announce(verdict(form.preview), { isSeen: true });
  } catch (problem) {
    form.problem = problem.message;
  }
  form.isBusy = false;
  redraw();
  document.getElementById("plan")?.scrollIntoView({ block: "nearest" });
}

function previewCard(found) {
  const sends = found.counts.willSend;
  return card("The plan", { id: "plan" },
    el("p", {}, verdict(found)),
    counts(found.counts),
    sends ? el("div", { class: "actions" }, deed(`Send ${many(sends, "report")} …`, askGo, { id: "go", isGrave: true })) : null);
}

const verdict = ({ counts: { willSend }, dates }) => (willSend ? `${many(willSend, "report")} of ${dates.join(", ")} will be sent.` : "Nothing would be sent: nobody lacks a report.");

const counts = (found) => el("dl", { class: "counts" }, COUNTS.filter(([name]) => found[name] > 0 || name === "willSend").map(([name, text, tone]) =>
  el("div", { class: `key ${tone}` }, el("dt", {}, text), el("dd", {}, count(found[name] ?? 0)))));

function askGo() {
  const sends = form.preview.counts.willSend;
  const { path, body } = given();
  confirm({
    title: `Send ${many(sends, "report")}?`,
    text: `${form.preview.dates.join(", ")} · ${form.preview.companies ? form.preview.companies.join(", ") : "all companies"} · ${body.delayMinutes ? `begins in ${body.delayMinutes} min` : "begins at once"}`,
    verb: `Send ${many(sends, "report")}`,
    isGrave: true,
    act: async () => {
      const made = await act(path, { ...body, key: form.key }, { key: form.key });
      form.preview = null;
      go("emergency", made.planId);
    },
    done: "The plan is made.",
  });
}

function plan(id) {
  const path = `api/reports/emergency/plans/${encodeURIComponent(id)}`;
  const found = use(path);
  const back = { href: to("emergency"), text: "Emergency" };
  if (found.value === null) return [heading("Plan", back), when(found, () => null)];
  const it = found.value;
  tell(it);
  return [
    heading("Plan", back, badge(it.state)),
    el("p", { class: "lead" }, foreign(it.reason)),
    el("div", { class: "grid" },
      card("Progress", { id: "progress", aside: it.state === "waiting" ? deed("Call it off", () => askCancel(it), { id: "cancel-plan", isGrave: true }) : null },
        el("ol", { class: "steps" }, steps(it)), outcome(it)),
      card("Counts when it was made", { id: "counts" }, counts(it.counts)),
      card("About", { id: "about" }, facts([
        ["Who", foreign(it.owner)], ["Dates", it.dates.join(", ")], ["Companies", it.companies ? it.companies.join(", ") : "all"], ["Made", moment(it.createdAt, { isExact: true })],
        ["Begins", [moment(it.startsAt, { isExact: true }), " ", FINAL.includes(it.state) ? null : distance(it.startsAt)]], ["Ended", it.endedAt ? moment(it.endedAt, { isExact: true }) : null], ["Plan", el("code", {}, it.planId)]]))),
  ];
}

/** Speak each step as it comes: what is drawn anew is not heard. */
function tell({ planId, state }) {
  if (seen.planId === planId && seen.state !== state) announce(`Emergency: ${ENDS[state] ?? STEPS[state] ?? state}`, { isSeen: true });
  Object.assign(seen, { planId, state });
}

function steps(it) {
  const order = Object.keys(STEPS);
  const at = order.indexOf(it.state);
  return order.map((step, index) => el("li", { class: at < 0 ? "" : index < at ? "past" : index === at ? "here" : "", "aria-current": index === at ? "step" : null }, STEPS[step]));
}

function outcome(it) {
  if (it.state === "cancelled") return el("p", {}, ENDS.cancelled);
  if (it.state === "stopped") return el("p", { class: "problem" }, `${ENDS.stopped} Look at the open alerts.`);
  if (it.state !== "done") return null;
  return el("p", {}, "Done. ", el("a", { href: to("reports", it.dates[0]) }, `See the reports of ${it.dates[0]}`));
}

/** Whether the plan that is looked at still moves: then it is asked for every few seconds. */
export const isMoving = (id) => Boolean(id) && !FINAL.includes(use(`api/reports/emergency/plans/${encodeURIComponent(id)}`).value?.state);

function askCancel(it) {
  confirm({
    title: "Call the plan off?",
    verb: "Call it off",
    act: () => act(`api/reports/emergency/plans/${encodeURIComponent(it.planId)}`, { by: session.me?.name ?? "operator" }, { method: "DELETE" }),
    done: "The plan is called off.",
  });
}
