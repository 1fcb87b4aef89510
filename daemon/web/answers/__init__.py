"""What the routes answer, as types: openapi.json describes the answers by them, and tests compare both."""

from typing import Any

from msgspec import Struct

Lead = dict[str, Any]  # a lead is shown as it came, whatever fields it has


class Shape(Struct, rename="camel"):
    """What an answer looks like: all of these fields are there, and no others."""
