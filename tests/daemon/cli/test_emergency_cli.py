"""`nightdesk emergency` and `nightdesk backup run`, without a daemon: the plan is carried out here."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from daemon.reports.estimating import Estimate
from state.ledger.base import Ledger
from state.ledger.choice import make_ledger
from tests.contracts.ledgers import company

Nightdesk = Callable[..., Any]
DAY = date(2024, 2, 29)  # long past, whatever the clock of the machine says
AT = datetime(2024, 2, 29, 5, tzinfo=UTC)
NAMES = ("acme", "blue", "calm")


@pytest.fixture
def served(desk: Any) -> Any:
    """A desk with three companies, for whom nobody has planned anything."""
    desk.config.write_text(json.dumps({"timezone": "UTC", "reports": {}}))
    desk.home.make_folders()

    async def fill(ledger: Ledger) -> None:
        roster = [company(name, channel="log") for name in NAMES]
        await ledger.import_companies([roster], import_id="i", now=AT, on=DAY, source="test")

    asyncio.run(with_ledger(desk, fill))
    return desk


async def with_ledger(desk: Any, work: Callable[[Ledger], Awaitable[Any]]) -> Any:
    ledger = make_ledger("sqlite", desk.home)
    await ledger.open(AT)
    try:
        return await work(ledger)
    finally:
        await ledger.close()


def standing(desk: Any) -> dict[str, str]:
    async def look(ledger: Ledger) -> dict[str, str]:
        return {it.company_id: it.status.value for it in await ledger.obligations(DAY)}

    found: dict[str, str] = asyncio.run(with_ledger(desk, look))
    return found


def trigger(nightdesk: Nightdesk, *more: str) -> Any:
    argv = ("emergency", "trigger", "--reason", "the night was lost", "--date", "2024-02-29")
    return nightdesk(*argv, *more)


def test_a_dry_run_says_what_would_be_sent(served: Any, nightdesk: Nightdesk) -> None:
    ended = trigger(nightdesk, "--all", "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert "A dry run; nothing is planned." in ended.out
    assert "3 will be sent" in ended.out
    assert "when it will be over cannot be told yet, at no cost" in ended.out
    assert standing(served) == {}


def test_all_reports_are_made_here_where_no_daemon_runs(served: Any, nightdesk: Nightdesk) -> None:
    ended = trigger(nightdesk, "--all")
    assert (ended.code, ended.err) == (0, "")
    assert "came of it: 3 delivered" in ended.out
    assert set(standing(served)) == set(NAMES)
    assert all(status.startswith("delivered") for status in standing(served).values())

    again = trigger(nightdesk, "--all")
    assert again.code == 0
    assert "this plan was there already" in again.err


def test_where_nobody_is_on_the_roster_it_is_said(desk: Any, nightdesk: Nightdesk) -> None:
    desk.config.write_text(json.dumps({"timezone": "UTC", "reports": {"companies": "who.csv"}}))
    ended = trigger(nightdesk, "--all")
    assert (ended.code, "nobody is on the roster yet" in ended.err) == (2, True)
    (desk.folder / "who.csv").write_text("id,timezone,channel\nacme,UTC,log\n")
    ended = trigger(nightdesk, "--all")  # the file is read first; who joins now has asked for that date
    assert (ended.code, ended.err) == (0, "")
    assert "came of it: 1 delivered" in ended.out
    (desk.folder / "who.csv").write_text("id,timezone,channel,active\nacme,UTC,log,no\n")
    ended = trigger(nightdesk, "--all", "--date", "2024-03-01")
    assert "nobody is owed one; nightdesk companies list shows who is served" in ended.out


def test_one_company_is_helped_alone(served: Any, nightdesk: Nightdesk) -> None:
    plan = trigger(nightdesk, "--company", "blue", "--json")
    assert (plan.json["state"], plan.json["companies"]) == ("done", ["blue"])
    assert set(standing(served)) == {"blue"}
    shown = nightdesk("emergency", "show", plan.json["planId"])
    assert f"{plan.json['planId']}: done" in shown.out


def test_a_plan_says_when_it_will_be_over_and_what_it_will_cost(
    served: Any, nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def estimated(*_: object) -> Estimate:
        return Estimate(ends_at=datetime(2031, 3, 1, 5, 7, tzinfo=UTC), cost_usd=1234.5)

    monkeypatch.setattr("daemon.reports.emergency.estimate", estimated)
    made = trigger(nightdesk, "--all", "--delay-minutes", "30")
    assert "  over at about 2031-03-01 UTC, for about 1,234.50 USD\n" in made.out
    plan = made.out.split(":")[0]
    assert "for about 1,234.50 USD" in nightdesk("emergency", "show", plan).out
    assert "about" not in nightdesk("emergency", "cancel", plan).out


def test_a_plan_that_waits_can_be_cancelled(served: Any, nightdesk: Nightdesk) -> None:
    made = trigger(nightdesk, "--all", "--delay-minutes", "30")
    assert "by the daemon" in made.out
    assert "no daemon is running; the plan begins when" in made.err
    plan = made.out.split(":")[0]
    cancelled = nightdesk("emergency", "cancel", plan)
    assert (cancelled.code, f"{plan}: cancelled" in cancelled.out) == (0, True)
    assert standing(served) == {}


@pytest.mark.parametrize("argv", [(), ("--all", "--company", "blue")], ids=["neither", "both"])
def test_one_company_or_all_have_to_be_named(
    served: Any, nightdesk: Nightdesk, argv: tuple[str, ...]
) -> None:
    ended = trigger(nightdesk, *argv)
    assert ended.code == 2
    assert "name one company by --company ID, or all of them by --all" in ended.err


def test_a_reason_has_to_be_given(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("emergency", "trigger", "--all", "--reason", " ")
    assert (ended.code, "reason: say why" in ended.err) == (2, True)


def test_without_reports_in_the_config_it_is_said(desk: Any, nightdesk: Nightdesk) -> None:
    ended = trigger(nightdesk, "--all")
    assert (ended.code, "no reports are configured" in ended.err) == (2, True)


def test_the_backup_can_be_run_by_hand(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("backup", "run")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("backup-reports: completed")
