/* What the views are put together from. */

import { el } from "./dom.js";
import { session } from "./session.js";
import { announce } from "./announce.js";

const READ_ONLY = "Your token may only read. Sign in with one of scope operate to do this.";
const TONES = {
  good: ["delivered", "ok", "completed", "done", "resolved", "ready"],
  warn: ["delivered-late", "delivered-degraded", "degraded", "failing", "retryable", "warning", "half-open"],
  bad: ["failed", "missing", "down", "dead", "discarded", "critical", "error", "stopped", "open", "closed"],
  odd: ["unknown"],
  busy: ["leased", "produced", "sent", "executing", "available", "canary", "running", "due"],
};

/** Which colour and mark a word of the daemon has. */
export const tone = (word) => Object.keys(TONES).find((it) => TONES[it].includes(word)) ?? "idle";

export const badge = (word, as = tone(word)) => el("span", { class: `badge ${as}` }, word);

/** A part of the page with a heading of its own. */
export function card(title, { id, aside, wide, key }, ...children) {
  return el("section", { class: wide ? "card wide" : "card", "aria-labelledby": id, "data-key": key ?? id },
    el("header", {}, el("h2", { id }, title), aside), children);
}

/** An answer of the cache, `drawn(value)`, with the problem above it where it could not be asked for anew. */
export function when(entry, drawn) {
  const problem = entry.problem === null ? null : el("p", { class: "problem" }, entry.problem.message);
  if (entry.value !== null) return [problem, drawn(entry.value)];
  return problem ?? el("p", { class: "waiting" }, "Loading …");
}

/** A table with a caption for those who do not see its surroundings; `heads` are texts or nodes. */
export function table(caption, heads, rows, { className = "" } = {}) {
  return el("div", { class: `table ${className}` },
    el("table", {},
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, heads.map((it) => el("th", { scope: "col" }, it)))),
      el("tbody", {}, rows)));
}

/** Names and what they are. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** A button that does something to the daemon: with a reading token it says why it does nothing. */
export function deed(label, onclick, { id, about, isGrave = false, isPrimary = false } = {}) {
  const look = `button${isGrave ? " grave" : ""}${isPrimary ? " primary" : ""}`;
  const named = { id, class: look, type: "button", "aria-label": about ? `${label} ${about}` : null };
  if (session.mayOperate) return el("button", { ...named, onclick }, label);
  return el("button", { ...named, "aria-disabled": "true", title: READ_ONLY, onclick: () => announce(READ_ONLY) }, label);
}

export const quiet = (text) => el("p", { class: "quiet" }, text);

/** The head of a view: where one is, and the way back. */
export function heading(title, back, ...aside) {
  return el("div", { class: "heading" },
    back ? el("a", { href: back.href, class: "back" }, `← ${back.text}`) : null,
    el("div", { class: "heading-line" }, el("h1", { tabindex: "-1", id: "title" }, title), aside));
}
