"""A mail server that fails at every step, refuses, or is not to be trusted: what is known of the mail."""

import asyncio
from functools import partial

import pytest

from daemon.notify.base import ChannelError, Failure
from daemon.secret import Secret
from tests.daemon.notify.mail_servers import (
    ALERT,
    THREE,
    Say,
    channel,
    dripping,
    failure_of,
    pouring,
    real,
    saying,
)
from tests.daemon.notify.receivers import hanging_up, resetting, silent, talking_nonsense


@pytest.fixture
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.notify.smtp.TOTAL_S", 1.0)
    monkeypatch.setattr("daemon.notify.smtp_session.STEP_S", 0.5)


in_a_hurry = pytest.mark.usefixtures("_in_a_hurry")


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    async with real() as there:
        error = await failure_of(there, caFile=None)
    assert error.failure is Failure.PERMANENT
    assert str(error).startswith("the certificate of localhost is not trusted (")
    assert "set caFile" in str(error)
    assert there.commands == []


async def test_a_certificate_for_another_host_is_not_trusted() -> None:
    async with real() as there:
        error = await failure_of(there, host="127.0.0.1")
    assert error.failure is Failure.PERMANENT
    assert "IP address mismatch" in str(error)


async def test_nothing_is_said_in_clear_where_there_is_no_starttls() -> None:
    async with saying() as there:
        error = await failure_of(there, tls="starttls")
    assert error.failure is Failure.PERMANENT
    assert "offers no STARTTLS" in str(error)
    assert "set tls to implicit" in str(error)
    assert [command.split()[0] for command in there.commands] == ["EHLO"]


async def test_a_server_that_needs_starttls_is_told_from_one_that_speaks_tls_at_once() -> None:
    async with saying() as there:
        error = await failure_of(there, tls="implicit")
    assert error.failure is Failure.PERMANENT
    assert "set tls to starttls" in str(error)


async def test_a_wrong_password_is_tried_once_and_told_with_what_helps() -> None:
    async with real() as there:
        error = await failure_of(there, password=Secret("wrong"))
    assert error.failure is Failure.PERMANENT
    assert "535" in str(error)
    assert "user or password is wrong" in str(error)
    assert there.commands == ["AUTH PLAIN"]


@pytest.mark.parametrize(
    ("host", "allowed"), [("mail.example", False), ("10.0.0.1", False), ("127.0.0.1", True)]
)
async def test_a_password_leaves_the_machine_encrypted_only(host: str, allowed: bool) -> None:
    async with saying() as there, channel(there, host=host) as sender:
        if allowed:
            await sender.send(ALERT)
            return
        with pytest.raises(ChannelError, match=f"a password is not sent to {host} in clear") as caught:
            await sender.send(ALERT)
        steps = await sender.check()
    assert caught.value.failure is Failure.PERMANENT
    assert [(step.name, step.is_ok) for step in steps] == [("connect", False)]


@pytest.mark.parametrize(
    ("step", "say", "failure", "told"),
    [
        ("greeting", "421 4.3.2 closing", Failure.TRANSIENT, "421 4.3.2 closing"),
        ("greeting", "554 5.7.1 you are listed", Failure.PERMANENT, "554 5.7.1 you are listed"),
        ("EHLO", "421 later", Failure.TRANSIENT, "the step connect"),
        ("AUTH", "454 4.7.0 later", Failure.TRANSIENT, "out of order for the moment"),
        ("AUTH", "534 5.7.9 no", Failure.PERMANENT, "app password"),
        ("MAIL", "530 5.7.0 first", Failure.PERMANENT, "wants a login or encryption first"),
        ("MAIL", "451 4.3.0 later", Failure.TRANSIENT, "the sender desk@example.com"),
        ("MAIL", "553 5.7.1 not yours", Failure.PERMANENT, "553 5.7.1 not yours"),
        ("RCPT", "450 4.7.1 greylisted", Failure.TRANSIENT, "ops@example.com: 450 4.7.1 greylisted"),
        ("RCPT", "550 5.1.1 no such user", Failure.PERMANENT, "took none of the recipients"),
        ("DATA", "451 4.3.0 later", Failure.TRANSIENT, "refused the mail"),
        ("DATA", "554 5.5.1 never", Failure.PERMANENT, "refused the mail"),
        ("end", "452 4.3.1 disk is full", Failure.TRANSIENT, "452 4.3.1 disk is full"),
        ("end", "421 4.3.2 closing", Failure.TRANSIENT, "421"),
        ("end", "552 5.3.4 too big", Failure.PERMANENT, "the mail is too big for it"),
        ("end", "554 5.7.1 spam\r\n", Failure.PERMANENT, "554 5.7.1 spam"),
    ],
)
async def test_each_answer_has_its_class_and_says_what_helps(
    step: str, say: str, failure: Failure, told: str
) -> None:
    async with saying(**{step: say}) as there:
        error = await failure_of(there)
    assert error.failure is failure
    assert told in str(error)
    assert str(error).startswith("127.0.0.1 ")
    assert len(str(error)) < 400
    assert there.connections == 1


@in_a_hurry
@pytest.mark.parametrize("step", ["greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "end"])
@pytest.mark.parametrize(
    "script", [silent, resetting, hanging_up, talking_nonsense, dripping, pouring], ids=lambda it: it.__name__
)
async def test_only_what_fails_after_the_final_dot_is_unknown(step: str, script: Say) -> None:
    async with saying(**{step: script}) as there:
        error = await failure_of(there)
    is_sent = step == "end"
    assert error.failure is (Failure.UNKNOWN if is_sent else Failure.TRANSIENT)
    assert len(there.bodies) == is_sent
    if script is not talking_nonsense and script is not pouring:
        assert ("may have arrived" if is_sent else "nothing was sent") in str(error)


@in_a_hurry
@pytest.mark.parametrize("script", [silent, resetting, hanging_up, dripping], ids=lambda it: it.__name__)
async def test_a_mail_is_delivered_however_the_farewell_goes(script: Say) -> None:
    async with saying(QUIT=script) as there, channel(there) as sender:
        async with asyncio.timeout(2):
            assert (await sender.send(ALERT)).proof == "250 2.0.0 queued as 4711"


@in_a_hurry
async def test_all_steps_together_have_one_limit() -> None:
    async def slowly(code: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.35)
        writer.write(f"{code}\r\n".encode())
        await asyncio.Event().wait()

    async with saying(RCPT=partial(slowly, "250 ok"), AUTH="235 ok") as there:
        error = await failure_of(there)
    assert error.failure is Failure.TRANSIENT
    assert "did not answer in time" in str(error)


async def test_a_mailbox_too_small_for_any_mail_is_told() -> None:
    async with saying(EHLO="250-hi\r\n250-SIZE 700\r\n250 AUTH PLAIN") as there:
        error = await failure_of(there)
    assert error.failure is Failure.PERMANENT
    assert "no mail of more than 700 bytes" in str(error)


@in_a_hurry
@pytest.mark.parametrize(
    ("step", "say", "last", "told"),
    [
        ("greeting", silent, "connect", "did not answer in time"),
        ("greeting", "554 no", "connect", "554 no"),
        ("AUTH", "535 5.7.8 no", "login", "user or password is wrong"),
        ("MAIL", "550 no", "sender", "550 no"),
        ("RCPT_b", "550 5.1.1 who?", "recipient b@x.example", "550 5.1.1 who?"),
        ("RCPT_b", silent, "recipient b@x.example", "did not answer in time"),
        ("RSET", resetting, "reset", "hung up"),
    ],
)
async def test_a_check_ends_with_the_step_that_fails(step: str, say: Say, last: str, told: str) -> None:
    async with saying(**{step: say}) as there, channel(there, to=THREE) as sender:
        steps = await sender.check()
    assert [one.is_ok for one in steps] == [True] * (len(steps) - 1) + [False]
    assert steps[-1].name == last
    assert told in steps[-1].detail


@in_a_hurry
async def test_a_check_does_not_mind_silence_at_the_end() -> None:
    async with saying(QUIT=silent) as there, channel(there) as sender:
        steps = await sender.check()
    assert (steps[-1].name, steps[-1].is_ok, steps[-1].detail) == ("quit", True, "no answer")
