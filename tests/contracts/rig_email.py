"""How mail by an API is tried: SendGrid, and Mailgun."""

from collections.abc import Mapping
from typing import Any

from daemon.secret import Secret
from tests.contracts.rig import There
from tests.contracts.rig_http import http_rig
from tests.daemon.notify.receivers import TOKEN, saying
from tests.daemon.notify.services import DOMAIN, at, mailgun, sendgrid

PEOPLE = {"from": "Night desk <desk@example.com>", "to": ["ops@example.com", "boss@example.com"]}


def _sendgrid(there: There) -> Mapping[str, Any]:
    return {"apiKey": Secret(TOKEN), "apiUrl": at(there, "/v3/mail/send"), **PEOPLE}


def _mailgun(there: There) -> Mapping[str, Any]:
    return {"apiKey": Secret(TOKEN), "apiUrl": at(there, f"/v3/{DOMAIN}/messages"), **PEOPLE}


RIG = http_rig(
    sendgrid,
    _sendgrid,
    permanent={
        "no credits": saying(401, '{"errors":[{"message":"Maximum credits exceeded"}]}'),
        "page of a proxy": saying(413, f"<html><title>413 {TOKEN}</title></html>"),
    },
)
FORMS = {"email by mailgun": http_rig(mailgun, _mailgun, permanent={"plain word": saying(401, "Forbidden")})}
