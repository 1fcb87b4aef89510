"""The id of a message in the form that a receiver takes as its key."""

import hashlib
import re

_HASH_DIGITS = 16  # 64 bits: no two ids of one installation meet


def stable_key(text: str, *, unfit: re.Pattern[str], longest: int) -> str:
    """The text itself where it fits, else what fits of it and a hash of all of it.

    The same text gives the same key always; two texts never give one.
    """
    if text and len(text) <= longest and not unfit.search(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{unfit.sub('-', text)[: longest - _HASH_DIGITS - 1]}-{digest}"
