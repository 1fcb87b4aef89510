"""What can be asked of reports, in a house whose clock stands still, on a real ledger."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from daemon.config.reporting import ReportsSection
from daemon.operations import Operations, Unfit, Unknown
from daemon.operations.reports import ReportOperations
from state.ledger.base import Ledger
from state.ledger.errors import LedgerDown
from state.ledger.records import Release, Status
from state.records import DeliveryState, Severity
from tests.contracts.ledgers import LEASE, company, key, outcome, owed, sent
from tests.house import House

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)


@pytest.fixture
async def desk(house: House) -> AsyncIterator[House]:
    """A house with reports, some minutes after they came due; what is told to write them does nothing."""
    house.config = replace(house.config, reports=ReportsSection())
    house.clock = type(house.clock)(NOW, house.settle)
    house.add_handler("write-reports")
    await house.start()
    yield house


def asked(desk: House) -> ReportOperations:
    return Operations(desk.app).reports


def ledger_of(desk: House) -> Ledger:
    assert desk.app.ledger is not None
    return desk.app.ledger


async def a_morning(desk: House) -> Ledger:
    """One company served, one whose mail broke off, one that failed, one paused, one forgotten."""
    ledger = ledger_of(desk)
    roster = [company(name) for name in ("acme", "blue", "calm", "dusk", "echo")]
    await ledger.import_companies([roster], import_id="i", now=NOW, on=TODAY, source="test")
    await ledger.plan([owed(name, roster_version=1) for name in ("acme", "blue", "dusk")], NOW - DAY)
    await ledger.plan([owed("calm", status=Status.EXCUSED, reason="paused")], NOW - DAY)
    (dusk,) = await ledger.claim("anna", NOW, LEASE, 1, company_ids=["dusk"])
    given = Release(company_id="dusk", date=TODAY, epoch=dusk.epoch, at=NOW, error="it broke")
    await ledger.release("anna", [given])
    acme, blue = await sent(ledger, "anna", NOW)
    await ledger.record_outcomes(
        "anna",
        [
            outcome(acme, proof="250 queued as 1"),
            outcome(blue, DeliveryState.UNKNOWN, Status.UNKNOWN, error="no answer"),
        ],
    )
    return ledger


async def test_a_page_is_of_one_date_by_company_with_how_many_there_are(desk: House) -> None:
    await a_morning(desk)
    rows, total = await asked(desk).listing(None, None, limit=2)
    assert ([row["companyId"] for row in rows], total) == (["acme", "blue"], 4)
    assert rows[0] == {
        "companyId": "acme",
        "date": "2026-11-21",
        "status": "delivered",
        "rung": "main",
        "stableId": "acme-2026-11-21",
        "attempts": 1,
        "dueAt": "2026-11-21T05:00:00Z",
        "deadlineAt": "2026-11-21T07:00:00Z",
        "deliveredAt": "2026-11-21T05:00:00Z",
        "channel": "mail",
        "error": None,
        "reason": None,
    }
    rest, _ = await asked(desk).listing(TODAY, None, after="blue")
    assert [row["companyId"] for row in rest] == ["calm", "dusk"]
    failed, total = await asked(desk).listing(TODAY, "failed")
    assert ([row["companyId"] for row in failed], total) == (["dusk"], 1)
    with pytest.raises(Unfit, match='"fail" is none; did you mean "failed"'):
        await asked(desk).listing(TODAY, "fail")


async def test_who_lacks_a_report_is_named_with_how_it_stands(desk: House) -> None:
    ledger = await a_morning(desk)
    await ledger.plan([owed("late")], NOW)
    lacking, total = await asked(desk).missing(None)
    assert total == 3
    assert [(row["companyId"], row["status"]) for row in lacking] == [
        ("blue", "unknown"),
        ("dusk", "failed"),
        ("echo", "missing"),
    ]
    await desk.clock.advance(hours=3)
    lacking, _ = await asked(desk).missing(None)
    assert {row["companyId"]: row["status"] for row in lacking}["late"] == "planned"


async def test_coverage_is_of_the_newest_date_that_is_due_unless_one_is_named(desk: House) -> None:
    await a_morning(desk)
    found = await asked(desk).coverage(None)
    assert found == {
        "date": "2026-11-21",
        "expected": 5,
        "delivered": 1,
        "degraded": 0,
        "excused": 1,
        "unknown": 1,
        "failed": 1,
        "missing": 1,
        "percent": 25.0,
    }
    assert (await asked(desk).coverage(TODAY - DAY))["expected"] == 0
    assert [row["date"] for row in await asked(desk).coverages(None, 2)] == ["2026-11-21", "2026-11-20"]


async def test_the_status_tells_the_percentage_unless_the_ledger_is_away(
    desk: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = Operations(desk.app)
    assert (await operations.status())["coverageToday"] is None
    ledger = await a_morning(desk)
    assert (await operations.status())["coverageToday"] == 25.0

    async def refuse(*_: object) -> None:
        raise LedgerDown("no answer")

    monkeypatch.setattr(ledger, "counts", refuse)
    await desk.clock.advance(seconds=5)
    assert (await operations.status())["coverageToday"] is None


async def test_without_any_report_the_day_is_that_of_the_configuration(desk: House) -> None:
    desk.app.config = replace(desk.app.config, timezone="Pacific/Kiritimati")
    assert (await asked(desk).coverage(None))["date"] == "2026-11-21"
    desk.app.config = replace(desk.app.config, timezone="Pacific/Honolulu")
    assert (await asked(desk).coverage(None))["date"] == "2026-11-20"


async def test_a_report_is_shown_with_its_cause_and_its_copy(desk: House) -> None:
    await a_morning(desk)
    folder = desk.app.home.logs / "reports" / "2026-11-21"
    folder.mkdir(parents=True)
    (folder / "acme.json").write_text(json.dumps({"company": "acme"}))
    (folder / "acme.txt").write_text("All is well.")
    found = await asked(desk).show("acme", None)
    assert (found["report"], found["text"]) == ({"company": "acme"}, "All is well.")
    assert found["why"].startswith("acme 2026-11-21 is delivered: mail took it: 250 queued as 1 (")
    (folder / "acme.json").write_text("{")
    assert (await asked(desk).show("acme", TODAY))["report"] is None
    absent = await asked(desk).show("echo", TODAY)
    assert (absent["status"], absent["report"]) == ("missing", None)


async def test_a_company_that_never_was_is_refused_with_the_one_that_was_meant(desk: House) -> None:
    await a_morning(desk)
    for asking in (asked(desk).why("acne", None), asked(desk).ensure([TODAY], "acne")):
        with pytest.raises(Unknown, match='no company "acne" was ever on the roster; did you mean "acme"'):
            await asking


async def test_the_cause_names_the_alerts_of_the_company_and_who_heard_of_them(desk: House) -> None:
    await a_morning(desk)
    about: dict[str, Any] = {"severity": Severity.ERROR, "summary": "s", "labels": {"company": "dusk"}}
    await desk.app.alerts.fire("report.failed", **about)
    found = await asked(desk).why("dusk", None)
    assert (found["date"], found["status"], found["decidedBy"]) == ("2026-11-21", "failed", "attempt.failed")
    raised = [it["detail"] for it in found["links"] if it["event"] == "alert.raised"]
    assert [it.split(",")[0] for it in raised] == ["report.failed"]


async def test_what_is_ensured_is_a_task_for_the_dates_and_the_company(desk: House) -> None:
    await a_morning(desk)
    made = await asked(desk).ensure([TODAY, TODAY - DAY, TODAY], "acme")
    await desk.settle()
    task = await desk.known(made["id"])
    dates = ["2026-11-20", "2026-11-21"]
    assert task.args == {"dates": dates, "companies": ["acme"], "why": "ensure"}
    newest = await desk.known((await asked(desk).ensure([], None))["id"])
    assert newest.args == {"dates": ["2026-11-21"], "why": "ensure"}


@pytest.mark.parametrize(
    ("days", "told"),
    [([TODAY + 2 * DAY], "2026-11-23 is owed to nobody yet"), ([TODAY] * 367, "367 are too many at once")],
    ids=["future", "many"],
)
async def test_dates_that_make_no_sense_are_not_ensured(days: list[date], told: str, desk: House) -> None:
    with pytest.raises(Unfit, match=told):
        await asked(desk).ensure(days, None)
    assert desk.ran == []


async def test_somebodys_word_that_it_arrived_settles_it_and_ends_its_alert(desk: House) -> None:
    ledger = await a_morning(desk)
    about: dict[str, Any] = {"severity": Severity.ERROR, "summary": "s", "labels": {"company": "blue"}}
    await desk.app.alerts.fire("report.unknown", **about)
    settled = await asked(desk).resolve("blue", TODAY, "delivered", "bert")
    assert (settled["status"], settled["taskId"]) == ("delivered", None)
    assert desk.alerts == []
    (entry,) = await ledger.audit()
    assert (entry.actor, entry.action, entry.subject) == ("bert", "report.resolved", "blue 2026-11-21")
    with pytest.raises(Unfit, match="the report of blue for 2026-11-21 is delivered; only what failed"):
        await asked(desk).resolve("blue", TODAY, "resend", "bert")


async def test_what_is_to_be_sent_again_is_due_and_made_at_once(desk: House) -> None:
    await a_morning(desk)
    settled = await asked(desk).resolve("dusk", TODAY, "resend", "bert")
    await desk.settle()
    assert settled["status"] == "due"
    assert [task.id for task in desk.ran] == [settled["taskId"]]
    assert desk.ran[0].args["companies"] == ["dusk"]


async def test_what_is_to_be_sent_again_is_due_even_where_no_task_is_promised(desk: House) -> None:
    ledger = await a_morning(desk)
    desk.disk.is_full = True
    settled = await asked(desk).resolve("dusk", TODAY, "resend", "bert")
    assert (settled["status"], settled["taskId"]) == ("due", None)
    found = await ledger.obligation(key("dusk"))
    desk.disk.is_full = False
    assert found is not None
    assert found.status is Status.DUE


@pytest.mark.parametrize(
    ("company_id", "as_", "by", "told"),
    [
        ("blue", "sent", "bert", 'as: "sent" is no way to resolve it; did you mean "resend"'),
        ("blue", "delivered", " ", "by: "),
        ("echo", "delivered", "bert", "nothing is owed to echo for 2026-11-21"),
        ("../x", "delivered", "bert", "nothing is owed to ../x"),
    ],
    ids=["word", "nobody", "not-owed", "path"],
)
async def test_a_word_that_makes_no_sense_changes_nothing(
    company_id: str, as_: str, by: str, told: str, desk: House
) -> None:
    ledger = await a_morning(desk)
    with pytest.raises(Unfit, match=told):
        await asked(desk).resolve(company_id, TODAY, as_, by)
    assert await ledger.audit() == []


async def test_a_certificate_is_written_and_proved(desk: House) -> None:
    ledger = await a_morning(desk)
    with pytest.raises(Unknown, match="there is no certificate of 2026-11-21; `nightdesk certificate write"):
        await asked(desk).verify(TODAY)
    made = await asked(desk).certify(TODAY)
    assert (made["rows"], made["coverage"]["percent"]) == (4, 25.0)
    assert (await asked(desk).verify(TODAY))["ok"] is True
    await ledger.resolve(key("blue"), "delivered", NOW, "bert")
    changed = await asked(desk).verify(TODAY)
    assert (changed["ok"], [it["companyId"] for it in changed["differences"]]) == (False, ["blue"])
    with pytest.raises(Unfit, match="2026-11-23 has not begun"):
        await asked(desk).certify(TODAY + 2 * DAY)


async def test_where_no_reports_are_configured_every_question_says_so(house: House) -> None:
    await house.open()
    for asking in (asked(house).coverage(None), asked(house).missing(None), asked(house).verify(TODAY)):
        with pytest.raises(Unfit, match='a section "reports" in the configuration'):
            await asking
