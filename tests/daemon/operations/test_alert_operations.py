"""What can be asked of alerts: in a house whose clock stands still, with phones that ring in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from daemon.config.sections import Route
from daemon.notify.base import Failure
from daemon.operations import Operations, Unfit, Unknown
from state.records import Severity
from tests.daemon.dispatch.phones import Office, office
from tests.house import House

T = TypeVar("T")
ABOUT: dict[str, Any] = {"summary": "it failed"}


@pytest.fixture
async def desk(house: House) -> AsyncIterator[Office]:
    made = office(house)
    await made.open()
    yield made


def asked(desk: Office) -> Operations:
    return Operations(desk.house.app)


async def in_time(desk: Office, asking: Awaitable[T], **units: float) -> T:
    """The answer to something that takes its time."""
    task = asyncio.ensure_future(asking)
    await desk.house.settle()
    await desk.advance(**units)
    return await asyncio.wait_for(task, 5)


async def the_row(desk: Office) -> dict[str, Any]:
    rows = await asked(desk).alerts.listing()
    return next(row for row in rows if row["name"].startswith("x."))


async def test_a_list_says_who_was_told_of_an_alert_when_and_by_which_channel(desk: Office) -> None:
    alert = await desk.fire()
    assert (await the_row(desk))["told"] is None
    began = desk.house.clock.now()
    await desk.advance(seconds=10)
    row = await the_row(desk)
    assert row["id"] == alert.id
    told = row["told"]
    assert (told["state"], told["receiver"], told["channel"]) == ("delivered", "oncall", "slack")
    assert timedelta(0) < told["at"] - began <= timedelta(seconds=10)


async def test_a_list_says_why_nobody_was_told(desk: Office) -> None:
    await desk.fire("x.slow", Severity.WARNING)
    await desk.advance(seconds=10)
    told = (await the_row(desk))["told"]
    assert (told["state"], told["reason"], told["receiver"]) == ("muted", "below the threshold", None)


async def test_a_list_says_that_nobody_could_be_reached_yet(desk: Office) -> None:
    for phone in desk.phones.values():
        phone.failure = Failure.TRANSIENT
    await desk.fire()
    await desk.advance(minutes=2)
    told = (await the_row(desk))["told"]
    assert told["state"] == "owed"
    assert told["reason"].endswith("the line is cut")


async def test_all_about_an_alert_is_on_one_page(desk: Office) -> None:
    desk.phones["slack"].failure = Failure.PERMANENT
    alert = await desk.fire(details={"error": "no route"}, labels={"handler": "a"}, advice="look into it")
    await desk.advance(seconds=20)
    page = await asked(desk).alerts.show(alert.id, 10, 0)
    assert (page["details"], page["advice"]) == ({"error": "no route"}, "look into it")
    (telling,) = page["tellings"]
    assert telling["receiver"] == "oncall"
    (notice,) = page["notices"]
    assert (notice["state"], notice["channel"]) == ("delivered", "mail")
    assert 0 < notice["latencyS"] <= 20
    tried = {it["channel"]: (it["state"], it["proof"], it["error"]) for it in notice["deliveries"]}
    assert tried == {"slack": ("failed", None, "the line is cut"), "mail": ("delivered", "heard", None)}
    assert "message" not in notice
    (incident,) = page["incidents"]
    assert (incident["id"], incident["receiver"], incident["total"]) == (telling["incident"], "oncall", 1)


async def test_an_incident_names_every_alert_a_page_at_a_time(desk: Office) -> None:
    for number in range(25):
        await desk.house.app.alerts.fire(
            "x.broke", severity=Severity.ERROR, summary="s", labels={"n": str(number)}
        )
    await desk.advance(seconds=30)
    first = (await asked(desk).alerts.listing())[0]
    seen: list[str] = []
    for offset in (0, 10, 20, 30):
        (incident,) = (await asked(desk).alerts.show(first["id"], 10, offset))["incidents"]
        assert incident["total"] == 25
        seen += [it["id"] for it in incident["alerts"]]
    assert len(set(seen)) == len(seen) == 25


async def test_an_alert_is_shown_by_its_name_where_that_is_clear(desk: Office) -> None:
    first = await desk.fire()
    await desk.resolve()
    await desk.advance(seconds=1)
    second = await desk.fire()
    assert (await asked(desk).alerts.show("x.broke", 1, 0))["id"] == second.id
    await desk.resolve()
    with pytest.raises(Unfit, match=f"2 alerts are called .*{first.id}"):
        await asked(desk).alerts.show("x.broke", 1, 0)
    with pytest.raises(Unknown, match=r"there is no alert .x\.brok. of late; did you mean .*alerts\.jsonl"):
        await asked(desk).alerts.show("x.brok", 1, 0)


async def test_an_alert_that_somebody_has_taken_on_says_who(desk: Office) -> None:
    alert = await desk.fire()
    taken = await asked(desk).alerts.acknowledge("x.broke", " anna  b ")
    assert (taken["id"], taken["acknowledgedBy"]) == (alert.id, "anna b")
    again = await asked(desk).alerts.acknowledge(alert.id, "ben")
    assert again["acknowledgedBy"] == "anna b"
    for nobody in ("", "  ", "x" * 101):
        with pytest.raises(Unfit, match="by: "):
            await asked(desk).alerts.acknowledge(alert.id, nobody)


async def test_an_alert_is_closed_by_its_name_and_then_it_is_not_open_any_more(desk: Office) -> None:
    await desk.fire("disk.low", Severity.WARNING)
    closed = await asked(desk).alerts.resolve("disk.low", "anna")
    assert (closed["resolvedAt"] is not None, closed["acknowledgedBy"]) == (True, "anna")
    assert await asked(desk).alerts.listing(open_only=True) == []
    with pytest.raises(Unknown, match=r"no alert .disk\.low. is open"):
        await asked(desk).alerts.resolve("disk.low", "anna")
    with pytest.raises(Unknown, match=r"no alert .disk\.low. is open"):
        await asked(desk).alerts.acknowledge("disk.low", "anna")


async def test_of_two_alerts_of_one_name_the_id_says_which(desk: Office) -> None:
    for handler in ("a", "b"):
        await desk.fire("task.failed", labels={"handler": handler})
    with pytest.raises(Unfit, match="2 open alerts"):
        await asked(desk).alerts.resolve("task.failed", "anna")
    first, second = await asked(desk).alerts.listing(open_only=True)
    await asked(desk).alerts.resolve(first["id"], "anna")
    assert [it["id"] for it in await asked(desk).alerts.listing(open_only=True)] == [second["id"]]


async def test_a_silence_mutes_what_matches_until_it_is_ended(desk: Office) -> None:
    made = await asked(desk).alerts.silence("x.broke", "2h", "they are moving the rack", "anna")
    assert [it["id"] for it in await asked(desk).alerts.silences()] == [made["id"]]
    await desk.fire()
    await desk.advance(seconds=20)
    told = (await the_row(desk))["told"]
    assert (told["state"], told["reason"]) == ("muted", "silenced by anna: they are moving the rack")
    ended = await asked(desk).alerts.end_silence(made["id"], "ben")
    assert ended["endedBy"] == "ben"
    assert await asked(desk).alerts.silences() == []
    await desk.advance(seconds=20)
    assert (await the_row(desk))["told"]["state"] == "delivered"


@pytest.mark.parametrize(
    ("match", "ends", "reason", "owner", "told"),
    [
        ("x.broke", "25h", "r", "anna", "24 hours"),
        ("x.broke", "soon", "r", "anna", 'until: "soon" is neither'),
        ("x.broke", "2h", " ", "anna", "reason: say why, for whoever wonders later that nobody was told"),
        ("x.broke", "2h", "r", "", "owner: "),
        ("", "2h", "r", "anna", "a match is"),
        ("*", "2h", "r", "anna", "matches everything"),
        ("coverage.missing", "2h", "r", "anna", "cannot be silenced"),
    ],
    ids=["long", "soon", "reason", "owner", "empty", "all", "coverage"],
)
async def test_a_silence_that_makes_no_sense_is_refused(
    desk: Office, match: str, ends: str, reason: str, owner: str, told: str
) -> None:
    with pytest.raises(Unfit, match=told):
        await asked(desk).alerts.silence(match, ends, reason, owner)
    assert await asked(desk).alerts.silences() == []


async def test_a_silence_that_is_not_there_cannot_be_ended(desk: Office) -> None:
    with pytest.raises(Unknown, match="none is in force"):
        await asked(desk).alerts.end_silence("silence-1", "anna")
    made = await asked(desk).alerts.silence("x.broke", "2h", "r", "anna")
    with pytest.raises(Unknown, match=f'did you mean "{made["id"]}"'):
        await asked(desk).alerts.end_silence(made["id"] + "0", "anna")


async def test_a_test_alert_is_proved_and_then_over(desk: Office) -> None:
    found = await in_time(desk, asked(desk).alerts.test("info", 60), seconds=10)
    assert (found["delivered"], found["channel"], found["proof"]) == (True, "slack", "heard")
    assert (found["receiver"], found["reason"]) == ("oncall", None)
    assert 0 <= found["latencyS"] <= 10
    assert found["incident"].startswith("incident-")
    assert desk.house.alerts == []
    await desk.advance(minutes=11)
    assert [it.kind for it in desk.phones["slack"].messages] == ["test"]


async def test_a_test_alert_that_reaches_nobody_says_why(desk: Office) -> None:
    for phone in desk.phones.values():
        phone.failure = Failure.TRANSIENT
    # Its time-out is a real one.
    found = await in_time(desk, asked(desk).alerts.test("error", 0.5), seconds=30)
    assert (found["delivered"], found["channel"], found["latencyS"]) == (False, None, None)
    assert found["reason"].endswith("the line is cut")
    assert "alert.test" not in desk.house.alerts


async def test_a_test_alert_that_no_route_takes_is_not_waited_for(house: House) -> None:
    made = office(house, "slack", enabled=False)
    await made.open()
    found = await Operations(house.app).alerts.test("critical", 60)
    assert (found["delivered"], found["reason"]) == (False, "alerts are turned off")
    with pytest.raises(Unfit, match='severity: "loud" is none'):
        await Operations(house.app).alerts.test("loud", 60)


async def test_two_tests_at_once_are_two_alerts(desk: Office) -> None:
    both = asyncio.gather(*(asked(desk).alerts.test("error", 60) for _ in range(2)))
    first, second = await in_time(desk, both, seconds=20)
    assert (first["delivered"], second["delivered"]) == (True, True)
    assert first["alert"] != second["alert"]


async def test_a_receiver_that_was_told_counts_before_one_that_was_not(house: House) -> None:
    desk = office(
        house,
        receivers={"oncall": ("slack",), "boss": ("mail",)},
        routes=(Route(receiver="oncall", escalate_after=timedelta(minutes=1), escalate_to="boss"),),
    )
    await desk.open()
    desk.phones["mail"].failure = Failure.TRANSIENT
    alert = await desk.fire(severity=Severity.CRITICAL)
    await desk.advance(minutes=2)
    page = await asked(desk).alerts.show(alert.id, 10, 0)
    assert {it["receiver"] for it in page["tellings"]} == {"oncall", "boss"}
    assert (page["told"]["state"], page["told"]["receiver"]) == ("delivered", "oncall")
