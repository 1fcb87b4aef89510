"""A program that fills a small disk of its own under an open ledger, and tells as JSON what happened.

It mounts the disk itself, so it runs in a mount namespace of its own: nothing of it is seen outside.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from state.ledger.errors import LedgerError
from state.ledger.keeping import take_ledger_backup
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import LEASE, NOW, TODAY, outcome, owed, sent

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


async def live(disk: Path, ballast: Path) -> dict[str, Any]:
    told: dict[str, Any] = {}
    ledger = SqliteLedger(disk / "ledger.db", disk)
    await ledger.open(NOW)
    await ledger.plan([owed("a"), owed("b")], NOW)
    (a,) = await sent(ledger, "w", limit=1)
    fill(ballast)
    try:
        for n in range(500):
            await ledger.plan([owed(f"c{n}-{m}", reason="x" * 900) for m in range(20)], NOW)
    except LedgerError as error:
        told["refusal"] = f"{type(error).__name__}: {error}"
    told["readable"] = len(await ledger.obligations(TODAY, limit=2))
    try:
        await asyncio.to_thread(take_ledger_backup, disk / "ledger.db", disk, NOW)
    except Exception as error:
        told["backup"] = type(error).__name__
    told["left_over"] = [path.name for path in disk.glob("*.tmp*")]
    ballast.unlink()
    told["refused_after"] = len(await ledger.record_outcomes("w", [outcome(a)]))
    told["claimed_after"] = [
        it.company_id for it in await ledger.claim("w", NOW, LEASE, 1, company_ids=["b"])
    ]
    await ledger.close()
    return told


def main() -> None:
    disk = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=True)
    sys.stdout.write(json.dumps(asyncio.run(live(disk, disk / "ballast"))))


main()
