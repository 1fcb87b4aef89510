"""A program that puts tasks into a home as fast as it can and says which were acknowledged.

Its arguments are a folder and a number. For each line it reads it starts one more process on the folder,
forked so that nothing has to be loaded again, and says what became of it.
"""

import asyncio
import os
import sys
from pathlib import Path

from state.items import Items
from tests.state.sample import make_task, opened

IN_FLIGHT = 8


def say(line: str) -> None:
    """Write past all buffers: what was said has been said when the process is killed."""
    os.write(1, f"{line}\n".encode())


async def insert(folder: Path, life: int) -> None:
    async with opened(folder) as store:
        items = Items(store)

        async def keep_on(lane: int) -> None:
            number = 0
            while True:
                name = f"{life}-{lane}-{number}"
                if lane == 0:
                    await items.add([{"id": name}], make_task("any").scheduled_at)
                else:
                    await store.commit(make_task(name))
                number += 1
                say(name)

        say(f"ready {os.getpid()}")
        await asyncio.gather(*(keep_on(lane) for lane in range(IN_FLIGHT)))


def main() -> None:
    folder = Path(sys.argv[1])
    for life, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            asyncio.run(insert(folder, life))
        os.waitpid(child, 0)
        say("dead")


main()
