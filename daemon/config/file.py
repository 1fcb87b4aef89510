"""The config file as a whole: every key it may have at its top."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from daemon.config.reporting import LedgerSection, LlmSection, RedisSection, ReportsSection, WatchdogSection
from daemon.config.sections import (
    AlertsSection,
    HttpSection,
    NetworkSection,
    QueueSection,
    ScheduleEntry,
    ScoringOptions,
    Section,
)
from daemon.config.values import Duration, FilledText, Name, Share, Text, WebAddress, Zone

FIVE_FIELDS = "as a cron line."

# The keys at the top that set a built-in schedule, and the schedule each sets.
BUILTIN_SCHEDULES = {
    "nightlyBatchSchedule": "nightly-batch",
    "morningNotificationSchedule": "send-digest",
    "dailyReportSchedule": "daily-reports",
    "backupReportSchedule": "backup-reports",
    "dailyHealthSchedule": "daily-health",
    "heartbeatSchedule": "heartbeat",
}


# What else a channel may hold is known to its own type, which the config never loads.
ChannelOptions = Annotated[
    Mapping[Text, Any],
    WithJsonSchema({"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]}),
]


class ConfigFile(Section):
    """What orchestrator_config.json may hold."""

    schema_: Text | None = Field(
        default=None, alias="$schema", description="The JSON Schema an editor checks the file by."
    )
    timezone: Zone = Field(
        default="UTC", description="The zone of every schedule that names none, and of the digest's date."
    )
    handlers: tuple[FilledText, ...] = Field(
        default=("handlers",), description="The packages or modules that handlers are loaded from."
    )
    nightly_batch_schedule: FilledText | None = Field(
        default=None, description=f"When the nightly batch runs, {FIVE_FIELDS}"
    )
    morning_notification_schedule: FilledText | None = Field(
        default=None, description=f"When the digest is sent, {FIVE_FIELDS}"
    )
    daily_report_schedule: FilledText | None = Field(
        default=None, description=f"When daily reports are made, {FIVE_FIELDS}"
    )
    backup_report_schedule: FilledText | None = Field(
        default=None, description=f"When missing reports are looked for aloud, {FIVE_FIELDS}"
    )
    daily_health_schedule: FilledText | None = Field(
        default=None, description=f"When the daily health report is made, {FIVE_FIELDS}"
    )
    heartbeat_schedule: FilledText | None = Field(
        default=None, description=f"When the heartbeat task runs, {FIVE_FIELDS}"
    )
    digest_notification_channel: FilledText = Field(
        default="log",
        description="The channel of the digest: slack, discord, email, log, or one under `channels`.",
    )
    digest_notification_target: Text = Field(
        default="",
        description="A Slack channel id, mail addresses, or the name of a channel to take instead.",
    )
    draft_score_threshold: Share = Field(
        default=0.75, description="A score strictly above it marks an item for a draft."
    )
    slow_batch_after: Duration = Field(
        default=timedelta(seconds=30), description="A batch that takes longer is warned of."
    )
    app_url: WebAddress | None = Field(
        default=None, description="Where the buttons of messages lead; APP_URL stands in for it."
    )
    scoring: ScoringOptions = Field(
        default={}, validate_default=True, description="How items without a score of their own are scored."
    )
    schedules: Mapping[Name, ScheduleEntry] = Field(
        default={}, description="Schedules by name; a built-in name overrides."
    )
    channels: Mapping[Name, ChannelOptions] = Field(
        default={}, description="Channels by name: a `type`, and the options of that type."
    )
    alerts: AlertsSection = Field(
        default={}, validate_default=True, description="When somebody hears of it, and who."
    )
    queue: QueueSection = Field(
        default={}, validate_default=True, description="How much is done side by side, and how much is kept."
    )
    reports: ReportsSection | None = Field(default=None, description="The daily report of every company.")
    llm: LlmSection = Field(default={}, validate_default=True, description="The ladder of language models.")
    ledger: LedgerSection = Field(
        default={}, validate_default=True, description="Where obligations and sends are kept."
    )
    redis: RedisSection | None = Field(default=None, description="A Redis to look after.")
    http: HttpSection = Field(default={}, validate_default=True, description="The HTTP API on a TCP port.")
    watchdog: WatchdogSection = Field(
        default={}, validate_default=True, description="How soon a hanging daemon is noticed."
    )
    network: NetworkSection = Field(
        default={}, validate_default=True, description="What the daemon may talk to."
    )
