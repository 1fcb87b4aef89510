"""Mail by SMTP: what arrives, who gets it, and what a check says."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemon.notify import mail
from daemon.notify.base import ChannelError, Entry, Failure
from tests.daemon.notify.hostile import hostile_message
from tests.daemon.notify.mail_servers import (
    ALERT,
    GOOD,
    THREE,
    Say,
    as_read,
    channel,
    failure_of,
    real,
    saying,
)
from tests.daemon.notify.receivers import resetting


async def test_a_mail_arrives_encrypted_after_a_login() -> None:
    async with real() as there, channel(there, to=THREE) as sender:
        receipt = await sender.send(ALERT)
    assert receipt.proof == "250 2.0.0 taken as 4711"
    assert receipt.details == {"recipients": 3, "refused": {}}
    assert there.commands == ["AUTH PLAIN"]
    assert there.heads == [repr(("desk@example.com", THREE)).encode()]
    read = there.mails[0]
    assert read["From"] == "Night desk <desk@example.com>"
    assert read["To"] == ", ".join(THREE)
    assert read["Subject"] == "ERROR: daily-reports failed"
    assert read["Message-ID"] == "<n-17@example.com>"
    assert read["References"] == "<thread.i-4@example.com>"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content().replace("\r\n", "\n") for part in read.iter_parts())
    assert (text, html) == (mail.text(ALERT), mail.html(ALERT))  # lines that begin with a dot, too


async def test_a_mail_arrives_where_tls_is_spoken_from_the_first_byte() -> None:
    async with real("implicit") as there, channel(there, user=None, password=None) as sender:
        await sender.send(ALERT)
        steps = await sender.check()
    assert len(there.bodies) == 1
    assert [step.name for step in steps] == [
        "connect",
        "sender",
        "recipient ops@example.com",
        "reset",
        "quit",
    ]


async def test_a_copy_sent_again_is_the_same_mail() -> None:
    async with real("none") as there, channel(there, user=None, password=None) as sender:
        for _ in range(2):
            await sender.send(ALERT)
    assert len({mail["Message-ID"] for mail in there.mails}) == 1
    assert len({mail["Date"] for mail in there.mails}) == 1


async def test_a_login_is_made_in_whatever_way_there_is() -> None:
    async with real(auth_exclude_mechanism=["PLAIN"]) as there, channel(there) as sender:
        await sender.send(ALERT)
    assert there.commands == ["AUTH LOGIN"]
    async with saying(EHLO="250-hi\r\n250 AUTH XOAUTH2 GSSAPI") as there:
        error = await failure_of(there)
    assert error.failure is Failure.PERMANENT
    assert "offers no login by password, but xoauth2, gssapi" in str(error)


async def test_who_is_refused_is_named_and_the_others_get_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers = {"RCPT_a": "550 5.1.1 who?", "RCPT_b": "450 4.2.0 later"}
    async with saying(**answers) as there, channel(there, to=THREE) as sender:
        receipt = await sender.send(ALERT)
    assert len(there.bodies) == 1
    refused = {"a@x.example": "550 5.1.1 who?", "b@x.example": "450 4.2.0 later"}
    assert receipt.details == {"recipients": 1, "refused": refused}
    (record,) = (record for record in caplog.records if record.message == "smtp.refused-recipients")
    assert record.levelno == logging.WARNING
    fields: dict[str, Any] = record.fields  # type: ignore[attr-defined]
    assert fields == {"message_id": "n-17", "host": "127.0.0.1", "refused": refused}


async def test_where_all_are_put_off_it_is_tried_again_a_little_later() -> None:
    async with saying(RCPT="451 4.7.1 greylisted", RCPT_b="550 5.1.1 who?") as there:
        error = await failure_of(there, to=THREE)
    assert error.failure is Failure.TRANSIENT
    assert error.retry_after == timedelta(minutes=2)
    assert "a@x.example: 451 4.7.1 greylisted; b@x.example: 550 5.1.1 who?" in str(error)
    assert there.bodies == []


async def test_many_recipients_are_reached_by_several_mails() -> None:
    everybody = [f"p{number}@x.example" for number in range(45)]
    async with saying() as there, channel(there, to=everybody) as sender:
        receipt = await sender.send(ALERT)
    assert there.recipients() == everybody
    assert [len(mail["To"].split(",")) for mail in there.mails] == [20, 20, 5]
    assert receipt.details["recipients"] == 45


async def test_sent_again_a_mail_goes_to_those_only_who_have_not_got_it() -> None:
    everybody = [f"p{number}@x.example" for number in range(45)]
    answers: list[Say] = [GOOD["MAIL"], "451 4.3.0 later", GOOD["MAIL"]]
    async with saying(MAIL=answers) as there, channel(there, to=everybody) as sender:
        with pytest.raises(ChannelError) as caught:
            await sender.send(ALERT)
        assert caught.value.failure is Failure.TRANSIENT
        assert there.recipients() == everybody[:20]
        receipt = await sender.send(ALERT)
        assert there.recipients() == everybody
        await sender.send(replace(ALERT, id="n-18"))
    assert len(there.recipients()) == 90
    assert receipt.details["recipients"] == 45


async def test_a_lost_answer_is_not_forgotten_over_a_second_mail() -> None:
    everybody = [f"p{number}@x.example" for number in range(21)]
    async with (
        saying(end=[GOOD["end"], resetting, GOOD["end"]]) as there,
        channel(there, to=everybody) as sender,
    ):
        with pytest.raises(ChannelError) as caught:
            await sender.send(ALERT)
        assert caught.value.failure is Failure.UNKNOWN
        await sender.send(ALERT)
    assert there.recipients() == [*everybody, everybody[-1]]


async def test_a_storm_is_cut_to_what_the_server_takes() -> None:
    entries = tuple(Entry(title=f"report of company-{number}") for number in range(2_800))
    storm = replace(ALERT, entries=entries)
    for size, named in ((10_000_000, 2_800), (60_000, None)):
        hello = f"250-hi\r\n250-SIZE {size}\r\n250 AUTH PLAIN"
        async with saying(EHLO=hello) as there, channel(there) as sender:
            await sender.send(storm)
        assert len(there.bodies[0]) <= size
        (said,) = (command for command in there.commands if command.startswith("MAIL"))
        assert said == f"MAIL FROM:<desk@example.com> SIZE={len(there.bodies[0])}"
        text = next(as_read(there.bodies[0]).iter_parts()).get_content()
        count = text.count("company-")
        assert count == named or (100 < count < 2_800 and f"… and {2_800 - count} more" in text)


async def test_addresses_beyond_ascii_go_where_they_are_taken() -> None:
    options: dict[str, Any] = {"to": ["jürgen@x.example", "a@bücher.example"], "user": None, "password": None}
    async with real("none") as there, channel(there, **options) as sender:
        await sender.send(ALERT)
    assert there.heads[0].decode() == repr(
        ("desk@example.com", ["jürgen@x.example", "a@xn--bcher-kva.example"])
    )
    async with saying(EHLO="250 hi") as there, channel(there, **options) as sender:
        receipt = await sender.send(ALERT)
    assert there.mails[0]["To"] == "a@xn--bcher-kva.example"
    assert receipt.details["refused"] == {"jürgen@x.example": "553 the server takes ASCII addresses only"}
    async with saying(EHLO="250 hi") as there:
        error = await failure_of(there, **{**options, "from": "jürgen@x.example"})
    assert error.failure is Failure.PERMANENT


async def test_a_server_from_before_ehlo_is_greeted_as_it_knows() -> None:
    answers = {"EHLO": "502 what?", "HELO": "250 hi"}
    async with saying(**answers) as there, channel(there, user=None, password=None) as sender:
        await sender.send(ALERT)
    assert [command.split()[0] for command in there.commands[:2]] == ["EHLO", "HELO"]


async def test_a_digest_can_be_unsubscribed_from_and_an_alert_cannot() -> None:
    async with saying() as there, channel(there, unsubscribe="https://example.com/leave") as sender:
        await sender.send(replace(ALERT, kind="digest", id="d"))
        await sender.send(ALERT)
    assert [mail["List-Unsubscribe"] for mail in there.mails] == ["<https://example.com/leave>", None]


async def test_one_mail_at_a_time_goes_to_a_server() -> None:
    async with saying() as there, channel(there) as sender:
        await asyncio.gather(*(sender.send(replace(ALERT, id=f"n-{number}")) for number in range(8)))
    assert len(there.bodies) == 8
    talks = " ".join(command.split()[0] for command in there.commands)
    assert talks == " ".join(["EHLO AUTH MAIL RCPT DATA QUIT"] * 8)


async def test_hostile_messages_arrive_as_they_are_meant() -> None:
    async with saying() as there, channel(there) as sender:
        for seed in range(0, 200, 10):
            await sender.send(hostile_message(seed))
    for seed, read in zip(range(0, 200, 10), there.mails, strict=True):
        assert read["Subject"] == mail.subject(hostile_message(seed))
        assert read["Bcc"] is None
        text = next(read.iter_parts()).get_content().replace("\r\n", "\n")
        assert text == mail.text(hostile_message(seed))


async def test_a_check_takes_every_step_but_the_mail() -> None:
    async with real() as there, channel(there, to=THREE[:2]) as sender:
        steps = await sender.check()
    assert [step.name for step in steps] == [
        "connect",
        "starttls",
        "login",
        "sender",
        "recipient a@x.example",
        "recipient b@x.example",
        "reset",
        "quit",
    ]
    assert all(step.is_ok for step in steps)
    assert there.bodies == []
