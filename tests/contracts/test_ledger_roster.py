"""What every ledger promises of the roster, whatever database it is kept in."""

from collections.abc import AsyncIterator, Sequence

from state.ledger.base import Ledger
from state.ledger.records import Company, RosterChange, Status
from state.records import replace
from tests.contracts.ledgers import DAY, NOW, TODAY, company, key, owed

TOMORROW = TODAY + DAY
ABC = [company(name, recipients=(f"{name}@example.com",)) for name in ("a", "b", "c")]


async def take(ledger: Ledger, companies: Sequence[Company], day: int = 0) -> RosterChange:
    return await ledger.import_companies(
        [companies], import_id="i", now=NOW + DAY * day, on=TODAY + DAY * day, source="companies.json"
    )


async def names(ledger: Ledger, day: int) -> list[str]:
    return [one.id for one in await ledger.companies(on=TODAY + DAY * day)]


async def test_a_company_comes_back_as_it_was_given(ledger: Ledger) -> None:
    given = company(
        "Acme_1", name="Ačme & Söhne", timezone="Europe/Prague", recipients=("a@x.cz", "b@x.cz"),
        channel="ops", deadline="07:30", weekdays=(1, 2, 5), active=False,
    )  # fmt: skip
    await take(ledger, [given])
    assert await ledger.company("Acme_1") == replace(given, joined_on=TODAY)
    assert await ledger.company("nobody") is None


async def test_an_import_says_what_it_changed_and_only_then_is_there_a_new_version(ledger: Ledger) -> None:
    first = await take(ledger, ABC)
    again = await take(ledger, ABC)
    changed = await take(ledger, [replace(ABC[0], name="New"), ABC[1], company("d")], day=1)
    assert [(it.added, it.changed, it.departed, it.total, it.version) for it in (first, again, changed)] == [
        (3, 0, 0, 3, 1), (0, 0, 0, 3, 1), (1, 1, 1, 3, 2),
    ]  # fmt: skip
    assert changed.shrinks_by == 1 / 3
    assert [one.version for one in await ledger.roster_versions()] == [2, 1]


async def test_an_import_that_is_not_accepted_changes_nothing(ledger: Ledger) -> None:
    await take(ledger, ABC)
    before = await ledger.companies()
    seen: list[RosterChange] = []

    def refuse(change: RosterChange) -> bool:
        seen.append(change)
        return False

    change = await ledger.import_companies(
        [ABC[:1]], import_id="i", now=NOW, on=TOMORROW, source="x", accept=refuse
    )
    assert seen == [change]
    assert (change.departed, change.is_applied) == (2, False)
    assert await ledger.companies() == before
    assert (await take(ledger, ABC)).version == 1


async def test_whoever_leaves_is_kept_and_owed_nothing_from_that_day(ledger: Ledger) -> None:
    await take(ledger, ABC)
    await take(ledger, ABC[:2], day=2)
    assert [one.left_on for one in await ledger.companies()] == [None, None, TODAY + DAY * 2]
    assert [await names(ledger, day) for day in (-1, 0, 1, 2)] == [
        [], ["a", "b", "c"], ["a", "b", "c"], ["a", "b"],
    ]  # fmt: skip
    await take(ledger, ABC, day=5)
    assert [await names(ledger, day) for day in (1, 4, 5)] == [["a", "b"], ["a", "b"], ["a", "b", "c"]]


async def test_a_pause_outlives_an_import(ledger: Ledger) -> None:
    await take(ledger, ABC)
    assert await ledger.pause("a", TOMORROW, "holidays")
    assert not await ledger.pause("nobody", TOMORROW, "holidays")
    await take(ledger, [replace(ABC[0], name="New"), *ABC[1:]])
    found = await ledger.company("a")
    assert found is not None
    assert (found.name, found.paused_until, found.pause_reason) == ("New", TOMORROW, "holidays")
    assert await ledger.resume("a")
    found = await ledger.company("a")
    assert found is not None
    assert (found.paused_until, found.pause_reason) == (None, None)


async def test_a_roster_is_read_in_batches_and_its_first_of_two_counts(ledger: Ledger) -> None:
    async def batches() -> AsyncIterator[list[Company]]:
        for n in range(0, 2500, 500):
            yield [company(f"c{number:04}") for number in range(n, n + 500)]
        yield [company("c0000", name="Second")]

    change = await ledger.import_companies(batches(), import_id="i", now=NOW, on=TODAY, source="x")
    assert (change.added, change.total) == (2500, 2500)
    found = await ledger.company("c0000")
    assert found is not None
    assert found.name == "C0000"
    pages, after = [], ""
    while page := await ledger.companies(after=after, limit=1000):
        pages.append(len(page))
        after = page[-1].id
    assert pages == [1000, 1000, 500]


async def test_who_has_no_obligation_for_a_date_is_missing_unless_none_is_due(ledger: Ledger) -> None:
    saturday = company("sat", weekdays=(6,))
    weekday = company("week", weekdays=(1, 2, 3, 4, 5))
    await take(ledger, [*ABC, saturday, weekday, company("idle", active=False)])
    await ledger.plan([owed("a"), owed("b", status=Status.EXCUSED, reason="paused")], NOW)
    assert await ledger.missing(TODAY) == ["c", "sat"]
    assert await ledger.missing(TODAY, after="c", limit=5) == ["sat"]
    assert await ledger.count_missing(TODAY) == 2
    assert await ledger.count_missing(TODAY - DAY) == 0
    assert await ledger.missing(TODAY + DAY * 2) == ["a", "b", "c", "week"]
    assert await ledger.obligation(key("c")) is None
