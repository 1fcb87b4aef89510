"""The kept copies: what was sent, in its three forms, in a folder for each day."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from handlers.reporting.base import Rendered
from state.codec import NotJson, from_json
from state.disk import write_whole

FOLDER = "reports"
# As the roster takes them: nothing that leads out of the folder.
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class UnsafeId(Exception):
    """A company's id is no name for a file."""


def kept_path(logs: Path, day: date, company_id: str, form: str = "json") -> Path:
    """Where the copy of a report is; `form` is json, html or txt.

    Raises:
        UnsafeId: the id could lead to another place.
    """
    if not SAFE_ID.fullmatch(company_id):
        raise UnsafeId(f'the company id "{company_id[:80]}" is no name for a file; correct the roster')
    return logs.joinpath(FOLDER, day.isoformat(), f"{company_id}.{form}")


def keep(path: Path, rendered: Rendered) -> None:
    """Write the copies, each whole or not at all; the JSON last, so that with it all are there.

    Blocks for as long as the disk takes. `path` is that of the JSON.

    Raises:
        OSError: the disk refused.
    """
    try:
        _write(path, rendered)
    except FileNotFoundError:  # the first of its day
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _write(path, rendered)


def _write(path: Path, rendered: Rendered) -> None:
    write_whole(path.with_suffix(".txt"), rendered.text.encode())
    write_whole(path.with_suffix(".html"), rendered.html.encode())
    write_whole(path, rendered.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A report as it lies in its folder."""

    rendered: Rendered
    body: Mapping[str, Any]  # what the JSON says


async def kept(logs: Path, day: date, company_id: str) -> Kept | None:
    """Read the copies back; None where they are not there, or not whole."""
    return await asyncio.to_thread(_read, kept_path(logs, day, company_id))


def _read(path: Path) -> Kept | None:
    try:
        data = path.read_bytes()
        body = from_json(data)
        text = path.with_suffix(".txt").read_text("utf-8")
        html = path.with_suffix(".html").read_text("utf-8")
    except (OSError, NotJson, UnicodeDecodeError):
        return None
    if not isinstance(body, dict) or not text or not html:
        return None
    return Kept(rendered=Rendered(text=text, html=html, json=data), body=body)
