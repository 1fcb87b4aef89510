"""Judge whom messages go to: the channels, and what the digest and the alerts say of them."""

import ipaddress
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from daemon.config.load import Draft
from daemon.config.problems import Findings, Place, meant, nearest, quoted, shown
from daemon.config.secrets import NEVER_IN_THE_FILE
from daemon.config.sections import ChannelEntry
from daemon.config.wording import record
from daemon.secret import Secret

# What brings the channels that a digest may name without an entry of their own.
BROUGHT_BY = {
    "slack": "SLACK_WEBHOOK_URL",
    "discord": "DISCORD_WEBHOOK_URL",
    "email": "EMAIL_API_KEY or SMTP_HOST",
}


def check_channels(draft: Draft) -> dict[str, ChannelEntry]:
    """Let every channel's own `Options` judge its entry; return those that can be opened.

    A type nobody has is a mistake in the file. From the environment, which other programs share, it
    is only worth a warning.
    """
    from daemon.notify import CHANNELS, channel_type

    fit, findings = {}, draft.findings
    for name, entry in draft.config.channels.items():
        place = ("channels", name)
        if entry.type in CHANNELS:
            before = len(findings.problems)
            _check_options(entry, place, channel_type(entry.type).Options, draft)
            if len(findings.problems) == before:
                fit[name] = entry
        elif entry.is_from_environment:
            findings.warn(
                place, f"channels of type {entry.type} cannot be opened yet; {quoted(name)} is left out"
            )
        else:
            text = f"{shown(entry.type)} is no type of channel; {meant(entry.type, CHANNELS)}"
            findings.problem((*place, "type"), text)
    return fit


def _check_options(entry: ChannelEntry, place: Place, options: type[BaseModel], draft: Draft) -> None:
    findings, allow_private = draft.findings, draft.config.network.allow_private
    secret = {
        field.alias or name for name, field in options.model_fields.items() if _is_secret(field.annotation)
    }
    for key, value in entry.options.items():
        for at, part in _parts((*place, key), value):
            if key in secret and isinstance(part, str) and not (allow_private and _is_private(part)):
                findings.problem(at, NEVER_IN_THE_FILE)
                findings.mark_broken(at)
            elif not allow_private and _text_of(part).lower().startswith("http://"):
                findings.problem(
                    at,
                    "this address begins with http://; https is needed unless network.allowPrivate is true",
                )
    try:
        options.model_validate(dict(entry.options), by_alias=True, by_name=False)
    except ValidationError as error:
        record(error, options, findings, base=place)


def _is_secret(annotation: Any) -> bool:
    return annotation is Secret or any(_is_secret(inner) for inner in get_args(annotation))


def _parts(place: Place, value: Any) -> Iterable[tuple[Place, Any]]:
    return (
        [((*place, index), part) for index, part in enumerate(value)]
        if isinstance(value, list)
        else [(place, value)]
    )


def _text_of(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else value if isinstance(value, str) else ""


def _is_private(address: str) -> bool:
    """Whether an address leads no further than this network; then it opens no door to anybody."""
    try:
        host = urllib.parse.urlsplit(address).hostname or ""
        return host == "localhost" or not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def check_digest(draft: Draft, fit: Mapping[str, ChannelEntry]) -> None:
    """See that the digest has somewhere to go."""
    digest, findings = draft.config.digest, draft.findings
    names = draft.named
    if digest.target in names:
        _check_open(("digestNotificationTarget",), digest.target, draft, fit)
        return
    place: Place = ("digestNotificationChannel",)
    if digest.channel in names:
        _check_open(place, digest.channel, draft, fit)
        _check_target(draft)
    elif digest.channel in BROUGHT_BY:
        needs = f"set {BROUGHT_BY[digest.channel]} in the environment, or add it under channels"
        findings.problem(place, f"there is no channel {quoted(digest.channel)}; {needs}")
    else:
        known = names.union(BROUGHT_BY)
        findings.problem(
            place, f"no channel is named {shown(digest.channel)}; {meant(digest.channel, known)}"
        )


def _check_open(place: Place, name: str, draft: Draft, fit: Mapping[str, ChannelEntry]) -> None:
    entry = draft.config.channels.get(name)
    # Whatever is wrong with an entry of the file has been said at that entry.
    if entry is not None and entry.is_from_environment and name not in fit and not _is_known(entry.type):
        draft.findings.problem(place, f"channels of type {entry.type} cannot be opened yet; use slack or log")


def _is_known(kind: str) -> bool:
    from daemon.notify import CHANNELS

    return kind in CHANNELS


def _check_target(draft: Draft) -> None:
    target, place = draft.config.digest.target, ("digestNotificationTarget",)
    entry = draft.config.channels.get(draft.config.digest.channel)
    if not target or entry is None:
        return
    near = nearest(target, draft.named)
    hint = f"; did you mean the channel {quoted(near)}?" if near else ""
    if entry.type == "slack" and "url" in entry.options:
        text = "an incoming webhook has a room of its own, so this target is not used"
        draft.findings.warn(place, text + hint)
    elif entry.type == "log":
        draft.findings.warn(place, f"the log has no rooms, so this target is not used{hint}")


def check_alerts(draft: Draft) -> None:
    """See that every route ends at a receiver, and every receiver at channels that exist."""
    alerts, findings = draft.config.alerts, draft.findings
    for name, channels in alerts.receivers.items():
        for index, channel in enumerate(channels):
            if channel not in draft.named:
                text = f"no channel is named {shown(channel)}; {meant(channel, draft.named)}"
                findings.problem(("alerts", "receivers", name, index), text)
    for index, route in enumerate(alerts.routes):
        for key, receiver in (("receiver", route.receiver), ("escalateTo", route.escalate_to)):
            if receiver is not None and receiver not in alerts.receivers:
                text = f"no receiver is named {shown(receiver)}; {meant(receiver, alerts.receivers)}"
                _problem_unless_receivers_broken(findings, ("alerts", "routes", index, key), text)


def _problem_unless_receivers_broken(findings: Findings, place: Place, text: str) -> None:
    if not findings.is_broken(("alerts", "receivers")):
        findings.problem(place, text)
