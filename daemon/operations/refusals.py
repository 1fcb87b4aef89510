"""What is refused at the door, and what it has to be instead."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from daemon.config.problems import quoted
from daemon.durations import parse_duration
from state.codec import parse_time, to_json

LONGEST_KEY = 200
LONGEST_REASON = 500
LONGEST_NAME = 100


class Unknown(Exception):
    """What was named does not exist; the message says what was probably meant."""


class Unfit(Exception):
    """What was asked for makes no sense; the message names the field and the value."""


def parse_until(text: str, now: datetime) -> datetime:
    """Read the end of a pause: a time with its offset, or a duration from now.

    Raises:
        Unfit: neither, or it is past.
    """
    try:
        at = now + parse_duration(text)
    except (ValueError, OverflowError):
        try:
            at = parse_time(text)
        except (ValueError, OverflowError):
            wanted = 'a duration like "2h", or a time like 2026-11-21T06:00:00Z'
            raise Unfit(f"until: {quoted(text)} is neither; write {wanted}") from None
    if at <= now:
        raise Unfit(f"until: {at:%Y-%m-%d %H:%M:%S} UTC is past")
    return at


def fit_args(args: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the store cannot write has to be refused here: there it would be found too late."""
    try:
        to_json(args)
    except TypeError:
        raise Unfit("args: nested too deep, or with text that is not Unicode") from None
    return args


def fit_key(key: str | None) -> str | None:
    """A key that callers may repeat. Unfit: it is empty, too long, or not printable."""
    if key is None or (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        return key
    raise Unfit(f"key: {quoted(key)} is no key; 1 to {LONGEST_KEY} printable characters are")


def fit_reason(reason: str, left_out: str) -> str:
    """Somebody's reason, on one line. Unfit: it is empty, too long, or not printable."""
    told = " ".join(reason.split())
    if not told:
        raise Unfit(f"reason: say why, for whoever wonders later that {left_out}")
    if len(told) > LONGEST_REASON or not told.isprintable():
        raise Unfit(f"reason: {quoted(told)} is none; up to {LONGEST_REASON} printable characters are")
    return told


def fit_person(field: str, name: str) -> str:
    """Who does something, as it is kept. Unfit: it is empty, too long, or not printable."""
    told = " ".join(name.split())
    if 0 < len(told) <= LONGEST_NAME and told.isprintable():
        return told
    raise Unfit(f"{field}: {quoted(name)} is nobody; 1 to {LONGEST_NAME} printable characters are")
