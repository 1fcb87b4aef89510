"""Who is let in: tokens, scopes, hosts, and too many tries; decided without any server."""

from pathlib import Path

import pytest

from daemon.check import prepare
from daemon.clock import VirtualClock
from daemon.web.admission import (
    LONGEST_TOKEN,
    Door,
    Entry,
    LocalDoor,
    Visit,
    decide_entry,
    host_names,
    is_known_host,
    token_of,
)
from daemon.web.caller import LOCAL, OPERATOR, READER, Caller, Scope
from daemon.web.pacing import Limit
from daemon.web.problems import Refusal
from tests.daemon.web.served import ENVIRON, HTTP, READ_TOKEN, TOKEN, write_config
from tests.house import NOW

READS, OPERATES = Caller("r", READER), Caller("o", OPERATOR)


@pytest.mark.parametrize(
    ("scope", "caller", "shows", "shut", "entry"),
    [
        (Scope.OPEN, None, False, False, Entry.ADMITTED),
        (Scope.OPEN, None, True, True, Entry.ADMITTED),
        (Scope.READ, None, False, False, Entry.NO_TOKEN),
        (Scope.READ, None, False, True, Entry.NO_TOKEN),
        (Scope.READ, None, True, False, Entry.WRONG_TOKEN),
        (Scope.READ, None, True, True, Entry.SHUT_OUT),
        (Scope.READ, READS, True, False, Entry.ADMITTED),
        (Scope.OPERATE, READS, True, False, Entry.TOO_LITTLE),
        (Scope.OPERATE, OPERATES, True, False, Entry.ADMITTED),
    ],
)
def test_entry_is_decided_by_scope_and_token(
    scope: Scope, caller: Caller | None, shows: bool, shut: bool, entry: Entry
) -> None:
    assert decide_entry(scope, caller, shows_token=shows, is_shut_out=shut) is entry


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        (None, True),
        ("localhost", True),
        ("LocalHost:8780", True),
        ("127.0.0.1:8780", True),
        ("[::1]:8780", True),
        ("192.0.2.7", True),
        ("desk.example.org", True),
        ("DESK.example.org:443", True),
        ("app.localhost:1", True),
        ("evil.example", False),
        ("desk.example.org.evil.example", False),
        ("", False),
        ("user@localhost", False),
        ("localhost/x", False),
        ("localhost:99999", False),
        ("[::1", False),
    ],
)
def test_a_page_of_a_stranger_cannot_ask_by_its_own_name(host: str | None, is_known: bool) -> None:
    assert is_known_host(host, frozenset({"desk.example.org"})) is is_known


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Basic dXNlcjpwYXNz", None),
        ("Bearer abc", b"abc"),
        ("bearer   abc ", b"abc"),
        ("Bearer", b""),
        ("Bearer a b", b"a b"),
        ("Bearer \udcff", b"\xff"),
        ("Bearer ключ", "ключ".encode()),
    ],
)
def test_a_token_is_taken_from_the_header_as_bytes(header: str | None, token: bytes | None) -> None:
    assert token_of(header) == token


def test_a_token_without_end_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(Refusal, match="longer") as refused:
        token_of("Bearer " + "x" * (LONGEST_TOKEN + 1))
    assert refused.value.status == 401


class Desk:
    """A door on a clock that stands still."""

    def __init__(self, folder: Path, **http: object) -> None:
        config = write_config(folder, {**HTTP, **http}, appUrl="https://desk.example.org/night")
        self.config = prepare(config, ENVIRON).config
        self.clock = VirtualClock(NOW)
        self.door = Door(lambda: self.config, self.clock)

    def asked(
        self,
        token: str | None,
        scope: Scope = Scope.READ,
        limit: Limit | None = None,
        address: str = "192.0.2.1",
    ) -> Caller | None:
        authorization = None if token is None else f"Bearer {token}"
        visit = Visit(host="localhost", address=address, authorization=authorization)
        return self.door.admit(visit, scope, limit)

    def refused(self, token: str | None, scope: Scope = Scope.READ, **more: object) -> Refusal:
        with pytest.raises(Refusal) as refusal:
            self.asked(token, scope, **more)  # type: ignore[arg-type]
        return refusal.value


def test_refusals_say_what_rfc_6750_says(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    nothing = desk.refused(None)
    assert (nothing.status, nothing.headers["WWW-Authenticate"]) == (401, 'Bearer realm="nightdesk"')
    wrong = desk.refused("wrong")
    challenge = 'Bearer realm="nightdesk", error="invalid_token"'
    assert (wrong.status, wrong.headers["WWW-Authenticate"]) == (401, challenge)
    assert "wrong" not in str(wrong)
    little = desk.refused(READ_TOKEN, Scope.OPERATE)
    challenge = 'Bearer realm="nightdesk", error="insufficient_scope", scope="operate"'
    assert (little.status, little.headers["WWW-Authenticate"]) == (403, challenge)
    assert desk.asked(TOKEN, Scope.OPERATE) == Caller("http.token", OPERATOR)
    assert desk.asked(None, Scope.OPEN) is None
    assert desk.asked(READ_TOKEN, Scope.OPEN) == Caller("http.readToken", READER)


def test_without_any_token_the_refusal_says_how_to_get_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path, token=None, readToken=None)
    for token in (None, "guess"):
        refused = desk.refused(token)
        assert (refused.status, "nightdesk token new" in str(refused)) == (401, True)
        assert "error=" not in refused.headers["WWW-Authenticate"]


def test_too_many_wrong_tokens_shut_out_whoever_is_new(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.asked(READ_TOKEN)
    assert [desk.refused(f"guess {n}").status for n in range(10)] == [401] * 10
    shut = desk.refused("guess")
    assert (shut.status, shut.headers["Retry-After"]) == (429, "60")
    # Right or wrong: who guesses on is told nothing, on open routes neither.
    assert desk.refused(TOKEN).status == 429
    assert desk.asked(TOKEN, Scope.OPEN) is None
    # Who was in before is not locked out by somebody behind the same proxy.
    assert desk.asked(READ_TOKEN) is not None
    assert desk.refused(None).status == 401
    assert desk.asked(TOKEN, address="192.0.2.2") is not None


async def test_a_minute_later_everybody_may_try_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for number in range(10):
        desk.refused(f"guess {number}")
    await desk.clock.advance(seconds=60)
    assert desk.asked(TOKEN) is not None


def test_ten_thousand_wrong_tokens_leave_nothing_behind_but_a_count(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    statuses = {desk.refused(f"guess {n}").status for n in range(10_000)}
    assert statuses == {401, 429}
    assert len(desk.door._attempts._failures) == 1
    assert len(desk.door._attempts._welcome) == 0


def test_calls_that_do_something_have_a_pace(tmp_path: Path) -> None:
    desk = Desk(tmp_path, emergencyPerMinute=3)
    for _ in range(3):
        desk.asked(TOKEN, Scope.OPERATE, Limit.EMERGENCY)
    refused = desk.refused(TOKEN, Scope.OPERATE, limit=Limit.EMERGENCY)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
    assert "3 emergency calls a minute" in str(refused)
    assert desk.asked(TOKEN, Scope.OPERATE, Limit.OPERATING) is not None


def test_a_reload_changes_tokens_and_names_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.asked(TOKEN) is not None
    desk.config = prepare(
        write_config(tmp_path, HTTP), {**ENVIRON, "TOKEN": "another-long-token-instead"}
    ).config
    assert desk.refused(TOKEN).status == 401
    assert desk.asked("another-long-token-instead") is not None


def test_who_was_let_in_would_be_again_only_while_the_token_is_in_force(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    reads = Visit(host="localhost", address="192.0.2.1", authorization=f"Bearer {READ_TOKEN}")
    named = Visit(host="desk.example.org", address="192.0.2.1", authorization=f"Bearer {TOKEN}")
    assert desk.door.would_admit(reads, Scope.READ)
    assert not desk.door.would_admit(reads, Scope.OPERATE)
    assert desk.door.would_admit(named, Scope.OPERATE)
    desk.config = prepare(
        write_config(tmp_path, HTTP), {**ENVIRON, "READ_TOKEN": "another-long-token-to-read"}
    ).config
    assert not desk.door.would_admit(reads, Scope.READ)
    assert not desk.door.would_admit(named, Scope.READ)  # by a name that is no more
    assert desk.asked(TOKEN) is not None


def test_the_names_of_the_house_are_its_host_its_address_and_those_that_are_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path, host="localhost", hosts=["Night.Example.org"])
    assert host_names(desk.config) == {"localhost", "desk.example.org", "night.example.org"}
    visit = Visit(host="evil.example", address="192.0.2.1", authorization=None)
    with pytest.raises(Refusal, match=r"http\.hosts") as refused:
        desk.door.admit(visit, Scope.OPEN, None)
    assert refused.value.status == 421


def test_the_control_socket_lets_its_owner_do_everything() -> None:
    visit = Visit(host="anything", address="", authorization=None)
    assert LocalDoor().admit(visit, Scope.OPERATE, Limit.EMERGENCY) is LOCAL
    assert LocalDoor().would_admit(visit, Scope.OPERATE)
