"""Sees to it that every alert reaches a person: looks at what is owed, makes messages, has them sent."""

import asyncio
import logging
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.config import Config
from daemon.dispatch.book import Book
from daemon.dispatch.composing import Composed, children_of, compose
from daemon.dispatch.inhibition import RULES, Inhibition, Rule
from daemon.dispatch.outbox import Outbox
from daemon.dispatch.pacing import GAPS, earliest
from daemon.dispatch.routing import Routing
from daemon.dispatch.silences import Silences
from daemon.dispatch.survey import News, Situation, Survey, Word, child_of
from daemon.dispatch.wording import Scene, kind_of
from daemon.meters import Meters
from daemon.notify.health import ChannelHealth, Condition
from daemon.notify.notifier import Notifier
from daemon.watch.alerts import Alerts
from state.records import Delivery, Notice, NoticeState, Severity, Telling, replace
from state.store import Store

log = logging.getLogger(__name__)

LOOK = timedelta(seconds=5)  # what nobody woke it for (the end of a silence, a repeat) is found in this time
AT_A_TIME = 500  # alerts looked at before others have their turn: a few milliseconds
FORGETTING = timedelta(minutes=1)
CALM_S = 1.0  # between two looks that alerts have asked for
LATE = timedelta(minutes=5)
LATE_ALERT = "alert.late"
CHANNEL_DOWN = "channel.down"
LET_GO_S = 10.0


class Dispatcher:
    """The way from the alerts to the channels."""

    name = "dispatch"

    def __init__(
        self,
        store: Store,
        alerts: Alerts,
        notify: Notifier,
        clock: Clock,
        config: Config,
        meters: Meters | None = None,
    ) -> None:
        self.woken = asyncio.Event()
        self.silences = Silences(store, clock, alerts.note)
        self._alerts = alerts
        self._clock = clock
        self._book = Book(store)
        self._host = socket.gethostname()
        self._meters = meters or Meters()
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._news_since: dict[str, datetime] = {}  # by receiver: since when there is something to tell
        self._changed_channels: dict[str, ChannelHealth] = {}
        self._told_late: set[str] = set()
        self._forget_at = clock.now()
        self._looked_s = clock.monotonic() - CALM_S
        self._is_waking = False
        self._is_hurried = False
        self._is_ending = False
        self._proved = asyncio.Event()
        self.adopt(config, notify)
        alerts.on_change(self._wake)

    def adopt(self, config: Config, notify: Notifier) -> None:
        """Take a changed configuration: its routes, its receivers, its channels."""
        self._config = config
        self._notify = notify
        self._routing = Routing(config.alerts)
        self._rules = [
            *RULES,
            *(
                Rule(source=it.source, targets=tuple(it.targets), equal=tuple(it.equal))
                for it in config.alerts.inhibitions
            ),
        ]
        self._outbox = Outbox(self._book, notify, self._routing.channels_of, self._clock, self._note)
        notify.book.on_change = self._channel_changed
        self._is_changed = True
        self.woken.set()

    async def step(self) -> datetime:
        """Do what is due; at least every few seconds, and when an alert has changed."""
        now = self._clock.now()
        await self._book.keep_unstored()
        await self._notify.keep_unrecorded()
        await self._tell_of_channels()
        await self._tell_of_lateness(now)
        if now >= self._forget_at or now < self._forget_at - FORGETTING:
            self._book.forget()
            self._forget_at = now + FORGETTING
        found = await self._survey(now)
        await self._book.keep(*found.muted)
        for telling in found.muted:
            self._alerts.note(
                "muted", alert=telling.alert_id, receiver=telling.receiver, reason=telling.muted
            )
        due = await self._compose(found, now)
        self._begin_sending(now)
        self._looked_s = self._clock.monotonic()
        return min([now + LOOK, *due, *(it.next_try_at for it in self._waiting())])

    async def flush(self, within_s: float) -> None:
        """Tell what is to be told now, without waiting for more of it; where no loop steps this part."""
        self._is_hurried = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while await self._has_more():
                    await self._clock.sleep(CALM_S / 10)

    async def wait_told(self, alert_id: str, within_s: float) -> Telling | None:
        """How far somebody has been told of an alert, once that is proved; None when it takes longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (told := self._told(alert_id)) is None:
                    self._proved.clear()
                    await self._proved.wait()
                return told
        return None

    async def end(self) -> None:
        """Make no more messages; what is being sent gets a moment, what is not proved stays owed."""
        self._is_ending = True
        sending = set(self._sending.values())
        if sending:
            await asyncio.wait(sending, timeout=LET_GO_S)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    def tellings_of(self, alert_id: str) -> list[Telling]:
        """How far each receiver has been told of an alert."""
        return list(self._book.tellings.get(alert_id, {}).values())

    def notices_of(self, alert_id: str) -> list[Notice]:
        """The messages that speak of an alert, oldest first."""
        return self._book.notices_of(alert_id)

    def notices(self) -> Iterable[Notice]:
        """All messages of late, those that the disk has not taken yet among them."""
        return self._book.notices.values()

    def owed(self) -> list[Notice]:
        """The messages not proved to have arrived, oldest first."""
        return self._book.owed()

    async def _has_more(self) -> bool:
        """Do what is due; whether anything is on its way or owed after that."""
        await self.step()
        return bool(self._sending or self._waiting())

    def _told(self, alert_id: str) -> Telling | None:
        return next((it for it in self.tellings_of(alert_id) if it.told_at is not None), None)

    async def _survey(self, now: datetime) -> Survey:
        alerts = self._alerts.known()
        situation = Situation(
            now=now,
            routing=self._routing,
            inhibition=Inhibition(self._rules, alerts, now),
            silences=self.silences.active(now),
            tellings=self._book.tellings,
        )
        found = Survey(situation)
        for start in range(0, len(alerts), AT_A_TIME):
            found.look_at(alerts[start : start + AT_A_TIME])
            await self._clock.sleep(0)
        found.finish()
        return found

    async def _compose(self, found: Survey, now: datetime) -> list[datetime]:
        """Make the messages that may go; when the others may."""
        due = []
        occupied = {it.receiver for it in self._book.owed()}
        self._news_since = {
            receiver: self._news_since.get(receiver, now)
            for receiver in found.news
            if receiver not in occupied
        }
        for receiver, since in list(self._news_since.items()):
            news = found.news[receiver]
            may_go_at = now if self._is_hurried else self._may_go_at(receiver, news, since, now)
            if may_go_at > now or self._is_ending:
                due.append(may_go_at)
                continue
            composed = self._composed(receiver, news, now)
            await self._book.keep(composed.notice, *composed.tellings)
            self._note_made(composed.notice, news)
            del self._news_since[receiver]
        return due

    def _may_go_at(self, receiver: str, news: Sequence[News], since: datetime, now: datetime) -> datetime:
        """After what there is to wait for more of the same, and not too soon after the last message."""
        if kind_of(news) == "test":
            return now
        wait = max((self._routing.group_wait_of(it.alert) for it in news), default=timedelta(0))
        sent = self._book.sent_to(receiver, now - GAPS[-1])
        # A clock put back meanwhile must not make it wait for the time to come round again.
        return max(min(since, now) + wait, earliest(sent, now))

    def _composed(self, receiver: str, news: Sequence[News], now: datetime) -> Composed:
        alerts = {it.id: it for it in self._alerts.known()}
        reasons = {child_of(it.alert): it.alert.id for it in news}
        muted = (it for known in self._book.tellings.values() for it in known.values())
        scene = Scene(
            now=now,
            host=self._host,
            app_url=self._config.digest.app_url,
            children=children_of(muted, reasons),
        )
        channels = self._outbox.usable(receiver)
        return compose(receiver, news, book=self._book, alerts=alerts, channels=channels, scene=scene)

    def _waiting(self) -> list[Notice]:
        return [it for it in self._book.owed() if it.id not in self._sending]

    def _begin_sending(self, now: datetime) -> None:
        if self._is_ending:
            return
        for notice in self._waiting():
            if notice.next_try_at <= now or notice.next_try_at > now + 2 * LOOK + LATE:
                task = asyncio.create_task(self._deliver(notice), name=f"notice-{notice.id}")
                self._sending[notice.id] = task
                task.add_done_callback(self._sent)

    async def _deliver(self, notice: Notice) -> None:
        ended = await self._outbox.deliver(notice)
        if ended.state is NoticeState.DELIVERED:
            await self._book.keep(*_proved(ended, self._book.tellings))
            await self._judge_lateness(ended)
            self._told_late.discard(ended.id)
        self._proved.set()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending = {key: it for key, it in self._sending.items() if it is not task}
        self.woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("notice.broke", exc_info=error, extra={"fields": {"task": task.get_name()}})

    async def _judge_lateness(self, notice: Notice) -> None:
        assert notice.delivered_at is not None
        took = notice.delivered_at - notice.since
        if notice.kind != "alert":
            return
        self._meters.telling.note(took.total_seconds())
        if took <= LATE:
            await self._alerts.resolve(LATE_ALERT, {"receiver": notice.receiver})
        elif notice.id not in self._told_late:
            await self._fire_late(notice, took)

    async def _tell_of_lateness(self, now: datetime) -> None:
        """What is not proved after five minutes is an alert of its own, on the record at least."""
        for notice in self._book.owed():
            if notice.kind == "alert" and notice.id not in self._told_late and now - notice.since > LATE:
                self._told_late.add(notice.id)
                await self._fire_late(notice, now - notice.since)

    async def _fire_late(self, notice: Notice, took: timedelta) -> None:
        known = self._alerts.known()
        if all(it.name == LATE_ALERT for it in known if it.id in notice.alerts):
            return  # a late word about lateness is no news
        await self._alerts.fire(
            LATE_ALERT,
            severity=Severity.ERROR,
            summary=f"{notice.receiver} was not reached within 5 minutes: {notice.title}",
            labels={"receiver": notice.receiver},
            details={"notice": notice.id, "took_s": round(took.total_seconds()), "error": notice.error},
            advice="nightdesk test channels",
        )

    def _channel_changed(self, name: str, health: ChannelHealth) -> None:
        self._changed_channels[name] = health
        self.woken.set()

    async def _tell_of_channels(self) -> None:
        """A channel that does not work is an alert itself, and goes over the others."""
        await self._end_what_is_gone()
        changed, self._changed_channels = self._changed_channels, {}
        for name, health in changed.items():
            if not health.is_down:
                await self._alerts.resolve(CHANNEL_DOWN, {"channel": name})
                continue
            is_dead = health.state is Condition.DEAD
            what = "refuses messages" if is_dead else "does not answer"
            await self._alerts.fire(
                CHANNEL_DOWN,
                severity=Severity.ERROR,
                summary=f"The channel {name} {what}",
                labels={"channel": name},
                details={"error": health.error, "state": health.state.value},
                advice=f"nightdesk notify test {name}",
            )

    async def _end_what_is_gone(self) -> None:
        """Of a channel or a receiver that the config names no more there is nothing to wait for."""
        if not self._is_changed:
            return
        self._is_changed = False
        for alert in self._alerts.open:
            is_gone = (
                alert.name == CHANNEL_DOWN and alert.labels.get("channel") not in self._notify.channels
            ) or (alert.name == LATE_ALERT and not self._outbox.usable(alert.labels.get("receiver", "")))
            if is_gone:
                await self._alerts.resolve(alert.name, alert.labels)

    def _note(self, event: str, notice: Notice, delivery: Delivery) -> None:
        self._alerts.note(
            event,
            notice=notice.id,
            receiver=notice.receiver,
            channel=delivery.channel,
            state=delivery.state.value,
            attempt=delivery.attempts,
            error=delivery.error,
            alerts=len(notice.alerts),
            took_s=round((self._clock.now() - notice.since).total_seconds(), 3),
        )

    def _note_made(self, notice: Notice, news: Sequence[News]) -> None:
        for it in news:
            if it.word in (Word.FURTHER, Word.AGAIN):
                event = "escalated" if it.word is Word.FURTHER else "reminded"
                self._alerts.note(event, alert=it.alert.id, receiver=notice.receiver, notice=notice.id)

    def _wake(self) -> None:
        """Look soon; in a storm not more often than once a second."""
        passed_s = self._clock.monotonic() - self._looked_s
        if passed_s >= CALM_S:
            self.woken.set()
        elif not self._is_waking:
            self._is_waking = True
            self._clock.call_later(CALM_S - passed_s, self._ring)

    def _ring(self) -> None:
        self._is_waking = False
        self.woken.set()


def _proved(notice: Notice, tellings: Mapping[str, Mapping[str, Telling]]) -> Iterable[Telling]:
    """What counts as told now that a notice is known to have arrived."""
    for alert_id in notice.alerts:
        telling = tellings.get(alert_id, {}).get(notice.receiver)
        if telling is not None and telling.told_at is None:
            yield replace(telling, told_at=notice.delivered_at)
