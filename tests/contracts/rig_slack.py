"""How Slack is tried: by an incoming webhook, and by a token."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from daemon.secret import Secret
from tests.contracts.rig import There
from tests.contracts.rig_http import http_rig
from tests.daemon.notify.receivers import TOKEN, saying, slack
from tests.daemon.notify.slack_api import ROOM, refusing, slack_api


def _webhook(there: There) -> Mapping[str, Any]:
    return {"url": Secret(there.url)}


def _token(there: There) -> Mapping[str, Any]:
    return {"token": Secret(TOKEN), "target": ROOM, "apiUrl": urljoin(there.url, "/api/")}


RIG = http_rig(slack, _webhook)
FORMS = {
    "slack by token": http_rig(
        slack_api,
        _token,
        transient={word: refusing(word, needed=TOKEN) for word in ("ratelimited", "internal_error")},
        permanent={word: refusing(word, needed=TOKEN) for word in ("token_revoked", "missing_scope")},
        unknown={
            "a page of a proxy": saying(200, f"<html>{TOKEN}</html>"),
            "JSON without ok": saying(200, f'["{TOKEN}"]'),
        },
    )
}
