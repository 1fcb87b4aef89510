"""Web addresses in a channel's entry: refused where they cannot be one, never shown where they are secret."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from daemon.secret import Secret

LONGEST = 2000
HINT = "write one as in https://hooks.example.org/alerts"


def is_web_address(text: str) -> bool:
    """Whether it is http or https, names a host, and has nothing in it that an address may not hold."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and len(text) <= LONGEST
        _ = parts.port
    except ValueError:
        return False
    return bool(usable) and text.isprintable() and " " not in text


def _checked(text: str) -> str:
    if not is_web_address(text):
        raise ValueError(f"is no web address; {HINT}")
    if "@" in urlsplit(text).netloc:
        raise ValueError("holds a name or password; take it out")
    return text


def _checked_secret(address: Secret) -> Secret:
    _checked(address.reveal())
    return address


WebAddress = Annotated[str, AfterValidator(_checked)]
SecretWebAddress = Annotated[Secret, AfterValidator(_checked_secret)]
