/* How times, durations and counts read. Times are the reader's own; the UTC one stands in the title. */

import { el } from "./dom.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayName = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const wholeDay = new Intl.DateTimeFormat("en-GB", {
  weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC",
});
const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

export const zoneName = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

export const count = (value) => (value === null || value === undefined ? "–" : number.format(value));

export const percent = (value) => (value === null || value === undefined ? "–" : `${number.format(value)} %`);

/** "3 reports", "1 report". */
export const many = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;

/** A duration in its two largest units: "2 h 5 min", "340 ms". */
export function span(s) {
  if (s === null || s === undefined) return "–";
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < MINUTE) return `${Math.round(s)} s`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)} min`;
  if (s < DAY) return joined(Math.floor(s / HOUR), "h", Math.floor((s % HOUR) / MINUTE), "min");
  return joined(Math.floor(s / DAY), "d", Math.floor((s % DAY) / HOUR), "h");
}

const joined = (large, unit, small, lesser) => (small ? `${large} ${unit} ${small} ${lesser}` : `${large} ${unit}`);

/** "in 3 h", "4 min ago", "now". */
export function relative(text, now = Date.now()) {
  const s = (Date.parse(text) - now) / 1000;
  if (Math.abs(s) < 5) return "now";
  if (Math.abs(s) < MINUTE) return s < 0 ? `${Math.round(-s)} s ago` : `in ${Math.round(s)} s`;
  return s < 0 ? `${span(-s)} ago` : `in ${span(s)}`;
}

/** A `<time>`: the clock, with its day where that is another than today. */
export function moment(text, { isExact = false } = {}) {
  if (!text) return el("span", { class: "faint" }, "–");
  const at = new Date(text);
  const told = (isExact ? seconds : clock).format(at);
  const day = at.toDateString() === new Date().toDateString() ? "" : `${dayName.format(at)} `;
  return el("time", { datetime: text, title: `${at.toISOString().replace("T", " ").slice(0, 19)} UTC` }, day + told);
}

/** A `<time>` as its distance from now; nothing where there is none. */
export function distance(text) {
  if (!text) return null;
  return el("time", { datetime: text, class: "faint" }, relative(text));
}

export const clockOf = (at) => seconds.format(at);

/** "Sunday, 22 November 2026" of "2026-11-22": a calendar date, of no zone. */
export function dateName(text) {
  const at = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(at.valueOf()) ? text : wholeDay.format(at);
}

/** "mean_departure_delay" and "firstAttempt" as words. */
export function words(name) {
  const spaced = name.replace(/[_-]+/g, " ").replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** Text of others, kept apart from its surroundings whatever direction it is written in. */
export const foreign = (text, attributes = {}) => el("bdi", attributes, text);

/** A link to a place of others; what is no web address stays text. */
export function outside(address, text) {
  const isWeb = /^https?:\/\//i.test(address ?? "");
  if (!isWeb) return foreign(text);
  return el("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, foreign(text));
}
