"""What every source of facts promises, whatever it asks. How each is tried stands in `shops.py`."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from daemon.notify.base import Failure
from handlers.reporting.base import SourceError
from handlers.reporting.sources import SOURCES
from tests.handlers.reporting.shops import DAY, SALES, SHOPS, STANDS, Row, Shop
from tests.postgres import Postgres
from tests.postgres import postgres as postgres

Opened = Callable[[Path, Sequence[Row]], AbstractAsyncContextManager[Shop]]


@pytest.fixture(params=sorted(STANDS))
def stand(request: pytest.FixtureRequest, postgres: Postgres) -> Opened:
    return partial(STANDS[request.param], url=postgres.url())


def test_every_row_of_the_table_is_tried_here() -> None:
    assert set(STANDS) == set(SOURCES)


async def test_every_company_that_is_asked_for_is_answered(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["facts"])
        found = await source.facts(DAY, SHOPS)
        await source.close()
    assert list(found) == list(SHOPS)
    assert all((facts.company_id, facts.date) == (shop, DAY) for shop, facts in found.items())
    assert found["acme"].values == {"orders": 7, "note": "x"}
    assert found["zoo"].values == {"orders": 9, "note": "x"}


async def test_a_company_without_a_row_is_told_so_and_nothing_is_made_up(
    tmp_path: Path, stand: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["facts"])
        with caplog.at_level(logging.WARNING, logger="handlers.reporting"):
            found = await source.facts(DAY, SHOPS)
        await source.close()
    assert found["acme"].problem is None
    for company in ("gone", "never"):
        assert found[company].values == {}
        assert found[company].problem == (
            f"There are no figures for 2026-11-21: source.facts gives no row for {company}."
        )
    (warning,) = caplog.records
    assert warning.message == "source.incomplete"
    assert warning.__dict__["fields"]["companies"] == 2


async def test_asked_one_by_one_the_facts_are_the_same(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        batch, single = shop.open(facts=shop.questions["facts"]), shop.open(facts=shop.questions["one"])
        together, apart = await batch.facts(DAY, SHOPS), await single.facts(DAY, SHOPS)
        await batch.close()
        await single.close()
    assert together == apart


async def test_the_rows_of_a_table_come_to_their_company_in_order(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["facts"], tables={"Goods": shop.questions["goods"]})
        found = await source.facts(DAY, SHOPS)
        await source.close()
    assert found["acme"].tables["Goods"].columns == ("goods", "orders")
    assert found["acme"].tables["Goods"].rows == (("pears", 4), ("apples", 3))
    assert found["zoo"].tables["Goods"].rows == (("hay", 9),)
    assert found["never"].tables["Goods"].rows == ()


async def test_of_two_rows_none_is_chosen(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["twice"])
        found = await source.facts(DAY, SHOPS)
        await source.close()
    assert found["acme"].values == {}
    assert "source.facts gives 2 rows for acme, and one is wanted" in (found["acme"].problem or "")
    assert found["zoo"].values == {"orders": 9}


async def test_a_row_of_10_megabytes_is_a_problem_of_its_company_alone(tmp_path: Path, stand: Opened) -> None:
    rows = [("acme", DAY, "apples", 3, "x" * 10_000_000), ("zoo", DAY, "hay", 9, "fine")]
    async with stand(tmp_path, rows) as shop:
        source = shop.open(facts=shop.questions["notes"], tables={"Notes": shop.questions["notes"]})
        found = await source.facts(DAY, ("acme", "zoo"))
        await source.close()
    assert found["acme"].values == {}
    assert "A row of source.facts is left out: it takes 10.0 MB" in (found["acme"].problem or "")
    assert found["zoo"].values == {"note": "fine"}
    assert found["zoo"].problem is None


@pytest.mark.parametrize(
    ("which", "said"), [("nobody's", 'no column "company"'), ("numbered", "and ids are text")]
)
async def test_a_result_that_does_not_say_whose_it_is_is_refused_by_name(
    tmp_path: Path, stand: Opened, which: str, said: str
) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["facts"], tables={"Bad": shop.questions[which]})
        with pytest.raises(SourceError, match=r'^source\.tables\["Bad"\]: ') as caught:
            await source.facts(DAY, SHOPS)
        await source.close()
    assert said in str(caught.value)
    assert caught.value.is_permanent


async def test_a_wrong_question_is_an_error_that_names_it_and_holds_no_secret(
    tmp_path: Path, stand: Opened
) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["wrong"])
        with pytest.raises(SourceError, match=r"^source\.facts: ") as caught:
            await source.facts(DAY, SHOPS)
        steps = await source.check()
        await source.close()
    assert caught.value.failure is Failure.PERMANENT
    assert not steps[-1].is_ok
    assert steps[-1].name == "source.facts"
    if shop.secret is not None:
        assert shop.secret not in f"{caught.value}{caught.value!r}{steps}"


async def test_a_check_asks_every_question(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["facts"], tables={"Goods": shop.questions["goods"]})
        steps = await source.check()
        await source.close()
    assert [step.name for step in steps if step.name != "connect"] == [
        "source.facts",
        'source.tables["Goods"]',
    ]
    assert all(step.is_ok for step in steps), steps


async def test_a_question_without_end_is_ended_in_time(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["slow"], timeout="300ms")
        async with asyncio.timeout(5):
            with pytest.raises(SourceError, match=r"^source\.facts: ") as caught:
                await source.facts(DAY, SHOPS)
        await source.close()
    assert caught.value.failure is Failure.TRANSIENT


async def test_whoever_gives_up_is_let_go_at_once(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["slow"])
        async with asyncio.timeout(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await source.facts(DAY, SHOPS)
        await source.close()


async def test_a_closed_source_refuses_and_can_be_closed_again(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["facts"])
        await source.close()
        await source.close()
        with pytest.raises(SourceError, match="closed"):
            await source.facts(DAY, SHOPS)


async def test_many_batches_at_once_do_not_mix(tmp_path: Path, stand: Opened) -> None:
    async with stand(tmp_path, SALES) as shop:
        source = shop.open(facts=shop.questions["facts"])
        asked = [("acme",), ("zoo",)] * 5
        found = await asyncio.gather(*(source.facts(DAY, those) for those in asked))
        await source.close()
    assert [one[those[0]].values["orders"] for one, those in zip(found, asked, strict=True)] == [7, 9] * 5


@pytest.mark.parametrize("kind", ["files", "postgres", "sqlite"])
@pytest.mark.parametrize("which", ["write", "write2"])
async def test_a_question_that_writes_is_refused_and_changes_nothing(
    tmp_path: Path, postgres: Postgres, kind: str, which: str
) -> None:
    async with STANDS[kind](tmp_path, SALES, postgres.url()) as shop:
        with pytest.raises((SourceError, ValueError), match=r"^(reports\.)?source\.facts: "):
            source = shop.open(facts=shop.questions[which])
            await source.facts(DAY, SHOPS)
        again = shop.open(facts=shop.questions["facts"])
        found = await again.facts(DAY, SHOPS)
        await again.close()
    assert found["acme"].values["orders"] == 7
