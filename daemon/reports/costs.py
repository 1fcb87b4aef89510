"""What a report by a language model has cost in the last days: noted by whoever pays, asked by plans."""

from collections.abc import Mapping
from datetime import date, timedelta

from state.codec import NotJson, from_json, to_json
from state.records import Record

NOTE = "llm.costs"
DAYS = 7


class DayCost(Record, frozen=True, kw_only=True):
    """One day (UTC): how many reports cost something, and what they cost together."""

    reports: int
    usd: float


Costs = Mapping[date, DayCost]


def with_one(costs: Costs, day: date, usd: float) -> Costs:
    """The same with one report more; days that are too old to say anything are left out."""
    known = costs.get(day, DayCost(reports=0, usd=0.0))
    young = {it: cost for it, cost in costs.items() if day - it < timedelta(days=DAYS)}
    return {**young, day: DayCost(reports=known.reports + 1, usd=known.usd + usd)}


def mean_usd(costs: Costs, today: date) -> float | None:
    """What one of them cost on average; None where none did."""
    young = [cost for it, cost in costs.items() if today - it < timedelta(days=DAYS)]
    reports = sum(it.reports for it in young)
    return sum(it.usd for it in young) / reports if reports else None


def written(costs: Costs) -> str:
    """As a note of the store."""
    body = {it.isoformat(): [cost.reports, cost.usd] for it, cost in costs.items()}
    return to_json(body).decode()


def read(note: str | None) -> Costs:
    """What a note says; nothing where it is none."""
    try:
        body = from_json(note or "{}")
        return {
            date.fromisoformat(day): DayCost(reports=int(reports), usd=float(usd))
            for day, (reports, usd) in body.items()
        }
    except (NotJson, AttributeError, ValueError, TypeError):
        return {}
