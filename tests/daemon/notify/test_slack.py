"""Slack's webhook: what it answers, how often it is asked, and what is told of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from pydantic import ValidationError

from daemon.clock import Clock, SystemClock, VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Entry, Failure, Message
from daemon.notify.http import HttpClient
from daemon.secret import Secret
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN, Receiver, receiver, saying, silent, slack

MESSAGE = Message(
    id="d1", kind="digest", title="Leads", text="Two.", entries=(Entry(title="A"),), created_at=NOW
)


@asynccontextmanager
async def tools(clock: Clock | None = None) -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=0.3)
    try:
        yield Tools(http=http, clock=clock or VirtualClock(NOW))
    finally:
        await http.close()


def channel(there: Receiver, given: Tools) -> Channel:
    return open_channel("slack", {"url": Secret(there.url)}, given)


async def failure_of(sender: Channel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sender.send(MESSAGE)
    return caught.value


async def test_slack_takes_the_message_and_its_word_is_the_proof() -> None:
    async with slack() as there, tools() as given:
        receipt = await channel(there, given).send(MESSAGE)
    assert receipt.proof == "200 ok"
    assert there.payloads[0]["blocks"][0]["text"]["text"] == "Leads"
    assert b"Content-Type: application/json" in there.heads[0]


async def test_any_two_hundred_is_a_delivery_whatever_it_says() -> None:
    async with receiver(saying(204)) as there, tools() as given:
        assert (await channel(there, given).send(MESSAGE)).proof == "204"


@pytest.mark.parametrize(
    ("status", "word", "failure", "told"),
    [
        (400, "user_not_found", Failure.PERMANENT, "400 user_not_found"),
        (400, "no_text", Failure.PERMANENT, "400 no_text"),
        (401, "", Failure.PERMANENT, "answered 401"),
        (403, "action_prohibited", Failure.PERMANENT, "an administrator of the workspace"),
        (403, "invalid_token", Failure.PERMANENT, "copy it again"),
        (404, "no_service", Failure.PERMANENT, "make a new one"),
        (404, "channel_not_found", Failure.PERMANENT, "make a webhook for another"),
        (410, "channel_is_archived", Failure.PERMANENT, "unarchive"),
        (302, "", Failure.PERMANENT, "answered 302"),
        (408, "", Failure.TRANSIENT, "answered 408"),
        (429, "rate_limited", Failure.TRANSIENT, "429 rate_limited"),
        (500, "rollup_error", Failure.TRANSIENT, "500 rollup_error"),
        (503, "<html>\n" + "x" * 5000, Failure.TRANSIENT, "answered 503 <html> x"),
    ],
)
async def test_each_answer_has_its_class_and_says_what_helps(
    status: int, word: str, failure: Failure, told: str
) -> None:
    async with receiver(saying(status, word)) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert error.failure is failure
    assert told in str(error)
    assert str(error).startswith("127.0.0.1 answered")
    assert len(str(error)) < 300
    assert len(there.bodies) == 1


@pytest.mark.parametrize("word", ["invalid_blocks", "invalid_payload", "msg_blocks_too_long"])
async def test_refused_blocks_are_sent_again_as_plain_text(
    word: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with receiver(saying(400, word), saying(200, "ok")) as there, tools() as given:
        receipt = await channel(there, given).send(MESSAGE)
    assert receipt.proof == "200 ok"
    rich, plain = there.payloads
    assert "blocks" in rich
    assert "blocks" not in plain
    assert plain["text"].startswith("Leads\n\nTwo.\n\n1. A")
    assert [record.message for record in caplog.records] == ["slack.blocks-refused"]


async def test_plain_text_is_tried_once_only() -> None:
    async with receiver(saying(400, "invalid_payload")) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert error.failure is Failure.PERMANENT
    assert len(there.bodies) == 2


async def test_a_lost_answer_to_the_plain_text_leaves_the_outcome_unknown() -> None:
    async with receiver(saying(400, "invalid_blocks"), silent) as there, tools() as given:
        assert (await failure_of(channel(there, given))).failure is Failure.UNKNOWN
        assert len(there.bodies) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30.0), ("1.5", 1.5), ("Sat, 21 Nov 2026 06:00:10 GMT", 10.0), ("7200", 7200.0), ("soon", None)],
)
async def test_a_wait_that_slack_asks_for_is_handed_on(header: str, seconds: float | None) -> None:
    async with receiver(saying(429, "rate_limited", Retry_After=header)) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert error.retry_after == (None if seconds is None else timedelta(seconds=seconds))


async def test_while_slack_wants_to_be_left_alone_nothing_is_sent() -> None:
    clock = VirtualClock(NOW)
    async with (
        receiver(saying(429, "rate_limited", Retry_After="7200"), saying(200, "ok")) as there,
        tools(clock) as given,
    ):
        sender = channel(there, given)
        await failure_of(sender)
        error = await failure_of(sender)
        assert error.failure is Failure.TRANSIENT
        assert error.retry_after == timedelta(seconds=60)
        assert len(there.bodies) == 1
        await clock.advance(seconds=60)
        assert (await sender.send(MESSAGE)).proof == "200 ok"


async def test_two_channels_of_one_webhook_share_its_queue() -> None:
    async with receiver(saying(200, "ok")) as there, tools(SystemClock()) as given:
        began_s = given.clock.monotonic()
        await asyncio.gather(*(channel(there, given).send(MESSAGE) for _ in range(2)))
        took_s = given.clock.monotonic() - began_s
    assert there.most_at_once == 1
    assert took_s >= 1.0


async def test_a_sick_webhook_delays_no_other() -> None:
    async with receiver(silent) as sick, slack() as well, tools() as given:
        stuck = asyncio.ensure_future(channel(sick, given).send(MESSAGE))
        await sick.arrived.wait()
        assert (await channel(well, given).send(MESSAGE)).proof == "200 ok"
        assert not stuck.done()
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)


async def test_a_cancelled_send_frees_the_queue() -> None:
    clock = VirtualClock(NOW)
    async with receiver(silent, saying(200, "ok")) as there, tools(clock) as given:
        sender = channel(there, given)
        stuck = asyncio.ensure_future(sender.send(MESSAGE))
        await there.arrived.wait()
        stuck.cancel()
        async with asyncio.timeout(1):
            await asyncio.gather(stuck, return_exceptions=True)
        await clock.advance(seconds=1)
        assert (await sender.send(MESSAGE)).proof == "200 ok"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.slack.com/services/" + TOKEN,
        "ftp://x/" + TOKEN,
        "https://",
        "https://[::1/" + TOKEN,
        "https://hooks.slack.com/services/ " + TOKEN,
        "https://x:99999/" + TOKEN,
    ],
)
def test_a_wrong_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValidationError, match=r"https://hooks\.slack\.com/services/") as caught:
        open_channel("slack", {"url": url}, Tools(http=HttpClient(), clock=SystemClock()))
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value)


def test_unknown_and_missing_options_are_named() -> None:
    given = Tools(http=HttpClient(), clock=SystemClock())
    with pytest.raises(ValidationError, match=r"(?s)url.*is needed: the address.*chanel.*Extra inputs"):
        open_channel("slack", {"chanel": "x"}, given)


def test_the_options_show_no_secret() -> None:
    kind = type(
        open_channel("slack", {"url": f"https://x/{TOKEN}"}, Tools(http=HttpClient(), clock=SystemClock()))
    )
    options = kind.Options.model_validate({"url": f"https://x/{TOKEN}"})
    assert TOKEN not in repr(options) + str(options) + options.model_dump_json()
