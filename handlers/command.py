"""Run a command: an argv list; exit 0 is success, its output is kept, a time-out ends its whole group."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from pathlib import Path

from daemon.context import Context
from daemon.engine.handler import Done, HandlerError, handler

# Of a command's output this much is kept: the beginning says what it was doing, the end how it ended.
HEAD_BYTES, TAIL_BYTES = 2_000, 6_000
# After the end of the command its descendants may hold the pipe open; so long is waited for the rest.
DRAIN_S = 1.0
# What systemd told the daemon is meant for the daemon alone.
NOT_FOR_CHILDREN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")
# Between asking a group to end and ending it.
TERM_GRACE_S = 2.0


@handler("command", timeout="10m", max_attempts=3)
async def command(ctx: Context) -> Done:
    """Run `args.argv` in the config's folder, without a shell."""
    argv = ctx.task.args.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(it, str) for it in argv):
        raise HandlerError('args.argv must be a list of texts, as in ["pg_dump", "app"]', permanent=True)
    output = Output()
    process = await _start(argv, ctx.house.folder)
    reading = asyncio.create_task(output.read_from(process.stdout))
    try:
        code = await process.wait()
        await asyncio.wait({reading}, timeout=DRAIN_S)
    except asyncio.CancelledError:
        await _end_group(process)
        raise
    finally:
        reading.cancel()
        _kill_group(process)
    if code != 0:
        how = f"exit code {code}" if code > 0 else f"killed by {_signal_name(-code)}"
        raise HandlerError(f"{argv[0]}: {how}: {output.text()[-1500:].strip() or '(no output)'}")
    return Done(exitCode=0, output=output.text(), outputBytes=output.total)


class Output:
    """The beginning and the end of what a command says; the middle of much is counted, not kept."""

    def __init__(self) -> None:
        self.total = 0
        self._head = bytearray()
        self._tail: deque[int] = deque(maxlen=TAIL_BYTES)

    async def read_from(self, stream: asyncio.StreamReader | None) -> None:
        """Read to the end, always: a full pipe would stop the command."""
        assert stream is not None, "the process was started with a pipe"
        while chunk := await stream.read(65_536):
            self.total += len(chunk)
            room = HEAD_BYTES - len(self._head)
            self._head += chunk[:room]
            self._tail.extend(chunk[max(0, room) :][-TAIL_BYTES:])

    def text(self) -> str:
        """What is kept, as text; bytes that are no UTF-8 are replaced."""
        left_out = self.total - len(self._head) - len(self._tail)
        middle = f"\n… {left_out} bytes left out …\n".encode() if left_out > 0 else b""
        return (bytes(self._head) + middle + bytes(self._tail)).decode("utf-8", "replace")


async def _start(argv: list[str], folder: Path) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name not in NOT_FOR_CHILDREN},
            start_new_session=True,  # a group of its own, so that all of it can be ended
        )
    except (OSError, ValueError) as error:
        # Not found, not executable: that will not have changed in a minute.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise HandlerError(f"{argv[0]}: cannot be started: {reason}", permanent=True) from None


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """Ask the group to end; what is left after a moment is killed by the caller."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TERM_GRACE_S):
            await process.wait()


def _kill_group(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
