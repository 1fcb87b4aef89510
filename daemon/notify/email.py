"""Mail by the API of a provider: SendGrid or Mailgun."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from daemon.notify import Tools
from daemon.notify.address import WebAddress
from daemon.notify.answers import LONGEST_WAIT, classify, retry_after
from daemon.notify.base import ChannelError, Message, Receipt, Step
from daemon.notify.email_mailgun import Mailgun
from daemon.notify.email_mailgun import send_address as mailgun_address
from daemon.notify.email_provider import Account, Provider
from daemon.notify.email_sendgrid import NO_CREDITS, SendGrid
from daemon.notify.http import Answer
from daemon.notify.mail import unsubscribe_address
from daemon.notify.mailbox import Recipients, Sender, parse_addresses
from daemon.notify.options import ChannelOptions
from daemon.notify.reach import ask
from daemon.notify.text import cut, one_line
from daemon.secret import Secret

TRY_S = 15.0  # a mail may have three megabytes to go up; the notifier gives a send 20 s
DEFAULT_URL = "https://api.sendgrid.com/v3/mail/send"

PROVIDERS: Mapping[str, Callable[[Account], Provider]] = {"sendgrid": SendGrid, "mailgun": Mailgun}


class EmailOptions(ChannelOptions):
    """`provider` need only be given where `apiUrl` does not tell: a relay of one's own, for one."""

    api_key: Secret
    api_url: WebAddress = DEFAULT_URL
    sender: Annotated[Sender, Field(alias="from")]
    to: Recipients
    provider: Literal["sendgrid", "mailgun"] | None = None
    unsubscribe: Annotated[str, AfterValidator(unsubscribe_address)] | None = None

    @model_validator(mode="after")
    def _has_a_whole_address(self) -> "EmailOptions":
        if not re.fullmatch("[!-~]{1,1000}", self.api_key.reveal()):
            raise ValueError("apiKey is empty, or holds characters that no key has; copy it again")
        if self.carrier == "mailgun":
            try:
                mailgun_address(self.api_url)
            except ValueError as error:
                raise ValueError(f"apiUrl {error}") from None
        return self

    @property
    def carrier(self) -> str:
        """The provider, as it was said or as the address tells."""
        parts = urlsplit(self.api_url)
        is_mailgun = "mailgun" in (parts.hostname or "") or parts.path.rstrip("/").endswith("/messages")
        return self.provider or ("mailgun" if is_mailgun else "sendgrid")


class Email:
    """Hands a mail to a provider, which only promises to try: a receipt says that it is queued there.

    Providers drop no second copy, so a lost answer stays unknown.
    """

    Options: ClassVar[type[EmailOptions]] = EmailOptions
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = False

    def __init__(self, options: EmailOptions, tools: Tools) -> None:
        self._options = options
        self._tools = tools
        account = Account(
            key=options.api_key,
            url=options.api_url,
            sender=options.sender,
            recipients=options.to,
            unsubscribe=options.unsubscribe,
        )
        self._provider = PROVIDERS[options.carrier](account)
        self._key = options.api_key
        self._people = len(options.to)
        self._host = urlsplit(options.api_url).hostname or options.carrier
        self._http = tools.http
        self._clock = tools.clock

    async def send(self, message: Message) -> Receipt:
        """Hand the mail over for all recipients in one request."""
        request = self._provider.mail(message)
        answer = await self._http.request(
            request.method, request.url, body=request.body, headers=request.headers, timeout_s=TRY_S
        )
        return self._judge(self._without_key(answer))

    def addressed(self, to: Sequence[str]) -> "Email":
        """See `Mailing.addressed`."""
        people = parse_addresses(list(to))
        return Email(self._options.model_copy(update={"to": people}), self._tools)

    async def check(self) -> Sequence[Step]:
        """Ask the provider whether it accepts the key; no mail is sent."""
        probe = self._provider.probe()
        answer, step = await ask(
            self._http,
            self._clock,
            probe.method,
            probe.url,
            name="login",
            body=probe.body,
            headers=probe.headers,
        )
        if answer is None:
            return (step,)
        answer = self._without_key(answer)
        proved = self._provider.found(answer)
        detail = f"answered {answer.status}; {proved}" if proved else self._told(answer)
        return (replace(step, is_ok=proved is not None, detail=detail),)

    def _judge(self, answer: Answer) -> Receipt:
        failure = classify(answer.status)
        if failure is None:
            name = cut(one_line(self._provider.receipt_id(answer)), 100)
            queued = f"{answer.status} queued at {self._provider.name} for {self._people}, not yet delivered"
            return Receipt(proof=f"{queued}; id {name}" if name else queued, details={"id": name})
        now = self._clock.now()
        wait = retry_after(answer.headers, now) or reset_after(answer.headers, now)
        raise ChannelError(self._told(answer), failure=failure, retry_after=wait)

    def _told(self, answer: Answer) -> str:
        words = self._provider.words(answer)
        advice = self._provider.advice.get(answer.status)
        if answer.status == 401 and "credits" in words.lower():
            advice = NO_CREDITS
        said = f"{self._host} answered {answer.status}" + (f" {words}" if words else "")
        return f"{said}: {advice}" if advice else said

    def _without_key(self, answer: Answer) -> Answer:
        # The HTTP client takes out the header as it stands; Mailgun's holds the key in another form.
        return Answer(
            status=answer.status,
            headers=answer.headers,
            text=answer.text.replace(self._key.reveal(), "***"),
        )


def reset_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long until a limit is lifted, by `X-RateLimit-Reset`: seconds since 1970, or milliseconds.

    Never negative, at most 24 h; None where the limit is not used up, or nothing sensible was said.
    """
    said = {name.lower(): value.strip() for name, value in headers.items()}
    text = said.get("x-ratelimit-reset", "")
    if said.get("x-ratelimit-remaining", "0") != "0" or not (text.isascii() and text.isdigit()):
        return None
    at_s = int(text[:20])
    if at_s > 100_000_000_000:  # as seconds that would be the year 5138
        at_s = math.ceil(at_s / 1000)
    wait_s = at_s - now.timestamp()
    return timedelta(seconds=min(max(0.0, wait_s), LONGEST_WAIT.total_seconds()))
