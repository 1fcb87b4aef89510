"""A daemon that is killed again and again amid the reports: each is there once, and nobody sees two."""

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.desk import Desk
from tests.journeys.line_stand_in import switchboard
from tests.journeys.mail_stand_in import mail_server
from tests.journeys.newsstand import HURRIED, Newsstand, dates, program, shops
from tests.postgres import Postgres, running

KILLS = int(os.environ.get("REPORT_KILLS", "6"))
KILLS_ON_A_SERVER = int(os.environ.get("REPORT_KILLS", "4"))
SEED = int(os.environ.get("REPORT_KILL_SEED") or random.randrange(1 << 30))
ALIVE_S = (0.0, 1.0)  # after the socket answers, or after the first mail since the last kill
AWAY_S = (0.0, 2.0)  # how long the server of the ledger is
AMID = 0.7  # of the daemon's kills, while mails are being sent
SLOW_S = 0.01  # what an answer of the mail server takes
SLOWER_S = 0.2  # the same where there are few mails, so that they take a while together
DONE_S = 240.0  # on a machine that is busy with much else
COUNTED = "SELECT 1 FROM event WHERE event = 'send.unknown'"

Tell = Callable[[str, object], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server of its own, since it is killed."""
    with running(tmp_path / "postgres") as made:
        yield made


@pytest.fixture
def chance(record_property: Tell) -> random.Random:
    record_property("seed", SEED)
    print(f"\nREPORT_KILL_SEED={SEED}")  # noqa: T201 - for `pytest -s`
    return random.Random(SEED)


def test_whenever_it_is_killed_every_report_is_there_once_and_nobody_sees_two(
    desk: Desk, chance: random.Random, record_property: Tell
) -> None:
    desk.within = program(*HURRIED)
    with switchboard() as board:
        stand = Newsstand(desk, mail_server(board), shops(50), dates(20))
        stand.mail.answers_after_s = SLOW_S
        stand.settle()
        be_killed(stand, KILLS, chance, record_property)


def test_whenever_it_is_killed_the_same_holds_for_a_ledger_on_a_server(
    desk: Desk, server: Postgres, chance: random.Random, record_property: Tell
) -> None:
    desk.within = program(*HURRIED)
    with switchboard() as board:
        stand = Newsstand(desk, mail_server(board), shops(20), dates(6), server)
        stand.mail.answers_after_s = SLOWER_S
        stand.settle()
        be_killed(stand, KILLS_ON_A_SERVER, chance, record_property)


def test_whenever_the_server_of_the_ledger_is_killed_the_same_holds(
    desk: Desk, server: Postgres, chance: random.Random, record_property: Tell
) -> None:
    desk.within = program(*HURRIED)
    with switchboard() as board:
        stand = Newsstand(desk, mail_server(board), shops(20), dates(6), server)
        stand.mail.answers_after_s = SLOWER_S
        stand.settle()
        desk.start()
        stand.ask()
        for _ in range(KILLS_ON_A_SERVER):
            stand.wait_for_mail(DONE_S)
            time.sleep(chance.uniform(*ALIVE_S))
            server.kill()
            time.sleep(chance.uniform(*AWAY_S))
            server.start()
        finish(stand, record_property)


def be_killed(stand: Newsstand, kills: int, chance: random.Random, record_property: Tell) -> None:
    """Have the daemon be killed before its first mail or amid them, and then be left in peace."""
    for _ in range(kills):
        stand.desk.start()
        stand.ask()
        if chance.random() < AMID:
            stand.wait_for_mail(DONE_S)
        time.sleep(chance.uniform(*ALIVE_S))
        stand.desk.kill()
    stand.desk.start()
    finish(stand, record_property)


def finish(stand: Newsstand, record_property: Tell) -> None:
    """Wait until all reports have arrived, and count."""
    stand.desk.wait_for("all reports", stand.is_done_with_help, patience_s=DONE_S, pause_s=0.5)
    told = stand.reckon()
    told["answers lost"] = len(stand.ledger(COUNTED))
    line = ", ".join(f"{count} {what}" for what, count in told.items())
    record_property("crash", line)
    print(line)  # noqa: T201 - for `pytest -s`
