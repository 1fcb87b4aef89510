"""Prose for reports: a ladder of providers of language models, and below its last rung the template.

A new wire format is a file of its own and a line in this table.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.clock import Clock
    from daemon.config.reporting import ProviderSection
    from daemon.notify.http import HttpClient
    from handlers.llm.base import Provider

PROVIDERS = {
    "anthropic": "handlers.llm.anthropic:Anthropic",
    "openai": "handlers.llm.openai:OpenAi",
}


def open_provider(section: "ProviderSection", http: "HttpClient", clock: "Clock") -> "Provider":
    """Make one provider from its entry in the config; its row is loaded when it is asked for."""
    made: Provider = resolve_name(PROVIDERS[section.type])(section, http, clock)
    return made
