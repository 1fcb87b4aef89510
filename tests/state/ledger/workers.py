"""A program that serves obligations until it is killed, and begins anew for each line it reads.

It says each thing once it is true: "gone C" when a report of company C has left, "done C" when the ledger
has acknowledged the outcome.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import LEASE, NOW, intent, outcome, report

AT_ONCE = 3


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def serve(folder: Path, life: int) -> None:
    """Serve what there is; each life comes long after the one before, so that all leases have run out."""
    owner, now = f"life-{life}", NOW + LEASE * 2 * life
    ledger = SqliteLedger(folder / "ledger.db", folder)
    await ledger.open(now)
    say(f"ready {os.getpid()}")
    while batch := await ledger.claim(owner, now, LEASE, AT_ONCE):
        await ledger.produced(owner, [report(one, now) for one in batch])
        refused = await ledger.intend_sends(owner, [intent(one, now) for one in batch])
        for one in batch:
            if one.key in refused:
                continue
            say(f"gone {one.company_id}")
            await asyncio.sleep(0.001)
            if not await ledger.record_outcomes(owner, [outcome(one, at=now + timedelta(seconds=1))]):
                say(f"done {one.company_id}")
    say("idle")
    await asyncio.Event().wait()


def main() -> None:
    for life, _ in enumerate(sys.stdin):
        if os.fork() == 0:
            asyncio.run(serve(Path(sys.argv[1]), life))
        os.wait()
        say("dead")


main()
