"""Reports by real channels: a mail server on loopback, a webhook, files."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.notify import Tools, open_channel
from daemon.notify.http import HttpClient
from handlers.reporting.sending import NoRoute, routes_of
from handlers.reporting.writer import writer_of
from state.ledger.records import Status
from tests.daemon.notify.mail_servers import MailServer, real
from tests.daemon.notify.mail_servers import saying as mail_saying
from tests.daemon.notify.receivers import hanging_up, receiver, saying
from tests.handlers.reporting.newsroom import TODAY, Newsroom, company, newsroom

PLAIN = {"user": "", "from": "Night desk <desk@example.com>", "to": ["ops@example.com"]}


@asynccontextmanager
async def tools(room: Newsroom) -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=0.5, longest_s=1.0)
    try:
        yield Tools(http=http, clock=room.clock, allow_private=True, logs=room.home.logs)
    finally:
        await http.close()


def smtp(there: MailServer) -> Mapping[str, Any]:
    return {**PLAIN, "host": there.host, "port": there.port, "tls": "none"}


async def test_each_company_gets_its_own_mail_in_three_parts_of_one_id(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room, real("none") as there, tools(room) as given:
        room.channels["post"] = open_channel("smtp", smtp(there), given)
        await room.restart()
        await room.roster(
            company("acme", recipients=("a@acme.example", "b@acme.example")),
            company("bolt", recipients=("c@bolt.example",), channel="post"),
        )
        await room.owe("acme", "bolt")
        assert (await room.work()).delivered == 2
        assert (await room.of("acme")).proof == "250 2.0.0 taken as 4711"
        mails = {str(mail["Message-ID"]): mail for mail in there.mails}
        assert sorted(mails) == [
            "<report.acme.2026-11-21@example.com>",
            "<report.bolt.2026-11-21@example.com>",
        ]
        mail = mails["<report.acme.2026-11-21@example.com>"]
        assert str(mail["To"]) == "a@acme.example, b@acme.example"
        assert str(mail["Subject"]) == "Acme: 2026-11-21"
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        kept = room.home.logs / "reports" / TODAY.isoformat() / "acme"
        assert text.get_content().splitlines() == kept.with_suffix(".txt").read_text().splitlines()
        assert html.get_content().splitlines() == kept.with_suffix(".html").read_text().splitlines()
        heads = b"".join(there.heads)
        assert b"ops@example.com" not in heads


async def test_an_address_that_is_refused_says_nothing_of_the_mail_server(tmp_path: Path) -> None:
    async with (
        newsroom(tmp_path) as room,
        mail_saying(RCPT_a="550 5.1.1 no such user") as there,
        tools(room) as given,
    ):
        room.channels["post"] = open_channel("smtp", smtp(there), given)
        await room.restart()
        await room.roster(
            company("acme", recipients=("a@acme.example",)), company("bolt", recipients=("b@bolt.example",))
        )
        await room.owe("acme", "bolt")
        await room.work()
        assert await room.statuses() == {"acme": Status.FAILED, "bolt": Status.DELIVERED}
        assert not room.house.notify.health()["post"].is_down


async def test_a_webhook_is_given_the_same_id_again_after_a_lost_answer(tmp_path: Path) -> None:

    async with (
        newsroom(tmp_path) as room,
        receiver(hanging_up, saying(200, "ok")) as there,
        tools(room) as given,
    ):
        room.channels["team"] = open_channel("webhook", {"url": there.url}, given)
        await room.restart()
        await room.serve("acme")
        assert (await room.work()).unknown == 1
        await room.clock.advance(minutes=16)

        await (await writer_of(room.house, room.ledger)).look_into_unknown()
        assert (await room.work()).delivered == 1
        ids = [line for head in there.heads for line in head.split(b"\r\n") if b"webhook-id" in line]
        assert len(ids) == 2
        assert len(set(ids)) == 1


async def test_a_company_may_have_its_reports_in_files_and_in_the_log(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room, tools(room) as given:
        room.channels["folder"] = open_channel("file", {"folder": "outbox"}, given)
        room.channels["log"] = open_channel("log", {}, given)
        await room.restart()
        await room.roster(company("acme", channel="folder"), company("bolt", channel="log"))
        await room.owe("acme", "bolt")
        assert (await room.work()).delivered == 2
        [page] = (room.home.logs / "outbox" / TODAY.isoformat() / "report").glob("*.html")
        kept = room.home.logs / "reports" / TODAY.isoformat() / "acme.html"
        assert page.read_text() == kept.read_text()


async def test_mail_goes_by_the_channel_that_is_named_or_by_the_first_that_carries_any(
    tmp_path: Path,
) -> None:
    async with newsroom(tmp_path) as room, tools(room) as given, real("none") as there:
        channels = {
            "folder": open_channel("file", {}, given),
            "one": open_channel("smtp", smtp(there), given),
            "two": open_channel("smtp", smtp(there), given),
        }
        people = ("a@acme.example",)
        named = routes_of(company("acme", recipients=people, channel="two"), channels)
        assert [(it.name, it.is_own_mail) for it in named] == [("two", True)]
        first = routes_of(company("acme", recipients=people, channel="folder"), channels)
        assert [(it.name, it.is_own_mail) for it in first] == [("one", True), ("folder", False)]
        with pytest.raises(NoRoute, match="neither recipients nor a channel"):
            routes_of(company("acme"), channels)
