"""PagerDuty by its Events API v2: alerts wake whoever is on call, and nothing else does."""

import asyncio
import logging
import re
import socket
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import field_validator

from daemon.notify import Tools
from daemon.notify.address import WebAddress
from daemon.notify.answers import classify, retry_after
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.http import Answer
from daemon.notify.options import ChannelOptions
from daemon.notify.pagerduty_event import Event, dedup_key, resolve, thread_of, trigger
from daemon.notify.reach import reach
from daemon.notify.text import cut, one_line
from daemon.secret import Secret
from state.codec import NotJson, from_json, to_json

log = logging.getLogger(__name__)

ENQUEUE = "https://events.pagerduty.com/v2/enqueue"
TRY_S = 8.0  # a test is two events, one after the other, within the 20 s that the notifier gives a send
# PagerDuty names no time with a 429; it counts about 120 events of a key over the last 60 s.
BUSY = timedelta(seconds=60)

HEADERS = {"Content-Type": "application/json"}
KINDS = frozenset({"alert", "escalation", "resolved", "test"})
KEY_LENGTH = 32
ADVICE = {
    400: "compare routingKey with the Integration Key of an Events API v2 integration",
    401: "the routing key is not accepted; copy the Integration Key again",
    403: "the routing key is not accepted; copy the Integration Key again",
    404: "there is nothing at this address; leave url out for PagerDuty's own",
}


class PagerDutyOptions(ChannelOptions):
    """`routingKey`: the Integration Key of a service. `url`: another address than PagerDuty's own."""

    routing_key: Secret
    url: WebAddress = ENQUEUE

    @field_validator("routing_key")
    @classmethod
    def _is_key(cls, key: Secret) -> Secret:
        if not re.fullmatch(f"[A-Za-z0-9]{{{KEY_LENGTH}}}", key.reveal()):
            raise ValueError(
                f"is no routing key, which has {KEY_LENGTH} letters and digits; copy the Integration Key of "
                "an Events API v2 integration"
            )
        return key


class PagerDuty:
    """Triggers and resolves alerts of one service. The same dedup_key twice is one alert."""

    Options: ClassVar[type[PagerDutyOptions]] = PagerDutyOptions
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = True

    def __init__(self, options: PagerDutyOptions, tools: Tools) -> None:
        self._key = options.routing_key
        self._url = options.url
        self._host = urlsplit(options.url).hostname or "pagerduty"
        self._source = socket.gethostname()
        self._http = tools.http
        self._clock = tools.clock

    async def send(self, message: Message) -> Receipt:
        """Trigger an alert, or resolve what the message says is over; a test is triggered and resolved."""
        match message.kind:
            case "resolved":
                return await self._resolve(message)
            case "test":
                return await self._try_out(message)
            case "alert" | "escalation":
                return await self._trigger(message)
        raise ChannelError(
            f"a pager wakes people and carries alerts only; send a {one_line(message.kind[:40])} by another "
            "channel",
            failure=Failure.PERMANENT,
        )

    async def check(self) -> Sequence[Step]:
        """Reach the address: whether the key is right shows only when an alert is sent."""
        return (await reach(self._http, self._clock, self._url),)

    async def _trigger(self, message: Message) -> Receipt:
        return self._judge(
            await self._post(trigger(message, self._source, self._key.reveal())), thread_of(message)
        )

    async def _resolve(self, message: Message) -> Receipt:
        # All of them again after a failure: what is resolved already drops a second resolve.
        threads = dict.fromkeys((*message.closes, thread_of(message)))
        posts = (self._post(resolve(thread, self._key.reveal())) for thread in threads)
        answers = await asyncio.gather(*posts, return_exceptions=True)
        receipt = Receipt(proof="nothing to resolve")
        for thread, answer in zip(threads, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            receipt = self._judge(answer, thread)
        return receipt

    async def _try_out(self, message: Message) -> Receipt:
        """An alert that wakes nobody for long; where it cannot be resolved, it has arrived all the same."""
        receipt = await self._trigger(message)
        try:
            self._judge(await self._post(resolve(thread_of(message), self._key.reveal())), thread_of(message))
        except ChannelError as error:
            fields = {"message_id": message.id, "error": str(error)}
            log.warning("pagerduty.test-left-open", extra={"fields": fields})
            return Receipt(proof=f"{receipt.proof}; not resolved, do it by hand", details=receipt.details)
        return receipt

    async def _post(self, event: Event) -> Answer:
        return await self._http.post(self._url, body=to_json(event), headers=HEADERS, timeout_s=TRY_S)

    def _judge(self, answer: Answer, thread: str) -> Receipt:
        failure = classify(answer.status)
        said = f"{answer.status} {self._words(answer)}".strip()
        if failure is None:
            key = dedup_key(thread)
            return Receipt(proof=f"{said}, dedup_key {cut(key, 100)}", details={"dedupKey": key})
        wait = retry_after(answer.headers, self._clock.now())
        if wait is None and answer.status == 429:
            wait = BUSY
        advice = ADVICE.get(answer.status)
        told = f"{self._host} answered {said}" + (f": {advice}" if advice else "")
        raise ChannelError(told, failure=failure, retry_after=wait)

    def _words(self, answer: Answer) -> str:
        """What the answer says, without the key: it is in the body, where the HTTP client cannot know it."""
        return cut(one_line(_message_of(answer.text).replace(self._key.reveal(), "***")), 150)


def _message_of(text: str) -> str:
    """Message and errors of PagerDuty's answer; of anything else the text as it is."""
    try:
        answer: Any = from_json(text)
    except NotJson:
        return text
    if not isinstance(answer, dict) or not isinstance(answer.get("message"), str):
        return text
    errors = answer.get("errors")
    said = [str(error) for error in errors[:5]] if isinstance(errors, list) else []
    return ": ".join([answer["message"], *(["; ".join(said)] if said else [])])
