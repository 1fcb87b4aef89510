"""Silences: what they match, what they may not, and that they end."""

from datetime import timedelta

import pytest

from daemon.dispatch.silences import Silences, ageing, covers, parse_match
from state.records import Alert, Severity
from tests.house import NOW, House

HOUR = timedelta(hours=1)


def alert(name: str = "task.failed", **labels: str) -> Alert:
    return Alert(
        id="a",
        fingerprint="f",
        name=name,
        severity=Severity.ERROR,
        summary="s",
        labels=labels,
        first_at=NOW,
        last_at=NOW,
    )


@pytest.mark.parametrize(
    ("match", "is_covered"),
    [
        ("task.failed", True),
        ("task.*", True),
        ("handler=nightly-*", True),
        ("task.failed, handler=nightly-batch", True),
        ("severity=error", True),
        ("task.failed,handler=other", False),
        ("digest.*", False),
        ("TASK.FAILED", False),
        ("company=acme", False),
    ],
)
def test_a_match_holds_if_all_of_it_does(match: str, is_covered: bool) -> None:
    assert covers(match, alert(handler="nightly-batch")) is is_covered


@pytest.mark.parametrize(
    "match", ["", " ", ",", "a,,b", "=x", "x=", "*", "name=*", "?*", "a\x00b", "x" * 301]
)
def test_what_is_no_match_or_matches_everything_is_refused(match: str) -> None:
    with pytest.raises(ValueError):
        parse_match(match)


@pytest.fixture
async def silences(house: House) -> Silences:
    await house.start()
    return house.app.dispatch.silences


async def test_a_silence_of_more_than_a_day_is_refused(silences: Silences) -> None:
    with pytest.raises(ValueError, match="within 24 hours"):
        await silences.add("task.failed", NOW + 25 * HOUR, "r", "ada")
    assert silences.active(NOW) == []


@pytest.mark.parametrize("match", ["coverage.missed", "coverage.*", "alert.late"])
async def test_what_must_be_heard_cannot_be_silenced(silences: Silences, match: str) -> None:
    with pytest.raises(ValueError, match="cannot be silenced; acknowledge"):
        await silences.add(match, NOW + HOUR, "r", "ada")


async def test_not_even_by_a_glob_or_a_label(silences: Silences) -> None:
    await silences.add("c*", NOW + HOUR, "r", "ada")
    await silences.add("company=acme", NOW + HOUR, "r", "ada")
    assert silences.of(alert("coverage.missed", company="acme"), NOW) is None
    assert silences.of(alert("clock.stepped"), NOW) is not None


async def test_it_ends_at_its_time_or_when_somebody_ends_it(house: House, silences: Silences) -> None:
    first = await silences.add("task.failed", NOW + HOUR, "planned", "ada")
    second = await silences.add("digest.*", NOW + 2 * HOUR, "planned", "ada")
    assert silences.of(alert(), NOW) == first
    assert ageing(silences.active(NOW), NOW)[0].startswith("task.failed by ada, planned, until ")
    ended = await silences.end(second.id, "bob")
    assert (ended.ends_at, ended.ended_by) == (NOW, "bob")
    assert silences.active(NOW) == [first]
    assert silences.active(NOW + HOUR) == []
    with pytest.raises(KeyError):
        await silences.end("nothing", "bob")
    assert set(house.app.store.silences) == {first.id, second.id}


async def test_a_silence_outlives_a_crash(house: House) -> None:
    await house.start()
    await house.app.dispatch.silences.add("task.failed", NOW + HOUR, "planned", "ada")
    await house.kill()
    await house.start()
    assert house.app.dispatch.silences.of(alert(), NOW) is not None
