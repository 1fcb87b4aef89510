"""Everything that can be known to be wrong before the daemon starts, found in one pass and told together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.check_alerts import check_alerts
from daemon.check_channels import check_channels, check_digest
from daemon.check_http import check_http
from daemon.check_sections import check_sections
from daemon.config import Config, ConfigError, Problem
from daemon.config.file import BUILTIN_SCHEDULES
from daemon.config.load import draft_config
from daemon.config.problems import Findings, Place, in_file_order, meant, quoted
from daemon.config.sections import ChannelEntry, ScheduleEntry
from daemon.engine.brought import Maker, load_parts
from daemon.engine.cron import CronLine
from daemon.engine.handler import Handler
from daemon.engine.registry import RegistryError, load_handlers
from daemon.engine.spec import CatchUp, Overlap, ScheduleSpec

COMMAND = "command"  # the handler that runs the entries with a `command`
# The parts of the config that a handler may be handed as its options.
SECTIONS = ("digest", "alerts", "queue", "reports", "llm", "ledger", "redis", "http", "watchdog", "network")
# What is known and checked, but has nobody yet who acts on it.
NOT_SERVED: Mapping[Place, str] = {
    ("watchdog", "pingUrl"): "no dead-man address is called",
    ("reports", "fanout"): "reports are made in the daemon itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """All that was configured, fit to be started."""

    config: Config
    handlers: Mapping[str, Handler]
    schedules: tuple[ScheduleSpec, ...]
    channels: Mapping[str, ChannelEntry]  # those that can be opened; their own `Options` have taken each
    warnings: tuple[Problem, ...]
    parts: Mapping[str, Maker] = field(default_factory=dict)  # that handler packages bring along


def prepare(path: Path | None, environ: Mapping[str, str]) -> Prepared:
    """Read the config, load the handlers, and judge schedules and channels. Nothing is started or written.

    Raises:
        ConfigError: every mistake of every part.
    """
    draft = draft_config(path, environ)
    config, findings = draft.config, draft.findings
    handlers = _handlers(config, findings)
    parts = _parts(config, findings)
    schedules = _schedules(config, handlers, findings)
    channels = check_channels(draft)
    check_digest(draft)
    check_alerts(draft)
    check_sections(draft, handlers.values())
    check_http(config, findings)
    _warn_of_the_unserved(config, findings)
    if findings.problems:
        raise ConfigError(findings.problems)
    return Prepared(
        config=config,
        handlers=handlers,
        schedules=tuple(schedules),
        channels=channels,
        warnings=tuple(in_file_order(findings.warnings)),
        parts=parts,
    )


def _handlers(config: Config, findings: Findings) -> dict[str, Handler]:
    try:
        handlers = load_handlers(config.handler_packages, config.folder)
    except RegistryError as error:
        handlers = error.loaded
        for problem in error.problems:
            findings.problem(("handlers", problem.position), problem.text)
    for handler in handlers.values():
        if handler.section is not None and handler.section not in SECTIONS:
            text = f"the handler {quoted(handler.name)} asks for the section {quoted(handler.section)}"
            findings.problem(("handlers",), f"{text}; {meant(handler.section, SECTIONS)}")
    return handlers


def _parts(config: Config, findings: Findings) -> dict[str, Maker]:
    makers, problems = load_parts(config.handler_packages)
    for problem in problems:
        findings.problem(("handlers", problem.position), problem.text)
    return makers


def _schedules(config: Config, handlers: Mapping[str, Handler], findings: Findings) -> list[ScheduleSpec]:
    """Bring together what the file says of each schedule and what its handler brings along."""
    unwritten = ScheduleEntry.model_construct()
    entries = {name: unwritten for name, handler in handlers.items() if _brings_a_schedule(handler, config)}
    entries |= dict.fromkeys(config.builtin_crons, unwritten)
    entries |= config.schedules
    specs = [_schedule(name, entry, config, handlers, findings) for name, entry in entries.items()]
    return [spec for spec in specs if spec is not None]


def _brings_a_schedule(handler: Handler, config: Config) -> bool:
    """Whether it fires without being asked to: not where the section it works on is not configured."""
    if handler.section in SECTIONS and getattr(config, handler.section) is None:
        return False
    return handler.cron is not None


def _schedule(
    name: str, entry: ScheduleEntry, config: Config, handlers: Mapping[str, Handler], findings: Findings
) -> ScheduleSpec | None:
    place: Place = ("schedules", name) if name in config.schedules else (_builtin_key(name),)
    handler = _handler_of(name, entry, config, handlers, findings)
    line = _line_of(name, entry, place, config, handlers.get(entry.handler or name), findings)
    if handler is None or line is None or not entry.enabled:
        return None
    return ScheduleSpec(
        name=name,
        handler=handler.name,
        line=line,
        args={"argv": list(entry.command)} if entry.command else entry.args,
        lane=entry.lane or handler.lane,
        timeout=entry.timeout or handler.timeout,
        max_attempts=entry.max_attempts or handler.max_attempts,
        overlap=Overlap(entry.overlap),
        catch_up=CatchUp(entry.catch_up),
        catch_up_window=entry.catch_up_window,
        deadline=entry.deadline or handler.deadline,
    )


def _builtin_key(name: str) -> str:
    return next((key for key, schedule in BUILTIN_SCHEDULES.items() if schedule == name), "handlers")


def _handler_of(
    name: str, entry: ScheduleEntry, config: Config, handlers: Mapping[str, Handler], findings: Findings
) -> Handler | None:
    place = ("schedules", name)
    if entry.command is not None:
        if entry.handler is not None:
            findings.problem(
                (*place, "command"), "a schedule has a handler or a command, not both; take one out"
            )
        if entry.args:
            findings.problem((*place, "args"), "args are for a handler; write a command's into its own list")
        if COMMAND not in handlers:
            findings.problem(
                (*place, "command"),
                f'commands are run by the handler "{COMMAND}"; add "handlers" to the key handlers',
            )
        return handlers.get(COMMAND)
    wanted = entry.handler or name
    if wanted in handlers:
        return handlers[wanted]
    if name not in config.schedules:
        findings.warn(
            (_builtin_key(name),), f"no package brings the handler {quoted(name)}, so this never fires"
        )
    elif _is_explained(place, findings):
        return None
    elif entry.handler is not None:
        text = f"no handler is named {quoted(wanted)}; {meant(wanted, handlers)}"
        findings.problem((*place, "handler"), text)
    else:
        text = f"nothing to run: write a handler or a command; {meant(wanted, handlers)}"
        findings.problem(place, text)
    return None


def _is_explained(place: Place, findings: Findings) -> bool:
    """Whether a mistake that has been told is why nothing is found to run."""
    told = findings.broken | findings.misspelt
    return bool(told & {("handlers",), (*place, "handler"), (*place, "command")})


def _line_of(
    name: str, entry: ScheduleEntry, place: Place, config: Config, handler: Handler | None, findings: Findings
) -> CronLine | None:
    brought = handler.cron if handler is not None else None
    text = entry.cron or config.builtin_crons.get(name) or brought
    if text is None:
        findings.missing((*place, "cron"), 'no cron line says when; write one, as in "0 23 * * *"')
        return None
    if entry.cron is not None:
        place = (*place, "cron")
    elif name in config.builtin_crons:
        place = (_builtin_key(name),)
    try:
        return CronLine.parse(text, entry.timezone or config.timezone)
    except ValueError as error:
        findings.problem(
            place, str(error) if place != ("handlers",) else f"the handler {quoted(name)}: {error}"
        )
        return None


def _warn_of_the_unserved(config: Config, findings: Findings) -> None:
    for place, what in NOT_SERVED.items():
        if place == ("reports", "fanout") and (config.reports is None or config.reports.fanout == "local"):
            continue
        if place in findings.lines:
            findings.warn(place, f"not served by this version: {what}")
        elif inner := next((at for at in findings.variables if at[: len(place)] == place), None):
            findings.warn(inner, f"not served by this version: {what}")
