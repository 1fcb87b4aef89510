"""Many time limits, one timer: each is kept to, none is heard of once it was cancelled."""

import asyncio
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.clock import VirtualClock
from daemon.engine.deadlines import Deadlines


async def test_each_call_is_made_at_its_own_time_whatever_the_order() -> None:
    clock, made = VirtualClock(datetime(2026, 11, 21, tzinfo=UTC)), []
    deadlines = Deadlines(clock)
    for delay_s in (30, 10, 20, 10):
        deadlines.call_later(delay_s, lambda delay_s=delay_s: made.append((delay_s, clock.monotonic())))

    await clock.advance(seconds=60)

    assert made == [(10, 10), (10, 10), (20, 20), (30, 30)]


async def test_a_cancelled_call_is_not_made_and_those_behind_it_are() -> None:
    clock, made = VirtualClock(datetime(2026, 11, 21, tzinfo=UTC)), []
    deadlines = Deadlines(clock)
    first = deadlines.call_later(10, lambda: made.append("first"))
    await clock.advance(seconds=1)
    deadlines.call_later(10, lambda: made.append("second"))
    first.cancel()

    await clock.advance(seconds=10)

    assert made == ["second"]


async def test_one_call_may_cancel_another_that_is_due_with_it() -> None:
    clock, made = VirtualClock(datetime(2026, 11, 21, tzinfo=UTC)), []
    deadlines = Deadlines(clock)
    deadlines.call_later(10, lambda: second.cancel())
    second = deadlines.call_later(10, lambda: made.append("second"))

    await clock.advance(seconds=20)

    assert made == []


async def test_a_call_may_ask_for_the_next_one() -> None:
    clock, made = VirtualClock(datetime(2026, 11, 21, tzinfo=UTC)), []
    deadlines = Deadlines(clock)

    def again() -> None:
        made.append(clock.monotonic())
        if len(made) < 3:
            deadlines.call_later(5, again)

    deadlines.call_later(5, again)
    await clock.advance(seconds=60)

    assert made == [5, 10, 15]


async def test_to_cancel_after_the_call_was_made_does_nothing() -> None:
    clock, made = VirtualClock(datetime(2026, 11, 21, tzinfo=UTC)), []
    deadline = Deadlines(clock).call_later(1, lambda: made.append("made"))
    await clock.advance(seconds=2)

    deadline.cancel()
    deadline.cancel()

    assert made == ["made"]


ORDERS = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from([1.0, 2.5, 7.0, 30.0]), st.none() | st.integers(0, 40)),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(orders=ORDERS)
def test_it_does_what_a_timer_for_each_would_do(orders: list[tuple[int, float, int | None]]) -> None:
    """Set at one second, with a delay, and cancelled at another second or never."""

    async def made_by(*, is_shared: bool) -> list[tuple[int, float]]:
        clock = VirtualClock(datetime(2026, 11, 21, tzinfo=UTC))
        timers = Deadlines(clock) if is_shared else clock
        made: list[tuple[int, float]] = []
        pending = {}
        for second in range(80):
            for number, (set_at, delay_s, cancelled_at) in enumerate(orders):
                if set_at == second:
                    pending[number] = timers.call_later(
                        delay_s, lambda number=number: made.append((number, clock.monotonic()))
                    )
                if cancelled_at == second and number in pending:
                    pending[number].cancel()
            await clock.advance(seconds=1)
        return sorted(made)

    assert asyncio.run(made_by(is_shared=True)) == asyncio.run(made_by(is_shared=False))
