"""Bearer tokens: made here, kept as hashes, and compared so that time tells nothing of them."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.web.caller import OPERATOR, READER, Caller, Scope

if TYPE_CHECKING:
    from daemon.config.sections import HttpSection

TOKEN_BYTES = 32  # 256 bits of chance: nobody guesses one
PREFIX = "nd_"  # by which a search for leaked secrets knows one
HASH_PREFIX = "sha256:"
SCOPES_OF = {"read": READER, "operate": OPERATOR}


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a token: whose it is, what it allows, and its hash."""

    caller: Caller
    hash: bytes


class Keyring:
    """All tokens that are in force."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def caller_of(self, token: bytes) -> Caller | None:
        """Whose token this is; of the same token under two names, the one that may more.

        Every key is compared, and whole: the time this takes depends on how many there are, and on nothing
        else. They are compared as bytes, since as text a token that is not ASCII would raise.
        """
        offered = hashlib.sha256(token).digest()
        found: Caller | None = None
        for key in self._keys:
            if hmac.compare_digest(offered, key.hash) and (found is None or not found.may(Scope.OPERATE)):
                found = key.caller
        return found


def keyring_of(http: "HttpSection") -> Keyring:
    """The tokens that are configured, as hashes; their texts are forgotten here."""
    keys = []
    if http.token is not None:
        keys.append(Key(Caller("http.token", OPERATOR), _hash(http.token.reveal())))
    if http.read_token is not None:
        keys.append(Key(Caller("http.readToken", READER), _hash(http.read_token.reveal())))
    for entry in http.tokens:
        caller = Caller(entry.name, SCOPES_OF[entry.scope])
        if entry.hash is not None:
            keys.append(Key(caller, bytes.fromhex(entry.hash.removeprefix(HASH_PREFIX))))
        elif entry.token is not None:
            keys.append(Key(caller, _hash(entry.token.reveal())))
    return Keyring(keys)


def new_token() -> str:
    """A token that nobody has seen before, nor will guess."""
    return PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def hash_text(token: str) -> str:
    """The hash of a token, as the configuration has it."""
    return HASH_PREFIX + _hash(token).hex()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
