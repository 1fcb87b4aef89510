"""How a webhook of one's own is tried: by a receiver that verifies what it is sent."""

from collections.abc import Mapping
from typing import Any

from daemon.secret import Secret
from tests.contracts.rig import There
from tests.contracts.rig_http import http_rig
from tests.daemon.notify.services import WEBHOOK_SECRET, webhook


def _options(there: There) -> Mapping[str, Any]:
    return {"url": Secret(there.url), "secret": Secret(WEBHOOK_SECRET)}


RIG = http_rig(webhook, _options)
