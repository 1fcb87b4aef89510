"""A date's coverage as a file that can be proved: it seals the ledger's rows, and the certificate before it."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from daemon.reports.coverage import Coverage, counted, coverage_of
from daemon.reports.sealing import Sealed, hash_of, hashes_in, seal
from state.codec import NotJson, from_json, parse_time, to_pretty_json
from state.disk import write_atomically
from state.home import Home
from state.ledger.base import Ledger
from state.ledger.errors import LedgerConflict
from state.ledger.records import Certificate, Status

WRITE_TRIES = 3  # two that write at once see each other; a third is already rare
CHAIN = 400  # as many as dates are kept
MOST_DIFFERENCES = 100  # rows that differ, by name
# What may be said anew by a certificate that says the same.
OF_THE_WRITING = ("writtenAt", "previousHash", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that is not what the certificate sealed."""

    company_id: str
    what: str  # changed, gone, new
    was: str | None  # its status then, where the certificate tells
    now: str | None

    def as_row(self) -> dict[str, Any]:
        return {"companyId": self.company_id, "what": self.what, "was": self.was, "is": self.now}


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Whether a certificate holds, and what speaks against it."""

    date: date
    hash: str | None
    rows: int
    problems: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    differences_total: int = 0

    @property
    def is_sound(self) -> bool:
        return not self.problems

    def as_row(self) -> dict[str, Any]:
        """As the command line and the API answer it."""
        return {
            "date": self.date.isoformat(),
            "ok": self.is_sound,
            "hash": self.hash,
            "rows": self.rows,
            "problems": self.problems,
            "differences": [it.as_row() for it in self.differences],
            "differencesTotal": self.differences_total,
        }


def certificate_file(home: Home, on: date) -> Path:
    """Where the certificate of a date is."""
    return home.logs / "certificates" / f"coverage-{on.isoformat()}.json"


def rows_file(home: Home, on: date) -> Path:
    """Where its list of rows is: a short hash and a company a line."""
    return certificate_file(home, on).with_suffix(".rows")


async def write(ledger: Ledger, home: Home, on: date, now: datetime) -> Certificate:
    """Write the certificate of a date; where the newest one says the same, its files are made anew.

    Raises:
        LedgerConflict: others wrote certificates all the while.
        LedgerError: the ledger does not answer.
        OSError: the files could not be written; the ledger has the certificate, and the call may be repeated.
    """
    for _ in range(WRITE_TRIES):
        made, sealed, is_new = await _made(ledger, on, now)
        if is_new:
            try:
                await ledger.put_certificate(made)
            except LedgerConflict:
                continue
        await asyncio.to_thread(_write_files, home, made, bytes(sealed.lines))
        return made
    raise LedgerConflict(f"others wrote certificates at the same time as that of {on}; write it again")


async def verify(ledger: Ledger, home: Home, on: date) -> Verdict | None:
    """Compare the certificate of a date with the ledger, its files and the chain; None where there is none.

    Raises:
        LedgerError: the ledger does not answer.
    """
    path = certificate_file(home, on)
    known = await ledger.certificate(on)
    if known is None:
        if not await asyncio.to_thread(path.exists):
            return None
        problem = f"{path.name} is there, but the ledger has no certificate of {on}"
        return Verdict(date=on, hash=None, rows=0, problems=[problem])
    verdict = Verdict(date=on, hash=known.hash, rows=int(known.body["rows"]))
    verdict.problems += await asyncio.to_thread(_file_problems, path, known)
    verdict.problems += _chain_problems(await ledger.certificates(CHAIN))
    sealed = await seal(ledger, on, with_statuses=True)
    if sealed.rows_hash != known.rows_hash:
        lines = await asyncio.to_thread(_sound_lines, rows_file(home, on), known)
        _tell_differences(verdict, known, sealed, lines)
    return verdict


def line_of(certificate: Certificate) -> str:
    """A certificate on one line, for the daily report of health."""
    covered = certificate.body["coverage"]
    percent = "-" if covered["percent"] is None else f"{covered['percent']:g} %"
    owed = covered["expected"] - covered["excused"]
    return f"{certificate.date}: {covered['delivered']:,} of {owed:,} ({percent}), {certificate.hash[:16]}"


async def _made(ledger: Ledger, on: date, now: datetime) -> tuple[Certificate, Sealed, bool]:
    previous, known = await ledger.newest_certificate(), await ledger.certificate(on)
    versions = await ledger.roster_versions(1)
    sealed = await seal(ledger, on)
    covered = await coverage_of(ledger, on, now)
    # The rows may have moved between the two looks; what the rows say is what is sealed.
    covered = counted(on, sealed.counts, absent=await ledger.count_missing(on), overdue=_overdue(covered, sealed))
    body = {
        "date": on.isoformat(),
        "writtenAt": now.isoformat(),
        "rosterVersion": versions[0].version if versions else None,
        "coverage": covered.as_row(),
        "counts": {status.value: sealed.counts[status] for status in sorted(sealed.counts)},
        "nonDelivered": sealed.lacking,
        "nonDeliveredTotal": sealed.lacking_total,
        "rows": sealed.rows,
        "rowsHash": sealed.rows_hash,
        "rowsFileHash": hashlib.sha256(sealed.lines).hexdigest(),
        "previousHash": None if previous is None else previous.hash,
    }
    if known is not None and _content(known.body) == _content(body):
        return known, sealed, False
    return _record({**body, "hash": hash_of(body)}), sealed, True
