"""What a look at the beat means, whatever the clocks and the machine do meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daemon.watch.beat import Beat, BeatState
from daemon.watchdog.judging import LONGEST_LOOK_S, UNKNOWN, Look, Verdict, judge, look_again
from daemon.watchdog.settings import Limits

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
BEAT = Beat(
    pid=4711,
    boot_id="ab12",
    at=NOW,
    monotonic=1000.0,
    state=BeatState.RUNNING,
    started_at=NOW,
    in_flight=0,
)
STOPPED = replace(BEAT, state=BeatState.STOPPED)
LIMITS = Limits(hung_after=timedelta(seconds=45), stopped_after=timedelta(minutes=10))


def look(beat: Beat | None, silence_s: float, *, is_new: bool = False) -> Look:
    return Look(beat=beat, is_new=is_new, silence_s=silence_s, looked_at_s=0.0)


def later(beat: Beat, seconds: float) -> Beat:
    return replace(beat, at=beat.at + timedelta(seconds=seconds), monotonic=beat.monotonic + seconds)


def watched(*found: Beat | None, step_s: float = 1.0, wall_step_s: float = 1.0) -> Look:
    """A look at each of these, so long after the one before."""
    seen: Look | None = None
    for number, beat in enumerate(found):
        wall = NOW + timedelta(seconds=number * wall_step_s)
        seen = look_again(seen, beat, wall, 1000.0 + number * step_s)
    assert seen is not None
    return seen


@pytest.mark.parametrize(
    ("seen", "holder", "verdict"),
    [
        (look(BEAT, 0, is_new=True), None, Verdict.ALIVE),
        (look(BEAT, 0), None, Verdict.QUIET),
        (look(BEAT, 45), None, Verdict.QUIET),
        (look(BEAT, 45.1), 4711, Verdict.HUNG),
        (look(BEAT, 45.1), UNKNOWN, Verdict.HUNG),
        (look(BEAT, 45.1), None, Verdict.GONE),
        (look(BEAT, 45.1), 4712, Verdict.GONE),  # somebody else has its home, or its process id
        (look(replace(BEAT, state=BeatState.STOPPING), 45.1), 4711, Verdict.HUNG),
        (look(replace(BEAT, state=BeatState.STOPPING), 0, is_new=True), 4711, Verdict.ALIVE),
        (look(STOPPED, 0, is_new=True), None, Verdict.RESTING),
        (look(STOPPED, 599), None, Verdict.RESTING),
        (look(STOPPED, 601), None, Verdict.STOPPED),
        (look(None, 45), None, Verdict.QUIET),
        (look(None, 45.1), None, Verdict.NEVER_STARTED),
    ],
    ids=lambda value: str(value) if isinstance(value, Verdict) else "",
)
def test_the_verdict(seen: Look, holder: int | None, verdict: Verdict) -> None:
    assert judge(seen, holder, LIMITS) is verdict


def test_every_new_beat_ends_the_silence() -> None:
    seen = watched(BEAT, later(BEAT, 1), later(BEAT, 2))
    assert (seen.is_new, seen.silence_s) == (True, 0.0)


def test_silence_is_counted_while_the_same_beat_stands() -> None:
    assert watched(*[BEAT] * 47).silence_s == pytest.approx(46.0)


def test_a_beat_that_cannot_be_read_did_not_come_and_the_last_one_is_kept() -> None:
    seen = watched(BEAT, later(BEAT, 1), None, None)
    assert (seen.beat, seen.silence_s) == (later(BEAT, 1), 2.0)


@pytest.mark.parametrize("wall_step_s", [-3600.0, 3600.0], ids=["back", "forward"])
def test_a_stepped_wall_clock_changes_nothing(wall_step_s: float) -> None:
    alive = watched(BEAT, later(BEAT, 1), later(BEAT, 2), wall_step_s=wall_step_s)
    silent = watched(*[BEAT] * 10, wall_step_s=wall_step_s)
    assert (alive.silence_s, silent.silence_s) == (0.0, 9.0)


def test_time_in_which_the_watchdog_itself_did_not_run_is_not_counted() -> None:
    # The machine was frozen for ten hours together with both: the daemon has had no chance to beat.
    seen = watched(BEAT, BEAT, step_s=36_000)
    assert seen.silence_s == LONGEST_LOOK_S
    assert judge(seen, 4711, LIMITS) is Verdict.QUIET


def test_a_clock_that_is_said_never_to_step_back_is_not_believed() -> None:
    assert watched(BEAT, BEAT, BEAT, step_s=-100.0).silence_s == 0.0


def test_a_watchdog_that_is_started_anew_counts_the_silence_from_the_beat() -> None:
    seen = look_again(None, BEAT, NOW + timedelta(seconds=60), 1060.0)
    assert seen.silence_s == pytest.approx(60.0)
    assert judge(seen, None, LIMITS) is Verdict.GONE


@pytest.mark.parametrize(
    ("wall_s", "monotonic_s"),
    [(500.0, 30.0), (86_400.0, 1060.0), (-3600.0, 1060.0), (0.0, 10.0)],
    ids=["restarted", "restarted and as old", "clock stepped", "both"],
)
def test_a_beat_of_before_the_machine_was_restarted_is_given_its_time(
    wall_s: float, monotonic_s: float
) -> None:
    seen = look_again(None, BEAT, NOW + timedelta(seconds=wall_s), monotonic_s)
    assert seen.silence_s == 0.0


def test_a_machine_that_was_suspended_is_given_its_time() -> None:
    # The monotonic clock stands still meanwhile, the wall clock does not.
    seen = look_again(None, BEAT, NOW + timedelta(hours=8), 1002.0)
    assert judge(seen, 4711, LIMITS) is Verdict.QUIET


def test_the_first_look_calls_nobody_alive() -> None:
    assert judge(watched(BEAT), 4711, LIMITS) is Verdict.QUIET
