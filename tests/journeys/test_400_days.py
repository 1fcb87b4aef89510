"""400 days in 12 time zones with downtimes, kills and clock steps: one decision for every local date."""

import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from daemon.context import Context
from daemon.engine.handler import Done, Outcome
from state.records import SlotRecord, SlotState
from tests.house import House

START = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
DAYS = 400
# Each at an hour that its zone's clocks leave out or show twice, where it has one.
NIGHTS = {
    "Europe/Berlin": "30 2 * * *",
    "America/New_York": "30 1 * * *",
    "America/Santiago": "30 0 * * *",
    "Africa/Cairo": "0 0 * * *",
    "Africa/Casablanca": "30 2 * * *",
    "Australia/Lord_Howe": "45 1 * * *",
    "Pacific/Chatham": "15 3 * * *",
    "America/St_Johns": "5 2 * * *",
    "Asia/Kolkata": "0 23 * * *",
    "Asia/Kathmandu": "59 23 * * *",
    "Pacific/Kiritimati": "1 0 * * *",
    "Atlantic/Azores": "30 0 * * *",
}


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: what is proved here does not depend on the disk's pace."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


class Fate:
    """What befalls the house: seeded, so that a failure can be looked at again."""

    def __init__(self, house: House, seed: int) -> None:
        self.chance = random.Random(seed)
        self.starts = 0
        self._house = house

    async def work(self, ctx: Context) -> Outcome:
        """Most runs are short; some take hours, so that a kill falls into them."""
        if self.chance.random() < 0.2:
            await self._house.clock.sleep(self.chance.uniform(60, 3 * 3600))
        return Done()

    async def strike(self) -> None:
        """Let some time pass, and then something happen."""
        house, chance = self._house, self.chance
        await house.clock.advance(hours=chance.uniform(1, 72))
        match chance.choice(["kill", "kill", "stop", "back", "forward", "nothing"]):
            case "kill":
                await house.kill()
                await self._stay_down()
            case "stop":
                await house.stop()
                await self._stay_down()
            case "back":
                await house.clock.step(-timedelta(seconds=chance.uniform(1, 2 * 3600)))
            case "forward":
                await house.clock.step(timedelta(seconds=chance.uniform(1, 2 * 3600)))

    async def _stay_down(self) -> None:
        chance = self.chance
        longest_s = chance.choice([60, 3600, 12 * 3600, 3 * 86400])
        await self._house.clock.advance(seconds=chance.uniform(1, longest_s))
        if chance.random() < 0.2:
            await self._house.clock.step(-timedelta(seconds=chance.uniform(1, 2 * 3600)))
        await self._house.start()
        self.starts += 1


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_every_local_date_of_400_days_is_decided_once(quick_folder: Path) -> None:
    house = House(quick_folder, START)
    house.parts = ("scheduler",)
    fate = Fate(house, seed=20261121)
    house.add_handler("work", fate.work, timeout=timedelta(hours=10))
    for zone, cron in NIGHTS.items():
        house.add_schedule(zone, cron, zone, handler="work", timeout=timedelta(hours=10))
    await house.start()

    while house.clock.now() < START + timedelta(days=DAYS):
        await fate.strike()
    await house.clock.advance(hours=12)

    runs = await house.rows("run")
    completed = [run["id"] for run in runs if run["state"] == "completed"]
    assert len(set(completed)) == len(completed)
    assert house.app.store.tasks == {}
    fired = 0
    for zone in NIGHTS:
        slots = await house.slots(zone)
        assert dates_of(slots) == dates_owed(house, zone), zone
        judge(slots, set(completed))
        fired += sum(slot.state is SlotState.FIRED for slot in slots)
    assert len(completed) == fired
    # The walk was no stroll, and what befell the house did not keep most nights from being served.
    assert fate.starts > 50
    assert any(run["error"] and "interrupted" in run["error"] for run in runs)
    assert fired > 0.75 * DAYS * len(NIGHTS)
    await house.close()


def dates_of(slots: list[SlotRecord]) -> list[date]:
    return [date.fromisoformat(slot.slot[:10]) for slot in slots]


def dates_owed(house: House, zone: str) -> list[date]:
    """Every date of the calendar from the first slot after the start to the newest."""
    line = house.specs[zone].line
    first, newest = line.first_after(START).nominal.date(), line.newest_at(house.clock.now()).nominal.date()
    return [first + timedelta(days=n) for n in range((newest - first).days + 1)]


def judge(slots: list[SlotRecord], completed: set[str]) -> None:
    """What was fired was done; what was not says why, and the reason holds."""
    by_name = {slot.slot: slot for slot in slots}
    for slot in slots:
        if slot.state is SlotState.FIRED:
            assert slot.task_id in completed, slot
            continue
        reason = slot.reason or ""
        assert slot.task_id is None
        if reason.startswith("missed, and superseded by "):
            assert by_name[reason.rpartition(" ")[2]].state is SlotState.FIRED
        else:
            assert reason == "missed, and older than the catch-up window of 1d" or " is still " in reason
