"""What is counted, as it is counted."""

import pytest

from daemon.meters import ANSWERED, OUTCOMES, Counter, Family, Kind, Meters, Spread, Timer
from state.records import DeliveryState


def families(meters: Meters) -> dict[str, Family | Spread]:
    return {it.name: it for it in meters.read()}


def test_a_counter_counts_by_its_labels() -> None:
    counter = Counter("c_total", "Things", "kind")
    counter.add("a")
    counter.add("a", count=2)
    counter.add("b", count=0.5)
    assert counter.read() == Family(
        name="c_total",
        kind=Kind.COUNTER,
        about="Things, since the start of the process.",
        labels=("kind",),
        values={("a",): 3, ("b",): 0.5},
    )


def test_what_is_expected_is_shown_at_nought_and_never_set_back() -> None:
    counter = Counter("c_total", "Things", "kind")
    counter.expect("a")
    assert counter.read().values == {("a",): 0}
    counter.add("a")
    counter.expect("a")
    assert counter.read().values == {("a",): 1}


def test_a_reading_does_not_change_with_what_follows() -> None:
    counter = Counter("c_total", "Things", "kind")
    counter.add("a")
    before = counter.read()
    counter.add("a")
    assert before.values == {("a",): 1}


@pytest.mark.parametrize(
    ("seconds", "cumulative"),
    [(0.0, [1, 1, 1]), (1.0, [1, 1, 1]), (1.1, [0, 1, 1]), (5.0, [0, 1, 1]), (5.1, [0, 0, 1])],
)
def test_a_duration_counts_from_its_bound_upwards(seconds: float, cumulative: list[int]) -> None:
    timer = Timer("t_seconds", "How long", (1.0, 5.0))
    timer.note(seconds)
    spread = timer.read()
    assert (list(spread.cumulative), spread.sum) == (cumulative, seconds)


def test_a_call_to_a_model_counts_its_outcome_its_tokens_and_its_cost() -> None:
    meters = Meters()
    meters.called("main", ANSWERED, 760, 0.003)
    meters.called("main", "timeout", 0, 0.0)
    assert meters.llm_calls.values == {("main", ANSWERED): 1, ("main", "timeout"): 1}
    assert meters.llm_tokens.values == {("main",): 760}
    assert meters.llm_cost.values == {("main",): 0.003}


def test_what_is_configured_is_there_before_anything_has_happened() -> None:
    meters = Meters()
    meters.expect(channels=["ops"], providers=["main"], schedules=["nightly-batch"])
    assert meters.sends.values == {("ops", outcome): 0 for outcome in OUTCOMES}
    assert meters.llm_calls.values == {("main", ANSWERED): 0}
    assert meters.skipped.values == {("nightly-batch",): 0}


def test_an_intent_is_no_outcome() -> None:
    assert set(OUTCOMES) == set(DeliveryState) - {DeliveryState.INTENDED}


def test_every_name_is_there_once_and_says_that_it_begins_anew() -> None:
    meters = Meters()
    assert len(families(meters)) == len(meters.read()) == 9
    for family in meters.read():
        assert family.name.startswith("nightdesk_")
        assert family.about.endswith("since the start of the process.")
