"""The handlers of reports: the daily one, the one for what was asked for, and the loud pass behind them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.engine.handler import Cancel, HandlerError, Snooze
from daemon.kept import Kept
from daemon.notify.base import ChannelError, Failure
from daemon.reports.owing import PLANNED_NOTE
from handlers.backup_reports import backup_reports
from handlers.daily_reports import daily_reports
from handlers.reporting.leases import LEASE
from handlers.write_reports import write_reports
from state import records
from state.codec import time_text
from state.ledger.errors import LedgerConflict, LedgerDown, LedgerFull, LedgerReadOnly
from state.ledger.records import Status
from tests.handlers.reporting.newsroom import NOW, TODAY, Newsroom, company, newsroom, summary_of

LOST = Failure.UNKNOWN


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with newsroom(tmp_path) as made:
        yield made


async def test_the_daily_handler_works_until_nothing_is_due(room: Newsroom) -> None:
    names = [f"c{number:03}" for number in range(230)]
    await room.serve(*names)
    done = summary_of(await daily_reports(room.context("daily-reports")))
    assert (done["delivered"], done["claimed"]) == (230, 230)
    assert len(room.team.seen) == 230


@pytest.mark.parametrize("handler", [daily_reports, write_reports, backup_reports], ids=lambda it: it.name)
async def test_without_reports_in_the_config_there_is_nothing_to_do(room: Newsroom, handler: Any) -> None:
    room.house = replace(room.house, ledger=None)
    answer = await handler(room.context(handler.name))
    assert isinstance(answer, Cancel)
    assert "reports" in answer.reason


async def test_a_source_that_cannot_be_opened_is_named_and_not_tried_again(room: Newsroom) -> None:
    room.config["reports"]["source"] = {"type": "sqlite", "facts": "SELECT 1"}
    await room.restart()
    with pytest.raises(HandlerError, match=r"source\.path: a sqlite source needs it") as caught:
        await daily_reports(room.context("daily-reports"))
    assert caught.value.permanent


def handing_nothing_out(room: Newsroom, error: Exception) -> None:
    """Have the ledger fail whoever claims."""

    class Failing:
        """The same ledger otherwise."""

        def __getattr__(self, name: str) -> Any:
            return getattr(room.ledger, name)

        async def claim(self, *args: Any, **kwargs: Any) -> Any:
            raise error

    room.house = replace(room.house, ledger=Failing())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [LedgerDown("no answer"), LedgerFull("no room"), LedgerReadOnly("no writes")],
    ids=["down", "full", "read-only"],
)
async def test_a_ledger_that_is_away_puts_the_task_off_for_a_moment_and_costs_no_attempt(
    room: Newsroom, error: Exception
) -> None:
    await room.serve("acme")
    handing_nothing_out(room, error)
    answer = await daily_reports(room.context("daily-reports"))
    assert isinstance(answer, Snooze)
    assert answer.minutes <= 0.25
    assert str(error) in answer.reason
    assert (await room.of("acme")).status is Status.PLANNED
    assert room.alerts() == []
    await room.house.kept.close()


async def test_reports_that_wait_for_their_ledger_again_and_again_are_told_of_until_they_go_on(
    room: Newsroom,
) -> None:
    await room.serve("acme")
    whole, task = room.house, room.context("daily-reports")
    handing_nothing_out(room, LedgerFull("no room"))
    second = records.replace(task.task, summary={"snoozes": 1})
    again = replace(room.context("daily-reports"), task=second)
    await daily_reports(again)
    assert [name for name, _ in room.alerts()] == ["report.waiting"]
    await room.house.kept.close()
    room.house = replace(whole, kept=Kept())
    assert summary_of(await daily_reports(room.context("daily-reports")))["delivered"] == 1
    assert room.alerts() == []


async def test_a_ledger_that_fails_has_the_task_come_again(room: Newsroom) -> None:
    await room.serve("acme")
    handing_nothing_out(room, LedgerConflict("it says something else"))
    with pytest.raises(HandlerError, match="something else") as caught:
        await daily_reports(room.context("daily-reports"))
    assert not caught.value.permanent
    assert caught.value.retry_after is not None
    await room.house.kept.close()


async def test_what_is_asked_for_is_made_and_no_more(room: Newsroom) -> None:
    await room.serve("acme", "bolt", "cold")
    args = {"dates": [TODAY.isoformat()], "companies": ["acme", "bolt"], "why": "sweep"}
    assert summary_of(await write_reports(room.context(**args)))["delivered"] == 2
    assert (await room.of("cold")).status is Status.PLANNED
    await room.ledger.bind_plan("plan-7", [TODAY])
    assert summary_of(await write_reports(room.context(planId="plan-7")))["delivered"] == 1


async def test_to_ensure_plans_what_is_missing_and_opens_what_failed(room: Newsroom) -> None:
    await room.roster(*(company(name, channel="team") for name in ("acme", "bolt")))
    await room.owe("bolt")
    room.team.failing = [ChannelError("gone", failure=Failure.PERMANENT)]
    await write_reports(room.context(companies=["bolt"]))
    done = summary_of(await write_reports(room.context(dates=[TODAY.isoformat()], why="ensure")))
    assert (done["ensured"], done["delivered"]) == (2, 2)
    done = summary_of(await write_reports(room.context(dates=[TODAY.isoformat()], why="ensure")))
    assert (done["ensured"], done["delivered"]) == (0, 0)
    assert len(room.team.arrived) == 2


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"dates": "2026-11-21"}, "dates: '2026-11-21' is no list"),
        ({"dates": ["tomorrow"]}, "dates: 'tomorrow' is no date; write it as 2026-11-21"),
        ({"companies": 7}, "companies: 7 is no list"),
    ],
    ids=["no list", "no date", "a number"],
)
async def test_args_of_another_form_are_refused_for_good(
    room: Newsroom, args: dict[str, Any], told: str
) -> None:
    with pytest.raises(HandlerError, match=told) as caught:
        await write_reports(room.context(**args))
    assert caught.value.permanent


async def test_a_lost_answer_is_looked_into_again_when_its_time_has_come(room: Newsroom) -> None:
    await room.serve("acme")
    room.team.failing = [ChannelError("no answer", failure=LOST)]
    await daily_reports(room.context("daily-reports"))
    [(handler, args, fields)] = room.enqueued
    assert (handler, args["why"]) == ("write-reports", "resend")
    assert fields["scheduled_at"] == NOW + timedelta(minutes=15, seconds=1)
    await room.clock.advance(minutes=16)
    done = summary_of(await write_reports(room.context(**args)))
    assert done["delivered"] == 1
    assert len(room.enqueued) == 1


async def test_the_loud_pass_is_quiet_where_all_is_well(room: Newsroom) -> None:
    await room.serve("acme")
    await room.owe("acme", on=TODAY - timedelta(days=1))
    await daily_reports(room.context("daily-reports"))
    await room.clock.advance(hours=1)
    done = summary_of(await backup_reports(room.context("backup-reports")))
    assert done["steppedInFor"] == 0
    assert room.alerts() == []


async def test_the_loud_pass_makes_what_was_left_and_says_so(room: Newsroom) -> None:
    names = ("gone", "lost", "over", "sick")
    await room.roster(*(company(name, channel="team", timezone="Asia/Tokyo") for name in names))
    await room.owe("lost", "over", "sick")
    assert await room.ledger.claim("who went away", NOW, LEASE, 1, company_ids=["lost"])
    room.team.failing = [ChannelError("gone", failure=Failure.PERMANENT)]
    await write_reports(room.context(companies=["sick"]))
    await room.clock.advance(hours=1)
    # The planner has been over the roster since it was imported, and has left somebody out.
    await room.store.commit(notes={PLANNED_NOTE: time_text(room.clock.now())})
    yesterday = TODAY - timedelta(days=1)
    await room.owe(*names, on=yesterday)
    await room.ledger.excuse([(await room.of(it, yesterday)).key for it in names], "a holiday", NOW)
    done = summary_of(await backup_reports(room.context("backup-reports")))
    found = {name: n for name, n in done.items() if name.startswith("found")}
    assert found == {"foundMissing": 1, "foundFailed": 1, "foundStuck": 1, "foundOverdue": 1}
    assert done["steppedInFor"] == 4
    assert done["delivered"] == 4
    assert ("backup.intervened", "") in room.alerts()
    await backup_reports(room.context("backup-reports"))
    assert room.alerts() == []
