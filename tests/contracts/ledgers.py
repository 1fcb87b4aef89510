"""How a row of the ledger table is made for a test, and what tests put into it."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from pkgutil import resolve_name

from state.ledger import LEDGERS
from state.ledger.base import Ledger
from state.ledger.records import Company, Held, Intent, Key, Obligation, Outcome, Produced, Status
from state.records import DeliveryState
from tests.postgres import Postgres

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)
LEASE = timedelta(minutes=1)

Making = Callable[[], Ledger]  # of one and the same place, each time it is called


def making(kind: str, folder: Path, server: Callable[[], Postgres]) -> Making:
    """A place for a ledger of one kind, with nothing in it; the server is started only where it is needed."""
    given: tuple[object, ...] = (folder / "ledger.db", folder)
    if kind == "postgres":
        given = (server().new_database(),)
    ledger_class: Callable[..., Ledger] = resolve_name(LEDGERS[kind])
    return lambda: ledger_class(*given)


def company(company_id: str, /, **fields: object) -> Company:
    return Company(**{"id": company_id, "name": company_id.title(), "timezone": "UTC", **fields})  # type: ignore[arg-type]


def owed(name: str, on: date = TODAY, **fields: object) -> Obligation:
    """An obligation that is due at 05:00 UTC of its date, with its deadline two hours later."""
    due_at = datetime(on.year, on.month, on.day, 5, tzinfo=UTC)
    plain = {"company_id": name, "date": on, "due_at": due_at, "deadline_at": due_at + timedelta(hours=2)}
    return Obligation(**{**plain, **fields})  # type: ignore[arg-type]


def key(name: str, on: date = TODAY) -> Key:
    return Key(name, on)


def held(obligations: Sequence[Obligation]) -> list[Held]:
    return [Held(one.company_id, one.date, one.epoch) for one in obligations]


def report(one: Obligation, at: datetime = NOW, rung: str = "main") -> Produced:
    return Produced(
        company_id=one.company_id, date=one.date, epoch=one.epoch, rung=rung, stable_id=stable_id(one), at=at
    )


def intent(one: Obligation, at: datetime = NOW, channel: str = "mail") -> Intent:
    return Intent(
        company_id=one.company_id, date=one.date, epoch=one.epoch, stable_id=stable_id(one), channel=channel,
        at=at,
    )  # fmt: skip


def outcome(
    one: Obligation,
    state: DeliveryState = DeliveryState.DELIVERED,
    status: Status | None = Status.DELIVERED,
    at: datetime = NOW,
    channel: str = "mail",
    **fields: str,
) -> Outcome:
    return Outcome(
        company_id=one.company_id, date=one.date, epoch=one.epoch, stable_id=stable_id(one), channel=channel,
        state=state, status=status, at=at, **fields,
    )  # fmt: skip


def stable_id(one: Obligation) -> str:
    return f"{one.company_id}-{one.date}"


async def sent(ledger: Ledger, owner: str, now: datetime = NOW, limit: int = 100) -> list[Obligation]:
    """Take obligations as far as the instant before the answer."""
    taken = await ledger.claim(owner, now, LEASE, limit)
    assert await ledger.produced(owner, [report(one, now) for one in taken]) == frozenset()
    assert await ledger.intend_sends(owner, [intent(one, now) for one in taken]) == frozenset()
    return taken
