"""What was to be seen at one look, so that the next one finds what is new."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice

from state.records import Alert, Batch, Notice, ScheduleRecord, Task, Telling
from state.store import Store

# A flood of runs is no news: a page shows the newest few, and the figures tell the rest.
MOST_RUNS = 20

# All that is said of one alert. Records are frozen: what has changed is another object.
Said = tuple[Alert | Telling | Notice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """All that news are told of."""

    runs_total: int
    schedules: Mapping[str, ScheduleRecord]  # those of the configuration
    alerts: Mapping[str, Said]


def new_runs(store: Store, seen: int) -> list[Task]:
    """The runs that have ended since there were so many, oldest first; of a flood the newest."""
    count = min(store.runs_total - seen, MOST_RUNS, len(store.history))
    return list(islice(store.history, len(store.history) - count, None)) if count > 0 else []


def new_schedules(
    before: Mapping[str, ScheduleRecord], now: Mapping[str, ScheduleRecord]
) -> list[ScheduleRecord] | None:
    """The schedules that have come further; None where there are others than before."""
    if before.keys() != now.keys():
        return None
    return [record for name, record in now.items() if before[name] is not record]


def new_alerts(before: Mapping[str, Said], now: Mapping[str, Said]) -> list[str]:
    """The ids of the alerts of which something else is said."""
    return [name for name, said in now.items() if not _is_same(before.get(name), said)]


def said_of(
    alerts: Iterable[Alert], tellings: Mapping[str, Iterable[Telling]], notices: Iterable[Notice]
) -> dict[str, Said]:
    """All that is said of each alert, by its id."""
    speaking: dict[str, list[Notice]] = {}
    for notice in notices:
        for name in notice.alerts:
            speaking.setdefault(name, []).append(notice)
    return {it.id: (it, *tellings.get(it.id, ()), *speaking.get(it.id, ())) for it in alerts}


def new_digests(before: Collection[Batch], now: Collection[Batch]) -> list[date]:
    """The dates of which a batch was made, or sent."""
    known = {(it.id, it.sent_at) for it in before}
    return sorted({it.date for it in now if (it.id, it.sent_at) not in known})


def _is_same(before: Said | None, now: Said) -> bool:
    if before is None or len(before) != len(now):
        return False
    return all(one is other for one, other in zip(before, now, strict=True))
