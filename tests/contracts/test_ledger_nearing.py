"""What every ledger tells of deadlines that are near or past, and of whether anything has changed."""

from datetime import timedelta

from state.ledger.base import Ledger
from state.ledger.records import Status
from tests.contracts.ledgers import DAY, NOW, TODAY, company, outcome, owed, sent

HOUR = timedelta(hours=1)


async def test_what_is_open_is_told_by_its_deadline_between_two_times(ledger: Ledger) -> None:
    deadlines = {
        "soon": NOW + HOUR / 2,
        "sooner": NOW + HOUR / 4,
        "later": NOW + 3 * HOUR,
        "late": NOW - HOUR,
    }
    await ledger.plan([owed(name, deadline_at=at) for name, at in deadlines.items()], NOW)
    await ledger.plan([owed("ahead", due_at=NOW + HOUR / 8, deadline_at=NOW + HOUR / 4)], NOW)
    near = await ledger.nearing(NOW, NOW, NOW + HOUR)
    assert [it.company_id for it in near] == ["sooner", "soon"]
    assert [it.company_id for it in await ledger.nearing(NOW, NOW, NOW + HOUR, limit=1)] == ["sooner"]
    assert [it.company_id for it in await ledger.nearing(NOW, NOW - DAY, NOW)] == ["late"]
    for one in await sent(ledger, "w"):
        await ledger.record_outcomes("w", [outcome(one)])
    assert await ledger.nearing(NOW, NOW, NOW + HOUR) == []


async def test_what_is_open_past_its_deadline_is_counted_by_date(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b"), owed("a", TODAY - DAY)], NOW)
    await ledger.plan([owed("c", status=Status.EXCUSED, reason="paused")], NOW)
    past = NOW + 3 * HOUR
    assert await ledger.count_overdue(TODAY, NOW) == 0
    assert await ledger.count_overdue(TODAY, past) == 2
    assert await ledger.count_overdue(TODAY - DAY, past) == 1
    assert await ledger.count_overdue(TODAY + DAY, past) == 0


async def test_whoever_has_read_can_tell_that_nothing_was_changed_since(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    seen = ledger.changes
    await ledger.counts(TODAY, TODAY)
    await ledger.obligations(TODAY)
    await ledger.count_missing(TODAY)
    assert ledger.changes == seen
    await ledger.mark_due(NOW)
    assert (marked := ledger.changes) > seen
    await ledger.import_companies([[company("a")]], import_id="i", now=NOW, on=TODAY, source="test")
    assert ledger.changes > marked
