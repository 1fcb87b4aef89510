"""By which channels a company's report goes, and one send on one of them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.notify.base import Channel, ChannelError, Mailing, Message
from daemon.notify.notifier import LONGEST_ERROR, LONGEST_PROOF, OUTCOME_OF, SEND_S, Notifier
from daemon.notify.text import cut, one_line
from handlers.reporting.base import Rendered, Report
from handlers.reporting.following import Sent
from state.ledger.records import Company
from state.records import Delivery, DeliveryState

KIND = "report"
# Mail servers refuse a fourth connection; the channel's own, for alerts, is one of them.
MAILS_AT_ONCE = 2
RECORDS_AT_ONCE = 100  # on a channel that writes on this machine: a whole batch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to a company."""

    name: str  # of the channel in the config
    channel: Channel
    is_own_mail: bool = False  # to the company's own addresses

    @property
    def may_repeat(self) -> bool:
        """Whether a second copy shows as one; what is only a record has been shown to nobody."""
        return self.channel.dedupes or not self.channel.is_delivery


class NoRoute(Exception):
    """A company cannot be sent anything. The text says what to correct."""


def routes_of(company: Company, channels: Mapping[str, Channel]) -> list[Route]:
    """The ways to a company, the first to be tried first: its recipients, then its channel.

    A channel that carries mail carries it to the recipients, where there are any.

    Raises:
        NoRoute: there is none.
    """
    chosen = channels.get(company.channel) if company.channel else None
    if company.channel and chosen is None and not company.recipients:
        known = ", ".join(sorted(channels)) or "none"
        raise NoRoute(f'{company.id}: there is no channel "{company.channel}"; configured: {known}')
    routes = [_by_mail(company, channels)] if company.recipients else []
    if chosen is not None and company.channel and company.channel not in {it.name for it in routes}:
        routes.append(Route(name=company.channel, channel=chosen))
    if not routes:
        raise NoRoute(f"{company.id} has neither recipients nor a channel; correct the roster")
    return routes


def _by_mail(company: Company, channels: Mapping[str, Channel]) -> Route:
    carriers = {name: it for name, it in channels.items() if isinstance(it, Mailing) and ":" not in name}
    name = company.channel if company.channel in carriers else next(iter(carriers), None)
    if name is None:
        raise NoRoute(
            f"{company.id} has recipients, and no channel carries mail; add one of type smtp or email"
        )
    try:
        channel = carriers[name].addressed(company.recipients)
    except ValueError as error:
        raise NoRoute(f"{company.id}: recipients: {error}; correct the roster") from None
    return Route(name=name, channel=channel, is_own_mail=True)


def as_message(report: Report, rendered: Rendered) -> Message:
    """The report as a message of its stable id."""
    return Message(
        id=report.stable_id,
        kind=KIND,
        title=f"{report.company_name}: {report.date.isoformat()}",
        text=rendered.text,
        html=rendered.html,
        created_at=report.generated_at,
    )


class Places:
    """How many reports may be on each channel at once: waiting here costs no attempt, on a channel it may."""

    def __init__(self) -> None:
        self._places: dict[str, asyncio.Semaphore] = {}

    def on(self, route: Route) -> asyncio.Semaphore:
        """The places of a channel."""
        if route.name not in self._places:
            self._places[route.name] = asyncio.Semaphore(_at_once(route))
        return self._places[route.name]


def _at_once(route: Route) -> int:
    if route.is_own_mail:
        return MAILS_AT_ONCE
    return 1 if route.channel.is_delivery else RECORDS_AT_ONCE


async def send(route: Route, message: Message, notify: Notifier, now: datetime) -> Sent:
    """Send once; what came of it is also noted for the health of the channel. Raises only cancellation."""
    sent = await _tried(route, message)
    notify.count(route.name, sent.state)
    # That one company's address is refused says nothing of the channel.
    if not (route.is_own_mail and sent.state is DeliveryState.FAILED):
        notify.book.note(_as_delivery(route, message, sent, now), now)
    return sent


async def _tried(route: Route, message: Message) -> Sent:
    try:
        async with asyncio.timeout(SEND_S):
            receipt = await route.channel.send(message)
    except ChannelError as error:
        told = cut(one_line(str(error)), LONGEST_ERROR)
        return Sent(state=OUTCOME_OF[error.failure], error=told, retry_after=error.retry_after)
    except TimeoutError:
        return Sent(state=DeliveryState.UNKNOWN, error="no answer in time; the report may have arrived")
    # A channel is a stranger's library away from any exception there is, and the report may be out. Its
    # text may hold an address with its token; its class does not.
    except Exception as error:
        kind = type(error).__name__
        fields = {"message_id": message.id, "channel": route.name, "error": kind}
        log.log(logging.ERROR, "delivery.broke", extra={"fields": fields})
        return Sent(
            state=DeliveryState.UNKNOWN, error=f"the channel broke ({kind}); the report may have arrived"
        )
    return Sent(state=DeliveryState.DELIVERED, proof=cut(one_line(receipt.proof), LONGEST_PROOF))


def _as_delivery(route: Route, message: Message, sent: Sent, now: datetime) -> Delivery:
    return Delivery(
        id=f"{message.id}@{route.name}",
        kind=KIND,
        subject=message.id,
        channel=route.name,
        state=sent.state,
        title=message.title,
        created_at=now,
        last_tried_at=now,
        error=sent.error,
    )


def names_of(routes: Sequence[Route]) -> str:
    """The channels, as people are told them."""
    return ", ".join(route.name for route in routes)
