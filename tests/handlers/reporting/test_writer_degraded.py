"""The writer with models that are away, on the other database, and what it says while it works."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from daemon.notify import mail
from daemon.notify.base import Message
from handlers.reporting import tally
from handlers.reporting.tally import Tally
from state.ledger.records import Status
from tests.contracts.ledgers import Making, making
from tests.handlers.reporting.newsroom import NOW, Newsroom, company, newsroom
from tests.postgres import Postgres

NAMES = [f"c{number:02}" for number in range(25)]
AWAY: dict[str, Any] = {
    "providers": [{"name": "main", "type": "openai", "baseUrl": "http://127.0.0.1:9/v1", "model": "m"}]
}


async def worked(room: Newsroom) -> Tally:
    """Work, while the clock goes on."""
    working = asyncio.create_task(room.work())
    while not working.done():
        await room.clock.advance(seconds=1)
    return await working


async def test_with_every_model_away_all_reports_go_out_in_time_and_say_so(tmp_path: Path) -> None:
    async with newsroom(tmp_path, llm=AWAY) as room:
        await room.serve(*NAMES)
        done = await worked(room)
        assert (done.delivered, done.degraded, done.late) == (25, 25, 0)
        assert set((await room.statuses()).values()) == {Status.DELIVERED_DEGRADED}
        assert (await room.of("c00")).rung == "template"
        assert all("no model was reached" in message.text for message in room.team.arrived)
        assert "llm.degraded" in {name for name, _ in room.alerts()}


@pytest.fixture
def on_a_server(tmp_path: Path, postgres: Postgres) -> Making:
    return making("postgres", tmp_path, lambda: postgres)


async def test_it_works_on_a_server_as_on_a_file(tmp_path: Path, on_a_server: Making) -> None:
    room = Newsroom(tmp_path)
    room.make_ledger = on_a_server
    await room.open()
    try:
        await room.ledger.migrate(NOW)
        await room.serve(*NAMES)
        tallies = await asyncio.gather(room.work(), room.work())
        assert sum(one.delivered for one in tallies) == 25
        assert sorted(room.team.seen) == [f"report.{name}.2026-11-21" for name in NAMES]
        assert set((await room.statuses()).values()) == {Status.DELIVERED}
    finally:
        await room.close()


async def test_it_says_how_far_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test of the import contracts, run before in the same process, turns every logger there is off.
    monkeypatch.setattr(logging.getLogger("handlers"), "disabled", False)
    caplog.set_level(logging.INFO, "handlers")
    monkeypatch.setattr(tally, "EVERY_S", 0.0)
    async with newsroom(tmp_path) as room:
        await room.serve("acme", "bolt")
        await room.work()
    told = [record.fields for record in caplog.records if record.message == "reports.progress"]  # type: ignore[attr-defined]
    assert [line["delivered"] for line in told] == [1, 2]
    assert told[0]["task"] == "task-1"


async def test_a_company_that_is_gone_from_the_roster_is_not_silently_passed_over(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room:
        await room.roster(company("acme", channel="team"))
        await room.owe("acme", "nobody")
        await room.work()
        assert (await room.of("nobody")).status is Status.FAILED
        assert room.alerts() == [("report.failed", "nobody")]


def test_a_mail_with_a_page_of_its_own_is_that_page() -> None:
    message = Message(id="r-1", kind="report", title="Acme", text="a  b\n", html="<p>x</p>", created_at=NOW)
    assert mail.html(message) == "<p>x</p>"
    assert mail.text(message) == "a  b\n"


def test_a_page_too_large_for_a_server_is_stood_in_for_by_the_text() -> None:
    message = Message(
        id="r-1", kind="report", title="Acme", text="é" * 600, html="<p>" + "x" * 5000, created_at=NOW
    )
    assert "xxx" not in mail.html(message, 4000)
    assert "é" in mail.html(message, 4000)
    cut = mail.text(message, 1000)
    assert len(cut.encode()) <= 1000
    assert cut.endswith("…\n")
