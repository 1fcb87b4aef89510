"""How a row of the channel table is tried: receivers as strict as the real one, and ones that fail."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from daemon.notify.base import Failure


class There(Protocol):
    """A receiver that is there, and what it has been sent."""

    url: str
    bodies: list[bytes]  # one a message; what asks without sending one leaves none, or an empty one
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
    echoing: Opening | None = None  # accepts, and repeats the canary
    endless: Mapping[str, Opening] = field(default_factory=dict)  # answers that are slow, or far too much
    luring: Callable[[str], AbstractAsyncContextManager[There]] | None = None  # sends callers to an address
    hurried: Mapping[str, float] = field(default_factory=dict)  # constants, by dotted name, too long to wait
    asks_nobody: bool = False  # its check reads the entry and goes nowhere
    carries: str | None = None  # the one kind of message that may be sent, where not all may
