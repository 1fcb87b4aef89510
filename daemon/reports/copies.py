"""The kept copy of a report, as it lies in the folder of its day."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from daemon.reports.company import ID
from state.codec import NotJson, from_json


class Copy(NamedTuple):
    """A report that was kept: what its JSON says, and its text."""

    body: Any
    text: str


async def copy_of(logs: Path, company_id: str, on: date) -> Copy | None:
    """Read it; None where it is not there, or cannot be read."""
    if not ID.fullmatch(company_id):
        return None  # it would lead out of the folder
    return await asyncio.to_thread(_read, logs / "reports" / on.isoformat() / f"{company_id}.json")


def _read(path: Path) -> Copy | None:
    try:
        return Copy(from_json(path.read_bytes()), path.with_suffix(".txt").read_text("utf-8"))
    except (OSError, NotJson, UnicodeDecodeError):
        return None
