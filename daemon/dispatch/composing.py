"""From news to a notice: which incident it belongs to, what is said, and what counts as told by it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.dispatch.book import Book
from daemon.dispatch.survey import News, Word, telling_id
from daemon.dispatch.wording import Scene, kind_of, message_of
from daemon.notify.wire import to_wire
from state.records import Alert, Notice, NoticeState, Telling, replace

# What comes so soon after the last message about an incident belongs to it.
JOINS_WITHIN = timedelta(minutes=10)
LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A notice, and what its receiver counts as told with it."""

    notice: Notice
    tellings: tuple[Telling, ...]


def compose(
    receiver: str,
    news: Sequence[News],
    *,
    book: Book,
    alerts: Mapping[str, Alert],
    channels: Sequence[str],
    scene: Scene,
) -> Composed:
    """Make the one message that tells a receiver all its news."""
    now = scene.now
    incident = _incident_of(receiver, news, book, alerts, now)
    tellings = [_told(it, incident, now) for it in news]
    tellings += [replace(origin, escalated_at=now) for it in news if (origin := _elsewhere(it)) is not None]
    kind = kind_of(news)
    notice_id = _free_id(f"{kind}-{now:%Y%m%dT%H%M%S%f}-{receiver}", book)
    closes = _closed(receiver, news, {it.id: it for it in tellings}, book, alerts)
    message = message_of(news, scene, message_id=notice_id, thread=incident, closes=closes)
    notice = Notice(
        id=notice_id,
        receiver=receiver,
        incident=incident,
        kind=kind,
        title=message.title[:LONGEST_TITLE],
        message=to_wire(message),
        alerts=tuple(it.alert.id for it in news),
        since=message.created_at,
        created_at=now,
        next_try_at=now,
        skip=_skip(receiver, news, book, channels),
    )
    return Composed(notice=notice, tellings=tuple(tellings))


def children_of(tellings: Iterable[Telling], reasons: Mapping[str, str]) -> Counter[str]:
    """How many alerts come of each; `reasons` are their mutings, with the alert that each one names."""
    return Counter(
        reasons[it.muted]
        for it in tellings
        if it.noticed_at is None and it.muted is not None and it.muted in reasons
    )


def _elsewhere(news: News) -> Telling | None:
    """The record of the receiver that an alert goes further from, where it goes to another one."""
    origin = news.origin
    return None if origin is None or origin.receiver == news.receiver else origin


def _told(news: News, incident: str, now: datetime) -> Telling:
    alert = news.alert
    known = news.telling or Telling(
        id=telling_id(alert.id, news.receiver), alert_id=alert.id, receiver=news.receiver
    )
    return replace(
        known,
        incident=known.incident or incident,
        severity=alert.severity,
        count=alert.count,
        noticed_at=now,
        escalated_at=now if news.word is Word.FURTHER else known.escalated_at,
        over_at=now if news.is_over else None,
        muted=None,
    )


def _incident_of(
    receiver: str, news: Sequence[News], book: Book, alerts: Mapping[str, Alert], now: datetime
) -> str:
    """The incident whose thread a message goes into.

    New trouble joins the last one while that is young, open and acknowledged by nobody: an alert that
    slipped into what somebody had already taken on would wake nobody up.
    """
    fresh = [it for it in news if it.word is Word.FIRED]
    if not fresh:
        oldest = min(news, key=lambda it: it.alert.first_at)
        known = oldest.telling or oldest.origin
        if known is not None and known.incident is not None:
            return known.incident
    last = max(
        (it for it in book.notices.values() if it.receiver == receiver and it.kind != "test"),
        key=lambda it: it.created_at,
        default=None,
    )
    if last is not None and now - last.created_at < JOINS_WITHIN:
        members = [alerts[it] for it in last.alerts if it in alerts]
        if any(it.is_open for it in members) and not any(it.acknowledged_at for it in members):
            return last.incident
    return f"incident-{now:%Y%m%dT%H%M%S%f}-{receiver}"


def _closed(
    receiver: str,
    news: Sequence[News],
    tellings: Mapping[str, Telling],
    book: Book,
    alerts: Mapping[str, Alert],
) -> tuple[str, ...]:
    """The incidents that are at their end: nothing in them is open any more."""
    ended = {tellings[telling_id(it.alert.id, receiver)].incident for it in news if it.is_over}
    still_open = set()
    for alert_id, known in book.tellings.items():
        telling = tellings.get(telling_id(alert_id, receiver)) or known.get(receiver)
        if (
            telling is not None
            and telling.incident in ended
            and alert_id in alerts
            and alerts[alert_id].is_open
        ):
            still_open.add(telling.incident)
    for it in news:
        if not it.is_over:
            still_open.add(tellings[telling_id(it.alert.id, receiver)].incident)
    return tuple(sorted(incident for incident in ended - still_open if incident is not None))


def _skip(receiver: str, news: Sequence[News], book: Book, channels: Sequence[str]) -> int:
    """Where an escalation within one receiver begins: behind the channel that nobody has answered on."""
    if any(it.word is not Word.FURTHER or _elsewhere(it) is not None for it in news):
        return 0
    for notice in reversed(book.notices_of(news[0].alert.id)):
        is_told = notice.receiver == receiver and notice.state is NoticeState.DELIVERED
        if is_told and notice.channel in channels:
            return channels.index(notice.channel) + 1
    return 0


def _free_id(wanted: str, book: Book) -> str:
    """Two messages never share an id, not even in a clock that stands still."""
    number, free = 1, wanted
    while free in book.notices:
        number += 1
        free = f"{wanted}-{number}"
    return free
