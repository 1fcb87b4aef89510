"""Discord by a webhook."""

import logging
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import field_validator

from daemon.notify import Tools
from daemon.notify.address import is_web_address
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.discord_answers import Heard, heard, is_form_refused, said_in
from daemon.notify.discord_embeds import Payload, plain_payload, rich_payload
from daemon.notify.http import Answer
from daemon.notify.options import ChannelOptions
from daemon.notify.pace import Pace
from daemon.notify.reach import ask
from daemon.notify.text import cut, one_line
from daemon.secret import Secret
from state.codec import to_json

log = logging.getLogger(__name__)

SPACING_S = 0.5  # five in two seconds have been seen to pass; beyond that the headers say when
# Together under the 20 s that the notifier gives a send: wait, the rich form, the plain one.
PATIENCE_S = 6.0
FIRST_TRY_S = 10.0
BOTH_TRIES_S = 12.0
LONGEST_HOLD = timedelta(seconds=60)  # a longer wait is passed on to the sender, the queue reopens
LONGEST_NAME = 80  # Discord's own limit for the name of a webhook

HEADERS = {"Content-Type": "application/json"}

_HOSTS = re.compile(r"(?:[a-z]+\.)?discord(?:app)?\.com")
_PATH = re.compile(r"/api(?:/v\d+)?/webhooks/\d+/[\w-]+/?")
_HINT = "a webhook's begins with https://discord.com/api/webhooks/ and ends in its token"


class DiscordOptions(ChannelOptions):
    """`url`: the webhook's address, https://discord.com/api/webhooks/…, which is a secret."""

    url: Secret

    @field_validator("url")
    @classmethod
    def _is_webhook(cls, url: Secret) -> Secret:
        if not is_web_address(url.reveal()):
            raise ValueError(f"is no web address; {_HINT}")
        parts = urlsplit(url.reveal())
        if parts.path.rstrip("/").endswith(("/slack", "/github")):
            raise ValueError(
                "ends in /slack or /github, which takes messages of other programs; cut that off"
            )
        if _HOSTS.fullmatch(parts.hostname or "") and not _PATH.fullmatch(parts.path):
            raise ValueError(f"is no webhook's address; {_HINT}")
        return url


class Discord:
    """Posts to one webhook, one message at a time. Discord dedupes nothing: a lost answer stays unknown."""

    Options: ClassVar[type[DiscordOptions]] = DiscordOptions
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = False

    def __init__(self, options: DiscordOptions, tools: Tools) -> None:
        self._url = options.url
        self._waiting_url = _with_wait(options.url)
        self._host = urlsplit(options.url.reveal()).hostname or "discord"
        self._http = tools.http
        self._clock = tools.clock
        self._pace = tools.paces.setdefault(options.url, Pace(tools.clock, SPACING_S))

    async def send(self, message: Message) -> Receipt:
        """Post the message, in plain text if Discord refuses its embeds."""
        async with self._pace.turn(PATIENCE_S):
            started_s = self._clock.monotonic()
            answer = await self._post(rich_payload(message), FIRST_TRY_S)
            said = self._heard(answer)
            if is_form_refused(answer, said):
                fields = {"message_id": message.id, "status": answer.status, "answer": said.word}
                log.warning("discord.embeds-refused", extra={"fields": fields})
                left_s = BOTH_TRIES_S - (self._clock.monotonic() - started_s)
                self._pace.begin()
                answer = await self._post(plain_payload(message), left_s)
                said = self._heard(answer)
            return self._judge(answer, said)

    async def check(self) -> Sequence[Step]:
        """Ask the webhook for its name and channel, which is no message."""
        answer, step = await ask(self._http, self._clock, "GET", self._url, name="webhook")
        if answer is None:
            return (step,)
        said = heard(answer, self._clock.now())
        detail = _described(answer) if said.failure is None else self._told(answer, said)
        return (Step(name="webhook", is_ok=said.failure is None, detail=detail, took_s=step.took_s),)

    async def _post(self, payload: Payload, timeout_s: float) -> Answer:
        return await self._http.post(
            self._waiting_url, body=to_json(payload), headers=HEADERS, timeout_s=timeout_s
        )

    def _heard(self, answer: Answer) -> Heard:
        """Read an answer; whoever is next waits as long as it asks for."""
        said = heard(answer, self._clock.now())
        for span in (said.wait if said.failure is Failure.TRANSIENT else None, said.pause):
            if span is not None:
                self._pace.hold(min(span, LONGEST_HOLD))
        return said

    def _judge(self, answer: Answer, said: Heard) -> Receipt:
        if said.failure is None:
            return Receipt(proof=said.proof)
        raise ChannelError(self._told(answer, said), failure=said.failure, retry_after=said.wait)

    def _told(self, answer: Answer, said: Heard) -> str:
        told = " ".join(filter(None, [f"{self._host} answered {answer.status}", said.word]))
        return f"{told}: {said.advice}" if said.advice else told


def _with_wait(url: Secret) -> Secret:
    """The address with `wait=true`: without it a message that is not saved gives no error."""
    parts = urlsplit(url.reveal())
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "wait"]
    return Secret(urlunsplit(parts._replace(query=urlencode([*query, ("wait", "true")]))))


def _described(answer: Answer) -> str:
    said = said_in(answer)
    name, channel = said.get("name"), said.get("channel_id")
    if not isinstance(name, str) or not isinstance(channel, str):
        return f"reached, answered {answer.status}, but not as a webhook does"
    return f'the webhook "{cut(one_line(name), LONGEST_NAME)}" of channel {cut(one_line(channel), 20)}'
