"""Which channels a critical alert goes by, read from the config as it is written.

The daemon decides this in `daemon.config` and `daemon.dispatch`, with packages that are not to be had
here; a test holds the two side by side.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

# The name of the one alert that this process raises; a route may ask for it by `match`.
ALERT = "daemon.down"
SEVERITY = "critical"

CHANNELS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "slack-errors": ("slack", {"url": "SLACK_ERROR_WEBHOOK"}),
    "webhook": ("webhook", {"url": "ALERT_WEBHOOK_URL"}),
    "smtp": (
        "smtp",
        {
            "host": "SMTP_HOST",
            "port": "SMTP_PORT",
            "user": "SMTP_USER",
            "password": "SMTP_PASSWORD",
            "from": "SMTP_FROM_EMAIL",
            "to": "ADMIN_EMAIL",
        },
    ),
    "email": (
        "email",
        {
            "apiKey": "EMAIL_API_KEY",
            "apiUrl": "EMAIL_API_URL",
            "from": "SMTP_FROM_EMAIL",
            "to": "ADMIN_EMAIL",
        },
    ),
    "slack": ("slack", {"url": "SLACK_WEBHOOK_URL"}),
    "discord": ("discord", {"url": "DISCORD_WEBHOOK_URL"}),
}
# Without these a channel of the environment can carry nothing.
NEEDED = {"smtp": ("from", "to"), "email": ("from", "to")}
RECORDS = frozenset({"log", "file"})
SET_UP_FOR_ALERTS = ("slack-errors", "webhook", "email", "smtp")
ROOMS = ("slack", "discord")
_ROOM = re.compile(r"#\S+|[CGDU][A-Z0-9]{6,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One channel as written: references to secrets are not followed yet."""

    name: str
    type: str
    options: Mapping[str, Any] = field(repr=False)
    variables: Collection[str] = ()  # those it was made of, where it is the environment's


def channels_for_alerts(config: Mapping[str, Any], environ: Mapping[str, str]) -> list[Entry]:
    """The channels a critical alert of ours goes by, in their order; records are among them.

    Where no route takes it, the first one is taken all the same: somebody is to hear of a dead daemon.

    Raises:
        ValueError: a part of the config that is needed here is of another shape; the text names it.
    """
    entries = entries_of(config, environ)
    alerts = _section(config, "alerts")
    receivers, routes = _receivers(alerts), _routes(alerts)
    if not routes and not receivers:
        names = _default_order(entries)
    else:
        named = next((route for route in routes if _takes(route)), routes[0] if routes else {})
        receiver = named.get("receiver")
        names = receivers.get(str(receiver), next(iter(receivers.values()), []))
    return [entries[name] for name in names if name in entries]


def entries_of(config: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Entry]:
    """All channels there are, those of the file before those of the environment of the same name."""
    written = _section(config, "channels")
    made = _of_environment(environ, written)
    made |= {
        name: Entry(
            name=name,
            type=str(options.get("type")),
            options={key: value for key, value in options.items() if key != "type"},
        )
        for name, options in written.items()
        if isinstance(options, Mapping)
    }
    if "slack" not in written and (room := _room(config, {*written, *made})):
        token = environ.get("SLACK_BOT_TOKEN", "").strip()
        if token and not _is_used(written, "env:SLACK_BOT_TOKEN"):
            options = {"token": token, "target": room}
            made["slack"] = Entry(name="slack", type="slack", options=options, variables=("SLACK_BOT_TOKEN",))
    return {name: entry for name, entry in made.items() if not _lacks(entry)}


def is_enabled(config: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether alerts are told at all; ALERTS_ENABLED stands in where the file says nothing."""
    said = _section(config, "alerts").get("enabled")
    if said is None:
        return environ.get("ALERTS_ENABLED", "").strip().lower() not in ("false", "0", "no", "off")
    return said is not False


def repeat_interval(config: Mapping[str, Any]) -> object:
    """How often the route wants an open alert told again, as written; None where it does not say."""
    return next((it.get("repeatInterval") for it in _routes(_section(config, "alerts")) if _takes(it)), None)


def _of_environment(environ: Mapping[str, str], taken: Collection[str]) -> dict[str, Entry]:
    made = {"log": Entry(name="log", type="log", options={})}
    for name, (kind, variables) in CHANNELS.items():
        used = {
            option: environ[variable].strip()
            for option, variable in variables.items()
            if environ.get(variable, "").strip()
        }
        if name not in taken and next(iter(variables)) in used:
            made[name] = Entry(name=name, type=kind, options=used, variables=tuple(variables.values()))
    if "smtp" in made and "email" not in made and "email" not in taken:
        made["email"] = replace(made["smtp"], name="email")  # by SMTP where no mail API is set
    return made


def _room(config: Mapping[str, Any], names: Collection[str]) -> str:
    target, channel = config.get("digestNotificationTarget"), config.get("digestNotificationChannel")
    if not isinstance(target, str) or target in names:
        return ""
    return target if channel == "slack" or _ROOM.fullmatch(target) else ""


def _is_used(value: object, reference: str) -> bool:
    if isinstance(value, Mapping):
        return any(_is_used(inner, reference) for inner in value.values())
    if isinstance(value, list):
        return any(_is_used(inner, reference) for inner in value)
    return value == reference


def _lacks(entry: Entry) -> bool:
    return bool(entry.variables) and any(option not in entry.options for option in NEEDED.get(entry.type, ()))


def _default_order(entries: Mapping[str, Entry]) -> list[str]:
    """Every channel there is: those set up for alerts, the file's own, the team's rooms."""
    own = [name for name, it in entries.items() if not it.variables and it.type not in RECORDS]
    known = [name for name in (*SET_UP_FOR_ALERTS, *ROOMS) if name in entries and name not in own]
    if "smtp" in known and "email" in entries and entries["email"].variables == entries["smtp"].variables:
        known.remove("smtp")  # the same channel under two names
    return [
        *(name for name in known if name not in ROOMS),
        *own,
        *(name for name in known if name in ROOMS),
    ]


def _takes(route: Mapping[str, Any]) -> bool:
    severities, match = route.get("severities") or (), route.get("match") or {}
    if severities and SEVERITY not in [str(it).lower() for it in _listed(severities, "severities")]:
        return False
    labels = {"name": ALERT}
    wanted = match.items() if isinstance(match, Mapping) else ()
    return all(key in labels and fnmatchcase(labels[key], str(glob)) for key, glob in wanted)


def _receivers(alerts: Mapping[str, Any]) -> dict[str, list[str]]:
    found = _section(alerts, "receivers", "alerts.")
    return {name: [str(it) for it in _listed(names, name)] for name, names in found.items()}


def _routes(alerts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [it for it in _listed(alerts.get("routes") or (), "routes") if isinstance(it, Mapping)]


def _listed(value: Any, name: str) -> Iterable[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"alerts: {name}: a list in brackets is wanted")
    return value


def _section(config: Mapping[str, Any], name: str, above: str = "") -> Mapping[str, Any]:
    found = config.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{above}{name}: an object in braces is wanted")
    return found
