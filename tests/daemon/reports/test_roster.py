"""A roster brought into a real ledger: the good rows in, the bad ones told, nobody lost by mistake."""

import io
import json
from collections.abc import AsyncIterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.reports.calendar import Timing
from daemon.reports.planner import plan_all, plan_one
from daemon.reports.roster import Imported, import_roster
from daemon.reports.roster_file import RosterUnreadable
from state.ledger import LEDGERS
from state.ledger.base import Ledger
from state.ledger.records import Company
from state.records import replace
from tests.contracts.ledgers import DAY, NOW, TODAY, Making, making


@pytest.fixture(params=sorted(LEDGERS))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Making:
    return making(request.param, tmp_path, lambda: request.getfixturevalue("postgres"))


@pytest.fixture
async def ledger(made: Making) -> AsyncIterator[Ledger]:
    ledger = made()
    await ledger.open(NOW)
    yield ledger
    await ledger.close()


def row(company_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": company_id, "timezone": "UTC", "channel": "log", **fields}


async def take(ledger: Ledger, *rows: object, text: str | None = None, **about: Any) -> Imported:
    said = json.dumps(rows).replace("}, ", "},\n") if text is None else text
    about = {"source": "companies.json", "channels": ["ops"], "now": NOW, **about}
    return await import_roster(ledger, io.BytesIO(said.encode()), **about)


async def present(ledger: Ledger) -> list[str]:
    return [one.id for one in await ledger.companies() if one.left_on is None]


async def test_good_rows_are_taken_and_bad_ones_named_by_line(ledger: Ledger) -> None:
    bad = [row("../x"), row("b", timezone="Mars"), row("c", channel="nowhere"), row("a", name="again")]
    done = await take(ledger, row("a"), *bad, row("d"))
    assert await present(ledger) == ["a", "d"]
    assert (done.refused, done.kept, done.is_shrinking, done.change.is_applied) == (4, 0, False, True)
    assert [it.line for it in done.refusals] == [2, 3, 4, 5]
    assert done.refusals[3].reason == "id: a stands on line 1 already"
    assert done.refusals[1].reason.startswith('b: timezone: "Mars" is no time zone')


async def test_a_company_whose_new_row_is_bad_stays_as_it_was(ledger: Ledger) -> None:
    await take(ledger, row("a", name="Old"), row("b"))
    done = await take(ledger, row("a", timezone="Mars"), row("b"), row("new", timezone="Mars"))
    assert (done.kept, done.refused, done.change.departed) == (1, 2, 0)
    assert await ledger.company("a") == Company(
        id="a", name="Old", timezone="UTC", channel="log", joined_on=TODAY
    )


async def test_a_good_row_counts_even_after_a_bad_one_of_the_same_id(ledger: Ledger) -> None:
    done = await take(ledger, row("a", timezone="Mars"), row("a", name="Good"))
    found = await ledger.company("a")
    assert found is not None
    assert (found.name, done.refused, done.kept) == ("Good", 1, 0)


async def test_nobody_leaves_by_a_file_that_was_cut_off(ledger: Ledger) -> None:
    names = [f"c{n}" for n in range(10)]
    await take(ledger, *map(row, names))
    cut = json.dumps([row(name) for name in names])[:-30]
    done = await take(ledger, text=cut)
    assert (done.change.departed, done.kept, done.refused) == (0, 1, 1)
    assert await present(ledger) == names


async def test_a_roster_that_shrinks_by_more_than_a_fifth_needs_a_yes(ledger: Ledger) -> None:
    names = [f"c{n}" for n in range(10)]
    await take(ledger, *map(row, names))
    fifth = await take(ledger, *map(row, names[2:]), is_trial=True)
    assert (fifth.is_shrinking, fifth.change.is_applied, fifth.change.departed) == (False, False, 2)
    refused = await take(ledger, *map(row, names[3:]), row("new"))
    assert (refused.is_shrinking, refused.change.is_applied) == (True, False)
    assert await present(ledger) == names
    taken = await take(ledger, *map(row, names[3:]), is_confirmed=True, now=NOW + DAY)
    assert (taken.is_shrinking, taken.change.is_applied) == (False, True)
    left = await ledger.company("c0")
    assert left is not None
    assert left.left_on == TODAY + DAY
    assert await present(ledger) == names[3:]


async def test_an_empty_list_takes_nobody_away(ledger: Ledger) -> None:
    await take(ledger, row("a"))
    assert (await take(ledger, text="[]")).is_shrinking
    with pytest.raises(RosterUnreadable):
        await take(ledger, text="")
    assert await present(ledger) == ["a"]


async def test_csv_is_taken_too_and_a_pause_outlasts_it(ledger: Ledger) -> None:
    text = "id,timezone,recipients,weekdays\na,UTC,x@x.org;y@x.org,mon-fri\nb,Asia/Tokyo,x@x.org,\n"
    await take(ledger, text=text)
    await ledger.pause("a", TODAY + DAY, "moving")
    await take(ledger, text=text.replace("mon-fri", "mon-sat"), now=NOW + timedelta(hours=1))
    found = await ledger.company("a")
    assert found is not None
    assert (found.recipients, found.weekdays) == (("x@x.org", "y@x.org"), (1, 2, 3, 4, 5, 6))
    assert (found.paused_until, found.pause_reason) == (TODAY + DAY, "moving")


async def test_what_is_taken_is_planned_and_a_pause_reaches_it(ledger: Ledger) -> None:
    timing = Timing(time(5), time(7), "UTC")
    await take(ledger, row("a"), row("b", timezone="Europe/Berlin"), row("c", weekdays="sun"))
    assert (await plan_all(ledger, timing, NOW)).new == 6
    await ledger.pause("a", TODAY + 2 * DAY, "moving")
    assert (await plan_all(ledger, timing, NOW)).changed == 2
    found = {it.company_id: it.reason for it in await ledger.obligations(TODAY)}
    assert found == {
        "a": "paused until 2026-11-23: moving",
        "b": None,
        "c": "not on Saturdays",
    }
    paused = await ledger.company("a")
    assert paused is not None
    await ledger.resume("a")
    await plan_one(ledger, replace(paused, paused_until=None), timing, NOW)
    assert [it.reason for it in await ledger.obligations(TODAY + DAY)] == [None, None, None]
    assert await ledger.missing(TODAY) == []


async def test_thousands_are_taken_in_batches(ledger: Ledger) -> None:
    text = "id,timezone,channel\n" + "".join(f"c{n:05},UTC,log\n" for n in range(3001))
    done = await take(ledger, text=text)
    assert (done.change.added, done.change.total, done.refused) == (3001, 3001, 0)


async def test_the_roster_of_the_sample_is_good(ledger: Ledger) -> None:
    sample = Path(__file__).parents[3] / "examples" / "flights" / "companies.json"
    done = await take(ledger, text=sample.read_text("utf-8"))
    assert (done.change.added, done.refused) == (16, 0)
