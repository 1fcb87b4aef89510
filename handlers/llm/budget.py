"""How the time until a deadline is shared among the rungs of the ladder."""

DELIVERY_RESERVE_S = 60.0  # what rendering, keeping and sending the report are left
# A rung that gets less would hardly come to an end of its answer: it is better left out.
SHORTEST_SLICE_S = 20.0


def slice_s(
    left_s: float, rungs: int, longest_s: float, shortest_s: float = SHORTEST_SLICE_S
) -> float | None:
    """How long the next of `rungs` rungs may take of the seconds that are left; None: it has no time.

    Each rung behind it keeps the shortest slice, as far as there are enough seconds for that; what an
    early end leaves over goes to those behind.
    """
    shortest_s = min(shortest_s, longest_s)
    if left_s < shortest_s:
        return None
    that_fit = max(1, min(rungs, int(left_s // shortest_s)))
    return min(longest_s, left_s - shortest_s * (that_fit - 1))
