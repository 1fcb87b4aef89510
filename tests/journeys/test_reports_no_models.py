"""A day on which no language model answers: every report in time by the template, one incident, and back."""

import json
from collections import Counter
from contextlib import ExitStack

from tests.journeys.desk import Desk
from tests.journeys.line_stand_in import switchboard
from tests.journeys.mail_stand_in import RECIPIENT, mail_server
from tests.journeys.model_stand_in import Mood, model
from tests.journeys.newsstand import POSTS, Newsstand, dates, program, shops

MOODS = {"first": Mood.UNPAID, "second": Mood.BUSY, "third": Mood.SILENT}
COMPANIES = 25
# Providers that are left alone are asked again after seconds, and not after an hour.
RESTED = (
    "from handlers.llm import breaker",
    "breaker.LONGEST_REST, breaker.WORTH_AN_ALERT = timedelta(seconds=3), timedelta(seconds=2)",
    "from handlers.llm import probing",
    "probing.LONGEST_PAUSE = timedelta(seconds=1)",
)


def test_without_any_model_all_reports_are_there_in_time_one_incident_is_told_and_the_way_back_is_found(
    desk: Desk,
) -> None:
    desk.within = program(*RESTED)
    with switchboard() as board, ExitStack() as stack:
        models = [stack.enter_context(model(name, mood)) for name, mood in MOODS.items()]
        after, before = dates(2)
        stand = Newsstand(desk, mail_server(board), shops(COMPANIES), [after, before])
        stand.settings = {
            "llm": {"providers": [it.entry for it in models], "shortestSlice": "1s"},
            "alerts": {
                "groupWait": "1s",
                "receivers": {"oncall": [POSTS[0]]},
                "routes": [{"severities": ["critical", "error", "warning"], "receiver": "oncall"}],
            },
        }
        stand.settle()
        stand.dates = [before]
        desk.start()
        stand.ask()
        desk.wait_for("all reports", lambda: stand.is_done)
        assert written(stand) == {("template", "delivered-degraded", True): COMPANIES}
        desk.wait_for("word of it", lambda: told(stand))
        for one in models:
            one.mood = Mood.WELL
            one.is_over.set()
        desk.wait_for("all models", lambda: not still_open(desk, "llm.provider-down"))
        stand.dates = [after]
        stand.ask()
        desk.wait_for("all reports", lambda: stand.is_done)
        assert written(stand) == {("first", "delivered", True): COMPANIES}
        desk.wait_for("the end", lambda: not still_open(desk, "llm.degraded"))
    fired = Counter(it["name"] for it in desk.rows("SELECT * FROM alert"))
    assert fired == {"llm.degraded": 1, "llm.provider-down": 3}
    # One incident is one message; that of its end is held until a minute after.
    assert len(told(stand)) == 1, told(stand)


def written(stand: Newsstand) -> "Counter[tuple[str, str, bool]]":
    """By whom the reports were written, how they arrived, and whether in time."""
    sql = "SELECT rung, status, delivered_at <= deadline_at FROM obligation"
    rows = stand.ledger(f"{sql} WHERE date = '{stand.range[0]}'")
    return Counter((rung, status, bool(is_in_time)) for rung, status, is_in_time in rows)


def still_open(desk: Desk, name: str) -> list[dict[str, str]]:
    return [json.loads(it["labels"]) for it in desk.alerts(name) if it["resolved_at"] is None]


def told(stand: Newsstand) -> list[str]:
    """What whoever is on call was sent."""
    return [copy.text for copy in stand.mail.line.copies if copy.whole["To"] == RECIPIENT]
