"""What a company is owed for one of its days: by when, and if nothing, why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from daemon.config.file import BUILTIN_SCHEDULES
from daemon.engine.wallclock import WallClock
from state.ledger.records import Company, Obligation, RosterVersion, Status

if TYPE_CHECKING:
    from daemon.config import Config

DAILY_REPORTS = BUILTIN_SCHEDULES["dailyReportSchedule"]
DEFAULT_DUE = time(5, 0)
DEFAULT_DEADLINE = time(7, 0)
DAY = timedelta(days=1)
EVERY = "*"
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Timing:
    """When reports are made and have to be there, by each company's own clock."""

    due: time
    deadline: time  # for companies that name none of their own
    zone: str  # of the config


def timing_of(config: "Config") -> Timing:
    """The timing that is configured.

    Due is the time of day of the schedule `daily-reports` where its line names one, as "30 5 * * 1-5"
    does; any other line says when the handler runs, and not when a company's day is ready.
    """
    entry = config.schedules.get(DAILY_REPORTS)
    line = (entry.cron if entry is not None else None) or config.builtin_crons.get(DAILY_REPORTS)
    reports = config.reports
    return Timing(
        due=(_time_of_line(line) if line else None) or DEFAULT_DUE,
        deadline=DEFAULT_DEADLINE if reports is None else time.fromisoformat(reports.deadline),
        zone=config.timezone,
    )


def _time_of_line(line: str) -> time | None:
    """The one time of day of a line that fires once on some or all days of the week; else None."""
    fields = line.split()
    if len(fields) != 5 or fields[2:4] != [EVERY, EVERY]:
        return None
    minute, hour = fields[:2]
    if not all(it.isascii() and it.isdigit() and len(it) <= 2 for it in (minute, hour)):
        return None
    return time(int(hour), int(minute)) if int(hour) < 24 and int(minute) < 60 else None


def local_date(company: Company, now: datetime) -> date:
    """The date on the company's calendar."""
    return now.astimezone(ZoneInfo(company.timezone)).date()


def absence_of(company: Company, day: date) -> str | None:
    """Why a company is not on the roster for a day; None where it is."""
    if company.left_on is not None and day >= company.left_on:
        return f"left the roster on {company.left_on.isoformat()}"
    if company.joined_on is None:
        return "not on the roster yet"
    if day < company.joined_on:
        return f"joined the roster on {company.joined_on.isoformat()}"
    return None if company.active else "not active"


def excuse_for(company: Company, day: date) -> str | None:
    """Why a company is owed nothing for a day; None where it is owed a report."""
    if absence := absence_of(company, day):
        return absence
    if company.paused_until is not None and day < company.paused_until:
        because = f": {company.pause_reason}" if company.pause_reason else ""
        return f"paused until {company.paused_until.isoformat()}{because}"
    if company.weekdays is not None and day.isoweekday() not in company.weekdays:
        return f"not on {WEEKDAYS[day.weekday()]}"
    if not _is_lived(company.timezone, day):
        return f"{company.timezone} left this day out"
    return None


def obligation_for(
    company: Company,
    day: date,
    timing: Timing,
    *,
    roster_version: int,
    now: datetime,
    joined_at: datetime | None = None,
) -> Obligation:
    """What a company is owed for one of its dates: a report, or nothing for a reason.

    Times are those of its own wall clock: where that leaves out the hour, the end of the gap; where it
    shows the hour twice, the first. A deadline that is no later than the time it is due means the day
    after. `joined_at`: the instant of the import that brought the company; a day whose deadline had
    passed by then is owed to nobody.
    """
    due_at, deadline_at = _times(company.timezone, day, timing.due, _deadline_of(company, timing))
    reason = excuse_for(company, day)
    if reason is None and joined_at is not None and deadline_at <= joined_at:
        reason = f"joined at {joined_at:%Y-%m-%d %H:%M} UTC, after the deadline of that day"
    return Obligation(
        company_id=company.id,
        date=day,
        status=Status.PLANNED if reason is None else Status.EXCUSED,
        due_at=due_at,
        deadline_at=deadline_at,
        planned_at=now,
        reason=reason,
        roster_version=roster_version,
    )


def stable_id_of(company_id: str, day: date, epoch_of_force: int = 0) -> str:
    """The id that every copy of one report carries; one that was forced has another for each time.

    Two reports never share one: the parts are joined by a dot, which no company's id holds.
    """
    forced = f".{epoch_of_force}" if epoch_of_force else ""
    return f"report.{company_id}.{day.isoformat()}{forced}"


def joinings(versions: Iterable[RosterVersion]) -> dict[date, datetime]:
    """The instant by which whoever joined on a date was there: of that date's last import with joiners."""
    found: dict[date, datetime] = {}
    for version in versions:
        on = joining_date(version.imported_at)
        if version.added:
            found[on] = max(version.imported_at, found.get(on, version.imported_at))
    return found


def joining_date(now: datetime) -> date:
    """The date that an import writes down for who joins and who leaves: one for all zones, that of UTC."""
    return now.astimezone(UTC).date()


def _deadline_of(company: Company, timing: Timing) -> time:
    return timing.deadline if company.deadline is None else time.fromisoformat(company.deadline)


# A hundred thousand companies live in some dozens of zones, with a few deadlines between them.
@lru_cache(maxsize=4096)
def _times(zone: str, day: date, due: time, deadline: time) -> tuple[datetime, datetime]:
    clock = WallClock(ZoneInfo(zone))
    until = day if deadline > due else day + DAY
    return (
        clock.first_reaches(datetime.combine(day, due)),
        clock.first_reaches(datetime.combine(until, deadline)),
    )


@lru_cache(maxsize=4096)
def _is_lived(zone: str, day: date) -> bool:
    """Whether the calendar of a zone has this day; those beside the date line have left one out."""
    clock = WallClock(ZoneInfo(zone))
    return clock.reading(clock.first_reaches(datetime.combine(day, time())))[0].date() == day
