"""The ladder made from its section of the config."""

import hashlib
from dataclasses import dataclass
from functools import partial

from daemon.clock import Clock
from daemon.config.reporting import LlmSection, ProviderSection
from daemon.context import Services
from daemon.meters import Meters
from daemon.notify.http import HttpClient
from daemon.watch.alerts import Alerts
from handlers.llm import open_provider
from handlers.llm.base import Trouble
from handlers.llm.chain import Ladder, Template
from handlers.llm.circuit import Circuit
from handlers.llm.crowd import Crowd
from handlers.llm.purse import Purse
from handlers.llm.rung import Rung
from handlers.llm.tally import Tally
from handlers.llm.template import template_prose
from state.store import Store

# An answer that is not streamed is silence until it is there, so both limits have to bear a slow model.
SILENCE_S = 60.0
LONGEST_S = 120.0
CONNECT_S = 5.0
KEPT_AS = "llm.ladder"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A ladder with the client that its providers are asked by."""

    ladder: Ladder
    http: HttpClient

    async def close(self) -> None:
        await self.ladder.close()
        await self.http.close()


async def ladder_of(house: Services) -> Ladder:
    """The ladder of this house, made where it is not yet: one for all who ask, so that they know the same.

    Raises:
        RuntimeError: the daemon is closing.
    """

    async def make() -> _Opened:
        llm = house.config.llm
        http = llm_http(llm, allow_private=house.config.network.allow_private)
        ladder = open_ladder(
            llm, http, house.store, house.alerts, house.clock, meters=house.meters, crowd=_crowd_of(house)
        )
        return _Opened(ladder, http)

    return (await house.kept.get(KEPT_AS, make)).ladder


def _crowd_of(house: Services) -> Crowd | None:
    """Those who wait; None where no reports are made, and the ladder is only tried out."""
    if house.ledger is None or house.config.reports is None:
        return None
    return Crowd(house.ledger, house.clock, house.config.reports.concurrency)


def llm_http(section: LlmSection, *, allow_private: bool) -> HttpClient:
    """The HTTP client of all providers; whoever makes it closes it."""
    slowest_s = max((it.timeout.total_seconds() for it in section.providers), default=0.0)
    return HttpClient(
        allow_private=allow_private,
        connect_s=CONNECT_S,
        silence_s=max(SILENCE_S, slowest_s),
        longest_s=max(LONGEST_S, slowest_s),
        per_host=max((it.concurrency for it in section.providers), default=1),
    )


def open_ladder(
    section: LlmSection,
    http: HttpClient,
    store: Store,
    alerts: Alerts,
    clock: Clock,
    template: Template = template_prose,
    *,
    meters: Meters | None = None,
    crowd: Crowd | None = None,
) -> Ladder:
    """Make the ladder; nothing is asked yet, and breakers stand as they stood before the restart."""
    counting = meters or Meters()
    return Ladder(
        [_rung(provider, http, store, alerts, clock, counting) for provider in section.providers],
        template,
        Purse(section.daily_budget, store, alerts, clock),
        clock,
        reserve_s=section.delivery_reserve.total_seconds(),
        shortest_s=section.shortest_slice.total_seconds(),
        crowd=crowd,
    )


def _rung(
    section: ProviderSection,
    http: HttpClient,
    store: Store,
    alerts: Alerts,
    clock: Clock,
    meters: Meters,
) -> Rung:
    meters.expect(providers=[section.name])
    for trouble in Trouble:
        meters.llm_calls.expect(section.name, trouble.value)
    return Rung(
        open_provider(section, http, clock),
        Circuit(section.name, identity_of(section), store, alerts, clock),
        clock,
        longest_s=section.timeout.total_seconds(),
        places=section.concurrency,
        room_tokens=section.max_input,
        tally=Tally(
            price_in=section.price_in,
            price_out=section.price_out,
            also=partial(meters.called, section.name),
        ),
    )


def identity_of(section: ProviderSection) -> str:
    """Whom a breaker speaks of: another model or address under the same name starts anew.

    The key is no part of it, so that no trace of a secret is kept.
    """
    whom = f"{section.type} {section.base_url} {section.model}"
    return hashlib.sha256(whom.encode()).hexdigest()[:16]
