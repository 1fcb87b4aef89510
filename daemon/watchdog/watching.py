"""Looks at the beat each second, and makes of what it sees the messages that are owed."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from daemon.clock import Clock
from daemon.watch.beat import read_beat
from daemon.watchdog.book import Book, Owed, channels_told
from daemon.watchdog.incident import Place, Reason, decide, follow
from daemon.watchdog.judging import Look, Verdict, judge, look_again
from daemon.watchdog.message import Kind
from daemon.watchdog.settings import ConfigRefused, Settings, read_settings
from state.home import Home, holder

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)
SETTINGS_EVERY = timedelta(seconds=2)


class Watch:
    """Judges the daemon of one home."""

    name = "watch"

    def __init__(
        self, home: Home, book: Book, clock: Clock, settings: Callable[[], Settings], tell: Callable[[], None]
    ) -> None:
        self.woken = asyncio.Event()
        self.verdict = Verdict.QUIET
        self._home = home
        self._book = book
        self._clock = clock
        self._settings = settings
        self._tell = tell
        self._look: Look | None = None

    @property
    def status(self) -> str:
        """What `systemctl status` shows."""
        open_ = "; an incident is open" if self._book.pages.incident is not None else ""
        return f"the daemon is {self.verdict}{open_}"

    async def step(self) -> datetime:
        """Look once, and say what has to be said."""
        self.look()
        return self._clock.now() + LOOK_EVERY

    def look(self) -> Verdict:
        """Take one look, and owe whatever it gives to say."""
        now = self._clock.now()
        look = look_again(self._look, read_beat(self._home.beat), now, self._clock.monotonic())
        settings, self._look = self._settings(), look
        is_long = look.silence_s > settings.limits.hung_after.total_seconds()
        # Asked only then: whoever asks has the lock for an instant, in which a daemon could not take it.
        self.verdict = judge(look, holder(self._home) if is_long else None, settings.limits)
        pages = self._book.pages
        reason = decide(pages.incident, self.verdict, now, settings.repeat_after)
        place = place_of(self._home, settings)
        incident, message = follow(pages.incident, reason, self.verdict, look, now, place, new_id)
        if message is not None:
            wanted = channels_told(pages, message.thread) if message.kind is Kind.RESOLVED else ()
            owed = (*pages.owed, Owed(message=message, wanted=wanted))
            self._book.turn(replace(pages, incident=incident, owed=owed))
            self._log(reason, message.title, message.id, look)
            self._tell()
        elif not self._book.is_saved:
            self._book.save()
        return self.verdict

    def _log(self, reason: Reason, title: str, message_id: str, look: Look) -> None:
        fields = {
            "reason": reason,
            "verdict": self.verdict,
            "message_id": message_id,
            "silence_s": round(look.silence_s, 1),
            "title": title,
        }
        is_over = reason in (Reason.RECOVERED, Reason.STOPPED_IN_ORDER)
        log.log(
            logging.INFO if is_over else logging.CRITICAL,
            "watchdog.over" if is_over else "watchdog.alert",
            extra={"fields": fields},
        )


class Config:
    """The settings as the file has them now; one that cannot be used changes nothing."""

    name = "settings"

    def __init__(
        self, path: Path | None, environ: Mapping[str, str], clock: Clock, changed: Callable[[], None]
    ) -> None:
        """Read it.

        Raises:
            ConfigRefused: it cannot be used.
        """
        self.woken = asyncio.Event()
        self._path = path
        self._environ = environ
        self._clock = clock
        self._changed = changed
        self._stamp = _stamp(path)
        self.settings = read_settings(path, environ)
        log_warnings(self.settings)

    async def step(self) -> datetime:
        """Read the file again if it is another one."""
        stamp = _stamp(self._path)
        # A file that is gone is no new config: the last one stays, and with it whom to tell.
        if stamp is not None and stamp != self._stamp:
            self._stamp = stamp
            self._read()
        return self._clock.now() + SETTINGS_EVERY

    def _read(self) -> None:
        try:
            self.settings = read_settings(self._path, self._environ)
        except ConfigRefused as error:
            log.error("watchdog.config-refused", extra={"fields": {"error": str(error)}})  # noqa: TRY400
            return
        names = [channel.name for channel in self.settings.channels]
        log.info("watchdog.config-read", extra={"fields": {"channels": names}})
        log_warnings(self.settings)
        self._changed()


def log_warnings(settings: Settings) -> None:
    """Say what was left out of the config, and why."""
    for warning in settings.warnings:
        log.warning("watchdog.config-warning", extra={"fields": {"problem": warning}})


def place_of(home: Home, settings: Settings) -> Place:
    """Where it happens."""
    host = socket.gethostname() or "an unnamed machine"
    return Place(host=host, home=str(home.folder), app_url=settings.app_url)


def new_id() -> str:
    """An id for an incident, on no other machine and at no other time the same."""
    return f"watchdog-{secrets.token_hex(8)}"


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
