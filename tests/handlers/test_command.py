"""Commands: how they end, what is kept of what they say, and that nothing of them is left behind."""

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.engine.handler import Done, HandlerError
from handlers.command import DRAIN_S, HEAD_BYTES, TAIL_BYTES, command
from tests.handlers.conftest import World


async def run(world: World, *argv: Any) -> dict[str, Any]:
    """Run a command to its end; the summary of its run."""
    async with asyncio.timeout(30):
        outcome = await command(world.context("command", args={"argv": list(argv)}))
    assert isinstance(outcome, Done)
    return outcome.summary


async def failed(world: World, *argv: Any) -> HandlerError:
    with pytest.raises(HandlerError) as raised:
        await run(world, *argv)
    return raised.value


def python(script: str) -> tuple[str, str, str]:
    return sys.executable, "-c", script


async def comes_true(holds: Callable[[], bool]) -> None:
    """Look for up to ten seconds: real processes take the time they take."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about in 10 s")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def test_exit_0_is_success_and_the_output_is_kept(world: World) -> None:
    assert await run(world, "echo", "hi") == {"exitCode": 0, "output": "hi\n", "outputBytes": 3}


async def test_a_command_without_output_is_done_too(world: World) -> None:
    assert await run(world, "true") == {"exitCode": 0, "output": "", "outputBytes": 0}


async def test_what_it_says_on_stderr_is_kept_in_its_place(world: World) -> None:
    summary = await run(world, "sh", "-c", "echo one; echo two >&2; echo three")

    assert summary["output"] == "one\ntwo\nthree\n"


@pytest.mark.parametrize("code", [1, 3, 255])
async def test_any_other_exit_code_is_a_failure_with_the_end_of_the_output(world: World, code: int) -> None:
    error = await failed(world, "sh", "-c", f"echo why; exit {code}")

    assert str(error) == f"sh: exit code {code}: why"
    assert not error.permanent


async def test_a_failure_without_a_word_says_so(world: World) -> None:
    assert str(await failed(world, "false")) == "false: exit code 1: (no output)"


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM")])
async def test_a_command_that_a_signal_ended_names_it(world: World, number: int, name: str) -> None:
    error = await failed(world, "sh", "-c", f"kill -{number} $$")

    assert str(error) == f"sh: killed by {name}: (no output)"


async def test_nothing_goes_through_a_shell(world: World) -> None:
    summary = await run(world, "echo", "$HOME; rm -rf *", "`id`")

    assert summary["output"] == "$HOME; rm -rf * `id`\n"


async def test_it_has_nothing_to_read_and_does_not_wait_for_it(world: World) -> None:
    assert (await run(world, "cat"))["output"] == ""


async def test_what_systemd_told_the_daemon_is_not_passed_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("KEPT", "yes")

    output = (await run(world, "env"))["output"]

    assert "KEPT=yes" in output
    assert "NOTIFY_SOCKET" not in output


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["no-such-program-anywhere"], "no-such-program-anywhere: cannot be started: No such file"),
        (["/"], "/: cannot be started: Permission denied"),
        (["echo", "a\0b"], "'echo': cannot be started: a NUL character in its arguments"),
        (["x" * 300_000], "cannot be started: "),
    ],
)
async def test_what_cannot_be_started_is_not_tried_again(world: World, argv: list[str], reason: str) -> None:
    error = await failed(world, *argv)

    assert reason in str(error)
    assert error.permanent


async def test_a_file_that_may_not_be_executed_is_not_tried_again(world: World, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\ntrue\n")

    error = await failed(world, str(script))

    assert str(error) == f"{script}: cannot be started: Permission denied"
    assert error.permanent


@pytest.mark.parametrize("argv", [None, [], "echo hi", [1], ["echo", None], {}])
async def test_what_is_no_list_of_texts_is_refused(world: World, argv: Any) -> None:
    with pytest.raises(HandlerError, match="must be a list of texts") as raised:
        await command(world.context("command", args={"argv": argv}))

    assert raised.value.permanent


async def test_of_much_output_the_beginning_and_the_end_are_kept(world: World) -> None:
    script = "print('begin'); print('x' * 100_000); print('end')"

    summary = await run(world, *python(script))

    left_out = 100_011 - HEAD_BYTES - TAIL_BYTES
    assert summary["outputBytes"] == 100_011
    assert summary["output"].startswith("begin\nxxx")
    assert summary["output"].endswith("xxx\nend\n")
    assert f"\n… {left_out} bytes left out …\n" in summary["output"]


@pytest.mark.parametrize("size", [HEAD_BYTES, HEAD_BYTES + 1, HEAD_BYTES + TAIL_BYTES])
async def test_output_that_fits_is_kept_whole(world: World, size: int) -> None:
    summary = await run(world, *python(f"print('y' * {size}, end='')"))

    assert summary["output"] == "y" * size


async def test_huge_output_neither_blocks_nor_fills_memory(world: World) -> None:
    async with asyncio.timeout(30):
        summary = await run(world, "head", "-c", "200000000", "/dev/zero")

    assert summary["outputBytes"] == 200_000_000
    assert len(summary["output"]) < HEAD_BYTES + TAIL_BYTES + 100


async def test_binary_output_becomes_text(world: World) -> None:
    summary = await run(world, *python("import sys; sys.stdout.buffer.write(bytes(range(256)))"))

    assert summary["outputBytes"] == 256
    summary["output"].encode()


async def test_a_cut_in_the_middle_of_a_letter_makes_no_bad_text(world: World) -> None:
    summary = await run(world, *python("print('ä' * 100_000)"))

    summary["output"].encode()


async def test_a_child_that_keeps_the_pipe_open_keeps_nobody_waiting(world: World) -> None:
    began = time.monotonic()

    summary = await run(world, "sh", "-c", "sleep 600 & echo $!; sleep 0.2")

    assert time.monotonic() - began < DRAIN_S + 5
    child = int(summary["output"])
    await comes_true(lambda: not is_alive(child))


async def test_a_child_outside_of_the_group_keeps_nobody_waiting(world: World) -> None:
    began = time.monotonic()

    summary = await run(world, "sh", "-c", "setsid sleep 20 & echo $!; sleep 0.2")

    assert time.monotonic() - began < DRAIN_S + 5
    assert summary["exitCode"] == 0


GRANDCHILDREN = """
import os, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {grandchild.pid}")
time.sleep(600)
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + GRANDCHILDREN


@pytest.mark.parametrize("script", [GRANDCHILDREN, DEAF], ids=["obedient", "deaf"])
async def test_a_time_out_ends_the_whole_group(world: World, tmp_path: Path, script: str) -> None:
    pids = tmp_path / "pids"
    running = asyncio.create_task(run(world, *python(script), str(pids)))
    await comes_true(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    family = [int(pid) for pid in pids.read_text().split()]
    assert all(is_alive(pid) for pid in family)

    running.cancel()
    async with asyncio.timeout(5):  # what an attempt allows for cleaning up
        await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    await comes_true(lambda: not any(is_alive(pid) for pid in family))


async def test_a_command_that_is_given_up_twice_is_ended_at_once(world: World, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    running = asyncio.create_task(run(world, *python(DEAF), str(pids)))
    await comes_true(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    family = [int(pid) for pid in pids.read_text().split()]

    for _ in range(2):
        running.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(running, return_exceptions=True)

    await comes_true(lambda: not any(is_alive(pid) for pid in family))


async def test_a_command_may_clean_up_after_itself(world: World, tmp_path: Path) -> None:
    ready, cleaned = tmp_path / "ready", tmp_path / "cleaned"
    script = f"trap 'touch {shlex.quote(str(cleaned))}; exit 0' TERM; touch {shlex.quote(str(ready))}; "
    running = asyncio.create_task(run(world, "sh", "-c", script + "while :; do sleep 0.05; done"))
    await comes_true(ready.exists)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert cleaned.exists()


async def test_many_commands_leave_no_descriptor_and_no_process_behind(world: World) -> None:
    await run(world, "true")
    before, others = descriptors(), children_of(os.getpid())

    await asyncio.gather(*(run(world, "echo", str(n)) for n in range(30)))
    for _ in range(5):
        await failed(world, "no-such-program-anywhere")

    await comes_true(lambda: descriptors() <= before)
    assert set(children_of(os.getpid())) <= set(others)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children_of(pid: int) -> list[str]:
    return [
        child
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
