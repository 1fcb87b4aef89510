"""The bytes of a mail: what any mail program makes of them."""

import re
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage

import pytest

from daemon.notify import mail
from daemon.notify.base import Entry, Message
from daemon.notify.mailbox import Mailbox, parse_mailbox
from daemon.notify.mime import compose
from tests.daemon.notify.hostile import NOW, hostile_message
from tests.daemon.notify.mail_servers import as_read

DESK = parse_mailbox("Nachtschicht ☾ <desk@example.com>")
MESSAGE = Message(id="m1", kind="digest", title="Grüße", text="Zwei.\n.\nEnde", created_at=NOW)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
]


def parts_of(read: EmailMessage) -> list[str]:
    """What the parts say, with line ends as they are made here."""
    return [part.get_content().replace("\r\n", "\n") for part in read.iter_parts()]


def test_a_mail_is_plain_text_first_and_then_html() -> None:
    read = as_read(compose(MESSAGE, DESK, ["a@x.example", "b@x.example"]))
    assert read.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert parts_of(read) == [mail.text(MESSAGE), mail.html(MESSAGE)]
    assert read.keys() == HEADERS
    assert read["Subject"] == "Grüße"
    assert read["From"] == "Nachtschicht ☾ <desk@example.com>"
    assert read["To"] == "a@x.example, b@x.example"
    assert datetime.strptime(read["Date"], "%a, %d %b %Y %H:%M:%S %z") == NOW


def test_a_long_mail_is_the_same_in_fewer_bytes() -> None:
    entries = tuple(Entry(title=f"приложение {n}") for n in range(2_800))
    message = replace(MESSAGE, entries=entries)
    composed = compose(message, DESK, ["a@x.example"])
    assert b"Content-Transfer-Encoding: base64" in composed
    assert parts_of(as_read(composed)) == [mail.text(message), mail.html(message)]


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_no_stranger_adds_a_header_a_part_or_a_line_too_long(first: int) -> None:
    for seed in range(first, first + 50):
        message = hostile_message(seed)
        composed = compose(message, DESK, ["a@x.example"])
        lines = composed.split(b"\r\n")
        assert max(map(len, lines)) <= 998
        assert not re.search(rb"[\r\n]", b"".join(lines))
        assert composed.isascii()
        read = as_read(composed)
        assert set(read.keys()) - {"Importance"} == set(HEADERS)
        assert len(read.keys()) == len(set(read.keys()))
        assert read["Subject"] == mail.subject(message)
        assert parts_of(read) == [mail.text(message), mail.html(message)]


@pytest.mark.parametrize(
    "title", ["x" * 140, "word " * 25, "=?utf-8?q?Your=20bank?=", "a ä " * 30, "☾" * 140]
)
def test_a_subject_is_read_as_it_was_written(title: str) -> None:
    message = replace(MESSAGE, title=title)
    composed = compose(message, DESK, ["a@x.example"])
    assert as_read(composed)["Subject"] == mail.subject(message)
    assert max(map(len, composed.split(b"\r\n"))) <= 150


def test_long_ids_and_addresses_are_left_in_one_piece() -> None:
    leave = "https://example.com/" + "u" * 500
    message = replace(MESSAGE, id="x" * 100, thread="t" * 90)
    sender = Mailbox("desk@" + ".".join(["long" * 12] * 4) + ".example")
    composed = compose(message, sender, ["a@x.example"], unsubscribe=leave)
    for name, value in mail.headers(message, sender.domain, leave).items():
        assert f"\r\n{name}: {value}\r\n".encode() in composed


@pytest.mark.parametrize("most", [9_000, 20_000, 100_000])
def test_a_mail_for_a_small_mailbox_leaves_entries_out(most: int) -> None:
    entries = tuple(Entry(title=f"Eintrag {n} ★★★★★★★★★★★★★★★★★★★★★★★") for n in range(5_000))
    composed = compose(replace(MESSAGE, entries=entries), DESK, ["a@x.example"], most=most)
    assert most // 4 < len(composed) <= most
    assert all("more" in part for part in parts_of(as_read(composed)))


def test_a_mailbox_too_small_for_any_mail_is_told() -> None:
    with pytest.raises(ValueError, match="does not fit into 500"):
        compose(MESSAGE, DESK, ["a@x.example"], most=500)


def test_addresses_beyond_ascii_stand_as_they_are_where_they_may() -> None:
    composed = compose(MESSAGE, Mailbox("jürgen@example.com"), ["åsa@x.example"], utf8=True)
    assert "From: jürgen@example.com\r\nTo: åsa@x.example\r\n".encode() in composed
