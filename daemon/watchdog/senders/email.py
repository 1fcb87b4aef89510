"""Mail by an API: SendGrid, or Mailgun where the address is one."""

import base64
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from daemon.watchdog.message import Message, headline, plain_text
from daemon.watchdog.plain_json import to_json
from daemon.watchdog.senders.base import Options
from daemon.watchdog.senders.web import post

SENDGRID = "https://api.sendgrid.com/v3/mail/send"
LONGEST_SUBJECT = 200


class Email:
    """`apiKey`, `apiUrl`, `from`, `to`, and `provider` where the address does not give it away."""

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._key = options.text("apiKey")
        self._url = options.url("apiUrl", allow_private=allow_private, default=SENDGRID)
        self._from = options.addresses("from")[0]
        self._to = options.addresses("to")
        self._is_mailgun = options.text("provider", _provider(self._url)) == "mailgun"
        if self._is_mailgun and not self._url.rstrip("/").endswith("/messages"):
            self._url = self._url.rstrip("/") + "/messages"

    def send(self, message: Message, now: datetime) -> str:
        """Hand it to the service, which says that it has it and not that anybody reads it."""
        subject, text = headline(message)[:LONGEST_SUBJECT], plain_text(message)
        if self._is_mailgun:
            return self._send_by_mailgun(message, subject, text)
        payload = {
            "personalizations": [{"to": [{"email": address}]} for address in self._to],
            "from": {"email": self._from},
            "subject": subject,
            "content": [{"type": "text/plain", "value": text}],
            "custom_args": {"nightdesk-id": message.id},
        }
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        answer = post(self._url, to_json(payload), headers, allow_private=self._allow_private)
        return f"{answer.status}"

    def _send_by_mailgun(self, message: Message, subject: str, text: str) -> str:
        fields = [("from", self._from), ("subject", subject), ("text", text), ("v:nightdesk-id", message.id)]
        # Without the variables everybody would read who else was told.
        fields += [("to", address) for address in self._to]
        fields.append(("recipient-variables", to_json({address: {} for address in self._to}).decode()))
        basic = base64.b64encode(f"api:{self._key}".encode()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {basic}"}
        answer = post(self._url, urlencode(fields).encode(), headers, allow_private=self._allow_private)
        return f"{answer.status}"


def _provider(url: str) -> str:
    parts = urlsplit(url)
    is_mailgun = "mailgun" in (parts.hostname or "") or parts.path.rstrip("/").endswith("/messages")
    return "mailgun" if is_mailgun else "sendgrid"
