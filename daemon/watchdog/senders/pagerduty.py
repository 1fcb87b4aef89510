"""PagerDuty, by its Events API v2."""

import socket
from datetime import datetime

from daemon.watchdog.message import Kind, Message, headline
from daemon.watchdog.plain_json import to_json
from daemon.watchdog.senders.base import Options
from daemon.watchdog.senders.web import post

EVENTS = "https://events.pagerduty.com/v2/enqueue"
HEADERS = {"Content-Type": "application/json"}
LONGEST_SUMMARY = 1024
LONGEST_KEY = 255


class PagerDuty:
    """`routingKey`, and `url` where it is not PagerDuty's own."""

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._key = options.text("routingKey")
        self._url = options.url("url", allow_private=allow_private, default=EVENTS)

    def send(self, message: Message, now: datetime) -> str:
        """Open the incident of the thread, or end it; a test does both, as the least grave there is."""
        if message.kind is Kind.RESOLVED:
            return self._event("resolve", message)
        proof = self._event("trigger", message)
        return self._event("resolve", message) if message.kind is Kind.TEST else proof

    def _event(self, action: str, message: Message) -> str:
        event: dict[str, object] = {
            "routing_key": self._key,
            "event_action": action,
            "dedup_key": message.thread[:LONGEST_KEY],
        }
        if action == "trigger":
            event["client"] = "nightdesk"
            event["payload"] = {
                "summary": headline(message)[:LONGEST_SUMMARY],
                "source": socket.gethostname() or "nightdesk",
                "severity": "info" if message.kind is Kind.TEST else message.severity,
                "timestamp": message.created_at.isoformat(),
                "custom_details": dict([*message.facts, ("What to do", message.advice or "nothing")]),
            }
            if message.link and message.link.startswith("https://"):
                event["links"] = [{"href": message.link, "text": "nightdesk"}]
        answer = post(self._url, to_json(event), HEADERS, allow_private=self._allow_private)
        return f"{answer.status} {action}"
