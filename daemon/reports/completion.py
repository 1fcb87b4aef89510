"""Looks at the reports of a date: whether each is delivered, and as it was kept whole and the right one."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from daemon.reports.company import ID
from daemon.reports.lacking import lacking
from state.codec import NotJson, from_json
from state.ledger.base import Ledger
from state.ledger.records import DELIVERED, Obligation

FOLDER = "reports"
FORMS = ("json", "txt", "html")
HISTORY_DAYS = 14
# A report this much smaller or larger than those before it is worth a look: an empty source, or a wrong one.
SMALLEST, LARGEST = 0.5, 2.0
LEAST_HISTORY = 3
PAGE = 1000
MOST_FINDINGS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing that is wrong with one report."""

    company_id: str
    what: str  # what is wrong: "undelivered", or "missing", "empty", "size" and others of a kept copy
    detail: str

    def as_row(self) -> dict[str, Any]:
        """As the command line and the API answer it."""
        return {"companyId": self.company_id, "what": self.what, "detail": self.detail}


@dataclass(slots=True)
class Review:
    """What a look at a date came to."""

    date: date
    looked_at: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    flaws_total: int = 0

    def add(self, flaw: Flaw) -> None:
        """Take a flaw; beyond a thousand they are counted only."""
        self.flaws_total += 1
        if len(self.flaws) < MOST_FINDINGS:
            self.flaws.append(flaw)

    def as_row(self) -> dict[str, Any]:
        """As the command line and the API answer it."""
        return {
            "date": self.date.isoformat(),
            "delivered": self.looked_at,
            "ok": self.flaws_total == 0,
            "findings": [it.as_row() for it in self.flaws],
            "findingsTotal": self.flaws_total,
        }


async def review(ledger: Ledger, logs: Path, on: date, now: datetime) -> Review:
    """Look at every report of a date that is delivered, and name those that should be and are not.

    Raises:
        LedgerError: the ledger does not answer.
    """
    found, seen = Review(on), Counter[str]()
    after = ""
    while page := await ledger.obligations(on, statuses=DELIVERED, after=after, limit=PAGE):
        after = page[-1].company_id
        found.looked_at += len(page)
        for flaw in await asyncio.to_thread(_flaws_in, logs, on, page):
            found.add(flaw)
        for one in page:
            seen[one.stable_id or ""] += 1
            if one.stable_id is None or seen[one.stable_id] > 1:
                what = f"the id {one.stable_id} belongs to another report too" if one.stable_id else "no id"
                found.add(Flaw(company_id=one.company_id, what="duplicate", detail=what))
    await _add_undelivered(found, ledger, now)
    return found


async def _add_undelivered(found: Review, ledger: Ledger, now: datetime) -> None:
    after = ""
    while page := await lacking(ledger, found.date, now, after=after, limit=PAGE):
        after = page[-1].company_id
        for it in page:
            one = it.obligation
            said = "nothing was planned" if one is None else one.error or one.status.value
            found.add(Flaw(company_id=it.company_id, what="undelivered", detail=said))


def _flaws_in(logs: Path, on: date, page: Sequence[Obligation]) -> list[Flaw]:
    return [flaw for one in page for flaw in flaws_of(logs, on, one)]


def flaws_of(logs: Path, on: date, one: Obligation) -> list[Flaw]:
    """What is wrong with the kept copies of one report."""

    def flaw(what: str, detail: str) -> Flaw:
        return Flaw(company_id=one.company_id, what=what, detail=detail)

    if not ID.fullmatch(one.company_id):
        return [flaw("missing", "its company id is no name for a file")]
    found = []
    for form in FORMS:
        path = _path(logs, on, one.company_id, form)
        size = _size(path)
        if not size:
            found.append(flaw("missing" if size is None else "empty", path.name))
    body = _body(_path(logs, on, one.company_id, "json"))
    if body is None:
        return found or [flaw("unreadable", f"{one.company_id}.json is no JSON object")]
    expected = {"companyId": one.company_id, "date": on.isoformat(), "stableId": one.stable_id}
    words = {"companyId": "wrong-company", "date": "wrong-date", "stableId": "wrong-report"}
    found += [
        flaw(words[name], f"it says {name} {body.get(name)!r}, not {wanted!r}")
        for name, wanted in expected.items()
        if body.get(name) != wanted
    ]
    if said := _odd_size(logs, on, one.company_id):
        found.append(flaw("size", said))
    return found


def _odd_size(logs: Path, on: date, company_id: str) -> str:
    """Whether its text is far from the usual length; nothing is usual before there are three."""
    days = (on - timedelta(days=back) for back in range(1, HISTORY_DAYS + 1))
    sizes = [size for day in days if (size := _size(_path(logs, day, company_id, "txt")))]
    now = _size(_path(logs, on, company_id, "txt"))
    if len(sizes) < LEAST_HISTORY or not now:
        return ""
    usual = median(sizes)
    if SMALLEST * usual <= now <= LARGEST * usual:
        return ""
    return f"{now:,} bytes of text; {usual:,.0f} is the median of the last {len(sizes)}"


def _path(logs: Path, on: date, company_id: str, form: str) -> Path:
    return logs / FOLDER / on.isoformat() / f"{company_id}.{form}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _body(path: Path) -> dict[str, Any] | None:
    try:
        body = from_json(path.read_bytes())
    except (OSError, NotJson):
        return None
    return body if isinstance(body, dict) else None
