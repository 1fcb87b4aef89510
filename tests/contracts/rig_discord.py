"""How Discord is tried."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from daemon.secret import Secret
from tests.contracts.rig import There
from tests.contracts.rig_http import ECHO, http_rig
from tests.daemon.notify.discord_stand_in import PATH, discord, refusing
from tests.daemon.notify.receivers import saying


def _options(there: There) -> Mapping[str, Any]:
    return {"url": Secret(urljoin(there.url, PATH))}


RIG = http_rig(
    discord,
    _options,
    transient={
        "429 in JSON": saying(429, json.dumps({"message": ECHO, "retry_after": 0.3, "global": False})),
        "429 of Cloudflare": saying(429, f"<html>{ECHO}</html>"),
    },
    permanent={
        "invalid form": refusing(400, 50035, ECHO),
        "unknown webhook": refusing(404, 10015, ECHO),
        "invalid token": refusing(401, 50027, ECHO),
        "a forum": refusing(400, 220001, ECHO),
    },
)
