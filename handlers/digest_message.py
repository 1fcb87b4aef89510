"""A digest as a message: the marked leads, best first, each with the reason it was chosen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from daemon.notify.base import Entry, Message
from handlers.scoring import OWN
from state.codec import parse_time

if TYPE_CHECKING:
    from daemon.config.sections import DigestSection

EXCERPT_LENGTH = 200
NOTABLE_SHARE = 0.25  # a part that makes at least this much of a score is named as its reason
WORDS = {
    "relevance": "on topic",
    "engagement": "much discussed",
    "freshness": "new",
    "intent": "asks for something",
    OWN: "scored by its source",
}


def as_message(
    digest: Mapping[str, Any], options: "DigestSection", *, message_id: str, is_late: bool = False
) -> Message:
    """What the team is told of a digest; the same digest always makes the same message."""
    summary, entries = digest["summary"], digest["redditQueue"]
    return Message(
        id=message_id,
        kind="digest",
        title=_title(digest["date"], len(entries), is_late),
        text=_text(summary, digest["date"], is_late, has_entries=bool(entries)),
        facts=(
            ("Processed", f"{summary['docsProcessed']:,}"),
            ("Marked", f"{len(entries):,}"),
            ("Made", f"{parse_time(digest['generatedAt']):%Y-%m-%d %H:%M} UTC"),
        ),
        entries=tuple(map(_entry, sorted(entries, key=lambda it: -it["score"]))),
        link=_link(options.app_url, digest["date"]),
        created_at=parse_time(digest["generatedAt"]),
    )


def _title(day: str, marked: int, is_late: bool) -> str:
    told = f"{marked:,} marked" if marked else "nothing above the threshold"
    return f"{'Late: digest' if is_late else 'Digest'} of {day}: {told}"


def _text(summary: Mapping[str, int], day: str, is_late: bool, *, has_entries: bool) -> str:
    processed = f"{summary['docsProcessed']:,} leads were looked at"
    told = f"{processed}." if has_entries else f"{processed}; none scored above the threshold."
    return f"This is the digest of {day}, which could not be sent on time. {told}" if is_late else told


def _entry(lead: Mapping[str, Any]) -> Entry:
    return Entry(
        title=lead["title"].strip() or lead["id"],
        url=lead.get("url") or None,
        note=" · ".join(_facts(lead)),
        text=_excerpt(lead.get("selftext") or ""),
    )


def _facts(lead: Mapping[str, Any]) -> list[str]:
    facts = [f"r/{lead['subreddit']}"] if lead.get("subreddit") else []
    facts.append(f"{lead['score']:.2f}")
    comments = lead.get("num_comments")
    if comments is not None:
        facts.append(f"{comments:,} comment{'' if comments == 1 else 's'}")
    if why := ", ".join(_reasons(lead["reasons"], lead["score"])):
        facts.append(why)
    return facts


def _reasons(reasons: Mapping[str, float], score: float) -> list[str]:
    """The parts that made the score, the largest first, in words."""
    largest_first = sorted(reasons.items(), key=lambda it: -it[1])
    return [
        WORDS.get(name, name) for name, part in largest_first if part > 0 and part >= NOTABLE_SHARE * score
    ]


def _excerpt(text: str) -> str:
    """The beginning of a text on one line, cut between words."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT_LENGTH:
        return line
    cut, _, _ = line[:EXCERPT_LENGTH].rpartition(" ")
    return (cut or line[: EXCERPT_LENGTH - 1]) + "…"


def _link(app_url: str | None, day: str) -> tuple[str, str] | None:
    return None if not app_url else ("Open the digest", f"{app_url.rstrip('/')}/digests/{day}")
