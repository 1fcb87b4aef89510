"""docs/MONITORING.md, held to its word: commands typed as printed, tables compared with what there is."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.command import program
from daemon.meters import Spread
from daemon.operations.metrics import MetricOperations
from daemon.operations.readiness import Readiness
from state.records import DeliveryState, TaskState
from tests.house import House
from tests.journeys.desk import Desk, open_desk
from tests.mini_jq import Reader
from tests.shell_tour import ROOT, blocks, run_script, sections
from tests.test_emergency_doc import COMPANIES, coverage, prepare

DOCUMENT = "docs/MONITORING.md"
TEXT = (ROOT / DOCUMENT).read_text("utf-8")
SECTIONS = sections(DOCUMENT)
TOKEN = "a-token-that-is-long-enough-to-be-one"
PORT_IN_TEXT = "8780"
EVENT = re.compile(r'"([a-z]+\.[a-z-]+)"')

# What the commands of a section must have said.
SAYS: dict[str, tuple[str, ...]] = {
    "What to watch": (
        r"-m daemon .*run",
        r"running, process \d+",
        r"100 %",
        r"digest-\S+\.json",
        r'^"20\d\d-.*Z"$',
        r"nothing critical",
        r"scheduler +ok",
    ),
    "The log": (r'"event":"schedule\.loaded".*"cron"', r"task\.completed|Z\tnightly-batch\t", r"batch\.done"),
    "The files": (
        r'"generation": ?\d+',
        r"Z\tsend-digest\tcompleted\t",
        r'"nightly-batch": ?0',
        r'"name":"x\.broke"|"event":"fired"',
        r"ledger-.*\.db",
        r"nightdesk\.db +ok",
    ),
    "Digests": (
        r'"markedForDraft": ?8',
        r"^8$",
        r"^0\.\d+\t",
        r"send-digest .*completed",
        r"delivery\.delivered\tlog",
    ),
    "Reports": (r"100 %", r"^16$", r"16 delivered reports, all as they should be", r"UA \S+ is delivered"),
    "The HTTP API": (
        r'"scope": ?"read"',
        r'\{"status":"ok"\}',
        r'\{"status":"ready"\}',
        r'^\{"status":"(?:ok|degraded)"\}',
        r'"queueDepth"',
        r'"percent":100',
        r'"latencyMs"',
        r'"handler": ?"',
    ),
    "The dashboard": (r"^200 text/html",),
    "Prometheus": (r"^\d{2,}$", r"rules found", r"SUCCESS", r"valid prometheus config"),
    "What it uses": (r"^ *\d+ +\d+ +\d", r"^\d+$", r"var/nightdesk\.db"),
    "Common issues and recovery": (r"no mistakes", r"nightdesk\.db +ok", r"nightly-batch", r"100 %"),
    "Shipping logs": (),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A daemon that has had its night: leads judged, the digest sent, sixteen reports delivered, an alert."""
    folder = tmp_path_factory.mktemp("desk")
    with open_desk(folder) as desk:
        config = {key: value for key, value in prepare(folder, 9).items() if key != "channels"}
        roster = json.loads((folder / "companies.json").read_text())
        (folder / "companies.json").write_text(json.dumps([{**row, "channel": "file"} for row in roster]))
        shutil.copytree(ROOT / "docs" / "prometheus", folder / "docs" / "prometheus")
        desk.environ["NIGHTDESK_TOKEN"] = TOKEN
        desk.write_config(**config, http={"port": 0, "token": "env:NIGHTDESK_TOKEN"})
        desk.start()
        desk.wait_for("what is owed today", lambda: coverage(desk)["expected"] == COMPANIES)
        desk.does("reports", "ensure")
        desk.does("items", "add", "examples/leads.jsonl")
        for name in ("nightly-batch", "send-digest"):
            desk.does("trigger", name, "--wait")
        desk.run("alerts", "test")
        desk.wait_for("the reports", lambda: coverage(desk)["delivered"] == COMPANIES)
        yield desk


@pytest.mark.parametrize("heading", SAYS)
def test_its_commands_do_as_printed(desk: Desk, heading: str) -> None:
    said = ""
    for script in blocks(SECTIONS[heading], "sh"):
        ran = run_script(as_typed(script, desk), desk.folder, {"NIGHTDESK_TOKEN": TOKEN})
        assert ran.code == 0, desk.told(f"{script}\n{ran.told}")
        assert "Traceback" not in ran.out + ran.err, ran.told
        said += f"{ran.out}\n{ran.err}\n"
    for wanted in SAYS[heading]:
        assert re.search(wanted, said, re.MULTILINE), f"{wanted!r} is not in:\n{said}"


def as_typed(script: str, desk: Desk) -> str:
    """The script at the daemon's own port; what would follow a file for ever is stopped after a moment."""
    port = desk.client.get("/api/status")["httpPort"]
    stopped = re.sub(r"^(tail -F \S+).*$", r"timeout 1 \1 || test $? = 124", script, flags=re.MULTILINE)
    return stopped.replace(f":{PORT_IN_TEXT}/", f":{port}/")


def test_every_section_with_commands_is_run() -> None:
    assert {name for name, text in SECTIONS.items() if blocks(text, "sh")} == set(SAYS)


def test_every_section_is_named_at_the_top_and_every_link_leads_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in SECTIONS}
    assert set(re.findall(r"\(#([\w-]+)\)", TEXT)) == anchors
    for document, anchor in re.findall(r"\((\w+\.md)#([\w-]+)\)", TEXT):
        headings = sections(f"docs/{document}")
        assert anchor in {re.sub(r"[^\w -]", "", it).lower().replace(" ", "-") for it in headings}, anchor


def test_the_jq_of_the_document_is_known_where_jq_is_not_installed() -> None:
    filters = re.findall(r"jq (?:-\w+ )?(?:'([^']+)'|(\.\S+))", "\n".join(blocks(TEXT, "sh")))
    assert len(filters) > 10
    for quoted, bare in filters:
        Reader(quoted or bare).whole()


def test_every_event_in_the_table_is_one_that_is_logged() -> None:
    named = {
        event
        for row in re.findall(r"^\| (`[^|]+) \|", SECTIONS["The log"], re.MULTILINE)
        for event in re.findall(r"`([\w.-]+)`", row)
    }
    assert len(named) > 20
    assert named - logged() == set()


def logged() -> set[str]:
    """Every event that the sources write, as they stand there or are put together."""
    sources = [path for folder in ("daemon", "handlers", "state") for path in (ROOT / folder).rglob("*.py")]
    texts = {event for path in sources for event in EVENT.findall(path.read_text("utf-8"))}
    made = {f"task.{it.value}" for it in TaskState} | {f"delivery.{it.value}" for it in DeliveryState}
    return texts | made | {f"alert.{it}" for it in ("fired", "worsened", "repeated", "resolved")}


async def test_the_table_of_metrics_is_what_there_is(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.start()
    readings = await MetricOperations(house.app, Readiness(house.app)).readings()
    await house.close()
    there = {
        it.name: ((), "histogram") if isinstance(it, Spread) else (it.labels, it.kind.value)
        for it in readings
    }
    shown = {}
    for names, labels, kind in re.findall(r"^\| (`[^|]+) \|([^|]*)\| (\w+) \|", TEXT, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            shown[f"nightdesk_{name}"] = (tuple(re.findall(r"`(\w+)`", labels)), kind)
    assert shown == there


def test_the_shippers_are_told_where_the_log_is_and_what_a_line_holds() -> None:
    for heading, language in (("ELK", "yaml"), ("Datadog", "yaml"), ("CloudWatch", "json")):
        [config] = blocks(SECTIONS[heading], language)
        for name in ("orchestrator.log", "alerts.jsonl"):
            assert f"/var/log/nightdesk/{name}" in config
    [config] = blocks(SECTIONS["CloudWatch"], "json")
    for entry in json.loads(config)["logs"]["logs_collected"]["files"]["collect_list"]:
        line = "2026-11-21T23:00:00.125000Z"
        assert datetime.strptime(line[:19], entry["timestamp_format"]).replace(tzinfo=UTC).hour == 23


def test_every_command_in_the_tables_is_one() -> None:
    named = re.findall(r"`(nightdesk [^`]+)`", TEXT)
    assert len(named) > 25
    for command in named:
        words = [it for it in shlex.split(command)[1:] if not it.startswith("-")]
        found: Any = program
        while words and hasattr(found, "get_command"):
            found = found.get_command(None, words.pop(0))
            assert found is not None, command
