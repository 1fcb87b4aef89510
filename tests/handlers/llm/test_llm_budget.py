"""How the time until a deadline is shared among the rungs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.budget import SHORTEST_SLICE_S, slice_s


@pytest.mark.parametrize(
    ("left_s", "rungs", "longest_s", "expected"),
    [
        (3600, 3, 60, 60),  # hours are left: as long as the provider may take
        (90, 2, 120, 70),  # the next one keeps its 20 s
        (90, 3, 120, 50),
        (45, 3, 120, 25),  # two fit, the third does not
        (30, 2, 120, 30),  # only one fits, and may have all
        (20, 2, 120, 20),
        (19.9, 1, 120, None),
        (0, 1, 120, None),
        (-60, 1, 120, None),
        (10, 1, 5, 5),  # a provider that is given less than the shortest slice by its own time-out
    ],
)
def test_a_rung_gets_what_the_others_leave(
    left_s: float, rungs: int, longest_s: float, expected: float | None
) -> None:
    assert slice_s(left_s, rungs, longest_s) == expected


@given(st.floats(-10, 500), st.integers(1, 6), st.floats(1, 300))
def test_no_slice_is_longer_than_what_is_left_and_those_behind_keep_theirs(
    left_s: float, rungs: int, longest_s: float
) -> None:
    got_s = slice_s(left_s, rungs, longest_s)
    if got_s is None:
        assert left_s < SHORTEST_SLICE_S
        return
    assert min(SHORTEST_SLICE_S, longest_s) <= got_s <= min(left_s, longest_s)
    if left_s >= rungs * SHORTEST_SLICE_S:
        assert left_s - got_s >= (rungs - 1) * min(SHORTEST_SLICE_S, longest_s)
