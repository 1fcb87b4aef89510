"""Many at once on one ledger: nobody gets what another one has."""

import asyncio
from collections import Counter

from state.ledger.base import Ledger
from state.ledger.records import Key, Status
from tests.contracts.ledgers import LEASE, NOW, TODAY, Making, held, outcome, owed, sent

OWED = [owed(f"c{number:03}") for number in range(400)]
CLAIMERS = 8


async def test_of_eight_claimers_no_two_get_the_same(made: Making) -> None:
    ledgers = [made() for _ in range(1 if made().name == "sqlite" else CLAIMERS)]
    for ledger in ledgers:
        await ledger.open(NOW)
    await ledgers[0].plan(OWED, NOW)

    async def take(number: int) -> list[Key]:
        ledger, taken = ledgers[number % len(ledgers)], list[Key]()
        while page := await ledger.claim(f"owner-{number}", NOW, LEASE, 7):
            taken += [one.key for one in page]
        return taken

    all_taken = await asyncio.gather(*(take(number) for number in range(CLAIMERS)))
    assert Counter(key for taken in all_taken for key in taken) == Counter(one.key for one in OWED)
    assert sum(1 for taken in all_taken if taken) > 1
    for ledger in ledgers:
        await ledger.close()


async def test_old_and_new_owners_at_once_end_each_obligation_in_one_way(ledger: Ledger) -> None:
    await ledger.plan(OWED[:100], NOW)
    mine = await sent(ledger, "old", limit=100)
    later = NOW + LEASE

    async def answer_late() -> None:
        for one in mine:
            await ledger.record_outcomes("old", [outcome(one, at=later)])

    async def take_over() -> None:
        while await ledger.claim("new", later, LEASE, 10):
            pass

    await asyncio.gather(answer_late(), take_over(), ledger.renew("old", held(mine[50:]), later, LEASE))
    counts = await ledger.counts(TODAY, TODAY)
    assert counts == {TODAY: {Status.DELIVERED: 100}}
    states = {send.state.value for send in await ledger.sends_on(TODAY)}
    assert states == {"delivered"}
