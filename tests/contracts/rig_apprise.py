"""How Apprise is tried: by its json://, which posts to any address."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from daemon.secret import Secret
from tests.contracts.rig import There
from tests.contracts.rig_http import http_rig
from tests.daemon.notify.receivers import TOKEN
from tests.daemon.notify.services import apprise_json, load_apprise

load_apprise()


def _options(there: There) -> Mapping[str, Any]:
    return {"urls": [Secret(f"json://{urlsplit(there.url).netloc}/{TOKEN}")]}


RIG = replace(
    http_rig(apprise_json, _options, hurried={"daemon.notify.apprise.TRY_S": 0.6}), asks_nobody=True
)
