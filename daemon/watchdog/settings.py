"""What the second process takes from the config: whom it tells, and how long a silence it bears.

It asks for no more than it needs. A config that the daemon refuses is one more reason to be heard, so a
mistake elsewhere in the file, or in one of several channels, does not stop it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from daemon.durations import format_duration, parse_duration
from daemon.watchdog.choosing import Entry, channels_for_alerts, is_enabled, repeat_interval
from daemon.watchdog.plain_json import from_json
from daemon.watchdog.references import resolved
from daemon.watchdog.senders import LEFT_TO_THE_DAEMON, open_sender
from daemon.watchdog.senders.base import Sender

FILE_NAME = "orchestrator_config.json"
LONGEST_FILE = 1024 * 1024
BEAT_INTERVAL = timedelta(seconds=1)
HUNG_AFTER = timedelta(seconds=45)
STOPPED_AFTER = timedelta(minutes=10)
REPEAT_INTERVAL = timedelta(hours=1)
LONGEST = timedelta(days=3660)
# So many beats must be missing before a silence counts, whatever `hungAfter` says.
FEWEST_BEATS = 3


class ConfigRefused(Exception):
    """The config cannot be used; the text names the file, the key, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel, open; `sender` holds its secrets."""

    name: str
    type: str
    sender: Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a silence has to be before it is alerted."""

    hung_after: timedelta = HUNG_AFTER
    stopped_after: timedelta = STOPPED_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that was read, fit to be used."""

    channels: tuple[Channel, ...] = ()  # in the order in which each stands in for the one before
    limits: Limits = Limits()
    repeat_after: timedelta = REPEAT_INTERVAL
    app_url: str | None = None
    warnings: tuple[str, ...] = ()


def find_config(chosen: str | None) -> Path | None:
    """The config file: as chosen, else the one in this folder; None where there is none."""
    if chosen is not None:
        return Path(chosen)
    return Path(FILE_NAME) if Path(FILE_NAME).exists() else None


def read_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file, and the environment where the file is silent.

    Raises:
        ConfigRefused: nothing can be taken from it, or no channel that it wants can be opened.
    """
    config = _read(path) if path is not None else {}
    where = str(path or FILE_NAME)
    folder = (path.parent if path is not None else Path()).resolve()
    try:
        limits, warning = _limits(config)
        entries = channels_for_alerts(config, environ) if is_enabled(config, environ) else []
        repeat_after = _duration(repeat_interval(config), "alerts.routes: repeatInterval", REPEAT_INTERVAL)
        channels, problems = _opened(entries, folder, environ, _is_private_allowed(config))
    except ValueError as error:
        raise ConfigRefused(f"{where}: {error}") from None
    if problems and not channels:
        raise ConfigRefused("\n".join(f"{where}: {problem}" for problem in problems))
    if not channels:
        warning.append("there is no channel that the watchdog can send by; only its log says what it sees")
    return Settings(
        channels=tuple(channels),
        limits=limits,
        repeat_after=repeat_after,
        app_url=_app_url(config, environ),
        warnings=(*problems, *warning),
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise ConfigRefused(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'no possible path'}; "
            "name the file with --config"
        ) from None
    if len(data) > LONGEST_FILE:
        raise ConfigRefused(f"{path}: is larger than {LONGEST_FILE:,} bytes, which no config is")
    try:
        config = from_json(data)
    except ValueError as error:
        raise ConfigRefused(f"{path}: {error}") from None
    if not isinstance(config, dict):
        raise ConfigRefused(f"{path}: an object in braces is wanted")
    return config


def _opened(
    entries: list[Entry], folder: Path, environ: Mapping[str, str], allow_private: bool
) -> tuple[list[Channel], list[str]]:
    """Open what can be opened; of the rest, say why not."""
    channels, problems = [], []
    for entry in entries:
        if entry.type in LEFT_TO_THE_DAEMON:
            continue
        try:
            options = entry.options if entry.variables else resolved(dict(entry.options), folder, environ)
            sender = open_sender(entry.type, options, allow_private=allow_private)
            channels.append(Channel(name=entry.name, type=entry.type, sender=sender))
        except ValueError as error:
            problems.append(f"channels.{entry.name}: {error}")
    return channels, problems


def _limits(config: Mapping[str, Any]) -> tuple[Limits, list[str]]:
    section = config.get("watchdog") or {}
    if not isinstance(section, Mapping):
        raise ValueError("watchdog: an object in braces is wanted")
    beat = _duration(section.get("beatInterval"), "watchdog.beatInterval", BEAT_INTERVAL)
    hung_after = _duration(section.get("hungAfter"), "watchdog.hungAfter", HUNG_AFTER)
    stopped_after = _duration(section.get("stoppedAfter"), "watchdog.stoppedAfter", STOPPED_AFTER)
    least, told = beat * FEWEST_BEATS, []
    if hung_after < least:
        told.append(
            f"watchdog.hungAfter is shorter than {FEWEST_BEATS} beats; "
            f"{format_duration(least)} is taken, three times watchdog.beatInterval"
        )
    return Limits(hung_after=max(hung_after, least), stopped_after=max(stopped_after, least)), told


def _duration(value: object, name: str, default: timedelta) -> timedelta:
    if value is None:
        return default
    try:
        span = parse_duration(value) if isinstance(value, str) else None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if span is None or not timedelta(0) < span <= LONGEST:
        raise ValueError(f'{name}: write a number and a unit, as in "30s", "10m", "2h"')
    return span


def _is_private_allowed(config: Mapping[str, Any]) -> bool:
    network = config.get("network")
    return isinstance(network, Mapping) and network.get("allowPrivate") is True


def _app_url(config: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    said = config.get("appUrl") or environ.get("APP_URL", "").strip()
    return said if isinstance(said, str) and said.startswith(("https://", "http://")) else None
