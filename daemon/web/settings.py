"""What every listener is given: how long a connection may idle, and how much it may say at once."""

from collections.abc import Mapping
from typing import Any

KEEPALIVE_S = 15.0  # aiohttp's own is an hour
SHUTDOWN_S = 5.0
LINGERING_S = 1.0  # how long what nobody will read is still taken in, so that the answer is seen
LONGEST_LINE = 8190
MOST_HEADERS = 64

SETTINGS: Mapping[str, Any] = {
    "access_log": None,
    "keepalive_timeout": KEEPALIVE_S,
    "lingering_time": LINGERING_S,
    "max_line_size": LONGEST_LINE,
    "max_field_size": LONGEST_LINE,
    "max_headers": MOST_HEADERS,
}
