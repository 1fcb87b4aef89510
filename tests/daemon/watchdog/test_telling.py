"""What is owed is told: by the first channel that proves it, again and again until one does."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.clock import VirtualClock
from daemon.watchdog import telling
from daemon.watchdog.book import MOST_OWED, Book, Owed, Pages, channels_told
from daemon.watchdog.incident import Incident
from daemon.watchdog.judging import Verdict
from daemon.watchdog.message import Kind, Message
from daemon.watchdog.senders.base import NotProved
from daemon.watchdog.settings import Channel
from daemon.watchdog.telling import Teller, is_done, next_channels

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
ALERT = Message(
    id="w-1-1", kind=Kind.ALERT, thread="w-1", severity="critical", title="it hangs", created_at=NOW
)
REPEAT = replace(ALERT, id="w-1-2")
RESOLVED = replace(ALERT, id="w-1-resolved", kind=Kind.RESOLVED, severity="info", title="it is back")


class Line:
    """A channel that takes what it is sent, unless it is told to do otherwise."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.tries = 0
        self.fails: Exception | None = None

    def send(self, message: Message, now: datetime) -> str:
        self.tries += 1
        if self.fails is not None:
            raise self.fails
        self.taken.append(message.id)
        return "200"


class Desk:
    """Three channels, a book on the disk, and the teller between them."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(NOW)
        self.lines = {"first": Line(), "second": Line(), "third": Line()}
        self.book = Book.opened(folder / "watchdog.json")
        self.teller = Teller(self.book, self.clock, self.channels)

    def channels(self) -> list[Channel]:
        return [Channel(name=name, type="slack", sender=line) for name, line in self.lines.items()]

    def owe(self, *messages: Message, wanted: tuple[str, ...] = ()) -> None:
        owed = tuple(Owed(message=message, wanted=wanted) for message in messages)
        self.book.turn(replace(self.book.pages, owed=(*self.book.pages.owed, *owed)))

    def fail(self, *names: str, is_permanent: bool = False) -> None:
        for name in names:
            self.lines[name].fails = NotProved("down", is_permanent=is_permanent)

    def mend(self) -> None:
        for line in self.lines.values():
            line.fails = None

    @property
    def taken(self) -> dict[str, list[str]]:
        return {name: line.taken for name, line in self.lines.items() if line.taken}

    async def pass_by(self, seconds: float) -> None:
        """Let as much time pass, and have what is due in it done."""
        for _ in range(int(seconds // 15)):
            await self.clock.advance(seconds=15)
            await self.teller.step()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.teller.close()


async def test_the_first_channel_is_enough(desk: Desk) -> None:
    desk.owe(ALERT)
    again_at = await desk.teller.step()
    assert desk.taken == {"first": ["w-1-1"]}
    assert desk.book.pages.owed == ()
    assert again_at - NOW > timedelta(minutes=1)
    assert [(it.channel, it.proof, it.at) for it in desk.book.pages.told] == [("first", "200", NOW)]


async def test_the_next_stands_in_for_one_that_fails_at_once(desk: Desk) -> None:
    desk.fail("first", "second")
    desk.owe(ALERT)
    await desk.teller.step()
    assert desk.taken == {"third": ["w-1-1"]}


async def test_where_none_takes_it_all_are_tried_again_every_quarter_minute(desk: Desk) -> None:
    desk.fail("first", "second", "third")
    desk.owe(ALERT)
    assert await desk.teller.step() == NOW + timedelta(seconds=15)
    await desk.pass_by(60)
    assert [line.tries for line in desk.lines.values()] == [5, 5, 5]
    desk.mend()
    await desk.pass_by(15)
    assert desk.taken == {"first": ["w-1-1"]}


async def test_a_channel_that_has_to_be_mended_first_is_asked_less_often(desk: Desk) -> None:
    desk.fail("first", is_permanent=True)
    desk.fail("second", "third")
    desk.owe(ALERT)
    await desk.teller.step()
    await desk.pass_by(600)
    assert [line.tries for line in desk.lines.values()] == [3, 41, 41]
    desk.mend()
    desk.teller.release()  # as a changed config does
    assert desk.teller.woken.is_set()
    await desk.teller.step()
    assert desk.taken == {"first": ["w-1-1"]}


async def test_the_end_goes_to_all_who_were_told_and_only_to_them(desk: Desk) -> None:
    desk.fail("first")
    desk.owe(ALERT)
    await desk.teller.step()
    desk.mend()
    await desk.pass_by(15)
    desk.owe(REPEAT)
    await desk.teller.step()
    assert channels_told(desk.book.pages, "w-1") == ("second", "first")
    desk.owe(RESOLVED, wanted=("second", "first"))
    await desk.teller.step()
    assert desk.taken == {"first": ["w-1-2", "w-1-resolved"], "second": ["w-1-1", "w-1-resolved"]}
    assert desk.book.pages.owed == ()


async def test_where_they_cannot_be_reached_another_hears_of_the_end_and_they_later(desk: Desk) -> None:
    desk.fail("first")
    desk.owe(RESOLVED, wanted=("first",))
    await desk.teller.step()
    assert desk.taken == {"second": ["w-1-resolved"]}
    desk.mend()
    await desk.pass_by(15)
    assert desk.taken == {"second": ["w-1-resolved"], "first": ["w-1-resolved"]}
    assert desk.book.pages.owed == ()


async def test_one_that_stays_away_is_given_up_within_the_hour(desk: Desk) -> None:
    desk.fail("first")
    desk.owe(RESOLVED, wanted=("first",))
    await desk.teller.step()
    await desk.pass_by(3600)
    assert desk.book.pages.owed == ()
    assert desk.taken == {"second": ["w-1-resolved"]}


async def test_an_alert_is_told_before_its_end(desk: Desk) -> None:
    desk.fail("first", "second", "third")
    desk.owe(ALERT, RESOLVED)
    await desk.teller.step()
    desk.mend()
    await desk.pass_by(15)
    assert desk.taken == {"first": ["w-1-1", "w-1-resolved"]}


async def test_without_any_channel_it_stays_owed(desk: Desk) -> None:
    desk.lines.clear()
    desk.owe(ALERT)
    await desk.teller.step()
    assert [it.message for it in desk.book.pages.owed] == [ALERT]


async def test_a_sender_that_breaks_is_one_that_fails(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.lines["first"].fails = RuntimeError("CANARY")
    desk.owe(ALERT)
    await desk.teller.step()
    assert desk.taken == {"second": ["w-1-1"]}
    assert "CANARY" not in caplog.text + repr([record.__dict__ for record in caplog.records])


async def test_a_sender_that_hangs_is_left_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "LONGEST_SEND_S", 0.05)
    let_go = threading.Event()

    class Hung(Line):
        def send(self, message: Message, now: datetime) -> str:
            let_go.wait(10)
            raise NotProved("too late for anybody to hear")

    desk.lines["first"] = Hung()
    desk.owe(ALERT)
    await desk.teller.step()
    assert desk.taken == {"second": ["w-1-1"]}
    let_go.set()
    await asyncio.sleep(0)


async def test_a_disk_that_takes_nothing_stops_no_alert(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "watchdog.json.tmp").mkdir()  # nothing can be written there
    desk.owe(ALERT)
    await desk.teller.step()
    assert desk.taken == {"first": ["w-1-1"]}
    assert [it.message for it in caplog.records].count("watchdog.unsaved") == 1
    (tmp_path / "watchdog.json.tmp").rmdir()
    desk.book.save()
    assert Book.opened(tmp_path / "watchdog.json").pages == desk.book.pages


@pytest.mark.parametrize(
    ("wanted", "told_by", "open_", "names"),
    [
        ((), (), "abc", "abc"),
        ((), (), "bc", "bc"),
        ((), ("b",), "abc", ""),
        (("c",), (), "abc", "cab"),
        (("c", "a"), ("c",), "abc", "a"),
        (("x",), (), "abc", "abc"),
        (("x",), ("a",), "abc", ""),
    ],
    ids=["any", "held", "heard", "wanted first", "one more", "gone from the config", "gone and heard"],
)
def test_who_is_tried_next(wanted: tuple[str, ...], told_by: tuple[str, ...], open_: str, names: str) -> None:
    owed = Owed(message=ALERT, wanted=wanted, told_by=told_by)
    assert "".join(next_channels(owed, "abc", set(open_))) == names


def test_a_message_is_done_when_nobody_is_left_to_hear_it() -> None:
    assert not is_done(Owed(message=ALERT), ["a"], NOW + timedelta(days=9))
    assert is_done(Owed(message=ALERT, told_by=("a",)), ["a"], NOW)
    assert not is_done(Owed(message=ALERT, wanted=("b",), told_by=("a",)), ["a", "b"], NOW)
    assert is_done(Owed(message=ALERT, wanted=("b",), told_by=("a",)), ["a"], NOW)


INCIDENT = Incident(id="w-1", verdict=Verdict.GONE, since=NOW, said_at=NOW, messages=1)


async def test_what_is_in_the_book_is_there_after_a_restart(desk: Desk, tmp_path: Path) -> None:
    full = replace(ALERT, facts=(("Since", "now"),), advice="look", link="https://desk.example")
    desk.owe(ALERT)
    await desk.teller.step()
    owed = (Owed(message=full, wanted=("first",), told_by=("second",)),)
    desk.book.turn(replace(desk.book.pages, incident=INCIDENT, owed=owed))
    assert Book.opened(tmp_path / "watchdog.json").pages == desk.book.pages


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"schema": 2}', b"\xff", b'{"schema": 1, "incident": 7}'],
    ids=["empty", "nothing", "list", "newer", "bytes", "number"],
)  # fmt: skip
def test_a_book_that_cannot_be_read_is_begun_anew_and_that_is_told(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "watchdog.json").write_bytes(content)
    assert Book.opened(tmp_path / "watchdog.json").pages == Pages()
    assert [record.message for record in caplog.records] == ["watchdog.forgot"]


def test_a_book_has_a_last_page(tmp_path: Path) -> None:
    book = Book.opened(tmp_path / "watchdog.json")
    many = tuple(Owed(message=replace(ALERT, id=f"w-{number}")) for number in range(500))
    book.turn(Pages(owed=many))
    assert [it.message.id for it in book.pages.owed] == [f"w-{it}" for it in range(500 - MOST_OWED, 500)]
