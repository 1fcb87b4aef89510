"""Many reports and a model that has become slow: the template writes what the model cannot, in time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import settling
from daemon.notify.base import Message, Receipt
from daemon.reports.forecast import Forecaster
from handlers.llm.chain import Ladder
from handlers.llm.circuit import Circuit
from handlers.llm.crowd import AHEAD, EACH_S, LOOK_EVERY_S, Crowd
from handlers.llm.opening import KEPT_AS
from handlers.llm.purse import Purse
from handlers.llm.rung import Rung
from handlers.llm.template import template_prose
from state.ledger.errors import LedgerDown
from state.ledger.records import Load
from tests.handlers.llm.scripted import Scripted, answers
from tests.handlers.reporting.newsroom import NOW, Inbox, Newsroom, newsroom

PLACES = 8  # as the config has it where it says nothing
DUE = NOW.replace(second=0)
DEADLINE = DUE + timedelta(hours=2)
PROSE = "All of this day went as the days before it did, and nothing in it stands out."


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with newsroom(tmp_path) as made:
        made.clock.settle = settling(busy_with(made))
        yield made


def busy_with(room: Newsroom) -> Callable[[], bool]:
    """Whether a disk or a thread is at work, which the clock of a test has to wait for."""
    loop, under_way = asyncio.get_running_loop(), set[object]()
    plain = loop.run_in_executor

    def noted(*given: Any) -> Any:
        future = plain(*given)
        under_way.add(future)
        future.add_done_callback(under_way.discard)
        return future

    loop.run_in_executor = noted  # type: ignore[method-assign, assignment]
    database: Any = room.ledger._database  # type: ignore[attr-defined]
    return lambda: bool(under_way) or not room.store.is_quiet or not database.is_quiet


def crowd(room: Newsroom) -> Crowd:
    return Crowd(room.ledger, room.clock, PLACES)


async def test_it_is_the_time_that_all_with_an_earlier_deadline_take_by_the_template(room: Newsroom) -> None:
    await room.serve(*[f"c{number:03}" for number in range(80)])
    others = crowd(room)
    assert await others.rest_s(DEADLINE) == 79 * EACH_S / PLACES
    assert await others.rest_s(DEADLINE) == 78 * EACH_S / PLACES  # one has begun meanwhile
    assert await others.rest_s(DEADLINE - timedelta(minutes=1)) == 0


async def test_it_is_counted_once_a_minute_and_a_ledger_that_is_away_spoils_nothing(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    loads = room.ledger.loads

    async def counted(*given: object, **more: object) -> list[Load]:
        looks.append(given)
        if len(looks) == 2:
            raise LedgerDown("the ledger is away")
        return await loads(NOW, NOW + AHEAD)

    monkeypatch.setattr(room.ledger, "loads", counted)
    await room.serve("a", "b", "c", "d")
    others = crowd(room)
    for _ in range(3):
        await others.rest_s(DEADLINE)
    assert len(looks) == 1
    await room.clock.advance(seconds=LOOK_EVERY_S)
    assert await others.rest_s(DEADLINE) == 0  # all four have begun, by what was known
    await room.clock.advance(seconds=LOOK_EVERY_S)
    assert await others.rest_s(DEADLINE) == 3 * EACH_S / PLACES
    assert len(looks) == 3


class Slow(Inbox):
    """A mail server that takes its time."""

    def __init__(self, room: Newsroom) -> None:
        super().__init__()
        self._clock = room.clock

    async def send(self, message: Message) -> Receipt:
        await self._clock.sleep(EACH_S)
        return await super().send(message)


class Kept:
    """A ladder as the house keeps it."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder

    async def close(self) -> None:
        await self.ladder.close()


async def with_a_slow_model(room: Newsroom, seconds: float) -> Scripted:
    """Have a model that takes so long for each answer, four at a time."""
    house = room.house
    model = Scripted("main", room.clock, answers(PROSE, after_s=seconds))
    circuit = Circuit("main", "id", house.store, house.alerts, house.clock)
    rung = Rung(model, circuit, house.clock, longest_s=60, places=4, room_tokens=16_000)
    purse = Purse(None, house.store, house.alerts, house.clock)
    ladder = Ladder([rung], template_prose, purse, house.clock, crowd=crowd(room))

    async def make() -> Kept:
        return Kept(ladder)

    await house.kept.get(KEPT_AS, make)
    return model


async def test_a_model_at_a_tenth_of_its_speed_costs_nobody_the_deadline_and_is_told_long_before(
    room: Newsroom,
) -> None:
    names = [f"c{number:03}" for number in range(240)]
    await room.serve(*names)
    room.channels["team"] = Slow(room)
    await with_a_slow_model(room, 25.0)  # four in 25 s: of 240 in twenty minutes it can write 190
    await room.clock.advance(DEADLINE - timedelta(minutes=20) - room.clock.now())
    forecaster = Forecaster(room.ledger, room.house.alerts, room.clock)
    working = asyncio.ensure_future(room.work())
    told_at = None
    while not working.done():
        await forecaster.step()
        if told_at is None and "coverage.at-risk" in {name for name, _ in room.alerts()}:
            told_at = room.clock.now()
        await room.clock.advance(seconds=30)
    done = await working
    rungs = Counter([(await room.of(name)).rung for name in names])
    assert (done.delivered, done.late, done.failed) == (240, 0, 0)
    assert 120 <= rungs["main"] <= 195
    assert rungs["template"] == 240 - rungs["main"]
    assert told_at is not None
    assert DEADLINE - told_at >= timedelta(minutes=15)
