"""Mailgun's messages API v3 (its reference of /v3/<domain>/messages, its manual on batch sending)."""

import re
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urlencode, urlsplit

from daemon.notify import mail
from daemon.notify.base import Message
from daemon.notify.email_provider import LONGEST_WORDS, Account, Request, first_words
from daemon.notify.http import Answer, SecretOrText
from daemon.notify.text import MOST_READ, cut, one_line
from daemon.secret import Secret
from state.codec import NotJson, from_json, to_json

LONGEST_ID = 500  # all h: and o: fields together may have 16 kB
EMPTY_FORM_REFUSED = 400

# What Mailgun puts something in for: a stranger's text could have it insert a link that unsubscribes.
_VARIABLE = re.compile(r"%(?=recipient\b|[a-z_]*unsubscribe)", re.IGNORECASE)


class Mailgun:
    """Recipient variables, though empty, have it make a mail of its own for each recipient."""

    name = "Mailgun"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._url = send_address(account.url)
        self.advice: Mapping[int, str] = {
            401: "the key is not accepted; a key of the EU region needs an apiUrl at api.eu.mailgun.net",
            402: "the account has to be paid or raised; see Mailgun's control panel",
            403: "the key may not send for this domain; see Mailgun's control panel",
            404: f"Mailgun does not know the domain {domain_of(self._url)}; write it into apiUrl as in "
            "https://api.mailgun.net/v3/mg.example.com/messages",
            413: "the mail is too large",
        }
        credentials = b64encode(f"api:{account.key.reveal()}".encode()).decode()
        self._headers: Mapping[str, SecretOrText] = {
            "Authorization": Secret(f"Basic {credentials}"),
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def mail(self, message: Message) -> Request:
        body = urlencode(self._form(message)).encode()
        return Request(method="POST", url=self._url, headers=self._headers, body=body)

    def probe(self) -> Request:
        # An empty form names no recipient. It goes the way a mail goes, and unlike the API of domains it
        # is also answered for a key that may do nothing but send.
        return Request(method="POST", url=self._url, headers=self._headers, body=b"")

    def found(self, answer: Answer) -> str | None:
        if answer.status != EMPTY_FORM_REFUSED:
            return None
        return f"the key and the domain {domain_of(self._url)} are accepted"

    def receipt_id(self, answer: Answer) -> str:
        return _field(answer.text, "id") or ""

    def words(self, answer: Answer) -> str:
        said = _field(answer.text, "message")
        return first_words(answer.text) if said is None else cut(one_line(said), LONGEST_WORDS)

    def _form(self, message: Message) -> list[tuple[str, str]]:
        account = self._account
        headers = mail.headers(message, account.sender.domain, account.unsubscribe)
        headers["X-Nightdesk-Id"] = cut(one_line(message.id[:MOST_READ]), LONGEST_ID)
        return [
            ("from", str(account.sender.as_header)),
            *(("to", address) for address in account.recipients),
            ("subject", unfilled(mail.subject(message))),
            ("text", unfilled(mail.text(message))),
            ("html", _VARIABLE.sub("&#37;", mail.html(message))),
            ("recipient-variables", to_json({address: {} for address in account.recipients}).decode()),
            ("o:tracking", "no"),  # a link in an alert leads where it says
            *((f"h:{name}", unfilled(value)) for name, value in headers.items()),
        ]


def unfilled(text: str) -> str:
    """The text with a space in what Mailgun would fill in."""
    return _VARIABLE.sub("% ", text)


def send_address(url: str) -> str:
    """Where mails are sent to, where the address ends at the domain.

    Raises:
        ValueError: there is no domain in it.
    """
    if not re.fullmatch(r"/v[34]/[^/]+\.[^/]+(/messages)?/?", urlsplit(url).path):
        raise ValueError(
            "names no domain to send for; write https://api.mailgun.net/v3/mg.example.com/messages with yours"
        )
    address = url.rstrip("/")
    return address if address.endswith("/messages") else f"{address}/messages"


def domain_of(url: str) -> str:
    """The sending domain in such an address."""
    return unquote(urlsplit(url).path.split("/")[2])


def _field(text: str, name: str) -> str | None:
    try:
        answered = from_json(text)
    except NotJson:
        return None
    value = answered.get(name) if isinstance(answered, dict) else None
    return value if isinstance(value, str) else None
