"""Errors as RFC 9457 has them: a status, a title, and a detail that helps."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from msgspec import ValidationError

from daemon.engine.queue import QueueFull
from daemon.operations import Unfit, Unknown
from state.codec import NotJson
from state.database import StoreError, StoreFull
from state.ledger.errors import LedgerError, LedgerFull

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

# The first that fits is taken: narrow ones stand before wide ones.
STATUS_OF: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (Unknown, HTTPStatus.NOT_FOUND),
    (Unfit, HTTPStatus.BAD_REQUEST),
    (ValidationError, HTTPStatus.BAD_REQUEST),
    (NotJson, HTTPStatus.BAD_REQUEST),
    (StoreFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (LedgerFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (LedgerError, HTTPStatus.SERVICE_UNAVAILABLE),
    (QueueFull, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Refusal(Exception):
    """A request is not answered as it was meant: the status, the reason, and headers that belong to it.

    `asked_by`: who is named in the log as the one who was refused at the door. It is not set where whoever
    has no token could fill the log with it.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        asked_by: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers: Mapping[str, str] = headers or {}
        self.asked_by = asked_by


def status_of(error: Exception) -> HTTPStatus:
    """The status that says what became of the request; 500 for what nobody foresaw."""
    if isinstance(error, Refusal):
        return error.status
    return next((status for kind, status in STATUS_OF if isinstance(error, kind)), _UNFORESEEN)


def problem(status: int, detail: str, instance: str) -> dict[str, Any]:
    """The body of an error."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": instance,
    }


def detail_of(error: Exception, status: HTTPStatus) -> str:
    """What an error says to the outside; nothing of what nobody foresaw, since it may hold anything."""
    if status is _UNFORESEEN:
        return f"an unexpected {type(error).__name__}; the log says where"
    if isinstance(error, ValidationError):
        return f"the body does not fit: {error}"
    if isinstance(error, NotJson):
        return f"the body is not JSON: {error}"
    return str(error)


_UNFORESEEN = HTTPStatus.INTERNAL_SERVER_ERROR
