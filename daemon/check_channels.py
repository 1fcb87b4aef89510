"""Judge whom messages go to: the channels, and what the digest says of them."""

import ipaddress
import urllib.parse
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from daemon.config.digest_channel import MAIL, SUFFIX
from daemon.config.load import Draft
from daemon.config.problems import Place, meant, nearest, quoted, shown
from daemon.config.secrets import NEVER_IN_THE_FILE
from daemon.config.sections import ChannelEntry
from daemon.config.wording import record
from daemon.secret import Secret

# What brings the channels that a digest may name without an entry of their own.
BROUGHT_BY = {
    "slack": "SLACK_WEBHOOK_URL, or SLACK_BOT_TOKEN and digestNotificationTarget,",
    "discord": "DISCORD_WEBHOOK_URL",
    "email": "EMAIL_API_KEY or SMTP_HOST, with SMTP_FROM_EMAIL and ADMIN_EMAIL,",
    "smtp": "SMTP_HOST, SMTP_FROM_EMAIL and ADMIN_EMAIL",
    "webhook": "ALERT_WEBHOOK_URL",
}


def check_channels(draft: Draft) -> dict[str, ChannelEntry]:
    """Let every channel's own `Options` judge its entry; return those that can be opened.

    One entry under two names is judged once, and one derived from another only where that one is fit.
    """
    judged: list[tuple[ChannelEntry, bool]] = []
    fit: dict[str, ChannelEntry] = {}
    for name, entry in draft.config.channels.items():
        base = name.removesuffix(SUFFIX)
        if base != name and base in draft.config.channels and base not in fit:
            continue
        is_fit = next((verdict for known, verdict in judged if known is entry), None)
        if is_fit is None:
            is_fit = _is_fit(name, entry, draft)
            judged.append((entry, is_fit))
        if is_fit:
            fit[name] = entry
    return fit


def _is_fit(name: str, entry: ChannelEntry, draft: Draft) -> bool:
    from daemon.notify import CHANNELS, channel_type

    place, findings = ("channels", name), draft.findings
    if entry.type not in CHANNELS:
        text = f"{shown(entry.type)} is no type of channel; {meant(entry.type, CHANNELS)}"
        findings.problem((*place, "type"), text)
        return False
    before = len(findings.problems)
    _check_options(entry, place, channel_type(entry.type).Options, draft)
    return len(findings.problems) == before


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


def check_digest(draft: Draft) -> None:
    """See that the digest has somewhere to go."""
    digest, findings = draft.config.digest, draft.findings
    names = draft.named
    place: Place = ("digestNotificationChannel",)
    if digest.target in names:
        _check_kind(("digestNotificationTarget",), digest.target, draft)
    elif digest.channel in names:
        _check_kind(place, digest.channel, draft)
        _check_target(draft)
    elif digest.channel in BROUGHT_BY:
        needs = f"set {BROUGHT_BY[digest.channel]} in the environment, or add it under channels"
        findings.problem(place, f"there is no channel {quoted(digest.channel)}; {needs}")
    else:
        known = names.union(BROUGHT_BY)
        findings.problem(
            place, f"no channel is named {shown(digest.channel)}; {meant(digest.channel, known)}"
        )


def _check_kind(place: Place, name: str, draft: Draft) -> None:
    entry = draft.config.channels.get(name)
    if entry is not None and entry.type == "pagerduty":
        draft.findings.problem(place, "a pager is for alerts, and takes no digest; name another channel")


def _check_target(draft: Draft) -> None:
    """See that the target says something to the channel; a derived channel has taken it up already."""
    digest, place = draft.config.digest, ("digestNotificationTarget",)
    entry = draft.config.channels.get(digest.channel)
    if not digest.target or entry is None or digest.channel.endswith(SUFFIX):
        return
    near = nearest(digest.target, draft.named)
    hint = f"; did you mean the channel {quoted(near)}?" if near else ""
    if entry.type in MAIL:
        text = f"{shown(digest.target)} is neither a mail address nor the name of a channel"
        draft.findings.problem(place, text + hint)
    elif entry.type == "slack":
        if "url" in entry.options:
            text = "an incoming webhook has a room of its own, so this target is not used"
            draft.findings.warn(place, f"{text}{hint or '; SLACK_BOT_TOKEN reaches any room'}")
    elif entry.type == "log":
        draft.findings.warn(place, f"the log has no rooms, so this target is not used{hint}")
    else:
        what = f"a channel of type {entry.type} has one destination, so this target is not used"
        draft.findings.warn(place, what + hint)
