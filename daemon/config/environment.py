"""What operators set by environment variables, standing in where the file says nothing."""

from collections.abc import Collection, Mapping
from typing import Any

from daemon.config.problems import Findings, Place, quoted, shown
from daemon.config.sections import AlertsSection, ChannelEntry, Route
from daemon.secret import Secret

# Variables that are an entry of the file under another name. Addresses and tokens are secrets.
ENTRIES: Mapping[str, Place] = {
    "ALERTS_ENABLED": ("alerts", "enabled"),
    "ALERT_SEVERITY_THRESHOLD": ("alerts", "severityThreshold"),
    "APP_URL": ("appUrl",),
    "DATABASE_URL": ("ledger", "url"),
    "REDIS_URL": ("redis", "url"),
    "NIGHTDESK_TOKEN": ("http", "token"),
}
_SECRET = {"DATABASE_URL", "REDIS_URL", "NIGHTDESK_TOKEN"}
_FLAGS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}

# The channels a bare environment brings, each made once its first variable is set.
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
_SECRET_OPTIONS = {"url", "apiKey", "password"}
# Without these a channel of the environment cannot carry anything. `to` may come from the digest's target.
NEEDED = {"smtp": ("from", "to"), "email": ("from", "to")}
BOT_TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105 - the name of the variable
TARGET: Place = ("digestNotificationTarget",)
RECORDS = frozenset({"file", "log"})  # types by which nobody is told
DEFAULT_RECEIVER = "default"
# In this order each stands in for the one before: what was set up for alerts first, the team's rooms last.
ALERT_ORDER = ("slack-errors", "webhook", "email", "smtp", "slack", "discord")


def overlay(raw: Mapping[str, Any], environ: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    """Add to what the file says whatever only the environment does; the file wins, with a warning."""
    merged = dict(raw)
    for variable, place in ENTRIES.items():
        if not (text := environ.get(variable, "").strip()):
            continue
        if _is_said(raw, place):
            if not _refers_to(raw, place, variable):
                findings.warn(place, f"this is said here, so the environment's {variable} is not used")
            continue
        value = _value_of(variable, text, findings)
        section = merged.get(str(place[0]), {})
        if value is None or (len(place) == 2 and not isinstance(section, Mapping)):
            continue
        merged[str(place[0])] = {**section, place[1]: value} if len(place) == 2 else value
        findings.variables[place] = variable
    return merged


def _is_said(raw: Mapping[str, Any], place: Place) -> bool:
    section = raw.get(str(place[0]))
    if len(place) == 1:
        return section is not None
    return isinstance(section, Mapping) and section.get(str(place[1])) is not None


def _refers_to(raw: Mapping[str, Any], place: Place, variable: str) -> bool:
    section = raw.get(str(place[0]))
    said = section.get(str(place[1])) if len(place) == 2 and isinstance(section, Mapping) else section
    return bool(said == f"env:{variable}")


def _value_of(variable: str, text: str, findings: Findings) -> object:
    if variable in _SECRET:
        return Secret(text)
    if variable != "ALERTS_ENABLED":
        return text
    if text.lower() not in _FLAGS:
        findings.variables[("ALERTS_ENABLED",)] = variable
        findings.problem(("ALERTS_ENABLED",), f"{shown(text)} is neither true nor false; write true or false")
        return None
    return _FLAGS[text.lower()]


def channels_of(
    environ: Mapping[str, str], taken: Collection[str], findings: Findings
) -> dict[str, ChannelEntry]:
    """Make the channels the environment describes, but for names the file has taken, and always `log`.

    Some may lack what they need; `without_the_lacking` tells of those.
    """
    made = {"log": ChannelEntry(type="log", options={})}
    for name, (kind, variables) in CHANNELS.items():
        used = {
            option: variable for option, variable in variables.items() if environ.get(variable, "").strip()
        }
        if name in taken or next(iter(variables)) not in used:
            continue
        options = {option: _option(option, environ[variable].strip()) for option, variable in used.items()}
        made[name] = ChannelEntry(type=kind, options=options, variables=used)
        for option, variable in used.items():
            findings.variables[("channels", name, option)] = variable
        findings.variables[("channels", name)] = next(iter(variables.values()))
    _check_port(made, findings)
    if "smtp" in made and "email" not in made and "email" not in taken:
        made["email"] = made["smtp"]  # mail goes by SMTP where no mail API is set
        findings.variables[("channels", "email")] = "SMTP_HOST"
    return made


def slack_by_token(
    environ: Mapping[str, str], room: str, raw: Mapping[str, Any], findings: Findings
) -> ChannelEntry | None:
    """Make the channel `slack` of the bot's token and the room that the digest's target names.

    It takes the place of the webhook's, whose room is fixed. Without a room the token alone reaches nobody,
    which is told unless an entry of the file uses it.
    """
    token, has_webhook = environ.get(BOT_TOKEN, "").strip(), environ.get("SLACK_WEBHOOK_URL", "").strip()
    if not token or _is_used(raw.get("channels"), f"env:{BOT_TOKEN}"):
        return None
    findings.variables[(BOT_TOKEN,)] = BOT_TOKEN
    if not room:
        instead = "; SLACK_WEBHOOK_URL is used" if has_webhook else ""
        text = f"it needs a room: write the room's id into digestNotificationTarget{instead}"
        findings.warn((BOT_TOKEN,), text)
        return None
    if has_webhook:
        text = f"this goes to {quoted(room)}, so SLACK_WEBHOOK_URL is not used"
        findings.warn((BOT_TOKEN,), text)
    findings.variables.pop(("channels", "slack", "url"), None)
    findings.variables[("channels", "slack")] = BOT_TOKEN
    findings.said_at[("channels", "slack", "target")] = TARGET
    options = {"token": Secret(token), "target": room}
    return ChannelEntry(type="slack", options=options, variables={"token": BOT_TOKEN})


def _is_used(value: object, reference: str) -> bool:
    if isinstance(value, Mapping):
        return any(_is_used(inner, reference) for inner in value.values())
    if isinstance(value, list):
        return any(_is_used(inner, reference) for inner in value)
    return value == reference


def without_the_lacking(channels: Mapping[str, ChannelEntry], findings: Findings) -> dict[str, ChannelEntry]:
    """Leave out the channels of the environment that lack what they need, and say what it is.

    It is a warning and no mistake: other programs share these variables.
    """
    whole: dict[str, ChannelEntry] = {}
    told: list[ChannelEntry] = []
    for name, entry in channels.items():
        if not (missing := lacking(entry)):
            whole[name] = entry
        elif not any(entry is it for it in told):
            told.append(entry)
            text = f"mail needs {' and '.join(missing)} as well; the channel {name} is left out"
            findings.warn(("channels", name), text)
    return whole


def lacking(entry: ChannelEntry) -> list[str]:
    """The variables that a channel of the environment still needs."""
    if entry.variables is None:
        return []
    variables = CHANNELS[entry.type][1] if entry.type in NEEDED else {}
    return [variables[option] for option in NEEDED.get(entry.type, ()) if option not in entry.options]


def addresses(text: str) -> list[str]:
    """The mail addresses of a list with commas."""
    return [address.strip() for address in text.split(",") if address.strip()]


def _option(option: str, text: str) -> object:
    if option in _SECRET_OPTIONS:
        return Secret(text)
    if option == "to":
        return addresses(text)
    return int(text) if option == "port" and text.isascii() and text.isdigit() and len(text) < 6 else text


def _check_port(made: Mapping[str, ChannelEntry], findings: Findings) -> None:
    port = made["smtp"].options.get("port", 25) if "smtp" in made else 25
    if not (isinstance(port, int) and 1 <= port <= 65535):
        findings.problem(
            ("channels", "smtp", "port"), f"{shown(port)} is no port; write a number from 1 to 65535"
        )


def with_default_route(alerts: AlertsSection, channels: Mapping[str, ChannelEntry]) -> AlertsSection:
    """Give alerts a way out where the file names none: over every channel there is, but the log."""
    if alerts.routes or alerts.receivers:
        return alerts
    own = [
        name
        for name, entry in channels.items()
        if not entry.is_from_environment and entry.type not in RECORDS
    ]
    known = [name for name in ALERT_ORDER if name in channels and name not in own]
    if "smtp" in known and channels.get("email") is channels.get("smtp"):
        known.remove("smtp")  # the same channel under two names
    for_alerts = [name for name in known if name not in ("slack", "discord")]
    order = (*for_alerts, *own, *(name for name in known if name not in for_alerts))
    if not order:
        return alerts
    route = Route(receiver=DEFAULT_RECEIVER)
    return alerts.model_copy(update={"receivers": {DEFAULT_RECEIVER: order}, "routes": (route,)})
