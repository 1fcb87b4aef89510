"""Looking a home over without touching it."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from state.database import StoreError, connect, generation_of
from state.digest_file import FileState, judge
from state.digests import as_batch
from state.examination import examine
from state.home import Home
from state.ledger.keeping import fault_of, ledger_backups
from state.records import Batch
from state.snapshot import SnapshotDamaged, read


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is whole, and what there is to say of it."""

    what: str
    is_ok: bool
    detail: str


def findings_of(home: Home) -> list[Finding]:
    """Look at everything that is remembered in a home.

    Raises:
        StoreTooNew: a newer version wrote the database.
    """
    # The state file is read before the database, which a running daemon only ever moves ahead of it.
    saved = list(_snapshots(home))
    database, batches = _database(home, max(generation for _, generation in saved))
    return [
        *(finding for finding, _ in saved),
        database,
        *_ledger(home),
        *_backups(home),
        *_digests(home, batches),
        *_kept_aside(home),
    ]


def _snapshots(home: Home) -> Iterator[tuple[Finding, int]]:
    for path in (home.state_file, home.previous_state_file):
        try:
            state = read(path)
        except FileNotFoundError:
            # The previous generation comes with the second save; the file itself with the first start.
            is_first = path == home.previous_state_file or not home.database.exists()
            yield Finding(path.name, is_first, "there is none yet" if is_first else "it is missing"), 0
        except SnapshotDamaged as error:
            yield Finding(path.name, False, str(error)), 0
        else:
            detail = f"generation {state['generation']}, saved {state['savedAt']}"
            yield Finding(path.name, True, detail), state["generation"]


def _database(home: Home, generation: int) -> tuple[Finding, dict[date, list[Batch]]]:
    """Judge the database; the batches it knows of, by date, say what the digests should hold."""
    name = home.database.name
    if not home.database.exists():
        is_first = generation == 0
        return Finding(name, is_first, "there is none yet" if is_first else "it is missing"), {}
    if (fault := examine(home.database)) is not None:
        return Finding(name, False, f"{fault}; the next start restores it from its backup"), {}
    with contextlib.closing(connect(home.database, read_only=True)) as connection:
        known = generation_of(connection)
        batches: dict[date, list[Batch]] = {}
        for row in connection.execute("SELECT * FROM batch"):
            batch = as_batch(row)
            batches.setdefault(batch.date, []).append(batch)
    if known < generation:
        behind = f"it ends at generation {known}, and the state file knows {generation}"
        return Finding(name, False, behind), batches
    return Finding(name, True, f"generation {known}"), batches


def _ledger(home: Home) -> Iterator[Finding]:
    """The embedded ledger and its backups, where there are any."""
    backups = sorted(ledger_backups(home.backups), reverse=True)
    for path in ([home.ledger] if home.ledger.exists() or backups else []) + backups:
        what = str(path.relative_to(home.folder)) if path.is_relative_to(home.folder) else path.name
        fault = (
            fault_of(path) if path.exists() else "it is missing; the next start restores it from its backup"
        )
        yield Finding(what, fault is None, fault or f"{path.stat().st_size:,} bytes")


def _backups(home: Home) -> Iterator[Finding]:
    for path in sorted(home.backups.glob("nightdesk-*.db"), reverse=True):
        what = f"{home.backups.name}/{path.name}"
        try:
            fault = examine(path)
        except (StoreError, OSError) as error:
            fault = str(error)
        yield Finding(what, fault is None, fault or f"{path.stat().st_size:,} bytes")


def _digests(home: Home, batches: Mapping[date, list[Batch]]) -> Iterator[Finding]:
    """Each digest against the database; what is missing there can be made again from it."""
    dates = {*batches, *_dates_of_files(home.digests)}
    for day in sorted(dates, reverse=True):
        path = home.digests / f"digest-{day.isoformat()}.json"
        if path.exists():
            found = judge(path.read_bytes(), day, batches.get(day, ()))
            detail = found.detail if found.digest is None else _counts(found.digest)
            yield Finding(path.name, found.state is FileState.GOOD, detail)
        elif any(not batch.id.startswith("restored-") for batch in batches[day]):
            yield Finding(path.name, False, "it is missing; `nightdesk digest send` makes it again")


def _dates_of_files(folder: Path) -> Iterator[date]:
    for path in folder.glob("digest-*.json"):
        with contextlib.suppress(ValueError):
            yield date.fromisoformat(path.stem.removeprefix("digest-"))


def _counts(digest: Mapping[str, Mapping[str, int]]) -> str:
    summary = digest["summary"]
    return f"{summary['markedForDraft']} of {summary['docsProcessed']} leads marked"


def _kept_aside(home: Home) -> Iterator[Finding]:
    """Damaged files of earlier days: what was wrong then is mended, and they may be looked at or removed."""
    for folder in (home.folder, home.digests):
        for path in sorted(folder.glob("*.damaged-*")):
            yield Finding(path.name, True, "kept aside; remove it when nobody needs it any more")
