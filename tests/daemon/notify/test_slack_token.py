"""Slack by a token: where it posts, what each refusal means, and what of its options is refused."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.clock import SystemClock, VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Entry, Failure, Message
from daemon.notify.http import Answer, HttpClient
from daemon.notify.slack_answers import heard_from_api
from daemon.secret import Secret
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN, Receiver, receiver, saying, silent
from tests.daemon.notify.slack_api import ROOM, refusing, slack_api

MESSAGE = Message(
    id="d1", kind="digest", title="Leads", text="Two.", entries=(Entry(title="A"),), created_at=NOW
)


@asynccontextmanager
async def tools() -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=0.3)
    try:
        yield Tools(http=http, clock=VirtualClock(NOW))
    finally:
        await http.close()


def channel(there: Receiver, given: Tools, target: str = ROOM) -> Channel:
    options = {
        "token": Secret(TOKEN),
        "target": target,
        "apiUrl": f"http://127.0.0.1:{there.port}/api",
    }
    return open_channel("slack", options, given)


async def failure_of(sender: Channel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sender.send(MESSAGE)
    return caught.value


@pytest.mark.parametrize("target", [ROOM, "#ops"])
async def test_a_message_is_posted_to_its_room_and_its_time_stamp_is_the_proof(target: str) -> None:
    async with slack_api() as there, tools() as given:
        receipt = await channel(there, given, target).send(MESSAGE)
    assert receipt.proof == f"200 ok {ROOM} 1503435956.000247"
    assert there.payloads[0]["channel"] == target
    assert there.payloads[0]["blocks"][0]["text"]["text"] == "Leads"
    assert there.heads[0].startswith(b"POST /api/chat.postMessage HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("error", "failure", "told"),
    [
        ("channel_not_found", Failure.PERMANENT, "check the target"),
        ("not_in_channel", Failure.PERMANENT, "invite the app"),
        ("is_archived", Failure.PERMANENT, "unarchive the room"),
        ("invalid_auth", Failure.PERMANENT, "copy it again"),
        ("account_inactive", Failure.PERMANENT, "set its new token"),
        ("token_revoked", Failure.PERMANENT, "set its new token"),
        ("not_authed", Failure.PERMANENT, "set it again"),
        ("missing_scope", Failure.PERMANENT, "add the scope chat:write"),
        ("restricted_action", Failure.PERMANENT, "an administrator"),
        ("something_new", Failure.PERMANENT, "answered 200 something_new"),
        ("ratelimited", Failure.TRANSIENT, "ratelimited"),
        ("internal_error", Failure.TRANSIENT, "internal_error"),
        ("fatal_error", Failure.TRANSIENT, "fatal_error"),
        ("service_unavailable", Failure.TRANSIENT, "service_unavailable"),
        ("request_timeout", Failure.TRANSIENT, "request_timeout"),
    ],
)
async def test_each_refusal_has_its_class_and_says_what_helps(
    error: str, failure: Failure, told: str
) -> None:
    async with receiver(refusing(error)) as there, tools() as given:
        raised = await failure_of(channel(there, given))
    assert raised.failure is failure
    assert told in str(raised)
    assert str(raised).startswith("127.0.0.1 answered 200 ")
    assert len(there.bodies) == 1


async def test_a_missing_scope_is_named() -> None:
    async with receiver(refusing("missing_scope", needed="chat:write.public")) as there, tools() as given:
        raised = await failure_of(channel(there, given))
    assert "add the scope chat:write.public to the app" in str(raised)


@pytest.mark.parametrize("error", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"])
async def test_refused_blocks_are_sent_again_as_plain_text_to_the_same_room(error: str) -> None:
    taken = saying(200, json.dumps({"ok": True, "channel": ROOM, "ts": "1.2"}))
    async with receiver(refusing(error), taken) as there, tools() as given:
        assert (await channel(there, given).send(MESSAGE)).proof == f"200 ok {ROOM} 1.2"
    rich, plain = there.payloads
    assert "blocks" in rich
    assert "blocks" not in plain
    assert plain["channel"] == rich["channel"] == ROOM


async def test_being_asked_to_wait_holds_the_queue() -> None:
    busy = saying(429, json.dumps({"ok": False, "error": "ratelimited"}), Retry_After="30")
    async with receiver(busy) as there, tools() as given:
        sender = channel(there, given)
        first = await failure_of(sender)
        second = await failure_of(sender)
    assert "answered 429 ratelimited" in str(first)
    assert first.retry_after == second.retry_after == timedelta(seconds=30)
    assert len(there.bodies) == 1


@pytest.mark.parametrize("text", ["", "<html>login</html>", "[]", '{"ok": "yes"}', '{"ok": false}', "null"])
def test_a_200_that_is_not_slacks_is_no_proof(text: str) -> None:
    heard = heard_from_api(Answer(status=200, headers={}, text=text))
    assert heard.failure is Failure.UNKNOWN


async def test_a_check_asks_whose_the_token_is() -> None:
    async with slack_api() as there, tools() as given:
        [step] = await channel(there, given).check()
    assert (step.name, step.is_ok) == ("token", True)
    assert "the token is valid" in step.detail
    assert there.heads[0].startswith(b"POST /api/auth.test HTTP/1.1\r\n")


async def test_a_check_tells_what_is_wrong_with_the_token() -> None:
    async with receiver(refusing("token_revoked")) as there, tools() as given:
        [step] = await channel(there, given).check()
    assert not step.is_ok
    assert step.detail.startswith("127.0.0.1 answered 200 token_revoked: the token was revoked")


async def test_a_check_that_gets_no_answer_speaks_of_no_message() -> None:
    async with receiver(silent) as there, tools() as given:
        [step] = await channel(there, given).check()
    assert not step.is_ok
    assert "no answer" in step.detail
    assert "message" not in step.detail


async def test_a_check_of_a_webhook_says_how_little_it_proves() -> None:
    async with receiver(saying(405)) as there, tools() as given:
        [step] = await open_channel("slack", {"url": Secret(there.url)}, given).check()
    assert step.is_ok
    assert step.detail == ("reached, answered 405; whether it takes messages shows only when one is sent")
    assert there.heads[0].startswith(b"HEAD ")


WEBHOOK = f"https://hooks.slack.com/services/{TOKEN}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, r"url\n.*is needed: the address of an incoming webhook; or set token and target"),
        ({"token": "xoxb-1"}, r'target\n.*is needed beside token: the room, as in "#ops"'),
        ({"target": "#ops"}, r"url\n.*or set token and target"),
        ({"url": WEBHOOK, "token": "xoxb-1", "target": "#ops"}, r"url\n.*stands beside token or target"),
        ({"url": WEBHOOK, "target": "#ops"}, r"url\n.*stands beside token or target"),
        ({"token": "xoxb-1", "target": "ops"}, r'target\n.*is no room; write its name as in "#ops"'),
        ({"token": "xoxb-1", "target": "# ops"}, r"target\n.*is no room"),
        ({"token": "xoxb-1", "target": "<!channel>"}, r"target\n.*is no room"),
        ({"token": "xoxb-1", "target": ""}, r"target\n.*is no room"),
        ({"token": "", "target": "#ops"}, r"token\n.*is no token"),
        ({"token": "xoxb-1\r\nX: y", "target": "#ops"}, r"token\n.*is no token"),
        ({"token": WEBHOOK, "target": "#ops"}, r"token\n.*belongs under url"),
        ({"token": f"xapp-{TOKEN}", "target": "#ops"}, r"token\n.*app-level token"),
        ({"token": "xoxb-1", "target": "#ops", "apiUrl": "slack.com"}, r"apiUrl\n.*is no web address"),
    ],
)
def test_wrong_options_are_refused_with_what_to_write(options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        open_channel("slack", options, Tools(http=HttpClient(), clock=SystemClock()))
    assert TOKEN not in str(caught.value) + repr(caught.value)
    assert caught.value.error_count() == 1


@pytest.mark.parametrize("target", ["C0123456789", "G0123456789", "D0123456789", "U0123456789", "#ops-Büro"])
def test_a_room_is_named_by_id_or_by_name(target: str) -> None:
    options = {"token": "xoxb-1", "target": target}
    assert open_channel("slack", options, Tools(http=HttpClient(), clock=SystemClock()))
