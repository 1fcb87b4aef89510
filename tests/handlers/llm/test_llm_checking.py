"""The check of what a model wrote, before any of it is in a report."""

import html
import re
import secrets
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.checking import LONGEST, Checked, check, tidy
from handlers.llm.material import gather
from handlers.llm.names import Names
from handlers.llm.prompting import SYSTEM, make_prompt, new_fence
from tests.daemon.notify.hostile import BARBS, URLS
from tests.handlers.llm.briefs import OTHERS, RIGHT, brief
from tests.handlers.llm.payloads import PAYLOADS

FENCE = "data-0123456789abcdef"


def checked(answer: str, **fields: Any) -> Checked:
    made = brief(**fields)
    return check(answer, made, gather(made, 30), FENCE)


def problem(answer: str, **fields: Any) -> str | None:
    return checked(answer, **fields).problem


def test_prose_that_is_right_is_taken_as_it_is() -> None:
    assert checked(RIGHT, others=OTHERS) == Checked(text=RIGHT, problem=None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (f"<think>Is 999 right?</think>\n\n{RIGHT}", RIGHT),
        (f"## Summary\n{RIGHT}", f"Summary\n{RIGHT}"),
        (f"**Acme** {RIGHT}", f"Acme {RIGHT}"),
        (f"\u202e{RIGHT}\u200b\x00", RIGHT),
    ],
    ids=["thoughts", "a heading", "bold", "what is not seen"],
)
def test_what_surrounds_the_prose_is_taken_away(answer: str, expected: str) -> None:
    assert checked(answer) == Checked(text=expected, problem=None)


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("<b>Loud</b>", "holds HTML or a mention"),
        ("&lt;script&gt;", "holds HTML or a mention"),
        ("<!channel>", "holds HTML or a mention"),
        ("See https://evil.example/x for more.", "holds a link"),
        ("See http:/evil for more.", "holds a link"),
        ("See //evil for more.", "holds a link"),
        ("See [this](evil).", "holds a link"),
        ("![pixel](evil)", "holds a link"),
        ("See [this] [1].", "holds a link"),
        ("See evil.example for more.", "holds a link"),
        ("Siehe bücher.beispiel dort.", "holds a link"),
        ("See evil。example there.", "holds a link"),
        ("data:text/html,x", "holds a link"),
        ("See WWW.evil for more.", "holds a link"),
        ("javascript:alert", "holds a link"),
        ("Write to boss@evil now.", "holds an address"),
        ("@everyone look", "holds an address"),
        ("`rm -rf`", "holds code or data"),
        ('{"facts": 1}', "holds code or data"),
        ("As an AI I like it.", "speaks of itself or of its task"),
        ("I followed the instructions.", "speaks of itself or of its task"),
        ("I'm sorry about that.", "speaks of itself or of its task"),
        (FENCE, "repeats what it was told"),
        (SYSTEM.split("\n")[1], "repeats what it was told"),
        ("Delta Air Lines did worse.", 'names another company: "Delta Air Lines"'),
        ("(DL's delays were worse.)", 'names another company: "DL"'),
        ("It cancelled 999 flights.", 'has a figure that is in no fact: "999"'),
    ],
)
def test_what_may_not_be_in_prose_is_found(addition: str, expected: str) -> None:
    assert problem(f"{RIGHT} {addition}", others=OTHERS) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", "is 0 characters long; 40 are the least"),
        ("Fine.", "is 5 characters long; 40 are the least"),
        ("The day was good. " * 300, "is 5399 characters long; 4000 are the most"),
        ("The day was good. " * 30, "turns in circles"),
    ],
    ids=["empty", "short", "long", "circles"],
)
def test_a_text_of_no_use_is_found(answer: str, expected: str) -> None:
    assert problem(answer) == expected


def test_an_answer_of_a_million_characters_is_judged_by_its_length() -> None:
    assert problem("good " * 1_000_000) == f"is {LONGEST * 2 - 1} characters long; {LONGEST} are the most"


@pytest.mark.parametrize(
    "part", ["a-", "a.", "**a ", "1,", "1.", "$ ", "a" * 9 + "fold-", "&a", "[ ", "twenty-", "<think>", "A "]
)
def test_no_answer_takes_long_to_be_judged(part: str) -> None:
    began_s = time.perf_counter()
    for length in (3_999, 64_000):
        problem((part * length)[:length])
        problem((RIGHT + part * length)[:length] + "1", others=OTHERS)
    assert time.perf_counter() - began_s < 2  # 30 ms here


def test_the_companys_own_address_and_the_names_in_its_own_facts_are_no_strangers() -> None:
    ours = {"company_name": "Booking.com", "values": {"partner": "United", "flights": 1}}
    prose = "Booking.com flew 1 flight on 21 November 2026, together with its partner United."
    assert problem(prose, others=OTHERS, **ours) is None
    assert problem(f"{prose} Delta Air Lines too.", others=OTHERS, **ours) is not None


def test_names_are_found_as_whole_words_as_they_are_written() -> None:
    names = Names(["Delta", "On Time Air", "AA", ""])
    for text in ("the delta of it", "Deltas", "AAA", "On Time", ""):
        assert names.found_in(text, ()) is None
    assert names.found_in("It was “Delta’s” day.", ()) == "Delta"
    assert names.found_in("It was On Time Air, again", ()) == "On Time Air"
    assert names.found_in("Delta and AA", ("Delta",)) == "AA"
    assert Names([]).found_in("Delta", ()) is None


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_an_order_among_the_facts_stays_between_the_fences(number: int) -> None:
    payload = PAYLOADS[number]
    made = brief({"note": payload, payload[:60]: 1}, company_name=payload, problem=payload)
    prompted = make_prompt(made, 100_000, fence := new_fence())
    assert prompted is not None
    prompt = prompted[0]
    assert prompt.system == SYSTEM
    lines = prompt.user.split("\n")
    assert (lines[0], lines[-1], len(lines)) == (fence, fence, 3)
    assert prompt.user.count(fence) == 2


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_a_model_that_obeys_an_order_among_the_facts_is_refused_or_harmless(number: int) -> None:
    payload = PAYLOADS[number]
    made = {"values": {"note": payload, "flights": 1234}, "others": OTHERS}
    for answer in (payload, f"{RIGHT} {payload}", f"{payload}\n\n{RIGHT}"):
        result = checked(answer, **made)
        if result.problem is None:
            assert_harmless(result.text)


@given(st.lists(st.sampled_from([*BARBS, *filter(None, URLS), *PAYLOADS, RIGHT]), max_size=5))
def test_whatever_passes_is_harmless(parts: list[str]) -> None:
    result = checked(" ".join([RIGHT, *parts]), others=OTHERS)
    if result.problem is None:
        assert_harmless(result.text)


@given(st.text(max_size=300))
def test_tidying_twice_changes_no_more_than_once_and_any_text_gets_a_verdict(text: str) -> None:
    assert len(tidy(text)) <= len(text)
    assert isinstance(checked(text), Checked)


def assert_harmless(text: str) -> None:
    """Nothing in it is a tag, a link, a mention or a recipient, in HTML, Slack, Discord or a mail."""
    assert html.escape(text, quote=False) == text
    assert not re.search(r"://|www\.|@|\]\(|[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b]", text)
    assert not re.search(r"(?i)\b[a-z0-9-]+\.(?:com|net|org|io|example|evil)\b", text)


def test_no_two_fences_are_the_same() -> None:
    fences = {new_fence() for _ in range(1000)}
    assert len(fences) == 1000
    assert all(len(fence) > secrets.DEFAULT_ENTROPY // 2 for fence in fences)
