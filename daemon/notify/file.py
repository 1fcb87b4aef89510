"""The channel that writes each message into a file below the logs: a record, by which nobody is told."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from daemon.gathering import Desk
from daemon.notify import Tools
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.keys import stable_key
from daemon.notify.mail import html, text
from daemon.notify.options import ChannelOptions
from state.disk import write_whole

# A folder for each day and kind: no folder grows without end.
FOLDER = "messages"
_UNFIT = re.compile("[^A-Za-z0-9_-]")
_UNFIT_ID = re.compile(r"^\.|[^A-Za-z0-9._-]")
LONGEST_NAME = 100
WRITTEN_AT_ONCE = 100  # by one trip to a thread; a thousand reports in a row would else make as many

FolderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class FileOptions(ChannelOptions):
    """`folder`: its name below the logs."""

    folder: FolderName = FOLDER


class File:
    """Writes `messages/DATE/KIND/ID.txt`, and beside it `ID.html`. The same message is the same file."""

    Options: ClassVar[type[FileOptions]] = FileOptions
    is_delivery: ClassVar[bool] = False
    dedupes: ClassVar[bool] = True

    def __init__(self, options: FileOptions, tools: Tools) -> None:
        self._folder = None if tools.logs is None else tools.logs / options.folder
        self._writing = Desk(_write_all, WRITTEN_AT_ONCE)

    async def send(self, message: Message) -> Receipt:
        """Write the message whole, or not at all.

        Raises:
            ChannelError: the disk refused it; later it may not.
        """
        try:
            path = await self._writing.hand_in((self._opened(), message))
        except OSError as error:
            raise ChannelError(f"{error.filename or self._folder}: {error.strerror or error}") from None
        return Receipt(proof=f"written to {path.name}; nobody has been told", details={"path": str(path)})

    async def check(self) -> Sequence[Step]:
        """See that the folder is there, or can be made."""
        try:
            folder = self._opened()
            await asyncio.to_thread(folder.mkdir, mode=0o750, parents=True, exist_ok=True)
        except (OSError, ChannelError) as error:
            return (Step(name="folder", is_ok=False, detail=str(error)[:500], took_s=0.0),)
        return (Step(name="folder", is_ok=True, detail=str(folder), took_s=0.0),)

    def _opened(self) -> Path:
        if self._folder is None:
            raise ChannelError("there is no folder for logs to write it in", failure=Failure.PERMANENT)
        return self._folder


async def _write_all(jobs: Sequence[tuple[Path, Message]]) -> Sequence[Path | Exception]:
    return await asyncio.to_thread(lambda: [_written(*job) for job in jobs])


def _written(folder: Path, message: Message) -> Path | Exception:
    """The file a message was written to, or why it was not: each for itself."""
    day = folder / message.created_at.date().isoformat() / _named(message.kind, _UNFIT)
    path = day / f"{_named(message.id, _UNFIT_ID)}.txt"
    try:
        try:
            _write(path, message)
        except FileNotFoundError:  # the first of its day and kind
            day.mkdir(mode=0o750, parents=True, exist_ok=True)
            _write(path, message)
    except Exception as error:  # whatever it is belongs to this one message
        return error
    return path


def _write(path: Path, message: Message) -> None:
    write_whole(path.with_suffix(".html"), html(message).encode())
    write_whole(path, text(message).encode())


def _named(said: str, unfit: re.Pattern[str]) -> str:
    return stable_key(said, unfit=unfit, longest=LONGEST_NAME)
