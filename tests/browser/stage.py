"""What the browser is shown: a daemon with three months behind it, and a day on which not all goes well."""

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from daemon.check import prepare
from daemon.sample import FACTS, WORST_ROUTES, load_flights, sample_companies, sample_leads
from tests.browser.past import COPY_FAILED, Past, remember
from tests.journeys.desk import Desk, open_desk
from tests.journeys.line_stand_in import Switchboard, switchboard
from tests.journeys.web_stand_in import Web, pagerduty, slack, webhook

COMPANIES, SCHEDULES = 16, 10
FAILING_COMPANY = "HA"
FAILING_JOB, TAKEN_JOB, MENDED_JOB, GOOD_JOB = "offsite-copy", "thumbnails", "media-sync", "tidy-up"
TOKEN, READ_TOKEN = "an-operating-token-0123456789abcdef", "a-reading-token-0123456789abcdef"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROOM, PAGER, MAILER = "team-room", "pager", "ha-gateway"
AWAY = (503, "down for maintenance")
# What would run, load or turn the line round if it were ever more than text.
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "safe \u202etxt.exe\u202c and \u200fעברית",
)
WAIT_S = 10


@dataclass(frozen=True)
class Stage:
    """A daemon that runs, and where its page is."""

    desk: Desk
    address: str
    today: date
    gateway: Web  # while it is away, one company's report does not arrive

    def get(self, path: str) -> Any:
        """What the daemon answers to its operator."""
        return self.desk.client.get(path)

    def act(self, path: str, **body: Any) -> Any:
        """Have the daemon do something."""
        return self.desk.client.post(path, body)

    def trigger(self, schedule: str) -> None:
        """Have a schedule run, and its run end."""
        path, waiting = f"/api/schedules/{schedule}/trigger", {"wait": WAIT_S}
        self.desk.client.post(path, {}, waiting, wait_s=WAIT_S)

    def wait_until_told(self) -> None:
        """Return once the room has heard of the job that failed, after the pager was tried."""
        self.desk.wait_for("a message", lambda: _was_told(self.alerts(handler=FAILING_JOB)))

    def alerts(self, **labels: str) -> list[Mapping[str, Any]]:
        """The open alerts with these labels."""
        return [it for it in self.get("/api/alerts?open=1") if labels.items() <= it["labels"].items()]


def _was_told(alerts: Sequence[Mapping[str, Any]]) -> bool:
    return all(it["told"] and it["told"]["state"] == "delivered" for it in alerts)


@contextmanager
def open_stage(folder: Path, zone: str) -> Iterator[Stage]:
    """Lay everything out and have the daemon run, in a zone where it is noon; it ends with the block."""
    with switchboard() as board, open_desk(folder) as desk:
        today = datetime.now(ZoneInfo(zone)).date()
        gateway = connect(desk, board)
        lay_out(desk, zone, today)
        desk.start()
        port = desk.client.get("/api/status")["httpPort"]
        stage = Stage(desk, f"http://127.0.0.1:{port}", today, gateway)
        play(stage)
        yield stage
        desk.stop()


def connect(desk: Desk, board: Switchboard) -> Web:
    """Open the lines to the outside: a room that hears, a pager and a company's gateway that are away."""
    room, pager, gateway = slack(board), pagerduty(board), webhook(board, SECRET)
    pager.instead = gateway.instead = AWAY
    desk.environ.update(DESK_TOKEN=TOKEN, READ_TOKEN=READ_TOKEN, NEXT_TOKEN=TOKEN[::-1])
    desk.environ.update(ROOM=room.url, PAGER_KEY=secrets.token_hex(16), GATEWAY=gateway.url, SECRET=SECRET)
    desk.environ["PAGER"] = pager.url
    return gateway


def play(stage: Stage) -> None:
    """The day up to noon: leads judged, reports written, jobs failed, alerts told, taken on and over."""
    desk = stage.desk
    desk.client.post("/api/items", leads())
    stage.trigger("nightly-batch")
    for job in (MENDED_JOB, TAKEN_JOB, FAILING_JOB):
        stage.trigger(job)
    (desk.folder / "mounted").touch()
    stage.trigger(MENDED_JOB)
    desk.wait_for("a planned morning", lambda: stage.get("/api/coverage")["expected"] == COMPANIES)
    stage.act("/api/reports/ensure", date=stage.today.isoformat())
    # As the page asks for it: what took long to count is told for a while after.
    desk.wait_for("its reports", lambda: stage.get("/api/today")["coverage"]["delivered"] == COMPANIES - 1)
    [taken] = stage.alerts(handler=TAKEN_JOB)
    stage.act(f"/api/alerts/{taken['id']}/ack", by="grace")


def lay_out(desk: Desk, zone: str, today: date) -> None:
    """Write the configuration, the roster, the flights, the leads, and three months of history."""
    companies = [{**it, "timezone": zone, "channel": "file"} for it in sample_companies()]
    for company in companies:
        if company["id"] == FAILING_COMPANY:
            company |= {"channel": MAILER, "deadline": "13:00"}
    (desk.folder / "companies.json").write_text(json.dumps(companies))
    load_flights(desk.folder / "flights.db", today)
    desk.write_config(**configuration(desk, zone))
    desk.home.make_folders()
    past = Past(zone=zone, today=today, companies=tuple(it["id"] for it in companies))
    # In a thread of its own: the browser's driver has a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(_furnish(desk, past))).result()


async def _furnish(desk: Desk, past: Past) -> None:
    await remember(past, prepare(desk.config, desk.surroundings()), desk.home)


def leads() -> list[dict[str, Any]]:
    """The leads of the evening; what some of them are called is no markup."""
    hostile = [
        {"id": f"hostile-{at}", "title": it, "score": 0.8 - at / 100, "selftext": it, "url": "javascript:1"}
        for at, it in enumerate(HOSTILE)
    ]
    return sample_leads(datetime.now(UTC)) + hostile


def configuration(desk: Desk, zone: str) -> dict[str, Any]:
    """What runs, who may ask, who is told, and where the figures come from."""
    once = {"maxAttempts": 1}
    return {
        "timezone": zone,
        "nightlyBatchSchedule": "0 23 * * *",
        "dailyReportSchedule": "0 5 * * *",
        "morningNotificationSchedule": "0 6 * * *",
        "digestNotificationChannel": "log",
        "network": {"allowPrivate": True},
        "scoring": {
            "topics": {"cron": 1, "report": 1, "alert": 1, "scheduler": 1, "backup": 0.8, "digest": 0.8}
        },
        "http": {
            "port": 0,
            "tokens": [
                {"name": "ada", "scope": "operate", "token": "env:DESK_TOKEN"},
                {"name": "guest", "scope": "read", "token": "env:READ_TOKEN"},
            ],
        },
        "reports": {
            "companies": "companies.json",
            "deadline": "23:30",
            "source": {
                "type": "sqlite",
                "path": "flights.db",
                "facts": FACTS.strip(),
                "tables": {"Worst routes": WORST_ROUTES.strip()},
            },
        },
        "channels": {
            ROOM: {"type": "slack", "url": "env:ROOM"},
            PAGER: {"type": "pagerduty", "routingKey": "env:PAGER_KEY", "url": desk.environ["PAGER"]},
            MAILER: {"type": "webhook", "url": "env:GATEWAY", "secret": "env:SECRET"},
        },
        "alerts": {
            "groupWait": "1s",
            "receivers": {"on-call": [PAGER, ROOM]},
            "routes": [{"match": {}, "receiver": "on-call"}],
        },
        "schedules": {
            FAILING_JOB: {**once, "command": failing(COPY_FAILED), "cron": "30 2 * * *"},
            TAKEN_JOB: {**once, "command": failing("3 of 412 pictures are damaged"), "cron": "45 3 * * *"},
            MENDED_JOB: {**once, "command": ["test", "-e", "mounted"], "cron": "0 4 * * *"},
            GOOD_JOB: {"command": ["echo", "tidy"], "cron": "15 3 * * *"},
        },
    }


def failing(complaint: str) -> list[str]:
    """A command that complains and ends badly."""
    return ["sh", "-c", f"echo '{complaint}' >&2; exit 1"]
