"""What can be asked of an open home: by itself, without a server or a command line around it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.app import App
from daemon.check import prepare
from daemon.clock import SystemClock
from daemon.loops import repeat
from daemon.operations import Operations, Unfit, Unknown, parse_until
from state.home import Home
from state.records import Trigger

NOW = datetime(2026, 11, 21, 21, 14, tzinfo=UTC)
CONFIG = '{"schedules": {"hello": {"command": ["echo", "hi"], "cron": "0 0 29 2 *"}}}'


@pytest.fixture
async def operations(tmp_path: Path, home_folder: Path) -> AsyncIterator[Operations]:
    config = tmp_path / "orchestrator_config.json"
    config.write_text(CONFIG)
    home = Home(home_folder, home_folder / "logs")
    home.make_folders()
    async with App.opened(prepare(config, {}), home, SystemClock()) as app:
        await app.begin()
        # What saves the JSON state runs as in the daemon: answers wait for it.
        saving = asyncio.create_task(repeat(app.saver, app.clock))
        yield Operations(app, Trigger.API)
        await app.end()
        saving.cancel()


async def test_a_promised_task_is_answered_with_its_id_and_once_for_a_key(operations: Operations) -> None:
    first = await operations.trigger("hello", {}, "k")
    again = await operations.trigger("hello", {}, "k", wait_s=10)
    assert (first["state"], first["duplicate"]) == ("available", False)
    assert (again["id"], again["state"], again["duplicate"]) == (first["id"], "completed", True)
    assert again["trigger"] == "api"


async def test_a_handler_without_a_schedule_of_its_name_can_be_triggered(operations: Operations) -> None:
    done = await operations.trigger("command", {"argv": ["true"]}, wait_s=10)
    assert (done["handler"], done["schedule"], done["state"]) == ("command", None, "completed")


async def test_a_task_that_has_ended_is_found_and_one_that_never_was_is_unknown(
    operations: Operations,
) -> None:
    done = await operations.trigger("hello", {}, wait_s=10)
    assert (await operations.task(done["id"]))["state"] == "completed"
    with pytest.raises(Unknown, match='there is no task "nope"'):
        await operations.task("nope", wait_s=1)


async def test_waiting_ends_in_time_with_where_the_task_stands(operations: Operations) -> None:
    accepted = await operations.enqueue("command", {"argv": ["sleep", "2"]}, wait_s=0.05)
    assert accepted["state"] == "available"
    assert (await operations.task(accepted["id"], wait_s=0.05))["state"] == "executing"


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("args", [{"deep": deep(300)}, {"text": "\ud800"}])
async def test_arguments_that_could_not_be_stored_are_refused_at_the_door(
    operations: Operations, args: dict[str, Any]
) -> None:
    with pytest.raises(Unfit, match="args"):
        await operations.enqueue("command", args)
    assert (await operations.status())["ready"]


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "\ud800"])
async def test_a_key_that_is_none_is_refused(operations: Operations, key: str) -> None:
    with pytest.raises(Unfit, match="key"):
        await operations.trigger("hello", {}, key)


async def test_bad_leads_are_refused_by_their_index_and_the_good_ones_kept(operations: Operations) -> None:
    bodies = [
        {"id": "a", "title": "A"},
        {"id": "b"},
        7,
        {"id": "a", "title": "again"},
        {"id": "d", "title": deep(300)},
    ]
    answer = await operations.add_items(bodies)
    assert (answer["added"], answer["duplicates"]) == (1, 1)
    assert [it["index"] for it in answer["refused"]] == [1, 2, 4]
    assert await operations.items() == ([{"id": "a", "title": "A"}], 1)


async def test_the_newest_digest_is_made_of_the_database_where_its_file_is_damaged(
    operations: Operations, home_folder: Path
) -> None:
    with pytest.raises(Unknown, match="there is no digest yet"):
        await operations.digest(None)
    await operations.add_items([{"id": "a", "title": "A", "score": 1}])
    await operations.trigger("nightly-batch", {}, wait_s=10)
    made = await operations.digest(None)
    (path,) = (home_folder / "logs" / "digests").iterdir()
    path.write_text("{")
    assert await operations.digest(None) == made
    with pytest.raises(Unknown, match="there is no digest of 2001-01-01"):
        await operations.digest(datetime(2001, 1, 1, tzinfo=UTC).date())


async def test_a_state_that_no_unfinished_task_has_is_refused(operations: Operations) -> None:
    with pytest.raises(Unfit, match='"completed"'):
        await operations.tasks(state="completed")
    assert await operations.tasks(state="retryable") == ([], 0)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2h", NOW + timedelta(hours=2)),
        ("2026-11-22T06:00:00Z", datetime(2026, 11, 22, 6, tzinfo=UTC)),
        ("2026-11-22T06:00+01:00", datetime(2026, 11, 22, 5, tzinfo=UTC)),
    ],
)
def test_the_end_of_a_pause_is_a_time_or_a_duration(text: str, at: datetime) -> None:
    assert parse_until(text, NOW) == at


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-11-22T06:00", "2026-11-21T21:14:00Z", "0s", "9" * 400 + "d"]
)
def test_the_end_of_a_pause_lies_ahead_and_is_no_guess(text: str) -> None:
    with pytest.raises(Unfit, match="until"):
        parse_until(text, NOW)
