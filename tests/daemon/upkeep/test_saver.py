"""The JSON state: close behind the database, and never in anybody's way."""

import shutil
from pathlib import Path
from typing import Any

from state.records import Severity
from state.snapshot import read
from tests.house import Answers, Gate, House


def saved(house: House) -> dict[str, Any]:
    return read(house.home.state_file)


async def test_a_change_is_in_the_file_within_a_second(house: House) -> None:
    house.parts = ("saver",)
    house.add_handler("work", Gate())
    app = await house.start()

    for n in range(20):
        await app.queue.enqueue("work")
        await house.clock.advance(seconds=1)
        assert saved(house)["queueTotal"] == n + 1
        assert saved(house)["generation"] == app.store.generation


async def test_many_changes_are_written_a_few_times_a_second(house: House) -> None:
    house.parts = ("saver",)
    house.add_handler("work", Gate())
    app = await house.start()
    generations = set()

    for _ in range(100):
        await app.queue.enqueue("work")
        await house.clock.advance(milliseconds=10)
        generations.add(saved(house)["generation"])

    assert len(generations) <= 5


async def test_nothing_is_written_while_nothing_changes(house: House) -> None:
    house.parts = ("saver",)
    await house.start()
    await house.clock.advance(seconds=5)
    before = house.home.state_file.stat().st_mtime_ns

    await house.clock.advance(hours=3)

    assert house.home.state_file.stat().st_mtime_ns == before


async def test_a_file_that_cannot_be_written_is_told_once_and_written_when_it_can_be(
    house: House, tmp_path: Path
) -> None:
    house.parts = ("saver",)
    house.add_handler("work", Gate())
    app = await house.start()
    # A folder where the temporary file would go: no write there can succeed.
    blocked = house.home.state_file.with_name(house.home.state_file.name + ".tmp")
    (blocked / "in the way").mkdir(parents=True)
    await app.queue.enqueue("work")
    await house.clock.advance(minutes=1)
    assert [(alert.name, alert.severity) for alert in app.alerts.open] == [
        ("state.unsaved", Severity.CRITICAL)
    ]
    assert saved(house)["queueTotal"] == 0

    shutil.rmtree(blocked)
    await house.clock.advance(seconds=5)

    assert house.alerts == []
    assert saved(house)["queueTotal"] == 1
    assert len([row for row in await house.rows("alert") if row["name"] == "state.unsaved"]) == 1


async def test_whoever_waits_for_a_task_finds_it_in_the_file(house: House) -> None:
    house.parts = ("saver",)
    house.add_handler("work", Answers(None))
    app = await house.start()
    accepted = await app.queue.enqueue("work")
    await app.worker.wait_for(accepted.task.id)

    await house.clock.advance(seconds=1)
    await app.saver.caught_up()

    assert [run["id"] for run in saved(house)["taskHistory"]] == [accepted.task.id]
