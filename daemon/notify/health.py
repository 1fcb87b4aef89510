"""How each channel fares: what its last sends came to, and since when."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from state.records import Delivery, DeliveryState

# So many sends in a row that came to nothing make a channel count as failing; one refusal makes it dead.
FAILING_AFTER = 2


class Condition(StrEnum):
    """What a channel's last sends say of it."""

    UNTRIED = "untried"
    OK = "ok"
    FAILING = "failing"  # not reached, or no answer, several times in a row: it may come back by itself
    DEAD = "dead"  # refused for good: somebody has to do something


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """One channel, as its last sends have left it."""

    state: Condition = Condition.UNTRIED
    since: datetime | None = None  # when it got into this state
    error: str | None = None
    last_ok_at: datetime | None = None
    failures: int = 0  # in a row

    @property
    def is_down(self) -> bool:
        return self.state in (Condition.FAILING, Condition.DEAD)


class HealthBook:
    """Remembers the health of every channel, as long as the process lives and the channel is configured."""

    def __init__(self, names: Iterable[str]) -> None:
        self._health = {name: ChannelHealth() for name in names}
        self.on_change: Callable[[str, ChannelHealth], None] = lambda _name, _health: None

    @property
    def health(self) -> Mapping[str, ChannelHealth]:
        """Every channel by name."""
        return self._health

    def note(self, ended: Delivery, now: datetime) -> None:
        """Take the outcome of one send into account."""
        before = self._health[ended.channel]
        after = judged(before, ended, now)
        self._health[ended.channel] = after
        if after.state is not before.state:
            self.on_change(ended.channel, after)


def judged(before: ChannelHealth, ended: Delivery, now: datetime) -> ChannelHealth:
    """What a channel's health is after one more send."""
    if ended.state is DeliveryState.DELIVERED:
        since = before.since if before.state is Condition.OK else now
        return ChannelHealth(state=Condition.OK, since=since, last_ok_at=now)
    failures = before.failures + 1
    if ended.state is DeliveryState.FAILED:
        state = Condition.DEAD
    elif failures >= FAILING_AFTER:
        state = Condition.FAILING
    else:
        return replace(before, failures=failures, error=ended.error)
    since = before.since if before.state is state else now
    return replace(before, state=state, since=since, failures=failures, error=ended.error)
