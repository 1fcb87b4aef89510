"""Read the config: the file, the environment where the file is silent, and every mistake at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.config import environment
from daemon.config.digest_channel import aimed, room_of
from daemon.config.file import BUILTIN_SCHEDULES, ConfigFile
from daemon.config.positions import LONGEST_FILE, Document, read_document
from daemon.config.problems import ConfigError, Findings, Place, Problem, key_text, kind_of
from daemon.config.reporting import LedgerSection, LlmSection, RedisSection, ReportsSection, WatchdogSection
from daemon.config.secrets import Surroundings, is_reference, resolve_secret
from daemon.config.sections import (
    AlertsSection,
    ChannelEntry,
    DigestSection,
    HttpSection,
    NetworkSection,
    QueueSection,
    ScheduleEntry,
)
from daemon.config.wording import record

FILE_NAME = "orchestrator_config.json"
FILE_OPTION = "caFile"  # of a channel: like every path in the config it starts at the config's folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that was configured, checked and in force; every part of the house is handed its own section."""

    path: Path | None  # the file; None where there is none and everything is as shipped
    folder: Path  # the config's own folder: relative paths in the config start here
    timezone: str
    handler_packages: tuple[str, ...]
    builtin_crons: Mapping[str, str]  # schedule to cron line, of the built-in schedules that the file sets
    schedules: Mapping[str, ScheduleEntry]
    digest: DigestSection
    channels: Mapping[str, ChannelEntry]
    alerts: AlertsSection
    queue: QueueSection
    reports: ReportsSection | None
    llm: LlmSection
    ledger: LedgerSection
    redis: RedisSection | None
    http: HttpSection
    watchdog: WatchdogSection
    network: NetworkSection
    written: frozenset[str]  # the top-level keys that the file or the environment sets, as in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A config with its mistakes left out, so that the rest of it can be checked as well."""

    config: Config
    findings: Findings
    named: frozenset[str]  # every channel the file or the environment names, broken ones too


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read and check the config; without a path `orchestrator_config.json` here, where there is one.

    Handlers, cron lines and channels are judged later, by `daemon.check`.

    Raises:
        ConfigError: one or more mistakes, all of them in it.
    """
    draft = draft_config(path, environ)
    if draft.findings.problems:
        raise ConfigError(draft.findings.problems)
    return draft.config


def draft_config(path: Path | None, environ: Mapping[str, str]) -> Draft:
    """Read the config and keep what can be kept of it.

    Raises:
        ConfigError: there is nothing to keep, since the file cannot be read to its end.
    """
    if path is None and Path(FILE_NAME).exists():
        path = Path(FILE_NAME)
    findings = Findings(str(path or FILE_NAME))
    raw = _raw_of(_document(path, findings), findings) if path is not None else {}
    folder = (path.parent if path is not None else Path()).resolve()
    around = Surroundings(folder, environ)
    parsed = _parse(environment.overlay(raw, environ, findings), around, findings)
    named = raw.get("channels")
    taken = frozenset(named if isinstance(named, Mapping) else ())
    channels = environment.channels_of(environ, taken, findings)
    if parsed.reports is not None and "file" not in taken:
        channels["file"] = ChannelEntry(type="file", options={})  # a company may name it without more ado
    channels |= _channels(parsed.channels, around, findings)
    wanted, target = parsed.digest_notification_channel, parsed.digest_notification_target
    if "slack" not in taken:
        room = room_of(wanted, target, taken.union(channels))
        by_token = environment.slack_by_token(environ, room, raw, findings)
        channels |= {} if by_token is None else {"slack": by_token}
    derived = aimed(wanted, target, channels, findings)
    channels = environment.without_the_lacking(channels, findings)
    return Draft(
        config=_assemble(path, folder, parsed, channels, derived),
        findings=findings,
        named=taken.union(channels, derived),
    )


def _document(path: Path, findings: Findings) -> Document:
    try:
        with path.open("rb") as file:
            return read_document(file.read(LONGEST_FILE + 1))
    except FileNotFoundError:
        reason = 'there is no such file; "nightdesk init" writes one'
    except IsADirectoryError:
        reason = f"this is a folder; name the file in it, as in {path / FILE_NAME}"
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {getattr(error, 'strerror', None) or 'no possible path'}"
    raise ConfigError([Problem(findings.file, None, "", reason)])


def _raw_of(document: Document, findings: Findings) -> dict[str, Any]:
    findings.lines = document.lines
    findings.problems += [
        Problem(findings.file, slip.line, key_text(slip.place), slip.text) for slip in document.slips
    ]
    if isinstance(document.value, dict):
        return document.value
    if not findings.problems:
        findings.problem((), f"the file holds {kind_of(document.value)}; an object in braces is wanted")
    raise ConfigError(findings.problems)


def _parse(raw: dict[str, Any], around: Surroundings, findings: Findings) -> ConfigFile:
    """Check the whole file; where parts are refused, record why and check the rest without them."""
    while True:  # ends: every pass leaves out at least one key, and {} is a config
        try:
            return ConfigFile.model_validate(raw, context=around, by_alias=True, by_name=False)
        except ValidationError as error:
            places = record(error, ConfigFile, findings)
        for cut in [_cut(raw, place) for place in places]:
            findings.mark_broken(cut)
            raw = _without(raw, cut)


def _cut(raw: dict[str, Any], place: Place) -> Place:
    """Find what has to be left out for `place`: itself, or what holds it, never a part of a list."""
    held: Any = raw
    for length, part in enumerate(place):
        if not isinstance(held, Mapping) or part not in held:
            return place[: max(length, 1)]
        held = held[str(part)]
    return place


def _without(value: Mapping[str, Any], place: Place) -> dict[str, Any]:
    first, rest = str(place[0]), place[1:]
    if rest and isinstance(value.get(first), Mapping):
        return {**value, first: _without(value[first], rest)}
    return {key: inner for key, inner in value.items() if key != first}


def _channels(
    raw: Mapping[str, Mapping[str, Any]], around: Surroundings, findings: Findings
) -> dict[str, ChannelEntry]:
    made = {}
    for name, options in raw.items():
        place = ("channels", name)
        kind = options.get("type")
        if not isinstance(kind, str):
            what = (
                "a channel needs a type"
                if kind is None
                else f"this is {kind_of(kind)}, not the name of a type"
            )
            findings.problem((*place, "type"), f'{what}; write as in "type": "slack"')
            findings.mark_broken(place)
            continue
        resolved = {
            key: _resolved(value, (*place, key), around, findings)
            for key, value in options.items()
            if key != "type"
        }
        if isinstance(path := resolved.get(FILE_OPTION), str):
            resolved[FILE_OPTION] = str(around.folder / path)
        made[name] = ChannelEntry(type=kind, options=resolved)
    return made


def _resolved(value: Any, place: Place, around: Surroundings, findings: Findings) -> Any:
    if isinstance(value, list):
        return [_resolved(inner, (*place, index), around, findings) for index, inner in enumerate(value)]
    if isinstance(value, dict):
        return {key: _resolved(inner, (*place, key), around, findings) for key, inner in value.items()}
    if not is_reference(value):
        return value
    try:
        return resolve_secret(value, around)
    except ValueError as error:
        findings.problem(place, str(error))
        findings.mark_broken(place)
        return None


def _assemble(
    path: Path | None,
    folder: Path,
    parsed: ConfigFile,
    channels: Mapping[str, ChannelEntry],
    derived: Mapping[str, ChannelEntry],
) -> Config:
    digest = DigestSection(
        timezone=parsed.timezone,
        channel=next(iter(derived), parsed.digest_notification_channel),
        target=parsed.digest_notification_target,
        threshold=parsed.draft_score_threshold,
        app_url=parsed.app_url,
        slow_after=parsed.slow_batch_after,
        scoring=parsed.scoring,
    )
    keys = {name: field.alias or name for name, field in ConfigFile.model_fields.items()}
    return Config(
        path=path,
        folder=folder,
        timezone=parsed.timezone,
        handler_packages=parsed.handlers,
        builtin_crons={
            BUILTIN_SCHEDULES[key]: line
            for name, key in keys.items()
            if key in BUILTIN_SCHEDULES and (line := getattr(parsed, name)) is not None
        },
        schedules=parsed.schedules,
        digest=digest,
        channels={**channels, **derived},
        alerts=environment.with_default_route(parsed.alerts, channels),
        queue=parsed.queue,
        reports=parsed.reports,
        llm=parsed.llm,
        ledger=parsed.ledger,
        redis=parsed.redis,
        http=parsed.http,
        watchdog=parsed.watchdog,
        network=parsed.network,
        written=frozenset(keys[name] for name in parsed.model_fields_set),
    )
