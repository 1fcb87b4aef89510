"""How a row of the channel table is tried: receivers as strict as the real one, and ones that fail."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from daemon.notify.base import Failure


class There(Protocol):
    """A receiver that is there, and what it has been sent."""

    url: str
    bodies: list[bytes]
    heads: list[bytes]
    arrived: asyncio.Event  # set once a message, or the place to put it, has been asked for
    connections: int


Opening = Callable[[], AbstractAsyncContextManager[There]]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One row: its entry in the config, and the receivers it is tried on, each by a short name."""

    options: Callable[[There], Mapping[str, Any]]  # the canary TOKEN is in every secret of it
    strict: Opening  # takes what the real one takes, refuses what it refuses
    failing: Mapping[Failure, Mapping[str, Opening]]  # what each failure has to be told as
    silent: Opening  # takes the message and never answers
    gone: Callable[[], Mapping[str, Any]] | None = None  # an entry that leads to nobody
