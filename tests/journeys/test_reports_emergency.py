"""An emergency button pressed ten times at once in the middle of a run, and one taken back in time."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.journeys.desk import Desk
from tests.journeys.line_stand_in import switchboard
from tests.journeys.mail_stand_in import mail_server
from tests.journeys.newsstand import Newsstand, dates, program, shops

EMERGENCY = "/api/reports/emergency"
REASON = "nobody has theirs"
SLOW_S = 0.3  # what an answer of the mail server takes: the run is in its middle while buttons are pressed
DELAY_MINUTES = 0.03
IN_TIME_MINUTES = 1.0  # long enough for a busy machine to take it back


def test_pressed_ten_times_at_once_in_the_middle_of_a_run_each_company_gets_exactly_one(desk: Desk) -> None:
    desk.within = program("from daemon.reports import rescue", "rescue.STEP_EVERY = timedelta(seconds=1)")
    with switchboard() as board:
        stand = Newsstand(desk, mail_server(board), shops(40), dates(1))
        stand.mail.answers_after_s = SLOW_S
        stand.settle()
        desk.start()
        stand.ask()
        stand.wait_for_mail(20)
        buttons = [by_hand(stand), by_wire(stand)] * 5
        made = pressed(buttons)
        desk.wait_for("all reports", lambda: stand.is_done)
        plans = {it["planId"] for it in made}
        assert len(plans) == 1, "the same reason for the same companies is one plan"
        desk.wait_for("the plan's end", lambda: state_of(desk, *plans) == "done")
        assert copies(stand) == dict.fromkeys(addresses(stand), 1)
        told = stand.ledger("SELECT action FROM audit WHERE action LIKE 'emergency%'")
        assert Counter(told) == {("emergency.trigger",): 10}
        cancelled(stand, *plans)


def cancelled(stand: Newsstand, plan: str) -> None:
    """Have all of them sent again by force, and take that back inside the delay: nobody gets another."""
    desk = stand.desk
    force = {"reason": "again, all of them", "force": plan, "date": stand.range[0]}
    waiting = desk.client.post(f"{EMERGENCY}/trigger-all-reports", {**force, "delayMinutes": IN_TIME_MINUTES})
    assert (waiting["state"], waiting["counts"]["sentAgain"]) == ("waiting", 40)
    desk.does("emergency", "cancel", waiting["planId"])
    # Of a plan like it that is left alone all get theirs, which shows what the other one was spared.
    carried_out = desk.client.post(
        f"{EMERGENCY}/trigger-all-reports",
        {**force, "reason": "again, and meant", "delayMinutes": DELAY_MINUTES},
    )
    desk.wait_for("the plan's end", lambda: state_of(desk, carried_out["planId"]) == "done")
    assert state_of(desk, waiting["planId"]) == "cancelled"
    assert copies(stand) == dict.fromkeys(addresses(stand), 2)


def pressed(buttons: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each of them answers, all pressed at once."""
    with ThreadPoolExecutor(len(buttons)) as hands:
        return list(hands.map(lambda button: button(), buttons))


def by_hand(stand: Newsstand) -> Callable[[], Any]:
    argv = ("--json", "emergency", "trigger", "--all", "--date", stand.range[0], "--reason", REASON)
    return lambda: stand.desk.does(*argv).json


def by_wire(stand: Newsstand) -> Callable[[], Any]:
    body = {"reason": REASON, "date": stand.range[0]}
    return lambda: stand.desk.client.post(f"{EMERGENCY}/trigger-all-reports", body)


def state_of(desk: Desk, plan: str) -> str:
    return str(desk.client.get(f"{EMERGENCY}/plans/{plan}")["state"])


def addresses(stand: Newsstand) -> list[str]:
    return [f"{name}@example.com" for name in stand.companies]


def copies(stand: Newsstand) -> "Counter[str]":
    """How many mails each company was sent."""
    return Counter(str(copy.whole["To"]) for copy in stand.mail.line.copies)
