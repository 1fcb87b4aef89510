"""A webhook of one's own, signed by Standard Webhooks 1.0.0."""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, field_validator

from daemon.notify import Tools
from daemon.notify.address import SecretWebAddress
from daemon.notify.answers import classify, retry_after
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.http import Answer
from daemon.notify.keys import stable_key
from daemon.notify.options import ChannelOptions
from daemon.notify.pace import Pace
from daemon.notify.reach import reach
from daemon.notify.text import cut, one_line
from daemon.notify.webhook_event import event, signature
from daemon.secret import Secret

# The standard advises 15 to 30 s; here the next channel waits for the end of this one.
TRY_S = 10.0
PATIENCE_S = 6.0  # together with a try under the 20 s that the notifier gives a send
LONGEST_HOLD = timedelta(seconds=60)  # a longer Retry-After is passed on to the sender, the queue reopens

PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64  # bytes, by the standard
MOST_SECRETS = 4

GONE = 410
UNDER_LOAD = frozenset({429, 502, 503, 504})
ADVICE = {
    GONE: "the receiver wants no more of this; it is sent no more until the next start. Take the channel "
    "out, or set a new address",
    401: "the receiver does not take the signature; compare the secret on both sides",
    403: "the receiver does not take the signature; compare the secret on both sides",
    404: "there is nothing at this address; compare it with the receiver's",
}

# A dot parts the id from the time in what is signed, so none may be in it.
_NOT_IN_AN_ID = re.compile("[^A-Za-z0-9_-]")
LONGEST_ID = 200


def _several(value: object) -> object:
    """Part one text that holds several secrets, as an environment variable does."""
    if isinstance(value, str | Secret):
        text = value.reveal() if isinstance(value, Secret) else value
        return tuple(Secret(part) for part in re.split(r"[\s,]+", text) if part)
    return value


class WebhookOptions(ChannelOptions):
    """`url`: where the events go. `secret`: what they are signed with, one or several while it is changed."""

    url: SecretWebAddress
    secret: Annotated[tuple[Secret, ...], BeforeValidator(_several)] = ()

    @field_validator("secret")
    @classmethod
    def _are_keys(cls, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        if len(secrets) > MOST_SECRETS:
            raise ValueError(f"holds {len(secrets)} secrets; {MOST_SECRETS} are the most")
        for secret in secrets:
            key_of(secret)
        return secrets


class Webhook:
    """Posts signed events to one address. A copy bears the same `webhook-id`, by which receivers dedupe."""

    Options: ClassVar[type[WebhookOptions]] = WebhookOptions
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = True

    def __init__(self, options: WebhookOptions, tools: Tools) -> None:
        self._url = options.url
        self._host = urlsplit(options.url.reveal()).hostname or "webhook"
        self._keys = tuple(key_of(secret) for secret in options.secret)
        self._http = tools.http
        self._clock = tools.clock
        self._pace = tools.paces.setdefault(options.url, Pace(tools.clock, 0.0))
        self._is_gone = False

    async def send(self, message: Message) -> Receipt:
        """Post the event; after a 410 only a test still goes out, to see whether somebody is back."""
        if self._is_gone and message.kind != "test":
            raise ChannelError(
                f"{self._host} answered {GONE} before: {ADVICE[GONE]}", failure=Failure.PERMANENT
            )
        async with self._pace.turn(PATIENCE_S):
            return self._judge(await self._post(message))

    async def check(self) -> Sequence[Step]:
        """Reach the address: it cannot be asked anything."""
        return (await reach(self._http, self._clock, self._url),)

    async def _post(self, message: Message) -> Answer:
        body = event(message)
        key = stable_key(message.id, unfit=_NOT_IN_AN_ID, longest=LONGEST_ID)
        timestamp = int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(timestamp),
        }
        if self._keys:
            headers["webhook-signature"] = signature(key, timestamp, body, self._keys)
        return await self._http.post(self._url, body=body, headers=headers, timeout_s=TRY_S)

    def _judge(self, answer: Answer) -> Receipt:
        failure = classify(answer.status)
        said = f"{answer.status} {cut(one_line(answer.text), 150)}".strip()
        self._is_gone = answer.status == GONE
        if failure is None:
            return Receipt(proof=said)
        wait = retry_after(answer.headers, self._clock.now())
        if answer.status in UNDER_LOAD and wait is not None:
            self._pace.hold(min(wait, LONGEST_HOLD))
        advice = ADVICE.get(answer.status)
        told = f"{self._host} answered {said}" + (f": {advice}" if advice else "")
        raise ChannelError(told, failure=failure, retry_after=wait)


def key_of(secret: Secret) -> bytes:
    """The bytes that a secret stands for.

    Without the prefix nobody knows whether a text is meant as it is or as base64, and the receiver would
    refuse every event that was signed by the wrong reading: so it is asked for.

    Raises:
        ValueError: it is no secret of Standard Webhooks; the message shows nothing of it.
    """
    text = secret.reveal()
    if not text.startswith(PREFIX):
        raise ValueError(f"does not begin with {PREFIX}; write {PREFIX} and base64 of {_LENGTHS}")
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"is not base64 after {PREFIX}; copy it again, or make one of {_LENGTHS}") from None
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise ValueError(f"holds {len(key)} bytes after {PREFIX}; {_LENGTHS} are wanted")
    return key


_LENGTHS = f"{SHORTEST_KEY} to {LONGEST_KEY} random bytes"
