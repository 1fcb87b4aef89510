"""What listeners are told of a living house, on a clock that stands still."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from daemon.config.reporting import ReportsSection
from daemon.context import Context
from daemon.engine.handler import HandlerError
from daemon.feed.feed import BEAT_S, LINGER_S, LOOK_S, MOST_ALERTS
from daemon.feed.hub import BEAT
from daemon.feed.sight import MOST_RUNS
from state.ledger.errors import LedgerDown
from state.records import Batch, Severity
from tests.contracts.ledgers import DAY, owed
from tests.daemon.feed.event_stream import Told, parsed
from tests.house import NOW, Answers, House

PARTS = ("queue", "scheduler", "feed", "feed-coverage", "dispatch")


@pytest.fixture
def living(house: House) -> House:
    house.parts = PARTS
    house.add_handler("work")
    house.add_schedule("work", "0 0 29 2 *")
    return house


class Listening:
    """One who listens, and all that he has heard."""

    def __init__(self, house: House, last_id: str | None = None) -> None:
        self._house = house
        self._stream = house.app.feed.listen(last_id)
        self.raw = b""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for piece in self._stream:
            self.raw += piece

    @property
    def is_over(self) -> bool:
        return self._reading.done()

    async def heard(self, *kinds: str) -> list[Told]:
        """What has come since the last time, once time enough for a look has passed; of these types."""
        await self._house.clock.advance(seconds=2 * LOOK_S)
        taken, self.raw = self.raw, b""
        return [it for it in parsed(taken) if not kinds or it[1] in kinds]

    async def stop(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._stream.aclose()


async def data(listening: Listening, kind: str) -> list[Any]:
    return [it[2] for it in await listening.heard(kind)]


async def test_a_run_is_told_as_the_history_shows_it(living: House) -> None:
    await living.start()
    listening = Listening(living)
    ((_, _, greeting),) = await listening.heard()
    assert greeting["ready"] is True
    task_id = await living.promised()
    (run,) = await data(listening, "run")
    assert (run["id"], run["handler"], run["state"]) == (task_id, "work", "completed")
    await listening.stop()


async def test_a_flood_of_runs_is_told_by_the_newest_few(living: House) -> None:
    await living.start()
    listening = Listening(living)
    await listening.heard()
    for _ in range(MOST_RUNS + 10):
        last = await living.promised()
    runs = await data(listening, "run")
    assert len(runs) == MOST_RUNS
    assert runs[-1]["id"] == last
    await listening.stop()


async def test_a_schedule_that_is_paused_is_told(living: House) -> None:
    await living.start()
    listening = Listening(living)
    await listening.heard()
    await living.app.scheduler.pause("work", NOW + DAY, "holiday")
    (schedule,) = await data(listening, "schedule")
    assert (schedule["name"], schedule["pauseReason"]) == ("work", "holiday")
    await listening.stop()


async def test_another_set_of_schedules_is_a_reset(living: House) -> None:
    await living.start()
    listening = Listening(living)
    await listening.heard()
    living.add_schedule("other", "0 0 29 2 *", handler="work")
    await living.app.adopt(living.prepared)
    assert len(await listening.heard("reset")) == 1
    await listening.stop()


async def test_an_alert_is_told_when_it_is_raised_taken_on_and_over(living: House) -> None:
    living.add_handler("broken", Answers(HandlerError("it broke", permanent=True)))
    await living.start()
    listening = Listening(living)
    await listening.heard()
    await living.promised("broken")
    (*_, fired) = await data(listening, "alert")
    assert (fired["name"], fired["resolvedAt"]) == ("task.failed", None)
    assert "told" in fired
    (alert,) = living.app.alerts.open
    await living.app.alerts.acknowledge(alert, "anna")
    (*_, taken) = await data(listening, "alert")
    assert taken["acknowledgedBy"] == "anna"
    await living.app.alerts.close(alert, "anna")
    (*_, over) = await data(listening, "alert")
    assert over["resolvedAt"] is not None
    await listening.stop()


async def test_an_alert_is_told_also_while_the_disk_is_full(living: House) -> None:
    await living.start()
    listening = Listening(living)
    await listening.heard()
    living.disk.is_full = True
    await living.app.alerts.fire("disk.full", severity=Severity.CRITICAL, summary="no room")
    assert "disk.full" in [it["name"] for it in await data(listening, "alert")]
    living.disk.is_full = False
    await listening.stop()


async def test_all_of_a_storm_of_alerts_is_told_in_parts(living: House) -> None:
    living.parts = ("feed",)
    await living.start()
    listening = Listening(living)
    await listening.heard()
    count = 2 * MOST_ALERTS + 1
    for number in range(count):
        about = {"severity": Severity.WARNING, "summary": "s", "labels": {"n": str(number)}}
        living.app.alerts.firing("storm", **about)
    await living.app.store.commit(notes={"any": "thing"})
    await living.settle()
    assert len([it for it in parsed(listening.raw) if it[1] == "alert"]) == MOST_ALERTS
    told = [it["labels"]["n"] for it in await data(listening, "alert")]
    assert sorted(told, key=int) == [str(number) for number in range(count)]
    await listening.stop()


async def test_a_digest_is_told_when_it_is_made_and_when_it_is_sent(living: House) -> None:
    day = NOW.date()

    async def make(ctx: Context) -> None:
        counts = {"after_seq": 0, "until_seq": 0, "docs_processed": 0, "queue_total": 0}
        batch = Batch(id="b", task_id="t", date=day, generated_at=NOW, marked_for_draft=0, **counts)
        await ctx.house.digests.record(batch)

    async def send(ctx: Context) -> None:
        await ctx.house.digests.begin(["b"], "m")
        await ctx.house.digests.mark_sent(["b"], "m", NOW)

    living.add_handler("make", make)
    living.add_handler("send", send)
    await living.start()
    listening = Listening(living)
    await listening.heard()
    for handler in ("make", "send"):
        await living.promised(handler)
        assert await data(listening, "digest") == [{"date": day.isoformat()}]
    await living.promised()
    assert await data(listening, "digest") == []
    await listening.stop()


async def test_the_status_follows_what_is_committed_and_tells_nothing_twice(living: House) -> None:
    await living.start()
    listening = Listening(living)
    ((_, _, greeting),) = await listening.heard()
    await living.app.store.commit(notes={"lastHeartbeatAt": "2026-11-21T21:00:00Z"})
    (status,) = await data(listening, "status")
    assert status["lastHeartbeatAt"] == "2026-11-21T21:00:00Z"
    assert status["generation"] > greeting["generation"]
    assert await listening.heard() == []
    await listening.stop()


async def test_nothing_is_looked_at_while_nobody_listens(
    living: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await living.start()
    looks = []
    monkeypatch.setattr(living.app.feed, "_look", looks.append)
    await living.promised()
    await living.clock.advance(minutes=5)
    assert looks == []


async def test_who_comes_back_within_a_minute_has_missed_nothing(living: House) -> None:
    await living.start()
    first = Listening(living)
    ((last_id, _, _),) = await first.heard()
    await first.stop()
    await living.clock.advance(seconds=LINGER_S / 2)
    task_id = await living.promised()
    await living.clock.advance(seconds=1)
    again = Listening(living, last_id)
    assert [it["id"] for it in await data(again, "run")] == [task_id]
    await again.stop()


async def test_who_comes_back_later_is_told_to_load_anew(living: House) -> None:
    await living.start()
    first = Listening(living)
    ((last_id, _, _),) = await first.heard()
    await first.stop()
    await living.clock.advance(seconds=LINGER_S + 2 * BEAT_S)
    again = Listening(living, last_id)
    assert [it[1] for it in await again.heard()] == ["reset"]
    await again.stop()


async def test_a_quiet_line_shows_that_it_stands(living: House) -> None:
    await living.start()
    listening = Listening(living)
    await listening.heard()
    await living.clock.advance(seconds=4 * BEAT_S)
    assert 3 <= listening.raw.count(BEAT) <= 4
    await listening.stop()


async def test_the_coverage_is_told_when_it_changes_and_left_out_where_the_ledger_is_away(
    living: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    living.config = replace(living.config, reports=ReportsSection())
    living.add_handler("write-reports")
    await living.start()
    ledger = living.app.ledger
    assert ledger is not None
    listening = Listening(living)
    (first,) = await data(listening, "coverage")
    assert first["expected"] == 0
    await ledger.plan([owed("acme")], NOW)
    await living.clock.advance(seconds=6)
    (second,) = await data(listening, "coverage")
    assert (second["expected"], second["missing"], second["percent"]) == (1, 1, 0.0)

    async def refuse(*_: object) -> None:
        raise LedgerDown("no answer")

    monkeypatch.setattr(ledger, "counts", refuse)
    await living.clock.advance(seconds=10)
    await living.app.store.commit(notes={"any": "thing"})
    (*_, status) = await data(listening, "status")
    assert status["coverageToday"] is None
    await listening.stop()


async def test_the_end_of_the_house_ends_the_streams_first(living: House) -> None:
    await living.start()
    listening = Listening(living)
    await listening.heard()
    await living.stop()
    assert listening.is_over
    await listening.stop()
