"""Today at a glance, the curves, the runs of one schedule: on real ledgers and a clock that stands still."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load_config
from daemon.engine.handler import HandlerError
from daemon.operations import Operations, Unknown
from state.codec import time_text, to_json
from state.ledger.errors import LedgerDown
from state.ledger.records import Status
from state.records import Severity
from tests.contracts.ledgers import DAY, NOW, TODAY, company, owed
from tests.daemon.reports.owing import Office
from tests.house import Answers, House

HOUR = timedelta(hours=1)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    yield made
    await made.house.close()


async def glance(office: Office) -> dict[str, Any]:
    return await Operations(office.app).today.glance()


async def test_today_names_who_is_at_risk_and_who_lacks_a_report(office: Office) -> None:
    await office.roster(*(company(name) for name in ("absent", "broken", "fine", "late", "near", "calm")))
    times = {"late": NOW - HOUR, "near": NOW + HOUR / 2, "calm": NOW + 9 * HOUR}
    await office.ledger.plan([owed(it, deadline_at=at) for it, at in times.items()], NOW)
    await office.plan("fine", "broken")
    await office.write("fine")
    await office.write("broken", status=Status.FAILED)
    found = await glance(office)
    assert found["date"] == TODAY.isoformat()
    assert [(it["companyId"], it["status"]) for it in found["atRisk"]] == [("near", "due")]
    assert found["atRiskTotal"] == 1
    lacking = {it["companyId"]: it["status"] for it in found["missing"]}
    assert lacking == {"late": "due", "broken": "failed", "absent": "missing"}
    assert found["missingTotal"] == 3
    assert found["coverage"]["delivered"] == 1
    assert found["ledgerError"] is None
    assert to_json(found)


async def test_today_tells_the_lanes_and_the_providers(office: Office, tmp_path: Path) -> None:
    config = tmp_path / "with_llm.json"
    provider = {"type": "openai", "baseUrl": "https://api.example.com/v1", "model": "m"}
    config.write_bytes(to_json({"llm": {"providers": [{**provider, "name": it} for it in ("one", "two")]}}))
    app = office.app
    app.config = replace(app.config, llm=load_config(config, {}).llm)
    until = time_text(office.now + HOUR)
    await app.store.commit(
        notes={"llm.breaker.one": to_json({"until": until}).decode(), "llm.breaker.two": "{"}
    )
    about = {"severity": Severity.ERROR, "summary": "s", "labels": {"provider": "one"}}
    await app.alerts.fire("llm.provider-down", details={"reason": "no credit"}, **about)
    await app.queue.enqueue("write-reports")
    found = await glance(office)
    assert found["queue"]["lanes"]["normal"] == {"waiting": 1, "running": 0, "oldestAgeS": 0.0}
    one, two = found["providers"]
    assert (one["status"], one["until"], one["lastError"]) == ("resting", office.now + HOUR, "no credit")
    assert (two["status"], two["until"], two["lastError"]) == ("ok", None, None)


async def test_today_is_told_without_a_ledger_and_while_it_is_away(
    office: Office, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open()
    bare = await Operations(house.app).today.glance()
    assert (bare["coverage"], bare["atRisk"], bare["missing"], bare["ledgerError"]) == (None, [], [], None)

    async def refuse(*_: object) -> None:
        raise LedgerDown("no answer")

    monkeypatch.setattr(office.ledger, "counts", refuse)
    away = await glance(office)
    assert (away["coverage"], away["ledgerError"]) == (None, "no answer")
    assert away["queue"]["lanes"]


async def test_of_many_who_lack_a_report_the_first_are_named_and_all_are_counted(office: Office) -> None:
    names = [f"c{number:03}" for number in range(120)]
    await office.plan(*names)
    await office.house.clock.advance(hours=3)
    found = await glance(office)
    assert (len(found["missing"]), found["missingTotal"]) == (50, 120)


async def test_the_curves_have_a_row_for_each_date_up_to_today(office: Office) -> None:
    await office.plan("a", "b", on=TODAY - 3 * DAY)
    await office.write("a", status=Status.DELIVERED_LATE)
    await office.write("b", status=Status.UNKNOWN)
    await office.plan("a")
    await office.write("a", status=Status.DELIVERED_DEGRADED)
    found = await Operations(office.app).runs.rates(30)
    assert (found["days"], found["from"], found["to"]) == (30, "2026-10-23", "2026-11-21")
    assert [row["date"] for row in found["reports"]] == [row["date"] for row in found["runs"]]
    rows = {row["date"]: row for row in found["reports"]}
    assert len(rows) == 30
    assert rows["2026-11-18"] | {"date": None} == {
        "date": None, "delivered": 1, "late": 1, "degraded": 0, "failed": 0, "unknown": 1, "excused": 0,
        "owed": 2, "percent": 50.0,
    }  # fmt: skip
    assert (rows["2026-11-21"]["degraded"], rows["2026-11-21"]["percent"]) == (1, 100.0)
    assert rows["2026-11-20"]["percent"] is None


async def test_a_settled_date_is_counted_once_and_an_open_one_each_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = Operations(office.app)
    await office.plan("a", on=TODAY - 5 * DAY)
    await operations.runs.rates(90)
    asked: list[object] = []
    counts = office.ledger.counts

    async def noted(since: object, until: object) -> object:
        asked.append((since, until))
        return await counts(since, until)  # type: ignore[arg-type]

    monkeypatch.setattr(office.ledger, "counts", noted)
    await office.house.clock.advance(minutes=1)
    await operations.runs.rates(90)
    assert asked == [(TODAY - 5 * DAY, TODAY)]  # the open one, and those that are not over everywhere


async def test_runs_are_counted_by_the_dates_of_the_zone(house: House) -> None:
    house.config = replace(house.config, timezone="Asia/Kolkata")
    house.add_handler("work")
    house.add_handler("broken", Answers(HandlerError("it broke", permanent=True)))
    await house.start()
    operations = Operations(house.app)
    await house.promised("work")
    await house.clock.advance(hours=12)
    await house.promised("work")
    await house.promised("broken")
    found = await operations.runs.rates(2)
    assert found["runs"] == [
        {"date": "2026-11-21", "succeeded": 0, "failed": 0},
        {"date": "2026-11-22", "succeeded": 2, "failed": 1},
    ]
    assert found["reports"] == []
    success = await operations.runs.success()
    assert success["hours24"] == {"succeeded": 2, "failed": 1, "percent": 66.66}
    await house.clock.advance(hours=13)
    assert (await operations.runs.success())["hours24"] == {"succeeded": 1, "failed": 1, "percent": 50.0}
    assert (await operations.runs.success())["days7"]["succeeded"] == 2


async def test_an_attempt_that_is_made_again_has_failed_and_what_was_put_off_has_not(house: House) -> None:
    house.add_handler("flaky", Answers(HandlerError("once"), None), max_attempts=2)
    await house.start()
    await house.promised("flaky", max_attempts=2)
    await house.clock.advance(minutes=30)
    assert (await Operations(house.app).runs.success())["hours24"] == {
        "succeeded": 1, "failed": 1, "percent": 50.0,
    }  # fmt: skip


async def test_the_runs_of_a_schedule_are_told_oldest_first(house: House) -> None:
    house.add_handler("work")
    house.add_schedule("hourly", "0 * * * *", handler="work")
    house.add_schedule("never", "0 0 29 2 *", handler="work")
    await house.start()
    await house.clock.advance(hours=5)
    runs = Operations(house.app).runs
    rows = await runs.of_schedule("hourly", 3)
    assert [row["slot"] for row in rows] == [f"2026-11-22T0{hour}:00:00" for hour in range(3)]
    assert rows[0].keys() == {"startedAt", "finishedAt", "durationS", "state", "trigger", "slot", "error"}
    assert (rows[0]["state"], rows[0]["durationS"]) == ("completed", 0.0)
    assert await runs.of_schedule("never", 3) == []
    with pytest.raises(Unknown, match="hourly"):
        await runs.of_schedule("hourl", 3)
