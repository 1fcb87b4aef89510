"""Write down what is owed a day before it is, so that a report nobody began is missed all the same."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BufferedReader
from pathlib import Path

from daemon.clock import Clock
from daemon.config import Config
from daemon.reports.calendar import DAY, Timing, absence_of, local_date, timing_of
from daemon.reports.owing import PLANNED_NOTE, Pass, begun, last_pass, owed_on
from daemon.reports.roster import Imported, Refusal, import_roster
from daemon.reports.roster_file import RosterUnreadable
from daemon.watch.alerts import Alerts
from state.codec import time_text
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Company, Obligation, RosterChange, Status
from state.records import Severity
from state.store import Store

log = logging.getLogger(__name__)

PLAN_EVERY = timedelta(hours=1)
RETRY = timedelta(seconds=30)  # the ledger is away
PAGE = 1000
ROWS_AT_ONCE = 2000
# After a longer absence of the daemon the days before are not written down: nobody wants those reports.
LONGEST_GAP = timedelta(days=31)
# Nobody who left so many days ago has anything planned.
LEFT_LONG_AGO = 3 * DAY
# Days from today that may be written for who was in a zone further east, where tomorrow comes sooner: zones
# lie up to 26 hours apart.
AHEAD_ELSEWHERE = (2, 3)
REFUSED = "roster.refused"
SHRUNK = "roster.shrunk"
ROSTER_NOTE = "reports.roster"  # hash of the file that was taken over last
REFUSALS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Planned:
    """What a pass has written."""

    new: int = 0
    changed: int = 0


async def plan_all(
    ledger: Ledger, timing: Timing, now: datetime, *, since: datetime | None = None, is_full: bool = True
) -> Planned:
    """Write what every company is owed for its today and tomorrow, where it is not written yet.

    `since`: the last pass; the days after it are written down too. A full pass also brings up to date
    what is planned and not begun; one that is not leaves out companies whose date has not changed since.
    It may be cut off anywhere and made again: a company and date are there once.
    """
    about = await begun(ledger, timing, now, since)
    # Somebody else may have changed the roster, on another machine.
    is_full = is_full or about.changed_at is not None
    new = changed = 0
    after = ""
    while page := await ledger.companies(after=after, limit=PAGE):
        after = page[-1].id
        owed = [one for company in page for one in owed_to(company, about, is_full=is_full)]
        for start in range(0, len(owed), ROWS_AT_ONCE):
            part = owed[start : start + ROWS_AT_ONCE]
            new += await ledger.plan([it.obligation for it in part if it.is_new], now)
            changed += await ledger.replan([it.obligation for it in part], now) if is_full else 0
    return Planned(new, changed)


async def plan_one(ledger: Ledger, company: Company, timing: Timing, now: datetime) -> None:
    """Bring what is planned for one company up to what the roster says of it by now.

    What is owed no longer is not tried again either; what is being worked on is finished.
    """
    owed = owed_to(company, await begun(ledger, timing, now, None), is_full=True)
    await ledger.plan([it.obligation for it in owed if it.is_new], now)
    await ledger.replan([it.obligation for it in owed], now)
    for one in (it.obligation for it in owed):
        known = None if one.reason is None else await ledger.obligation(one.key)
        if known is not None and known.status is Status.DUE and known.deadline_at > now:
            await ledger.excuse([one.key], one.reason or "", now)


async def plan_since(
    ledger: Ledger, store: Store, timing: Timing, now: datetime, *, is_full: bool
) -> Planned:
    """Make the pass that follows the last one of this home, and note it."""
    planned = await plan_all(ledger, timing, now, since=last_pass(store), is_full=is_full)
    if planned.new or planned.changed:
        fields = {"new": planned.new, "changed": planned.changed}
        log.info("planner.planned", extra={"fields": fields})
    await store.commit(notes={PLANNED_NOTE: time_text(now)})
    return planned


@dataclass(frozen=True, slots=True)
class Owed:
    """What a company is owed for a date, and whether to write it down where nothing is written yet."""

    obligation: Obligation
    is_new: bool


def owed_to(company: Company, about: Pass, *, is_full: bool) -> list[Owed]:
    """What a company is owed for the dates of a pass; on a full one also for those that may be written."""
    today = local_date(company, about.now)
    if company.left_on is not None and today >= company.left_on + LEFT_LONG_AGO:
        return []
    first = _first_date(company, today, about)
    if not is_full and about.since is not None and first == today == local_date(company, about.since):
        return []
    days = [first + DAY * n for n in range((today - first).days + 2)]
    owed = [Owed(owed_on(company, day, about), absence_of(company, day) is None) for day in days]
    if is_full:
        ahead = [today + DAY * n for n in AHEAD_ELSEWHERE]
        owed += [Owed(owed_on(company, day, about), is_new=False) for day in ahead]
    return owed


def _first_date(company: Company, today: date, about: Pass) -> date:
    """Today; or an earlier date that no pass has seen: after an absence, or for who has just joined."""
    since, joined_on, joined_at = about.since, company.joined_on, about.joined_at(company)
    if joined_on is None:
        return today
    if joined_at is not None and about.now - joined_at < DAY and (since is None or joined_at >= since):
        return min(today, joined_on)
    seen = today if since is None else local_date(company, since)
    return min(today, max(seen, joined_on, today - LONGEST_GAP))


class Planner:
    """Plans at start, each hour, when woken, and when the roster's file has changed."""

    name = "planner"

    def __init__(
        self, ledger: Ledger, store: Store, alerts: Alerts, clock: Clock, config: Callable[[], Config]
    ) -> None:
        self.woken = asyncio.Event()
        self._ledger = ledger
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._config = config
        self._reads_file = True
        self._is_full = True
        self._again_at: datetime | None = None

    def adopt(self) -> None:
        """Look at the roster's file again, for the configuration has been taken anew."""
        self._reads_file = True
        self.wake()

    def wake(self) -> None:
        """Bring everything that is planned up to date soon: the roster has changed."""
        self._is_full = True
        self.woken.set()

    async def step(self) -> datetime:
        """Plan, take over the roster's file if that is wanted, and plan what this has changed."""
        now = self._clock.now()
        # Whoever wakes it before its time has changed something.
        is_full = self._is_full or self._again_at is None or now < self._again_at
        self._is_full = False
        try:
            # First by the roster as it was, for the days that the daemon was not there.
            await self._plan(now, is_full=is_full)
            if self._reads_file and await self._take_file(now):
                await self._plan(now, is_full=True)
        except LedgerError as error:
            log.warning("planner.delayed", extra={"fields": {"error": str(error)}})
            self._again_at = None
            return now + RETRY
        self._reads_file = False
        self._again_at = now + PLAN_EVERY
        return self._again_at

    async def catch_up(self) -> None:
        """Plan what came about while nobody was here, and take over the roster's file if it is new.

        For who acts where no daemon runs; unlike a step it costs little where nothing has changed.

        Raises:
            LedgerError: the ledger does not answer; what was done until then holds.
        """
        now = self._clock.now()
        await self._plan(now, is_full=False)
        if await self._take_file(now):
            await self._plan(now, is_full=True)

    async def _plan(self, now: datetime, *, is_full: bool) -> None:
        config = self._config()
        if config.reports is None:
            return
        await plan_since(self._ledger, self._store, timing_of(config), now, is_full=is_full)

    async def _take_file(self, now: datetime) -> bool:
        """Import the roster's file if its content is new; whether the roster may be another one now."""
        config = self._config()
        if config.reports is None:
            return False
        path = config.folder / config.reports.companies
        try:
            with await asyncio.to_thread(path.open, "rb") as file:
                digest = await asyncio.to_thread(_hash_of, file, sorted(config.channels))
                if digest == self._store.note(ROSTER_NOTE):
                    return False
                imported = await import_roster(
                    self._ledger, file, source=path.name, channels=config.channels, now=now
                )
        except FileNotFoundError:
            await self._tell_of_no_file(path)
            return False
        except (RosterUnreadable, OSError) as error:
            await self._refuse(path, f"the roster {path.name} was not taken over: {error}", ())
            return False
        await self._tell_of(path, imported)
        if not imported.change.is_applied:
            return False
        await self._store.commit(notes={ROSTER_NOTE: digest})
        return True

    async def _tell_of_no_file(self, path: Path) -> None:
        if await self._ledger.companies(limit=1):
            log.info("roster.absent", extra={"fields": {"path": str(path)}})  # it came by hand
            await self._alerts.resolve(REFUSED)
        else:
            await self._refuse(path, f"there is no roster at {path}, so nobody gets a report", ())

    async def _tell_of(self, path: Path, imported: Imported) -> None:
        change = imported.change
        if imported.refused:
            kept = f"; {imported.kept:,} companies stay as they were" if imported.kept else ""
            summary = f"{imported.refused:,} rows of the roster {path.name} were refused{kept}"
            await self._refuse(path, summary, imported.refusals)
        else:
            await self._alerts.resolve(REFUSED)
        if imported.is_shrinking:
            await tell_of_shrinking(self._alerts, str(path), change)
            return
        await self._alerts.resolve(SHRUNK)
        counts = {"added": change.added, "changed": change.changed, "departed": change.departed}
        fields = {**counts, "total": change.total, "version": change.version, "refused": imported.refused}
        log.info("roster.imported", extra={"fields": fields})

    async def _refuse(self, path: Path, summary: str, refusals: tuple[Refusal, ...]) -> None:
        rows = [f"{path.name}:{it.line}: {it.reason}" for it in refusals[:REFUSALS_SHOWN]]
        await self._alerts.fire(
            REFUSED,
            severity=Severity.WARNING,
            summary=summary,
            details={"path": str(path), "rows": rows},
            advice=f"nightdesk companies import {path} --dry-run names every bad row",
        )


async def tell_of_shrinking(alerts: Alerts, source: str, change: RosterChange) -> None:
    """Alert that a roster was not taken over, since too many would leave."""
    name = Path(source).name
    await alerts.fire(
        SHRUNK,
        severity=Severity.ERROR,
        summary=f"{name} would take {change.departed:,} of {change.present:,} companies off the roster;"
        " it was not taken over",
        details={"departed": change.departed, "present": change.present, "path": source},
        advice=f"nightdesk companies import {source} --yes, if they are meant to leave",
    )


def _hash_of(file: BufferedReader, channels: list[str]) -> str:
    """A hash of all that decides what becomes of a roster: its content, and the channels there are."""
    digest = hashlib.file_digest(file, "sha256")
    digest.update("\n".join(channels).encode())
    file.seek(0)
    return digest.hexdigest()
