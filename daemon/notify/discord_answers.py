"""What Discord's answers mean: a status, a code of its own in JSON, and headers that say how long to wait.

Codes are those of Discord's opcodes and status codes, limits those of its page on rate limits. A 429
without the header Via is no word of Discord's but Cloudflare's, and may be a page.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.notify.answers import LONGEST_WAIT, classify, retry_after
from daemon.notify.base import Failure
from daemon.notify.http import Answer
from daemon.notify.text import cut, one_line
from state.codec import NotJson, from_json

LONGEST_WORD = 150
BLOCKED_FOR = timedelta(minutes=10)  # where Cloudflare blocks without saying how long

INVALID_FORM, EMPTY_MESSAGE, NOT_JSON = 50035, 50006, 50109
FORM_REFUSED = frozenset({INVALID_FORM, EMPTY_MESSAGE, NOT_JSON})

_NEW_WEBHOOK = "make a new webhook in the channel's settings under Integrations, and set its address"
ADVICE_BY_CODE = {
    10003: f"the channel is gone; {_NEW_WEBHOOK}",
    10015: f"the webhook was removed; {_NEW_WEBHOOK}",
    50027: f"the token in the address is wrong; copy it again, or {_NEW_WEBHOOK}",
    50013: "the server does not allow it; ask its administrator",
    220001: "the channel is a forum: add ?thread_id= and the number of a thread to the address, or make a "
    "webhook in a text channel",
    220003: "the thread in the address is none of this channel; set the number of one that is",
}
ADVICE_BY_STATUS = {
    401: f"the address is wrong or was withdrawn; {_NEW_WEBHOOK}",
    403: "the server does not allow it; ask its administrator",
    404: f"the webhook was removed or never was; {_NEW_WEBHOOK}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer of Discord's, understood."""

    failure: Failure | None
    word: str = ""  # the code and the message, or as much as a line of what stood in their place
    advice: str = ""
    proof: str = ""
    code: int = 0
    wait: timedelta | None = None  # how long it asks to be left alone
    pause: timedelta | None = None  # how long until the next one, if this was the last for now


def heard(answer: Answer, now: datetime) -> Heard:
    """Read an answer to a message, or to a question about the webhook."""
    said = said_in(answer)
    failure = classify(answer.status)
    pause = _pause(answer)
    if failure is None:
        return Heard(failure=None, proof=_proof(answer, said), pause=pause)
    code = said.get("code")
    code = code if isinstance(code, int) else 0
    if answer.status == 429:
        return _too_often(answer, said, code, now, pause)
    text = _text(said.get("message")) or _text(answer.text)
    return Heard(
        failure=failure,
        word=" ".join(filter(None, [str(code or ""), text])),
        advice=ADVICE_BY_CODE.get(code) or ADVICE_BY_STATUS.get(answer.status, ""),
        code=code,
        wait=retry_after(answer.headers, now),
        pause=pause,
    )


def is_form_refused(answer: Answer, said: Heard) -> bool:
    """Whether it was the dress of the message that Discord refused, and not the message."""
    return answer.status == 400 and said.code in FORM_REFUSED


def said_in(answer: Answer) -> dict[str, object]:
    """The JSON object of an answer; empty where it is none."""
    try:
        value = from_json(answer.text)
    except NotJson:
        return {}
    return value if isinstance(value, dict) else {}


def _too_often(
    answer: Answer, said: dict[str, object], code: int, now: datetime, pause: timedelta | None
) -> Heard:
    wait = _span(said.get("retry_after")) or retry_after(answer.headers, now)
    if not said and _header(answer, "via") is None:
        return Heard(
            failure=Failure.TRANSIENT,
            word="blocked by Cloudflare",
            advice="too many refused requests came from this machine's address; it passes",
            wait=wait or BLOCKED_FOR,
        )
    whose = "all webhooks together" if said.get("global") is True else "this webhook"
    return Heard(failure=Failure.TRANSIENT, word=f"too many from {whose}", code=code, wait=wait, pause=pause)


def _proof(answer: Answer, said: dict[str, object]) -> str:
    number = said.get("id")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= 20:
        return f"{answer.status} message {number}"
    return str(answer.status)


def _pause(answer: Answer) -> timedelta | None:
    if _header(answer, "x-ratelimit-remaining") != "0":
        return None
    return _span(_header(answer, "x-ratelimit-reset-after"))


def _span(value: object) -> timedelta | None:
    """Seconds, whole or not, as a number or as text; None where that is none, or not above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(seconds) or seconds <= 0:
        return None
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))


def _header(answer: Answer, wanted: str) -> str | None:
    return next((value.strip() for name, value in answer.headers.items() if name.lower() == wanted), None)


def _text(value: object) -> str:
    return cut(one_line(value), LONGEST_WORD) if isinstance(value, str) else ""
