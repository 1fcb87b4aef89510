"""All that the ledger holds of a date, as one hash, and as a short hash for each row."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from state.codec import as_camel, to_json
from state.ledger.base import Looking
from state.ledger.records import Obligation, Send, Status

# Named one by one and for ever: a column that is added later must not change the hash of what is sealed.
ROW_FIELDS = (
    "companyId", "date", "status", "dueAt", "deadlineAt", "attempts", "epoch", "leaseOwner", "rung",
    "stableId", "plannedAt", "leasedAt", "producedAt", "sentAt", "deliveredAt", "channel", "proof", "error",
    "reason", "planId", "rosterVersion", "firstAttemptOk",
)  # fmt: skip
SEND_FIELDS = ("stableId", "channel", "state", "attempts", "intendedAt", "endedAt", "proof", "error")
MOST_LACKING = 1000  # of those without a report so many are named; the rest is counted
SHORT = 16  # hex digits: 8 bytes tell two rows apart, the whole hash is what nobody can forge


@dataclass(slots=True)
class Sealed:
    """A date's rows: how many stand where, who has no report and why, and what proves it."""

    counts: Counter[Status] = field(default_factory=Counter)
    lacking: list[dict[str, Any]] = field(default_factory=list)
    lacking_total: int = 0
    rows: int = 0
    rows_hash: str = ""
    lines: bytearray = field(default_factory=bytearray)  # "0f3c… delivered acme" a row, by company


async def seal(ledger: Looking, on: date) -> Sealed:
    """Read all rows of a date with their sends, page by page, and seal them.

    Raises:
        LedgerError: the ledger does not answer.
    """
    sealed, whole = Sealed(), hashlib.sha256()
    async for one, sends in _rows(ledger, on):
        row = to_json(row_of(one, sends))
        whole.update(row + b"\n")
        sealed.lines += f"{short_hash(row)} {one.status.value} {one.company_id}\n".encode()
        sealed.rows += 1
        sealed.counts[one.status] += 1
        if not one.status.is_delivered and one.status is not Status.EXCUSED:
            _name(sealed, one)
    sealed.rows_hash = whole.hexdigest()
    return sealed


def row_of(obligation: Obligation, sends: Sequence[Send]) -> dict[str, Any]:
    """What is sealed of one obligation, in an order of its own: its JSON is the same bytes each time."""
    shown = as_camel(obligation)
    messages = [{name: said[name] for name in SEND_FIELDS} for said in map(as_camel, sends)]
    messages.sort(key=lambda it: (it["stableId"], it["channel"]))
    return {**{name: shown[name] for name in ROW_FIELDS}, "sends": messages}


def canonical(value: Any) -> bytes:
    """JSON whose bytes depend on what it says alone: keys in order, no space."""
    return to_json(_in_order(value))


def hash_of(value: Any) -> str:
    """The SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()


def short_hash(row: bytes) -> str:
    """The part of a row's hash that stands in the list of rows."""
    return hashlib.sha256(row).hexdigest()[:SHORT]


def statuses_in(lines: Iterable[bytes]) -> dict[str, str]:
    """Some lines of a list of rows back: the status of each company."""
    found = {}
    for line in lines:
        _, status, company_id = line.decode().split(" ", 2)
        found[company_id] = status
    return found


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _in_order(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_in_order(one) for one in value]
    return value


def _name(sealed: Sealed, one: Obligation) -> None:
    sealed.lacking_total += 1
    if len(sealed.lacking) < MOST_LACKING:
        reason = one.error or one.reason
        sealed.lacking.append(
            {
                "companyId": one.company_id,
                "status": one.status.value,
                "reason": reason,
                "attempts": one.attempts,
            }
        )


async def _rows(ledger: Looking, on: date) -> AsyncIterator[tuple[Obligation, list[Send]]]:
    after = ""
    async for page in ledger.rows_of(on):
        sends: dict[str, list[Send]] = {}
        for send in await ledger.sends_on(on, after=after, limit=len(page)):
            sends.setdefault(send.company_id, []).append(send)
        for one in page:
            yield one, sends.get(one.company_id, [])
        after = page[-1].company_id
