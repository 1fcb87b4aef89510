"""The facts of a whole batch: asked for together, and apart only where somebody's data is at fault."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from handlers.reporting.base import Facts, Source, SourceError

# A batch is halved to find whose data is at fault, which for one company among a hundred takes eight
# failures; where there are more, or each of them takes long, the source itself is.
MOST_FAILURES = 16
MOST_FAILURES_PASSING = 3
NO_SOURCE = "no source of facts is configured (reports.source), so there are no figures."

UNREAD = "the figures of this day could not be read, so there are none."

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Found:
    """What is known of a batch."""

    facts: dict[str, Facts] = field(default_factory=dict)
    errors: dict[str, SourceError] = field(default_factory=dict)  # by company: there is no answer for it


async def find(source: Source | None, day: date, companies: Sequence[str]) -> Found:
    """Ask for all of them, then for fewer; nobody without an answer is left out."""
    found = Found()
    if source is None:
        found.facts = {it: Facts(company_id=it, date=day, values={}, problem=NO_SOURCE) for it in companies}
        return found
    owed: list[Sequence[str]] = [companies]
    failures = 0
    while owed:
        some = owed.pop()
        try:
            found.facts.update(_all_of(await source.facts(day, some), day, some))
        except SourceError as error:
            failures += 1
            fields = {"date": day.isoformat(), "companies": len(some), "error": str(error)}
            log.warning("source.refused", extra={"fields": fields})
            most = MOST_FAILURES if error.is_permanent else MOST_FAILURES_PASSING
            if len(some) > 1 and failures < most:
                owed += [some[: len(some) // 2], some[len(some) // 2 :]]
            else:
                found.errors |= dict.fromkeys(some, error)
    return found


def honest(company_id: str, day: date) -> Facts:
    """What a report says whose facts could not be had; why is for those who can mend it, in the alert."""
    return Facts(company_id=company_id, date=day, values={}, problem=UNREAD)


def _all_of(answer: Mapping[str, Facts], day: date, asked: Sequence[str]) -> dict[str, Facts]:
    missing = "the source has nothing on this company."
    return {it: answer.get(it) or Facts(company_id=it, date=day, values={}, problem=missing) for it in asked}
