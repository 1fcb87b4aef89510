/* Asking the API: JSON in, JSON out; what goes wrong is a Problem that reads as a sentence. */

import { session } from "./session.js";

const TIMEOUT_MS = 20_000;
const ROOT = new URL("./", document.baseURI);

/** What the API said no with, or why it said nothing (status 0). */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const addressOf = (path) => new URL(path, ROOT);

export function headers() {
  return session.token === null ? {} : { Authorization: `Bearer ${session.token}` };
}

/** Ask for something: its value, and how many rows there are in all where only some were given. */
export async function ask(path) {
  const answer = await exchange(path, { headers: headers() });
  const total = answer.headers.get("X-Total-Count");
  return { value: await answer.json(), total: total === null ? null : Number(total) };
}

/** Have something done. The key lets the same call be made again without doing it twice. */
export async function act(path, body = {}, { method = "POST", key = newKey() } = {}) {
  const sent = { ...headers(), "Content-Type": "application/json", "Idempotency-Key": key };
  const answer = await exchange(path, { method, headers: sent, body: JSON.stringify(body) });
  return answer.json();
}

/** 128 random bits; crypto.randomUUID is missing where the page came without TLS. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function exchange(path, options) {
  let answer;
  try {
    answer = await fetch(addressOf(path), { ...options, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Problem(0, error.name === "TimeoutError" ? "The daemon did not answer in 20 s." : "The daemon is not reached.");
  }
  // What is no problem is an answer: a health that says "down" comes with a 503.
  if (answer.ok || (answer.headers.get("Content-Type") ?? "").startsWith("application/json")) return answer;
  throw new Problem(answer.status, await detailOf(answer));
}

async function detailOf(answer) {
  try {
    const { detail, title } = await answer.json();
    return detail || title;
  } catch {
    return `The daemon answered ${answer.status} ${answer.statusText}`;
  }
}
