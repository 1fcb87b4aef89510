"""SendGrid's Web API v3 (Twilio's reference of /v3/mail/send and of its errors)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from daemon.notify import mail
from daemon.notify.base import Message
from daemon.notify.email_provider import LONGEST_WORDS, Account, Request, first_words, origin
from daemon.notify.http import Answer, SecretOrText
from daemon.notify.text import MOST_READ, cut, one_line
from daemon.secret import Secret
from state.codec import NotJson, from_json, to_json

SEND, SCOPES = "/v3/mail/send", "/v3/scopes"
LONGEST_ARG = 500  # custom_args may have 10,000 bytes in all

# Nothing is counted, rewritten or put below: a link in an alert leads where it says.
UNTRACKED = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
}
NO_CREDITS = "the plan's mails are used up; raise the plan, or send by another channel until its next period"


class SendGrid:
    """One personalization a recipient, so that each gets a mail of their own."""

    name = "SendGrid"
    advice: Mapping[int, str] = {
        401: "the key is not accepted; make one with the right to send mail, and set it as apiKey",
        403: "the sender is not verified, or the key may not send; see Sender Authentication and API Keys",
        404: "there is no such API at this address; leave apiUrl out for SendGrid's own",
        413: "the mail is too large",
    }

    def __init__(self, account: Account) -> None:
        self._account = account
        self._url = send_address(account.url)
        self._headers: Mapping[str, SecretOrText] = {
            "Authorization": Secret(f"Bearer {account.key.reveal()}"),
            "Content-Type": "application/json",
        }

    def mail(self, message: Message) -> Request:
        body = to_json(self._payload(message))
        return Request(method="POST", url=self._url, headers=self._headers, body=body)

    def probe(self) -> Request:
        return Request(method="GET", url=origin(self._url) + SCOPES, headers=self._headers)

    def found(self, answer: Answer) -> str | None:
        if answer.status != 200:
            return None
        answered = _read(answer.text)
        scopes = answered.get("scopes") if isinstance(answered, dict) else None
        if not isinstance(scopes, list):
            return "the key is accepted; what it may do was not said"
        return "the key is accepted and may send mail" if "mail.send" in scopes else None

    def receipt_id(self, answer: Answer) -> str:
        return next((value for name, value in answer.headers.items() if name.lower() == "x-message-id"), "")

    def words(self, answer: Answer) -> str:
        answered = _read(answer.text)
        errors = answered.get("errors") if isinstance(answered, dict) else None
        if not isinstance(errors, list):
            return first_words(answer.text)
        said = [_error(error) for error in errors[:3] if isinstance(error, dict)]
        return cut(one_line("; ".join(filter(None, said))), LONGEST_WORDS)

    def _payload(self, message: Message) -> dict[str, Any]:
        sender = self._account.sender
        return {
            "personalizations": [{"to": [{"email": address}]} for address in self._account.recipients],
            "from": {"email": sender.address} | ({"name": sender.name} if sender.name else {}),
            "subject": mail.subject(message),
            "content": [
                {"type": "text/plain", "value": mail.text(message)},
                {"type": "text/html", "value": mail.html(message)},
            ],
            "headers": mail.headers(message, sender.domain, self._account.unsubscribe),
            # Shown with every event of the mail, by which a second copy is told from the first.
            "custom_args": {
                "nightdesk_id": cut(one_line(message.id[:MOST_READ]), LONGEST_ARG),
                "nightdesk_kind": cut(one_line(message.kind[:MOST_READ]), LONGEST_ARG),
            },
            "tracking_settings": UNTRACKED,
        }


def send_address(url: str) -> str:
    """Where mails are sent to, where only the host or the version of the API was given."""
    parts = urlsplit(url)
    return origin(url) + SEND if parts.path.strip("/") in ("", "v3") else url


def _error(error: dict[str, Any]) -> str:
    message, place = error.get("message"), error.get("field")
    said = message if isinstance(message, str) else ""
    return f"{said} ({place})" if said and isinstance(place, str) else said


def _read(text: str) -> object:
    try:
        return from_json(text)
    except NotJson:
        return None
