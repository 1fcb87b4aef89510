"""A user's own package beside the config: found, scheduled, told its options; and its mistakes explained."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.desk import NEVER, Desk

CHORES = '''"""Chores of a team."""

import asyncio

from daemon.context import Context
from daemon.engine.handler import Cancel, Done, HandlerError, Outcome, handler


@handler("sweep", cron="@every 1s", timeout="5s")
async def sweep(ctx: Context) -> None:
    """Sweep the floor."""
    ctx.log.info("floor.swept")


@handler("greet", section="digest")
async def greet(ctx: Context) -> Outcome:
    """Greet somebody, and leave the dishes to another task."""
    if not ctx.task.args.get("name"):
        return Cancel(reason="nobody is there")
    made = await ctx.house.enqueue("wash", {"plates": 2}, key=f"wash-{ctx.task.args['name']}")
    return Done(told=f"Hello {ctx.task.args['name']}", threshold=ctx.options.threshold, follow=made.task.id)


@handler("wash", max_attempts=1)
async def wash(ctx: Context) -> Done:
    """Wash up."""
    return Done(plates=ctx.task.args["plates"])


@handler("drop", max_attempts=2)
async def drop(ctx: Context) -> Done:
    """Drop a plate."""
    raise HandlerError(f"plate {ctx.task.args['plate']} broke", permanent=True)


@handler("nap")
async def nap(ctx: Context) -> None:
    """Sleep for a minute."""
    await asyncio.sleep(60)


async def helper(ctx: Context) -> None:
    """No handler, for nothing says that it is one."""
'''


def write_package(desk: Desk, modules: Mapping[str, str], name: str = "team_chores") -> Path:
    folder = desk.folder / name
    folder.mkdir()
    for module, text in {"__init__": "", **modules}.items():
        (folder / f"{module}.py").write_text(text)
    return folder


def write_config(desk: Desk, *packages: str, **settings: Any) -> None:
    desk.write_config(
        **{"timezone": "UTC", "heartbeatSchedule": NEVER, "handlers": list(packages), **settings}
    )


def test_handlers_of_a_package_beside_the_config_are_found_and_run(desk: Desk) -> None:
    write_package(desk, {"chores": CHORES})
    write_config(
        desk,
        "handlers",
        "team_chores",
        draftScoreThreshold=0.5,
        schedules={"morning-greeting": {"handler": "greet", "args": {"name": "Ada"}, "cron": NEVER}},
    )
    desk.start()
    assert set(desk.state()["schedules"]) >= {"sweep", "morning-greeting", "nightly-batch"}

    greeted = desk.does("trigger", "morning-greeting", "--wait", "--json").json
    assert (greeted["state"], greeted["schedule"]) == ("completed", "morning-greeting")
    assert (greeted["summary"]["told"], greeted["summary"]["threshold"]) == ("Hello Ada", 0.5)
    washed = desk.client.get(f"/api/tasks/{greeted['summary']['follow']}", {"wait": 5}, wait_s=5)
    assert (washed["handler"], washed["state"], washed["summary"]) == ("wash", "completed", {"plates": 2})

    again = desk.does("trigger", "greet", "--arg", "name=Ada", "--wait", "--json").json
    assert again["summary"]["follow"] == washed["id"]
    nobody = desk.does("run-once", "greet", "--json").json
    assert (nobody["state"], nobody["error"]) == ("cancelled", "nobody is there")
    broken = desk.run("trigger", "drop", "--arg", "plate=3", "--wait", "--json")
    assert (broken.code, broken.json["state"], broken.json["attempt"]) == (1, "discarded", 1)
    assert broken.json["error"] == "plate 3 broke"

    desk.wait_for(
        "its schedule to fire", lambda: len(desk.rows("SELECT 1 FROM run WHERE handler = 'sweep'")) >= 2
    )
    assert desk.run("trigger", "helper").code == 2
    desk.stop()
    assert '"event":"floor.swept"' in desk.home.log_file.read_text()


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        (
            "import os\nimport a_library_that_is_not_there\n",
            2,
            "No module named 'a_library_that_is_not_there'",
        ),
        ("x = 1\n\nraise RuntimeError('the site is closed')\n", 3, "the site is closed"),
        ("def broken(:\n", 1, "SyntaxError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
    ],
    ids=["import", "raise", "syntax", "exit"],
)
def test_a_package_that_cannot_be_imported_is_explained_by_file_and_line(
    desk: Desk, module: str, line: int, told: str
) -> None:
    path = write_package(desk, {"chores": module}) / "chores.py"
    write_config(desk, "handlers", "team_chores", draftScoreThreshold=7)
    ended = desk.run("run")
    assert (ended.code, ended.out) == (78, "")
    where = re.escape(str(desk.config))
    refused, also = sorted(ended.err.splitlines(), key=lambda it: "draftScore" in it)
    assert re.match(rf"{where}:\d+: handlers\[1\]: ", refused)
    assert f"{path}:{line}" in refused
    assert told in refused
    assert re.match(rf"{where}:\d+: draftScoreThreshold: ", also), "one mistake must not hide another"
    assert not desk.home.folder.exists()


def test_a_task_whose_handler_is_gone_after_a_restart_ends_with_its_reason(desk: Desk) -> None:
    path = write_package(desk, {"chores": CHORES}) / "chores.py"
    write_config(desk, "handlers", "team_chores")
    desk.start()
    task = desk.does("trigger", "nap", "--json").json
    desk.wait_for("the nap", lambda: desk.rows("SELECT 1 FROM task WHERE state = 'executing'"))
    desk.kill()
    path.write_text(CHORES.replace('@handler("nap")\n', ""))
    desk.start()
    lost = desk.client.get(f"/api/tasks/{task['id']}", {"wait": 10}, wait_s=10)
    assert (lost["state"], lost["error"]) == ("discarded", "there is no handler 'nap' any more")
    assert desk.run("trigger", "nap").code == 2
    desk.stop()
