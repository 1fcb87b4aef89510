"""Any order of calls, by several owners, repeated and late: every ledger does what the plain model does."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from state.ledger import LEDGERS
from state.ledger.base import Ledger
from state.ledger.records import Held, Intent, Key, Outcome, Produced, Release, Status
from state.records import DeliveryState
from tests.contracts.ledger_model import Model
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, making, owed

T = TypeVar("T")
OWNERS = st.sampled_from(["one", "two", "three"])
KEYS = st.builds(Key, st.sampled_from(["a", "b", "c"]), st.sampled_from([TODAY, TODAY + DAY]))
EPOCHS = st.integers(1, 4)
MADE_UP = 9
EXAMPLES = {"sqlite": 120, "postgres": 40}
PICKS = st.integers(0, MADE_UP)
IDS = st.sampled_from(["x", "y"])
ENDS = st.sampled_from(
    [
        (DeliveryState.DELIVERED, Status.DELIVERED), (DeliveryState.UNKNOWN, Status.UNKNOWN),
        (DeliveryState.RETRYABLE, None), (DeliveryState.FAILED, Status.FAILED),
        (DeliveryState.DELIVERED, None),
    ]
)  # fmt: skip


class Calls(RuleBasedStateMachine):
    """Every rule makes one call on both; `held` makes it likely that a call comes from who may make it."""

    ledger: Ledger
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now = NOW
        self.held: list[tuple[str, Key, int]] = []
        for on in (TODAY, TODAY + DAY):
            self.run(self.ledger.prune(on, NOW + DAY * 999))

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def some(self, owner: str, key: Key, epoch: int, pick: int) -> tuple[str, Key, int]:
        """A lease that was handed out, mostly one of the newest; now and then one that is made up."""
        is_made_up = pick == MADE_UP or not self.held
        return (owner, key, epoch) if is_made_up else self.held[-1 - pick % 3 % len(self.held)]

    @initialize(keys=st.lists(KEYS, min_size=2, max_size=6))
    def plan_first(self, keys: list[Key]) -> None:
        self.plan(keys)

    @rule(keys=st.lists(KEYS, min_size=1, max_size=4))
    def plan(self, keys: list[Key]) -> None:
        planned = [owed(key.company_id, key.date) for key in dict.fromkeys(keys)]
        assert self.run(self.ledger.plan(planned, self.now)) == self.model.plan(planned)

    @rule(by=st.sampled_from([timedelta(seconds=20), LEASE, DAY]))
    def wait(self, by: timedelta) -> None:
        self.now += by

    @rule()
    def mark_due(self) -> None:
        assert self.run(self.ledger.mark_due(self.now)) == self.model.mark_due(self.now)

    @rule(owner=OWNERS, limit=st.integers(1, 4))
    def claim(self, owner: str, limit: int) -> None:
        taken = self.run(self.ledger.claim(owner, self.now, LEASE, limit))
        expected = self.model.claim(owner, self.now, LEASE, limit)
        assert sorted(one.key for one in taken) == sorted(expected)
        self.held += [(owner, one.key, one.epoch) for one in taken]

    @rule(owner=OWNERS, limit=st.integers(1, 4), name=IDS)
    def send(self, owner: str, limit: int, name: str) -> None:
        """Go as far as the instant before the answer, as a worker does."""
        before = len(self.held)
        self.claim(owner, limit)
        for owner, key, epoch in self.held[before:]:
            self.produce(owner, key, epoch, MADE_UP, name, 1)
            self.intend(owner, key, epoch, MADE_UP, name, 1)

    @rule(owner=OWNERS, key=KEYS, epoch=EPOCHS, pick=PICKS)
    def renew(self, owner: str, key: Key, epoch: int, pick: int) -> None:
        owner, key, epoch = self.some(owner, key, epoch, pick)
        one = Held(key.company_id, key.date, epoch)
        lost = self.run(self.ledger.renew(owner, [one], self.now, LEASE))
        assert (lost == frozenset()) is self.model.renew(owner, one, self.now, LEASE)

    @rule(owner=OWNERS, key=KEYS, epoch=EPOCHS, pick=PICKS, name=IDS, times=st.integers(1, 2))
    def produce(self, owner: str, key: Key, epoch: int, pick: int, name: str, times: int) -> None:
        owner, key, epoch = self.some(owner, key, epoch, pick)
        one = Produced(
            company_id=key.company_id, date=key.date, epoch=epoch, rung="main", stable_id=name, at=self.now
        )
        for _ in range(times):
            refused = self.run(self.ledger.produced(owner, [one]))
            assert (refused == frozenset()) is self.model.produced(owner, one)

    @rule(owner=OWNERS, key=KEYS, epoch=EPOCHS, pick=PICKS, name=IDS, times=st.integers(1, 2))
    def intend(self, owner: str, key: Key, epoch: int, pick: int, name: str, times: int) -> None:
        owner, key, epoch = self.some(owner, key, epoch, pick)
        name = self.model.rows[key].stable_id or name if key in self.model.rows else name
        one = Intent(
            company_id=key.company_id, date=key.date, epoch=epoch, stable_id=name, channel="m", at=self.now
        )
        for _ in range(times):
            refused = self.run(self.ledger.intend_sends(owner, [one]))
            assert (refused == frozenset()) is self.model.intend(owner, one)

    @rule(owner=OWNERS, key=KEYS, epoch=EPOCHS, pick=PICKS, name=IDS, ends=ENDS)
    def end(
        self,
        owner: str,
        key: Key,
        epoch: int,
        pick: int,
        name: str,
        ends: tuple[DeliveryState, Status | None],
    ) -> None:
        owner, key, epoch = self.some(owner, key, epoch, pick)
        name = self.model.rows[key].stable_id or name if key in self.model.rows else name
        one = Outcome(
            company_id=key.company_id, date=key.date, epoch=epoch, stable_id=name, channel="m", at=self.now,
            state=ends[0], status=ends[1],
        )  # fmt: skip
        refused = self.run(self.ledger.record_outcomes(owner, [one]))
        assert (refused == frozenset()) is self.model.end(owner, one)

    @rule(
        owner=OWNERS, key=KEYS, epoch=EPOCHS, pick=PICKS, is_final=st.booleans(),
        is_attempt=st.booleans(),
    )  # fmt: skip
    def release(self, owner: str, key: Key, epoch: int, pick: int, is_final: bool, is_attempt: bool) -> None:
        owner, key, epoch = self.some(owner, key, epoch, pick)
        one = Release(
            company_id=key.company_id, date=key.date, epoch=epoch, at=self.now, is_attempt=is_attempt,
            retry_at=None if is_final else self.now + LEASE,
        )  # fmt: skip
        refused = self.run(self.ledger.release(owner, [one]))
        assert (refused == frozenset()) is self.model.release(owner, one)

    @rule(key=KEYS)
    def excuse(self, key: Key) -> None:
        refused = self.run(self.ledger.excuse([key], "a reason", self.now))
        assert (refused == frozenset()) is self.model.excuse(key)

    @rule(key=KEYS)
    def reopen(self, key: Key) -> None:
        opened = self.run(self.ledger.reopen([key], self.now, "looked into"))
        assert (opened == {key}) is self.model.reopen(key, self.now)

    @rule()
    def supersede(self) -> None:
        assert self.run(self.ledger.supersede_older(self.now)) == self.model.supersede(self.now)

    @invariant()
    def both_hold_the_same(self) -> None:
        assert self.run(self.shown()) == self.model.shown()

    async def shown(self) -> dict[Key, tuple[object, ...]]:
        found: dict[Key, tuple[object, ...]] = {}
        for on in (TODAY, TODAY + DAY):
            sends: dict[Key, list[tuple[object, ...]]] = {}
            for send in await self.ledger.sends_on(on):
                line = (send.stable_id, send.state.value, send.epoch, send.attempts)
                sends.setdefault(Key(send.company_id, on), []).append(line)
            for it in await self.ledger.obligations(on):
                out = tuple(sorted(sends.get(it.key, ()), key=str))
                found[it.key] = (it.status, it.lease_owner, it.epoch, it.attempts, it.stable_id, out)
        return found


@pytest.mark.parametrize("kind", sorted(LEDGERS))
def test_any_order_of_calls_leaves_what_the_model_says(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ledger = making(kind, tmp_path, lambda: request.getfixturevalue("postgres"))()
    with asyncio.Runner() as runner:
        runner.run(ledger.open(NOW))
        machine = type("CallsOn", (Calls,), {"ledger": ledger, "runner": runner})
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            machine,
            settings=settings(
                max_examples=EXAMPLES[kind], stateful_step_count=40, deadline=None, derandomize=True,
                database=None, suppress_health_check=list(HealthCheck),
                # To make a failure shorter would take minutes against a real database.
                phases=[Phase.generate],
            ),
        )  # fmt: skip
        runner.run(ledger.close())
