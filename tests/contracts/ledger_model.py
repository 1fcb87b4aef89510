"""The ledger's promises as a plain dictionary: what the real ones are compared with, step by step."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from state.ledger.records import Held, Intent, Key, Obligation, Outcome, Produced, Release, Status
from state.records import DeliveryState

WORKED_ON = (Status.LEASED, Status.PRODUCED, Status.SENT)


@dataclass
class Owed:
    """One obligation, and the one message that may leave for it."""

    due_at: datetime
    deadline_at: datetime
    status: Status = Status.PLANNED
    ready_at: datetime | None = None
    owner: str | None = None
    epoch: int = 0
    attempts: int = 0
    stable_id: str | None = None
    sends: dict[str, "Sent"] = field(default_factory=dict)


@dataclass
class Sent:
    """What is known of one message."""

    state: DeliveryState
    epoch: int
    attempts: int = 1


class Model:
    """Does at once and in memory what a ledger does."""

    def __init__(self) -> None:
        self.rows: dict[Key, Owed] = {}

    def shown(self) -> dict[Key, tuple[object, ...]]:
        return {
            key: (it.status, it.owner, it.epoch, it.attempts, it.stable_id, _sends(it))
            for key, it in self.rows.items()
        }

    def plan(self, obligations: list[Obligation]) -> int:
        new = [one for one in obligations if one.key not in self.rows]
        for one in new:
            self.rows[one.key] = Owed(one.due_at, one.deadline_at, ready_at=one.due_at)
        return len(new)

    def mark_due(self, now: datetime) -> int:
        coming = [it for it in self.rows.values() if it.status is Status.PLANNED and it.due_at <= now]
        for it in coming:
            it.status = Status.DUE
        return len(coming)

    def claim(self, owner: str, now: datetime, lease_for: timedelta, limit: int) -> list[Key]:
        taken: list[Key] = []
        while not taken:
            ready = [key for key, it in self.rows.items() if it.ready_at is not None and it.ready_at <= now]
            ready.sort(key=lambda key: (self.rows[key].deadline_at, key.company_id))
            if not ready:
                break
            for key in ready[:limit]:
                it = self.rows[key]
                if it.status is Status.SENT:
                    self._lose(it)
                else:
                    it.status, it.owner, it.ready_at = Status.LEASED, owner, now + lease_for
                    it.epoch, it.attempts = it.epoch + 1, it.attempts + 1
                    taken.append(key)
        return taken

    def _lose(self, it: Owed) -> None:
        it.status, it.ready_at = Status.UNKNOWN, None
        for send in it.sends.values():
            if send.state is DeliveryState.INTENDED:
                send.state = DeliveryState.UNKNOWN

    def _holds(self, owner: str, key: Key, epoch: int, statuses: tuple[Status, ...]) -> bool:
        it = self.rows.get(key)
        return it is not None and (it.owner, it.epoch) == (owner, epoch) and it.status in statuses

    def renew(self, owner: str, one: Held, now: datetime, lease_for: timedelta) -> bool:
        if not self._holds(owner, one.key, one.epoch, WORKED_ON):
            return False
        self.rows[one.key].ready_at = now + lease_for
        return True

    def produced(self, owner: str, one: Produced) -> bool:
        key = Key(one.company_id, one.date)
        if not self._holds(owner, key, one.epoch, (Status.LEASED, Status.PRODUCED)):
            return False
        self.rows[key].status, self.rows[key].stable_id = Status.PRODUCED, one.stable_id
        return True

    def intend(self, owner: str, one: Intent) -> bool:
        key = Key(one.company_id, one.date)
        if not self._holds(owner, key, one.epoch, (Status.PRODUCED, Status.SENT)):
            return False
        it = self.rows[key]
        send = it.sends.get(one.stable_id)
        if it.stable_id != one.stable_id or (send and send.state is DeliveryState.DELIVERED):
            return False
        it.status = Status.SENT
        if send is None:
            it.sends[one.stable_id] = Sent(DeliveryState.INTENDED, one.epoch)
        else:
            is_repeated = (send.state, send.epoch) == (DeliveryState.INTENDED, one.epoch)
            attempts = send.attempts + (0 if is_repeated else 1)
            it.sends[one.stable_id] = Sent(DeliveryState.INTENDED, one.epoch, attempts)
        return True

    def end(self, owner: str, one: Outcome) -> bool:
        key = Key(one.company_id, one.date)
        if not self._holds(owner, key, one.epoch, tuple(Status)):
            return False
        it = self.rows[key]
        send = it.sends.get(one.stable_id)
        answered = (DeliveryState.INTENDED, DeliveryState.UNKNOWN, one.state)
        if send is None or send.epoch != one.epoch or send.state not in answered:
            return False
        send.state = one.state
        awaited = (Status.SENT, Status.UNKNOWN)
        is_truth = it.status is Status.DUE and one.state is DeliveryState.DELIVERED
        if one.status is not None and (it.status in awaited or is_truth):
            it.status, it.ready_at = one.status, None
        return True

    def release(self, owner: str, one: Release) -> bool:
        key = Key(one.company_id, one.date)
        goal = Status.FAILED if one.retry_at is None else Status.DUE
        if not self._holds(owner, key, one.epoch, (*WORKED_ON, goal)):
            return False
        it = self.rows[key]
        if it.status is goal:
            return True
        waits = (DeliveryState.INTENDED, DeliveryState.UNKNOWN)
        if it.status is Status.SENT and any(
            s.state in waits and s.epoch == it.epoch for s in it.sends.values()
        ):
            return False
        it.status, it.ready_at = goal, one.retry_at
        it.attempts -= 0 if one.is_attempt else 1
        return True

    def excuse(self, key: Key) -> bool:
        it = self.rows.get(key)
        can = (Status.PLANNED, Status.DUE, Status.LEASED, Status.PRODUCED, Status.FAILED)
        if it is not None and it.status in can:
            it.status, it.ready_at, it.epoch = Status.EXCUSED, None, it.epoch + 1
        return it is not None and it.status is Status.EXCUSED

    def reopen(self, key: Key, now: datetime) -> bool:
        it = self.rows.get(key)
        if it is None or it.status not in (Status.FAILED, Status.UNKNOWN):
            return False
        it.status, it.ready_at = Status.DUE, now
        return True

    def supersede(self, now: datetime) -> int:
        due = {key: it for key, it in self.rows.items() if it.due_at <= now}
        older = [
            it for key, it in due.items()
            if it.status in (Status.PLANNED, Status.DUE)
            and any(other.company_id == key.company_id and other.date > key.date for other in due)
        ]  # fmt: skip
        for it in older:
            it.status, it.ready_at, it.epoch = Status.EXCUSED, None, it.epoch + 1
        return len(older)


def _sends(it: Owed) -> tuple[object, ...]:
    return tuple(sorted((name, s.state.value, s.epoch, s.attempts) for name, s in it.sends.items()))
