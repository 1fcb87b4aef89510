"""Where the digest goes: a channel as it is set up, or one derived from it for the digest's own target."""

import re
from collections.abc import Collection, Mapping

from daemon.config.environment import TARGET, addresses, lacking
from daemon.config.problems import Findings
from daemon.config.sections import ChannelEntry

SUFFIX = ":digest"  # of a derived channel's name; no name in the file may hold a colon
MAIL = frozenset({"email", "smtp"})
_ROOM = re.compile(r"#\S+|[CGDU][A-Z0-9]{6,}")


def room_of(channel: str, target: str, names: Collection[str]) -> str:
    """The Slack room that the digest's target names; empty where it names something else, or nothing."""
    if target in names:
        return ""
    return target if channel == "slack" or _ROOM.fullmatch(target) else ""


def aimed(
    channel: str, target: str, channels: Mapping[str, ChannelEntry], findings: Findings
) -> dict[str, ChannelEntry]:
    """Derive from `channel` the one that reaches the target: other addresses, or another room.

    Empty where the target is a channel itself, or `channel` is of a kind that has one destination only.
    """
    entry = channels.get(channel)
    if entry is None or not target or target in channels:
        return {}
    option: str
    value: object
    if entry.type in MAIL and "@" in target:
        option, value = "to", addresses(target)
    elif entry.type == "slack" and "token" in entry.options and entry.options.get("target") != target:
        option, value = "target", target
    else:
        return {}
    name = f"{channel}{SUFFIX}"
    made = ChannelEntry(type=entry.type, options={**entry.options, option: value}, variables=entry.variables)
    findings.said_at[("channels", name, option)] = TARGET
    return {} if lacking(made) else {name: made}
