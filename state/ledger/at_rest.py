"""The embedded ledger only looked at, while no daemon has it open: nothing is mended, nothing is written."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from state.database import connect_at_rest
from state.ledger.errors import LedgerReadOnly
from state.ledger.script import T, Work
from state.ledger.scripted import ScriptedLedger
from state.ledger.sqlite import as_ledger_error, run


class LedgerAtRest(ScriptedLedger):
    """A file as it lies there, also where it was changed behind the ledger's back.

    Opened for work such a file is taken for damaged, and replaced by its backup: what was changed in it
    could then no longer be named.
    """

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def _write(self, work: Work[T], *, is_long: bool = False, again: bool = True) -> T:
        raise LedgerReadOnly("the ledger is only looked at")

    async def _read(self, work: Work[T]) -> T:
        return await asyncio.to_thread(self._run, work)

    def _run(self, work: Work[T]) -> T:
        try:
            with contextlib.closing(connect_at_rest(self._path)) as connection:
                return run(connection, work())
        except (sqlite3.Error, OSError) as error:
            raise as_ledger_error(error) from error
