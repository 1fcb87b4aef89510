"""What a look at the beat means: plain functions from what was seen to a named answer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from daemon.watch.beat import Beat, BeatState
from daemon.watchdog.settings import Limits

# More than this between two looks, and it was this process that did not run: a machine that was
# suspended, a container that was frozen. A daemon is not to be blamed for that time.
LONGEST_LOOK_S = 5.0
# Between the wall and the monotonic clock lies the moment the machine was started. It moves when the wall
# is stepped and when the machine sleeps, and by far more than this when it is started again.
SAME_BOOT_S = 5.0
# What `state.home.holder` says where somebody holds the lock and nobody knows who.
UNKNOWN = -1


class Verdict(StrEnum):
    """How it stands with the daemon."""

    ALIVE = "alive"  # a new beat was seen
    QUIET = "quiet"  # no new beat, though not for too long
    RESTING = "resting"  # stopped in good order, not for too long
    HUNG = "hung"
    GONE = "gone"
    STOPPED = "stopped"  # stopped in good order, and for too long
    NEVER_STARTED = "never started"

    @property
    def is_bad(self) -> bool:
        return self in (Verdict.HUNG, Verdict.GONE, Verdict.STOPPED, Verdict.NEVER_STARTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known after a look at the beat file."""

    beat: Beat | None  # the newest beat ever read; None while there was none
    is_new: bool  # whether it was first seen by this look
    silence_s: float  # since a new beat was seen, in time that this process was awake
    looked_at_s: float  # monotonic


def look_again(before: Look | None, found: Beat | None, now: datetime, monotonic_s: float) -> Look:
    """Take one more look; a file that cannot be read now is a beat that did not come."""
    if before is None:
        silence_s = 0.0 if found is None else _silence_at_first(found, now, monotonic_s)
        return Look(beat=found, is_new=False, silence_s=silence_s, looked_at_s=monotonic_s)
    if found is not None and found != before.beat:
        return Look(beat=found, is_new=True, silence_s=0.0, looked_at_s=monotonic_s)
    passed_s = min(max(0.0, monotonic_s - before.looked_at_s), LONGEST_LOOK_S)
    return Look(
        beat=before.beat,
        is_new=False,
        silence_s=before.silence_s + passed_s,
        looked_at_s=monotonic_s,
    )


def judge(look: Look, holder: int | None, limits: Limits) -> Verdict:
    """Judge a look; `holder` is the process that holds the home, None where the kernel knows of none.

    The lock is asked and not the process table: a process id may long be somebody else's.
    """
    beat, silence_s = look.beat, look.silence_s
    if beat is None:
        is_long = silence_s > limits.hung_after.total_seconds()
        return Verdict.NEVER_STARTED if is_long else Verdict.QUIET
    if beat.state is BeatState.STOPPED:
        is_long = silence_s > limits.stopped_after.total_seconds()
        return Verdict.STOPPED if is_long else Verdict.RESTING
    if look.is_new:
        return Verdict.ALIVE
    if silence_s <= limits.hung_after.total_seconds():
        return Verdict.QUIET
    return Verdict.HUNG if holder is not None and holder in (beat.pid, UNKNOWN) else Verdict.GONE


def _silence_at_first(beat: Beat, now: datetime, monotonic_s: float) -> float:
    """How old a beat is that was there before us: by the monotonic clock, if the machine still runs on."""
    started_then = beat.at.timestamp() - beat.monotonic
    started_now = now.timestamp() - monotonic_s
    if abs(started_now - started_then) > SAME_BOOT_S:
        return 0.0
    return max(0.0, monotonic_s - beat.monotonic)
