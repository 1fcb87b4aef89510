/* The page: who is asking, where they are, what is drawn. Everything else is in its own file. */

import { announce } from "./announce.js";
import { ask } from "./api.js";
import * as cache from "./cache.js";
import "./charts.js";
import "./nightline.js";
import { el, morph } from "./dom.js";
import { clockOf, count, zoneName } from "./format.js";
import * as live from "./live.js";
import * as more from "./more.js";
import * as pages from "./pages.js";
import { onMove, place, to } from "./router.js";
import { session } from "./session.js";
import * as alerts from "./views/alerts.js";
import * as digests from "./views/digests.js";
import * as emergency from "./views/emergency.js";
import * as machinery from "./views/machinery.js";
import * as rates from "./views/rates.js";
import * as reports from "./views/reports.js";
import * as schedules from "./views/schedules.js";
import * as signin from "./views/signin.js";
import * as today from "./views/today.js";

const VIEWS = { "": today, alerts, digests, reports, health: machinery, emergency, schedules };
const LINKS = [["", "Today"], ["reports", "Reports"], ["digests", "Digests"], ["alerts", "Alerts"], ["health", "Health"], ["emergency", "Emergency"]];
const TICK_MS = 10_000;
const MOVING_MS = 2_000;
const CALM_MS = 150;
const view = document.getElementById("view");
const masthead = document.getElementById("masthead");
let isAsked = false;
let calm = null;
let drawnAt = 0;

/** For news: they come in showers, and nobody reads faster than this. */
const redrawCalmly = () => {
  calm ??= setTimeout(() => {
    calm = null;
    redraw();
  }, Math.max(0, drawnAt + CALM_MS - Date.now()));
};

const redraw = () => {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    drawPage();
  });
};

function drawPage() {
  drawnAt = Date.now();
  cache.beginDrawing();
  morph(masthead, el("div", {}, bar()));
  if (session.me === null) {
    showDoor();
    document.title = "Sign in · nightdesk";
    return;
  }
  const [name = "", ...rest] = place();
  const shown = VIEWS[name];
  morph(view, el("div", {}, shown ? shown.draw(...rest) : lost()));
  cache.endDrawing();
  document.title = `${shown ? shown.title(...rest) : "Nothing here"} · nightdesk`;
}

/** Drawn once: news must not take from somebody what is being typed. */
function showDoor() {
  if (view.querySelector(".door") !== null) return;
  view.replaceChildren(signin.draw(() => {
    enter();
    moved();
  }));
  view.querySelector("input").focus();
}

const lost = () => [el("h1", { id: "title", tabindex: "-1" }, "There is nothing here"), el("p", {}, el("a", { href: to() }, "Back to today"))];

/** What stands above every view. */
function bar() {
  const here = place()[0] ?? "";
  const name = el("a", { href: to(), class: "name" }, "nightdesk");
  if (session.me === null) return [name, el("span", { class: "grow" }), themeButton()];
  return [
    name,
    el("nav", { "aria-label": "Views" }, LINKS.map(([part, text]) => link(part, text, part === here))),
    pulse(), session.mayOperate ? null : el("span", { class: "badge idle", title: "Your token may look at everything and do nothing." }, "read only"),
    themeButton(), el("button", { type: "button", class: "bare", id: "leave", onclick: () => leave() }, "Sign out"),
  ];
}

function link(part, text, isHere) {
  const open = part === "alerts" ? cache.use("api/status").value?.openAlerts : 0;
  return el("a", { href: to(...(part ? [part] : [])), class: part === "emergency" ? "sos" : null, "aria-current": isHere ? "page" : null },
    text, open ? [" ", el("span", { class: "count" }, count(open), el("span", { class: "unseen" }, " open"))] : null);
}

function themeButton() {
  const other = window.nightdeskTheme.isDark() ? "light" : "dark";
  return el("button", { type: "button", class: "bare", id: "theme", onclick: () => window.nightdeskTheme.turn() }, el("span", { class: `lamp ${other}`, "aria-hidden": "true" }), el("span", { class: "unseen" }, `Turn ${other}`));
}

/** Whether the page is as things are, or since when it may not be. */
function pulse() {
  const { state, since } = live.freshness();
  const at = cache.oldest();
  const texts = { live: "live", connecting: "connecting …", away: at === null ? "reconnecting …" : `reconnecting, as of ${clockOf(at)}` };
  return el("span", { class: `pulse ${state}`, id: "pulse", title: `since ${clockOf(since)}` }, el("span", { class: "unseen" }, "This page is "), texts[state]);
}

function enter() {
  live.start({ onChange: redrawCalmly, onRefused: refused });
  drawPage();
}

function leave(why = null) {
  live.stop();
  cache.forget();
  session.drop(why);
  view.replaceChildren();
  redraw();
}

function refused(problem) {
  if (session.me === null) return;
  if (problem.status === 403) return announce(problem.message, { isError: true });
  leave("The token is no longer taken. Sign in again.");
}

/** Another view: fresh figures, from the top, with the heading spoken first. */
function moved() {
  drawPage();
  cache.refresh(undefined, { isOld: true });
  scrollTo(0, 0);
  document.getElementById("title")?.focus({ preventScroll: true });
}

/** Plans move by themselves and say so to nobody; times grow older. */
function tick() {
  if (session.me !== null && !document.hidden) redraw();
}

function tickPlan() {
  const [name, id] = place();
  if (session.me !== null && name === "emergency" && emergency.isMoving(id)) cache.refresh((path) => path.endsWith(`/plans/${id}`));
}

async function begin() {
  cache.listen({ onChange: redrawCalmly, onRefused: refused });
  more.listen(redraw);
  pages.listen(redraw);
  rates.listen(redraw);
  reports.listen(redraw);
  emergency.listen(redraw);
  onMove(moved);
  // The part behind the # is ours, so the link that skips to the content cannot use it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    view.focus();
  });
  addEventListener("themechange", redraw);
  document.getElementById("zone").textContent = `Times are in ${zoneName()}, yours.`;
  setInterval(tick, TICK_MS);
  setInterval(tickPlan, MOVING_MS);
  if (session.token !== null) {
    try {
      session.accept((await ask("api/me")).value);
      return enter();
    } catch (problem) {
      session.drop(problem.status === 401 ? "The token is no longer taken. Sign in again." : problem.message);
    }
  }
  drawPage();
}

begin();
