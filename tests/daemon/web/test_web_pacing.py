"""How often is too often: windows of a minute, and how little is remembered of a crowd."""

import pytest

from daemon.web.pacing import MOST_ADDRESSES, MOST_WELCOME, Attempts, Limit, Paces, Window


def test_a_window_opens_again_when_the_oldest_moment_is_a_minute_ago() -> None:
    window = Window(2)
    assert window.wait_s(0) == 0
    window.note(0)
    window.note(30.5)
    assert window.wait_s(31) == 29
    assert window.wait_s(59.5) == 1
    assert window.wait_s(60) == 0
    window.note(60)
    assert window.wait_s(60) == 31


def test_the_tenth_wrong_token_shuts_an_address_out_for_a_minute() -> None:
    attempts = Attempts(10)
    assert [attempts.fail("192.0.2.1", second) for second in range(10)] == [False] * 9 + [True]
    assert attempts.wait_s("192.0.2.1", 10) == 50
    assert attempts.wait_s("192.0.2.2", 10) == 0
    assert attempts.wait_s("192.0.2.1", 60) == 0


def test_who_was_let_in_from_an_address_is_known_there_and_nowhere_else() -> None:
    attempts = Attempts(10)
    attempts.welcome("192.0.2.1", "anna")
    assert attempts.is_welcome("192.0.2.1", "anna")
    assert not attempts.is_welcome("192.0.2.2", "anna")
    assert not attempts.is_welcome("192.0.2.1", "ben")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
        (":nonsense:", ":nonsense:", True),
    ],
)
def test_addresses_are_counted_as_one_customer_has_them(one: str, other: str, is_same: bool) -> None:
    attempts = Attempts(1)
    attempts.fail(one, 0)
    assert (attempts.wait_s(other, 1) > 0) == is_same


def test_ten_thousand_addresses_take_no_more_room_than_a_thousand() -> None:
    attempts = Attempts(10)
    for number in range(10_000):
        attempts.fail(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}", 0)
        attempts.welcome("192.0.2.1", f"caller {number}")
    assert len(attempts._failures) == MOST_ADDRESSES
    assert len(attempts._welcome) == MOST_WELCOME


def test_calls_are_counted_for_each_caller_and_limit() -> None:
    paces = Paces()
    assert [paces.take("anna", Limit.EMERGENCY, 2, 0) for _ in range(3)] == [0, 0, 60]
    assert paces.take("anna", Limit.OPERATING, 2, 0) == 0
    assert paces.take("ben", Limit.EMERGENCY, 2, 0) == 0
    assert paces.take("anna", Limit.EMERGENCY, 2, 60) == 0
