"""How PagerDuty is tried: by its Events API, with alerts only."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daemon.secret import Secret
from tests.contracts.rig import There
from tests.contracts.rig_http import http_rig
from tests.daemon.notify.receivers import TOKEN
from tests.daemon.notify.services import at, pagerduty


def _options(there: There) -> Mapping[str, Any]:
    return {"routingKey": Secret(TOKEN), "url": at(there, "/v2/enqueue")}


RIG = replace(http_rig(pagerduty, _options), carries="alert")
