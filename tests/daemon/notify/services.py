"""Stand-ins for services: each takes what the real one takes, and refuses what that refuses.

Their documented limits are written down here a second time on purpose: the code under test has its own.
"""

import asyncio
import base64
import hashlib
import json
import re
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from daemon.notify.apprise_service import is_usable
from daemon.secret import Secret
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN, Receiver, Script, receiver, saying

DOMAIN = "mg.example.com"
WEBHOOK_SECRET = f"whsec_{TOKEN}"
WEBHOOK_KEY = base64.b64decode(TOKEN)  # which happens to be base64, of 24 bytes

Headers = dict[str, str]
Judge = Callable[[str, Headers, bytes], Script]

ADDRESS = re.compile(r"[^\s@<>,\"]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")
SENDER = re.compile(rf"{ADDRESS.pattern}|.+ <{ADDRESS.pattern}>")
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@asynccontextmanager
async def service(judge: Judge) -> AsyncIterator[Receiver]:
    """Open a receiver whose answer to each request is for `judge` to say: request line, headers, body."""
    made: Receiver

    async def answer(writer: asyncio.StreamWriter) -> None:
        line, *rest = made.heads[-1].decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, value in (it.split(": ", 1) for it in rest)}
        await judge(line.removesuffix(" HTTP/1.1"), headers, made.bodies[-1])(writer)

    async with receiver(answer) as made:
        yield made


def at(there: Any, path: str) -> str:
    """The address of a path at a receiver."""
    return str(there.url.partition("/services")[0]) + path


# SendGrid


def sendgrid() -> Any:
    """Open a receiver that takes and refuses what SendGrid's v3 API does."""
    return service(_sendgrid)


def _sendgrid(line: str, headers: Headers, body: bytes) -> Script:
    if headers.get("authorization") != f"Bearer {TOKEN}":
        return _errors(401, "The provided authorization grant is invalid, expired, or revoked")
    if line == "GET /v3/scopes":
        return saying(200, json.dumps({"scopes": ["alerts.read", "mail.send"]}))
    if line != "POST /v3/mail/send":
        return _errors(404, "not found")
    if headers.get("content-type") != "application/json":
        return _errors(415, "Content-Type should be application/json")
    if len(body) > 30_000_000:
        return saying(413, "<html><head><title>413 Request Entity Too Large</title></head></html>")
    try:
        problem = refused_by_sendgrid(json.loads(body.decode()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"Bad Request: {error!r}"
    return _errors(400, problem) if problem else saying(202, "", X_Message_Id="14c5d75ce93.dfd.64b469")


def _errors(status: int, message: str) -> Script:
    return saying(status, json.dumps({"errors": [{"message": message, "field": None, "help": None}]}))


MAIL_KEYS = {
    "personalizations",
    "from",
    "reply_to",
    "subject",
    "content",
    "headers",
    "categories",
    "custom_args",
    "tracking_settings",
}
RESERVED = {
    "x-sg-id",
    "x-sg-eid",
    "received",
    "dkim-signature",
    "content-type",
    "content-transfer-encoding",
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
    "bcc",
}


def refused_by_sendgrid(mail: dict[str, Any]) -> str | None:
    """Why SendGrid would not have this mail; None if it would."""
    if unknown := set(mail) - MAIL_KEYS:
        return f"Additional property {unknown} is not allowed"
    people = [to["email"] for part in mail["personalizations"] for to in part["to"]]
    if not 1 <= len(mail["personalizations"]) <= 1000 or not 1 <= len(people) <= 1000:
        return f"{len(people)} recipients"
    for part in mail["personalizations"]:
        addresses = [to["email"].lower() for to in part["to"]]
        if set(part) - {"to", "subject", "headers", "custom_args"} or len(addresses) != len(set(addresses)):
            return f"each unique email address should be included once: {part}"
    if not all(ADDRESS.fullmatch(address) for address in [*people, mail["from"]["email"]]):
        return "Does not contain a valid address."
    if set(mail["from"]) - {"email", "name"} or not mail["subject"].strip() or "\n" in mail["subject"]:
        return "The subject is required"
    return _content_problem(mail["content"]) or _extras_problem(mail)


def _content_problem(content: list[dict[str, str]]) -> str | None:
    types = [part["type"] for part in content]
    if types not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        return f"The content types must be text/plain, then text/html, once each: {types}"
    if any(set(part) != {"type", "value"} or not part["value"] for part in content):
        return "The content value must be a string at least one character in length."
    return next((f"unseen: {part['type']}" for part in content if UNSEEN.search(part["value"])), None)


def _extras_problem(mail: dict[str, Any]) -> str | None:
    headers = mail.get("headers", {})
    if wrong := {name for name in headers if name.lower() in RESERVED}:
        return f"{wrong} are reserved headers"
    if not all(re.fullmatch(r"[!-9;-~]+", name) for name in headers):
        return "header names"
    if not all(re.fullmatch(r"[ -~]+", value) for value in headers.values()):
        return f"header values: {headers}"
    custom = mail.get("custom_args", {})
    if not all(isinstance(value, str) for value in custom.values()) or len(json.dumps(custom)) > 10_000:
        return "custom_args must be strings, 10000 bytes in all"
    known = {"click_tracking", "open_tracking", "subscription_tracking", "ganalytics"}
    tracking = mail.get("tracking_settings", {})
    if set(tracking) - known or any(it.get("enable") not in (True, False) for it in tracking.values()):
        return "tracking_settings"
    return None


# Mailgun


def mailgun() -> Any:
    """Open a receiver that takes and refuses what Mailgun's messages API does."""
    return service(_mailgun)


def _mailgun(line: str, headers: Headers, body: bytes) -> Script:
    wanted = "Basic " + base64.b64encode(f"api:{TOKEN}".encode()).decode()
    if headers.get("authorization") != wanted:
        return saying(401, "Forbidden")
    method, path = line.split(" ")
    found = re.fullmatch(r"/v3/([^/]+)/messages", path)
    if method != "POST" or found is None:
        return saying(404, "404 page not found")
    if found[1] != DOMAIN:
        return saying(404, json.dumps({"message": f"Domain not found: {found[1]}"}))
    if len(body) > 25_000_000:
        return saying(413, "<html><title>413 Request Entity Too Large</title></html>")
    is_form = headers.get("content-type") == "application/x-www-form-urlencoded"  # JSON is not read
    fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict") if is_form else []
    problem = refused_by_mailgun(fields)
    if problem:
        return saying(400, json.dumps({"message": problem}))
    queued = {"id": f"<20261121060000.1.ABC@{DOMAIN}>", "message": "Queued. Thank you."}
    return saying(200, json.dumps(queued))


def refused_by_mailgun(fields: list[tuple[str, str]]) -> str | None:
    """Why Mailgun would not have this form; None if it would."""
    form = dict(fields)
    people = [value for name, value in fields if name == "to"]
    for needed in ("from", "to"):
        if not form.get(needed):
            return f"{needed} parameter is missing"
    if not SENDER.fullmatch(form["from"]):
        return "from parameter is not a valid address. please check documentation"
    if not all(ADDRESS.fullmatch(address) for address in people) or len(people) > 1000:
        return "to parameter is not a valid address. please check documentation"
    if not form.get("text") and not form.get("html"):
        return "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"
    options = {name: value for name, value in fields if name[:2] in ("o:", "h:", "v:", "t:")}
    if unknown := set(form) - set(options) - {"from", "to", "subject", "text", "html", "recipient-variables"}:
        return f"unknown {unknown}"
    if sum(len(name) + len(value.encode()) for name, value in options.items()) > 16_000:
        return "send options (parameters starting with o:, h:, or v:) are limited to 16 kB total"
    if not all(re.fullmatch(r"[ -~]+", name + value) for name, value in options.items()):
        return "header names must be ASCII"
    return _variables_problem(form, people)


def _variables_problem(form: dict[str, str], people: list[str]) -> str | None:
    variables = json.loads(form.get("recipient-variables", "null"))
    if not isinstance(variables, dict) or set(variables) - set(people):
        return "recipient-variables: not a JSON of recipients"
    if len(people) != len({address.lower() for address in people}):
        return "a recipient twice"
    filled = re.search(
        r"%recipient[.%]|%(mailing_list_|tag_)?unsubscribe_(url|email)%", "\n".join(form.values())
    )
    if filled:
        return f"{filled[0]} would be filled in"
    return "unseen" if UNSEEN.search(form["text"] + form["html"] + form["subject"]) else None


# Standard Webhooks


def webhook() -> Any:
    """Open a receiver that verifies as a receiver of Standard Webhooks should."""
    return service(_webhook)


def _webhook(line: str, headers: Headers, body: bytes) -> Script:
    if not line.startswith("POST "):
        return saying(405)
    problem = refused_webhook(headers, body, WEBHOOK_KEY)
    return saying(400, problem) if problem else saying(200, "ok")


def refused_webhook(headers: Headers, body: bytes, key: bytes, now: datetime = NOW) -> str | None:
    """Why such a receiver would not have this event; None if it would."""
    name, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[!-~]{1,255}", name) or "." in name:
        return "webhook-id"
    if not re.fullmatch(r"\d{10}", timestamp) or abs(int(timestamp) - now.timestamp()) > 300:
        return "webhook-timestamp"
    wanted = "v1," + base64.b64encode(_hmac(key, f"{name}.{timestamp}.".encode() + body)).decode()
    if wanted not in headers.get("webhook-signature", "").split(" "):
        return "webhook-signature"
    if headers.get("content-type") != "application/json" or len(body) > 20_000:
        return f"not JSON, or {len(body)} bytes"
    event = json.loads(body.decode())
    if set(event) != {"type", "timestamp", "data"} or not re.fullmatch(
        r"\w+(\.\w+)*", event["type"], re.ASCII
    ):
        return "not an event"
    if datetime.fromisoformat(event["timestamp"]).tzinfo is None or not isinstance(event["data"], dict):
        return "timestamp without zone, or no data"
    return "unseen" if UNSEEN.search(json.dumps(event, ensure_ascii=False)) else None


def _hmac(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA256 as RFC 2104 writes it, apart from what the code under test uses."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


# PagerDuty


def pagerduty() -> Any:
    """Open a receiver that takes and refuses what PagerDuty's Events API v2 does."""
    return service(_pagerduty)


def _pagerduty(line: str, headers: Headers, body: bytes) -> Script:
    if line != "POST /v2/enqueue":
        return saying(404)
    try:
        event = json.loads(body.decode())
        problem = "too large" if len(body) > 512_000 else refused_by_pagerduty(event)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        event, problem = {}, repr(error)
    if problem:
        answer = {"status": "invalid event", "message": "Event object is invalid", "errors": [problem]}
        return saying(400, json.dumps(answer))
    key = event.get("dedup_key", "made up")
    answer = {"status": "success", "message": "Event processed", "dedup_key": key}
    return saying(202, json.dumps(answer))


EVENT_KEYS = {
    "routing_key",
    "event_action",
    "dedup_key",
    "payload",
    "images",
    "links",
    "client",
    "client_url",
}
PAYLOAD_KEYS = {
    "summary",
    "source",
    "severity",
    "timestamp",
    "component",
    "group",
    "class",
    "custom_details",
}


def refused_by_pagerduty(event: dict[str, Any]) -> str | None:
    """Why PagerDuty would not have this event; None if it would."""
    if event["routing_key"] != TOKEN or set(event) - EVENT_KEYS:
        return "Invalid routing key, or an unknown property"
    key = event.get("dedup_key")
    if key is not None and (not key or len(key) > 255):
        return "'dedup_key' is longer than maximum permitted length of 255"
    if event["event_action"] in ("acknowledge", "resolve"):
        return None if key else "'dedup_key' is missing or blank"
    if event["event_action"] != "trigger":
        return "'event_action' is invalid"
    payload = event["payload"]
    if set(payload) - PAYLOAD_KEYS or not payload["source"] or not isinstance(payload["source"], str):
        return "'payload' is invalid"
    units = len(payload["summary"].encode("utf-16-le")) // 2
    if not 1 <= units <= 1024 or "\n" in payload["summary"]:
        return f"'summary' has {units} characters"
    if payload["severity"] not in ("critical", "error", "warning", "info"):
        return "'severity' is invalid"
    if datetime.fromisoformat(payload["timestamp"]).tzinfo is None:
        return "'timestamp' is invalid"
    return _event_extras_problem(event)


def _event_extras_problem(event: dict[str, Any]) -> str | None:
    if not isinstance(event["payload"].get("custom_details", {}), dict):
        return "'custom_details' is no object"
    links = event.get("links", [])
    if not all(set(link) <= {"href", "text"} and link["href"].startswith("https://") for link in links):
        return "'links' is invalid"
    if not event.get("client_url", "https://").startswith("https://"):
        return "'client_url' is invalid"
    return "unseen" if UNSEEN.search(json.dumps(event, ensure_ascii=False)) else None


# What Apprise's json:// sends to


def load_apprise() -> None:
    """Load Apprise and all its services: that takes long, and warns of what Python 3.13 takes away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert is_usable(Secret("json://localhost"))


def apprise_json() -> Any:
    """Open a receiver of Apprise's json:// that refuses what would mention somebody."""
    return service(_apprise_json)


def _apprise_json(line: str, headers: Headers, body: bytes) -> Script:
    if not re.fullmatch(rf"POST /{TOKEN}/?", line) or headers.get("content-type") != "application/json":
        return saying(404)
    said = json.loads(body.decode())
    if set(said) != {"version", "title", "message", "attachments", "type"} or not said["message"].strip():
        return saying(400)
    if len(said["title"]) > 250 or len(said["message"]) > 4_000 or said["attachments"]:
        return saying(413)
    if said["type"] not in ("info", "success", "warning", "failure"):
        return saying(422)
    text = said["title"] + said["message"]
    return saying(422) if re.search(r"[<>@]|\]\(", text) or UNSEEN.search(text) else saying(200, "ok")
