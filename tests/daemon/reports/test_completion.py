"""What was delivered, looked at again: each thing that can be wrong with a kept report is found."""

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from daemon.reports.completion import FORMS, Review, review
from state.ledger.records import Key, Status
from tests.contracts.ledgers import DAY
from tests.daemon.reports.owing import TODAY, Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    await made.plan("acme", "beta")
    await made.write(status=Status.DELIVERED)
    for name in ("acme", "beta"):
        await keep(made, name)
    yield made
    await made.house.close()


async def keep(office: Office, name: str, on: date = TODAY, text: str = "x" * 1000, **body: Any) -> None:
    """Keep a report as the writer does."""
    one = await office.ledger.obligation(Key(name, on))
    folder = office.app.home.logs / "reports" / on.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    stable_id = None if one is None else one.stable_id
    said = {"companyId": name, "date": on.isoformat(), "stableId": stable_id, **body}
    (folder / f"{name}.json").write_text(json.dumps(said))
    (folder / f"{name}.txt").write_text(text)
    (folder / f"{name}.html").write_text(f"<p>{text}</p>")


async def looked(office: Office) -> Review:
    return await review(office.ledger, office.app.home.logs, TODAY, office.app.clock.now())


def told(found: Review) -> list[tuple[str, str]]:
    return [(it.company_id, it.what) for it in found.flaws]


async def test_a_date_with_all_reports_in_their_place_is_sound(office: Office) -> None:
    found = await looked(office)
    assert found.as_row() == {
        "date": "2026-11-21",
        "delivered": 2,
        "ok": True,
        "findings": [],
        "findingsTotal": 0,
    }


@pytest.mark.parametrize("form", FORMS)
async def test_a_copy_that_is_gone_is_found(office: Office, form: str) -> None:
    (office.app.home.logs / "reports" / "2026-11-21" / f"beta.{form}").unlink()
    assert told(await looked(office)) == [("beta", "missing")]


@pytest.mark.parametrize("form", FORMS)
async def test_an_empty_copy_is_found(office: Office, form: str) -> None:
    (office.app.home.logs / "reports" / "2026-11-21" / f"beta.{form}").write_text("")
    assert told(await looked(office)) == [("beta", "empty")]


async def test_a_copy_that_is_no_json_is_found(office: Office) -> None:
    (office.app.home.logs / "reports" / "2026-11-21" / "acme.json").write_text('{"companyId": "ac')
    assert told(await looked(office)) == [("acme", "unreadable")]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("companyId", "beta", "wrong-company"),
        ("date", "2026-11-20", "wrong-date"),
        ("stableId", "another", "wrong-report"),
    ],
)
async def test_a_report_of_somebody_or_some_day_else_is_found(
    office: Office, field: str, value: str, what: str
) -> None:
    await keep(office, "acme", **{field: value})
    assert told(await looked(office)) == [("acme", what)]


@pytest.mark.parametrize(("length", "is_odd"), [(400, True), (600, False), (1900, False), (2100, True)])
async def test_a_text_far_from_the_usual_length_is_found(office: Office, length: int, is_odd: bool) -> None:
    for back in range(1, 5):
        await keep(office, "acme", TODAY - back * DAY)
    await keep(office, "acme", text="x" * length)
    found = await looked(office)
    assert told(found) == ([("acme", "size")] if is_odd else [])


async def test_without_a_history_no_length_is_unusual(office: Office) -> None:
    await keep(office, "acme", TODAY - DAY)
    await keep(office, "acme", text="short")
    assert told(await looked(office)) == []


async def test_what_is_not_due_yet_is_no_finding(office: Office) -> None:
    await office.plan("late")
    found = await looked(office)
    assert (found.looked_at, told(found)) == (2, [])


async def test_what_should_be_delivered_and_is_not_is_named_with_its_reason(office: Office) -> None:
    await office.plan("gone")
    await office.write(status=Status.FAILED)
    found = await looked(office)
    assert (found.looked_at, told(found)) == (2, [("gone", "undelivered")])
