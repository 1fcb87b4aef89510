"""`nightdesk health`, `monitor` and `test redis|database|llm`, without a daemon and with one."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from state.ledger.choice import make_ledger
from tests.contracts.ledgers import outcome, owed, sent
from tests.valkey import Valkey, running

Nightdesk = Callable[..., Any]
DAY = date(2024, 2, 29)  # long past, whatever the clock of the machine says
AT = datetime(2024, 2, 29, 5, tzinfo=UTC)
NEVER = "0 0 29 2 *"
COMPONENTS = ["state", "scheduler", "ledger", "redis", "disk", "llm", "channel:file", "channel:log"]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Valkey]:
    with running(tmp_path / "redis") as server:
        yield server


def configure(desk: Any, **sections: Any) -> None:
    schedules = {"hello": {"command": ["true"], "cron": NEVER}}
    desk.config.write_text(json.dumps({"timezone": "UTC", "schedules": schedules, **sections}))


@pytest.fixture
def served(desk: Any, redis: Valkey) -> Any:
    """A desk with reports and a Redis."""
    configure(desk, reports={}, redis={"url": redis.url()})
    return desk


def test_health_now_without_a_daemon_says_that_none_runs(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("health", "now", "--json")
    assert (ended.code, ended.json["status"]) == (1, "down")
    assert ended.json.keys() >= {"status", "components", "reports", "kpis", "recommendations"}
    components = ended.json["components"]
    assert list(components) == COMPONENTS
    assert components["scheduler"] == {"status": "down", "latencyMs": None, "detail": "no daemon is running"}
    assert [components[name]["status"] for name in ("state", "ledger", "redis")] == ["ok"] * 3
    assert all(components[name]["latencyMs"] is not None for name in ("state", "ledger", "redis"))


def test_health_now_of_a_daemon_is_ok_and_follows_redis(
    served: Any, nightdesk: Nightdesk, redis: Valkey, daemon: object, until: Callable[..., None]
) -> None:
    until(lambda: nightdesk("health", "now").code == 0)  # the first heartbeat may take a moment
    redis.kill()
    assert nightdesk("trigger", "hello", "--wait").code == 0  # nothing waits for it
    until(lambda: nightdesk("health", "now").code == 1)  # what was measured a moment ago still counts
    ended = nightdesk("health", "now")
    assert "cannot be reached" in ended.out
    assert "nightdesk test redis" in ended.out


def test_health_daily_is_shown_kept_and_sent_without_a_daemon(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("health", "daily")
    assert ended.code == 1  # no daemon runs, which is critical
    assert ended.out.startswith("Health: down")
    (kept,) = (served.home.logs / "health").glob("health-*.json")
    assert json.loads(kept.read_text())["components"]["redis"]["status"] == "ok"


def test_health_daily_is_made_by_a_daemon_that_runs(
    served: Any, nightdesk: Nightdesk, daemon: object, until: Callable[..., None]
) -> None:
    until(lambda: nightdesk("health", "now").code == 0)
    ended = nightdesk("health", "daily")
    assert (ended.code, ended.out.splitlines()[0]) == (0, "Health: ok")
    assert nightdesk("health", "daily", "--json").json["state"] == "completed"


def test_redis_is_tried_step_by_step_with_the_time_of_each(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("test", "redis")
    assert ended.code == 0
    assert [line.split()[1:3] for line in ended.out.splitlines()[1:]] == [
        ["connect", "yes"],
        ["write", "yes"],
        ["read", "yes"],
        ["info", "yes"],
    ]


def test_a_redis_that_is_full_fails_its_trial_with_the_reason(
    served: Any, nightdesk: Nightdesk, redis: Valkey
) -> None:
    redis.say("CONFIG SET maxmemory 1")
    ended = nightdesk("test", "redis", "--json")
    assert ended.code == 1
    (trial,) = ended.json
    assert [step["ok"] for step in trial["steps"]] == [True, False]
    assert trial["steps"][-1]["detail"].startswith("OOM: ")


def test_the_daemon_tries_redis_too(served: Any, nightdesk: Nightdesk, daemon: object) -> None:
    assert nightdesk("test", "redis").code == 0
    assert nightdesk("test", "database").code == 0


def test_the_ledger_is_tried_step_by_step(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("test", "database", "--json")
    assert ended.code == 0
    assert [step["name"] for step in ended.json[0]["steps"]] == ["connect", "write and read"]


def test_a_database_that_is_away_fails_its_trial_without_a_traceback(desk: Any, nightdesk: Nightdesk) -> None:
    with closing(socket.socket()) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    configure(desk, reports={}, ledger={"url": f"postgresql://127.0.0.1:{port}/none"})
    ended = nightdesk("test", "database")
    assert ended.code == 1
    assert "does not answer" in ended.out


@pytest.mark.parametrize(
    ("name", "text"), [("redis", "redis.url is not set"), ("database", "no reports are configured")]
)
def test_what_is_not_configured_cannot_be_tried(
    desk: Any, nightdesk: Nightdesk, name: str, text: str
) -> None:
    ended = nightdesk("test", name)
    assert ended.code == 2
    assert text in ended.err


def test_without_providers_there_is_nothing_to_ask(desk: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("test", "llm")
    assert (ended.code, ended.out) == (2, "")
    assert "llm.providers is empty, so there is nobody to ask" in ended.err


def test_the_source_is_asked_each_of_its_questions(desk: Any, nightdesk: Nightdesk) -> None:
    (desk.folder / "sales.csv").write_text("company,sold\nacme,7\n")
    source = {"type": "files", "facts": "SELECT company, sold FROM read_csv('sales.csv')"}
    configure(desk, reports={"source": source})
    ended = nightdesk("test", "source")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[1].split()[:3] == ["files", "source.facts", "yes"]
    configure(
        desk, reports={"source": {**source, "facts": "SELECT company, gone FROM read_csv('sales.csv')"}}
    )
    ended = nightdesk("test", "source")
    assert (ended.code, "gone" in ended.out) == (1, True)


def test_without_a_source_there_is_nothing_to_ask(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("test", "source")
    assert (ended.code, ended.out) == (2, "")
    assert "reports.source is not set" in ended.err


def test_a_provider_that_is_away_fails_its_trial(desk: Any, nightdesk: Nightdesk) -> None:
    with closing(socket.socket()) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    provider = {"name": "one", "type": "openai", "baseUrl": f"http://127.0.0.1:{port}/v1", "model": "m"}
    configure(desk, llm={"providers": [provider]}, network={"allowPrivate": True})
    ended = nightdesk("test", "llm", "--json")
    assert ended.code == 1
    (trial,) = ended.json
    assert (trial["channel"], trial["ok"]) == ("one", False)


def test_the_queues_are_shown_with_what_the_ledger_owes(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("monitor", "queues")
    assert ended.code == 0
    assert ended.out.splitlines()[0].split() == ["LANE", "DEPTH", "RUNNING", "LATER", "OLDEST"]
    assert "The ledger owes nothing." in ended.out
    found = nightdesk("monitor", "queues", "--json").json
    assert found["lanes"].keys() == {"alerts", "normal", "catch-up"}
    assert found["ledger"] == {"status": "ok", "loads": []}


def test_the_daemon_shows_its_queues(served: Any, nightdesk: Nightdesk, daemon: object) -> None:
    assert nightdesk("monitor", "queues", "--json").json["ledger"]["status"] == "ok"


def test_a_delivered_report_that_was_not_kept_is_found(served: Any, nightdesk: Nightdesk) -> None:
    served.home.make_folders()
    asyncio.run(deliver_unkept(served))
    ended = nightdesk("monitor", "post-completion", "--date", "2024-02-29")
    assert ended.code == 1
    assert ended.out.startswith("2024-02-29: 1 delivered reports, 3 findings\n")
    assert "acme.json" in ended.out
    found = nightdesk("monitor", "post-completion", "--date", "2024-02-29", "--json").json
    assert {it["what"] for it in found["findings"]} == {"missing"}


async def deliver_unkept(desk: Any) -> None:
    ledger = make_ledger("sqlite", desk.home)
    await ledger.open(AT)
    await ledger.plan([owed("acme", DAY)], AT)
    (one,) = await sent(ledger, "anna", AT)
    await ledger.record_outcomes("anna", [outcome(one, at=AT)])
    await ledger.close()


def test_a_date_on_which_nothing_was_delivered_has_no_findings(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("monitor", "post-completion", "--date", "2024-02-29")
    assert (ended.code, ended.out) == (0, "2024-02-29: 0 delivered reports, all as they should be\n")


def test_nothing_due_yet_is_said(served: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("monitor", "post-completion")
    assert ended.code == 2
    assert "no report has come due yet" in ended.err
