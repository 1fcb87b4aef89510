"""Hundreds of ways to damage a home: none is a silent reset, and no damaged file is ever overwritten."""

import asyncio
import contextlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from state.backups import take_backup
from state.examination import examine
from state.home import Home
from state.recovery import Opening, StateUnreadable, open_home
from state.snapshot import SnapshotDamaged, read
from state.store import Store
from tests.state.sample import LATER, NOW, add_round, everything, generation_in, opened, save, take_batch

SEEDS = 12
DATABASE, LOG = "nightdesk.db", "nightdesk.db-wal"
STATE, PREVIOUS = "orchestrator_state.json", "orchestrator_state.prev.json"
BACKUPS = ("backups/nightdesk-20261121T200000Z.db", "backups/nightdesk-20261121T210000Z.db")
SEAL = "nightdesk.db.sha256"
SOURCES = {DATABASE, STATE, PREVIOUS, *BACKUPS}

Damage = Callable[[bytes, random.Random], bytes | None]


def flipped(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def zeroed(data: bytes, chance: random.Random) -> bytes:
    return _overwritten(data, chance, bytes)


def garbled(data: bytes, chance: random.Random) -> bytes:
    return _overwritten(data, chance, chance.randbytes)


def emptied(data: bytes, chance: random.Random) -> bytes:
    return b""


def swapped(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 2 * len(data)))


def deleted(data: bytes, chance: random.Random) -> None:
    return None


def _overwritten(data: bytes, chance: random.Random, make: Callable[[int], bytes]) -> bytes:
    size = min(len(data), chance.choice([512, 4096, 16384]))
    start = chance.randrange(len(data) - size + 1)
    return data[:start] + make(size) + data[start + size :]


EVERY_WAY: tuple[Damage, ...] = (flipped, cut, zeroed, garbled, emptied, swapped, deleted)


@dataclass(frozen=True)
class Template:
    """A home to be copied and damaged, and what is known of it."""

    folder: Path
    rows: dict[str, list[tuple[Any, ...]]]
    ever: dict[str, set[tuple[Any, ...]]]  # rows that were true at one time, by table
    generation: int


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """One home stopped in good order, and the same one as a kill leaves it."""
    folder = tmp_path_factory.mktemp("templates")
    ever: dict[str, set[tuple[Any, ...]]] = {}
    asyncio.run(live(folder / "stopped", folder / "killed", ever))
    looked_at = shutil.copytree(folder / "stopped", folder / "looked at")
    rows = everything(looked_at / DATABASE)
    generation = generation_in(looked_at / DATABASE)
    return {name: Template(folder / name, rows, ever, generation) for name in ("stopped", "killed")}


async def live(folder: Path, killed: Path, ever: dict[str, set[tuple[Any, ...]]]) -> None:
    async def live_on(store: Store, number: int) -> None:
        await add_round(store, number)
        for name, known in everything(store.home.database).items():
            ever.setdefault(name, set()).update(known)

    async with opened(folder) as store:
        for number in range(12):
            await live_on(store, number)
        await take_batch(store, "batch")
        await live_on(store, 12)
        take_backup(store.home, NOW)
        await save(store)
    async with opened(folder) as store:
        await live_on(store, 13)
        await save(store)
        await live_on(store, 14)
        take_backup(store.home, NOW + timedelta(hours=1))
        await save(store)
        shutil.copytree(folder, killed)


def damage(folder: Path, names: tuple[str, ...], ways: tuple[Damage, ...], seed: str) -> dict[str, bytes]:
    """Damage files; the content of those that are still there."""
    chance, left = random.Random(seed), {}
    for name in names:
        path = folder / name
        whole = path.read_bytes()
        damaged = chance.choice(ways)(whole, chance)
        while damaged == whole:
            damaged = chance.choice(ways)(whole, chance)
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
            left[name] = damaged
    return left


def check(template: Template, folder: Path, left: dict[str, bytes], names: tuple[str, ...]) -> str:
    """Open a damaged home, and see that all promises are kept; say which way it went."""
    home = Home(folder, folder / "logs")
    whole = whole_generations(home)
    try:
        opening = open_home(home, LATER)
    except StateUnreadable:
        with contextlib.suppress(StateUnreadable):
            open_home(home, LATER)
            raise AssertionError("refused at first, and opened at the second try") from None
        assert set(names) >= SOURCES
        assert_nothing_overwritten(folder, left)
        return "refused"
    assert not opening.is_fresh
    assert_nothing_overwritten(folder, left)
    assert opening.generation > max(whole, default=0)
    again = open_home(home, LATER)
    assert (again.problems, again.kept_aside) == ([], [])
    return judge(template, home, opening)


def judge(template: Template, home: Home, opening: Opening) -> str:
    rows = everything(home.database)
    if opening.restored is None:
        assert rows == template.rows
        return "noticed" if opening.problems else "harmless"
    assert opening.problems
    assert opening.kept_aside or "it is missing" in opening.problems[-1]
    assert examine(home.database) is None
    # What came back is what once was: never a mixture, never an invention.
    for name in ("run", "handler", "schedule", "alert", "slot", "telling", "silence", "notice"):
        assert set(rows[name]) <= template.ever[name]
    assert {row[3] for row in rows["item"]} <= {row[3] for row in template.ever["item"]}
    if opening.restored.snapshot_generation == template.generation:
        for name in ("task", "alert", "telling", "silence", "notice"):
            assert rows[name] == template.rows[name]
        assert rows["run"] == template.rows["run"] or opening.restored.backup is None
        assert waiting(rows) == waiting(template.rows)
    else:
        assert set(rows["task"]) <= template.ever["task"]
    return "restored"


def waiting(rows: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    """The bodies of the leads no batch has taken, in order."""
    taken = max((row[5] for row in rows["batch"]), default=0)
    return [row[3] for row in sorted(rows["item"]) if row[0] > taken]


def whole_generations(home: Home) -> list[int]:
    """The generations that can be known for certain after the damage."""
    known = []
    for path in (home.state_file, home.previous_state_file):
        with contextlib.suppress(FileNotFoundError, SnapshotDamaged):
            known.append(read(path)["generation"])
    return known


def assert_nothing_overwritten(folder: Path, left: dict[str, bytes]) -> None:
    for name, damaged in left.items():
        path = folder / name
        places = [path, *path.parent.glob(f"{path.name}.damaged-*")]
        assert any(it.exists() and it.read_bytes() == damaged for it in places), f"{name} was overwritten"


def try_all(
    template: Template, tmp_path: Path, names: tuple[str, ...], ways: tuple[Damage, ...]
) -> dict[str, int]:
    """Damage a fresh copy as often as there are seeds; how often it went which way."""
    went: dict[str, int] = {}
    for seed in range(SEEDS):
        folder = shutil.copytree(template.folder, tmp_path / "home")
        left = damage(folder, names, ways, f"{seed} {names}")
        way = check(template, folder, left, names)
        went[way] = went.get(way, 0) + 1
        shutil.rmtree(folder)
    return went


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: way.__name__)
def test_a_database_damaged_while_stopped_is_restored(
    templates: dict[str, Template], tmp_path: Path, way: Damage
) -> None:
    assert try_all(templates["stopped"], tmp_path, (DATABASE,), (way,)) == {"restored": SEEDS}


@pytest.mark.parametrize("way", [it for it in EVERY_WAY if it is not flipped], ids=lambda way: way.__name__)
def test_a_database_damaged_after_a_crash_is_restored_or_reads_as_before(
    templates: dict[str, Template], tmp_path: Path, way: Damage
) -> None:
    went = try_all(templates["killed"], tmp_path, (DATABASE,), (way,))
    # What lies in the log is not read from the file, so its damage there does no harm.
    assert went.keys() <= {"restored", "harmless"}
    assert went.get("restored", 0) >= SEEDS // 4


def test_after_a_crash_one_changed_bit_is_noticed_or_harms_one_value_and_never_a_start(
    templates: dict[str, Template], tmp_path: Path
) -> None:
    """SQLite has no checksum for its pages, and a seal is made at a stop only: a letter may change unseen."""
    template = templates["killed"]
    for seed in range(2 * SEEDS):
        folder = shutil.copytree(template.folder, tmp_path / "home")
        left = damage(folder, (DATABASE,), (flipped,), str(seed))
        opening = open_home(Home(folder, folder / "logs"), LATER)
        assert_nothing_overwritten(folder, left)
        if not opening.problems:
            rows = everything(folder / DATABASE)
            changed = [row for name, known in rows.items() for row in known if row not in template.ever[name]]
            assert {name: len(known) for name, known in rows.items()} == {
                name: len(known) for name, known in template.rows.items()
            }
            assert len(changed) <= 1
        asyncio.run(start(folder))
        shutil.rmtree(folder)


async def start(folder: Path) -> None:
    async with opened(folder, LATER) as store:
        await save(store, LATER)


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: way.__name__)
def test_a_log_damaged_after_a_crash_is_known_by_the_generation(
    templates: dict[str, Template], tmp_path: Path, way: Damage
) -> None:
    assert try_all(templates["killed"], tmp_path, (LOG,), (way,)) == {"restored": SEEDS}


@pytest.mark.parametrize("name", [STATE, PREVIOUS])
@pytest.mark.parametrize("kind", ["stopped", "killed"])
def test_a_damaged_state_file_is_kept_aside_and_costs_nothing(
    templates: dict[str, Template], tmp_path: Path, kind: str, name: str
) -> None:
    present = tuple(way for way in EVERY_WAY if way is not deleted)
    assert try_all(templates[kind], tmp_path, (name,), present) == {"noticed": SEEDS}
    assert try_all(templates[kind], tmp_path, (name,), (deleted,)) == {"harmless": SEEDS}


@pytest.mark.parametrize("name", [*BACKUPS, SEAL])
def test_damage_to_what_is_not_needed_now_costs_nothing(
    templates: dict[str, Template], tmp_path: Path, name: str
) -> None:
    assert try_all(templates["stopped"], tmp_path, (name,), EVERY_WAY) == {"harmless": SEEDS}


@pytest.mark.parametrize(
    "names",
    [
        (DATABASE, STATE),
        (DATABASE, PREVIOUS),
        (DATABASE, STATE, PREVIOUS),
        (DATABASE, BACKUPS[1]),
        (DATABASE, *BACKUPS),
        (DATABASE, STATE, BACKUPS[1]),
        (DATABASE, STATE, *BACKUPS),
        (DATABASE, STATE, PREVIOUS, BACKUPS[0]),
        (DATABASE, STATE, PREVIOUS, BACKUPS[1]),
        (DATABASE, SEAL, STATE),
    ],
    ids=" ".join,
)
def test_while_one_source_is_left_it_is_used(
    templates: dict[str, Template], tmp_path: Path, names: tuple[str, ...]
) -> None:
    ways = tuple(way for way in EVERY_WAY if way is not flipped) if SEAL in names else EVERY_WAY
    assert try_all(templates["stopped"], tmp_path, names, ways) == {"restored": SEEDS}


@pytest.mark.parametrize(
    "names",
    [(LOG, STATE), (LOG, BACKUPS[1]), (LOG, DATABASE), (LOG, DATABASE, STATE), (LOG, DATABASE, *BACKUPS)],
    ids=" ".join,
)
def test_after_a_crash_whatever_is_left_is_used(
    templates: dict[str, Template], tmp_path: Path, names: tuple[str, ...]
) -> None:
    coarse = tuple(way for way in EVERY_WAY if way is not flipped)
    template, went = templates["killed"], set()
    for seed in range(SEEDS):
        folder = shutil.copytree(template.folder, tmp_path / "home")
        left = damage(folder, names, coarse, str(seed))
        # The log is damaged and the newest state file too: what only they knew cannot be missed.
        if STATE in names:
            went.add(check_older(template, folder, left))
        else:
            went.add(check(template, folder, left, names))
        shutil.rmtree(folder)
    assert went <= {"restored", "noticed"}


def check_older(template: Template, folder: Path, left: dict[str, bytes]) -> str:
    opening = open_home(Home(folder, folder / "logs"), LATER)
    assert not opening.is_fresh
    assert_nothing_overwritten(folder, left)
    assert opening.restored is not None or STATE not in left or opening.problems
    assert examine(folder / DATABASE) is None
    rows = everything(folder / DATABASE)
    assert all(set(rows[name]) <= template.ever[name] for name in ("run", "slot", "alert"))
    return "restored" if opening.restored is not None else "noticed"


@pytest.mark.parametrize("kind", ["stopped", "killed"])
def test_where_nothing_is_left_it_refuses(templates: dict[str, Template], tmp_path: Path, kind: str) -> None:
    names = (DATABASE, STATE, PREVIOUS, *BACKUPS, *((LOG,) if kind == "killed" else ()))
    assert try_all(templates[kind], tmp_path, names, (cut, emptied, swapped)) == {"refused": SEEDS}


def test_the_samples_are_what_they_are_said_to_be(templates: dict[str, Template]) -> None:
    killed, stopped = templates["killed"].folder, templates["stopped"].folder
    assert (killed / LOG).stat().st_size > 4096
    assert not (killed / SEAL).exists()
    assert not (stopped / LOG).exists()
    assert (stopped / SEAL).exists()
    shown = json.loads((stopped / STATE).read_bytes())
    assert shown["generation"] == templates["stopped"].generation
    assert read(stopped / PREVIOUS)["generation"] < shown["generation"]
