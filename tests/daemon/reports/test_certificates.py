"""Certificates: written, chained, and proved against real ledgers that somebody has changed."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from daemon.reports.certificates import certificate_file, line_of, rows_file, verify, write
from daemon.reports.sealing import MOST_LACKING, SHORT, hash_of
from state.home import Home
from state.ledger import LEDGERS
from state.ledger.base import Ledger
from state.ledger.errors import LedgerConflict
from state.ledger.records import Certificate, Release, Status
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, Making, company, key, making, outcome, owed, sent

EVENING = NOW + timedelta(hours=12)


@pytest.fixture
def home(home_folder: Path) -> Home:
    home = Home(home_folder, home_folder / "logs")
    home.make_folders()
    return home


@pytest.fixture(params=sorted(LEDGERS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Making:
    return making(request.param, tmp_path, lambda: request.getfixturevalue("postgres"))


@pytest.fixture
async def ledger(place: Making) -> AsyncIterator[Ledger]:
    made = place()
    await made.open(NOW)
    yield made
    await made.close()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Ledger]:
    made = making("sqlite", tmp_path, lambda: pytest.fail("no server is needed"))()
    await made.open(NOW)
    yield made
    await made.close()


async def run(ledger: Ledger, tmp_path: Path, statement: str) -> None:
    """Change the database behind the ledger's back."""
    if ledger.name == "sqlite":
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
            assert connection.execute(statement).rowcount > 0
        return
    settings = {"search_path": "nightdesk"}
    connection = await asyncpg.connect(ledger._url, server_settings=settings)  # type: ignore[attr-defined]
    try:
        assert not (await connection.execute(statement)).endswith(" 0")
    finally:
        await connection.close()


async def a_day(ledger: Ledger) -> None:
    """Three companies: one served, one that failed, one that is paused."""
    roster = [company("acme"), company("blue"), company("calm")]
    await ledger.import_companies([roster], import_id="i", now=NOW, on=TODAY, source="test")
    await ledger.plan([owed("acme", roster_version=1), owed("blue", roster_version=1)], NOW)
    await ledger.plan([owed("calm", status=Status.EXCUSED, reason="paused until 2026-12-01")], NOW)
    (blue,) = await ledger.claim("anna", NOW, LEASE, 1, company_ids=["blue"])
    error = "the mail server said no"
    await ledger.release(
        "anna", [Release(company_id="blue", date=TODAY, epoch=blue.epoch, at=NOW, error=error)]
    )
    (acme,) = await sent(ledger, "anna")
    await ledger.record_outcomes("anna", [outcome(acme, proof="250 queued as 1")])


async def test_a_certificate_says_who_has_no_report_and_holds(ledger: Ledger, home: Home) -> None:
    await a_day(ledger)
    made = await write(ledger, home, TODAY, EVENING)
    said = json.loads(certificate_file(home, TODAY).read_bytes())
    assert said["hash"] == made.hash == hash_of({name: said[name] for name in said if name != "hash"})
    assert (said["date"], said["rosterVersion"], said["previousHash"]) == ("2026-11-21", 1, None)
    assert said["counts"] == {"delivered": 1, "excused": 1, "failed": 1}
    assert said["nonDelivered"] == [
        {"companyId": "blue", "status": "failed", "reason": "the mail server said no", "attempts": 1}
    ]
    assert said["coverage"]["percent"] == 50.0
    lines = rows_file(home, TODAY).read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["delivered acme", "failed blue", "excused calm"]
    assert {len(line.split()[0]) for line in lines} == {SHORT}
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    assert verdict.as_row() == {
        "date": "2026-11-21",
        "ok": True,
        "hash": made.hash,
        "rows": 3,
        "problems": [],
        "differences": [],
        "differencesTotal": 0,
        "cleared": False,
    }
    assert line_of(made) == f"2026-11-21: 1 of 2 (50 %), {made.hash[:16]}"


@pytest.mark.parametrize(
    ("statement", "name", "what", "was", "now"),
    [
        ("UPDATE obligation SET status = 'delivered' WHERE company_id = 'blue'", "blue", "changed", "failed",
         "delivered"),
        ("UPDATE obligation SET proof = 'none' WHERE company_id = 'acme'", "acme", "changed", "delivered",
         "delivered"),
        ("UPDATE obligation SET reason = 'x' WHERE company_id = 'calm'", "calm", "changed", "excused",
         "excused"),
        ("UPDATE send SET proof = '250 queued as 2' WHERE company_id = 'acme'", "acme", "changed",
         "delivered", "delivered"),
        ("DELETE FROM obligation WHERE company_id = 'calm'", "calm", "gone", "excused", None),
        ("UPDATE obligation SET company_id = 'abba' WHERE company_id = 'calm'", "abba", "new", None,
         "excused"),
    ],
    ids=["status", "proof", "reason", "send", "deleted", "renamed"],
)  # fmt: skip
async def test_a_row_that_was_changed_is_named(
    statement: str, name: str, what: str, was: str, now: str, ledger: Ledger, home: Home, tmp_path: Path
) -> None:
    await a_day(ledger)
    await write(ledger, home, TODAY, EVENING)
    await run(ledger, tmp_path, statement)
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    assert not verdict.is_sound
    assert verdict.differences[0].as_row() == {"companyId": name, "what": what, "was": was, "is": now}
    (problem,) = verdict.problems
    assert f"{name} {what}" in problem


async def test_what_was_open_when_it_was_sealed_may_have_gone_on(ledger: Ledger, home: Home) -> None:
    await ledger.plan([owed("acme"), owed("blue")], NOW)
    await write(ledger, home, TODAY, NOW)
    await ledger.excuse([key("blue")], "a holiday", NOW)
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    assert verdict.problems == [
        "1 of 2 rows are not as they were sealed: blue changed",
        "1 of these were open then, and may well have gone on; once the date is over:"
        " nightdesk certificate write 2026-11-21",
    ]


async def test_each_certificate_holds_the_hash_of_the_one_before(ledger: Ledger, home: Home) -> None:
    days = [TODAY - 2 * DAY, TODAY - DAY, TODAY]
    made = [await write(ledger, home, on, EVENING) for on in days]
    assert [it.previous_hash for it in made] == [None, made[0].hash, made[1].hash]
    verdicts = [await verify(ledger, home, on) for on in days]
    assert all(it is not None and it.is_sound for it in verdicts)


async def test_a_certificate_that_would_say_the_same_is_not_written_twice(ledger: Ledger, home: Home) -> None:
    await a_day(ledger)
    first = await write(ledger, home, TODAY, EVENING)
    certificate_file(home, TODAY).unlink()
    rows_file(home, TODAY).write_text("not what was written")
    again = await write(ledger, home, TODAY, EVENING + DAY)
    assert again == first
    assert len(await ledger.certificates()) == 1
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    assert verdict.is_sound


async def test_what_a_person_resolved_is_sealed_by_a_newer_certificate(ledger: Ledger, home: Home) -> None:
    await a_day(ledger)
    first = await write(ledger, home, TODAY, EVENING)
    await ledger.resolve(key("blue"), "delivered", EVENING, "anna")
    changed = await verify(ledger, home, TODAY)
    assert changed is not None
    assert [it.as_row()["is"] for it in changed.differences] == ["delivered"]
    newer = await write(ledger, home, TODAY, EVENING)
    assert newer.previous_hash == first.hash
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    assert (verdict.problems, verdict.hash) == ([], newer.hash)


async def test_a_changed_certificate_breaks_the_chain_by_name(
    ledger: Ledger, home: Home, tmp_path: Path
) -> None:
    for on in (TODAY - DAY, TODAY):
        await write(ledger, home, on, EVENING)
    await run(ledger, tmp_path, "UPDATE certificate SET hash = 'forged' WHERE date = '2026-11-20'")
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    assert verdict.problems == [
        "the certificate of 2026-11-20 is not what was written",
        "the certificate of 2026-11-21 does not follow on that of 2026-11-20",
    ]


async def test_a_certificate_that_was_taken_out_of_the_chain_is_missed(
    ledger: Ledger, home: Home, tmp_path: Path
) -> None:
    for on in (TODAY - DAY, TODAY):
        await write(ledger, home, on, EVENING)
    await run(ledger, tmp_path, "DELETE FROM certificate WHERE date = '2026-11-20'")
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    assert verdict.problems == ["the one written before that of 2026-11-21 is gone"]
    lost = await verify(ledger, home, TODAY - DAY)
    assert lost is not None
    assert lost.problems == [
        "coverage-2026-11-20.json is there, but the ledger has no certificate of 2026-11-20"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "coverage-2026-11-21.json: No such file or directory"),
        ('{"date": "2026-11-21"}', "coverage-2026-11-21.json is not the certificate that the ledger has"),
        ("{", "coverage-2026-11-21.json is no JSON"),
        ("\xff", "coverage-2026-11-21.json is no JSON"),
    ],
    ids=["gone", "another", "cut", "bytes"],
)
async def test_a_file_that_was_changed_is_named(
    text: str | None, problem: str, embedded: Ledger, home: Home
) -> None:
    await a_day(embedded)
    await write(embedded, home, TODAY, EVENING)
    path = certificate_file(home, TODAY)
    path.unlink()
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    verdict = await verify(embedded, home, TODAY)
    assert verdict is not None
    (found,) = verdict.problems
    assert found.startswith(problem)


@pytest.mark.parametrize("is_there", [True, False], ids=["changed", "gone"])
async def test_without_a_sound_list_of_rows_a_change_is_still_seen(
    is_there: bool, embedded: Ledger, home: Home, tmp_path: Path
) -> None:
    await a_day(embedded)
    await write(embedded, home, TODAY, EVENING)
    path = rows_file(home, TODAY)
    path.write_text("0 delivered acme\n") if is_there else path.unlink()
    await run(embedded, tmp_path, "UPDATE obligation SET attempts = 9 WHERE company_id = 'acme'")
    verdict = await verify(embedded, home, TODAY)
    assert verdict is not None
    (problem,) = verdict.problems
    assert "which of them cannot be told" in problem


async def test_a_date_without_a_certificate_has_no_verdict(embedded: Ledger, home: Home) -> None:
    assert await verify(embedded, home, TODAY) is None


async def test_two_that_write_at_once_end_in_one_chain(embedded: Ledger, home: Home) -> None:
    await a_day(embedded)

    class Overtaken:
        """The same ledger, on which somebody else writes a certificate just before."""

        def __init__(self) -> None:
            self.times = 0

        def __getattr__(self, name: str) -> object:
            return getattr(embedded, name)

        async def put_certificate(self, made: Certificate) -> None:
            if self.times:
                self.times -= 1
                await write(embedded, home, TODAY - (self.times + 1) * DAY, EVENING)
            await embedded.put_certificate(made)

    ledger = Overtaken()
    ledger.times = 2
    made = await write(ledger, home, TODAY, EVENING)  # type: ignore[arg-type]
    assert (await embedded.newest_certificate()) == made
    verdict = await verify(embedded, home, TODAY)
    assert verdict is not None
    assert verdict.is_sound
    ledger.times = 10
    with pytest.raises(LedgerConflict, match="write it again"):
        await write(ledger, home, TODAY + DAY, EVENING)  # type: ignore[arg-type]


async def test_a_great_many_without_a_report_are_counted_and_the_first_are_named(
    embedded: Ledger, home: Home
) -> None:
    many = MOST_LACKING + 234
    await embedded.plan([owed(f"c{number:05}") for number in range(many)], NOW)
    made = await write(embedded, home, TODAY, EVENING)
    assert (len(made.body["nonDelivered"]), made.body["nonDeliveredTotal"]) == (MOST_LACKING, many)
    assert made.body["rows"] == many == len(rows_file(home, TODAY).read_text().splitlines())
    await embedded.excuse([key("c01200")], "a holiday", EVENING)
    verdict = await verify(embedded, home, TODAY)
    assert verdict is not None
    assert [it.as_row() for it in verdict.differences] == [
        {"companyId": "c01200", "what": "changed", "was": "planned", "is": "excused"}
    ]
