"""The senders of the second process: what it can send by, each a small file of its own."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daemon.watchdog.senders.base import Sender

SENDERS = {
    "discord": "daemon.watchdog.senders.discord:Discord",
    "email": "daemon.watchdog.senders.email:Email",
    "pagerduty": "daemon.watchdog.senders.pagerduty:PagerDuty",
    "slack": "daemon.watchdog.senders.slack:Slack",
    "smtp": "daemon.watchdog.senders.smtp:Smtp",
    "webhook": "daemon.watchdog.senders.webhook:Webhook",
}
# What tells nobody, or needs a library.
LEFT_TO_THE_DAEMON = frozenset({"log", "file", "apprise"})


def open_sender(kind: str, options: Mapping[str, object], *, allow_private: bool) -> "Sender":
    """Make the sender of a channel, references to secrets already resolved.

    Raises:
        ValueError: no such type, or an option is missing or unfit; the text names it and shows no secret.
    """
    from daemon.watchdog.senders.base import Options

    if kind not in SENDERS:
        raise ValueError(f'"{kind}" is no type that the watchdog can send by')
    made: Any = resolve_name(SENDERS[kind])
    sender: Sender = made(Options(options), allow_private)
    return sender
