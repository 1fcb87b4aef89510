"""The channel that writes a line into the log: a record, by which nobody has been told."""

import logging
from collections.abc import Sequence
from typing import ClassVar

from daemon.notify import Tools
from daemon.notify.base import Message, Receipt, Step
from daemon.notify.options import ChannelOptions
from daemon.notify.text import cut, headline, one_line, safe_url

log = logging.getLogger(__name__)

# What a log line keeps of a message; a line too long for a terminal helps nobody.
LONGEST_TEXT = 2000
LONGEST_FACT = 200
MOST_FACTS = 20


class LogOptions(ChannelOptions):
    """There is nothing to choose."""


class Log:
    """Writes each message as one line, event `notify.logged`."""

    Options: ClassVar[type[LogOptions]] = LogOptions
    is_delivery: ClassVar[bool] = False
    dedupes: ClassVar[bool] = False

    def __init__(self, options: LogOptions, tools: Tools) -> None:
        pass

    async def send(self, message: Message) -> Receipt:
        fields = {
            "message_id": message.id,
            "kind": message.kind,
            "title": cut(headline(message), LONGEST_TEXT),
            "text": cut(one_line(message.text), LONGEST_TEXT),
            "facts": {_short(name): _short(value) for name, value in message.facts[:MOST_FACTS]},
            "entries": len(message.entries),
            "link": safe_url(message.link[1]) if message.link else None,
        }
        log.info("notify.logged", extra={"fields": fields})
        return Receipt(
            proof="written to the log; nobody has been told", details={"entries": len(message.entries)}
        )

    async def check(self) -> Sequence[Step]:
        """There is no way to go: the daemon writes its log as long as it runs."""
        return (Step(name="log", is_ok=True, detail="written by this program itself", took_s=0.0),)


def _short(text: str) -> str:
    return cut(one_line(text), LONGEST_FACT)
