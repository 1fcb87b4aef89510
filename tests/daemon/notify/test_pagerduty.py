"""PagerDuty: what wakes somebody, what ends it, and what is not carried at all."""

import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.clock import SystemClock, VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Entry, Failure, Message
from daemon.notify.http import HttpClient
from daemon.notify.pagerduty_event import trigger
from daemon.secret import Secret
from state.records import Severity
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN, Receiver, hanging_up, receiver, saying
from tests.daemon.notify.services import at, pagerduty, refused_by_pagerduty

ALERT = Message(
    id="notice-1",
    kind="alert",
    title="daily-reports failed",
    text="3 of 50 reports are missing.",
    severity=Severity.CRITICAL,
    facts=(("Handler", "daily-reports"), ("Company", "acme"), ("Company", "umbrella")),
    entries=(Entry(title="acme", url="https://desk.example.com/acme", note="since 05:00"),),
    link=("Open", "https://desk.example.com/"),
    thread="incident-7",
    created_at=NOW,
)
RESOLVED = replace(ALERT, id="notice-2", kind="resolved", closes=("incident-7",))
TEST = Message(id="test-1", kind="test", title="A test", severity=Severity.CRITICAL, created_at=NOW)


@asynccontextmanager
async def tools() -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=0.3)
    try:
        yield Tools(http=http, clock=VirtualClock(NOW))
    finally:
        await http.close()


def channel(there: Receiver, given: Tools) -> Channel:
    options = {"routingKey": Secret(TOKEN), "url": at(there, "/v2/enqueue")}
    return open_channel("pagerduty", options, given)


async def failure_of(sender: Channel, message: Message = ALERT) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sender.send(message)
    return caught.value


def said(there: Receiver) -> list[tuple[str, str]]:
    return [(event["event_action"], event["dedup_key"]) for event in there.payloads]


async def test_an_alert_is_triggered_under_its_incident() -> None:
    async with pagerduty() as there, tools() as given:
        receipt = await channel(there, given).send(ALERT)
    assert receipt.proof == "202 Event processed, dedup_key incident-7"
    assert there.payloads == [
        {
            "routing_key": TOKEN,
            "event_action": "trigger",
            "dedup_key": "incident-7",
            "payload": {
                "summary": "CRITICAL: daily-reports failed",
                "source": socket.gethostname(),
                "severity": "critical",
                "timestamp": "2026-11-21T06:00:00.000000Z",
                "class": "alert",
                "custom_details": {
                    "message_id": "notice-1",
                    "text": "3 of 50 reports are missing.",
                    "facts": {"Handler": "daily-reports", "Company": "acme; umbrella"},
                    "entries": ["acme · since 05:00 · https://desk.example.com/acme"],
                },
            },
            "client": "nightdesk",
            "client_url": "https://desk.example.com/",
            "links": [{"href": "https://desk.example.com/", "text": "Open"}],
        }
    ]


async def test_a_second_notice_and_an_escalation_are_of_the_same_incident_and_its_end_resolves_it() -> None:
    async with pagerduty() as there, tools() as given:
        sender = channel(there, given)
        await sender.send(ALERT)
        await sender.send(replace(ALERT, id="notice-3", kind="escalation"))
        receipt = await sender.send(RESOLVED)
    assert said(there) == [("trigger", "incident-7"), ("trigger", "incident-7"), ("resolve", "incident-7")]
    assert receipt.proof == "202 Event processed, dedup_key incident-7"


async def test_an_end_resolves_every_incident_that_ends_with_it() -> None:
    async with pagerduty() as there, tools() as given:
        await channel(there, given).send(replace(RESOLVED, closes=("incident-5", "incident-6", "incident-7")))
    assert sorted(said(there)) == [("resolve", f"incident-{number}") for number in (5, 6, 7)]


async def test_an_end_of_which_one_part_failed_has_failed() -> None:
    message = replace(RESOLVED, closes=("incident-5", "incident-7"))
    async with receiver(saying(202), saying(500)) as there, tools() as given:
        assert (await failure_of(channel(there, given), message)).failure is Failure.TRANSIENT
    async with receiver(hanging_up) as there, tools() as given:
        assert (await failure_of(channel(there, given), message)).failure is Failure.UNKNOWN


async def test_an_alert_without_an_incident_is_its_own() -> None:
    async with pagerduty() as there, tools() as given:
        await channel(there, given).send(replace(ALERT, thread=None))
    assert said(there) == [("trigger", "notice-1")]


async def test_a_test_wakes_as_gently_as_can_be_and_is_over_at_once() -> None:
    async with pagerduty() as there, tools() as given:
        await channel(there, given).send(TEST)
    assert said(there) == [("trigger", "test-1"), ("resolve", "test-1")]
    assert there.payloads[0]["payload"]["severity"] == "info"


async def test_a_test_that_cannot_be_ended_has_arrived_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        receiver(saying(202, '{"message": "Event processed"}'), saying(500)) as there,
        tools() as given,
    ):
        receipt = await channel(there, given).send(TEST)
    assert receipt.proof == "202 Event processed, dedup_key test-1; not resolved, do it by hand"
    assert [record.message for record in caplog.records] == ["pagerduty.test-left-open"]


@pytest.mark.parametrize("kind", ["digest", "report", "health", "something-new"])
async def test_what_is_no_alert_wakes_nobody(kind: str) -> None:
    async with pagerduty() as there, tools() as given:
        error = await failure_of(channel(there, given), replace(ALERT, kind=kind))
    assert error.failure is Failure.PERMANENT
    assert f"send a {kind} by another channel" in str(error)
    assert there.connections == 0


def test_all_of_a_storm_is_named_within_the_limit() -> None:
    entries = tuple(
        Entry(title=f"company-{number:04} daily-reports failed", note="since 05:00 · ValueError: no facts")
        for number in range(2_800)
    )
    made = trigger(replace(ALERT, entries=entries), "host", TOKEN)
    listed = made["payload"]["custom_details"]["entries"]
    assert len(listed) == 2_800
    assert listed[-1].startswith("company-2799")
    assert len(json.dumps(made, ensure_ascii=False).encode()) < 512_000


@pytest.mark.parametrize("character", ["x", "ü", "👍", '"', "\\", "\n"], ids=ascii)
def test_an_event_at_its_longest_is_taken(character: str) -> None:
    long = character * 10_000
    entry = Entry(title=long, note=long, text=long, url="https://example.com/" + "x" * 1900)
    message = replace(
        ALERT,
        id=long,
        title=long,
        text=long,
        facts=tuple((f"{number}{long}", long) for number in range(100)),
        entries=(entry,) * 3_000,
        link=(long, "https://example.com/"),
        thread=long,
    )
    made = trigger(message, long, TOKEN)
    assert refused_by_pagerduty(made) is None
    assert len(json.dumps(made, ensure_ascii=False).encode()) < 512_000
    assert made["payload"]["custom_details"]["entries"][-1].startswith("… and ")


def test_two_threads_that_are_too_long_or_unseen_keep_keys_of_their_own() -> None:
    threads = ["x" * 256, "x" * 257, "a b", "a-b", "ü", "ö"]
    keys = [trigger(replace(ALERT, thread=thread), "host", TOKEN)["dedup_key"] for thread in threads]
    assert len(set(keys)) == len(threads)
    assert all(len(key) <= 255 and key.isascii() for key in keys)


@pytest.mark.parametrize("url", ["http://desk.example.com/", "javascript:alert(1)", "https://u:p@x/"])
def test_only_an_https_address_becomes_a_link(url: str) -> None:
    made = trigger(replace(ALERT, link=("Open", url)), "host", TOKEN)
    assert "links" not in made
    assert "client_url" not in made


@pytest.mark.parametrize(
    ("severity", "shown"), [*((it, it.value) for it in Severity), (None, "error")], ids=str
)
def test_severities_keep_their_names(severity: Severity | None, shown: str) -> None:
    assert trigger(replace(ALERT, severity=severity), "host", TOKEN)["payload"]["severity"] == shown


async def test_what_pagerduty_says_is_told_without_the_key() -> None:
    answer = {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": [f"'{TOKEN}' is wrong"],
    }
    async with receiver(saying(400, json.dumps(answer))) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert error.failure is Failure.PERMANENT
    assert str(error) == (
        "127.0.0.1 answered 400 Event object is invalid: '***' is wrong: compare routingKey with the "
        "Integration Key of an Events API v2 integration"
    )


@pytest.mark.parametrize(
    ("headers", "wait_s"), [({}, 60), ({"Retry_After": "7"}, 7)], ids=["nothing said", "said"]
)
async def test_a_busy_service_is_left_alone_for_a_while(headers: dict[str, str], wait_s: int) -> None:
    async with receiver(saying(429, "Too many", **headers)) as there, tools() as given:
        error = await failure_of(channel(there, given))
    assert (error.failure, error.retry_after) == (Failure.TRANSIENT, timedelta(seconds=wait_s))


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"message": 5}', '{"message": "x", "errors": {}}', "\ud800", "<html>"], ids=ascii
)
async def test_any_answer_can_be_told(text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = text.encode("utf-8", "surrogatepass")
    async with receiver(saying(500, body)) as there, tools() as given:
        assert str(await failure_of(channel(there, given))).startswith("127.0.0.1 answered 500")


async def test_a_check_reaches_the_address_and_wakes_nobody() -> None:
    async with pagerduty() as there, tools() as given:
        (step,) = await channel(there, given).check()
    assert step.is_ok
    assert there.heads[0].startswith(b"HEAD /v2/enqueue")


@pytest.mark.parametrize("key", ["", "CANARY", "CANARY" * 6, "CANARY0TOKEN0THAT0NOBODY0MAY0SE-"])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValidationError, match="is no routing key, which has 32 letters and digits") as caught:
        opened({"routingKey": Secret(key)})
    assert "CANARY" not in str(caught.value) + repr(caught.value)


def test_only_the_key_is_needed() -> None:
    opened({"routingKey": Secret(TOKEN)})
    with pytest.raises(ValidationError, match=r"(?s)routingKey.*Field required.*rooting_key.*Extra inputs"):
        opened({"rooting_key": Secret(TOKEN)})


def opened(options: dict[str, Any]) -> Channel:
    return open_channel("pagerduty", options, Tools(http=HttpClient(), clock=SystemClock()))
