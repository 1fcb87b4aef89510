"""One address of Apprise: what it is sent, and what can be known of how that ended. Runs in a thread.

Apprise says whether a message was sent, and not why it was not. What is known beyond that is heard in what
it logs: the status of an answer, or that there was no connection. All else of its log is dropped, for it
holds addresses with their passwords.
"""

import importlib.util
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from daemon.notify.answers import classify
from daemon.notify.base import Failure, Message
from daemon.notify.text import cut, headline, plain_text, signature
from daemon.secret import Secret
from state.records import Severity

LONGEST_TITLE = 250
LONGEST_BODY = 4_000  # whatever the service takes: these are notifications
SHORTEST_SIGNED = 400  # in a text message every character is needed for what has happened

# Loggers of the libraries that are handed whole addresses. Nothing else here uses them.
TALKATIVE = ("urllib3", "requests", "requests_oauthlib", "oauthlib", "slixmpp", "paho")
_STATUS = re.compile(r"\berror=([1-5]\d\d)\b")
# urllib3's names for "there was no connection": nothing can have been sent.
_UNREACHED = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|CERTIFICATE_VERIFY_FAILED"
)

# Marks by which services make mentions and links of what a stranger wrote. Apprise escapes where a service
# takes HTML; where it takes Markdown, or text with a syntax of its own, it hands everything on.
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "@": "＠"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one address fared; without a failure the service has taken the message."""

    failure: Failure | None
    said: str


@dataclass(slots=True)
class Heard:
    """What was understood of Apprise's log."""

    status: int | None = None
    is_unreached: bool = False


class _Ear(logging.Filter):
    """Listens to Apprise in the threads that want to know, and lets none of its records through."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        """Take in what is logged in this thread."""
        self._local.heard = heard = Heard()
        try:
            yield heard
        finally:
            self._local.heard = None

    def filter(self, record: logging.LogRecord) -> bool:
        heard: Heard | None = getattr(self._local, "heard", None)
        if heard is not None:
            understand(heard, record.getMessage())
        return False


def is_installed() -> bool:
    """Whether there is an apprise to import."""
    return importlib.util.find_spec("apprise") is not None


def is_usable(address: Secret) -> bool:
    """Whether Apprise knows the service of an address, and can read the rest of it."""
    _ear()
    return _service(address) is not None


def deliver(address: Secret, message: Message) -> Outcome:
    """Send a message to one address. Blocks; nobody can end it from outside."""
    with _ear().listening() as heard:
        service = _service(address)
        if service is None:
            said = "cannot be used; compare it with this service's page in Apprise's manual"
            return Outcome(failure=Failure.PERMANENT, said=said)
        if _notify(service, message):
            return Outcome(failure=None, said="taken")
    return judged(heard, targets=len(service))


def judged(heard: Heard, *, targets: int) -> Outcome:
    """What a "no" of Apprise means. Where nothing shows that nothing was sent, nobody can know.

    An address of several targets may have reached some of them before it failed.
    """
    if targets > 1:
        said = f"failed for at least one of its {targets} targets; it may have arrived at others"
        return Outcome(failure=Failure.UNKNOWN, said=said)
    if heard.status is not None and (failure := classify(heard.status)) is not None:
        return Outcome(failure=failure, said=f"answered {heard.status}")
    if heard.is_unreached:
        return Outcome(failure=Failure.TRANSIENT, said="not reached; nothing was sent")
    return Outcome(failure=Failure.UNKNOWN, said="failed without a reason; the message may have arrived")


def understand(heard: Heard, line: str) -> None:
    """Take from a line of Apprise's log what tells how a request ended, and nothing else."""
    if found := _STATUS.search(line):
        heard.status, heard.is_unreached = int(found[1]), False
    elif _UNREACHED.search(line):
        heard.status, heard.is_unreached = None, True


def title_and_body(message: Message, longest_title: int, longest_body: int) -> tuple[str, str]:
    """What is shown as title and what below it; a service without titles is given one text."""
    message = harmless(message)
    title = cut(headline(message), LONGEST_TITLE)
    room = min(longest_body, LONGEST_BODY)
    last = f"\n\n{signature(message)}" if room >= SHORTEST_SIGNED else ""
    text = plain_text(message, room - len(last))
    if longest_title <= 0 or len(title) > longest_title:
        return "", text + last
    body = text.removeprefix(headline(message)).lstrip()
    return title, (body + last).strip() or title


def harmless(message: Message) -> Message:
    """The message without the marks that services make mentions and links of; its own addresses stay."""
    return replace(
        message,
        title=_harmless(message.title),
        text=_harmless(message.text),
        facts=tuple((_harmless(name), _harmless(value)) for name, value in message.facts),
        entries=tuple(
            replace(
                it,
                title=_harmless(it.title),
                note=_harmless(it.note),
                text=_harmless(it.text),
                url=_quoted(it.url),
            )
            for it in message.entries
        ),
        link=(_harmless(message.link[0]), message.link[1]) if message.link else None,
    )


def _harmless(text: str) -> str:
    return text.translate(_HARMLESS).replace("](", "] (")


def _quoted(url: str | None) -> str | None:
    """An address in which nothing can be read as a mention; it leads to the same place."""
    return None if url is None else url.replace("@", "%40")


def _notify(service: Any, message: Message) -> bool:
    import apprise

    title, body = title_and_body(message, service.title_maxlen, service.body_maxlen)
    # By way of Apprise, since only it turns text into the form that the service wants.
    carrier = apprise.Apprise(asset=service.asset)
    carrier.add(service)
    kind = _kind(message)
    return bool(
        carrier.notify(body=body, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
    )


def _kind(message: Message) -> Any:
    import apprise

    if message.kind == "resolved":
        return apprise.NotifyType.SUCCESS
    if message.severity in (Severity.CRITICAL, Severity.ERROR):
        return apprise.NotifyType.FAILURE
    return apprise.NotifyType.WARNING if message.severity is Severity.WARNING else apprise.NotifyType.INFO


def _service(address: Secret) -> Any:
    """Apprise's object for an address, made anew for each message; None where it can make none.

    Its options are taken back where they would blur the outcome: tries of its own, a text in several
    parts, a failure that counts as none. What requests reads of the environment (proxies, .netrc) is out
    of reach here, and so is where an address leads: it is the operator's own word.
    """
    import apprise

    service = apprise.Apprise.instantiate(address.reveal(), asset=_asset())
    if service is not None:
        service.retry, service.optional = 0, False
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return service


@cache
def _asset() -> Any:
    import apprise

    return apprise.AppriseAsset(
        app_id="nightdesk",
        app_desc="nightdesk",
        async_mode=False,
        http_redirects=False,
        storage_mode="memory",
        pgp_autogen=False,
        pem_autogen=False,
        image_url_mask="",
        image_url_logo="",
        image_path_mask="",
    )


@cache
def _ear() -> _Ear:
    """Have the libraries' loggers speak to us alone, or not at all, from before their first word."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    ear, logger = _Ear(), logging.getLogger("apprise")
    logger.addFilter(ear)
    logger.setLevel(logging.DEBUG)
    return ear
