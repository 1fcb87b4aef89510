"""From a lease to a delivered report."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.kept import Kept
from daemon.notify.base import ChannelError, Failure
from handlers.reporting import leases, run
from handlers.reporting.keeping import kept_path
from handlers.reporting.run import Wish
from handlers.reporting.writer import writer_of
from state.codec import from_json
from state.ledger.base import Ledger, Refused
from state.ledger.records import Produced, Status
from state.records import DeliveryState
from tests.handlers.reporting.newsroom import NOW, TODAY, Inbox, Newsroom, company

LATER, NEVER, LOST = Failure.TRANSIENT, Failure.PERMANENT, Failure.UNKNOWN


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Newsroom]:
    made = Newsroom(tmp_path)
    made.sell(("acme", 12, 340.5), ("bolt", 3, 20.0))
    await made.open()
    yield made
    await made.close()


async def test_every_company_that_is_due_gets_its_report(room: Newsroom) -> None:
    await room.serve("acme", "bolt")
    tally = await room.work()
    assert tally.delivered == 2
    assert await room.statuses() == dict.fromkeys(("acme", "bolt"), Status.DELIVERED)
    assert sorted(room.team.seen) == ["report.acme.2026-11-21", "report.bolt.2026-11-21"]
    [send] = await room.ledger.sends_of((await room.of("acme")).key)
    assert (send.state, send.channel, send.proof) == (DeliveryState.DELIVERED, "team", "250 taken")


async def test_what_was_sent_is_kept_in_three_forms(room: Newsroom) -> None:
    await room.serve("acme")
    await room.work()
    [message] = room.team.arrived
    body = from_json(kept_path(room.home.logs, TODAY, "acme").read_bytes())
    assert body["facts"] == {"orders": 12, "revenue": 340.5}
    assert (body["companyId"], body["date"], body["rung"]) == ("acme", "2026-11-21", "template")
    assert body["stableId"] == message.id
    assert kept_path(room.home.logs, TODAY, "acme", "txt").read_text() == message.text
    assert kept_path(room.home.logs, TODAY, "acme", "html").read_text() == message.html


async def test_a_second_run_finds_nothing_to_do(room: Newsroom) -> None:
    await room.serve("acme", "bolt")
    await room.work()
    assert (await room.work()).claimed == 0
    assert len(room.team.arrived) == 2


async def test_runs_side_by_side_send_each_report_once(room: Newsroom) -> None:
    names = [f"c{number:03}" for number in range(60)]
    await room.serve(*names)
    tallies = await asyncio.gather(*(room.work() for _ in range(4)))
    assert sum(tally.delivered for tally in tallies) == 60
    assert len(room.team.arrived) == 60


async def test_only_what_is_wished_for_is_made(room: Newsroom) -> None:
    await room.serve("acme", "bolt")
    await room.work(Wish(companies=["bolt"], dates=[TODAY]))
    assert room.team.seen == ["report.bolt.2026-11-21"]


async def test_a_company_without_figures_gets_an_honest_report(room: Newsroom) -> None:
    await room.serve("acme", "cold")
    tally = await room.work()
    assert (tally.delivered, tally.without_facts) == (2, 1)
    text = next(it.text for it in room.team.arrived if "cold" in it.id)
    assert "PLEASE NOTE" in text


async def test_a_report_after_its_deadline_is_late_and_says_so(room: Newsroom) -> None:
    await room.serve("acme")
    await room.clock.advance(hours=3)
    await room.work()
    assert (await room.of("acme")).status is Status.DELIVERED_LATE
    assert "This report is late." in room.team.arrived[0].text


async def test_what_failed_for_a_moment_is_tried_again_as_it_was_written(room: Newsroom) -> None:
    await room.serve("acme")
    room.team.failing = [ChannelError("not now", failure=LATER, retry_after=timedelta(minutes=3))]
    assert (await room.work()).put_off == 1
    owed = await room.of("acme")
    assert owed.status is Status.DUE
    assert owed.retry_at is not None
    assert owed.retry_at >= NOW + timedelta(minutes=3)
    assert (await room.work()).claimed == 0
    written_at = kept_path(room.home.logs, TODAY, "acme").stat().st_mtime_ns
    await room.clock.advance(minutes=4)
    tally = await room.work()
    assert (tally.delivered, tally.written) == (1, 0)
    assert kept_path(room.home.logs, TODAY, "acme").stat().st_mtime_ns == written_at
    assert (await room.of("acme")).first_attempt_ok is False


async def test_what_never_can_arrive_goes_by_the_other_channel(room: Newsroom) -> None:
    room.channels["post"] = MailBag(ChannelError("no such address", failure=NEVER))
    await room.restart()
    await room.serve("acme", recipients=("a@acme.example",))
    await room.work()
    done = await room.of("acme")
    assert (done.status, done.channel) == (Status.DELIVERED, "team")
    states = {it.channel: it.state for it in await room.ledger.sends_of(done.key)}
    assert states == {"post": DeliveryState.FAILED, "team": DeliveryState.DELIVERED}


async def test_with_no_other_channel_it_has_failed_and_somebody_is_told(room: Newsroom) -> None:
    await room.serve("acme", "bolt")
    room.team.failing = [ChannelError("channel_not_found", failure=NEVER)]
    assert (await room.work()).failed == 1
    assert sorted(await room.statuses()) == ["acme", "bolt"]
    [(name, who)] = room.alerts()
    assert name == "report.failed"
    await room.ledger.reopen([(await room.of(who)).key], room.clock.now(), "mended")
    await room.work()
    assert room.alerts() == []


@pytest.mark.parametrize("wrong", ["no channel", "unknown channel", "no mail", "bad address"])
async def test_a_company_that_nothing_leads_to_has_failed(room: Newsroom, wrong: str) -> None:
    if wrong == "bad address":
        room.channels["post"] = MailBag()
        await room.restart()
    fields = {
        "no channel": {"channel": None},
        "unknown channel": {"channel": "teem"},
        "no mail": {"channel": None, "recipients": ("a@acme.example",)},
        "bad address": {"channel": None, "recipients": ("nobody",)},
    }[wrong]
    await room.serve("acme", **fields)
    await room.work()
    assert (await room.of("acme")).status is Status.FAILED
    assert room.alerts() == [("report.failed", "acme")]


async def test_an_answer_that_was_lost_is_unknown_and_not_sent_again_at_once(room: Newsroom) -> None:
    await room.serve("acme")
    room.team.failing = [ChannelError("no answer", failure=LOST)]
    tally = await room.work()
    assert tally.unknown == 1
    assert (await room.of("acme")).status is Status.UNKNOWN
    assert room.alerts() == []  # its receiver drops a second copy: nobody need be asked yet
    assert (await room.work()).claimed == 0


async def test_a_receiver_that_dedupes_is_sent_it_once_more(room: Newsroom) -> None:
    await room.serve("acme")
    room.team.failing = [ChannelError("no answer", failure=LOST), ChannelError("again", failure=LOST)]
    await room.work()
    writer = await writer_of(room.house, room.ledger)
    assert await writer.look_into_unknown() == NOW + timedelta(minutes=15)
    await room.clock.advance(minutes=15)
    assert await writer.look_into_unknown() is None
    assert (await room.work()).unknown == 1
    assert room.alerts() == [("report.unknown", "acme")]
    await room.clock.advance(minutes=30)
    assert await writer.look_into_unknown() is None
    assert (await room.work()).claimed == 0
    assert [it.id for it in room.team.arrived] == ["report.acme.2026-11-21"] * 2
    assert len(room.team.seen) == 1


async def test_where_copies_show_a_person_is_asked_and_can_say(room: Newsroom) -> None:
    room.team.dedupes = False
    await room.serve("acme")
    room.team.failing = [ChannelError("no answer", failure=LOST)]
    await room.work()
    assert room.alerts() == [("report.unknown", "acme")]
    await room.clock.advance(hours=5)
    writer = await writer_of(room.house, room.ledger)
    assert await writer.look_into_unknown() is None
    assert (await room.work()).claimed == 0
    await room.ledger.resolve((await room.of("acme")).key, "resend", room.clock.now(), "a test")
    await room.work()
    assert len(room.team.arrived) == 2
    assert room.alerts() == []


async def test_a_channel_that_breaks_has_perhaps_sent_it(room: Newsroom) -> None:
    await room.serve("acme")
    room.team.failing = [KeyError("token")]
    assert (await room.work()).unknown == 1
    error = (await room.of("acme")).error
    assert error is not None
    assert "KeyError" in error
    assert "token" not in error


async def test_what_is_forced_carries_a_new_id(room: Newsroom) -> None:
    await room.serve("acme")
    await room.work()
    await room.ledger.force([(await room.of("acme")).key], "plan-1", room.clock.now(), "asked for")
    await room.work(Wish(plan_id="plan-1"))
    assert room.team.seen == ["report.acme.2026-11-21", "report.acme.2026-11-21.2"]


async def test_leases_are_held_for_as_long_as_a_send_takes(room: Newsroom) -> None:
    await room.serve("acme")
    room.team.hold = asyncio.Event()
    working = asyncio.create_task(room.work())
    await room.team.begun.wait()
    for _ in range(10):
        await room.clock.advance(seconds=15)
        await settled(room)
        assert await room.ledger.claim("another", room.clock.now(), leases.LEASE, 10) == []
    room.team.hold.set()
    assert (await working).delivered == 1
    assert len(room.team.arrived) == 1


async def test_whoever_lost_a_lease_does_not_send(room: Newsroom) -> None:
    await room.serve("acme")
    assert (await room.work(ledger=Robbed(room.ledger))).lost == 1  # type: ignore[arg-type]
    assert room.team.arrived == []
    assert (await room.of("acme")).lease_owner == "another"


class Robbed:
    """The real ledger, where between a report and its intent somebody else takes it over."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def produced(self, owner: str, batch: Sequence[Produced]) -> Refused:
        answer = await self._ledger.produced(owner, batch)
        assert await self._ledger.claim("another", NOW + timedelta(minutes=5), leases.LEASE, 10)
        return answer

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)


async def test_a_run_that_is_stopped_gives_everything_back(room: Newsroom) -> None:
    names = [f"c{number:03}" for number in range(30)]
    await room.serve(*names)
    room.team.hold = asyncio.Event()
    working = asyncio.create_task(room.work())
    await room.team.begun.wait()
    working.cancel()
    await asyncio.sleep(0)
    room.team.hold.set()  # the one that is being sent comes to its end
    with pytest.raises(asyncio.CancelledError):
        await working
    assert len(room.team.arrived) == 1
    statuses = await room.statuses()
    assert sorted(statuses.values()).count(Status.DELIVERED) == 1
    assert set(statuses.values()) == {Status.DELIVERED, Status.DUE}
    owed = [one for one in await room.ledger.obligations(TODAY) if one.status is Status.DUE]
    assert {one.attempts for one in owed} == {0}
    room.team.hold = None
    assert (await room.work()).delivered == 29


async def test_a_writer_that_is_closed_begins_nothing_and_loses_nothing(room: Newsroom) -> None:
    await room.serve("acme")
    room.team.hold = asyncio.Event()
    writer = await writer_of(room.house, room.ledger)
    working = asyncio.create_task(writer.work(Wish(), room.context().log))
    await room.team.begun.wait()
    closing = asyncio.create_task(room.house.kept.close())
    await asyncio.sleep(0)
    room.team.hold.set()
    await closing
    with pytest.raises(run.Stopped):
        await working
    assert (await room.of("acme")).status is Status.DELIVERED
    with pytest.raises(run.Stopped):
        await writer.work(Wish(), room.context().log)
    room.house = replace(room.house, kept=Kept())


async def test_a_source_at_fault_for_one_company_costs_no_other_its_figures(room: Newsroom) -> None:
    names = [f"c{number:02}" for number in range(10)]
    room.sell(*((name, number, 1.5) for number, name in enumerate(names)))
    sql = "SELECT company, orders, CASE WHEN company = 'c07' THEN json('{') END AS odd FROM day"
    room.config["reports"]["source"]["facts"] = (
        sql + " WHERE date = $date AND company IN (SELECT value FROM json_each($companies))"
    )
    await room.restart()
    await room.serve(*names)
    tally = await room.work()
    assert (tally.delivered, tally.without_facts) == (10, 1)
    assert room.alerts() == [("source.failed", "")]
    texts = {it.id: it.text for it in room.team.arrived}
    assert "could not be read" in texts["report.c07.2026-11-21"]
    assert sum("PLEASE NOTE" in text for text in texts.values()) == 1


async def test_a_channel_that_fails_is_left_alone_for_a_while(room: Newsroom) -> None:
    room.channels["sick"] = Inbox(*(ChannelError("down", failure=LATER) for _ in range(500)))
    await room.restart()
    sick = [f"s{number:02}" for number in range(20)]
    await room.roster(*(company(it, channel="sick") for it in sick), company("acme", channel="team"))
    await room.owe(*sick, "acme")
    tally = await room.work()
    assert (tally.delivered, tally.put_off) == (1, 20)
    assert len(room.channels["sick"].failing) >= 497
    untried = [one for one in await room.ledger.obligations(TODAY) if one.attempts == 0]
    assert len(untried) == 17


async def test_no_more_reports_are_on_a_channel_at_once_than_it_bears(room: Newsroom) -> None:
    await room.serve(*(f"c{number:02}" for number in range(20)))
    await room.work()
    assert room.team.most_at_once == 1


async def test_very_many_failures_are_told_together(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.reporting.alarms.MOST_SINGLE", 3)
    names = [f"c{number:02}" for number in range(10)]
    await room.serve(*names, channel="gone")
    await room.work()
    told = room.alerts()
    assert len(told) == 4
    assert ("report.failed", "*") in told
    assert "7 more companies" in next(
        it.summary for it in room.house.alerts.open if it.labels["company"] == "*"
    )


async def test_a_disk_that_takes_no_copy_puts_the_report_off(room: Newsroom) -> None:
    (room.home.logs / "reports").write_text("in the way")
    await room.serve("acme")
    assert (await room.work()).put_off == 1
    assert room.team.arrived == []
    (room.home.logs / "reports").unlink()
    await room.clock.advance(minutes=2)
    assert (await room.work()).delivered == 1


async def settled(room: Newsroom) -> None:
    """Let the real threads of the ledger have their say."""
    for _ in range(3):
        await room.ledger.probe(room.clock.now())


class MailBag(Inbox):
    """A channel that carries mail to whomever it is told."""

    def __init__(self, *failing: ChannelError | None) -> None:
        super().__init__(*failing)
        self.people: list[tuple[str, ...]] = []

    def addressed(self, to: object) -> "MailBag":
        people = tuple(to)  # type: ignore[arg-type]
        if not all("@" in one for one in people):
            raise ValueError(f'"{people[0]}" is no mail address')
        self.people.append(people)
        return self


async def test_an_id_that_leads_elsewhere_gets_no_file_and_no_report(room: Newsroom) -> None:
    await room.serve("../../acme", "bolt")
    await room.work()
    assert await room.statuses() == {"../../acme": Status.FAILED, "bolt": Status.DELIVERED}
    assert {path.stem for path in room.folder.rglob("*.html")} == {"bolt"}


async def test_a_source_that_is_away_is_waited_for_but_not_beyond_the_deadline(room: Newsroom) -> None:
    room.config["reports"]["source"] = {"type": "http", "url": "http://127.0.0.1:9/", "facts": "/{date}"}
    await room.restart()
    await room.serve("acme")
    assert (await room.work()).put_off == 1
    assert (await room.of("acme")).status is Status.DUE
    assert room.alerts() == [("source.failed", "")]
    await room.clock.advance(hours=1, minutes=58, seconds=58)
    tally = await room.work()
    assert (tally.delivered, tally.late, tally.without_facts) == (1, 0, 1)
    text = room.team.arrived[0].text
    assert "could not be read" in text
    assert "127.0.0.1" not in text
