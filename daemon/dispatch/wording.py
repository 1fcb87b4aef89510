"""What a person reads of alerts: at three in the morning, on a phone, half awake."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.dispatch.routing import TEST_ALERT
from daemon.dispatch.survey import News, Word
from daemon.durations import format_duration
from daemon.notify.base import Entry, Message
from state.records import Alert, Severity

SAID = {
    Word.FIRED: "new",
    Word.WORSE: "worse than before",
    Word.FURTHER: "nobody has acknowledged it",
    Word.AGAIN: "still open",
    Word.OVER: "over",
}
# In what order things are read: what is worst and new first.
RANK = {Word.FURTHER: 0, Word.FIRED: 1, Word.WORSE: 1, Word.AGAIN: 2, Word.OVER: 3}
MOST_ENTRIES = 5_000  # as many as a mail can hold; the notice itself has the ids of all
MOST_LABELS_TOLD = 8
MOST_DETAILS_TOLD = 8
LONGEST_ERROR = 800
LONGEST_DETAIL = 400
ERRORS = ("error", "reason")  # the details that say what went wrong: these are told in the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a message needs to know besides its news."""

    now: datetime
    host: str
    app_url: str | None
    children: Mapping[str, int]  # by alert: how many come of it and are not told


def kind_of(news: Sequence[News]) -> str:
    """The kind of the message: an end only if all of it is over, a test only if nothing else is in it."""
    if all(it.alert.name == TEST_ALERT for it in news):
        return "test"
    if all(it.word is Word.OVER for it in news):
        return "resolved"
    words = {it.word for it in news if it.word is not Word.OVER}
    return "escalation" if words == {Word.FURTHER} else "alert"


def loudness(news: Sequence[News]) -> Severity | None:
    """The gravest of what is not over."""
    open_ones = [it.alert.severity for it in news if it.word is not Word.OVER]
    return max(open_ones, key=lambda it: it.rank, default=None)


def title_of(news: Sequence[News]) -> str:
    """One line that says it all, or as much as a line can."""
    if len(news) == 1:
        [only] = news
        return (
            f"Over: {only.alert.summary}" if only.word is Word.OVER else _escalated(only) + only.alert.summary
        )
    counts = Counter(it.alert.severity for it in news if it.word is not Word.OVER)
    told = [f"{n:,} {severity.value}" for severity, n in sorted(counts.items(), key=lambda it: -it[0].rank)]
    over = sum(it.word is Word.OVER for it in news)
    told += [f"{over:,} over"] if over else []
    return f"{len(news):,} alerts: {', '.join(told)}"


def _escalated(news: News) -> str:
    return "Not acknowledged: " if news.word is Word.FURTHER else ""


def message_of(
    news: Sequence[News], scene: Scene, *, message_id: str, thread: str, closes: tuple[str, ...]
) -> Message:
    """The whole message; the gravest first, every alert named."""
    ordered = sorted(news, key=lambda it: (RANK[it.word], -it.alert.severity.rank, it.alert.first_at))
    one = ordered[0].alert if len(ordered) == 1 else None
    return Message(
        id=message_id,
        kind=kind_of(news),
        title=title_of(ordered),
        text=_text_of_one(ordered[0]) if one else _text_of_many(ordered),
        severity=loudness(news),
        facts=_facts_of_one(ordered[0], scene) if one else _facts_of_many(ordered, scene),
        entries=() if one else _entries(ordered, scene),
        link=_link(one, scene.app_url),
        thread=thread,
        closes=closes,
        created_at=min(it.since for it in news),
    )


def _text_of_one(news: News) -> str:
    alert = news.alert
    if news.word is Word.OVER:
        lasted = (alert.resolved_at or alert.last_at) - alert.first_at
        return f"It is over. It lasted {_span(lasted)}."
    parts = []
    if news.word is Word.FURTHER:
        parts.append("It has been told, and nobody has acknowledged it since.")
    elif news.word is not Word.FIRED:
        parts.append(f"It is {SAID[news.word]}.")
    if (error := _error_of(alert)) is not None:
        parts.append(f"Last error: {error}")
    if alert.advice:
        parts.append(f"What to do: {alert.advice}")
    if not news.is_over:
        parts.append(f"To say that you are on it: nightdesk alerts ack {alert.id}")
    return "\n\n".join(parts)


def _text_of_many(ordered: Sequence[News]) -> str:
    named = Counter((it.alert.name, it.word) for it in ordered)
    lines = [
        f"{count:,} × {name}: {SAID[word]}" for (name, word), count in named.most_common(MOST_LABELS_TOLD)
    ]
    if (left := len(ordered) - MOST_ENTRIES) > 0:
        lines.append(f"{left:,} more are not named here: nightdesk alerts list --open")
    told, shared = "\n".join(lines), _shared_advice(ordered)
    return told if shared is None else f"{told}\n\nWhat to do: {shared}"


def _shared_advice(ordered: Sequence[News]) -> str | None:
    """What helps against all of it: that is said once, on top."""
    advice = {it.alert.advice for it in ordered if it.alert.advice and it.word is not Word.OVER}
    return advice.pop() if len(advice) == 1 else None


def _facts_of_one(news: News, scene: Scene) -> tuple[tuple[str, str], ...]:
    alert = news.alert
    facts = [("Alert", alert.name), ("Since", _time(alert.first_at))]
    if alert.count > 1:
        facts.append(("Times", f"{alert.count:,}, last {_time(alert.last_at)}"))
    if alert.resolved_at is not None and alert.resolved_at != alert.first_at:
        facts.append(("Over", _time(alert.resolved_at)))
    facts += [(name.capitalize(), value) for name, value in list(alert.labels.items())[:MOST_LABELS_TOLD]]
    facts += _details(alert)
    if (children := scene.children.get(alert.id, 0)) > 0:
        facts.append(("Comes of it", f"{children:,} more alerts, not told one by one"))
    return (*facts, ("Host", scene.host))


def _details(alert: Alert) -> Iterator[tuple[str, str]]:
    """What else is known, where it can be said in a line: "inFlight" becomes "In flight"."""
    known = [(name, value) for name, value in alert.details.items() if name not in ERRORS and value]
    for name, value in known[:MOST_DETAILS_TOLD]:
        told = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name)
        yield words.capitalize(), told[:LONGEST_DETAIL]


def _facts_of_many(ordered: Sequence[News], scene: Scene) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Since", _time(min(it.alert.first_at for it in ordered))),
        ("Last", _time(max(it.alert.last_at for it in ordered))),
    ]
    if (children := sum(scene.children.get(it.alert.id, 0) for it in ordered)) > 0:
        facts.append(("Comes of them", f"{children:,} more alerts, not told one by one"))
    return (*facts, ("Host", scene.host))


def _entries(ordered: Sequence[News], scene: Scene) -> tuple[Entry, ...]:
    shared = _shared_advice(ordered)
    return tuple(_entry(it, scene, is_advised=shared is None) for it in ordered[:MOST_ENTRIES])


def _entry(news: News, scene: Scene, *, is_advised: bool) -> Entry:
    alert = news.alert
    note = [alert.severity.value, SAID[news.word], f"since {_time(alert.first_at)}"]
    if alert.count > 1:
        note.append(f"{alert.count:,} times")
    if (children := scene.children.get(alert.id, 0)) > 0:
        note.append(f"{children:,} more come of it")
    link = _link(alert, scene.app_url)
    return Entry(
        title=alert.summary,
        url=None if link is None else link[1],
        note=" · ".join(note),
        text=(alert.advice or "") if is_advised and news.word is not Word.OVER else "",
    )


def _error_of(alert: Alert) -> str | None:
    for name in ERRORS:
        if (said := alert.details.get(name)) is not None:
            return str(said)[:LONGEST_ERROR]
    return None


def _link(alert: Alert | None, app_url: str | None) -> tuple[str, str] | None:
    if not app_url:
        return None
    page = app_url.rstrip("/") + ("/alerts" if alert is None else f"/alerts/{alert.id}")
    return ("Open the alerts" if alert is None else "Open the alert", page)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _span(span: timedelta) -> str:
    return format_duration(span)
