"""Silences: somebody's word that what matches is not to be told for a while. Each one ends by itself."""

import logging
import re
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache

from daemon.clock import Clock
from daemon.dispatch.inhibition import UNMUTABLE, is_unmutable
from state.records import Alert, Silence, replace
from state.store import Store

log = logging.getLogger(__name__)

LONGEST = timedelta(hours=24)
LONGEST_MATCH = 300
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Silences:
    """All silences there are, active or ended lately."""

    def __init__(self, store: Store, clock: Clock, note: Callable[..., None]) -> None:
        self._store = store
        self._clock = clock
        self._note = note  # into the journal of alerts

    def active(self, now: datetime) -> list[Silence]:
        """Those in force, the oldest first."""
        return [it for it in self._store.silences.values() if it.ends_at > now]

    def of(self, alert: Alert, now: datetime) -> Silence | None:
        """The silence that mutes an alert now."""
        return muting(self.active(now), alert)

    async def add(self, match: str, ends_at: datetime, reason: str, owner: str) -> Silence:
        """Begin a silence; it is durable when this returns.

        Raises:
            ValueError: the match is none, mutes what may not be muted, or it would last over 24 hours.
            StoreError: it was not stored.
        """
        now = self._clock.now()
        conditions = parse_match(match)
        if ends_at - now > LONGEST:
            raise ValueError(
                "a silence ends within 24 hours; make it shorter, and renew it if it is still needed"
            )
        for key, glob in conditions:
            if key == "name" and is_unmutable(glob):
                raise ValueError(
                    f"{match}: {', '.join(UNMUTABLE)} cannot be silenced; acknowledge the alert: "
                    "nightdesk alerts ack ID"
                )
        silence = Silence(
            id=f"silence-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}",
            match=match.strip(),
            owner=owner,
            reason=reason,
            created_at=now,
            ends_at=ends_at,
        )
        await self._store.commit(silence)
        fields = {"silence": silence.id, "match": match, "owner": owner, "reason": reason, "ends_at": ends_at}
        log.info("silence.began", extra={"fields": fields})
        self._note("silenced", **fields)
        return silence

    async def end(self, silence_id: str, by: str) -> Silence:
        """End a silence before its time.

        Raises:
            KeyError: none of that id is in force.
            StoreError: it goes on.
        """
        now = self._clock.now()
        known = {it.id: it for it in self.active(now)}[silence_id]
        ended = replace(known, ends_at=now, ended_by=by)
        await self._store.commit(ended)
        log.info("silence.ended", extra={"fields": {"silence": silence_id, "by": by}})
        self._note("silence-ended", silence=silence_id, by=by)
        return ended


def muting(silences: Iterable[Silence], alert: Alert) -> Silence | None:
    """The first of these silences that mutes an alert."""
    if is_unmutable(alert.name):
        return None
    return next((it for it in silences if covers(it.match, alert)), None)


@lru_cache(maxsize=256)
def parse_match(match: str) -> tuple[tuple[str, str], ...]:
    """Read a match: the name of an alert, or `label=value`, with globs; several are parted by commas.

    Raises:
        ValueError: it is none.
    """
    parts = [part.strip() for part in match.split(",")]
    if len(match) > LONGEST_MATCH or not match.isprintable() or not all(parts):
        raise ValueError(
            'a match is the name of an alert, as "task.failed", or a label, as "handler=nightly-*"'
        )
    conditions = []
    for part in parts:
        key, sign, value = part.partition("=")
        if sign and not (_LABEL.fullmatch(key.strip()) and value.strip()):
            raise ValueError(f'"{part}" is no condition; write it as label=value')
        conditions.append((key.strip(), value.strip()) if sign else ("name", part))
    if all(not glob.strip("*?") for _, glob in conditions):
        raise ValueError(f'"{match}" matches everything; name what is to be silent')
    return tuple(conditions)


def covers(match: str, alert: Alert) -> bool:
    """Whether all conditions of a match hold for an alert."""
    labels = {**alert.labels, "name": alert.name, "severity": alert.severity.value}
    return all(key in labels and fnmatchcase(labels[key], glob) for key, glob in parse_match(match))


def ageing(silences: Iterable[Silence], now: datetime) -> list[str]:
    """A line for each silence in force, so that none is forgotten: what, by whom, why, until when."""
    return [
        f"{it.match} by {it.owner}, {it.reason}, until {it.ends_at:%Y-%m-%d %H:%M} UTC"
        for it in silences
        if it.ends_at > now
    ]
