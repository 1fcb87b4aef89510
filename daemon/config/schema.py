"""The config written out: its JSON Schema for editors, what is in force, and the file to start from."""

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from daemon.config.file import BUILTIN_SCHEDULES, ConfigFile
from daemon.config.load import Config
from daemon.secret import Secret

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_NAME = "orchestrator_config.schema.json"

# What `init` writes and the project ships: only what is served, and nothing that needs a secret.
STARTER: Mapping[str, Any] = {
    "$schema": f"./{SCHEMA_NAME}",
    "timezone": "UTC",
    "handlers": ["handlers"],
    "nightlyBatchSchedule": "0 23 * * *",
    "morningNotificationSchedule": "0 6 * * *",
    "heartbeatSchedule": "*/5 * * * *",
    "digestNotificationChannel": "log",
    "digestNotificationTarget": "",
    "draftScoreThreshold": 0.75,
}


class _Schema(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of names: they say nothing and hide the descriptions."""

    def get_title_from_name(self, name: str) -> str:
        return ""

    def encode_default(self, dft: Any) -> Any:
        return duration_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def generate(self, schema: Any, mode: JsonSchemaMode = "validation") -> dict[str, Any]:
        made: dict[str, Any] = _without_empty_titles(super().generate(schema, mode=mode))
        return made


def _without_empty_titles(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_empty_titles(inner) for key, inner in value.items() if (key, inner) != ("title", "")
        }
    return [_without_empty_titles(inner) for inner in value] if isinstance(value, list) else value


def json_schema() -> dict[str, Any]:
    """Describe the whole file: every key with its kind, its default and a sentence."""
    described = ConfigFile.model_json_schema(by_alias=True, schema_generator=_Schema)
    return {"$schema": DIALECT, **described, "title": "orchestrator_config.json"}


def schema_text() -> str:
    """Write the schema as the file that lies beside the config."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def starter_text() -> str:
    """Write the config that `init` makes."""
    return json.dumps(STARTER, indent=2) + "\n"


def config_in_force(config: Config) -> dict[str, Any]:
    """Write out what is in force, in the file's own words, every default in it and every secret as `***`."""
    digest = config.digest
    crons = {key: config.builtin_crons.get(name) for key, name in BUILTIN_SCHEDULES.items()}
    written = {
        "timezone": config.timezone,
        "handlers": config.handler_packages,
        **crons,
        "digestNotificationChannel": digest.channel,
        "digestNotificationTarget": digest.target,
        "draftScoreThreshold": digest.threshold,
        "slowBatchAfter": digest.slow_after,
        "appUrl": digest.app_url,
        "scoring": digest.scoring,
        "schedules": config.schedules,
        "channels": {name: {"type": entry.type, **entry.options} for name, entry in config.channels.items()},
        "alerts": config.alerts,
        "queue": config.queue,
        "reports": config.reports,
        "llm": config.llm,
        "ledger": config.ledger,
        "redis": config.redis,
        "http": config.http,
        "watchdog": config.watchdog,
        "network": config.network,
    }
    plain: dict[str, Any] = _plain(written)
    return plain


def _plain(value: Any) -> Any:
    match value:
        case Secret():
            return "***"
        case BaseModel():
            names = type(value).model_fields
            return _plain({field.alias or name: getattr(value, name) for name, field in names.items()})
        case Mapping():
            return {key: _plain(inner) for key, inner in value.items() if inner is not None}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case timedelta():
            return duration_text(value)
        case Enum():
            return value.value
    return value


def duration_text(span: timedelta) -> str:
    """Write a duration so that it can be read back: "1h30m", "1s500ms"."""
    left_ms = round(span.total_seconds() * 1000)
    written = ""
    for letter, size_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left_ms = divmod(left_ms, size_ms)
        written += f"{count}{letter}" if count else ""
    return written or "0s"
