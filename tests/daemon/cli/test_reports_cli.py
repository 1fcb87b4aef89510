"""`nightdesk reports`, `coverage`, `certificate` and `why`, without a daemon and with one."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from state.ledger.base import Ledger
from state.ledger.choice import make_ledger
from state.ledger.records import Status
from state.records import DeliveryState
from tests.contracts.ledgers import company, outcome, owed, sent

Nightdesk = Callable[..., Any]
NEVER = "0 0 29 2 *"
DAY = date(2024, 2, 29)  # long past, whatever the clock of the machine says
AT = datetime(2024, 2, 29, 5, tzinfo=UTC)


@pytest.fixture
def served(desk: Any) -> Any:
    """A desk with one report delivered, one unknown, one excused; and a company that nobody planned for."""
    schedules = {"hello": {"command": ["true"], "cron": NEVER}}
    kept = {"historyDays": 3660}  # the daemon clears away what is older
    config = {"timezone": "UTC", "reports": {}, "schedules": schedules, "queue": kept}
    desk.config.write_text(json.dumps(config))
    desk.home.make_folders()
    asyncio.run(with_ledger(desk, fill))
    return desk


async def with_ledger(desk: Any, work: Callable[[Ledger], Awaitable[None]]) -> None:
    ledger = make_ledger("sqlite", desk.home)
    await ledger.open(AT)
    try:
        await work(ledger)
    finally:
        await ledger.close()


async def fill(ledger: Ledger) -> None:
    roster = [*(company(name) for name in ("acme", "blue", "calm")), company("dusk", channel="log")]
    await ledger.import_companies([roster], import_id="i", now=AT, on=DAY, source="test")
    excused = owed("calm", DAY, status=Status.EXCUSED, reason="paused until 2024-03-09")
    await ledger.plan([owed("acme", DAY, roster_version=1), owed("blue", DAY), excused], AT)
    acme, blue = await sent(ledger, "anna", AT)
    lost = outcome(blue, DeliveryState.UNKNOWN, Status.UNKNOWN, AT, error="no answer")
    await ledger.record_outcomes("anna", [outcome(acme, at=AT, proof="250 queued as 1"), lost])


def test_reports_are_listed_and_those_that_lack_are_named(served: Any, nightdesk: Nightdesk) -> None:
    listed = nightdesk("reports", "list", "--date", "2024-02-29")
    assert (listed.code, listed.err) == (0, "")
    assert listed.out.splitlines()[0].split() == [
        *["COMPANY", "DATE", "STATUS", "BY", "TRIES", "DUE", "(UTC)", "DELIVERED", "CHANNEL", "WHY"]
    ]
    assert listed.out.splitlines()[1].split()[:5] == ["acme", "2024-02-29", "delivered", "main", "1"]
    rows = nightdesk("reports", "list", "--date", "2024-02-29", "--status", "unknown", "--json").json
    assert [(row["companyId"], row["error"]) for row in rows] == [("blue", "no answer")]
    short = nightdesk("reports", "list", "--date", "2024-02-29", "--limit", "1")
    assert (short.out.count("\n"), short.err) == (2, "1 of 3; --limit shows more\n")
    lacking = nightdesk("reports", "missing", "--date", "2024-02-29")
    assert [line.split()[0] for line in lacking.out.splitlines()[1:]] == ["blue", "dusk"]
    rows = nightdesk("reports", "missing", "--date", "2024-02-29", "--json").json
    assert [row["status"] for row in rows] == ["unknown", "missing"]
    assert nightdesk("reports", "list", "--date", "2024-02-27").out == "No reports.\n"
    assert "--date names another" in nightdesk("reports", "list", "--status", "sent").err
    assert nightdesk("reports", "missing", "--date", "2024-02-27").out == "Nobody lacks a report.\n"


def test_coverage_answers_with_exactly_its_fields(served: Any, nightdesk: Nightdesk) -> None:
    assert nightdesk("coverage", "--date", "2024-02-29", "--json").json == {
        "date": "2024-02-29",
        "expected": 4,
        "delivered": 1,
        "degraded": 0,
        "excused": 1,
        "unknown": 1,
        "failed": 0,
        "missing": 1,
        "percent": 33.33,
    }
    table = nightdesk("coverage", "--date", "2024-02-29", "--days", "2").out.splitlines()
    assert [line.split()[0] for line in table] == ["DATE", "2024-02-29", "2024-02-28"]
    assert [line.split()[-2:] for line in table[1:]] == [["33.33", "%"], ["0", "-"]]


def test_a_certificate_holds_until_a_row_is_changed(served: Any, nightdesk: Nightdesk) -> None:
    none = nightdesk("certificate", "verify", "2024-02-29")
    assert (none.code, "certificate write 2024-02-29" in none.err) == (2, True)
    made = nightdesk("certificate", "write", "2024-02-29")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("2024-02-29: 1 of 3 delivered (33.33 %), 3 rows, ")
    holds = nightdesk("certificate", "verify", "2024-02-29")
    assert (holds.code, "the certificate holds, 3 rows" in holds.out) == (0, True)
    with closing(sqlite3.connect(served.home.folder / "ledger.db")) as connection, connection:
        connection.execute("UPDATE obligation SET status = 'delivered' WHERE company_id = 'blue'")
    broken = nightdesk("certificate", "verify", "2024-02-29")
    assert broken.code == 1
    assert "blue: changed, was unknown, is delivered" in broken.out
    found = nightdesk("certificate", "verify", "2024-02-29", "--json")
    assert (found.code, [it["companyId"] for it in found.json["differences"]]) == (1, ["blue"])


def test_of_a_date_that_is_cleared_away_it_is_said(served: Any, nightdesk: Nightdesk) -> None:
    nightdesk("certificate", "write", "2024-02-29")

    async def clear(ledger: Ledger) -> None:
        assert await ledger.prune(DAY, datetime(2025, 5, 1, tzinfo=UTC)) == 3

    asyncio.run(with_ledger(served, clear))
    cleared = nightdesk("certificate", "verify", "2024-02-29")
    assert (cleared.code, "the certificate holds, 3 rows" in cleared.out) == (0, True)
    assert "its rows were kept as long as they had to be, and are cleared away" in cleared.out


def test_why_tells_what_led_to_it_link_by_link(served: Any, nightdesk: Nightdesk) -> None:
    told = nightdesk("why", "acme", "2024-02-29")
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines()[:2] == [
        "acme 2024-02-29 is delivered: mail took it: 250 queued as 1",
        "decided by send.delivered",
    ]
    assert [line.split()[1] for line in told.out.splitlines()[4:]] == [
        "obligation.planned",
        "obligation.due",
        "lease.taken",
        "report.produced",
        "send.intended",
        "send.delivered",
    ]
    lost = nightdesk("why", "blue", "2024-02-29").out
    assert "nightdesk reports resolve blue 2024-02-29 --as delivered|resend" in lost
    assert nightdesk("why", "dusk", "2024-02-29", "--json").json["status"] == "missing"
    assert nightdesk("why", "dusk", "2024-02-28").out.splitlines() == [
        "dusk 2024-02-28 is not-owed: joined the roster on 2024-02-29",
        "decided by roster.absent",
    ]
    nobody = nightdesk("why", "acne")
    assert (nobody.code, 'did you mean "acme"' in nobody.err) == (2, True)


def test_a_report_is_shown_with_its_kept_text(served: Any, nightdesk: Nightdesk) -> None:
    bare = nightdesk("reports", "show", "acme", "2024-02-29").out
    assert bare.splitlines()[-1] == "No copy of it was kept."
    folder = served.home.logs / "reports" / "2024-02-29"
    folder.mkdir(parents=True)
    (folder / "acme.json").write_text('{"company": "acme"}')
    (folder / "acme.txt").write_text("Flights: 41\n\x1b[2Jgone")
    shown = nightdesk("reports", "show", "acme", "2024-02-29").out
    assert "Flights: 41\n\N{REPLACEMENT CHARACTER}[2Jgone" in shown
    assert nightdesk("reports", "show", "acme", "2024-02-29", "--json").json["report"] == {"company": "acme"}


def test_somebodys_word_settles_a_report_once(served: Any, nightdesk: Nightdesk) -> None:
    settled = nightdesk("reports", "resolve", "blue", "2024-02-29", "--as", "delivered", "--by", "bert")
    assert (settled.code, settled.out) == (0, "blue 2024-02-29: delivered\n")
    again = nightdesk("reports", "resolve", "blue", "2024-02-29", "--as", "resend")
    assert (again.code, "only what failed or is unknown" in again.err) == (2, True)
    assert nightdesk("coverage", "--date", "2024-02-29", "--json").json["delivered"] == 2


def test_what_is_to_be_sent_again_is_due(served: Any, nightdesk: Nightdesk) -> None:
    settled = nightdesk("reports", "resolve", "blue", "2024-02-29", "--as", "resend", "--json").json
    assert (settled["status"], settled["taskId"] is not None) == ("due", True)


def test_a_report_that_nobody_planned_is_made_and_sent(served: Any, nightdesk: Nightdesk) -> None:
    made = nightdesk("reports", "ensure", "--date", "2024-02-29", "--company", "dusk")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("write-reports: completed: ")
    found = nightdesk("reports", "show", "dusk", "2024-02-29", "--json").json
    assert (found["status"], found["channel"], found["text"] is not None) == ("delivered-late", "log", True)
    again = nightdesk("reports", "ensure", "--from", "2024-02-29", "--to", "2024-02-29", "--company", "acme")
    assert again.code == 0
    assert nightdesk("why", "acme", "2024-02-29", "--json").json["obligation"]["attempts"] == 1
    assert nightdesk("coverage", "--date", "2024-02-29", "--json").json["delivered"] == 2


def test_the_roster_file_is_taken_before_reports_are_made(desk: Any, nightdesk: Nightdesk) -> None:
    desk.config.write_text(json.dumps({"timezone": "UTC", "reports": {"companies": "who.csv"}}))
    asked = ("reports", "ensure", "--date", "2024-02-29")
    nobody = nightdesk(*asked)
    assert (nobody.code, "nightdesk companies import FILE" in nobody.err) == (2, True), nobody
    assert nightdesk("reports", "missing").out.startswith("Nobody is on the roster; nightdesk companies ")
    (desk.folder / "who.csv").write_text("id,timezone,channel\nacme,UTC,log\nblue,UTC,log\n")
    made = nightdesk(*asked)
    assert (made.code, "ensured 2" in made.out) == (0, True), made
    (desk.folder / "who.csv").write_text("id,timezone,channel\nacme,UTC,log\nblue,UTC,log\ncalm,UTC,log\n")
    assert "ensured 1" in nightdesk(*asked).out
    rest = "acme,UTC,log\nblue,UTC,log\ncalm,UTC,log\n"
    for handler in ("daily-reports", "backup-reports"):
        (desk.folder / "who.csv").write_text(f"id,timezone,channel\n{rest}{handler},UTC,log\n")
        rest += f"{handler},UTC,log\n"
        assert nightdesk("run-once", handler).code == 0
        assert handler in [it["id"] for it in nightdesk("companies", "list", "--json").json]


def test_those_who_lack_a_report_are_told_to_the_last(
    served: Any, nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.reports.lacking.PAGE", 1)  # of the ledger's rows
    asked = ("reports", "missing", "--date", "2024-02-29")
    short = nightdesk(*asked, "--limit", "1")
    assert (short.out.splitlines()[1].split()[0], short.err) == ("blue", "1 of 2; --limit shows more\n")
    assert [row["companyId"] for row in nightdesk(*asked, "--json").json] == ["blue", "dusk"]


@pytest.mark.parametrize(
    "argv",
    [
        *[("coverage",), ("why", "acme", "2024-02-29"), ("reports", "list"), ("reports", "missing")],
        *[("reports", "show", "acme"), ("companies", "list"), ("monitor", "queues"), ("health", "now")],
        *[("monitor", "post-completion"), ("emergency", "show", "plan-1")],
    ],
    ids=" ".join,
)
def test_a_ledger_changed_behind_its_back_is_left_as_it_is_by_who_only_looks(
    argv: tuple[str, ...], served: Any, nightdesk: Nightdesk
) -> None:
    nightdesk("certificate", "write", "2024-02-29")
    with closing(sqlite3.connect(served.home.ledger)) as connection, connection:
        connection.execute("UPDATE obligation SET status = 'delivered' WHERE company_id = 'blue'")
    before = served.home.ledger.read_bytes()
    ended = nightdesk(*argv)
    assert (ended.code, ended.out) == (65, "")
    assert "its checksum does not fit" in ended.err
    assert "`nightdesk certificate verify DATE` names the rows" in ended.err
    assert served.home.ledger.read_bytes() == before
    found = nightdesk("certificate", "verify", "2024-02-29")
    assert (found.code, "blue: changed, was unknown, is delivered" in found.out) == (1, True)
    (served.home.folder / "ledger.db.sha256").unlink()  # as it is advised, where the change is to stay
    assert nightdesk("coverage", "--date", "2024-02-29", "--json").json["delivered"] == 2


def test_what_cannot_be_made_ends_in_1(served: Any, nightdesk: Nightdesk) -> None:
    async def move(ledger: Ledger) -> None:
        roster = [company("dusk", channel="gone")]
        await ledger.import_companies([roster], import_id="j", now=AT, on=date(2024, 3, 1), source="test")

    asyncio.run(with_ledger(served, move))
    made = nightdesk("reports", "ensure", "--date", "2024-02-29", "--company", "dusk")
    assert (made.code, "failed 1" in made.out) == (1, True), made
    why = nightdesk("why", "dusk", "2024-02-29").out
    assert "once it is mended: nightdesk reports ensure --date 2024-02-29 --company dusk" in why


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("reports", "list", "--status", "sentt"), '"sentt" is none'),
        (("reports", "list", "--date", "soon"), "is no date"),
        (("reports", "ensure", "--date", "2024-02-29", "--to", "2024-02-29"), "and not both"),
        (("reports", "ensure", "--from", "2024-02-29"), "both --from and --to"),
        (("reports", "ensure", "--from", "2024-02-29", "--to", "2024-02-28"), "no range"),
        (("reports", "ensure", "--date", "9999-12-31"), "is owed to nobody yet"),
        (("reports", "ensure", "--date", "2024-02-29", "--company", "acne"), 'did you mean "acme"'),
        (("reports", "resolve", "blue", "2024-02-29"), "--as"),
        (("reports", "show", "../acme", "2024-02-29"), "was ever on the roster"),
        (("coverage", "--days", "0"), "--days"),
        (("certificate", "write", "9999-12-31"), "has not begun"),
    ],
    ids=lambda it: None if isinstance(it, str) else "-".join(it[:2]) + str(len(it)),
)
def test_what_makes_no_sense_ends_in_2(
    argv: tuple[str, ...], told: str, served: Any, nightdesk: Nightdesk
) -> None:
    ended = nightdesk(*argv)
    assert (ended.code, ended.out, told in ended.err) == (2, "", True), ended.err


def test_without_reports_in_the_configuration_every_question_says_so(nightdesk: Nightdesk) -> None:
    for argv in (
        ("coverage",),
        ("why", "acme"),
        ("reports", "list"),
        ("certificate", "verify", "2024-02-29"),
    ):
        ended = nightdesk(*argv)
        assert (ended.code, 'a section "reports"' in ended.err) == (2, True), ended


def test_a_daemon_answers_the_same(
    served: Any, daemon: Any, nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cli.reports.PAGE", 2)  # so that three rows are two pages
    assert nightdesk("coverage", "--date", "2024-02-29", "--json").json["percent"] == 33.33
    rows = nightdesk("reports", "list", "--date", "2024-02-29", "--json").json
    assert [row["companyId"] for row in rows] == ["acme", "blue", "calm"]
    assert nightdesk("why", "acme", "2024-02-29").out.startswith("acme 2024-02-29 is delivered: ")
    settled = nightdesk("reports", "resolve", "blue", "2024-02-29", "--as", "delivered")
    assert (settled.code, settled.out) == (0, "blue 2024-02-29: delivered\n")
    made = nightdesk("certificate", "write", "2024-02-29", "--json").json
    found = nightdesk("certificate", "verify", "2024-02-29", "--json")
    assert (found.code, found.json["hash"]) == (0, made["hash"])
    assert nightdesk("reports", "missing", "--date", "2024-02-29", "--json").json[0]["companyId"] == "dusk"
    assert nightdesk("reports", "missing", "--date", "2024-02-29").out.count("\n") == 2
    refused = nightdesk("reports", "ensure", "--date", "9999-12-31")
    assert (refused.code, "is owed to nobody yet" in refused.err) == (2, True)
