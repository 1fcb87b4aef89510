"""docs/EMERGENCY.md, held to its word: commands typed as printed, in the trouble that they are for."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.journeys.desk import Desk, open_desk, zone_at_noon
from tests.shell_tour import ROOT, blocks, clone_into, run_script, sections
from tests.valkey import running

DOCUMENT = "docs/EMERGENCY.md"
SECTIONS = sections(DOCUMENT)
FLIGHTS = ROOT / "examples" / "flights"
DATE_IN_TEXT = "2013-01-15"
COMPANIES = 16
ENSURE = ("reports", "ensure")
MODEL = "/v1/chat/completions"
PROSE = "There is nothing out of the ordinary to tell of this day; the figures are below."
ANSWER = json.dumps(
    {
        "model": "m",
        "choices": [{"message": {"role": "assistant", "content": PROSE}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1},
    }
).encode()
# The receivers are down for these, and what was sent to one may have arrived.
CHANNELS = {"UA": "partner", "US": "partner", "WN": "lost"}


class Receiver(BaseHTTPRequestHandler):
    """Takes reports once it is mended; before, refuses them, or takes them and goes away. Is a model too."""

    is_mended = False

    def do_POST(self) -> None:
        """Answer as the path and the state have it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.is_mended and self.path == "/lost":
            self.close_connection = True
            return
        answer = ANSWER if self.path == MODEL else b""
        self.send_response(200 if self.is_mended or answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Scene:
    """What a section finds, and what it must have said."""

    says: tuple[str, ...]
    delivered: int = COMPANIES
    is_mended: bool = True
    is_running: bool = True
    is_ensured: bool = False
    has_links: bool = False  # a Redis, and a model


SCENES = {
    "No reports today": Scene(
        says=(r"running, process \d+", r"daily-reports +0 11", r"0 changed, 0 left", r"A dry run; nothing"),
    ),
    "Many failures": Scene(
        is_mended=False,
        is_ensured=True,
        says=(r"UA .* failed .*404", r"decided by send\.failed", r"UA +undelivered +\S", r"delivered +200"),
        delivered=15,
    ),
    "Nobody knows whether it arrived": Scene(
        is_mended=False,
        is_ensured=True,
        says=(r"WN .* unknown", r"decided by send\.unknown", r"WN \S+: delivered"),
        delivered=14,
    ),
    "A component is down": Scene(
        is_ensured=True,
        has_links=True,
        says=(
            r"database +write and read +yes",
            r"redis +write.* +yes",
            r"modest +modest +yes",
            r"files +source\.facts +yes",
            r"partner +delivered",
            r"ledger\.db +ok",
        ),
    ),
    "The daemon is down": Scene(is_running=False, says=(r"no mistakes", r"delivered 16", r"100 %")),
    "Triggers": Scene(says=(r"reports of \S+ for UA: they asked for it", r"daily-reports: completed")),
    "Later, and cancelled": Scene(is_ensured=True, says=(r": waiting\. ", r": cancelled\. ")),
    "Again, by force": Scene(
        is_ensured=True, says=(r"1 delivered already", r"1 of these again", r"obligation\.forced +emergency")
    ),
    "What a certificate proves": Scene(
        is_ensured=True, says=(r"16 of 16 delivered \(100 %\)", r"the certificate holds, 16 rows")
    ),
    "Every week": Scene(is_ensured=True, says=(r"100 %", r"Health: ", r"No silences", r"steppedInFor 0")),
    "Every month": Scene(
        is_mended=False,
        is_ensured=True,
        says=(r"2013-01-15 +16 +16 ", r"the certificate holds", r'"deadline"', r"report\.failed"),
        delivered=13,
    ),
}


def test_every_section_with_commands_is_run() -> None:
    assert {name for name, text in SECTIONS.items() if blocks(text, "sh")} == set(SCENES)


def test_every_section_is_named_at_the_top_and_every_link_leads_somewhere() -> None:
    text = (ROOT / DOCUMENT).read_text("utf-8")
    anchors = {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in SECTIONS}
    assert set(re.findall(r"\(#([\w-]+)\)", text)) == anchors


@pytest.mark.parametrize("heading", SCENES)
def test_its_commands_do_as_printed(heading: str, tmp_path: Path) -> None:
    scene = SCENES[heading]
    with ExitStack() as stack:
        receiver, port = stack.enter_context(receiving(is_mended=scene.is_mended))
        desk = stack.enter_context(open_desk(tmp_path))
        config = prepare(tmp_path, port)
        if scene.has_links:
            config["redis"] = {"url": stack.enter_context(running(tmp_path / "redis")).url()}
            model = {
                "name": "modest",
                "type": "openai",
                "model": "m",
                "baseUrl": f"http://127.0.0.1:{port}/v1",
            }
            config["llm"] = {"providers": [model]}
        desk.write_config(**config)
        find_it_so(desk, scene)
        said = ""
        for script in blocks(SECTIONS[heading], "sh"):
            ran = run_script(dated(script), tmp_path)
            assert ran.code == 0, desk.told(f"{script}\n{ran.told}")
            assert "Traceback" not in ran.out + ran.err, ran.told
            said += f"{ran.out}\n{ran.err}\n"
            receiver.is_mended = True
        for wanted in scene.says:
            assert re.search(wanted, said), f"{wanted!r} is not in:\n{said}"
        desk.wait_for("the reports", lambda: coverage(desk)["delivered"] >= scene.delivered)


def prepare(folder: Path, port: int) -> dict[str, Any]:
    """Lay out a clone with the flights in it and today's reports due; its configuration."""
    clone_into(folder)
    for path in FLIGHTS.iterdir():
        shutil.copy(path, folder)
    roster = json.loads((FLIGHTS / "companies.json").read_text())
    for row in roster:
        row |= {"timezone": zone_at_noon(), "channel": CHANNELS.get(row["id"], "file")}
    (folder / "companies.json").write_text(json.dumps(roster))
    config: dict[str, Any] = json.loads((FLIGHTS / "orchestrator_config.json").read_text())
    config["reports"]["deadline"] = "23:00"
    hooks = {name: f"http://127.0.0.1:{port}/{name}" for name in ("partner", "lost")}
    return {
        **config,
        "timezone": zone_at_noon(),
        "dailyReportSchedule": "0 11 * * *",
        "network": {"allowPrivate": True},
        "channels": {name: {"type": "webhook", "url": url} for name, url in hooks.items()},
    }


def find_it_so(desk: Desk, scene: Scene) -> None:
    """Bring about what the section is for."""
    desk.start()
    desk.wait_for("what is owed today", lambda: coverage(desk)["expected"] == COMPANIES)
    if scene.is_ensured:
        desk.run(*ENSURE)
    if not scene.is_running:
        desk.stop()


def coverage(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.does("--json", "coverage").json
    return found


def dated(script: str) -> str:
    """The script about today; what is practised on a home of its own stays with the flights' date."""
    if "practice/" in script:
        return script
    return script.replace(DATE_IN_TEXT, f"{datetime.now(UTC).astimezone(ZoneInfo(zone_at_noon())).date()}")


@contextmanager
def receiving(*, is_mended: bool) -> Iterator[tuple[type[Receiver], int]]:
    """A receiver on loopback, and its port."""
    kind = type("OwnReceiver", (Receiver,), {"is_mended": is_mended})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield kind, server.server_port
        finally:
            server.shutdown()
            thread.join()
