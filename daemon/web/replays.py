"""Calls that bear an Idempotency-Key: done once, and answered again from memory when they are repeated."""

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from daemon.config.problems import quoted
from daemon.operations import Unfit
from daemon.web.problems import Refusal

KEY_PATTERN = r"^[!-~]{1,200}$"
# An answer is kept for so long, and so much in all: whoever repeats a call does it within minutes.
KEPT_S = 24 * 3600.0
MOST_CALLS = 1000
MOST_BYTES = 16 * 1024 * 1024
AGAIN_S = 1


def key_of(header: str | None) -> str | None:
    """The key of a call, in quotes or without; None where it bears none.

    Raises:
        Unfit: it is empty, too long, or holds what is no letter, digit or sign of ASCII.
    """
    if header is None:
        return None
    if not re.fullmatch(KEY_PATTERN, header):
        raise Unfit(f"Idempotency-Key: {quoted(header)} is none; 1 to 200 letters, digits and signs are")
    return header[1:-1] if len(header) > 2 and header[0] == header[-1] == '"' else header


class Call(NamedTuple):
    """Which call is meant: whose, what for, and by which key."""

    caller: str
    method: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a call."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Record:
    fingerprint: bytes
    at_s: float
    kept: Kept | None = None  # None while the call is being answered


class Replays:
    """The keyed calls of late, and their answers."""

    def __init__(self) -> None:
        self._records: OrderedDict[Call, _Record] = OrderedDict()
        self._bytes = 0

    def begin(self, call: Call, asked: bytes, now_s: float) -> Kept | None:
        """Take a call up; or, where it was answered before, that answer.

        Raises:
            Refusal: the key was used for something else (422), or the first such call is not answered
                yet (409).
        """
        self._forget(now_s)
        fingerprint = hashlib.sha256(asked).digest()
        record = self._records.get(call)
        if record is None:
            self._records[call] = _Record(fingerprint, now_s)
            return None
        if record.fingerprint != fingerprint:
            text = "this Idempotency-Key was used for something else; take a new one for each new call"
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, text)
        if record.kept is None:
            text = "the first call with this Idempotency-Key is still being answered"
            raise Refusal(HTTPStatus.CONFLICT, text, {"Retry-After": str(AGAIN_S)})
        return record.kept

    def end(self, call: Call, kept: Kept) -> None:
        """Keep an answer."""
        if (record := self._records.get(call)) is not None:
            self._bytes += len(kept.body) - (len(record.kept.body) if record.kept is not None else 0)
            record.kept = kept

    def drop(self, call: Call) -> None:
        """Nothing was done: the same call may be made anew."""
        self._remove(call)

    def _forget(self, now_s: float) -> None:
        """Make room: what is old goes, and where there is too much the oldest."""
        while self._records:
            oldest, record = next(iter(self._records.items()))
            is_many = len(self._records) >= MOST_CALLS or self._bytes > MOST_BYTES
            if not is_many and now_s - record.at_s < KEPT_S:
                return
            self._remove(oldest)

    def _remove(self, call: Call) -> None:
        record = self._records.pop(call, None)
        if record is not None and record.kept is not None:
            self._bytes -= len(record.kept.body)
