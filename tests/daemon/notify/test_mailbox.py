"""Mail addresses as people write them: what is taken, and what is said of the rest."""

import pytest

from daemon.notify.mailbox import Mailbox, parse_address, parse_addresses, parse_mailbox


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("ops@example.com", "ops@example.com"),
        ("  first.last+tag@Mail.Example.COM ", "first.last+tag@mail.example.com"),
        ("root@localhost", "root@localhost"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("jürgen@example.com", "jürgen@example.com"),
    ],
)
def test_an_address_is_taken_with_its_domain_in_ascii(said: str, address: str) -> None:
    assert parse_address(said) == address


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "is no mail address"),
        ("ops", "is no mail address"),
        ("@example.com", "is no mail address"),
        ("ops@", "is no mail address"),
        ("a@b@c", "is no mail address"),
        ("a b@example.com", "before the @"),
        ("a..b@example.com", "before the @"),
        ("a\r\nRCPT TO:<x>@example.com", "before the @"),
        ('"quoted"@example.com', "before the @"),
        ("x" * 65 + "@example.com", "before the @"),
        ("a@exa mple.com", "no usable domain"),
        ("a@-x.example", "no usable domain"),
        ("a@x..example", "no usable domain"),
        ("a@example.com>", "no usable domain"),
        ("a@[127.0.0.1]", "no usable domain"),
        ("a@example.com\x00", "no usable domain"),
        ("a@" + ".".join(["x" * 60] * 5), "longer than an address may be"),
        ("\udc00@example.com", "before the @"),
    ],
    ids=ascii,
)
def test_what_is_no_address_is_shown_and_told_why(said: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        parse_address(said)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_sender_may_have_a_name() -> None:
    assert parse_mailbox("a@b.example") == Mailbox("a@b.example")
    assert parse_mailbox("Night desk <a@b.example>") == Mailbox("a@b.example", "Night desk")
    assert parse_mailbox('"Desk, Night" <a@b.example>') == Mailbox("a@b.example", "Desk, Night")
    assert parse_mailbox("<a@b.example>") == Mailbox("a@b.example")
    assert parse_mailbox("a@bücher.example").domain == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "said", [None, 5, "", "Name <>", "N\nBcc: x <a@b.example>", "x" * 200 + "<a@b.example>"]
)
def test_a_sender_is_one_address(said: object) -> None:
    with pytest.raises(ValueError, match=r"is no mail address|has a name before"):
        parse_mailbox(said)


def test_recipients_are_a_list_or_text_each_once() -> None:
    expected = ("b@x.example", "a@x.example")
    assert parse_addresses(["b@x.example", "a@x.example", "B@x.example"]) == expected
    assert parse_addresses("b@x.example, a@x.example,") == expected


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "names nobody"),
        (" , ", "names nobody"),
        (["a@b.example", "x"], '"x" is no mail address'),
        ([5], "is no list of mail addresses"),
        (None, "is no list of mail addresses"),
        ([f"a{n}@b.example" for n in range(201)], "at most 200, use a mailing list"),
    ],
    ids=["empty", "commas", "one bad", "a number", "nothing", "too many"],
)
def test_recipients_that_are_none_are_told(said: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_addresses(said)


def test_a_letter_beyond_ascii_before_the_at_needs_more_than_plain_smtp() -> None:
    assert Mailbox("jürgen@example.com").needs_smtputf8
    assert not Mailbox("j@xn--bcher-kva.example", "Jürgen").needs_smtputf8
