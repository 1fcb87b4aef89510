"""The second process: its loop, its signals, and its one-time errands."""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from daemon import __version__
from daemon.clock import SystemClock
from daemon.loops import repeat
from daemon.watch.beat import read_beat
from daemon.watch.systemd import Systemd, SystemdBeat
from daemon.watchdog.book import Book, Owed, Pages
from daemon.watchdog.incident import TITLES
from daemon.watchdog.judging import Verdict, judge, look_again
from daemon.watchdog.message import Kind, Message
from daemon.watchdog.senders.base import NotProved
from daemon.watchdog.settings import ConfigRefused, Settings, read_settings
from daemon.watchdog.telling import AGAIN_AFTER, Teller
from daemon.watchdog.watching import Config, Watch, log_warnings, new_id, place_of
from state.home import Home, holder

log = logging.getLogger(__name__)

# An errand gives up after this long: whoever asked for it waits, and the watchdog itself is there too.
LONGEST_ERRAND = timedelta(minutes=10)
# What systemd hands to the unit that OnFailure= names (systemd 251 and later), and what people call it.
MONITOR = {
    "MONITOR_SERVICE_RESULT": "Result",
    "MONITOR_EXIT_CODE": "Ended by",
    "MONITOR_EXIT_STATUS": "Exit status",
}
MEANINGS = {
    "65": "the state cannot be read: nightdesk state verify",
    "75": "another daemon holds this home: nightdesk status",
    "78": "the config has mistakes: nightdesk config check",
}


async def watch(config_path: Path | None, home: Home, environ: Mapping[str, str]) -> None:
    """Watch until told to stop.

    Raises:
        ConfigRefused: the config cannot be used; nothing was begun.
    """
    clock, stop = SystemClock(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    book = Book.opened(home.watchdog_state)
    teller = Teller(book, clock, lambda: config.settings.channels)
    config = Config(config_path, environ, clock, teller.release)
    seen = Watch(home, book, clock, lambda: config.settings, teller.woken.set)
    try:
        with Systemd(environ) as systemd:
            async with asyncio.TaskGroup() as services:
                parts = (seen, teller, config, SystemdBeat(systemd, clock, lambda: seen.status))
                loops = [services.create_task(repeat(part, clock)) for part in parts]
                systemd.ready(seen.status)
                names = [channel.name for channel in config.settings.channels]
                fields = {"version": __version__, "pid": os.getpid(), "home": str(home.folder)}
                log.info("watchdog.ready", extra={"fields": {**fields, "channels": names}})
                await stop.wait()
                systemd.stopping("stopping")
                for each in loops:
                    each.cancel()
    finally:
        teller.close()
    log.info("watchdog.stopped", extra={"fields": {"pid": os.getpid()}})


def judge_once(config_path: Path | None, home: Home, environ: Mapping[str, str]) -> tuple[bool, str]:
    """Look once: whether the daemon is well, and how it is in words.

    Raises:
        ConfigRefused: the config cannot be used.
    """
    settings, clock = read_settings(config_path, environ), SystemClock()
    now = clock.now()
    look = look_again(None, read_beat(home.beat), now, clock.monotonic())
    if look.beat is None:
        return False, f"{TITLES[Verdict.NEVER_STARTED]}: there is no beat in {home.folder}"
    verdict = judge(look, holder(home), settings.limits)
    said = f"{look.beat.state}, process {look.beat.pid}, last beat {look.beat.at:%Y-%m-%d %H:%M:%S} UTC"
    if verdict.is_bad:
        return False, f"{TITLES[verdict]}: {said}"
    # One look cannot tell a beat that came from one that stands: what nobody's lock holds is not alive.
    is_held = verdict is Verdict.RESTING or holder(home) is not None
    return is_held, said if is_held else f"{TITLES[Verdict.GONE]}: {said}"


async def test_channels(
    config_path: Path | None, home: Home, environ: Mapping[str, str]
) -> list[tuple[str, bool, str]]:
    """Send a test over every channel: its name, whether that was proved, and the proof or the reason.

    Raises:
        ConfigRefused: the config cannot be used.
    """
    settings, clock = read_settings(config_path, environ), SystemClock()
    log_warnings(settings)
    told = []
    for channel in settings.channels:
        message = _test_message(home, settings, clock.now())
        try:
            told.append(
                (channel.name, True, await asyncio.to_thread(channel.sender.send, message, clock.now()))
            )
        except NotProved as error:
            told.append((channel.name, False, str(error)))
    return told


async def tell_of_failure(
    unit: str, config_path: Path | None, home: Home, environ: Mapping[str, str]
) -> bool:
    """Tell that a unit has failed, by the first channel that takes it; False where none did in time."""
    settings, clock = _whatever_can_be_used(config_path, environ), SystemClock()
    log_warnings(settings)
    message = _failure_message(unit, home, settings, environ, clock.now())
    log.critical("watchdog.unit-failed", extra={"fields": {"unit": unit, **dict(message.facts)}})
    book = Book(None, Pages(owed=(Owed(message=message),)))
    teller = Teller(book, clock, lambda: settings.channels)
    gives_up_s = clock.monotonic() + LONGEST_ERRAND.total_seconds()
    try:
        while book.pages.owed and settings.channels and clock.monotonic() < gives_up_s:
            await teller.step()
            if book.pages.owed:
                await clock.sleep(AGAIN_AFTER.total_seconds())
    finally:
        teller.close()
    return not book.pages.owed


def _whatever_can_be_used(config_path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings; where the file cannot be used, what the environment alone gives.

    A file that nobody can read may be the very failure that is to be told.
    """
    try:
        return read_settings(config_path, environ)
    except ConfigRefused as error:
        log.error("watchdog.config-refused", extra={"fields": {"error": str(error)}})  # noqa: TRY400
        try:
            return read_settings(None, environ)
        except ConfigRefused:
            return Settings()


def _failure_message(
    unit: str, home: Home, settings: Settings, environ: Mapping[str, str], now: datetime
) -> Message:
    facts = [(name, environ[variable]) for variable, name in MONITOR.items() if environ.get(variable)]
    if (meaning := MEANINGS.get(environ.get("MONITOR_EXIT_STATUS", ""))) is not None:
        facts.append(("That means", meaning))
    place, thread = place_of(home, settings), new_id()
    return Message(
        id=f"{thread}-1",
        kind=Kind.ALERT,
        thread=thread,
        severity="critical",
        title=f"{unit} on {place.host} failed and is not started again",
        facts=tuple(facts),
        advice=f"systemctl status {unit}; journalctl -u {unit} -n 100",
        link=settings.app_url,
        created_at=now,
    )


def _test_message(home: Home, settings: Settings, now: datetime) -> Message:
    place, thread = place_of(home, settings), new_id()
    return Message(
        id=f"{thread}-1",
        kind=Kind.TEST,
        thread=thread,
        severity="info",
        title=f"nightdesk on {place.host}: the watchdog can be heard here",
        facts=(("Home", place.home),),
        created_at=now,
    )
