"""Bearer tokens: whose they are, and what is kept of them."""

import hashlib
import re

import pytest

from daemon.config.sections import HttpSection, TokenEntry
from daemon.secret import Secret
from daemon.web import tokens
from daemon.web.caller import OPERATOR, READER, Caller, Scope
from daemon.web.tokens import Key, Keyring, hash_text, keyring_of, new_token


def key(name: str, token: str, scopes: frozenset[Scope] = READER) -> Key:
    return Key(Caller(name, scopes), hashlib.sha256(token.encode()).digest())


def test_a_token_is_known_by_its_hash_alone() -> None:
    ring = Keyring([key("anna", "one"), key("ben", "two", OPERATOR)])
    assert ring.caller_of(b"one") == Caller("anna", READER)
    assert ring.caller_of(b"two") == Caller("ben", OPERATOR)
    assert ring.caller_of(b"three") is None
    assert ring.caller_of(b"") is None
    assert "one" not in repr(vars(ring))


def test_a_token_that_is_not_ascii_is_a_wrong_one() -> None:
    ring = Keyring([key("anna", "one")])
    assert ring.caller_of("ключ".encode()) is None
    assert ring.caller_of(b"\xff\xfe") is None


def test_every_key_is_compared_also_after_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        assert isinstance(one, bytes)
        assert len(one) == len(other) == 32
        compared.append(other)
        return one == other

    monkeypatch.setattr(tokens.hmac, "compare_digest", compare)
    Keyring([key(str(n), f"token {n}") for n in range(5)]).caller_of(b"token 0")
    assert len(compared) == 5


def test_of_a_token_under_two_names_the_one_counts_that_may_more() -> None:
    both = [key("reads", "same"), key("operates", "same", OPERATOR)]
    for ring in (Keyring(both), Keyring(reversed(both))):
        caller = ring.caller_of(b"same")
        assert caller is not None
        assert caller.name == "operates"


def test_the_configuration_brings_tokens_in_three_ways() -> None:
    hashed = TokenEntry(name="grafana", scope="read", hash=hash_text("four"))
    kept = TokenEntry(name="deploy", scope="operate", token=Secret("three"))
    http = HttpSection(token=Secret("one"), read_token=Secret("two"), tokens=(kept, hashed))
    ring = keyring_of(http)
    found = {token: ring.caller_of(token) for token in (b"one", b"two", b"three", b"four")}
    assert found == {
        b"one": Caller("http.token", OPERATOR),
        b"two": Caller("http.readToken", READER),
        b"three": Caller("deploy", OPERATOR),
        b"four": Caller("grafana", READER),
    }
    assert http.has_token
    assert not HttpSection().has_token
    assert not keyring_of(HttpSection())


def test_new_tokens_are_long_and_all_different() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"nd_[A-Za-z0-9_-]{43}", token) for token in made)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", hash_text(made.pop()))
