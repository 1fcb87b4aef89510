"""The sections of the config that say how reports are made, where their ledger is, and who watches."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from daemon.config.secrets import Address, LedgerAddress, RedisAddress, SecretText
from daemon.config.sections import Section
from daemon.config.values import FilledText, Name, Places, Span, TimeOfDay, WebAddress, number, whole

Price = Annotated[float, number(0, 1_000_000)]


class SourceSection(Section):
    """Where the facts of a report come from."""

    type: Literal["files", "sqlite", "postgres", "http"] = Field(description="The kind of source.")
    facts: FilledText = Field(description="The question for the facts: one row a company.")
    tables: Mapping[FilledText, FilledText] = Field(
        default={}, description="Titles, each with the question for its table."
    )
    path: FilledText | None = Field(default=None, description="The database file of a sqlite source.")
    url: Address | None = Field(default=None, description="The address of a postgres or http source.")
    folders: tuple[FilledText, ...] = Field(
        default=(".",), min_length=1, description="The folders a files source may read; all below them too."
    )
    token: SecretText | None = Field(
        default=None, description='The bearer token of a http source: "env:NAME".'
    )
    timeout: Span = Field(default=timedelta(seconds=30), description="How long one question may take.")


class ReportsSection(Section):
    """The daily report of every company."""

    companies: FilledText = Field(default="companies.json", description="The roster's file, read at start.")
    source: SourceSection | None = Field(default=None, description="Where the facts come from.")
    templates: FilledText | None = Field(
        default=None, description="A folder with templates of your own: report.html, report.txt."
    )
    fanout: Literal["local", "pgqueuer", "docket"] = Field(
        default="local", description="What carries reports to workers."
    )
    concurrency: Places = Field(default=8, description="Reports made at once.")
    deadline: TimeOfDay = Field(default="07:00", description="Local time by which a report is due.")
    stuck_after: Span = Field(default=timedelta(hours=2), description="When a started report is taken over.")
    resend_after: Span = Field(
        default=timedelta(minutes=15),
        description="When a send of unknown outcome is repeated to a receiver that dedupes.",
    )


class ProviderSection(Section):
    """One provider of language models."""

    name: Name = Field(description="Its name in reports, metrics and the ledger.")
    type: Literal["openai", "anthropic"] = Field(description="The wire format it speaks.")
    base_url: WebAddress = Field(description="Its address: with /v1 for openai, without for anthropic.")
    model: FilledText = Field(description="The model to ask.")
    api_key: SecretText | None = Field(default=None, description='Its key: "env:NAME" or "file:PATH".')
    timeout: Span = Field(
        default=timedelta(seconds=60),
        description="How long one report may wait for it, a second try included.",
    )
    max_output: Annotated[int, whole(1, 1_000_000)] = Field(
        default=2048, description="The longest answer, in tokens."
    )
    max_input: Annotated[int, whole(1000, 10_000_000)] = Field(
        default=16_000, description="The longest question it has room for, in tokens; longer tables are cut."
    )
    concurrency: Annotated[int, whole(1, 20)] = Field(default=4, description="Questions put to it at once.")
    price_in: Price = Field(default=0.0, description="What a million tokens of questions cost, in USD.")
    price_out: Price = Field(default=0.0, description="What a million tokens of answers cost, in USD.")


def _told_apart(providers: tuple[ProviderSection, ...]) -> tuple[ProviderSection, ...]:
    names = [provider.name for provider in providers]
    if "template" in names:
        raise ValueError('no provider may be named "template"; in reports that is the one without a model')
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f'two providers are named "{twice}"; reports and metrics could not tell them apart')
    return providers


class LlmSection(Section):
    """The ladder of providers, tried from the first; below the last stands the template."""

    providers: Annotated[tuple[ProviderSection, ...], AfterValidator(_told_apart)] = Field(
        default=(), description="The providers, best first."
    )
    delivery_reserve: Span = Field(
        default=timedelta(seconds=60), description="The time before a deadline that is kept for sending."
    )
    daily_budget: Price | None = Field(
        default=None,
        description="What all providers may cost in a day (UTC), in USD; then the template writes.",
    )
    shortest_slice: Span = Field(
        default=timedelta(seconds=20), description="The least time a provider is asked with."
    )


class LedgerSection(Section):
    """Where obligations and sends are kept."""

    url: LedgerAddress = Field(
        default="sqlite", description='"sqlite" for the embedded one, or a postgresql:// address.'
    )


class RedisSection(Section):
    """A Redis to look after."""

    url: RedisAddress = Field(
        description="Its address; one with a password is kept elsewhere and named here."
    )
    check_interval: Span = Field(default=timedelta(seconds=30), description="How often it is looked at.")


class WatchdogSection(Section):
    """How soon a daemon that hangs is noticed."""

    beat_interval: Span = Field(
        default=timedelta(seconds=1), description="How often the loop proves its life."
    )
    hung_after: Span = Field(default=timedelta(seconds=45), description="The silence that counts as hung.")
    stopped_after: Span = Field(
        default=timedelta(minutes=10), description="How long a daemon may stay stopped before it is alerted."
    )
    heartbeat_gap: Span = Field(
        default=timedelta(minutes=15), description="The gap between heartbeat tasks that is alerted."
    )
    ping_url: SecretText | None = Field(default=None, description='A dead-man address to call: "env:NAME".')
