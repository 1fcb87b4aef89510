"""What came of trying channels without a message: one line a step."""

from collections.abc import Mapping, Sequence
from typing import Any

from daemon.cli.call import Call
from daemon.cli.tables import Column, render

Row = Mapping[str, Any]


def table(call: Call, trials: Sequence[Row], title: str = "CHANNEL") -> str:
    """The steps of every channel, or of what else is tried, each with how long it took."""
    columns = (
        Column(title=title),
        Column(title="STEP"),
        Column(title="OK"),
        Column(title="TOOK", is_right=True),
        Column(title="DETAIL", may_be_cut=True),
    )
    cells = [
        [trial["channel"], step["name"], "yes" if step["ok"] else "NO", _took(step), step["detail"]]
        for trial in trials
        for step in trial["steps"]
    ]
    return render(columns, cells, call.width)


def _took(step: Row) -> str:
    return f"{step['tookS'] * 1000:.0f}ms"
