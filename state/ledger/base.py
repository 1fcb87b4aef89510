"""What every ledger promises, whatever database it is kept in.

A call is whole or not at all. One that ended in `LedgerDown` may be repeated: what it had done is not
done again. Whoever holds a lease writes with its owner and epoch; a call answers with the keys it
refused, because somebody else has taken them over, and has written nothing for those.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from state.ledger.records import (
    AuditEntry,
    Certificate,
    Company,
    Event,
    Held,
    Intent,
    Key,
    Load,
    Obligation,
    Outcome,
    Plan,
    PlanState,
    Produced,
    Release,
    RosterChange,
    RosterVersion,
    Send,
    Status,
    Tally,
)

Refused = frozenset[Key]
Batches = AsyncIterable[Sequence[Company]] | Iterable[Sequence[Company]]


class Roster(Protocol):
    """Who is owed a report."""

    async def import_companies(
        self,
        batches: Batches,
        *,
        import_id: str,
        now: datetime,
        on: date,
        source: str,
        accept: Callable[[RosterChange], bool] = lambda _: True,
    ) -> RosterChange:
        """Make the roster what is given; whoever is not in it has left, and is owed nothing from `on` on.

        `accept` sees what would change, and may say no: then nothing does. Pauses are kept.
        """
        ...

    async def companies(self, *, after: str = "", limit: int = 1000, on: date | None = None) -> list[Company]:
        """A page by id, leavers included; with a date, those who are active, present and served on it."""
        ...

    async def company(self, company_id: str) -> Company | None: ...

    async def pause(self, company_id: str, until: date, reason: str) -> bool:
        """Note that it is not to be served before a date; False where there is no such company."""
        ...

    async def resume(self, company_id: str) -> bool: ...

    async def roster_versions(self, limit: int = 20) -> list[RosterVersion]: ...

    async def missing(self, on: date, *, after: str = "", limit: int = 1000) -> list[str]:
        """Who is expected on a date and has no obligation for it: a page by id."""
        ...

    async def count_missing(self, on: date) -> int: ...


class Obligations(Protocol):
    """What is owed, and how far it is."""

    async def plan(self, obligations: Sequence[Obligation], now: datetime) -> int:
        """Write those that are not there yet, planned or excused; how many were."""
        ...

    async def replan(self, obligations: Sequence[Obligation], now: datetime) -> int:
        """Write over those that nobody has worked on yet, where times or excuse have changed; how many were.

        One whose deadline has passed, as it was or as it would be, is left as it is.
        """
        ...

    async def mark_due(self, now: datetime) -> int:
        """Show as due what has become so. `claim` does not wait for it."""
        ...

    async def claim(
        self,
        owner: str,
        now: datetime,
        lease_for: timedelta,
        limit: int,
        *,
        company_ids: Collection[str] | None = None,
        dates: Collection[date] | None = None,
        plan_id: str | None = None,
    ) -> list[Obligation]:
        """Lease what is due, to be retried, or left by others; the earliest deadline first.

        No two owners get the same one, and nobody gets one that is delivered. What was sent by somebody
        who went away becomes `unknown` and is not handed out.
        """
        ...

    async def renew(
        self, owner: str, held: Sequence[Held], now: datetime, lease_for: timedelta
    ) -> Refused: ...

    async def produced(self, owner: str, batch: Sequence[Produced]) -> Refused: ...

    async def intend_sends(self, owner: str, batch: Sequence[Intent]) -> Refused:
        """Write what is about to be sent. What is refused must not be: it was taken over, or has arrived."""
        ...

    async def record_outcomes(self, owner: str, batch: Sequence[Outcome]) -> Refused:
        """Write what came of sends, also late: as long as nobody has begun anew, it counts."""
        ...

    async def release(self, owner: str, batch: Sequence[Release]) -> Refused:
        """Give leases back. Refused too while a send of it has no outcome, for it may have arrived."""
        ...

    async def excuse(self, keys: Collection[Key], reason: str, now: datetime) -> Refused: ...

    async def supersede_older(self, now: datetime) -> int:
        """Excuse what is still due of days after which a newer one has come due for the same company.

        What is under a plan stays owed.
        """
        ...

    async def reopen(self, keys: Collection[Key], now: datetime, detail: str) -> frozenset[Key]:
        """Owe again, by the same id, what failed or is unknown; those that were."""
        ...

    async def force(self, keys: Collection[Key], plan_id: str, now: datetime, detail: str) -> frozenset[Key]:
        """Owe again what is closed, even delivered; it will carry a new id. Those that were."""
        ...

    async def resolve(self, key: Key, as_: str, now: datetime, said_by: str) -> Obligation | None:
        """Settle by a person's word, `delivered` or `resend`, what failed or is unknown; else None.

        Raises:
            ValueError: `as_` is something else.
        """
        ...

    async def bind_plan(
        self, plan_id: str, dates: Sequence[date], company_ids: Collection[str] | None = None
    ) -> int:
        """Put what is open under an emergency plan, so that it can be claimed by it; how many were."""
        ...


class Looking(Protocol):
    """What stands in it."""

    async def obligation(self, key: Key) -> Obligation | None: ...

    async def obligations(
        self, on: date, *, statuses: Collection[Status] | None = None, after: str = "", limit: int = 1000
    ) -> list[Obligation]:
        """A page of one date by company id."""
        ...

    def rows_of(self, on: date) -> AsyncIterator[list[Obligation]]:
        """All of a date by company id, page by page."""
        ...

    async def open_before(
        self, at: datetime, *, after: Key | None = None, limit: int = 1000
    ) -> list[Obligation]:
        """A page of what came due by then and is not final, oldest date first."""
        ...

    async def nearing(
        self, now: datetime, since: datetime, until: datetime, *, limit: int = 100
    ) -> list[Obligation]:
        """What is due and open, with a deadline after `since` and up to `until`; the nearest first."""
        ...

    async def count_overdue(self, on: date, now: datetime) -> int:
        """How much of a date is open past its deadline."""
        ...

    async def stuck(self, leased_before: datetime, *, limit: int = 1000) -> list[Obligation]:
        """What somebody has had for so long; not proof of anything, for the lease may be renewed."""
        ...

    async def counts(self, since: date, until: date) -> Mapping[date, Mapping[Status, int]]: ...

    async def tallies(self, since: date, until: date, *, limit: int = 10_000) -> list[Tally]: ...

    async def loads(self, now: datetime, until: datetime, *, limit: int = 1000) -> list[Load]:
        """What is open by deadline, the earliest first; a deadline before `now` is missed already."""
        ...

    async def delivered_since(self, at: datetime) -> int: ...

    async def deliveries(self, since: datetime, *, limit: int = 1000) -> list[datetime]:
        """When the newest deliveries were proved, the newest first."""
        ...

    async def sends_of(self, key: Key) -> list[Send]: ...

    async def sends_on(self, on: date, *, after: str = "", limit: int = 1000) -> list[Send]:
        """All messages of so many companies, by company id."""
        ...

    async def events_of(self, key: Key) -> list[Event]:
        """The causal chain of one obligation, by time; empty where nothing is known of it."""
        ...

    async def add_events(self, events: Sequence[Event]) -> None: ...


class Proofs(Protocol):
    """Plans, certificates, the audit."""

    async def put_plan(self, plan: Plan) -> tuple[Plan, bool]:
        """Keep a plan, and say whether it is new: the same wish pressed twice gets the first one."""
        ...

    async def plan_of(self, plan_id: str) -> Plan | None: ...

    async def plans(self, *, states: Collection[PlanState] | None = None, limit: int = 100) -> list[Plan]: ...

    async def move_plan(
        self,
        plan_id: str,
        from_: Collection[PlanState],
        to: PlanState,
        now: datetime,
        counts: Mapping[str, Any] | None = None,
    ) -> Plan | None:
        """Take a plan on if it stands there; None where somebody was faster."""
        ...

    async def put_certificate(self, certificate: Certificate) -> None: ...

    async def certificate(self, on: date) -> Certificate | None:
        """The newest of a date; earlier ones stay in the chain."""
        ...

    async def newest_certificate(self) -> Certificate | None: ...

    async def certificates(self, limit: int = 400) -> list[Certificate]: ...

    async def add_audit(self, entry: AuditEntry) -> None: ...

    async def audit(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]: ...


class Ledger(Roster, Obligations, Looking, Proofs, Protocol):
    """The whole of it.

    Every call raises `LedgerDown`, `LedgerFull`, `LedgerReadOnly` or another `LedgerError` in bounded
    time, and works again by itself once the fault is gone.
    """

    name: str

    @property
    def changes(self) -> int:
        """Grows with all that this process may have changed: what was read at the same number still holds.

        What others change in a shared database is not counted.
        """
        ...

    async def open(self, now: datetime) -> None:
        """Make it ready as far as that needs no server. Whoever does not call it pays at the first call."""
        ...

    async def close(self) -> None: ...

    async def migrate(self, now: datetime, *, check: bool = False) -> list[str]:
        """Bring the tables up to date, or only look; the names of the steps that were, or are, to be taken.

        Raises:
            LedgerTooNew: a newer version has been at work; nothing is changed.
            LedgerError: a step that was taken says something else now.
        """
        ...

    async def probe(self, now: datetime) -> None:
        """Write a row and read it back; its duration is the latency."""
        ...

    async def lead(self, name: str, owner: str, now: datetime, lease_for: timedelta) -> int | None:
        """Take the lead or hold on to it: the epoch of this reign, or None while another one leads."""
        ...

    async def yield_lead(self, name: str, owner: str, now: datetime) -> None: ...

    async def oldest_unchanged(self, before: date, since: datetime) -> date | None:
        """The oldest date before one of which nothing was changed since a time; None where there is none.

        An old date that somebody has asked for of late has changed: what was sent of it is still known.
        """
        ...

    async def prune(self, on: date, since: datetime) -> int:
        """Delete a date's obligations, their sends and events; how many there were.

        What was changed since a time stays. Certificates, plans and the audit stay too: they are few, and
        are what remains to be shown.
        """
        ...
