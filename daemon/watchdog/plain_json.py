"""JSON in and out, by the standard library: the codec of the house needs packages."""

import json
from typing import Any


def to_json(value: Any) -> bytes:
    """Encode on one line; what has no JSON form becomes its text."""
    return json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "backslashreplace")


def to_pretty_json(value: Any) -> bytes:
    """Encode for people to read."""
    return json.dumps(value, default=str, indent=2).encode() + b"\n"


def from_json(data: bytes) -> Any:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        ValueError: it is no JSON, or no UTF-8; the text says where and repeats none of it.
    """
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: it is no JSON here: {error.msg}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
