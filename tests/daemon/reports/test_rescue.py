"""Emergency plans carried out: a few first, then the rest, each company once, wherever it is cut off."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.context import Context
from daemon.engine.handler import Done
from daemon.operations import Operations, Unfit, Unknown
from daemon.reports.rescue import Rescue
from state.ledger.errors import LedgerDown
from state.ledger.records import PlanState, Status
from tests.contracts.ledgers import DAY
from tests.daemon.reports.owing import TODAY, Office, companies

NAMES = tuple(f"c{number:02}" for number in range(30))
REASON = "the night was lost"


class Bureau(Office):
    """An office whose writer is quick, and counts what it has sent."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sent: Counter[str] = Counter()
        self.ends = Status.DELIVERED
        self.house.handlers.clear()
        self.house.add_handler("write-reports", self._write_reports)

    async def _write_reports(self, ctx: Context) -> Done:
        taken = await self.write(status=self.ends, plan_id=ctx.task.args["planId"])
        self.sent.update(it.company_id for it in taken)
        return Done(reports=len(taken))

    async def open_for_work(self) -> None:
        """Open it, and have tasks be begun."""
        app = await self.house.open()
        app.is_ready = True
        app.parts[:] = [it for it in app.parts if not isinstance(it, Rescue)] + [self.rescue()]

    def rescue(self) -> Rescue:
        app, house = self.app, self.house
        return Rescue(
            self.ledger, app.store, app.alerts, house.clock, lambda: house.config, app.queue.enqueue, "me"
        )

    @property
    def asked(self) -> Operations:
        return Operations(self.app)

    async def trigger(self, **about: Any) -> dict[str, Any]:
        return await self.asked.emergency.trigger(**{"reason": REASON, "owner": "eve", **about})

    async def go_on(self, rescue: Rescue | None = None, steps: int = 12) -> None:
        """Step until nothing is to be done any more, and let the tasks end meanwhile."""
        part = rescue or self.rescue()
        for _ in range(steps):
            await part.step()
            await self.tasks_end()
            await self.house.clock.advance(seconds=5)

    async def tasks_end(self) -> None:
        for task in self.tasks():
            await asyncio.wait_for(self.app.worker.wait_for(task.id), 10)

    async def state_of(self, plan_id: str) -> str:
        plan = await self.ledger.plan_of(plan_id)
        assert plan is not None
        return plan.state.value


@pytest.fixture
async def bureau(tmp_path: Path) -> AsyncIterator[Bureau]:
    made = Bureau(tmp_path)
    await made.open_for_work()
    await made.roster(*companies(*NAMES))
    yield made
    await made.house.close()


async def test_what_failed_and_what_nobody_planned_is_sent_and_nothing_else(bureau: Bureau) -> None:
    await bureau.plan(*NAMES[:20])
    await bureau.write(*NAMES[:10])
    await bureau.write(*NAMES[10:20], status=Status.FAILED)
    made = await bureau.trigger()
    assert made["counts"] == {
        "willSend": 20, "alreadyDelivered": 10, "sentAgain": 0, "excused": 0, "unknown": 0, "notDueYet": 0,
    }  # fmt: skip
    await bureau.go_on()
    shown = await bureau.asked.emergency.show(made["planId"])
    assert shown["state"] == "done"
    assert shown["counts"]["outcome"]["delivered"] == 20
    assert bureau.sent == Counter(NAMES[10:])


async def test_a_few_go_first(bureau: Bureau) -> None:
    made = await bureau.trigger()
    assert made["state"] == "canary"
    assert made["taskId"] is not None
    await bureau.tasks_end()
    assert sum(bureau.sent.values()) == 2


async def test_a_dry_run_counts_and_keeps_nothing(bureau: Bureau) -> None:
    made = await bureau.trigger(is_dry=True)
    assert made["planId"] is None
    assert made["counts"]["willSend"] == 30
    await bureau.go_on(steps=2)
    assert (bureau.sent, await bureau.ledger.plans()) == (Counter(), [])


async def test_pressed_ten_times_at_once_in_the_middle_of_a_run_each_company_gets_one(
    bureau: Bureau,
) -> None:
    await bureau.plan(*NAMES)
    await bureau.write(*NAMES[:12])
    taken = await bureau.write(*NAMES[12:15], status=Status.LEASED)
    answers = await asyncio.gather(*[bureau.trigger() for _ in range(10)])
    assert len({it["planId"] for it in answers}) == 1
    assert sorted(it["duplicate"] for it in answers) == [False] + [True] * 9
    await bureau.go_on(steps=4)
    await bureau.house.clock.advance(minutes=2)
    await bureau.go_on()
    assert bureau.sent == Counter(NAMES[12:]), f"{len(taken)} were taken over when their lease ran out"
    assert await bureau.state_of(answers[0]["planId"]) == "done"
    assert len([it for it in await bureau.ledger.audit() if it.action == "emergency.trigger"]) == 10


async def test_cancelled_within_its_delay_it_sends_nothing(bureau: Bureau) -> None:
    made = await bureau.trigger(delay_minutes=10)
    assert made["state"] == "waiting"
    await bureau.go_on(steps=3)
    cancelled = await bureau.asked.emergency.cancel(made["planId"], "eve")
    assert cancelled["state"] == "cancelled"
    assert (await bureau.asked.emergency.cancel(made["planId"], "eve"))["state"] == "cancelled"
    await bureau.house.clock.advance(minutes=15)
    await bureau.go_on()
    assert bureau.sent == Counter()


async def test_after_its_delay_it_begins(bureau: Bureau) -> None:
    made = await bureau.trigger(delay_minutes=10)
    await bureau.house.clock.advance(minutes=10)
    await bureau.go_on()
    assert await bureau.state_of(made["planId"]) == "done"
    assert bureau.sent == Counter(NAMES)
    with pytest.raises(Unfit, match="is done; only one that waits can be cancelled"):
        await bureau.asked.emergency.cancel(made["planId"], "eve")


async def test_a_force_sends_again_once_what_the_first_plan_has_shown(bureau: Bureau) -> None:
    await bureau.plan(*NAMES)
    await bureau.write()
    first = await bureau.trigger()
    await bureau.go_on(steps=2)
    assert (await bureau.state_of(first["planId"]), bureau.sent) == ("done", Counter())
    forced = await bureau.trigger(force_of=first["planId"])
    assert forced["counts"]["sentAgain"] == 30
    again = await bureau.trigger(force_of=first["planId"])
    assert again["planId"] == forced["planId"]
    await bureau.go_on()
    assert await bureau.state_of(forced["planId"]) == "done"
    assert bureau.sent == Counter(NAMES)


async def test_what_arrives_while_a_force_waits_is_not_sent_twice(bureau: Bureau) -> None:
    await bureau.plan(*NAMES)
    await bureau.write(*NAMES[:10])
    first = await bureau.trigger(delay_minutes=5)
    forced = await bureau.trigger(force_of=first["planId"], delay_minutes=1)
    assert forced["counts"]["sentAgain"] == 10
    await bureau.asked.emergency.cancel(first["planId"], "eve")
    await bureau.house.clock.advance(seconds=30)
    await bureau.write(*NAMES[10:20])
    await bureau.house.clock.advance(seconds=30)
    await bureau.go_on()
    assert await bureau.state_of(forced["planId"]) == "done"
    assert bureau.sent == Counter(NAMES[:10] + NAMES[20:])


async def test_a_force_needs_a_plan_for_the_same(bureau: Bureau) -> None:
    await bureau.plan(*NAMES)
    await bureau.write()
    first = await bureau.trigger(company_id="c01")
    with pytest.raises(Unfit, match="was for another company or date"):
        await bureau.trigger(force_of=first["planId"])
    with pytest.raises(Unfit, match='there is no plan "plan-x"'):
        await bureau.trigger(force_of="plan-x")


async def test_one_company_is_helped_alone(bureau: Bureau) -> None:
    made = await bureau.trigger(company_id="c05")
    assert made["counts"]["willSend"] == 1
    await bureau.go_on()
    assert await bureau.state_of(made["planId"]) == "done"
    assert bureau.sent == Counter(["c05"])


async def test_reports_of_a_day_before_anybody_joined_are_made_for_the_asking(bureau: Bureau) -> None:
    long_ago = TODAY - 4000 * DAY
    made = await bureau.trigger(day=long_ago)
    assert made["counts"]["willSend"] == 30
    await bureau.go_on()
    assert await bureau.state_of(made["planId"]) == "done"
    assert bureau.sent == Counter(NAMES)
    assert set((await bureau.standing(long_ago)).values()) == {"delivered"}
    again = await bureau.trigger(day=long_ago, key="once more")
    await bureau.go_on(steps=2)
    assert (again["counts"]["willSend"], again["counts"]["alreadyDelivered"]) == (0, 30)
    assert sum(bureau.sent.values()) == 30


async def test_it_stops_where_the_first_ones_fail(bureau: Bureau) -> None:
    bureau.ends = Status.FAILED
    made = await bureau.trigger()
    await bureau.go_on()
    assert await bureau.state_of(made["planId"]) == "stopped"
    assert sum(bureau.sent.values()) == 2, "nobody but the first few was tried"
    alert = bureau.alert("plan.stopped")
    assert alert is not None
    assert alert.labels == {"plan": made["planId"]}


async def test_reports_that_are_not_due_yet_are_not_hurried(bureau: Bureau) -> None:
    await bureau.plan(*NAMES, on=TODAY + DAY)
    made = await bureau.trigger(day=TODAY + DAY)
    assert (made["counts"]["willSend"], made["counts"]["notDueYet"]) == (0, 30)
    await bureau.go_on()
    assert (await bureau.state_of(made["planId"]), bureau.sent) == ("done", Counter())


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"reason": " "}, Unfit, "reason: say why"),
    ({"company_id": "nobody"}, Unknown, 'there is no company "nobody"'),
    ({"day": TODAY + 5 * DAY}, Unfit, "has not begun anywhere"),
    ({"delay_minutes": 100_000}, Unfit, "delayMinutes: from 0 to 1440"),
    ({"owner": ""}, Unfit, "owner"),
]


@pytest.mark.parametrize(("about", "kind", "said"), MISTAKES, ids=[next(iter(it[0])) for it in MISTAKES])
async def test_what_makes_no_sense_is_refused(
    bureau: Bureau, about: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await bureau.trigger(**about)
    assert await bureau.ledger.plans() == []


async def test_a_plan_that_is_not_there_is_named(bureau: Bureau) -> None:
    with pytest.raises(Unknown, match='there is no plan "plan-x"'):
        await bureau.asked.emergency.show("plan-x")


async def test_only_one_process_carries_plans_out(bureau: Bureau) -> None:
    await bureau.ledger.lead("emergency", "another", bureau.now, DAY)
    made = await bureau.trigger()
    await bureau.go_on(steps=3)
    assert (await bureau.state_of(made["planId"]), bureau.sent) == (PlanState.WAITING.value, Counter())


async def test_without_a_daemon_it_is_carried_out_in_this_process(bureau: Bureau) -> None:
    bureau.app.is_ready = False
    made = await bureau.trigger()
    assert made["state"] == "waiting"
    ended = await asyncio.wait_for(bureau.asked.emergency.drive(made["planId"]), 20)
    assert ended["state"] == "done"
    assert bureau.sent == Counter(NAMES)


CALLS = ("lead", "move_plan", "reopen", "force", "bind_plan", "plan", "mark_due")


class Cut:
    """Fails one call of the ledger, before or after it has done its work."""

    def __init__(self, call: Callable[..., Awaitable[Any]], nth: int, *, is_after: bool) -> None:
        self._call = call
        self._left = nth
        self._is_after = is_after

    async def __call__(self, *args: Any, **named: Any) -> Any:
        self._left -= 1
        if self._left or self._is_after:
            answer = await self._call(*args, **named)
            if self._left:
                return answer
        raise LedgerDown("cut off")


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("is_forced", [False, True], ids=["ensure", "force"])
@pytest.mark.parametrize("call", CALLS)
async def test_cut_off_anywhere_it_goes_on_and_each_company_gets_one(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, call: str, is_forced: bool, is_after: bool
) -> None:
    await bureau.plan(*NAMES[:20])
    await bureau.write(*NAMES[:20], status=Status.DELIVERED if is_forced else Status.FAILED)
    bureau.app.is_ready = False
    first = await bureau.trigger()
    if is_forced:
        await bureau.ledger.move_plan(first["planId"], list(PlanState), PlanState.CANCELLED, bureau.now)
        first = await bureau.trigger(force_of=first["planId"])
    plain = getattr(bureau.ledger, call)
    for nth in (1, 2, 3):
        # Each cut is followed by a process that knows nothing of the one before.
        monkeypatch.setattr(bureau.ledger, call, Cut(plain, nth, is_after=is_after))
        await bureau.go_on(bureau.rescue(), steps=2)
    monkeypatch.setattr(bureau.ledger, call, plain)
    await bureau.go_on()
    assert await bureau.state_of(first["planId"]) == "done"
    assert bureau.sent == Counter(NAMES)
