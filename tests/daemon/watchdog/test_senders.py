"""The senders of the second process, against receivers that refuse what the real ones refuse."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from daemon.watchdog.message import Kind, Message
from daemon.watchdog.senders import SENDERS, bound, open_sender
from daemon.watchdog.senders.base import NotProved
from tests.daemon.notify import discord_stand_in, mail_servers, services, slack_api
from tests.daemon.notify.mail_servers import certificate
from tests.daemon.notify.receivers import (
    TOKEN,
    Receiver,
    Script,
    dripping_body,
    dripping_head,
    flooding,
    hanging_up,
    receiver,
    resetting,
    saying,
    silent,
    slack,
    talking_nonsense,
)

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
ALERT = Message(
    id="watchdog-00ff-1",
    kind=Kind.ALERT,
    thread="watchdog-00ff",
    severity="critical",
    title="nightdesk on <!channel> & *desk7*: the daemon hangs",
    facts=(("Since", "2026-11-21 20:59:14 UTC"), ("Home", "/var/lib/night_desk <@U123> `x` ~y~")),
    advice="systemctl restart nightdesk",
    link="https://desk.example/a_b",
    created_at=NOW,
)
RESOLVED = replace(ALERT, id="watchdog-00ff-resolved", kind=Kind.RESOLVED, severity="info", advice="")
TEST = replace(ALERT, id="watchdog-11ee-1", kind=Kind.TEST, severity="info", advice="", link=None)


async def send(kind: str, options: Mapping[str, Any], message: Message = ALERT) -> str:
    sender = open_sender(kind, options, allow_private=True)
    return await asyncio.to_thread(sender.send, message, NOW)


async def refused(kind: str, options: Mapping[str, Any], message: Message = ALERT) -> NotProved:
    with pytest.raises(NotProved) as error:
        await send(kind, options, message)
    assert TOKEN not in str(error.value)
    assert error.value.__cause__ is None
    return error.value


@pytest.fixture(params=[ALERT, RESOLVED, TEST], ids=lambda message: message.kind)
def message(request: pytest.FixtureRequest) -> Message:
    found: Message = request.param
    return found


async def test_slack_takes_it_by_a_webhook(message: Message) -> None:
    async with slack() as there:
        assert await send("slack", {"url": there.url}, message) == "200"
    [said] = there.payloads
    assert said["text"].startswith(
        f"*{'CRITICAL' if message is ALERT else message.kind.upper()}: nightdesk on"
    )
    assert "<!" not in said["text"]
    assert "<@" not in said["text"]


async def test_slack_takes_it_by_a_token(message: Message) -> None:
    async with slack_api.slack_api() as there:
        options = {"token": TOKEN, "target": slack_api.ROOM, "apiUrl": services.at(there, "/api/")}
        assert await send("slack", options, message) == "ok 1503435956.000247"


@pytest.mark.parametrize(
    ("word", "is_permanent"),
    [("invalid_auth", True), ("channel_not_found", True), ("ratelimited", False), ("internal_error", False)],
)
async def test_slacks_word_says_whether_trying_again_helps(word: str, is_permanent: bool) -> None:
    async with receiver(slack_api.refusing(word)) as there:
        options = {"token": TOKEN, "target": slack_api.ROOM, "apiUrl": services.at(there, "/api/")}
        error = await refused("slack", options)
    assert (str(error), error.is_permanent) == (f"127.0.0.1 answered {word}", is_permanent)


async def test_slacks_answer_may_be_anything() -> None:
    for body in ("", "[]", "ok", '{"ok": "yes"}', f'{{"ok": false, "error": "{TOKEN}"}}'):
        async with receiver(saying(200, body)) as there:
            options = {"token": TOKEN, "target": "#ops", "apiUrl": services.at(there, "/api/")}
            await refused("slack", options)


async def test_discord_takes_it_and_keeps_it(message: Message) -> None:
    async with discord_stand_in.discord() as there:
        url = services.at(there, discord_stand_in.PATH)
        assert await send("discord", {"url": url}, message) == "200"
        assert await send("discord", {"url": f"{url}?thread_id=7"}, message) == "200"
    assert "?thread_id=7&wait=true " in there.heads[1].decode()


async def test_discord_takes_a_message_of_any_length() -> None:
    long = replace(ALERT, title="_" * 3000, advice="\\" * 9000)
    async with discord_stand_in.discord() as there:
        url = services.at(there, discord_stand_in.PATH)
        assert await send("discord", {"url": url}, long) == "200"
        assert (
            await send("discord", {"url": url}, replace(long, title="_" * 3001, advice="x*" * 9000)) == "200"
        )


async def test_a_webhook_is_signed_and_its_id_stays(message: Message) -> None:
    judged: list[str | None] = []

    def judge(line: str, headers: dict[str, str], body: bytes) -> Script:
        judged.append(services.refused_webhook(headers, body, services.WEBHOOK_KEY, NOW))
        return saying(204)

    async with services.service(judge) as there:
        options = {"url": there.url, "secret": [services.WEBHOOK_SECRET]}
        assert await send("webhook", options, message) == "204"
        both = {"url": there.url, "secret": f"whsec_{'QUJD' * 8}, {services.WEBHOOK_SECRET}"}
        assert await send("webhook", both, message) == "204"
        assert await send("webhook", {"url": there.url}, message) == "204"
    assert judged == [None, None, "webhook-signature"]
    assert {head.decode().split("webhook-id: ")[1].split("\r\n")[0] for head in there.heads} == {message.id}
    assert there.payloads[0]["data"]["thread"] == message.thread


async def test_pagerduty_opens_and_ends_one_incident() -> None:
    async with services.pagerduty() as there:
        options = {"routingKey": TOKEN, "url": services.at(there, "/v2/enqueue")}
        assert await send("pagerduty", options, ALERT) == "202 trigger"
        assert await send("pagerduty", options, RESOLVED) == "202 resolve"
        assert await send("pagerduty", options, TEST) == "202 resolve"
    said = [(it["event_action"], it["dedup_key"]) for it in there.payloads]
    opened, ended = ("trigger", "watchdog-00ff"), ("resolve", "watchdog-00ff")
    assert said == [opened, ended, opened, ended]
    assert [it["payload"]["severity"] for it in there.payloads[::2]] == ["critical", "info"]


async def test_sendgrid_takes_it_and_nobody_reads_who_else_was_told(message: Message) -> None:
    async with services.sendgrid() as there:
        options = {
            "apiKey": TOKEN,
            "apiUrl": services.at(there, "/v3/mail/send"),
            "from": "Night desk <desk@example.com>",
            "to": ["ops@example.com", "Two <two@example.com>"],
        }
        assert await send("email", options, message) == "202"
    [mail] = there.payloads
    assert [len(part["to"]) for part in mail["personalizations"]] == [1, 1]


async def test_mailgun_takes_it(message: Message) -> None:
    judged: list[str | None] = []

    def judge(line: str, headers: dict[str, str], body: bytes) -> Script:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True)
        judged.append(services.refused_by_mailgun([*fields, ("html", "")]))
        assert line == f"POST /v3/{services.DOMAIN}/messages"
        assert headers["authorization"].startswith("Basic ")
        return saying(200, "{}")

    async with services.service(judge) as there:
        options = {"apiKey": TOKEN, "provider": "mailgun", "from": "desk@example.com"}
        options |= {
            "apiUrl": services.at(there, f"/v3/{services.DOMAIN}"),
            "to": "a@example.com,b@example.com",
        }
        assert await send("email", options, message) == "200"
    assert judged == [None]


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410, 413])
async def test_what_has_to_be_mended_first_is_permanent(status: int) -> None:
    async with receiver(saying(status, TOKEN, Location="http://127.0.0.1:1/")) as there:
        error = await refused("slack", {"url": there.url})
    assert (str(error), error.is_permanent) == (f"127.0.0.1 answered {status}", True)
    assert there.connections == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
async def test_what_passes_by_itself_is_not(status: int) -> None:
    async with receiver(saying(status, TOKEN)) as there:
        assert not (await refused("slack", {"url": there.url})).is_permanent


@pytest.mark.parametrize(
    "script", [silent, resetting, hanging_up, talking_nonsense], ids=lambda it: it.__name__
)
async def test_a_receiver_that_gives_no_answer_proves_nothing(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bound.Bound.__init__, "__defaults__", (0.5,))
    async with receiver(script) as there:
        began_s = time.monotonic()
        error = await refused("slack", {"url": there.url})
        assert time.monotonic() - began_s < 3
    assert not error.is_permanent
    assert "no answer" in str(error)


@pytest.mark.parametrize("script", [dripping_head, dripping_body, flooding], ids=lambda it: it.__name__)
async def test_once_the_status_is_there_the_rest_changes_nothing(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bound.Bound.__init__, "__defaults__", (0.5,))
    async with receiver(script) as there:
        assert await send("slack", {"url": there.url}) == "200"


async def test_a_receiver_that_is_not_there_is_no_secret_and_may_come_back() -> None:
    async with receiver(silent) as there:
        url = there.url
    error = await refused("slack", {"url": url})
    assert (str(error), error.is_permanent) == ("127.0.0.1: no answer (ConnectionRefusedError)", False)


async def test_a_name_that_nobody_knows_is_told() -> None:
    error = await refused("slack", {"url": f"https://nobody.invalid/{TOKEN}"})
    assert str(error) == "nobody.invalid: no answer (gaierror)"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "2130706433", "[64:ff9b::7f00:1]"]
)
async def test_only_public_addresses_are_spoken_to_unless_private_ones_are_allowed(host: str) -> None:
    sender = open_sender("slack", {"url": f"https://{host}:9/{TOKEN}"}, allow_private=False)
    with pytest.raises(NotProved, match="not a public address") as error:
        await asyncio.to_thread(sender.send, ALERT, NOW)
    assert error.value.is_permanent


async def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with slack() as there, slack() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        await send("slack", {"url": there.url})
    assert (len(there.bodies), len(proxy.bodies)) == (1, 0)


@asynccontextmanager
async def by_tls() -> AsyncIterator[tuple[str, Receiver]]:
    """Open a receiver behind a certificate that only those trust who are told to."""
    made = Receiver(scripts=[saying(200, "ok")])
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=certificate().context)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/{TOKEN}", made
    finally:
        server.close()
        await server.wait_closed()


async def test_a_certificate_that_is_not_trusted_gets_no_message() -> None:
    async with by_tls() as (url, made):
        error = await refused("slack", {"url": url})
    assert (str(error), error.is_permanent) == ("localhost: its certificate is not trusted", True)
    assert made.bodies == []


async def test_a_certificate_that_is_trusted_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate().file))
    async with by_tls() as (url, made):
        assert await send("slack", {"url": url}) == "200"
    assert len(made.bodies) == 1


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_mail_server_takes_it(tls: str, message: Message) -> None:
    async with mail_servers.real(tls) as there:
        options = {**there.options, "to": "ops@example.com, two@example.com"}
        if tls == "implicit":
            options = {name: value for name, value in options.items() if name not in ("user", "password")}
        assert await send("smtp", options, message) == "250 for 2 of 2"
    [mail] = there.mails
    assert mail["Message-ID"] == f"<{message.id}@example.com>"
    assert mail["References"] == f"<{message.thread}.thread@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "the daemon hangs" in mail["Subject"]
    assert mail.get_content().startswith(mail["Subject"].split(":")[0])


async def test_nothing_is_said_in_clear_where_tls_is_wanted() -> None:
    async with mail_servers.saying() as there:
        error = await refused("smtp", {**there.options, "tls": "starttls"})
    assert error.is_permanent
    assert "offers no STARTTLS" in str(error)
    assert [it for it in there.commands if it.startswith(("AUTH", "MAIL"))] == []


async def test_a_mail_server_that_nobody_vouches_for_gets_no_password() -> None:
    async with mail_servers.real("starttls") as there:
        options = {name: value for name, value in there.options.items() if name != "caFile"}
        error = await refused("smtp", options)
    assert (str(error), error.is_permanent) == ("localhost: its certificate is not trusted", True)
    assert there.commands == []


async def test_one_recipient_who_is_taken_is_proof_enough() -> None:
    async with mail_servers.saying(RCPT=["250 2.1.5 ok", "550 5.1.1 nobody"]) as there:
        assert await send("smtp", {**there.options, "to": "ops@e.example,two@e.example"}) == "250 for 1 of 2"


@pytest.mark.parametrize(
    ("said", "told", "is_permanent"),
    [
        ({"greeting": "421 4.3.2 closing"}, "answered 421", False),
        ({"AUTH": "535 5.7.8 no"}, "answered 535", True),
        ({"MAIL": "550 5.7.1 no"}, "answered 550", True),
        ({"RCPT": "451 4.7.1 greylisted"}, "takes none of the recipients: 451", False),
        ({"RCPT": "550 5.1.1 nobody"}, "takes none of the recipients: 550", True),
        ({"end": "452 4.3.1 full"}, "answered 452", False),
        ({"end": hanging_up}, "no answer", False),
    ],
    ids=["greeting", "auth", "mail", "greylisted", "nobody", "full", "lost"],
)
async def test_what_a_mail_server_refuses_is_told_by_its_code(
    said: dict[str, Any], told: str, is_permanent: bool
) -> None:
    async with mail_servers.saying(**said) as there:
        error = await refused("smtp", there.options)
    assert told in str(error)
    assert error.is_permanent is is_permanent


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "DATA", "end"])
async def test_a_mail_server_that_drips_is_cut_off(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound.Bound.__init__, "__defaults__", (0.5,))
    async with mail_servers.saying(**{step: mail_servers.dripping}) as there:
        began_s = time.monotonic()
        error = await refused("smtp", there.options)
        assert time.monotonic() - began_s < 3
    assert str(error) == "127.0.0.1: no answer (time is up)"


def test_a_server_that_never_takes_the_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "STEP_S", 0.3)
    # A queue that is full drops what comes, as a wall between the two would.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        queued = []
        for _ in range(3):
            made = socket.socket()
            made.setblocking(False)
            made.connect_ex(address)
            queued.append(made)
        with bound.Bound() as limit, pytest.raises(TimeoutError):
            bound.connected("127.0.0.1", address[1], limit, public_only=False)
        for made in queued:
            made.close()


@pytest.mark.parametrize("kind", SENDERS)
def test_options_that_are_missing_are_named(kind: str) -> None:
    with pytest.raises(ValueError, match=r"^\w+: is missing"):
        open_sender(kind, {}, allow_private=False)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("slack", {"url": f"ftp://example.com/{TOKEN}"}, "url: is no web address"),
        ("slack", {"url": f"https://[/{TOKEN}"}, "url: is no web address"),
        ("slack", {"url": f"http://example.com/{TOKEN}"}, "url: begins with http://"),
        ("slack", {"token": TOKEN}, "target: is missing"),
        ("webhook", {"url": "https://example.com", "secret": TOKEN}, "secret: does not begin with whsec_"),
        ("webhook", {"url": "https://example.com", "secret": "whsec_?"}, "secret: what follows whsec_"),
        ("smtp", {"host": "m", "from": "a\r\nb@c", "to": "d@e"}, "from: one of them holds a line break"),
        ("smtp", {"host": "m", "from": "a@b", "to": "d@e", "port": "x"}, "port: is no whole number"),
        ("smtp", {"host": "m", "from": "a@b", "to": "d@e", "tls": "no"}, "tls: is none of"),
        ("smtp", {"host": "m", "from": "a@b", "to": " , "}, "to: holds no address"),
        ("teleprinter", {}, "is no type"),
    ],
    ids=["scheme", "bracket", "http", "target", "prefix", "base64", "break", "port", "tls", "empty", "type"],
)
def test_options_that_do_not_fit_are_named_without_their_secrets(
    kind: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=r"\w") as error:
        open_sender(kind, options, allow_private=False)
    assert told in str(error.value)
    assert TOKEN not in str(error.value)


def test_tls_of_old_is_not_spoken() -> None:
    assert ssl.create_default_context().minimum_version >= ssl.TLSVersion.TLSv1_2
