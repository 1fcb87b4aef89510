"""What a provider's refusal means, read from its status, its headers and its error body.

The codes and wordings are those of OpenAI, Azure, Anthropic, Gemini, vLLM and Ollama. Only codes go into
a message: the prose of an error may repeat the question, or part of the key.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon.notify.answers import LONGEST_WAIT, retry_after
from daemon.notify.http import Answer
from handlers.llm.base import ProviderError, Trouble
from state.codec import NotJson, from_json

MONEY_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "enforced_spend_limit_reached",
        "payment_required",
    }
)
RATE_CODES = frozenset({"rate_limit_exceeded", "rate_limit_error", "requests", "tokens"})
CONTENT_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
LARGE_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"})
GONE_CODES = frozenset({"model_not_found", "deploymentnotfound", "not_found_error"})
AUTH_CODES = frozenset({"invalid_api_key", "authentication_error", "permission_error"})

_MONEY_WORDS = re.compile(r"\b(?:quota|credits?|billing|spend(?:ing)?|payment|prepaid)\b")
_LARGE_WORDS = re.compile(
    r"context (?:length|window|limit|size)|prompt is too long|too many tokens|maximum context"
    r"|reduce the length|exceeds? the (?:maximum|limit)"
)
_ADDRESS = re.compile(r"https?://\S+")  # a help page's address may hold "billing" whatever the error
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")

ADVICE = {
    Trouble.MONEY: "it has no credit or quota left; top it up, or raise the limit",
    Trouble.AUTH: "it does not take the key; compare apiKey with the provider's console",
    Trouble.GONE: "there is no such model or address; compare model and baseUrl with the provider's list",
    Trouble.INVALID: "it does not understand the request; compare type and baseUrl with the provider's pages",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the body of a refusal says."""

    codes: tuple[str, ...]  # as they were written, the most telling first
    message: str  # in small letters, without addresses
    param: str | None = None


def refusal(answer: Answer, host: str, now: datetime) -> ProviderError:
    """What an answer that is no 2xx means."""
    said = read_error(answer.text)
    trouble = judge(answer.status, said, has_wait=_wait(answer.headers, now) is not None)
    asked = _header(answer.headers, "x-should-retry").lower()
    if asked == "true" and trouble in (Trouble.INVALID, Trouble.REFUSED):
        trouble = Trouble.TRANSIENT
    return ProviderError(
        _told(host, str(answer.status), said, trouble),
        trouble=trouble,
        retry_after=_wait(answer.headers, now),
        may_repeat=asked != "false",
    )


def refusal_in_success(body: Mapping[str, Any], text: str, host: str) -> ProviderError | None:
    """What an error in the body of a 200 means, as some gateways send it; None where there is none."""
    if not body.get("error") and body.get("type") != "error":
        return None
    said = read_error(text)
    error = body.get("error")
    status = error.get("code") if isinstance(error, Mapping) else None
    trouble = judge(status if isinstance(status, int) and 400 <= status < 600 else 500, said, has_wait=False)
    return ProviderError(_told(host, "200 with an error", said, trouble), trouble=trouble)


def judge(status: int, said: Said, *, has_wait: bool) -> Trouble:
    """Name the trouble. Codes go before statuses: quota comes as 429, and no credit as 400."""
    by_code = _by_code({code.lower() for code in said.codes})
    if by_code is not None:
        return by_code
    if status == 402 or (status in (400, 403, 429) and not has_wait and _MONEY_WORDS.search(said.message)):
        return Trouble.MONEY
    if status == 413 or (status in (400, 422, 500) and _LARGE_WORDS.search(said.message)):
        return Trouble.TOO_LARGE
    if status in (401, 403, 407):
        return Trouble.AUTH
    if status in (404, 405, 410) or 300 <= status < 400:
        return Trouble.GONE
    if status == 429:
        return Trouble.RATE
    return Trouble.TRANSIENT if status in (408, 409, 425) or status >= 500 else Trouble.INVALID


def _by_code(codes: set[str]) -> Trouble | None:
    known = (
        (MONEY_CODES, Trouble.MONEY),  # before the rates: a spent limit has both
        (RATE_CODES, Trouble.RATE),
        (CONTENT_CODES, Trouble.REFUSED),
        (LARGE_CODES, Trouble.TOO_LARGE),
        (AUTH_CODES, Trouble.AUTH),
        (GONE_CODES, Trouble.GONE),
    )
    return next((trouble for those, trouble in known if codes & those), None)


def read_error(text: str) -> Said:
    """The error of a body, in any of the shapes that are in use; empty where it is none."""
    try:
        body = from_json(text)
    except NotJson:
        return Said(codes=(), message=_message(text))
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, Mapping):
        return Said(codes=(), message="")
    error = body.get("error", body)
    if not isinstance(error, Mapping):
        return Said(codes=(), message=_message(error))
    details = error.get("details")
    inner = error.get("innererror")
    found = (
        details.get("error_code") if isinstance(details, Mapping) else None,
        error.get("code"),
        inner.get("code") if isinstance(inner, Mapping) else None,
        error.get("type"),
    )
    param = error.get("param")
    return Said(
        codes=tuple(it for it in found if isinstance(it, str) and _CODE.fullmatch(it)),
        message=_message(error.get("message") or error.get("detail")),
        param=param if isinstance(param, str) else None,
    )


def _message(text: object) -> str:
    return _ADDRESS.sub(" ", text[:4000]).lower() if isinstance(text, str) else ""


def _told(host: str, status: str, said: Said, trouble: Trouble) -> str:
    code = f" {said.codes[0]}" if said.codes else ""
    advice = f": {ADVICE[trouble]}" if trouble in ADVICE else f" ({trouble.value})"
    return f"{host} answered {status}{code}{advice}"


def _wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a provider asks to be left alone; the milliseconds, where given, are the finer word."""
    try:
        milliseconds = float(_header(headers, "retry-after-ms"))
    except ValueError:
        return retry_after(headers, now)
    if not math.isfinite(milliseconds):
        return retry_after(headers, now)
    return timedelta(seconds=min(max(0.0, milliseconds / 1000), LONGEST_WAIT.total_seconds()))


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "").strip()
