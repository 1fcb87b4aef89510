"""Slack: by an incoming webhook, which has one room, or by a token that may post to many."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from daemon.notify import Tools
from daemon.notify.address import WebAddress, is_web_address
from daemon.notify.answers import retry_after
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.http import Answer, SecretOrText
from daemon.notify.options import ChannelOptions
from daemon.notify.pace import Pace
from daemon.notify.reach import UNPROVED, ask, reach
from daemon.notify.slack_answers import Heard, heard_from_api, heard_from_webhook
from daemon.notify.slack_blocks import Payload, plain_payload, rich_payload
from daemon.secret import Secret
from state.codec import to_json

log = logging.getLogger(__name__)

SPACING_S = 1.0  # Slack takes a message a second for one room and promises nothing for bursts
# Together under the 20 s that the notifier gives a send: wait, the rich form, the plain one.
PATIENCE_S = 6.0
FIRST_TRY_S = 10.0
BOTH_TRIES_S = 12.0
LONGEST_HOLD = timedelta(seconds=60)  # a longer Retry-After is passed on to the sender, the queue reopens

HEADERS = {"Content-Type": "application/json; charset=utf-8"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}  # of a call without arguments

# A room, a group, a conversation or a person by its id, or a room by its name.
_TARGET = re.compile(r"[CGDUW][A-Z0-9]{5,20}|#[^\s#@<>&|,]{1,80}")


class SlackOptions(ChannelOptions):
    """Either `url`, a webhook's address (a secret), or `token` (a secret) and `target`, the room."""

    token: Secret | None = None
    target: str | None = Field(default=None, validate_default=True)
    api_url: WebAddress = "https://slack.com/api/"
    url: Secret | None = Field(default=None, validate_default=True)

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: Secret | None) -> Secret | None:
        text = "" if token is None else token.reveal()
        if token is not None and not (text.isascii() and text.isprintable() and text and " " not in text):
            raise ValueError("is no token; the bot's begins with xoxb- and has no spaces")
        if "://" in text:
            raise ValueError("is an address and no token; a webhook's address belongs under url")
        if text.startswith("xapp-"):
            raise ValueError("is an app-level token, which may not post; set the bot's, it begins with xoxb-")
        return token

    @field_validator("target")
    @classmethod
    def _is_room(cls, target: str | None, info: ValidationInfo) -> str | None:
        if target is None and info.data.get("token"):
            raise ValueError('is needed beside token: the room, as in "#ops" or "C0123456789"')
        if target is not None and not _TARGET.fullmatch(target):
            raise ValueError('is no room; write its name as in "#ops", or its id as in "C0123456789"')
        return target

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: Secret | None, info: ValidationInfo) -> Secret | None:
        if url is None:
            if "token" in info.data and "target" in info.data and not info.data["token"]:
                raise ValueError("is needed: the address of an incoming webhook; or set token and target")
            return None
        if not is_web_address(url.reveal()):
            raise ValueError(
                "is no web address; an incoming webhook's begins with https://hooks.slack.com/services/"
            )
        if info.data.get("token") or info.data.get("target"):
            raise ValueError("stands beside token or target; a webhook has a room of its own, so keep one")
        return url


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How messages get into a room."""

    address: SecretOrText
    headers: Mapping[str, SecretOrText]
    extra: Mapping[str, str]  # what goes with every message
    read: Callable[[Answer], Heard]
    queue: Secret  # whoever has the same one waits for each other


class Slack:
    """Posts to one room, one message at a time. Slack dedupes nothing: a lost answer stays unknown."""

    Options: ClassVar[type[SlackOptions]] = SlackOptions
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = False

    def __init__(self, options: SlackOptions, tools: Tools) -> None:
        self._options = options
        self._way = _way(options)
        self._host = urlsplit(_text(self._way.address)).hostname or "slack"
        self._http = tools.http
        self._clock = tools.clock
        self._pace = tools.paces.setdefault(self._way.queue, Pace(tools.clock, SPACING_S))

    async def send(self, message: Message) -> Receipt:
        """Post the message, in plain text if Slack refuses its blocks."""
        async with self._pace.turn(PATIENCE_S):
            started_s = self._clock.monotonic()
            answer = await self._post(rich_payload(message), FIRST_TRY_S)
            heard = self._way.read(answer)
            if heard.is_form_refused:
                fields = {"message_id": message.id, "status": answer.status, "answer": heard.word}
                log.warning("slack.blocks-refused", extra={"fields": fields})
                left_s = BOTH_TRIES_S - (self._clock.monotonic() - started_s)
                self._pace.begin()
                answer = await self._post(plain_payload(message), left_s)
                heard = self._way.read(answer)
            return self._judge(answer, heard)

    async def check(self) -> Sequence[Step]:
        """Ask who the token belongs to; a webhook cannot be asked anything and is only reached."""
        if self._options.token is None:
            return (await reach(self._http, self._clock, self._way.address),)
        address = f"{_api(self._options)}auth.test"
        headers = {**FORM, "Authorization": self._way.headers["Authorization"]}
        answer, step = await ask(
            self._http, self._clock, "POST", address, name="token", body=b"", headers=headers
        )
        if answer is None:
            return (step,)
        heard = heard_from_api(answer)
        detail = f"the token is valid; {UNPROVED}" if heard.failure is None else self._told(answer, heard)
        return (Step(name="token", is_ok=heard.failure is None, detail=detail, took_s=step.took_s),)

    async def _post(self, payload: Payload, timeout_s: float) -> Answer:
        body = to_json({**payload, **self._way.extra})
        return await self._http.post(
            self._way.address, body=body, headers=self._way.headers, timeout_s=timeout_s
        )

    def _judge(self, answer: Answer, heard: Heard) -> Receipt:
        if heard.failure is None:
            return Receipt(proof=heard.proof)
        wait = retry_after(answer.headers, self._clock.now())
        if heard.failure is Failure.TRANSIENT and wait is not None:
            self._pace.hold(min(wait, LONGEST_HOLD))
        raise ChannelError(self._told(answer, heard), failure=heard.failure, retry_after=wait)

    def _told(self, answer: Answer, heard: Heard) -> str:
        said = " ".join(filter(None, [f"{self._host} answered {answer.status}", heard.word]))
        return f"{said}: {heard.advice}" if heard.advice else said


def _way(options: SlackOptions) -> _Way:
    if options.url is not None:
        return _Way(
            address=options.url, headers=HEADERS, extra={}, read=heard_from_webhook, queue=options.url
        )
    assert options.token is not None, "the options need one of the two"
    token, target = options.token.reveal(), options.target or ""
    return _Way(
        address=f"{_api(options)}chat.postMessage",
        headers={**HEADERS, "Authorization": Secret(f"Bearer {token}")},
        extra={"channel": target},
        read=heard_from_api,
        queue=Secret(f"{token} {target}"),
    )


def _api(options: SlackOptions) -> str:
    return options.api_url.rstrip("/") + "/"


def _text(address: SecretOrText) -> str:
    return address.reveal() if isinstance(address, Secret) else address
