"""A program that makes reports until nothing is owed any more; it is there to be killed."""

import asyncio
import os
import sys
from datetime import date, timedelta
from pathlib import Path

from daemon.clock import SystemClock
from daemon.notify import Tools, open_channel
from daemon.notify.http import HttpClient
from handlers.reporting import leases, run
from handlers.reporting.run import Wish
from handlers.reporting.writer import writer_of
from tests.handlers.reporting.newsroom import Newsroom

DATES = [date(2020, 1, day) for day in range(1, 5)]
PAUSE_S = 0.1


async def work_off(folder: Path, port: int) -> None:
    """Work as the daemon would, with leases and waits of a second."""
    leases.LEASE = run.LEASE = timedelta(seconds=1)  # type: ignore[attr-defined]
    leases.RENEW_EVERY = timedelta(seconds=0.2)
    room = Newsroom(folder, reports={"resendAfter": "1s"})
    room.clock = SystemClock()  # type: ignore[assignment]
    room.lives = os.getpid()  # another owner in each life
    http = HttpClient()
    given = Tools(http=http, clock=room.clock, allow_private=True, logs=room.home.logs)
    mail = {
        "host": "localhost",
        "port": port,
        "tls": "none",
        "from": "desk@example.com",
        "to": ["a@b.example"],
    }
    room.channels = {"post": open_channel("smtp", mail, given)}
    await room.open()
    writer = await writer_of(room.house, room.ledger)
    is_busy = True
    while is_busy:
        waits = await writer.look_into_unknown(DATES)
        await writer.work(Wish(dates=DATES), room.context().log)
        left = [it for day in DATES for it in (await room.statuses(day)).values() if not it.is_final]
        is_busy = waits is not None or bool(left)
        await asyncio.sleep(PAUSE_S)
    await room.close()
    await http.close()


if __name__ == "__main__":
    asyncio.run(work_off(Path(sys.argv[1]), int(sys.argv[2])))
