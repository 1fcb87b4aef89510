"""Everybody that alerts go to, standing in on loopback for daemons in processes of their own."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tests.daemon.notify import discord_stand_in
from tests.daemon.notify.discord_stand_in import discord
from tests.daemon.notify.mail_servers import USER, MailServer, real
from tests.daemon.notify.receivers import TOKEN, Receiver, Script, receiver, saying, slack
from tests.daemon.notify.services import (
    WEBHOOK_KEY,
    WEBHOOK_SECRET,
    apprise_json,
    at,
    mailgun,
    pagerduty,
    refused_webhook,
    sendgrid,
    service,
)
from tests.daemon.notify.slack_api import slack_api

OPENING_S = 20.0


@dataclass(frozen=True)
class Vendors:
    """One strict receiver of each kind."""

    slack: Receiver
    slack_api: Receiver
    discord: Receiver
    sendgrid: Receiver
    mailgun: Receiver
    pagerduty: Receiver
    webhook: Receiver
    apprise: Receiver
    unsigned: Receiver
    mail: MailServer

    @property
    def environ(self) -> dict[str, str]:
        """The variables that a person would set, with the addresses and credentials taken here."""
        own = f"json://{urlsplit(self.apprise.url).netloc}/{TOKEN}"
        return {
            "SLACK_ERROR_WEBHOOK": self.slack.url,
            "SLACK_BOT_TOKEN": TOKEN,
            "DISCORD_OPS_WEBHOOK": at(self.discord, discord_stand_in.PATH),
            "EMAIL_API_KEY": TOKEN,
            "MAILGUN_KEY": TOKEN,
            "SMTP_PASSWORD": TOKEN,
            "PAGERDUTY_KEY": TOKEN,
            "MY_HOOK_URL": self.webhook.url,
            "NIGHTDESK_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "TELEGRAM_URL": own,
            "SMS_URL": own,
            "NTFY_URL": own,
        }

    @property
    def whole_environ(self) -> dict[str, str]:
        """The variables that make a channel each, without a line in the config."""
        return {
            "SLACK_ERROR_WEBHOOK": self.slack.url,
            "ALERT_WEBHOOK_URL": self.unsigned.url,
            "EMAIL_API_KEY": TOKEN,
            "EMAIL_API_URL": at(self.sendgrid, "/v3/mail/send"),
            "SMTP_HOST": self.mail.host,
            "SMTP_PORT": str(self.mail.port),
            "SMTP_USER": USER,
            "SMTP_PASSWORD": TOKEN,
            "SMTP_FROM_EMAIL": "desk@example.com",
            "ADMIN_EMAIL": "ops@example.com, boss@example.com",
            "SSL_CERT_FILE": str(self.mail.ca_file),  # the mail server's authority, as the system's own
            "SLACK_WEBHOOK_URL": self.slack.url,
            "DISCORD_WEBHOOK_URL": at(self.discord, discord_stand_in.PATH),
        }

    def here(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A channel's entry with the vendor's own address replaced by the one that stands in for it."""
        match entry["type"]:
            case "slack" if "token" in entry:
                return {**entry, "apiUrl": at(self.slack_api, "/api/")}
            case "email" if "mailgun" in entry.get("apiUrl", ""):
                return {**entry, "apiUrl": at(self.mailgun, urlsplit(entry["apiUrl"]).path)}
            case "email":
                return {**entry, "apiUrl": at(self.sendgrid, "/v3/mail/send")}
            case "pagerduty":
                return {**entry, "url": at(self.pagerduty, "/v2/enqueue")}
            case "smtp":
                server = {name: self.mail.options[name] for name in ("host", "port", "caFile", "user")}
                return {**entry, **server, "password": "env:SMTP_PASSWORD"}
        return dict(entry)


def _webhook(line: str, headers: dict[str, str], body: bytes) -> Script:
    if not line.startswith("POST "):
        return saying(405)
    problem = refused_webhook(headers, body, WEBHOOK_KEY, datetime.now(UTC))
    return saying(400, problem) if problem else saying(200, "ok")


async def _open(stack: AsyncExitStack) -> Vendors:
    async def opened(opening: Any) -> Any:
        return await stack.enter_async_context(opening)

    return Vendors(
        slack=await opened(slack()),
        slack_api=await opened(slack_api()),
        discord=await opened(discord()),
        sendgrid=await opened(sendgrid()),
        mailgun=await opened(mailgun()),
        pagerduty=await opened(pagerduty()),
        webhook=await opened(service(_webhook)),
        apprise=await opened(apprise_json()),
        unsigned=await opened(receiver(saying(204))),
        mail=await opened(real()),
    )


@contextmanager
def vendors() -> Iterator[Vendors]:
    """Open all of them, in a thread of their own."""
    ready: Future[Vendors] = Future()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            async with AsyncExitStack() as stack:
                ready.set_result(await _open(stack))
                await ended.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="vendors")
    thread.start()
    try:
        yield ready.result(OPENING_S)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
