"""Mail by an API: what SendGrid and Mailgun are handed, and what their answers lead to."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from daemon.clock import SystemClock, VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Entry, Failure, Message
from daemon.notify.email import EmailOptions, reset_after
from daemon.notify.email_mailgun import domain_of, send_address, unfilled
from daemon.notify.email_sendgrid import send_address as sendgrid_address
from daemon.notify.http import HttpClient
from daemon.secret import Secret
from state.records import Severity
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN, Receiver, receiver, saying
from tests.daemon.notify.services import DOMAIN, at, mailgun, refused_by_mailgun, sendgrid

ALERT = Message(
    id="notice-1",
    kind="alert",
    title="daily-reports failed",
    text="3 of 50 reports are missing.",
    severity=Severity.CRITICAL,
    entries=(Entry(title="acme", note="since 05:00"),),
    link=("Open", "https://desk.example.com/"),
    thread="incident-7",
    created_at=NOW,
)
DIGEST = Message(id="digest-2026-11-21", kind="digest", title="Leads", created_at=NOW)
STORM = replace(
    ALERT,
    entries=tuple(Entry(title=f"company-{number:04} failed", note="no facts") for number in range(2_800)),
)
PEOPLE = {"from": "Night desk <desk@example.com>", "to": "ops@example.com, boss@example.com"}
PATHS = {"sendgrid": "/v3/mail/send", "mailgun": f"/v3/{DOMAIN}/messages"}
SERVICES = {"sendgrid": sendgrid, "mailgun": mailgun}

both = pytest.mark.parametrize("provider", PATHS)


@asynccontextmanager
async def tools() -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=0.5)
    try:
        yield Tools(http=http, clock=VirtualClock(NOW))
    finally:
        await http.close()


def channel(there: Receiver, given: Tools, provider: str, **more: Any) -> Channel:
    options = {"apiKey": Secret(TOKEN), "apiUrl": at(there, PATHS[provider]), **PEOPLE, **more}
    return open_channel("email", options, given)


async def failure_of(sender: Channel, message: Message = ALERT) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sender.send(message)
    return caught.value


def form(there: Receiver, number: int = -1) -> dict[str, str]:
    return dict(fields(there, number))


def fields(there: Receiver, number: int = -1) -> list[tuple[str, str]]:
    return parse_qsl(there.bodies[number].decode())


async def test_sendgrid_is_handed_a_mail_of_its_own_for_each_recipient() -> None:
    async with sendgrid() as there, tools() as given:
        receipt = await channel(there, given, "sendgrid").send(ALERT)
    assert receipt.proof == "202 queued at SendGrid for 2, not yet delivered; id 14c5d75ce93.dfd.64b469"
    (mail,) = there.payloads
    people = [{"to": [{"email": "ops@example.com"}]}, {"to": [{"email": "boss@example.com"}]}]
    assert mail["personalizations"] == people
    assert mail["from"] == {"email": "desk@example.com", "name": "Night desk"}
    assert mail["subject"] == "CRITICAL: daily-reports failed"
    assert [part["type"] for part in mail["content"]] == ["text/plain", "text/html"]
    assert all("https://desk.example.com/" in part["value"] for part in mail["content"])
    assert mail["custom_args"] == {"nightdesk_id": "notice-1", "nightdesk_kind": "alert"}
    assert not any(it["enable"] for it in mail["tracking_settings"].values())


async def test_mailgun_is_handed_a_form_by_which_nobody_sees_another() -> None:
    async with mailgun() as there, tools() as given:
        receipt = await channel(there, given, "mailgun").send(ALERT)
    said = f"200 queued at Mailgun for 2, not yet delivered; id <20261121060000.1.ABC@{DOMAIN}>"
    assert receipt.proof == said
    assert [value for name, value in fields(there) if name == "to"] == ["ops@example.com", "boss@example.com"]
    assert json.loads(form(there)["recipient-variables"]) == {"ops@example.com": {}, "boss@example.com": {}}
    assert form(there)["from"] == "Night desk <desk@example.com>"
    assert form(there)["h:Message-ID"] == "<notice-1@example.com>"
    assert form(there)["h:X-Nightdesk-Id"] == "notice-1"
    assert form(there)["o:tracking"] == "no"


@both
async def test_all_mails_of_an_incident_are_one_conversation(provider: str) -> None:
    async with SERVICES[provider]() as there, tools() as given:
        sender = channel(there, given, provider)
        await sender.send(ALERT)
        await sender.send(replace(ALERT, id="notice-2", kind="resolved"))
    if provider == "sendgrid":
        roots = [mail["headers"]["References"] for mail in there.payloads]
    else:
        roots = [form(there, number)["h:References"] for number in range(2)]
    assert roots == ["<thread.incident-7@example.com>"] * 2


@both
async def test_a_digest_can_be_unsubscribed_from(provider: str) -> None:
    async with SERVICES[provider]() as there, tools() as given:
        sender = channel(there, given, provider, unsubscribe="https://desk.example.com/stop")
        await sender.send(DIGEST)
        await sender.send(ALERT)
    bodies = [body.decode().replace("%3A", ":") for body in there.bodies]
    assert ["List-Unsubscribe-Post" in body for body in bodies] == [True, False]


@both
async def test_all_of_a_storm_is_named_and_taken(provider: str) -> None:
    async with SERVICES[provider]() as there, tools() as given:
        await channel(there, given, provider).send(STORM)
    if provider == "sendgrid":
        parts = [part["value"] for part in there.payloads[0]["content"]]
    else:
        parts = [form(there)["text"], form(there)["html"]]
    for part in parts:
        assert all(f"company-{number:04}" in part for number in range(2_800))


@pytest.mark.parametrize(
    "barb",
    [
        "%recipient.email%",
        "%recipient%",
        "%Recipient.name%",
        "%unsubscribe_url%",
        "%tag_unsubscribe_url%",
        "%mailing_list_unsubscribe_url%",
    ],
)
async def test_mailgun_fills_nothing_in_for_a_stranger(barb: str) -> None:
    message = replace(
        ALERT, id=barb, title=barb, text=barb, entries=(Entry(title=barb, note=barb, text=barb),)
    )
    async with mailgun() as there, tools() as given:
        await channel(there, given, "mailgun").send(message)
    assert refused_by_mailgun(fields(there)) is None
    assert barb not in there.bodies[0].decode()
    assert f"&#37;{barb[1:]}" in form(there)["html"]


def test_a_percent_sign_that_means_nothing_stays() -> None:
    text = "100% of https://x.example/%20a%20b and 5 %recipients_of"
    assert unfilled(text) == text


@pytest.mark.parametrize(
    ("url", "provider", "carrier"),
    [
        ("https://api.sendgrid.com/v3/mail/send", None, "sendgrid"),
        ("https://api.eu.sendgrid.com", None, "sendgrid"),
        (f"https://api.mailgun.net/v3/{DOMAIN}/messages", None, "mailgun"),
        (f"https://api.eu.mailgun.net/v3/{DOMAIN}", None, "mailgun"),
        (f"https://relay.example.com/v3/{DOMAIN}/messages", None, "mailgun"),
        ("https://relay.example.com/send", None, "sendgrid"),
        (f"https://relay.example.com/v3/{DOMAIN}", "mailgun", "mailgun"),
        ("https://mailgun.example.com/v3/mail/send", "sendgrid", "sendgrid"),
    ],
)
def test_the_address_tells_the_provider_unless_it_is_said(
    url: str, provider: str | None, carrier: str
) -> None:
    options = {"apiKey": Secret(TOKEN), "apiUrl": url, "provider": provider, **PEOPLE}
    assert EmailOptions.model_validate(options).carrier == carrier


def test_addresses_are_completed_where_only_one_thing_can_be_meant() -> None:
    assert sendgrid_address("https://api.eu.sendgrid.com") == "https://api.eu.sendgrid.com/v3/mail/send"
    assert sendgrid_address("https://api.sendgrid.com/v3/") == "https://api.sendgrid.com/v3/mail/send"
    assert sendgrid_address("https://relay.example.com/x") == "https://relay.example.com/x"
    whole = f"https://api.mailgun.net/v3/{DOMAIN}/messages"
    assert send_address(f"https://api.mailgun.net/v3/{DOMAIN}") == whole
    assert send_address(f"{whole}/") == send_address(whole) == whole
    assert domain_of(whole) == DOMAIN


@pytest.mark.parametrize(
    ("provider", "status", "text", "failure", "told"),
    [
        (
            "sendgrid",
            400,
            '{"errors":[{"message":"Bad address","field":"from"}]}',
            Failure.PERMANENT,
            "400 Bad address (from)",
        ),
        (
            "sendgrid",
            401,
            '{"errors":[{"message":"Maximum credits exceeded","field":null}]}',
            Failure.PERMANENT,
            "401 Maximum credits exceeded: the plan's mails are used up",
        ),
        ("sendgrid", 401, "", Failure.PERMANENT, "answered 401: the key is not accepted"),
        ("sendgrid", 403, '{"errors":"odd"}', Failure.PERMANENT, "the sender is not verified"),
        (
            "sendgrid",
            413,
            "<html>\n<head><title>413 Request Entity Too Large</title></head>",
            Failure.PERMANENT,
            "413 413 Request Entity Too Large: the mail is too large",
        ),
        ("sendgrid", 503, "[1]", Failure.TRANSIENT, "answered 503 [1]"),
        ("mailgun", 401, "Forbidden", Failure.PERMANENT, "401 Forbidden: the key is not accepted"),
        ("mailgun", 400, '{"message":"to is missing"}', Failure.PERMANENT, "answered 400 to is missing"),
        ("mailgun", 402, '{"message":5}', Failure.PERMANENT, "has to be paid"),
        (
            "mailgun",
            404,
            '{"message":"Domain not found"}',
            Failure.PERMANENT,
            f"not know the domain {DOMAIN}",
        ),
        ("mailgun", 429, "", Failure.TRANSIENT, "answered 429"),
    ],
)
async def test_each_answer_has_its_class_and_says_what_helps(
    provider: str, status: int, text: str, failure: Failure, told: str
) -> None:
    async with receiver(saying(status, text)) as there, tools() as given:
        error = await failure_of(channel(there, given, provider))
    assert error.failure is failure
    assert told in str(error)


@both
async def test_an_answer_that_repeats_the_key_is_told_without_it(provider: str) -> None:
    text = json.dumps({"message": f"bad {TOKEN}", "errors": [{"message": f"bad {TOKEN}"}]})
    async with receiver(saying(400, text)) as there, tools() as given:
        error = await failure_of(channel(there, given, provider))
    assert "answered 400 bad ***" in str(error)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"X_RateLimit_Reset": "1795240830"}, 30),
        ({"X_RateLimit_Reset": "1795240830000", "X_RateLimit_Remaining": "0"}, 30),
        ({"X_RateLimit_Reset": "1795240830", "X_RateLimit_Remaining": "7"}, None),
        ({"X_RateLimit_Reset": "1"}, 0),
        ({"X_RateLimit_Reset": "soon"}, None),
        ({"X_RateLimit_Reset": "99999999999"}, 24 * 3600),
        ({"X_RateLimit_Reset": "1795240830", "Retry_After": "5"}, 5),
        ({}, None),
    ],
    ids=["seconds", "milliseconds", "some left", "past", "garbage", "far", "both", "nothing"],
)
async def test_a_limit_is_waited_out(headers: dict[str, str], wait_s: int | None) -> None:
    async with receiver(saying(429, "", **headers)) as there, tools() as given:
        error = await failure_of(channel(there, given, "sendgrid"))
    assert error.retry_after == (None if wait_s is None else timedelta(seconds=wait_s))


def test_a_reset_in_digits_of_another_script_is_none() -> None:
    assert reset_after({"x-ratelimit-reset": "١٧٩٥٢٤٠٨٣٠"}, NOW) is None


@both
async def test_a_check_shows_that_the_key_is_accepted(provider: str) -> None:
    async with SERVICES[provider]() as there, tools() as given:
        (step,) = await channel(there, given, provider).check()
    assert step.is_ok
    assert "accepted" in step.detail
    assert there.bodies == [b""]


@both
async def test_a_check_finds_a_key_that_is_not_accepted(provider: str) -> None:
    async with SERVICES[provider]() as there, tools() as given:
        options = {"apiKey": Secret("other"), "apiUrl": at(there, PATHS[provider]), **PEOPLE}
        (step,) = await open_channel("email", options, given).check()
    assert not step.is_ok
    assert "401" in step.detail
    assert "the key is not accepted" in step.detail


@pytest.mark.parametrize(
    ("scopes", "is_ok"),
    [('{"scopes":["alerts.read"]}', False), ('{"scopes":["mail.send"]}', True), ("a page", True)],
)
async def test_a_check_finds_a_key_that_may_not_send(scopes: str, is_ok: bool) -> None:
    async with receiver(saying(200, scopes)) as there, tools() as given:
        (step,) = await channel(there, given, "sendgrid").check()
    assert step.is_ok is is_ok


async def test_a_check_finds_a_domain_that_is_not_known() -> None:
    async with mailgun() as there, tools() as given:
        options = {"apiKey": Secret(TOKEN), "apiUrl": at(there, "/v3/other.example/messages"), **PEOPLE}
        (step,) = await open_channel("email", options, given).check()
    assert not step.is_ok
    assert "does not know the domain other.example" in step.detail


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"apiKey": Secret("")}, "apiKey is empty"),
        ({"apiKey": Secret("CANARY\nX-Other: 1")}, "holds characters that no key has"),
        ({"apiUrl": "api.sendgrid.com"}, "is no web address"),
        ({"apiUrl": "https://me:CANARY@api.sendgrid.com"}, "holds a name or password"),
        ({"apiUrl": "https://api.mailgun.net/v3/messages"}, "apiUrl names no domain to send for"),
        ({"apiUrl": "https://api.mailgun.net/"}, "apiUrl names no domain to send for"),
        ({"provider": "postmark"}, "sendgrid"),
        ({"from": "nobody"}, "is no mail address"),
        ({"from": "a@example.com\nBcc: b@example.com"}, "from\n"),
        ({"to": "a@example.com, b"}, "is no mail address"),
        ({"to": []}, "names nobody"),
        ({"unsubscribe": "http://example.com"}, "neither an https address nor a mail address"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_wanted(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        opened({"apiKey": Secret(TOKEN), **PEOPLE, **wrong})
    assert told in str(caught.value)
    assert "CANARY" not in str(caught.value) + repr(caught.value)


def opened(options: dict[str, Any]) -> Channel:
    return open_channel("email", options, Tools(http=HttpClient(), clock=SystemClock()))
