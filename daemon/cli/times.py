"""Times as people read them: in their own zone, and no longer than they have to be."""

from datetime import datetime, tzinfo

from daemon.cli.call import Call
from daemon.durations import format_duration
from state.codec import parse_time


def short(at: str | datetime | None, zone: tzinfo, now: datetime) -> str:
    """A time without what goes without saying: "22:14:05" today, "11-20 23:00", "2024-11-20" long ago."""
    if at is None:
        return "-"
    local = _time(at).astimezone(zone)
    today = now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    if abs((local.date() - today.date()).days) < 180:
        return f"{local:%m-%d %H:%M}"
    return f"{local:%Y-%m-%d}"


def shower(call: Call) -> "Shower":
    """What writes times for this call."""
    return Shower(call.zone, call.now)


class Shower:
    """Writes times of one zone, seen from one moment."""

    def __init__(self, zone: tzinfo, now: datetime) -> None:
        self._zone = zone
        self._now = now

    @property
    def zone_name(self) -> str:
        return self._now.astimezone(self._zone).tzname() or "UTC"

    def __call__(self, at: str | datetime | None) -> str:
        return short(at, self._zone, self._now)

    def ago(self, at: str | datetime | None) -> str:
        """How long ago: "4m 2s ago", or "in 3h 10m"."""
        if at is None:
            return "never"
        span = self._now - _time(at)
        if abs(span.total_seconds()) < 1:
            return "just now"
        return f"in {format_duration(-span)}" if span.total_seconds() < 0 else f"{format_duration(span)} ago"

    def between(self, start: str | datetime | None, end: str | datetime | None) -> str:
        """How long it took; "-" where one of the ends is not known."""
        return "-" if start is None or end is None else format_duration(_time(end) - _time(start))


def _time(at: str | datetime) -> datetime:
    return at if isinstance(at, datetime) else parse_time(at)
