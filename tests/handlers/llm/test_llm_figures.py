"""Figures in prose, held against the facts: what is held is taken, what is not is found."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.llm.figures import Figures
from handlers.llm.material import gather
from tests.handlers.llm.briefs import RIGHT, brief

FIGURES = Figures(gather(brief(), 30))

HELD = [
    RIGHT,
    "It flew 1234 flights.",
    "It flew 1\u202f234 flights, or 1’234.",
    "It flew 1.2 thousand flights, about 1.23k.",
    "Some 63 more than the 1,171 of the week before, an increase of 5.4%.",
    "Cancellations fell by 9, or 75 percent.",
    "A change of -9 and of −75.0 %.",
    "The mean delay was 12.345, 12.35, 12.34, 12.3 or 12 minutes.",
    "A 12-minute delay, 12min or 12.3 min.",
    "On time: 83.25 %, 83.3 %, or 83 per cent.",
    "Early: 12.5 percent, 12 % or 13 %; as a share 0.125.",
    "The balance was -4,200.50, a loss of $4,200.5.",
    "The first departure was at 2026-11-21T05:40:00.",
    "On 2026-11-21, the 21st of November, Nov. 21, November 21, 2026 or 21.11.2026.",
    "Against 14 November and in November 2026.",
    "Of the delays over 15 minutes there were 77.",
    "The routes EWR-LAX (41 flights), “JFK-B6”, and LGA-ORD: 41-12 flights.",
    "Acme Air 24 cancelled three, and one route stood out of the 3.",
    "A gap of 83.25 percentage points.",
    "No figures at all.",
    "",
]
UNHELD = {
    "It flew 1,235 flights.": "1,235",
    "It flew 12,34 flights.": "12",  # the mean delay is 12, yet it is part of something else
    "About 1,200 flights.": "1,200",
    "It cancelled 3 % of them.": "3 %",
    "A change of +9.": "+9",
    "The balance was +4,200.5.": "+4,200.5",
    "The delay was -12.3 minutes.": "-12.3",
    "The delay was 12.4 minutes.": "12.4",
    "At 05:41 it began.": "05",
    "On 22 November it will be better.": "22",
    "Version 12.3.4 is out.": "12.3",
    "The route B737 was the worst.": "737",
    "Call 0900-1234 now.": "0900",
    "Call +49 30 1234.": "+49",
    "Five hundred were cancelled.": "Five",
    "Five were cancelled.": "Five",  # though the first departure was at 05:40
    "JFK had 6 flights.": "6",  # though a route is called JFK-B6
    "Some hundreds were cancelled.": "hundreds",
    "Twenty-one were cancelled.": "Twenty-one",
    "Delays doubled.": "doubled",
    "Half of all flights were late.": "Half",
    "A third were late.": "A third",
    "It earned $5m.": "$5m",
    "It rose by ½.": "½",
    "It rose by ٣ flights.": "٣",
    "It was ① of many.": "①",
    "It flew 3 million flights.": "3 million",
    f"It flew {'9' * 60} flights.": "9" * 60,
    f"It flew 3.{'0' * 39}1 flights.": f"3.{'0' * 39}1",
    "x3": "3",
    "3x": "3",
    "1e6 flights": "1",
    "12/31 flights": "12",
}


@pytest.mark.parametrize("text", HELD, ids=[text[:40] for text in HELD])
def test_a_figure_of_the_facts_is_taken_however_it_is_written(text: str) -> None:
    assert FIGURES.unheld(text) is None


@pytest.mark.parametrize(("text", "figure"), UNHELD.items(), ids=[text[:40] for text in UNHELD])
def test_a_figure_that_no_fact_holds_is_found(text: str, figure: str) -> None:
    assert FIGURES.unheld(text) == figure


NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12),
    st.decimals(-(10**9), 10**9, places=4).map(float),
    st.floats(-1e12, 1e12, allow_subnormal=False),
)


@given(NUMBERS, st.integers(0, 4))
@example(12.915, 2)  # a float lies a little beside what is written
def test_a_number_of_the_facts_is_held_with_any_number_of_places(number: float, places: int) -> None:
    figures = Figures(gather(brief({"x": number}, tables={}, company_name="A"), 0))
    for shown in (f"{Decimal(str(number)):,.{places}f}", f"{number:,.{places}f}"):
        assert figures.unheld(f"It was {shown} today.") is None


@given(st.integers(100, 10**9), st.integers(100, 10**9))
def test_another_whole_number_is_never_held(fact: int, said: int) -> None:
    figures = Figures(gather(brief({"x": fact}, tables={}, company_name="A"), 0))
    assert (figures.unheld(f"It was {said} today.") is None) == (fact == said)


@given(st.text(max_size=200))
def test_any_text_at_all_gets_an_answer(text: str) -> None:
    found = FIGURES.unheld(text)
    assert found is None or found != ""


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=80), st.decimals(),
            st.lists(st.integers(), max_size=3).map(tuple), st.dictionaries(st.text(max_size=3), st.floats()),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_any_facts_at_all_can_be_held_against(values: dict[str, object]) -> None:
    Figures(gather(brief(values), 3)).unheld("It was 12.3 % of 1,234, up by five.")
