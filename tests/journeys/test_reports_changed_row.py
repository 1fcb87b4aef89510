"""One row of the ledger changed behind the daemon's back: the certificate does not hold, and says which."""

import sqlite3
from contextlib import closing

import pytest

from tests.journeys.desk import Desk
from tests.journeys.line_stand_in import switchboard
from tests.journeys.mail_stand_in import mail_server
from tests.journeys.newsstand import Newsstand, dates, shops
from tests.postgres import Postgres

CHANGE = "UPDATE obligation SET status = 'delivered-late' WHERE company_id = 'shop-03' AND date = "


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_one_changed_row_fails_the_certificate_and_is_named(
    kind: str, desk: Desk, postgres: Postgres
) -> None:
    with switchboard() as board:
        stand = Newsstand(
            desk, mail_server(board), shops(8), dates(1), postgres if kind == "postgres" else None
        )
        stand.settle()
        desk.start()
        stand.ask()
        desk.wait_for("all reports", lambda: stand.is_done)
    day = stand.range[0]
    desk.does("certificate", "write", day)
    assert "8 rows" in desk.does("certificate", "verify", day).out
    change(stand)
    for is_running in (True, False):
        ended = desk.run("certificate", "verify", day)
        assert ended.code == 1, ended
        assert "shop-03" in ended.out
        if is_running:
            desk.stop()


def change(stand: Newsstand) -> None:
    """Change one row as somebody would who knows the database, and not what proves it."""
    statement = f"{CHANGE}'{stand.range[0]}'"
    if stand.server is not None:
        stand.server.rows(stand.url, statement)
        return
    with closing(sqlite3.connect(stand.desk.home.ledger)) as ledger, ledger:
        assert ledger.execute(statement).rowcount == 1
