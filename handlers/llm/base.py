"""What a provider of language models is: somebody who is asked for prose, and may fail in known ways."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from handlers.llm.names import Names
    from handlers.reporting.base import Facts

TEMPLATE = "template"  # the rung that no provider may be called like


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the prose of one company's day is written from."""

    company_id: str
    company_name: str
    date: date
    facts: "Facts"
    others: "Names | None" = None  # the names of all companies: none but its own may be in the prose


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is told. `user` holds foreign data between two lines of `fence`."""

    system: str
    user: str
    fence: str


class Trouble(StrEnum):
    """Why a provider gave no prose, and with it what may be done next."""

    TRANSIENT = "transient"  # not reached, overloaded, or talking nonsense: once more may help
    RATE = "rate"  # asked too often; it may say when to come back
    MONEY = "money"  # no credit, no quota: nobody needs to ask for hours
    AUTH = "auth"  # the key is not taken
    GONE = "gone"  # there is no such model, or nothing at this address
    REFUSED = "refused"  # it will not write this: its content filter, its policy
    INVALID = "invalid"  # it does not understand the request
    CUT = "cut"  # it ended in the middle
    BAD_OUTPUT = "bad-output"  # empty, or not what the facts say
    TOO_LARGE = "too-large"  # more than the model takes
    TIMEOUT = "timeout"  # its time was over


class ProviderError(Exception):
    """A provider gave no prose that can be used. The text holds no secret and nothing of the answer's."""

    def __init__(
        self,
        reason: str,
        *,
        trouble: Trouble,
        retry_after: timedelta | None = None,
        may_repeat: bool = True,
        tokens_in: int = 0,
        tokens_out: int = 0,
    ) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.retry_after = retry_after
        self.may_repeat = may_repeat  # False: the provider itself says that asking again cannot help
        self.tokens_in = tokens_in  # what is billed though nothing came of it
        self.tokens_out = tokens_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model wrote, whole and unread: untrusted text."""

    text: str
    tokens_in: int
    tokens_out: int
    model: str


class Provider(Protocol):
    """One model at one provider.

    `ask` returns an Answer or raises ProviderError; it retries nothing that was billed, stays inside
    `timeout_s` seconds, and ends within a second of being cancelled.
    """

    @property
    def name(self) -> str: ...

    async def ask(self, prompt: Prompt, timeout_s: float) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """How one rung did. `trouble` is None where its prose was taken."""

    provider: str
    trouble: Trouble | None
    took_s: float  # 0 where it was passed over: resting, no time left, or the data too large for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """The prose of one report, and where it came from. Still untrusted text: renderers escape it."""

    text: str
    rung: str  # a provider's name, or "template"
    is_degraded: bool  # a rung below the first one wrote it
    tokens_in: int = 0  # of all tries
    tokens_out: int = 0
    cost_usd: float = 0.0
    tries: tuple[Try, ...] = ()
