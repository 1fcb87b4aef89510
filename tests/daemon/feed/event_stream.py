"""Server-sent events, read as a page reads them."""

import json
from typing import Any

Told = tuple[str, str, Any]  # id, type, data


def parsed(pieces: bytes) -> list[Told]:
    """The events of a stream; comments left out."""
    found = []
    for block in pieces.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found
