"""What a mail server's answers and silences mean, decided without one."""

import ssl
from datetime import timedelta
from socket import gaierror

import pytest

from daemon.notify.base import Failure
from daemon.notify.smtp_answers import LATER, Reply, all_refused, lost, refused


@pytest.mark.parametrize(
    ("code", "is_sent", "failure"),
    [
        (421, False, Failure.TRANSIENT),
        (450, True, Failure.TRANSIENT),
        (550, False, Failure.PERMANENT),
        (554, True, Failure.PERMANENT),
        (-1, False, Failure.TRANSIENT),
        (-1, True, Failure.UNKNOWN),
        (354, True, Failure.UNKNOWN),
        (999, True, Failure.UNKNOWN),
    ],
)
def test_a_code_is_a_promise_and_nonsense_is_none(code: int, is_sent: bool, failure: Failure) -> None:
    assert refused("mail.example", "the mail", Reply(code, "x"), is_sent=is_sent).failure is failure


@pytest.mark.parametrize(
    ("code", "wait"), [(450, LATER), (451, LATER), (452, LATER), (421, None), (550, None)]
)
def test_who_greylists_is_left_alone_for_a_while(code: int, wait: timedelta | None) -> None:
    assert refused("mail.example", "the mail", Reply(code, "")).retry_after == wait


def test_one_recipient_who_may_be_taken_later_is_enough_to_try_again() -> None:
    gone, busy = Reply(550, "no such user"), Reply(451, "greylisted")
    assert all_refused("m.example", {"a@x": gone}).failure is Failure.PERMANENT
    assert all_refused("m.example", {"a@x": gone, "b@x": busy}).failure is Failure.TRANSIENT
    many = all_refused("m.example", {f"a{number}@x.example": gone for number in range(20)})
    assert "and 15 more" in str(many)
    assert len(str(many)) < 500


def test_a_reply_is_one_line_and_not_a_long_one() -> None:
    assert str(Reply(550, "no\nsuch\x1b[31m user")) == "550 no such[31m user"
    assert len(str(Reply(550, "x" * 5_000))) == 160


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 25)"), "reached (Connection refused)"),
        (gaierror(-2, "Name or service not known"), "reached (Name or service not known)"),
        (TimeoutError(), "did not answer in time"),
        (OSError(), "could not be reached at the step connect"),
    ],
    ids=["refused", "no such name", "silence", "nothing known"],
)
def test_who_was_not_reached_is_told_why(error: OSError, told: str) -> None:
    outer = ConnectionError("wrapped")
    outer.__cause__ = error
    blame = lost("m.example", "connect", error if isinstance(error, TimeoutError) else outer, is_sent=False)
    assert told in str(blame)
    assert str(blame).endswith("nothing was sent")
    assert blame.failure is Failure.TRANSIENT


def test_tls_that_breaks_is_not_tls_that_is_wrong() -> None:
    broken = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    assert lost("m.example", "starttls", broken, is_sent=False).failure is Failure.TRANSIENT
    assert lost("m.example", "content", broken, is_sent=True).failure is Failure.UNKNOWN
