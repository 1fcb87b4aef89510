"""The sections of the config that say what runs, what it scores, and how loud it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from daemon.config.problems import shown
from daemon.config.secrets import SecretText
from daemon.config.values import (
    Duration,
    FilledText,
    Flag,
    HostName,
    Kind,
    Name,
    Places,
    Port,
    Span,
    Text,
    TokenHash,
    Weight,
    Zone,
    whole,
)
from state.records import Lane, Severity


class Section(BaseModel):
    """A part of the config: camelCase in the file, fixed once read, nothing unknown in it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,  # for code; the file is read with names refused
        validate_by_alias=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        defer_build=True,  # only the whole is ever checked; building each part as well doubles the start
    )


def _loudness(value: object) -> Severity:
    name = value.lower() if isinstance(value, str) else ""
    if name not in list(Severity):
        raise ValueError(f"{shown(value)} is no severity; known: {', '.join(Severity)}")
    return Severity(name)


Loudness = Annotated[Severity, Kind(_loudness, type="string", enum=[str(severity) for severity in Severity])]


class ScheduleEntry(Section):
    """One entry under `schedules`: what is left out comes from the handler, or from the house."""

    handler: Name | None = Field(
        default=None, description="The handler to run; the entry's own name where left out."
    )
    command: tuple[FilledText, ...] | None = Field(
        default=None,
        min_length=1,
        description="A program and its arguments to run instead of a handler; exit 0 is success.",
    )
    args: Mapping[Text, Any] = Field(default={}, description="What the handler is handed as its arguments.")
    cron: FilledText | None = Field(
        default=None,
        description='When: five cron fields, six with seconds first, or "@every 2s", "@hourly", "@daily".',
    )
    timezone: Zone | None = Field(
        default=None, description="The zone the cron line is meant in; else the top-level one."
    )
    timeout: Span | None = Field(default=None, description="How long one run may take before it is ended.")
    max_attempts: Annotated[int, whole(1, 100)] | None = Field(
        default=None, description="How often a failing task is tried."
    )
    overlap: Literal["skip", "queue", "allow", "cancel"] = Field(
        default="skip", description="What to do with a fire while an earlier run is unfinished."
    )
    catch_up: Literal["newest", "all"] = Field(
        default="newest", description="Which of several missed fires are made up."
    )
    catch_up_window: Duration = Field(
        default=timedelta(hours=24), description="How late a missed fire is still made up."
    )
    lane: Lane | None = Field(default=None, description="The lane of the queue its tasks wait in.")
    deadline: Span | None = Field(
        default=None,
        description="How long after its time a run must have succeeded; later is a critical alert.",
    )
    enabled: Flag = Field(default=True, description="false keeps the entry and fires nothing.")


class Weights(Section):
    """How much each part of a score counts; only their proportions matter."""

    relevance: Weight = Field(default=0.4, description="Closeness to the configured topics.")
    engagement: Weight = Field(default=0.25, description="Votes and comments.")
    freshness: Weight = Field(default=0.15, description="How new it is.")
    intent: Weight = Field(default=0.2, description="Whether somebody is looking for something.")


INTENT_PHRASES = (
    "looking for",
    "recommend",
    "recommendation",
    "suggestion",
    "alternative to",
    "alternatives to",
    "how do i",
    "how can i",
    "how to",
    "what do you use",
    "which tool",
    "is there a",
    "does anyone know",
    "any advice",
    "need help",
    "help me",
    "struggling with",
    "best way to",
    "tired of",
    "switch from",
)


class ScoringOptions(Section):
    """How an item is scored that does not bring a score of its own."""

    topics: Mapping[FilledText, Weight] = Field(
        default={}, description="Words or phrases, each with its weight."
    )
    intent_phrases: tuple[FilledText, ...] = Field(
        default=INTENT_PHRASES, description="Phrases by which somebody who wants something gives it away."
    )
    weights: Weights = Field(
        default={}, validate_default=True, description="How much each part of the score counts."
    )
    freshness_half_life: Span = Field(
        default=timedelta(days=2), description="The age at which freshness has fallen to a half."
    )


class QueueSection(Section):
    """How much is done side by side, and how much is kept."""

    concurrency: Places = Field(default=32, description="Tasks of the normal lane run at once.")
    catch_up_concurrency: Places = Field(default=4, description="Tasks made up run at once.")
    alert_concurrency: Places = Field(default=8, description="Tasks of the alert lane run at once.")
    max_waiting: Annotated[int, whole(1, 100_000_000)] = Field(
        default=1_000_000, description="Unfinished tasks the queue takes before it refuses more."
    )
    history_days: Annotated[int, whole(1, 3660)] = Field(
        default=400, description="Days that finished runs are kept."
    )


class Route(Section):
    """Which alerts go to which receiver; the first route that fits is taken."""

    severities: tuple[Loudness, ...] = Field(
        default=(), description="The severities it takes; empty for all."
    )
    match: Mapping[Text, Text] = Field(
        default={},
        description='Labels an alert must have, or its "name", each with a value that may hold * and ?.',
    )
    receiver: FilledText = Field(description="The name of a receiver under `alerts.receivers`.")
    group_wait: Duration | None = Field(
        default=None, description="How long to wait for more before telling; else `alerts.groupWait`."
    )
    repeat_interval: Span = Field(
        default=timedelta(hours=1), description="How often an alert that stays open is told again."
    )
    escalate_after: Span | None = Field(
        default=None,
        description="When an unacknowledged critical alert is told further: by the receiver's next channels.",
    )
    escalate_to: FilledText | None = Field(
        default=None, description="The receiver it is told further to, in place of those channels."
    )


class Inhibition(Section):
    """What is not told by itself while something that explains it is open; it is counted there."""

    source: FilledText = Field(
        description="The name of the alert that explains others; * and ? may stand in it."
    )
    targets: tuple[FilledText, ...] = Field(
        min_length=1, description="The names of the alerts it explains; * and ? may stand in them."
    )
    equal: tuple[FilledText, ...] = Field(
        default=(), description="Labels that must have the same value in both; empty for none."
    )


class AlertsSection(Section):
    """When somebody hears of it, and who."""

    enabled: Flag = Field(default=True, description="false records alerts and tells nobody.")
    severity_threshold: Loudness = Field(
        default=Severity.ERROR, description="The least severity that is told."
    )
    consecutive_failures: Places = Field(
        default=3, description="Failures in a row that make an alert critical."
    )
    retention: Span = Field(
        default=timedelta(hours=48), description="How long a resolved alert stays in the JSON state."
    )
    group_wait: Duration = Field(
        default=timedelta(seconds=5), description="How long to wait for more before telling of a first alert."
    )
    receivers: Mapping[Name, tuple[FilledText, ...]] = Field(
        default={},
        description="Named lists of channels, in the order in which each stands in for the one before.",
    )
    routes: tuple[Route, ...] = Field(
        default=(), description="Which alerts go to which receiver; the first that fits."
    )
    inhibitions: tuple[Inhibition, ...] = Field(
        default=(), description="What explains what, beside what the daemon knows by itself."
    )


class NetworkSection(Section):
    """What the daemon may talk to."""

    allow_private: Flag = Field(
        default=False, description="true allows http and addresses that are not public."
    )


class TokenEntry(Section):
    """One bearer token under `http.tokens`: the hash of it, or where it is kept."""

    name: Name = Field(description="Whose token it is; the log calls its calls by this name.")
    scope: Literal["read", "operate"] = Field(
        default="read", description="read looks at everything; operate also does things."
    )
    hash: TokenHash | None = Field(
        default=None,
        description="What `nightdesk token new` prints: the token itself is nowhere in the file.",
    )
    token: SecretText | None = Field(default=None, description='The token, in place of its hash: "env:NAME".')


class HttpSection(Section):
    """The HTTP API on a TCP port."""

    host: FilledText = Field(
        default="127.0.0.1", description="The address to listen on; beyond loopback a token is needed."
    )
    port: Port = Field(default=8780, description="The port; 0 takes a free one.")
    token: SecretText | None = Field(
        default=None, description='The bearer token that may do everything: "env:NAME".'
    )
    read_token: SecretText | None = Field(
        default=None, description='A bearer token that may only read: "env:NAME".'
    )
    tokens: tuple[TokenEntry, ...] = Field(
        default=(), description="More tokens, each with a name: one for each who asks."
    )
    hosts: tuple[HostName, ...] = Field(
        default=(), description="Names by which it may be asked for, beside `host`, localhost and appUrl."
    )
    max_connections: Annotated[int, whole(4, 10_000)] = Field(
        default=100, description="Connections at once, but for event streams; the oldest idle one makes room."
    )
    max_streams: Annotated[int, whole(1, 10_000)] = Field(default=256, description="Event streams at once.")
    failures_per_minute: Annotated[int, whole(1, 100_000)] = Field(
        default=10,
        description="Wrong tokens from one address in a minute, before nobody new is let in from it.",
    )
    operating_per_minute: Annotated[int, whole(1, 100_000)] = Field(
        default=120, description="Calls that do something, for each token in a minute."
    )
    emergency_per_minute: Annotated[int, whole(1, 100_000)] = Field(
        default=10, description="Emergency triggers, for each token in a minute."
    )

    @property
    def has_token(self) -> bool:
        return self.token is not None or self.read_token is not None or bool(self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSection:
    """All that the nightly batch and the morning message need to know."""

    timezone: str  # the zone whose dates the digests bear
    channel: str  # the name of the channel a digest goes to, derived for the target where there is one
    target: str  # a room, addresses, or the name of a channel that is taken instead
    threshold: float  # a score strictly above it marks an item
    app_url: str | None  # where the button of a message leads
    slow_after: timedelta  # a batch that takes longer is warned of
    scoring: ScoringOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEntry:
    """One channel as configured: its type, and options that only that type can judge."""

    type: str
    options: Mapping[str, Any]  # camelCase as in the file; references to secrets have become `Secret`
    variables: Mapping[str, str] | None = None  # option to variable, for a channel made of the environment

    @property
    def is_from_environment(self) -> bool:
        return self.variables is not None
