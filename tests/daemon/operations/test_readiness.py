"""Whether work is taken and somebody would hear of it: true to the state, the loops and the channels."""

from pathlib import Path

import pytest

from daemon.clock import VirtualClock
from daemon.notify.health import ChannelHealth, Condition
from daemon.operations.readiness import FRESH_S, Readiness
from daemon.watch.loops import DEAD
from state.database import StoreError, StoreFull
from state.home import Home
from state.records import Severity
from tests.daemon.web.served import opened, write_config
from tests.house import NOW, House

CHANNELS = {
    "ops": {"type": "webhook", "url": "env:HOOK"},
    "back": {"type": "webhook", "url": "env:HOOK"},
}


async def test_a_house_that_works_lacks_nothing(house: House) -> None:
    app = await house.start()
    assert await Readiness(app).lacks() == []


async def test_a_house_that_stops_takes_no_work(house: House) -> None:
    app = await house.start()
    app.is_ready = False
    assert await Readiness(app).lacks() == ["daemon: it is starting or stopping"]


async def test_a_state_that_cannot_be_written_is_lacking_until_it_can(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await house.start()
    readiness, commit, refusals = Readiness(app), app.store.commit, [StoreFull("the disk is full")]

    async def refuse(*_: object, **__: object) -> None:
        raise refusals[0]

    monkeypatch.setattr(app.store, "commit", refuse)
    assert await readiness.lacks() == ["state: the disk is full"]
    monkeypatch.setattr(app.store, "commit", commit)
    await house.clock.advance(seconds=FRESH_S)
    assert await readiness.lacks() == []


async def test_however_many_ask_one_small_write_serves_them_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await house.start()
    readiness, writes = Readiness(app), []

    async def note(*_: object, **__: object) -> None:
        writes.append(1)

    monkeypatch.setattr(app.store, "commit", note)
    for _ in range(100):
        await readiness.lacks()
    assert len(writes) == 1
    await house.clock.advance(seconds=FRESH_S)
    await readiness.lacks()
    assert len(writes) == 2


@pytest.mark.parametrize(
    ("name", "what"), [("state.unsaved", "state: it is so"), (DEAD, "scheduler: it is so"), ("x.broke", None)]
)
async def test_an_open_alert_of_the_state_or_of_a_loop_is_lacking(
    house: House, name: str, what: str | None
) -> None:
    app = await house.start()
    await app.alerts.fire(name, severity=Severity.CRITICAL, summary="it is so")
    assert await Readiness(app).lacks() == ([] if what is None else [what])
    await app.alerts.resolve(name)
    assert await Readiness(app).lacks() == []


@pytest.mark.parametrize(
    ("ops", "back", "is_mute"),
    [
        (Condition.OK, Condition.DEAD, False),
        (Condition.UNTRIED, Condition.DEAD, False),
        (Condition.FAILING, Condition.UNTRIED, False),
        (Condition.FAILING, Condition.DEAD, True),
    ],
)
async def test_one_channel_that_can_be_used_is_enough(
    tmp_path: Path,
    home_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    ops: Condition,
    back: Condition,
    is_mute: bool,
) -> None:
    home = Home(home_folder, home_folder / "logs")
    home.make_folders()
    async with opened(write_config(tmp_path, None, channels=CHANNELS), home, VirtualClock(NOW)) as app:
        found = {
            **app.notify.health(),
            "ops": ChannelHealth(state=ops),
            "back": ChannelHealth(state=back),
        }
        monkeypatch.setattr(app.notify, "health", lambda: found)
        lacks = await Readiness(app).lacks()
        assert [it.partition(":")[0] for it in lacks] == (["channels"] if is_mute else [])


async def test_where_only_records_are_kept_nobody_is_missed(house: House) -> None:
    app = await house.start()
    assert all(entry.type in ("log", "file") for entry in app.config.channels.values())
    assert await Readiness(app).lacks() == []


async def test_a_refusal_of_any_kind_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await house.start()

    async def refuse(*_: object, **__: object) -> None:
        raise StoreError("the database refused: disk I/O error")

    monkeypatch.setattr(app.store, "commit", refuse)
    assert await Readiness(app).lacks() == ["state: the database refused: disk I/O error"]
