"""Who is to be told what: decided anew each time, from the alerts and from what has been told.

So whatever a crash, a full disk or a changed configuration left half done is found by the next look.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from daemon.config.sections import Route
from daemon.dispatch.inhibition import Inhibition
from daemon.dispatch.routing import Routing
from daemon.dispatch.silences import muting
from state.records import Alert, Severity, Silence, Telling, replace


class Word(StrEnum):
    """What there is to say of an alert."""

    FIRED = "fired"
    WORSE = "worse"
    FURTHER = "further"  # nobody has acknowledged it in time
    AGAIN = "again"  # it is still open
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing to tell one receiver."""

    word: Word
    alert: Alert
    receiver: str
    telling: Telling | None  # how far this receiver has been told of it
    since: datetime  # when it became news
    origin: Telling | None = None  # whose silence it is that makes this go further

    @property
    def is_over(self) -> bool:
        return self.alert.resolved_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision rests on."""

    now: datetime
    routing: Routing
    inhibition: Inhibition
    silences: Sequence[Silence]  # those in force
    tellings: Mapping[str, Mapping[str, Telling]]  # by alert, then by receiver


class Survey:
    """One look at all the alerts, as many of them at a time as whoever looks likes."""

    def __init__(self, situation: Situation) -> None:
        self.news: dict[str, list[News]] = {}  # by receiver
        self.muted: list[Telling] = []  # decisions not to tell, to be kept
        self._situation = situation
        self._reminders: dict[str, list[News]] = {}

    def look_at(self, alerts: Iterable[Alert]) -> None:
        """Decide on these."""
        situation = self._situation
        for alert in alerts:
            known = situation.tellings.get(alert.id, {})
            if alert.resolved_at is not None and known and all(is_settled(it) for it in known.values()):
                continue  # the most frequent case, and the cheapest
            route = situation.routing.route_of(alert)
            _look_at_first_word(alert, known, route, situation, self)
            for telling in known.values():
                if telling.noticed_at is not None:
                    _look_at_more(alert, telling, route, situation, self)

    def finish(self) -> None:
        """Remind a receiver of all that is still open once one of it is due, so that it is one message."""
        for receiver, waiting in self._reminders.items():
            if any(_is_due(news, self._situation) for news in waiting):
                named = {news.alert.id for news in self.news.get(receiver, ())}
                for news in waiting:
                    if news.alert.id not in named:
                        self.add(news)

    def add(self, news: News) -> None:
        """This is to be told."""
        self.news.setdefault(news.receiver, []).append(news)

    def may_remind(self, news: News) -> None:
        """This is to be told again, if the receiver is reminded of anything."""
        self._reminders.setdefault(news.receiver, []).append(news)


def is_settled(telling: Telling) -> bool:
    """Whether nothing will ever be said of an alert that is over."""
    return telling.over_at is not None or (telling.noticed_at is None and telling.muted is not None)


def _look_at_first_word(
    alert: Alert, known: Mapping[str, Telling], route: Route | str, situation: Situation, found: Survey
) -> None:
    receiver = "" if isinstance(route, str) else route.receiver
    telling = known.get(receiver)
    if telling is not None and telling.noticed_at is not None:
        return
    if alert.resolved_at is not None and known:
        return  # it was muted as long as it lasted, or another receiver has been told of it
    reason = _why_muted(alert, route, situation)
    if reason is None:
        since = alert.first_at if not known else situation.now
        found.add(News(word=Word.FIRED, alert=alert, receiver=receiver, telling=telling, since=since))
    elif telling is None or telling.muted != reason:
        found.muted.append(_muted(alert, receiver, telling, reason))


def _look_at_more(
    alert: Alert,
    telling: Telling,
    route: Route | str,
    situation: Situation,
    found: Survey,
) -> None:
    def news(word: Word, since: datetime) -> News:
        return News(word=word, alert=alert, receiver=telling.receiver, telling=telling, since=since)

    if alert.resolved_at is not None:
        if telling.over_at is None:
            found.add(news(Word.OVER, alert.resolved_at))
        return
    if isinstance(route, str) or _why_muted(alert, route, situation) is not None:
        return
    if telling.severity is not None and telling.severity.rank < alert.severity.rank:
        found.add(news(Word.WORSE, alert.last_at))
    elif alert.acknowledged_at is None:
        if telling.receiver == route.receiver and _is_unheard(alert, telling, route, situation.now):
            found.add(_further(alert, telling, route, situation))
        assert telling.noticed_at is not None
        if situation.now >= telling.noticed_at + route.repeat_interval / 2:
            found.may_remind(news(Word.AGAIN, situation.now))


def _is_unheard(alert: Alert, telling: Telling, route: Route, now: datetime) -> bool:
    """Whether nobody has acknowledged a critical alert in the time there was for it."""
    if alert.severity is not Severity.CRITICAL or route.escalate_after is None:
        return False
    assert telling.noticed_at is not None
    return telling.escalated_at is None and now >= telling.noticed_at + route.escalate_after


def _further(alert: Alert, telling: Telling, route: Route, situation: Situation) -> News:
    """To the receiver it escalates to, or over the next channels of the same one."""
    receiver = route.escalate_to or telling.receiver
    other = situation.tellings.get(alert.id, {}).get(receiver)
    return News(
        word=Word.FURTHER,
        alert=alert,
        receiver=receiver,
        telling=other,
        since=situation.now,
        origin=telling,
    )


def _is_due(news: News, situation: Situation) -> bool:
    route = situation.routing.route_of(news.alert)
    assert news.telling is not None
    assert news.telling.noticed_at is not None
    return not isinstance(route, str) and situation.now >= news.telling.noticed_at + route.repeat_interval


def _why_muted(alert: Alert, route: Route | str, situation: Situation) -> str | None:
    if isinstance(route, str):
        return route
    if (silence := muting(situation.silences, alert)) is not None:
        return f"silenced by {silence.owner}: {silence.reason}"
    if (source := situation.inhibition.source_of(alert)) is not None:
        return child_of(source)
    return None


def child_of(source: Alert) -> str:
    """Why the children of an alert are not told."""
    return f"comes of {source.name} ({source.id})"


def _muted(alert: Alert, receiver: str, telling: Telling | None, reason: str) -> Telling:
    if telling is not None:
        return replace(telling, muted=reason)
    return Telling(
        id=telling_id(alert.id, receiver),
        alert_id=alert.id,
        receiver=receiver,
        count=alert.count,
        muted=reason,
    )


def telling_id(alert_id: str, receiver: str) -> str:
    """One telling for each alert and receiver."""
    return f"{alert_id}@{receiver}"
