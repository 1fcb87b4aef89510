"""Run a command: an argv list; exit 0 is success, its output is kept, a time-out ends its whole group."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

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
    if any("\0" in it for it in argv):
        # uvloop would cut the text there, and run what nobody wrote.
        raise HandlerError(
            f"{argv[0]!r}: cannot be started: a NUL character in its arguments", permanent=True
        )
    output = Output()
    async with _reading(output) as (pipe, is_read):
        with pipe:
            process = await _started(argv, ctx.house.folder, pipe)
        try:
            code = await process.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await is_read.wait()
        except asyncio.CancelledError:
            await _end_group(process)
            raise
        finally:
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
        self._tail = bytearray()

    def take(self, chunk: bytes) -> None:
        """Count a piece, and keep of it what is to be kept."""
        self.total += len(chunk)
        room = HEAD_BYTES - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[max(0, room) :][-TAIL_BYTES:]
        del self._tail[:-TAIL_BYTES]

    def text(self) -> str:
        """What is kept, as text; bytes that are no UTF-8 are replaced."""
        left_out = self.total - len(self._head) - len(self._tail)
        middle = f"\n… {left_out} bytes left out …\n".encode() if left_out > 0 else b""
        return (bytes(self._head) + middle + bytes(self._tail)).decode("utf-8", "replace")


class _Reader(asyncio.Protocol):
    """Reads a pipe to its end, always: a full one would stop the command."""

    def __init__(self, output: Output, is_read: asyncio.Event) -> None:
        self._output = output
        self._is_read = is_read

    def data_received(self, data: bytes) -> None:
        self._output.take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_read.set()


@contextlib.asynccontextmanager
async def _reading(output: Output) -> AsyncIterator[tuple[BinaryIO, asyncio.Event]]:
    """A pipe for a command to write to, and the event that it was read to its end.

    With a pipe of asyncio's own `Process.wait` returns, on CPython's loop, only once every descendant
    has closed it, however long ago the command itself has ended.
    """
    is_read = asyncio.Event()
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "wb", buffering=0) as pipe:
        loop = asyncio.get_running_loop()
        reader = os.fdopen(ours, "rb", buffering=0)  # closed by the transport
        transport, _ = await loop.connect_read_pipe(lambda: _Reader(output, is_read), reader)
        try:
            yield pipe, is_read
        finally:
            transport.close()


async def _started(argv: list[str], folder: Path, output: BinaryIO) -> asyncio.subprocess.Process:
    """Start it; given up meanwhile, it is ended like one that runs, and not left to itself half-started."""
    starting = asyncio.ensure_future(_start(argv, folder, output))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(HandlerError):
            process = await starting
            await _end_group(process)
            _kill_group(process)
        raise


async def _start(argv: list[str], folder: Path, output: BinaryIO) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
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
