"""What the configuration makes of the handlers: time limits and options."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.context import Context
from daemon.engine.cron import CronLine
from daemon.engine.handler import Done, Outcome, handler
from daemon.engine.plan import Plan
from daemon.engine.spec import ScheduleSpec
from state.records import Lane, Task, Trigger

SPEC = ScheduleSpec(
    name="nightly",
    handler="work",
    line=CronLine.parse("0 23 * * *", "UTC"),
    timeout=timedelta(minutes=2),
    max_attempts=1,
    lane=Lane.ALERTS,
)


@handler("work", section="digest", timeout="90s")
async def work(ctx: Context) -> Outcome:
    """Do the work.

    With a second paragraph.
    """
    return Done()


@handler("plain")
async def plain(ctx: Context) -> None:
    pass


PLAN = Plan(
    handlers={"work": work, "plain": plain}, schedules={"nightly": SPEC}, sections={"digest": "options"}
)


def task(**fields: str) -> Task:
    return Task(id="t1", scheduled_at=datetime(2026, 11, 21, tzinfo=UTC), **{"handler": "work", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "limit"),
    [
        (task(), timedelta(seconds=90)),
        (task(schedule="nightly"), timedelta(minutes=2)),
        (task(schedule="taken-out-since"), timedelta(seconds=90)),
        (task(handler="plain"), timedelta(minutes=10)),
    ],
)
def test_a_schedule_limits_its_own_tasks_and_the_handler_all_others(made: Task, limit: timedelta) -> None:
    assert PLAN.time_limit(made) == limit


def test_a_handler_is_handed_the_section_it_asked_for_and_no_other() -> None:
    assert PLAN.options_of(work) == "options"
    assert PLAN.options_of(plain) is None


@pytest.mark.parametrize(
    ("trigger", "lane"),
    [(Trigger.CRON, Lane.ALERTS), (Trigger.MANUAL, Lane.ALERTS), (Trigger.CATCH_UP, Lane.CATCH_UP)],
)
def test_what_was_missed_is_made_up_in_its_own_lane(trigger: Trigger, lane: Lane) -> None:
    assert SPEC.lane_for(trigger) is lane


def test_a_handler_is_described_by_its_first_line() -> None:
    assert work.summary == "Do the work."
    assert plain.summary == ""
