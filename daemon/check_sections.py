"""Have handlers judge the sections of the config that they work on: they know best what can be done."""

from collections.abc import Iterable

from daemon.config.load import Draft
from daemon.engine.handler import Handler


def check_sections(draft: Draft, handlers: Iterable[Handler]) -> None:
    """Put what the handlers find wrong among the mistakes; a section that is not configured is nobody's."""
    config, findings = draft.config, draft.findings
    for handler in handlers:
        if handler.check is None or handler.section is None:
            continue
        if getattr(config, handler.section, None) is None or findings.is_broken((handler.section,)):
            continue
        for place, text in handler.check(config):
            findings.problem((handler.section, *place), text)
