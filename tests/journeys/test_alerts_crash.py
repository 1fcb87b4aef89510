"""Whichever channels are up, whenever the daemon is killed: an alert arrives, with one id on all copies."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journeys.desk import Desk, open_desk
from tests.journeys.line_stand_in import Way
from tests.journeys.three_stand_in import NAMES, Three, fail, three_channels

UPS = list(itertools.product((True, False), repeat=3))
AT_ONCE = 4  # daemons beside each other
BEFORE, AFTER = "before the send", "after the send"
SOON_S = 45.0


@pytest.mark.parametrize("crash", [BEFORE, AFTER])
def test_an_alert_arrives_over_whatever_is_up_though_the_daemon_is_killed_around_the_send(
    tmp_path: Path, crash: str
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        told = list(threads.map(lambda ups: outcome(tmp_path / name_of(ups), ups, crash), UPS))
    assert dict(zip(map(name_of, UPS), told, strict=True)) == dict.fromkeys(map(name_of, UPS), "told")


def name_of(ups: tuple[bool, ...]) -> str:
    return "-".join(name if is_up else "dead" for name, is_up in zip(NAMES, ups, strict=True))


def outcome(folder: Path, ups: tuple[bool, ...], crash: str) -> str:
    """What became of one alert; the words of the first thing that was wrong, so that all cases are seen."""
    try:
        with open_desk(folder) as desk, three_channels() as channels:
            journey(desk, channels, ups, crash)
    except AssertionError as error:
        return str(error)
    return "told"


def journey(desk: Desk, channels: Three, ups: tuple[bool, ...], crash: str) -> None:
    """One alert, one kill at the worst moment of its first channel that is up, one start."""
    channels.write_config(desk, jobs=["payroll"])
    desk.start()
    lines = [line for line, is_up in zip(channels.lines, ups, strict=True) if is_up]
    channels.become(*(Way.OPEN if is_up else Way.REFUSED for is_up in ups))
    if lines and crash == BEFORE:
        lines[0].become(Way.SILENT)
    elif lines:
        lines[0].is_mute = True
    fail(desk, "payroll")
    if not lines:
        desk.wait_for("a round that reached nobody", lambda: owed(desk) and owed(desk)[0]["error"])
    elif crash == BEFORE:
        desk.wait_for("a call", lambda: lines[0].calls)
    else:
        desk.wait_for("a copy", lambda: lines[0].copies)
    desk.kill()
    before = channels.about("payroll")
    assert len(before) == (1 if lines and crash == AFTER else 0)
    for line in lines:
        line.is_mute = False
        line.become(Way.OPEN)

    desk.start()
    if not lines:
        (notice,) = owed(desk)
        assert (notice["alerts"], notice["kind"]) == ([desk.alerts("task.failed")[0]["id"]], "alert")
        channels.become(Way.OPEN)
    desk.wait_for("the proof that it was told", lambda: proved(desk), patience_s=SOON_S)
    copies = channels.about("payroll", "failed for good after 1 attempt")
    assert len({copy.id for copy in copies}) == 1, f"the copies have several ids: {copies}"
    assert copies[0].id.startswith("alert-")
    # The one doubt there can be is the copy whose answer the kill took away.
    assert len(copies) == len(before) + 1
    assert channels.refused == []
    (told,) = desk.does("alerts", "list", "--json").json[:1]
    assert (told["name"], told["told"]["state"]) == ("task.failed", "delivered")
    assert told["told"]["channel"] == NAMES[ups.index(True) if lines else 0]


def owed(desk: Desk) -> list[dict[str, object]]:
    """The messages not proved to have arrived, as the state that jq reads shows them."""
    return [it for it in desk.state()["outbox"] if "receiver" in it]


def proved(desk: Desk) -> bool:
    """Whether it is known that somebody was told of the failure."""
    sql = "SELECT 1 FROM telling JOIN alert ON alert.id = telling.alert_id"
    return bool(desk.rows(f"{sql} WHERE alert.name = 'task.failed' AND telling.told_at IS NOT NULL"))
