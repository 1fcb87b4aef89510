"""docs/prometheus, held to its word: a real scrape by a real Prometheus, its rules, and its dashboard."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.cli.command import program
from tests.journeys.desk import NEVER, Desk, open_desk, zone_at_noon
from tests.shell_tour import ROOT

FOLDER = ROOT / "docs" / "prometheus"
RULES = (FOLDER / "alerts.yml").read_text("utf-8")
RULE_TESTS = (FOLDER / "alerts_test.yml").read_text("utf-8")
SCRAPE = (FOLDER / "scrape.yml").read_text("utf-8")
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text("utf-8"))
ALERTS = re.findall(r"^ +- alert: (\w+)$", RULES, re.MULTILINE)
COMMANDS = re.findall(r"^ +command: '?(.+?)'?$", RULES, re.MULTILINE)
METRIC = re.compile(r"\b(?:nightdesk|process)_\w+")
OWN_NAME = re.compile(r"^(?P<base>\w+?)(?:_bucket|_sum|_count)?$")

# What others rely on by these very names.
CONTRACT = {
    "nightdesk_heartbeat_timestamp_seconds": (),
    "nightdesk_schedule_last_success_timestamp_seconds": ("schedule",),
    "nightdesk_schedule_last_run_timestamp_seconds": ("schedule",),
    "nightdesk_queue_depth": ("lane",),
    "nightdesk_queue_oldest_age_seconds": ("lane",),
    "nightdesk_coverage_ratio": (),
    "nightdesk_obligations": ("status",),
    "nightdesk_sends_total": ("channel", "outcome"),
    "nightdesk_alert_delivery_seconds_bucket": ("le",),
    "nightdesk_llm_calls_total": ("outcome", "provider"),
    "nightdesk_llm_tokens_total": ("provider",),
    "nightdesk_llm_cost_usd_total": ("provider",),
    "nightdesk_loop_lag_seconds": (),
    "nightdesk_state_save_seconds_bucket": ("le",),
    "process_resident_memory_bytes": (),
    "process_open_fds": (),
}
CONFIG: dict[str, Any] = {
    "schedules": {"bad": {"command": ["false"], "cron": NEVER, "maxAttempts": 1}},
    "channels": {"file": {"type": "file"}},
    "timezone": zone_at_noon(),
    "dailyReportSchedule": "0 11 * * *",
    "reports": {"companies": "companies.json", "deadline": "23:00"},
    "llm": {
        "providers": [{"name": "main", "type": "openai", "baseUrl": "http://127.0.0.1:9/v1", "model": "m"}]
    },
    "network": {"allowPrivate": True},
}
COMPANY = {"id": "acme", "name": "Acme", "timezone": zone_at_noon(), "channel": "file"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A daemon with a report delivered and a schedule that has failed, that a token may read."""
    with open_desk(tmp_path_factory.mktemp("desk")) as desk:
        made = desk.does("--json", "token", "new", "--name", "prometheus", "--scope", "read").json
        (desk.folder / "token").write_text(made["token"])
        (desk.folder / "companies.json").write_text(json.dumps([COMPANY]))
        desk.write_config(**CONFIG, http={"port": 0, "tokens": [made["entry"]]})
        desk.start()
        desk.wait_for("what is owed", lambda: desk.does("--json", "coverage").json["expected"] == 1)
        desk.does("reports", "ensure")
        desk.run("trigger", "bad", "--wait")
        yield desk
        desk.stop()


@pytest.fixture(scope="module")
def scraped(desk: Desk) -> str:
    """What Prometheus is answered."""
    status, media, text = asked(desk, (desk.folder / "token").read_text())
    assert (status, media) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return text


def asked(desk: Desk, token: str | None) -> tuple[int, str, str]:
    """How the daemon answers at its port: status, media type, text."""
    port = desk.client.get("/api/status")["httpPort"]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"], refused.read().decode()


def samples(text: str) -> dict[str, tuple[str, ...]]:
    """The labels of every metric that has a value, by its name."""
    families = text_string_to_metric_families(text)
    return {it.name: tuple(sorted(it.labels)) for family in families for it in family.samples}


def names(text: str) -> set[str]:
    """Every name that an answer knows of, also of what has no value just now."""
    return {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE")}


def unknown(expressions: str, text: str) -> set[str]:
    """The metrics in an expression that the daemon does not have."""
    used = METRIC.findall(expressions)
    return {it for it in used if not {it, OWN_NAME.sub(r"\g<base>", it)} & names(text)}


def promtool(*argv: str, stdin: str = "") -> str:
    """What promtool says; it has to be content."""
    ended = subprocess.run(
        ["promtool", *argv], input=stdin, capture_output=True, text=True, cwd=FOLDER, timeout=60
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_without_a_token_nothing_is_told(desk: Desk) -> None:
    assert asked(desk, None)[0] == asked(desk, "x" * 40)[0] == 401


def test_prometheus_itself_finds_nothing_wrong_with_a_scrape(scraped: str) -> None:
    assert promtool("check", "metrics", stdin=scraped) == ""


@pytest.mark.parametrize("name", CONTRACT)
def test_what_others_rely_on_is_there_by_its_name_and_its_labels(scraped: str, name: str) -> None:
    assert samples(scraped)[name] == CONTRACT[name]


def test_a_delivered_report_and_a_failed_run_are_seen(scraped: str) -> None:
    values = {
        (it.name, *it.labels.values()): it.value
        for family in text_string_to_metric_families(scraped)
        for it in family.samples
    }
    assert values["nightdesk_coverage_ratio",] == 1
    assert values["nightdesk_sends_total", "file", "delivered"] == 1
    assert values["nightdesk_reports_total", "delivered-degraded", "template"] == 1
    assert values["nightdesk_schedule_failure_streak", "bad"] == 1
    assert values["nightdesk_schedule_last_success_timestamp_seconds", "heartbeat"] > 1.7e9


def test_every_metric_says_what_it_is(scraped: str) -> None:
    for family in text_string_to_metric_families(scraped):
        assert family.documentation.endswith("."), family.name


def test_nothing_that_prometheus_needs_is_loaded_before_it_asks() -> None:
    parts = "daemon.service, daemon.web.server, daemon.web.api, handlers.write_reports, handlers.send_digest"
    script = f"import sys, {parts}; assert 'prometheus_client' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=30)


def test_the_rules_are_rules_and_each_does_as_its_test_says() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("alert", ALERTS)
def test_each_rule_is_shown_to_fire_and_shown_not_to(alert: str) -> None:
    shown = re.findall(rf"alertname: {alert}\n +exp_alerts:(.*)", RULE_TESTS)
    assert set(shown) == {"", " []"}


def test_the_rules_ask_for_nothing_that_there_is_not(scraped: str) -> None:
    assert unknown(RULES, scraped) == set()


def test_each_rule_names_commands_that_there_are() -> None:
    assert len(COMMANDS) == len(ALERTS)
    named = [it for command in COMMANDS for it in command.split("; ") if it.startswith("nightdesk ")]
    for command in named:
        words = [it for it in shlex.split(re.sub(r"{{.*?}}", "X", command))[1:] if not it.startswith("-")]
        found: Any = program
        while words and hasattr(found, "get_command"):
            found = found.get_command(None, words.pop(0))
            assert found is not None, command


def test_the_example_of_a_configuration_is_one() -> None:
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "scrape.yml")


def expressions() -> list[str]:
    """Every question that the dashboard asks, for all instances of the job."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    marks = [it["expr"] for it in DASHBOARD["annotations"]["list"]]
    return [it.replace("$job", "nightdesk").replace("$instance", ".*") for it in (*panels, *marks)]


def test_the_dashboard_asks_for_nothing_that_there_is_not(scraped: str) -> None:
    assert unknown("\n".join(expressions()), scraped) == set()


def test_the_dashboard_shows_everything_that_there_is(scraped: str) -> None:
    asked_for = {OWN_NAME.sub(r"\g<base>", it) for it in METRIC.findall("\n".join(expressions()))}
    not_shown = {"process_virtual_memory_bytes"}
    assert names(scraped) - not_shown == asked_for


def test_the_panels_of_the_dashboard_lie_side_by_side() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        own = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not own & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_a_real_prometheus_scrapes_it_and_can_answer_every_question(desk: Desk, tmp_path: Path) -> None:
    port = desk.client.get("/api/status")["httpPort"]
    with prometheus(tmp_path, target=f"127.0.0.1:{port}", token=desk.folder / "token") as api:
        desk.wait_for("a scrape", lambda: api.value('up{job="nightdesk"}') == 1)
        assert api.value("nightdesk_coverage_ratio") == 1
        for expression in expressions():
            assert api.get("query", query=expression)["status"] == "success", expression
        groups = api.get("rules")["data"]["groups"]
        assert [it["name"] for group in groups for it in group["rules"]] == ALERTS


class Api:
    """What a Prometheus can be asked."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, what: str, **query: str) -> Any:
        """Its answer to one question."""
        asked_for = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        with urlopen(f"http://127.0.0.1:{self._port}/api/v1/{what}?{asked_for}", timeout=10) as answer:
            return json.load(answer)

    def value(self, expression: str) -> float | None:
        """The one value of an expression; None while it has none."""
        try:
            found = self.get("query", query=expression)["data"]["result"]
        except URLError:
            return None
        return float(found[0]["value"][1]) if found else None


@contextmanager
def prometheus(folder: Path, *, target: str, token: Path) -> Iterator[Api]:
    """A server that scrapes one target each second, by the configuration that we give as an example."""
    replaced = {
        "127.0.0.1:8780": target,
        "/etc/prometheus/nightdesk.token": str(token),
        "scrape_interval: 15s": "scrape_interval: 1s",
        "- alerts.yml": f"- {FOLDER / 'alerts.yml'}",
    }
    config = SCRAPE
    for before, after in replaced.items():
        assert before in config
        config = config.replace(before, after)
    (folder / "prometheus.yml").write_text(config)
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as said:
        server = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        await_answer(server, port)
        yield Api(port)
    finally:
        server.terminate()
        server.wait(timeout=20)


def await_answer(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Return once it listens."""
    give_up_s = time.monotonic() + 20
    while True:
        assert server.poll() is None, "prometheus ended at once"
        assert time.monotonic() < give_up_s, "prometheus did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)


def free_port() -> int:
    """A port that nobody has just now."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
