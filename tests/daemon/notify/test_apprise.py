"""Apprise: what its "yes", its "no" and its silence are taken for, and what a stranger's text becomes."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from daemon.clock import SystemClock, VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.apprise import Busy, Threads
from daemon.notify.apprise_service import (
    Heard,
    deliver,
    harmless,
    is_usable,
    judged,
    title_and_body,
    understand,
)
from daemon.notify.base import Channel, ChannelError, Entry, Failure, Message
from daemon.notify.http import HttpClient
from daemon.secret import Secret
from state.records import Severity
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN, Receiver, Script, receiver, saying, silent
from tests.daemon.notify.services import apprise_json, load_apprise

MESSAGE = Message(
    id="n1",
    kind="alert",
    title="daily-reports failed",
    text="3 of 50 reports are missing.",
    severity=Severity.CRITICAL,
    entries=(Entry(title="acme", url="https://desk.example.com/@acme"),),
    link=("Open", "https://desk.example.com/"),
    created_at=NOW,
)
TWO_TARGETS = f"tgram://123456789:abcdefg_hijklmnopqrst{TOKEN[:4]}/12315544/2222222"

load_apprise()


@asynccontextmanager
async def tools() -> AsyncIterator[Tools]:
    http = HttpClient()
    try:
        yield Tools(http=http, clock=VirtualClock(NOW))
    finally:
        await http.close()


def address(there: Receiver) -> str:
    return f"json://{urlsplit(there.url).netloc}/{TOKEN}"


def channel(given: Tools, *urls: str) -> Channel:
    return open_channel("apprise", {"urls": [Secret(url) for url in urls]}, given)


async def failure_of(sender: Channel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await sender.send(MESSAGE)
    return caught.value


async def test_a_message_has_a_title_a_body_and_its_kind() -> None:
    async with apprise_json() as there, tools() as given:
        receipt = await channel(given, address(there)).send(MESSAGE)
    assert receipt.proof == "taken by 1 json"
    said = there.payloads[0]
    assert said["title"] == "CRITICAL: daily-reports failed"
    assert said["message"] == (
        "3 of 50 reports are missing.\n\n1. acme\n   https://desk.example.com/%40acme\n\n"
        "Open: https://desk.example.com/\n\nnightdesk · alert · 2026-11-21 06:00 UTC · n1"
    )
    assert said["type"] == "failure"


@pytest.mark.parametrize(
    ("kind", "severity", "shown"),
    [
        ("alert", Severity.ERROR, "failure"),
        ("alert", Severity.WARNING, "warning"),
        ("alert", Severity.INFO, "info"),
        ("digest", None, "info"),
        ("resolved", Severity.CRITICAL, "success"),
    ],
)
async def test_its_look_goes_by_kind_and_severity(kind: str, severity: Severity | None, shown: str) -> None:
    message = Message(id="n1", kind=kind, title="t", severity=severity, created_at=NOW)
    async with apprise_json() as there, tools() as given:
        await channel(given, address(there)).send(message)
    assert there.payloads[0]["type"] == shown


async def test_one_of_two_addresses_that_took_it_is_a_delivery_and_the_other_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with apprise_json() as there, receiver(saying(401)) as other, tools() as given:
        receipt = await channel(given, address(other), address(there)).send(MESSAGE)
    assert receipt.proof == "taken by 2 json; not by 1 json"
    assert receipt.details == {"failed": {"1 json": "answered 401"}}
    assert [record.message for record in caplog.records] == ["apprise.partly-failed"]


@pytest.mark.parametrize(
    ("scripts", "failure", "told"),
    [
        ([saying(401), saying(404)], Failure.PERMANENT, "1 json: answered 401; 2 json: answered 404"),
        ([saying(401), saying(503)], Failure.TRANSIENT, "1 json: answered 401; 2 json: answered 503"),
        ([saying(503), silent], Failure.UNKNOWN, "1 json: answered 503; 2 json: no end in time"),
    ],
    ids=["both for good", "one may pass", "one may have arrived"],
)
async def test_of_several_that_failed_the_one_that_may_have_arrived_counts(
    scripts: Sequence[Script], failure: Failure, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.notify.apprise.TRY_S", 0.5)
    async with receiver(scripts[0]) as one, receiver(scripts[1]) as other, tools() as given:
        error = await failure_of(channel(given, address(one), address(other)))
    assert error.failure is failure
    assert told in str(error)


async def test_an_address_can_neither_try_again_by_itself_nor_call_a_failure_none() -> None:
    async with receiver(saying(503)) as there, tools() as given:
        error = await failure_of(channel(given, f"{address(there)}?retry=3&wait=1&optional=yes"))
    assert error.failure is Failure.TRANSIENT
    assert len(there.bodies) == 1


async def test_two_messages_that_hang_do_not_stack_up_behind_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daemon.notify.apprise.TRY_S", 0.2)
    async with receiver(silent) as there, tools() as given:
        sender = channel(given, address(there))
        failures = [await failure_of(sender) for _ in range(3)]
        assert [it.failure for it in failures] == [Failure.UNKNOWN, Failure.UNKNOWN, Failure.TRANSIENT]
        assert "earlier messages hang" in str(failures[2])
        assert "nothing was sent" in str(failures[2])
        assert there.connections == 2
        (step,) = await sender.check()
        assert not step.is_ok
        assert "try again in a minute" in step.detail


async def test_a_call_that_was_given_up_keeps_its_place_until_it_ends() -> None:
    threads, released = Threads(1), threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await threads.run(released.wait)
    with pytest.raises(Busy):
        await threads.run(lambda: True)
    released.set()
    async with asyncio.timeout(5):
        while not await free(threads):
            await asyncio.sleep(0)


async def free(threads: Threads) -> bool:
    try:
        return await threads.run(lambda: True)
    except Busy:
        return False


async def test_what_a_call_raises_reaches_whoever_waits_and_frees_the_place() -> None:
    threads = Threads(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)


async def test_a_check_reads_the_addresses_up_to_the_first_that_cannot_be_used() -> None:
    urls = ("ntfy://topic", f"bogus://{TOKEN}", "ntfy://other")
    async with tools() as given:
        steps = await channel(given, *urls).check()
    assert [(step.name, step.is_ok) for step in steps] == [("1 ntfy", True), ("2 bogus", False)]
    assert "Apprise's manual" in steps[1].detail


def test_an_address_that_apprise_cannot_read_is_refused_for_good(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for url in (f"bogus://{TOKEN}", f"tgram://{TOKEN}", "json://"):
        assert not is_usable(Secret(url))
        assert deliver(Secret(url), MESSAGE).failure is Failure.PERMANENT
    assert caplog.records == []


@pytest.mark.parametrize(
    ("lines", "targets", "failure", "said"),
    [
        (["Failed to send: error=404."], 1, Failure.PERMANENT, "answered 404"),
        (["Failed to send JSON: Too many, error=429."], 1, Failure.TRANSIENT, "answered 429"),
        (["error=503.", "error=401."], 1, Failure.PERMANENT, "answered 401"),
        (["(Caused by NewConnectionError('refused'))"], 1, Failure.TRANSIENT, "nothing was sent"),
        (["(Caused by ConnectTimeoutError('…'))"], 1, Failure.TRANSIENT, "nothing was sent"),
        (["(Caused by NameResolutionError('…'))"], 1, Failure.TRANSIENT, "nothing was sent"),
        (["CERTIFICATE_VERIFY_FAILED"], 1, Failure.TRANSIENT, "nothing was sent"),
        (["error=503.", "NewConnectionError"], 1, Failure.TRANSIENT, "nothing was sent"),
        (["NewConnectionError", "error=400."], 1, Failure.PERMANENT, "answered 400"),
        (["Read timed out. (read timeout=4.0)"], 1, Failure.UNKNOWN, "may have arrived"),
        (["error=200."], 1, Failure.UNKNOWN, "may have arrived"),
        ([], 1, Failure.UNKNOWN, "may have arrived"),
        (["error=404."], 2, Failure.UNKNOWN, "one of its 2 targets"),
        (["NewConnectionError"], 3, Failure.UNKNOWN, "may have arrived at others"),
    ],
)
def test_a_no_is_as_certain_as_what_was_heard(
    lines: Sequence[str], targets: int, failure: Failure, said: str
) -> None:
    heard = Heard()
    for line in lines:
        understand(heard, line)
    outcome = judged(heard, targets=targets)
    assert outcome.failure is failure
    assert said in outcome.said


def test_several_targets_of_one_address_are_counted() -> None:
    assert is_usable(Secret(TWO_TARGETS))


def test_what_makes_mentions_and_links_is_defused_and_addresses_still_lead_where_they_did() -> None:
    barbs = "<!channel> <@U1> @everyone [click](https://evil.example) <https://evil.example|x>"
    message = Message(
        id="n1",
        kind="alert",
        title=barbs,
        text=barbs,
        facts=((barbs, barbs),),
        entries=(Entry(title=barbs, url="https://x.example/@a?b=<c>", note=barbs, text=barbs),),
        link=(barbs, "https://desk.example.com/"),
        created_at=NOW,
    )
    title, body = title_and_body(message, 250, 10_000)
    assert not set("<>@") & set(title + body)
    assert "](" not in title + body
    assert harmless(message).entries[0].url == "https://x.example/%40a?b=<c>"
    assert "https://x.example/%40a?b=%3Cc%3E" in body


@pytest.mark.parametrize(
    ("longest_title", "longest_body", "has_title", "is_signed"),
    [(250, 32_768, True, True), (0, 4_096, False, True), (10, 1_000, False, True), (0, 160, False, False)],
    ids=["both", "no title", "short title", "text message"],
)
def test_a_message_fits_the_service(
    longest_title: int, longest_body: int, has_title: bool, is_signed: bool
) -> None:
    message = Message(
        id="n1",
        kind="alert",
        title="A title that is not short",
        text="x" * 9_000,
        entries=(Entry(title="y" * 500),) * 100,
        created_at=NOW,
    )
    title, body = title_and_body(message, longest_title, longest_body)
    assert bool(title) is has_title
    assert has_title or body.startswith("A title that is not short")
    assert 0 < len(body) <= min(longest_body, 4_000)
    assert body.endswith("· n1") is is_signed


def test_a_message_that_is_only_a_title_is_still_one() -> None:
    message = Message(id="n1", kind="alert", title="Only this", created_at=NOW)
    assert title_and_body(message, 250, 160) == ("Only this", "Only this")


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.notify.apprise.is_installed", lambda: False)
    with pytest.raises(
        ValidationError, match=r'apprise is not installed; pip install "nightdesk\[apprise\]"'
    ):
        opened([Secret("ntfy://topic")])


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        ([], "holds 0 addresses; 1 to 20 are wanted"),
        ([Secret("ntfy://CANARY")] * 21, "holds 21 addresses"),
        ([Secret("ntfy://topic"), Secret("CANARY")], "address 2 is none of Apprise's"),
        ([Secret("://CANARY")], "address 1 is none of Apprise's"),
        ([5], "a secret is a text"),
    ],
    ids=["none", "many", "no scheme", "empty scheme", "number"],
)
def test_a_wrong_entry_is_refused_without_being_shown(urls: list[object], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        opened(urls)
    assert "CANARY" not in str(caught.value) + repr(caught.value)


def test_one_address_may_stand_by_itself() -> None:
    opened(Secret("ntfy://topic"))


def opened(urls: object) -> Channel:
    return open_channel("apprise", {"urls": urls}, Tools(http=HttpClient(), clock=SystemClock()))
