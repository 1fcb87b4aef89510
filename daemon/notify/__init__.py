"""The channels: what a message is carried by. A new one is a file of its own and a line in this table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daemon.clock import Clock
    from daemon.notify.base import Channel
    from daemon.notify.http import HttpClient
    from daemon.notify.pace import Pace
    from daemon.secret import Secret

CHANNELS = {
    "apprise": "daemon.notify.apprise:Apprise",
    "discord": "daemon.notify.discord:Discord",
    "email": "daemon.notify.email:Email",
    "file": "daemon.notify.file:File",
    "log": "daemon.notify.log:Log",
    "pagerduty": "daemon.notify.pagerduty:PagerDuty",
    "slack": "daemon.notify.slack:Slack",
    "smtp": "daemon.notify.smtp:Smtp",
    "webhook": "daemon.notify.webhook:Webhook",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all channels share, made once; each channel takes what it needs."""

    http: "HttpClient"
    clock: "Clock"
    allow_private: bool = False  # `network.allowPrivate`, for channels that connect by themselves
    logs: Path | None = None  # where files may be written
    paces: "dict[Secret, Pace]" = field(default_factory=dict)  # by address: two names, one queue


def channel_type(name: str) -> type["Channel"]:
    """Load one row of the table, and with it whatever that channel leans on.

    Raises:
        ValueError: there is no such row; the message names the ones there are.
    """
    if name not in CHANNELS:
        raise ValueError(f'"{name}" is no type of channel; there are: {", ".join(sorted(CHANNELS))}')
    loaded: type[Channel] = resolve_name(CHANNELS[name])
    return loaded


def open_channel(name: str, options: Mapping[str, Any], tools: Tools) -> "Channel":
    """Make a channel of the type `name` from its entry in the config, secrets already resolved.

    Raises:
        ValueError: no such type, or the channel's own `Options` refuse the entry (pydantic's
            ValidationError, which is one too, and which never shows what was entered).
    """
    kind: Any = channel_type(name)  # how a channel is made is not part of what it promises
    made: Channel = kind(kind.Options.model_validate(dict(options)), tools)
    return made
