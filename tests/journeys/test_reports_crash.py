"""A daemon that is killed again and again amid the reports: each is there once, and nobody sees two."""

import json
import os
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, product
from typing import Any

from state.ledger.records import FINAL, Status
from tests.journeys.desk import NEVER, Desk
from tests.journeys.line_stand_in import switchboard
from tests.journeys.mail_stand_in import Mail, mail_server

KILLS = int(os.environ.get("REPORT_KILLS", "6"))
SEED = int(os.environ.get("REPORT_KILL_SEED") or random.randrange(1 << 30))
ALIVE_S = (0.0, 1.0)  # after the socket answers, or after the first mail of that life
AMID = 0.7  # of the kills, while mails are being sent
SLOW_S = 0.01  # what an answer of the mail server takes
DONE_S = 240.0  # on a machine that is busy with much else
ROUND_S = 5
POSTS = [f"post-{number}" for number in range(4)]  # no channel carries more than two mails at once
COMPANIES = [f"shop-{number:02}" for number in range(50)]
LAST = datetime.now(UTC).date() - timedelta(days=3)
DATES = [LAST - timedelta(days=back) for back in range(20)]
# The one id that each report has for ever, and as which mail it shows.
MAILS = {
    f"report.{name}.{day}": (f"{name}@example.com", f"{name}: {day}")
    for name, day in product(COMPANIES, DATES)
}
RANGE = ("--from", DATES[-1].isoformat(), "--to", DATES[0].isoformat())
FACTS = """SELECT company_id, sold FROM sale
WHERE day = $date AND company_id IN (SELECT value FROM json_each($companies))"""

# The daemon itself, with leases that run out in a moment: what a killed one held is soon free.
SHORT_LEASES = """
import runpy, sys
from datetime import timedelta
from handlers.reporting import leases
leases.LEASE, leases.RENEW_EVERY = timedelta(seconds=2), timedelta(seconds=0.4)
del sys.argv[:3]
runpy.run_module("daemon", run_name="__main__", alter_sys=True)
"""


def test_whenever_it_is_killed_every_report_is_there_once_and_nobody_sees_two(
    desk: Desk, record_property: Callable[[str, object], None]
) -> None:
    record_property("seed", SEED)
    print(f"\nREPORT_KILL_SEED={SEED}")  # noqa: T201 - for `pytest -s`
    chance = random.Random(SEED)
    desk.within = (sys.executable, "-c", SHORT_LEASES)
    with switchboard() as board:
        mail = mail_server(board)
        mail.answers_after_s = SLOW_S
        settle(desk, mail)
        begun = [live(desk, mail, chance) for _ in range(KILLS)]
        desk.start()
        desk.wait_for("all reports", lambda: is_done(desk), patience_s=DONE_S, pause_s=1.0)
        desk.does("reports", "ensure", *RANGE)
        told = reckon(desk, mail)
    told["kills amid the mails"] = sum(begun)
    told["answers lost by them"] = len(ledger_rows(desk, "SELECT 1 FROM event WHERE event = 'send.unknown'"))
    line = ", ".join(f"{count} {what}" for what, count in told.items())
    record_property("crash", line)
    print(f"{KILLS} kills: {line}")  # noqa: T201 - for `pytest -s`


def settle(desk: Desk, mail: Mail) -> None:
    """A roster, a shop's database, and no language model, so that the template writes."""
    roster = [
        {"id": name, "name": name, "timezone": "UTC", "recipients": [f"{name}@example.com"], "channel": post}
        for name, post in zip(COMPANIES, cycle(POSTS), strict=False)
    ]
    (desk.folder / "companies.json").write_text(json.dumps(roster))
    with closing(sqlite3.connect(desk.folder / "shop.db")) as shop, shop:
        shop.execute("CREATE TABLE sale (company_id TEXT, day TEXT, sold INTEGER)")
        sales = [(name, day.isoformat(), day.day) for name, day in product(COMPANIES, DATES)]
        shop.executemany("INSERT INTO sale VALUES (?, ?, ?)", sales)
    desk.write_config(
        timezone="UTC",
        heartbeatSchedule=NEVER,
        dailyReportSchedule=NEVER,
        network={"allowPrivate": True},
        channels=dict.fromkeys(POSTS, mail.entry),
        reports={
            "source": {"type": "sqlite", "path": "shop.db", "facts": FACTS},
            "resendAfter": "1s",
        },
    )


def live(desk: Desk, mail: Mail, chance: random.Random) -> bool:
    """Begin, have the reports be made, be killed before the first mail or amid them; whether it was amid."""
    before = len(mail.line.copies)
    desk.start()
    ask(desk)
    if chance.random() < AMID:
        desk.wait_for("a mail", lambda: len(mail.line.copies) > before, patience_s=DONE_S, pause_s=0.01)
    time.sleep(chance.uniform(*ALIVE_S))
    desk.kill()
    return len(mail.line.copies) > before


def ask(desk: Desk, wait_s: int = 0) -> None:
    """What `nightdesk reports ensure --from D --to D` asks for, without its wait for the end."""
    asked = dict(zip(("from", "to"), RANGE[1::2], strict=True))
    desk.client.post("/api/reports/ensure", asked, {"wait": wait_s}, wait_s=wait_s)


def owed(desk: Desk) -> "Counter[Status]":
    """How many of the reports stand where."""
    return Counter(status for _, _, status in obligations(desk))


def obligations(desk: Desk) -> list[tuple[str, date, Status]]:
    """What the ledger holds of the dates."""
    sql = "SELECT company_id, date, status FROM obligation WHERE date BETWEEN ? AND ?"
    rows = ledger_rows(desk, sql, *RANGE[1::2])
    return [(name, date.fromisoformat(day), Status(status)) for name, day, status in rows]


def is_done(desk: Desk) -> bool:
    """Whether all have arrived; what has not is asked for again, and settled, as an operator would."""
    stands = owed(desk)
    if sum(stands[it] for it in Status if it.is_delivered) == len(COMPANIES) * len(DATES):
        return True
    ask(desk, ROUND_S)
    for name, day, status in obligations(desk):
        if status is Status.UNKNOWN and is_lost_twice(desk, name, day):
            desk.does("reports", "resolve", name, day.isoformat(), "--as", "resend", "--by", "anna")
    return False


def is_lost_twice(desk: Desk, name: str, day: date) -> bool:
    """Whether it has been sent again already, so that only a person can say more."""
    sql = "SELECT 1 FROM event WHERE company_id = ? AND date = ? AND event = 'send.unknown'"
    return len(ledger_rows(desk, sql, name, day.isoformat())) > 1


def ledger_rows(desk: Desk, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """What the ledger holds, read beside the daemon."""
    uri = f"{desk.home.ledger.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as ledger:
        return ledger.execute(sql, parameters).fetchall()


def reckon(desk: Desk, mail: Mail) -> "Counter[str]":
    """Compare what the ledger says with what the mail server has."""
    held = obligations(desk)
    assert sorted((name, day) for name, day, _ in held) == sorted(product(COMPANIES, DATES)), f"seed {SEED}"
    assert {status for _, _, status in held} <= FINAL, f"seed {SEED}"
    addresses = {f"{name}@example.com" for name in COMPANIES}
    copies = [copy for copy in mail.line.copies if copy.whole["To"] in addresses]
    told = {(copy.whole["To"], copy.whole["Subject"], copy.id) for copy in copies}
    twice = [it for it, ids in Counter((to, subject) for to, subject, _ in told).items() if ids > 1]
    assert not twice, f"seed {SEED}: by several ids, so that all of them show: {twice}"
    shown = {copy.id for copy in copies}  # a mail program shows one of several with the same Message-ID
    assert shown >= MAILS.keys(), f"seed {SEED}: {sorted(MAILS.keys() - shown)}"
    assert told >= {(*mail, id_) for id_, mail in MAILS.items()}, f"seed {SEED}"
    return Counter({"reports": len(held), "messages that show": len(shown), "raw copies": len(copies)})
