"""A program that fills a small disk of its own under an open home, and tells as JSON what happened.

It mounts the disk itself, so it runs in a mount namespace of its own: nothing of it is seen outside.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from state.backups import take_backup
from state.database import StoreFull
from state.home import holder, locked
from state.items import Items
from state.recovery import open_home
from state.snapshot import Snapshot, read
from state.store import Store
from tests.state.first import make_first
from tests.state.sample import NOW, add_round, everything, home_in, make_task, memory_of, opened, records_of

SIZE = "3m"


def fill(ballast: Path) -> None:
    """Leave no free byte."""
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            while True:
                try:
                    if file.write(bytes(size)) < size:
                        break
                except OSError:
                    break


async def refuse(store: Store, told: dict[str, Any]) -> None:
    """Ask for more than there is room for, in every way there is."""
    names = [f"refused-{number}" for number in range(20)]
    lots: list[Coroutine[Any, Any, Any]] = [store.commit(make_task(it, error="x" * 5000)) for it in names]
    lots.append(Items(store).add([{"id": "refused", "text": "x" * 50_000}], NOW))
    answers = await asyncio.gather(*lots, return_exceptions=True)
    told["refusals"] = sorted({f"{type(it).__name__}: {it}" for it in answers if it is not None})
    told["accepted_while_full"] = [it for it, answer in zip(names, answers, strict=False) if answer is None]
    memory, disk = memory_of(store), await records_of(store)
    told["memory_is_disk"] = memory["Task"] == disk["Task"] and memory["Alert"] == disk["Alert"]
    told["seen_while_full"] = sorted(store.tasks)


async def live(folder: Path, ballast: Path) -> dict[str, Any]:
    told: dict[str, Any] = {}
    async with opened(folder) as store:
        snapshot = Snapshot(store, Items(store).head, NOW)
        await add_round(store, 0)
        await snapshot.save(NOW)
        before = store.home.state_file.read_bytes()
        fill(ballast)
        await refuse(store, told)
        for name, attempt in (
            ("save", lambda: snapshot.save(NOW)),
            ("backup", lambda: asyncio.to_thread(take_backup, store.home, NOW)),
        ):
            try:
                await attempt()
            except (OSError, StoreFull) as error:
                told[name] = f"{type(error).__name__}: {error}"
        told["state_file_whole"] = store.home.state_file.read_bytes() == before
        told["left_over"] = [it.name for it in folder.rglob("*.tmp*")]
        ballast.unlink()
        await store.commit(make_task("after"))
        await Items(store).add([{"id": "after"}], NOW)
        await snapshot.save(NOW)
        told["shown_after"] = sorted(task["id"] for task in read(store.home.state_file)["queue"])
        told["tasks"] = sorted(store.tasks)
    return told


def start_when_full(folder: Path, ballast: Path) -> dict[str, Any]:
    """Start on a disk that is full already: refused or not, nothing may be taken for damaged."""
    home = home_in(folder)
    told: dict[str, Any] = {}
    before = everything(home.database)
    fill(ballast)
    with locked(home):
        told["held_by_us"] = holder(home) in (os.getpid(), -1)
        told["problems_when_full"] = open_home(home, NOW).problems

        async def start() -> None:
            async with opened(folder) as store:
                await store.commit(make_task("too much", error="x" * 50_000))

        try:
            asyncio.run(start())
        except (StoreFull, OSError) as error:
            told["start"] = f"{type(error).__name__}: {error}"
    ballast.unlink()
    told["problems_after"] = open_home(home, NOW).problems
    told["nothing_changed"] = everything(home.database) == before
    return told


def bring_forward_when_full(folder: Path, ballast: Path) -> dict[str, Any]:
    """Start on a database of the first version when there is no room for what this one adds."""
    home = make_first(folder)
    told: dict[str, Any] = {}
    before = home.database.read_bytes()
    fill(ballast)
    try:
        open_home(home, NOW)
    except StoreFull as error:
        told["older"] = str(error)
    told["older_unchanged"] = home.database.read_bytes() == before
    ballast.unlink()
    told["older_after"] = open_home(home, NOW).older_schema
    return told


def main() -> None:
    disk = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=True)
    folder, ballast = disk / "home", disk / "ballast"
    told = asyncio.run(live(folder, ballast))
    told.update(start_when_full(folder, ballast))
    told.update(bring_forward_when_full(disk / "older", ballast))
    sys.stdout.write(json.dumps(told))


main()
