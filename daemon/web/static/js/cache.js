/* What has been asked for, by path. Whoever draws says what it uses; that, and no more, is kept fresh. */

import { ask } from "./api.js";

const FRESH_MS = 5_000;
const AT_ONCE = 4;
const entries = new Map();
const patches = new Map();
let used = new Set();
let changed = () => {};
let refused = () => {};
const waiting = [];
let asking = 0;

/** `onChange` hears when something came, `onRefused` when the token is no longer taken. */
export function listen({ onChange, onRefused }) {
  changed = onChange;
  refused = onRefused;
}

/** The answer of a path as it is known now: {value, total, problem, at}; asked for when it is not. */
export function use(path) {
  used.add(path);
  const entry = entries.get(path);
  if (entry !== undefined) return entry;
  const empty = { value: null, total: null, problem: null, at: null, isAsked: true };
  entries.set(path, empty);
  fetchLater(path);
  return empty;
}

/** Begin a drawing: what is not used in it is forgotten by `endDrawing`. */
export function beginDrawing() {
  used = new Set();
}

export function endDrawing() {
  for (const path of entries.keys()) {
    if (!used.has(path)) entries.delete(path);
  }
}

/** Ask anew for what is used and fits; with `isOld` only for what is older than a few seconds. */
export function refresh(fits = () => true, { isOld = false } = {}) {
  for (const [path, entry] of entries) {
    if (!fits(path) || entry.isAsked) continue;
    if (isOld && entry.at !== null && Date.now() - entry.at < FRESH_MS) continue;
    entry.isAsked = true;
    fetchLater(path);
  }
}

/** The same, but not more often than every `ms`: for news that come in showers. */
export function refreshSoon(path, ms = 2_000) {
  if (patches.has(path)) return;
  patches.set(path, setTimeout(() => {
    patches.delete(path);
    refresh(under(path));
  }, ms));
}

/** Whether a path is this one or below it, whatever its query. */
export const under = (path) => (it) => it === path || it.startsWith(`${path}?`) || it.startsWith(`${path}/`);

/** Change what is known of a path, whatever its query, without asking: `edit` gets the value and gives the next. */
export function patch(path, edit) {
  for (const [known, entry] of entries) {
    if (entry.value !== null && known.split("?")[0] === path.split("?")[0]) entry.value = edit(entry.value);
  }
  changed();
}

/** Forget everything: another token may see other things. */
export function forget() {
  entries.clear();
  waiting.length = 0;
}

/** How old the oldest answer on the page is, as a time; null before the first. */
export function oldest() {
  const times = [...entries.values()].map((it) => it.at).filter((at) => at !== null);
  return times.length ? Math.min(...times) : null;
}

function fetchLater(path) {
  waiting.push(path);
  pump();
}

function pump() {
  while (asking < AT_ONCE && waiting.length) {
    asking += 1;
    fetchNow(waiting.shift()).finally(() => {
      asking -= 1;
      pump();
    });
  }
}

async function fetchNow(path) {
  const entry = entries.get(path);
  if (entry === undefined) return;
  try {
    const { value, total } = await ask(path);
    Object.assign(entry, { value, total, problem: null, at: Date.now() });
  } catch (problem) {
    if (problem.status === 401) refused(problem);
    entry.problem = problem;
  }
  entry.isAsked = false;
  changed();
}
