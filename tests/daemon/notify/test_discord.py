"""Discord's webhook: what it answers, how often it is asked, and what is told of it."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from pydantic import ValidationError

from daemon.clock import SystemClock, VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Entry, Failure, Message
from daemon.notify.discord_answers import BLOCKED_FOR, heard
from daemon.notify.http import Answer, HttpClient
from daemon.secret import Secret
from tests.daemon.notify.discord_stand_in import PATH, discord, refusing
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN, Receiver, Script, receiver, saying, silent

MESSAGE = Message(
    id="d1", kind="digest", title="Leads", text="Two.", entries=(Entry(title="A"),), created_at=NOW
)
TAKEN = saying(200, json.dumps({"id": "42"}))


@asynccontextmanager
async def tools() -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=0.3)
    try:
        yield Tools(http=http, clock=VirtualClock(NOW))
    finally:
        await http.close()


def channel(there: Receiver, given: Tools, query: str = "") -> Channel:
    url = f"http://127.0.0.1:{there.port}{PATH}{query}"
    return open_channel("discord", {"url": Secret(url)}, given)


async def failure_of(sender: Channel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sender.send(MESSAGE)
    return caught.value


async def test_discord_takes_the_message_and_its_number_is_the_proof() -> None:
    async with discord() as there, tools() as given:
        receipt = await channel(there, given).send(MESSAGE)
    assert receipt.proof == "200 message 1308998877665544332"
    assert there.payloads[0]["embeds"][0]["title"] == "Leads"
    assert there.payloads[0]["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", "?wait=true"),
        ("?thread_id=123", "?thread_id=123&wait=true"),
        ("?wait=false&thread_id=1", "?thread_id=1&wait=true"),
    ],
)
async def test_it_always_waits_until_the_message_is_kept(query: str, asked: str) -> None:
    async with discord() as there, tools() as given:
        await channel(there, given, query).send(MESSAGE)
    assert there.heads[0].startswith(f"POST {PATH}{asked} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "script", [saying(204), saying(200, "ok"), saying(200, '{"id": 7}'), saying(201, "[]")]
)
async def test_any_two_hundred_is_a_delivery_whatever_it_says(script: Script) -> None:
    async with receiver(script) as there, tools() as given:
        assert (await channel(there, given).send(MESSAGE)).proof in {"200", "201", "204"}


@pytest.mark.parametrize(
    ("script", "failure", "told"),
    [
        (
            refusing(404, 10015, "Unknown Webhook"),
            Failure.PERMANENT,
            "404 10015 Unknown Webhook: the webhook was",
        ),
        (
            refusing(401, 50027, "Invalid Webhook Token"),
            Failure.PERMANENT,
            "the token in the address is wrong",
        ),
        (refusing(400, 220001, "Forum channels"), Failure.PERMANENT, "add ?thread_id="),
        (refusing(403, 50013, "Missing Permissions"), Failure.PERMANENT, "ask its administrator"),
        (saying(404, "<html>"), Failure.PERMANENT, "make a new webhook"),
        (saying(401), Failure.PERMANENT, "was withdrawn"),
        (refusing(400, 12345, "Something new"), Failure.PERMANENT, "400 12345 Something new"),
        (saying(400, '{"code": "x", "message": 7}'), Failure.PERMANENT, "answered 400"),
        (saying(413, "too large"), Failure.PERMANENT, "413 too large"),
        (saying(302), Failure.PERMANENT, "answered 302"),
        (refusing(503, 130000, "API resource overloaded"), Failure.TRANSIENT, "503 130000"),
        (saying(502, "<html>\n" + "x" * 5000), Failure.TRANSIENT, "answered 502 <html> x"),
        (
            saying(429, '{"retry_after": 1.5, "global": true}'),
            Failure.TRANSIENT,
            "too many from all webhooks",
        ),
        (
            saying(429, '{"retry_after": 1.5, "global": false}'),
            Failure.TRANSIENT,
            "too many from this webhook",
        ),
        (saying(429, "<html>1015</html>"), Failure.TRANSIENT, "blocked by Cloudflare"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_answer_has_its_class_and_says_what_helps(
    script: Script, failure: Failure, told: str
) -> None:
    async with receiver(script) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert error.failure is failure
    assert told in str(error)
    assert str(error).startswith("127.0.0.1 answered")
    assert len(str(error)) < 400
    assert len(there.bodies) == 1


@pytest.mark.parametrize("code", [50035, 50006, 50109])
async def test_refused_embeds_are_sent_again_as_plain_text(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with receiver(refusing(400, code, "Invalid Form Body"), TAKEN) as there, tools() as given:
        assert (await channel(there, given).send(MESSAGE)).proof == "200 message 42"
    rich, plain = there.payloads
    assert "embeds" in rich
    assert "embeds" not in plain
    assert plain["content"].startswith("```\nLeads\n\nTwo.\n\n1. A")
    assert [record.message for record in caplog.records] == ["discord.embeds-refused"]


async def test_plain_text_is_tried_once_only() -> None:
    async with receiver(refusing(400, 50035)) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert error.failure is Failure.PERMANENT
    assert len(there.bodies) == 2


async def test_a_lost_answer_to_the_plain_text_leaves_the_outcome_unknown() -> None:
    async with receiver(refusing(400, 50035), silent) as there, tools() as given:
        assert (await failure_of(channel(there, given))).failure is Failure.UNKNOWN
        assert len(there.bodies) == 2


@pytest.mark.parametrize(
    ("text", "headers", "seconds"),
    [
        ('{"retry_after": 64.57}', {}, 64.57),
        ('{"retry_after": 0.3}', {"Retry-After": "1"}, 0.3),
        ('{"retry_after": "2.5"}', {}, 2.5),
        ('{"retry_after": null}', {"retry-after": "3"}, 3.0),
        ('{"retry_after": true}', {"Retry-After": "3"}, 3.0),
        ('{"retry_after": -1}', {}, None),
        ('{"retry_after": 1e999}', {"Retry-After": "4"}, 4.0),
        ('{"retry_after": 99999999}', {}, 86_400.0),
        ("{}", {"Via": "1.1 google", "Retry-After": "5"}, 5.0),
        ("<html>", {"Via": "1.1 google"}, None),
        ("<html>", {"Retry-After": "3600"}, 3600.0),
        ("<html>", {}, BLOCKED_FOR.total_seconds()),
        ("", {"Retry-After": "soon"}, BLOCKED_FOR.total_seconds()),
    ],
)
def test_a_wait_is_found_wherever_it_stands(
    text: str, headers: dict[str, str], seconds: float | None
) -> None:
    wait = heard(Answer(status=429, headers=headers, text=text), NOW).wait
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


async def test_while_discord_wants_to_be_left_alone_nothing_is_sent() -> None:
    busy = saying(429, '{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}')
    async with receiver(busy, TAKEN) as there, tools() as given:
        clock = given.clock
        assert isinstance(clock, VirtualClock)
        sender = channel(there, given)
        first = await failure_of(sender)
        second = await failure_of(sender)
        assert first.retry_after == timedelta(seconds=64.57)
        assert second.retry_after == timedelta(seconds=60)
        assert len(there.bodies) == 1
        await clock.advance(seconds=60)
        assert (await sender.send(MESSAGE)).proof == "200 message 42"


@pytest.mark.parametrize("after", ["8.25", "0.5"])
async def test_after_the_last_one_for_now_the_next_waits(after: str) -> None:
    last = saying(200, '{"id": "1"}', X_RateLimit_Remaining="0", X_RateLimit_Reset_After=after)
    async with receiver(last, TAKEN) as there, tools() as given:
        clock = given.clock
        assert isinstance(clock, VirtualClock)
        sender = channel(there, given)
        assert (await sender.send(MESSAGE)).proof == "200 message 1"
        if float(after) > 6:
            assert (await failure_of(sender)).retry_after == timedelta(seconds=float(after))
        await clock.advance(seconds=float(after))
        assert (await sender.send(MESSAGE)).proof == "200 message 42"


@pytest.mark.parametrize("headers", [{"X_RateLimit_Remaining": "3", "X_RateLimit_Reset_After": "9"}, {}])
async def test_while_there_is_room_the_next_waits_only_its_half_second(headers: dict[str, str]) -> None:
    async with receiver(saying(200, '{"id": "1"}', **headers)) as there, tools() as given:
        clock = given.clock
        assert isinstance(clock, VirtualClock)
        sender = channel(there, given)
        for _ in range(3):
            await sender.send(MESSAGE)
            await clock.advance(seconds=0.5)
    assert len(there.bodies) == 3


async def test_a_check_names_the_webhook_and_its_channel() -> None:
    async with discord() as there, tools() as given:
        [step] = await channel(there, given).check()
    assert (step.name, step.is_ok) == ("webhook", True)
    assert step.detail == 'the webhook "Night desk" of channel 199737254929760256'
    assert there.heads[0].startswith(f"GET {PATH} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (refusing(404, 10015, "Unknown Webhook"), "the webhook was removed"),
        (refusing(401, 50027, "Invalid Webhook Token"), "the token in the address is wrong"),
        (saying(503), "answered 503"),
        (silent, "no answer"),
    ],
    ids=["removed", "wrong token", "overloaded", "silent"],
)
async def test_a_check_tells_what_is_wrong(script: Script, told: str) -> None:
    async with receiver(script) as there, tools() as given:
        [step] = await channel(there, given).check()
    assert not step.is_ok
    assert told in step.detail


async def test_a_check_says_so_when_it_is_no_webhook_that_answers() -> None:
    async with receiver(saying(200, "<html>hello</html>")) as there, tools() as given:
        [step] = await channel(there, given).check()
    assert "not as a webhook does" in step.detail


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is no web address"),
        (f"discord.com{PATH}", "is no web address"),
        (f"ftp://discord.com{PATH}", "is no web address"),
        (f"https://discord.com{PATH} ", "is no web address"),
        (f"https://discord.com{PATH}/slack", "ends in /slack"),
        (f"https://proxy.example{PATH}/github?wait=true", "ends in /slack or /github"),
        (f"https://discord.com/channels/1/{TOKEN}", "is no webhook's address"),
        (f"https://discordapp.com/api/webhooks/{TOKEN}", "is no webhook's address"),
    ],
)
def test_a_wrong_address_is_refused_without_being_shown(url: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        open_channel("discord", {"url": url}, Tools(http=HttpClient(), clock=SystemClock()))
    assert TOKEN not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"https://discord.com{PATH}",
        f"https://canary.discord.com{PATH.replace('/api/', '/api/v10/')}?thread_id=1",
        f"https://discordapp.com{PATH}",
        f"https://proxy.example/discord{PATH}",
    ],
)
def test_an_address_as_it_is_copied_is_taken(url: str) -> None:
    assert open_channel("discord", {"url": url}, Tools(http=HttpClient(), clock=SystemClock()))


def test_the_address_is_needed() -> None:
    with pytest.raises(ValidationError, match=r"url\n  Field required"):
        open_channel("discord", {}, Tools(http=HttpClient(), clock=SystemClock()))
