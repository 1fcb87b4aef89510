"""Slack by an incoming webhook."""

import logging
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import field_validator

from daemon.notify import Tools
from daemon.notify.answers import classify, retry_after
from daemon.notify.base import ChannelError, Failure, Message, Receipt
from daemon.notify.http import Answer
from daemon.notify.options import ChannelOptions
from daemon.notify.pace import Pace
from daemon.notify.slack_blocks import Payload, plain_payload, rich_payload
from daemon.notify.text import cut, one_line
from daemon.secret import Secret
from state.codec import to_json

log = logging.getLogger(__name__)

SPACING_S = 1.0  # Slack takes a message a second from one webhook and promises nothing for bursts
# Together under the 20 s that the notifier gives a send: wait, the rich form, the plain one.
PATIENCE_S = 6.0
FIRST_TRY_S = 10.0
BOTH_TRIES_S = 12.0
LONGEST_HOLD = timedelta(seconds=60)  # a longer Retry-After is passed on to the sender, the queue reopens

HEADERS = {"Content-Type": "application/json; charset=utf-8"}

# What 400 says when it is the form it will not have; the same words as plain text may still be taken.
FORM_REFUSED = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "invalid_payload", "msg_blocks_too_long", "msg_too_long"}
)
ADVICE = {
    "no_service": "the webhook was removed or never was; make a new one and set its address",
    "no_team": "the workspace is gone; make a webhook in another and set its address",
    "invalid_token": "the webhook's address is wrong; copy it again from the app's settings",
    "channel_not_found": "the room is gone; make a webhook for another and set its address",
    "channel_is_archived": "unarchive the room, or make a webhook for another",
    "action_prohibited": "an administrator of the workspace must allow the app to post",
}


class SlackOptions(ChannelOptions):
    """`url`: the webhook's address, https://hooks.slack.com/services/…, which is a secret."""

    url: Secret

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: Secret) -> Secret:
        text = url.reveal()
        try:
            parts = urlsplit(text)
            usable = (
                parts.scheme in ("http", "https")
                and parts.hostname
                and text.isprintable()
                and " " not in text
            )
            _ = parts.port
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(
                "is no web address; an incoming webhook's begins with https://hooks.slack.com/services/"
            )
        return url


class Slack:
    """Posts to one webhook, one message at a time. Slack dedupes nothing: a lost answer stays unknown."""

    Options: ClassVar[type[SlackOptions]] = SlackOptions
    is_delivery: ClassVar[bool] = True

    def __init__(self, options: SlackOptions, tools: Tools) -> None:
        self._url = options.url
        self._host = urlsplit(options.url.reveal()).hostname or "slack"
        self._http = tools.http
        self._clock = tools.clock
        self._pace = tools.paces.setdefault(options.url, Pace(tools.clock, SPACING_S))

    async def send(self, message: Message) -> Receipt:
        """Post the message, in plain text if Slack refuses its blocks."""
        async with self._pace.turn(PATIENCE_S):
            started_s = self._clock.monotonic()
            answer = await self._post(rich_payload(message), FIRST_TRY_S)
            if is_form_refused(answer):
                fields = {"message_id": message.id, "status": answer.status, "answer": _word(answer)}
                log.warning("slack.blocks-refused", extra={"fields": fields})
                left_s = BOTH_TRIES_S - (self._clock.monotonic() - started_s)
                self._pace.begin()
                answer = await self._post(plain_payload(message), left_s)
            return self._judge(answer)

    async def _post(self, payload: Payload, timeout_s: float) -> Answer:
        return await self._http.post(self._url, body=to_json(payload), headers=HEADERS, timeout_s=timeout_s)

    def _judge(self, answer: Answer) -> Receipt:
        failure = classify(answer.status)
        if failure is None:
            return Receipt(proof=f"{answer.status} {_word(answer)}".strip())
        wait = retry_after(answer.headers, self._clock.now())
        if failure is Failure.TRANSIENT and wait is not None:
            self._pace.hold(min(wait, LONGEST_HOLD))
        raise ChannelError(self._told(answer), failure=failure, retry_after=wait)

    def _told(self, answer: Answer) -> str:
        word = _word(answer)
        said = f"{self._host} answered {answer.status}" + (f" {word}" if word else "")
        advice = ADVICE.get(word)
        return f"{said}: {advice}" if advice else said


def is_form_refused(answer: Answer) -> bool:
    """Whether it was the dress of the message that Slack refused, and not the message."""
    return answer.status == 400 and _word(answer) in FORM_REFUSED


def _word(answer: Answer) -> str:
    """Slack answers with one word; from anything else in its place no more than a line is kept."""
    return cut(one_line(answer.text), 150)
