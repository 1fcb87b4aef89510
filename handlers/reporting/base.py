"""What a report is made of: the facts of a company's day, where they come from, and how they are dressed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar, Protocol

from daemon.config.problems import Place, key_text
from daemon.notify.base import Failure, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a report; every value is plain, every row as long as `columns`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one company's day.

    Values are plain: None, bool, int, float, str, and tuples and dicts of these. A figure `x` may have a
    companion `x_week_before`.
    """

    company_id: str
    date: date
    values: Mapping[str, Any]
    tables: Mapping[str, Table] = field(default_factory=dict)
    problem: str | None = None  # an honest line where the source has nothing, or not all


class Misfit(ValueError):
    """What the section `reports` of the config says cannot be done: `text`, at `place` below it."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(f"{key_text(('reports', *place))}: {text}")
        self.place = place
        self.text = text


class SourceError(Exception):
    """A source could not answer. The text names the query and the next step, and never holds a secret.

    `failure` is PERMANENT where asking again cannot help, else TRANSIENT.
    """

    def __init__(self, reason: str, *, failure: Failure = Failure.TRANSIENT) -> None:
        super().__init__(reason)
        self.failure = failure

    @property
    def is_permanent(self) -> bool:
        return self.failure is Failure.PERMANENT


class Source(Protocol):
    """Where facts come from.

    `facts` answers for every company it is asked for, with a `problem` where there is nothing to tell, or
    raises SourceError for all of them; asking for fewer companies shows whose data is at fault. It reads
    and never writes, stays inside the time limit, and ends within a second or two of being cancelled.
    `check` asks without a company, raises nothing but cancellation, and ends with the first step that
    fails. `close` may be called twice; what is asked later is refused.
    """

    Options: ClassVar[type[Any]]  # the section of the config it is made of

    async def facts(self, day: date, companies: Sequence[str]) -> Mapping[str, Facts]: ...

    async def check(self) -> Sequence[Step]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that one report says. Every text in it is foreign until a template escapes it."""

    company_id: str
    company_name: str
    date: date
    facts: Facts
    prose: str
    rung: str  # who wrote the prose: the name of a provider, or "template"
    stable_id: str  # one per company and date, on every copy
    generated_at: datetime
    is_late: bool = False
    is_degraded: bool = False  # models are configured, and none was reached
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One report in its three forms."""

    text: str
    html: str
    json: bytes
