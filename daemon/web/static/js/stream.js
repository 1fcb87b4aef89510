/* Server-sent events by fetch: EventSource cannot send a token, and a token has no place in an address. */

import { addressOf, headers, Problem } from "./api.js";

const SILENT_MS = 40_000; // a beat comes each 15 s; two and a half missed ones are a dead line
const LONGEST_WAIT_MS = 30_000;

/**
 * Hear events until stopped; a line that breaks is taken up again where it broke.
 *
 * `onEvent(type, data)`, `onState("live" | "away")`; `onRefused(problem)` ends it.
 */
export function hear(path, { onEvent, onState, onRefused }) {
  let lastId = null;
  let failures = 0;
  let line = null;
  let timer = null;
  let isOver = false;

  async function connect() {
    line = new AbortController();
    try {
      await read(line);
    } catch (error) {
      if (isOver) return;
      if (error instanceof Problem && (error.status === 401 || error.status === 403)) return onRefused(error);
    }
    if (isOver) return;
    onState("away");
    failures += 1;
    const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures) * (0.5 + Math.random() / 2);
    timer = setTimeout(connect, wait);
  }

  async function read(controller) {
    const sent = { ...headers(), Accept: "text/event-stream" };
    if (lastId !== null) sent["Last-Event-ID"] = lastId;
    let alarm = setTimeout(() => controller.abort(), SILENT_MS);
    try {
      const answer = await fetch(addressOf(path), { headers: sent, cache: "no-store", signal: controller.signal });
      if (!answer.ok) throw new Problem(answer.status, `no events: ${answer.status}`);
      failures = 0;
      onState("live");
      const parse = parser((event) => {
        if (event.id !== null) lastId = event.id;
        onEvent(event.type, event.data);
      });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(alarm);
        alarm = setTimeout(() => controller.abort(), SILENT_MS);
        parse(piece.value);
      }
    } finally {
      clearTimeout(alarm);
    }
  }

  connect();
  return {
    /** Try at once where it waits: the network is back, or somebody looks. */
    hurry() {
      if (timer === null || isOver) return;
      clearTimeout(timer);
      timer = null;
      connect();
    },
    stop() {
      isOver = true;
      clearTimeout(timer);
      line?.abort();
    },
  };
}

/** Take text by pieces; call with each event that is whole: {id, type, data}, the data read as JSON. */
export function parser(tell) {
  let rest = "";
  let id = null;
  let type = "message";
  let data = [];

  function take(line) {
    if (line === "") {
      if (data.length) tell({ id, type, data: JSON.parse(data.join("\n")) });
      type = "message";
      data = [];
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "event") type = value;
    else if (name === "id") id = value;
  }

  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n/);
    rest = lines.pop();
    lines.forEach(take);
  };
}
