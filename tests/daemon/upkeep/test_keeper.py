"""The hourly backup: taken beside the running daemon, and missed by nobody in silence."""

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from state.backups import BACKUPS_KEPT, newest_backup_at
from state.database import connect
from tests.house import NOW, House


def backups(house: House) -> list[Path]:
    return sorted(house.home.backups.glob("nightdesk-*.db"))


async def test_a_backup_is_taken_at_once_and_then_every_hour(house: House) -> None:
    house.parts = ("backups",)
    await house.start()
    assert len(backups(house)) == 1

    await house.clock.advance(minutes=59)
    assert len(backups(house)) == 1
    await house.clock.advance(minutes=1)

    assert newest_backup_at(house.home) == NOW + timedelta(hours=1)
    await house.clock.advance(hours=10)
    assert len(backups(house)) == BACKUPS_KEPT


async def test_a_backup_holds_what_was_promised(house: House) -> None:
    house.parts = ("backups",)
    house.add_handler("work")
    app = await house.start()
    task = (await app.queue.enqueue("work", scheduled_at=NOW + timedelta(days=1))).task.id
    await house.clock.advance(hours=1)

    with closing(connect(backups(house)[-1], read_only=True)) as connection:
        assert [row["id"] for row in connection.execute("SELECT id FROM task")] == [task]


async def test_a_restart_does_not_hurry_the_next_backup(house: House) -> None:
    house.parts = ("backups",)
    await house.start()
    await house.clock.advance(minutes=30)
    await house.stop()

    await house.start()
    await house.clock.advance(minutes=29)

    assert len(backups(house)) == 1


async def test_a_clock_that_was_put_back_does_not_keep_the_next_backup_away(house: House) -> None:
    house.parts = ("backups",)
    await house.start()
    await house.clock.step(-timedelta(days=2))

    await house.clock.advance(hours=2)

    assert len(backups(house)) == 3


async def test_a_backup_that_fails_is_told_tried_again_and_the_alarm_ends(house: House) -> None:
    house.parts = ("backups",)
    await house.start()
    shutil.rmtree(house.home.backups)
    await house.clock.advance(hours=1)
    assert house.alerts == ["backup.failed"]
    assert house.app.alerts.open[0].advice == f"nightdesk state verify; df -h {house.home.backups}"

    house.home.backups.mkdir()
    await house.clock.advance(minutes=5)

    assert house.alerts == []
    assert len(backups(house)) == 1
