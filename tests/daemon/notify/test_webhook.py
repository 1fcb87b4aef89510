"""A webhook of one's own: what is signed, how it is cut, and what its answers lead to."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.clock import SystemClock, VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Entry, Failure, Message
from daemon.notify.http import HttpClient
from daemon.notify.webhook import key_of
from daemon.notify.webhook_event import MOST_BYTES, event, signature
from daemon.secret import Secret
from state.records import Severity
from tests.daemon.notify.hostile import NOW, hostile_message
from tests.daemon.notify.receivers import Receiver, receiver, saying
from tests.daemon.notify.services import WEBHOOK_KEY, WEBHOOK_SECRET, Headers, refused_webhook, webhook

ALERT = Message(
    id="task.failed-20261121T060000-a1b2c3",
    kind="alert",
    title="daily-reports failed",
    text="3 of 50 reports are missing.",
    severity=Severity.ERROR,
    facts=(("Handler", "daily-reports"),),
    entries=(Entry(title="acme", url="https://desk.example.com/acme", note="since 05:00", text="no facts"),),
    link=("Open", "https://desk.example.com/"),
    thread="incident-7",
    closes=("incident-7",),
    created_at=NOW,
)
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(40))).decode()


@asynccontextmanager
async def tools(clock: VirtualClock | None = None) -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=0.3)
    try:
        yield Tools(http=http, clock=clock or VirtualClock(NOW))
    finally:
        await http.close()


def channel(there: Receiver, given: Tools, *secrets: str) -> Channel:
    options = {"url": Secret(there.url), "secret": Secret(" ".join(secrets or [WEBHOOK_SECRET]))}
    return open_channel("webhook", options, given)


async def failure_of(sender: Channel, message: Message = ALERT) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sender.send(message)
    return caught.value


def headers_of(there: Receiver, number: int = -1) -> Headers:
    lines = there.heads[number].decode().strip().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def test_the_event_says_all_of_the_message_in_plain_json() -> None:
    assert json.loads(event(ALERT)) == {
        "type": "nightdesk.alert",
        "timestamp": "2026-11-21T06:00:00.000000Z",
        "data": {
            "id": "task.failed-20261121T060000-a1b2c3",
            "kind": "alert",
            "severity": "error",
            "title": "daily-reports failed",
            "text": "3 of 50 reports are missing.",
            "facts": [{"name": "Handler", "value": "daily-reports"}],
            "entries": [
                {
                    "title": "acme",
                    "url": "https://desk.example.com/acme",
                    "note": "since 05:00",
                    "text": "no facts",
                }
            ],
            "entriesTotal": 1,
            "link": {"label": "Open", "url": "https://desk.example.com/"},
            "thread": "incident-7",
            "closes": ["incident-7"],
        },
    }


def test_what_a_message_has_not_is_null_and_its_kind_is_a_legal_type() -> None:
    said = json.loads(event(Message(id="1", kind="a.b-c ü", title="", created_at=NOW)))
    assert said["type"] == "nightdesk.a_b_c__"
    assert said["data"]["title"] == "(no title)"
    assert [said["data"][name] for name in ("severity", "link", "thread")] == [None, None, None]


@pytest.mark.parametrize("seed", range(200))
def test_no_event_is_larger_than_advised(seed: int) -> None:
    assert len(event(hostile_message(seed))) <= MOST_BYTES


@pytest.mark.parametrize("character", ["x", "ü", "👍", '"', "\\", "\n"], ids=ascii)
def test_an_event_at_its_longest_is_not_larger_than_advised(character: str) -> None:
    long = character * 10_000
    message = Message(
        id=long,
        kind=long,
        title=long,
        text=long,
        severity=Severity.CRITICAL,
        facts=((long, long),) * 100,
        entries=(Entry(title=long, url="https://example.com/" + "x" * 1900, note=long, text=long),) * 3_000,
        link=(long, "https://example.com/" + "x" * 1900),
        thread=long,
        closes=(long,) * 50,
        created_at=NOW,
    )
    assert len(event(message)) <= MOST_BYTES
    assert json.loads(event(message))["data"]["entriesTotal"] == 3_000


def test_entries_that_do_not_fit_are_counted_after_their_texts_were_shortened() -> None:
    entries = tuple(Entry(title=f"company {number}", text="x" * 5_000) for number in range(2_800))
    data = json.loads(event(Message(id="1", kind="alert", title="storm", entries=entries, created_at=NOW)))[
        "data"
    ]
    assert data["entriesTotal"] == 2_800
    assert 200 < len(data["entries"]) < 2_800
    assert {entry["text"] for entry in data["entries"]} == {""}
    few = json.loads(event(Message(id="1", kind="alert", title="", entries=entries[:10], created_at=NOW)))
    assert len(few["data"]["entries"]) == 10
    assert few["data"]["entries"][0]["text"].startswith("xxx")


def test_facts_beyond_the_limit_are_counted() -> None:
    message = Message(id="1", kind="alert", title="", facts=(("a", "b"),) * 30, created_at=NOW)
    facts = json.loads(event(message))["data"]["facts"]
    assert len(facts) == 20
    assert facts[-1] == {"name": "…", "value": "… and 11 more"}


def test_the_signature_is_that_of_the_reference_implementations() -> None:
    # The example that the libraries of Standard Webhooks are tested with.
    key = key_of(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    signed = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key])
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_the_receiver_verifies_it_and_its_word_is_the_proof() -> None:
    async with webhook() as there, tools() as given:
        receipt = await channel(there, given).send(ALERT)
    assert receipt.proof == "200 ok"


async def test_while_the_secret_changes_both_keys_verify() -> None:
    async with receiver(saying(204)) as there, tools() as given:
        await channel(there, given, WEBHOOK_SECRET, OLD_SECRET).send(ALERT)
    for key in (WEBHOOK_KEY, bytes(range(40))):
        assert refused_webhook(headers_of(there), there.bodies[0], key) is None
    assert refused_webhook(headers_of(there), there.bodies[0], b"another") == "webhook-signature"
    assert refused_webhook(headers_of(there), there.bodies[0] + b" ", WEBHOOK_KEY) == "webhook-signature"


async def test_a_second_try_has_the_same_id_and_body_and_its_own_time() -> None:
    clock = VirtualClock(NOW)
    async with receiver(saying(503), saying(200)) as there, tools(clock) as given:
        sender = channel(there, given)
        await failure_of(sender)
        await clock.advance(minutes=20)
        await sender.send(ALERT)
    first, second = headers_of(there, 0), headers_of(there, 1)
    assert (
        first["webhook-id"] == second["webhook-id"] == "task-failed-20261121T060000-a1b2c3-23952da9aaa3ca2f"
    )
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 20 * 60
    assert there.bodies[0] == there.bodies[1]
    assert refused_webhook(second, there.bodies[1], WEBHOOK_KEY, NOW + timedelta(minutes=20)) is None


@pytest.mark.parametrize(
    "ids", [("a.b", "a-b", "a b"), ("x" * 300, "x" * 301), ("ü", "ö", "")], ids=["dots", "long", "letters"]
)
async def test_two_ids_never_become_one(ids: tuple[str, ...]) -> None:
    async with webhook() as there, tools() as given:
        sender = channel(there, given)
        for name in ids:
            await sender.send(Message(id=name, kind="alert", title="t", created_at=NOW))
    assert len({headers_of(there, number)["webhook-id"] for number in range(len(ids))}) == len(ids)


async def test_without_a_secret_nothing_is_signed() -> None:
    async with receiver(saying(200)) as there, tools() as given:
        await open_channel("webhook", {"url": Secret(there.url)}, given).send(ALERT)
    assert "webhook-id" in headers_of(there)
    assert "webhook-signature" not in headers_of(there)


@pytest.mark.parametrize(
    ("status", "failure", "told"),
    [
        (302, Failure.PERMANENT, "answered 302"),
        (400, Failure.PERMANENT, "answered 400 no"),
        (401, Failure.PERMANENT, "compare the secret on both sides"),
        (404, Failure.PERMANENT, "nothing at this address"),
        (410, Failure.PERMANENT, "wants no more"),
        (429, Failure.TRANSIENT, "answered 429"),
        (502, Failure.TRANSIENT, "answered 502"),
    ],
)
async def test_each_answer_has_its_class_and_says_what_helps(
    status: int, failure: Failure, told: str
) -> None:
    async with receiver(saying(status, "no")) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert error.failure is failure
    assert told in str(error)


async def test_after_a_410_nothing_is_sent_but_a_test_which_may_find_it_back() -> None:
    test = Message(id="t", kind="test", title="A test", created_at=NOW)
    async with receiver(saying(410), saying(410), saying(200), saying(200)) as there, tools() as given:
        sender = channel(there, given)
        await failure_of(sender)
        assert "answered 410 before" in str(await failure_of(sender))
        assert (await failure_of(sender)).failure is Failure.PERMANENT
        assert len(there.bodies) == 1
        await failure_of(sender, test)
        await sender.send(test)
        await sender.send(ALERT)
    assert len(there.bodies) == 4


async def test_while_the_receiver_wants_to_be_left_alone_nothing_is_sent() -> None:
    clock = VirtualClock(NOW)
    async with (
        receiver(saying(503, "", Retry_After="7200"), saying(200)) as there,
        tools(clock) as given,
    ):
        sender = channel(there, given)
        assert (await failure_of(sender)).retry_after == timedelta(hours=2)
        error = await failure_of(sender)
        assert (error.failure, error.retry_after) == (Failure.TRANSIENT, timedelta(seconds=60))
        assert len(there.bodies) == 1
        await clock.advance(seconds=60)
        await sender.send(ALERT)


async def test_a_check_asks_by_head_and_sends_no_event() -> None:
    async with webhook() as there, tools() as given:
        (step,) = await channel(there, given).check()
    assert step.is_ok
    assert "reached, answered 405" in step.detail
    assert there.heads[0].startswith(b"HEAD ")


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("CANARYcorrect-horse-battery-staple", "does not begin with whsec_"),
        ("whsk_CANARYxxxxxxxxxxxxxxxxxxxxxxxxxxx", "does not begin with whsec_"),
        ("whsec_CANARY not", "is not base64 after whsec_"),
        ("whsec_CANARY+++", "is not base64 after whsec_"),
        ("whsec_CANARYüü", "is not base64 after whsec_"),
        ("whsec_", "holds 0 bytes"),
        ("whsec_Q0FOQVJZ", "holds 6 bytes after whsec_; 24 to 64 random bytes are wanted"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "holds 65 bytes"),
        (" ".join([WEBHOOK_SECRET] * 5), "holds 5 secrets; 4 are the most"),
    ],
    ids=["plain", "asymmetric", "two words", "padding", "letters", "empty", "short", "long", "many"],
)
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        opened({"url": "https://hooks.example.com/x", "secret": Secret(secret)})
    assert "CANARY" not in str(caught.value) + repr(caught.value)


async def test_several_secrets_are_taken_as_a_list_too() -> None:
    async with receiver(saying(204)) as there, tools() as given:
        options = {"url": Secret(there.url), "secret": [Secret(WEBHOOK_SECRET), Secret(OLD_SECRET)]}
        await open_channel("webhook", options, given).send(ALERT)
    assert len(headers_of(there)["webhook-signature"].split()) == 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/CANARY",
        "ftp://x/CANARY",
        "https://",
        "https://[::1/CANARY",
        "https://x:99999/CANARY",
    ],
)
def test_a_wrong_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValidationError, match="is no web address; write one as in https://") as caught:
        opened({"url": Secret(url)})
    assert "CANARY" not in str(caught.value) + repr(caught.value)


def test_an_address_with_a_password_is_refused() -> None:
    with pytest.raises(ValidationError, match="holds a name or password") as caught:
        opened({"url": Secret("https://me:CANARY@hooks.example.com/")})
    assert "CANARY" not in str(caught.value)


def opened(options: dict[str, Any]) -> Channel:
    return open_channel("webhook", options, Tools(http=HttpClient(), clock=SystemClock()))
