"""What is owed to a company by all that is known of the roster: the one answer for whoever plans."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from daemon.reports.calendar import Timing, joinings, obligation_for
from state.codec import parse_time
from state.ledger.base import Ledger
from state.ledger.records import Company, Obligation, Status
from state.records import replace
from state.store import Store

VERSIONS = 100  # of the roster, to tell when somebody joined
PLANNED_NOTE = "reports.plannedAt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass over the roster leans on."""

    timing: Timing
    now: datetime
    since: datetime | None  # when the pass before was made; what lies between was missed
    joined: Mapping[date, datetime]  # by joining date, the instant of the import
    version: int
    changed_at: datetime | None  # when the roster was changed, if that was after the pass before

    def joined_at(self, company: Company) -> datetime | None:
        """The instant of the import that brought a company, where that is known."""
        return None if company.joined_on is None else self.joined.get(company.joined_on)


async def begun(ledger: Ledger, timing: Timing, now: datetime, since: datetime | None) -> Pass:
    """Begin a pass that follows one at `since`; None: it follows none.

    Raises:
        LedgerError: the ledger does not answer.
    """
    versions = await ledger.roster_versions(VERSIONS)
    newest = versions[0] if versions else None
    is_changed = newest is not None and (since is None or newest.imported_at >= since)
    return Pass(
        timing=timing,
        now=now,
        since=since,
        joined=joinings(versions),
        version=newest.version if newest else 0,
        changed_at=newest.imported_at if newest and is_changed else None,
    )


def last_pass(store: Store) -> datetime | None:
    """When the last pass over the whole roster was made from this home."""
    noted = store.note(PLANNED_NOTE)
    return parse_time(noted) if noted else None


def owed_on(company: Company, day: date, about: Pass) -> Obligation:
    """A report; or an excuse, also where the roster was changed only after its deadline.

    Had it been owed before, the pass before would have written it, and what is written stays. So a
    company that is made active again at noon has not missed its report of the morning.
    """
    one = obligation_for(
        company,
        day,
        about.timing,
        roster_version=about.version,
        now=about.now,
        joined_at=about.joined_at(company),
    )
    changed_at = about.changed_at
    if one.status is not Status.PLANNED or changed_at is None or one.deadline_at > changed_at:
        return one
    reason = f"not owed before the roster changed at {changed_at:%Y-%m-%d %H:%M} UTC, after the deadline"
    return replace(one, status=Status.EXCUSED, reason=reason)
