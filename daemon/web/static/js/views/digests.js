/* Digests: the list by date, and one as people read it. */

import { act } from "../api.js";
import { refresh, under, use } from "../cache.js";
import { confirm } from "../dialogs.js";
import { el } from "../dom.js";
import { count, dateName, foreign, many, moment, outside, words } from "../format.js";
import { badge, card, deed, heading, quiet, table, when } from "../parts.js";
import { to } from "../router.js";

const RECENT = 5;

export const title = (date) => (date ? `Digest of ${date}` : "Digests");

export const draw = (date) => (date ? one(date) : all());

export function recentDigests() {
  const digests = use("api/digests?limit=50");
  const aside = el("a", { href: to("digests") }, "All digests");
  return card("Digests", { id: "digests", aside }, when(digests, (rows) => (rows.length
    ? el("ul", { class: "plain lines" }, rows.slice(0, RECENT).map((it) => el("li", { "data-key": it.date },
      el("a", { href: to("digests", it.date) }, it.date), el("span", {}, `${count(it.summary.markedForDraft)} of ${count(it.summary.docsProcessed)} marked`), sent(it))))
    : quiet("None yet. The nightly batch makes one."))));
}

const sent = (it) => (it.sentAt ? el("span", { class: "quiet" }, "sent ", moment(it.sentAt)) : badge("not sent", "idle"));

function all() {
  return [heading("Digests"), card("By date", { id: "by-date", wide: true }, when(use("api/digests?limit=400"), (rows) => (rows.length
    ? table("Digests, newest first", ["Date", "Looked at", "Marked", "Made", "Sent"], rows.map((it) => el("tr", { "data-key": it.date },
      el("th", { scope: "row" }, el("a", { href: to("digests", it.date) }, it.date)),
      el("td", { "data-head": "Looked at" }, count(it.summary.docsProcessed)), el("td", { "data-head": "Marked" }, count(it.summary.markedForDraft)),
      el("td", { "data-head": "Made" }, moment(it.generatedAt)), el("td", { "data-head": "Sent" }, sent(it)))))
    : quiet("None yet. The nightly batch makes one."))))];
}

function one(date) {
  const digest = use(`api/digests/${encodeURIComponent(date)}`);
  const row = (use("api/digests?limit=400").value ?? []).find((it) => it.date === date);
  const back = { href: to("digests"), text: "Digests" };
  if (digest.value === null) return [heading(`Digest of ${date}`, back), when(digest, () => null)];
  const it = digest.value;
  const marked = [...it.redditQueue].sort((one, other) => other.score - one.score);
  return [
    heading(`Digest of ${it.date}`, back, row ? sent(row) : null),
    el("p", { class: "lead" }, `${dateName(it.date)}: ${many(it.summary.docsProcessed, "lead")} looked at, ${marked.length ? `${count(marked.length)} marked for a draft` : "none above the threshold"}. Made `, moment(it.generatedAt), "."),
    el("div", { class: "grid" },
      card("Marked leads", { id: "marked", wide: true, aside: deed(row?.sentAt ? "Send again" : "Send now", () => askSend(it.date, row), { id: "send-digest" }) },
        marked.length ? el("ol", { class: "leads" }, marked.map(lead)) : quiet("Nothing scored above the threshold."))),
  ];
}

function lead(it) {
  const known = [it.subreddit ? `r/${it.subreddit}` : null, it.num_comments === undefined ? null : many(it.num_comments, "comment")].filter(Boolean);
  const why = Object.entries(it.reasons ?? {}).filter(([, part]) => part >= 0.05).sort(([, one], [, other]) => other - one)
    .map(([name, part]) => `${words(name).toLowerCase()} ${part.toFixed(2)}`);
  return el("li", { class: "lead-row", "data-key": it.id },
    el("span", { class: "score", title: "score" }, it.score.toFixed(2)),
    el("div", {},
      el("h3", {}, outside(it.url, it.title?.trim() || it.id)),
      el("p", { class: "quiet" }, foreign(known.join("  ·  ")), known.length ? "  ·  " : "", why.join(", ")),
      it.selftext ? el("p", { class: "excerpt" }, foreign(it.selftext)) : null));
}

function askSend(date, row) {
  const again = Boolean(row?.sentAt);
  confirm({
    title: again ? `Send the digest of ${date} again?` : `Send the digest of ${date} now?`,
    text: again ? "It has been sent and proved. Everybody gets it twice." : null,
    verb: again ? "Send it again" : "Send it",
    isGrave: again,
    act: async () => {
      await act(`api/digests/${encodeURIComponent(date)}/send?wait=10`, { again });
      refresh(under("api/digests"));
    },
    done: `The digest of ${date} is on its way.`,
  });
}
