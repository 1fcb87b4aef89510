"""A date's coverage as a file that can be proved: it seals the rows, and the certificate before it."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from daemon.reports.coverage import coverage_of
from daemon.reports.sealing import Sealed, hash_of, seal, statuses_in
from state.codec import NotJson, from_json, parse_time, time_text, to_pretty_json
from state.disk import write_atomically
from state.home import Home
from state.ledger.base import Ledger, Looking, Proofs
from state.ledger.errors import LedgerConflict
from state.ledger.records import OPEN, Certificate

log = logging.getLogger(__name__)

WRITE_TRIES = 3  # two that write at once see each other; a third is already rare
KEPT = timedelta(days=400)  # that the rows of a date stay at least; certificates stay for ever
CHAIN = 1000  # links that are proved: two for each date that is kept, and some to spare
MOST_DIFFERENCES = 100  # rows that differ, by name
MOST_IN_A_LINE = 5
# What may be said anew by a certificate that says the same.
OF_THE_WRITING = ("writtenAt", "previousHash", "hash")


class Proved(Looking, Proofs, Protocol):
    """What a certificate is compared with: a ledger, or as much of one as is at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that is not what the certificate sealed."""

    company_id: str
    was: str | None  # its status when it was sealed; None where there was no such row
    now: str | None

    @property
    def what(self) -> str:
        """What became of it: changed, gone, or new."""
        if self.was is None:
            return "new"
        return "gone" if self.now is None else "changed"

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
    is_cleared: bool = False  # its rows were kept long enough and are gone; the certificate is what remains

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
            "cleared": self.is_cleared,
        }


def certificate_file(home: Home, on: date) -> Path:
    """Where the certificate of a date is."""
    return home.logs / "certificates" / f"coverage-{on.isoformat()}.json"


def rows_file(home: Home, on: date) -> Path:
    """Where its list of rows is: a short hash, a status and a company a line."""
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
        fields = {"date": on.isoformat(), "rows": sealed.rows, "hash": made.hash, "new": is_new}
        log.info("certificate.written", extra={"fields": fields})
        return made
    raise LedgerConflict(f"others wrote certificates at the same time as that of {on}; write it again")


async def verify(ledger: Proved, home: Home, on: date) -> Verdict | None:
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
    sealed = await seal(ledger, on)
    verdict.is_cleared = sealed.rows == 0 < verdict.rows and await _is_old(ledger, on)
    if sealed.rows_hash != known.rows_hash and not verdict.is_cleared:
        lines = await asyncio.to_thread(_sound_lines, rows_file(home, on), known)
        _tell_differences(verdict, known, sealed, lines)
    return verdict


def line_of(certificate: Certificate) -> str:
    """A certificate on one line, for the daily report of health."""
    covered = certificate.body["coverage"]
    percent = "-" if covered["percent"] is None else f"{covered['percent']:g} %"
    owed = covered["expected"] - covered["excused"]
    so_far = "" if is_final(certificate) else " so far"
    told = f"{covered['delivered']:,} of {owed:,} ({percent}){so_far}"
    return f"{certificate.date}: {told}, {certificate.hash[:16]}"


def is_final(certificate: Certificate) -> bool:
    """Whether nothing of its date was open any more when it was written."""
    return certificate.body.get("final") is True


async def _is_old(ledger: Proved, on: date) -> bool:
    """Whether the rows of a date may be gone by now; the newest certificate tells how late it is."""
    newest = await ledger.newest_certificate()
    return newest is not None and newest.written_at.date() - on >= KEPT


async def _made(ledger: Ledger, on: date, now: datetime) -> tuple[Certificate, Sealed, bool]:
    """The certificate that is true now, and whether it says anything that the newest of its date does not."""
    previous, known = await ledger.newest_certificate(), await ledger.certificate(on)
    versions = await ledger.roster_versions(1)
    sealed = await seal(ledger, on)
    coverage = await coverage_of(ledger, on, now)
    body = {
        "date": on.isoformat(),
        "writtenAt": time_text(now),
        "rosterVersion": versions[0].version if versions else None,
        "coverage": coverage.as_row(),
        "counts": {status.value: sealed.counts[status] for status in sorted(sealed.counts)},
        "nonDelivered": sealed.lacking,
        "nonDeliveredTotal": sealed.lacking_total,
        "final": coverage.missing == 0 and not any(sealed.counts[status] for status in OPEN),
        "rows": sealed.rows,
        "rowsHash": sealed.rows_hash,
        "rowsFileHash": hashlib.sha256(sealed.lines).hexdigest(),
        "previousHash": None if previous is None else previous.hash,
    }
    if known is not None and _content(known.body) == _content(body) and _is_whole(known):
        return known, sealed, False
    return _record({**body, "hash": hash_of(body)}), sealed, True


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in OF_THE_WRITING}


def _record(body: Mapping[str, Any]) -> Certificate:
    return Certificate(
        date=date.fromisoformat(body["date"]),
        written_at=parse_time(body["writtenAt"]),
        roster_version=body["rosterVersion"],
        counts=body["counts"],
        rows_hash=body["rowsHash"],
        previous_hash=body["previousHash"],
        hash=body["hash"],
        body=body,
    )


def _write_files(home: Home, made: Certificate, lines: bytes) -> None:
    path = certificate_file(home, made.date)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    # The list first: a certificate that is there has one beside it.
    write_atomically(rows_file(home, made.date), lines)
    write_atomically(path, to_pretty_json(made.body) + b"\n")


def _is_whole(certificate: Certificate) -> bool:
    """Whether its hash is that of what it says."""
    body = certificate.body
    try:
        said = _record(body)
    except (KeyError, TypeError, ValueError):
        return False
    unsigned = {name: value for name, value in body.items() if name != "hash"}
    return said == certificate and said.hash == hash_of(unsigned)


def _file_problems(path: Path, known: Certificate) -> list[str]:
    try:
        found = from_json(path.read_bytes())
    except NotJson as error:
        return [f"{path.name} is no JSON: {error}"]
    except OSError as error:
        return [f"{path.name}: {error.strerror}"]
    if found != dict(known.body):
        return [f"{path.name} is not the certificate that the ledger has"]
    return []


def _chain_problems(chain: Sequence[Certificate]) -> list[str]:
    """What is wrong with certificates, newest first: each holds the hash of the one written before it."""
    problems = [f"the certificate of {it.date} is not what was written" for it in chain if not _is_whole(it)]
    for later, earlier in pairwise(chain):
        if later.previous_hash != earlier.hash:
            problems.append(f"the certificate of {later.date} does not follow on that of {earlier.date}")
    if 0 < len(chain) < CHAIN and chain[-1].previous_hash is not None:
        problems.append(f"the one written before that of {chain[-1].date} is gone")
    return problems


def _sound_lines(path: Path, known: Certificate) -> bytes | None:
    """The list of rows, if it is the one that the certificate speaks of."""
    try:
        lines = path.read_bytes()
    except OSError:
        return None
    return lines if hashlib.sha256(lines).hexdigest() == known.body["rowsFileHash"] else None


def _tell_differences(verdict: Verdict, known: Certificate, sealed: Sealed, lines: bytes | None) -> None:
    if lines is None:
        verdict.problems.append(
            f"the rows of {verdict.date} are not those that were sealed; which of them cannot be told, for"
            " the list of rows is not there as it was written"
        )
        return
    sealed_then, there_now = set(lines.splitlines()), set(bytes(sealed.lines).splitlines())
    before, now = statuses_in(sealed_then - there_now), statuses_in(there_now - sealed_then)
    differing = sorted(before.keys() | now.keys())
    verdict.differences_total = len(differing)
    verdict.differences = [
        Difference(company_id=one, was=before.get(one), now=now.get(one))
        for one in differing[:MOST_DIFFERENCES]
    ]
    names = ", ".join(f"{it.company_id} {it.what}" for it in verdict.differences[:MOST_IN_A_LINE])
    more = ", …" if len(differing) > MOST_IN_A_LINE else ""
    verdict.problems.append(
        f"{len(differing):,} of {verdict.rows:,} rows are not as they were sealed: {names}{more}"
    )
    open_then = sum(before.get(one) in OPEN for one in differing)
    if open_then:
        verdict.problems.append(
            f"{open_then:,} of these were open then, and may well have gone on; once the date is over:"
            f" nightdesk certificate write {verdict.date}"
        )
