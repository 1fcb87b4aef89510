"""What all channels by HTTP are tried on: every status that fails, lost answers, endless ones, lures."""

import gzip
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from daemon.notify.base import Failure
from tests.contracts.rig import Opening, Rig, There
from tests.daemon.notify.receivers import (
    TOKEN,
    Script,
    dripping_body,
    dripping_head,
    flooding,
    hanging_up,
    receiver,
    resetting,
    saying,
    silent,
    talking_nonsense,
)

TRANSIENT = (408, 425, 429, 500, 502, 503, 504, 529)
PERMANENT = (301, 307, 400, 401, 403, 404, 410, 413)
ECHO = f"no {TOKEN} here"  # a receiver may repeat what it was sent
LOST: Mapping[str, Script] = {
    "resetting": resetting,
    "hanging up": hanging_up,
    "silent": silent,
    "talking nonsense": talking_nonsense,
    "dripping head": dripping_head,
}
BOMB = gzip.compress(b"A" * 50_000_000, compresslevel=1)
ENDLESS: Mapping[str, Script] = {
    "dripping body": dripping_body,
    "flooding": flooding,
    "gzip bomb": saying(200, BOMB, Content_Encoding="gzip"),
}

Scripts = Mapping[str, Script]


def http_rig(
    strict: Opening,
    options: Callable[[There], Mapping[str, Any]],
    *,
    transient: Scripts | None = None,
    permanent: Scripts | None = None,
    unknown: Scripts | None = None,
    hurried: Mapping[str, float] | None = None,
) -> Rig:
    """Make the rig of a channel by HTTP; failures of its own are added to those that all have.

    A name given again stands in for the common one: `permanent={"400": saying(400, …)}`.
    """
    refused: dict[str, Script] = {
        str(status): saying(status, ECHO, Location=f"/{TOKEN}") for status in PERMANENT if status < 400
    }
    refused |= {str(status): saying(status, ECHO) for status in PERMANENT if status >= 400}
    return Rig(
        options=options,
        strict=strict,
        failing={
            Failure.TRANSIENT: _openings(
                {str(status): saying(status, ECHO) for status in TRANSIENT}, transient
            ),
            Failure.PERMANENT: _openings(refused, permanent),
            Failure.UNKNOWN: _openings(LOST, unknown),
        },
        silent=partial(receiver, silent),
        echoing=partial(receiver, saying(200, f"ok {TOKEN}")),
        endless=_openings(ENDLESS, None),
        luring=_luring,
        hurried=hurried or {},
    )


def _openings(common: Scripts, own: Scripts | None) -> dict[str, Opening]:
    return {name: partial(receiver, script) for name, script in {**common, **(own or {})}.items()}


def _luring(address: str) -> AbstractAsyncContextManager[There]:
    return receiver(saying(307, Location=address))
