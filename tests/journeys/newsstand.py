"""Shops that a real daemon mails a report to for each of some dates, and what can be counted of it."""

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, product
from typing import Any

from daemon.cli.client import Refused
from state.ledger.records import FINAL, Status
from tests.journeys.desk import NEVER, Desk
from tests.journeys.mail_stand_in import Mail
from tests.postgres import Postgres

POSTS = [f"post-{number}" for number in range(4)]  # no channel carries more than two mails at once
ROUND_S = 5
FACTS = """SELECT company_id AS company, sold FROM sale
WHERE day = $date AND company_id IN (SELECT value FROM json_each($companies))"""

Rows = Callable[[str], list[tuple[Any, ...]]]  # from a statement to what it finds in the ledger


def program(*changes: str) -> tuple[str, ...]:
    """The daemon itself, once some of its constants are changed."""
    lines = (
        "import runpy, sys",
        "from datetime import timedelta",
        *changes,
        "del sys.argv[:3]",
        'runpy.run_module("daemon", run_name="__main__", alter_sys=True)',
    )
    return sys.executable, "-c", "\n".join(lines)


# What a killed daemon held is soon free and soon taken up, a ledger that was away is soon asked again.
HURRIED = (
    "from handlers.reporting import leases",
    "leases.LEASE, leases.RENEW_EVERY = timedelta(seconds=2), timedelta(seconds=0.4)",
    "leases.RENEW_AGAIN = timedelta(seconds=0.4)",
    "from handlers.reporting import working",  # and with it all that takes these by name
    "working.LEDGER_PAUSE = timedelta(seconds=1)",
    "from daemon.reports import sweep",
    "sweep.SWEEP_EVERY = timedelta(seconds=2)",
)


def shops(count: int) -> list[str]:
    return [f"shop-{number:02}" for number in range(count)]


def dates(count: int) -> list[date]:
    """The newest days that have been over everywhere for a while."""
    last = datetime.now(UTC).date() - timedelta(days=3)
    return [last - timedelta(days=back) for back in range(count)]


@dataclass
class Newsstand:
    """An installation with a roster, a database of sales, and a mail server for all of them."""

    desk: Desk
    mail: Mail
    companies: Sequence[str]
    dates: Sequence[date]
    server: Postgres | None = None  # of the ledger; None is the embedded one
    url: str = ""
    zone: str = "UTC"
    settings: dict[str, Any] = field(default_factory=dict)  # of the config, beside those written here
    reports: dict[str, Any] = field(default_factory=dict)  # the same for its section of reports

    def settle(self) -> None:
        """Write down what there is; no language model, so that the template writes."""
        roster = [
            {
                "id": it,
                "name": it,
                "timezone": self.zone,
                "recipients": [f"{it}@example.com"],
                "channel": post,
            }
            for it, post in zip(self.companies, cycle(POSTS), strict=False)
        ]
        (self.desk.folder / "companies.json").write_text(json.dumps(roster))
        with closing(sqlite3.connect(self.desk.folder / "shop.db")) as shop, shop:
            shop.execute("CREATE TABLE sale (company_id TEXT, day TEXT, sold INTEGER)")
            sales = [(name, day.isoformat(), day.day) for name, day in product(self.companies, self.dates)]
            shop.executemany("INSERT INTO sale VALUES (?, ?, ?)", sales)
        if self.server is not None:
            self.url = self.url or self.server.new_database()
            self.desk.environ["LEDGER"] = self.url
            self.settings["ledger"] = {"url": "env:LEDGER"}
        source = {"type": "sqlite", "path": "shop.db", "facts": FACTS}
        ours = {
            "timezone": self.zone,
            "heartbeatSchedule": NEVER,
            "dailyReportSchedule": NEVER,
            "network": {"allowPrivate": True},
            "channels": dict.fromkeys(POSTS, self.mail.entry),
            "reports": {"source": source, "resendAfter": "1s", **self.reports},
        }
        self.desk.write_config(**ours | self.settings)

    @property
    def range(self) -> tuple[str, str]:
        return min(self.dates).isoformat(), max(self.dates).isoformat()

    def ask(self, wait_s: int = 0) -> None:
        """What `nightdesk reports ensure --from D --to D` asks for, without its wait for the end."""
        self.desk.wait_for("the roster", lambda: self._asked(wait_s))

    def _asked(self, wait_s: int) -> bool:
        """Ask; False while a daemon that has just begun has not read its roster."""
        asked = dict(zip(("from", "to"), self.range, strict=True))
        try:
            self.desk.client.post("/api/reports/ensure", asked, {"wait": wait_s}, wait_s=wait_s)
        except Refused as refused:
            if "roster" not in str(refused):
                raise
            return False
        return True

    def wait_for_mail(self, patience_s: float) -> None:
        """Wait for one more mail, or for the last one of all."""
        before = len(self.mail.line.copies)
        self.desk.wait_for(
            "a mail",
            lambda: len(self.mail.line.copies) > before or self.is_done,
            patience_s=patience_s,
            pause_s=0.02,
        )

    def ledger(self, sql: str) -> list[tuple[Any, ...]]:
        """What the ledger holds, read beside the daemon."""
        if self.server is not None:
            return self.server.rows(self.url, sql)
        uri = f"{self.desk.home.ledger.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as ledger:
            return ledger.execute(sql).fetchall()

    def obligations(self) -> list[tuple[str, date, Status]]:
        """What the ledger holds of the dates."""
        first, last = self.range
        sql = "SELECT company_id, CAST(date AS text), status FROM obligation"
        rows = self.ledger(f"{sql} WHERE date BETWEEN '{first}' AND '{last}'")
        return [(name, date.fromisoformat(day), Status(status)) for name, day, status in rows]

    @property
    def delivered(self) -> int:
        return sum(status.is_delivered for _, _, status in self.obligations())

    @property
    def is_done(self) -> bool:
        """Whether every report has arrived."""
        return self.delivered == len(self.companies) * len(self.dates)

    def is_done_with_help(self) -> bool:
        """The same; what has not is asked for again, and settled, as an operator would."""
        if self.is_done:
            return True
        self.ask(ROUND_S)
        self.settle_unknown()
        return self.is_done

    def settle_unknown(self) -> None:
        """Have those sent again that have been sent again before, so that only a person can say more."""
        for name, day, status in self.obligations():
            if status is Status.UNKNOWN and self._is_lost_twice(name, day):
                said = ("resolve", name, day.isoformat(), "--as", "resend", "--by", "anna")
                self.desk.does("reports", *said)

    def _is_lost_twice(self, name: str, day: date) -> bool:
        rows = self.ledger(
            f"SELECT 1 FROM event WHERE company_id = '{name}' AND date = '{day}' AND event = 'send.unknown'"
        )
        return len(rows) > 1

    def reckon(self) -> "Counter[str]":
        """Compare what the ledger says with what the mail server has."""
        held = self.obligations()
        assert sorted((name, day) for name, day, _ in held) == sorted(product(self.companies, self.dates))
        assert {status for _, _, status in held} <= FINAL
        addresses = {f"{name}@example.com" for name in self.companies}
        copies = [copy for copy in self.mail.line.copies if copy.whole["To"] in addresses]
        told = {(copy.whole["To"], copy.whole["Subject"], copy.id) for copy in copies}
        twice = [it for it, ids in Counter((to, subject) for to, subject, _ in told).items() if ids > 1]
        assert not twice, f"by several ids, so that all of them show: {twice}"
        shown = {copy.id for copy in copies}  # a mail program shows one of several with the same Message-ID
        # The one id that each report has for ever, and as which mail it shows.
        owed = {
            f"report.{name}.{day}": (f"{name}@example.com", f"{name}: {day}")
            for name, day in product(self.companies, self.dates)
        }
        assert shown >= owed.keys(), sorted(owed.keys() - shown)
        assert told >= {(*mail, id_) for id_, mail in owed.items()}
        return Counter({"reports": len(held), "messages that show": len(shown), "raw copies": len(copies)})
