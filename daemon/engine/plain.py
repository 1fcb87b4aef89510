"""What handlers and callers hand over, as the store can keep it: plain JSON values and clean text."""

from collections.abc import Mapping
from typing import Any

from state.codec import from_json, to_json

TEXT_LENGTH = 2000
# A summary or details larger than this would be in every save of the JSON state.
MOST_BYTES = 65_536


class NotPlain(ValueError):
    """A value has no form in JSON; the message says why."""


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that holds nothing but JSON values: a path has become its text, a tuple a list.

    Raises:
        NotPlain: it cannot be written as JSON.
    """
    if not values:
        return {}
    try:
        copy = from_json(to_json(values))
    except (TypeError, ValueError) as error:
        raise NotPlain(str(error)) from None
    assert isinstance(copy, dict)
    return copy


def plain_or_why(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same, for what came out of work that was done: where it cannot be kept, only why is."""
    try:
        copy = plain(values)
    except NotPlain as error:
        return {"leftOut": f"it cannot be written as JSON: {clean(error)}"}
    if copy and (size := len(to_json(copy))) > MOST_BYTES:
        return {"leftOut": f"it has {size:,} bytes, and {MOST_BYTES:,} are kept"}
    return copy


def clean(value: object, length: int = TEXT_LENGTH) -> str:
    """A text, cut to a length; halves of surrogate pairs, which no file can hold, become "?"."""
    return str(value)[:length].encode("utf-8", "replace").decode()
