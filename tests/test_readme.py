"""The README's tour, typed as printed into a shell, in a folder of its own."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell_tour import blocks, clone_into, end_daemon, run_script, sections


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What a fresh clone has beside the code, and a `nightdesk` on PATH."""
    clone_into(tmp_path)
    yield tmp_path
    end_daemon(tmp_path)


def test_the_tour_works_as_printed(folder: Path) -> None:
    [script, *_] = blocks(sections("README.md")["The tour, in two minutes"], "sh")
    assert "kill -9" in script
    ran = run_script(script, folder)
    said = ran.out
    assert ran.code == 0, ran.told
    assert "60 leads added" in said
    assert "nightly-batch: completed" in said
    assert "send-digest: completed" in said
    assert re.search(r'^"20\d\d-.*Z"$', said, re.MULTILINE), "lastDigestNotificationAt is set after the send"
    assert '"handler": "send-digest"' in said or '"handler":"send-digest"' in said
    assert '"event":"schedule.loaded"' in said, "grep cron finds the schedules"
    assert "nothing critical" in said
    assert re.search(r"^digest-20\d\d-\d\d-\d\d\.json$", said, re.MULTILINE)
    assert "daemon.unclean-stop" in said
    assert "Traceback" not in said + ran.err


def test_the_daily_reports_work_as_printed(folder: Path) -> None:
    [script] = blocks(sections("README.md")["Daily reports"], "sh")
    ran = run_script(script, folder)
    assert ran.code == 0, ran.told
    for wanted in (
        r"^orchestrator_config\.json: no mistakes$",
        r"^would be: 16 companies: 16 new",
        r"^write-reports: completed: delivered 16,",
        r"^2013-01-15 +16 +16 .* 100 %$",
        r"^AA 2013-01-15 is delivered: ",
        r"^Flights +92 +92 ",
        r"report\.produced +by template",
        r"^2013-01-15: 16 delivered reports, all as they should be$",
        r"^2013-01-15: the certificate holds, 16 rows, ",
        r"^scheduler +down .* no daemon is running$",
    ):
        assert re.search(wanted, ran.out, re.MULTILINE), f"{wanted!r} is not in:\n{ran.told}"
    assert "Traceback" not in ran.out + ran.err


def test_the_port_answers_as_printed(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    config = folder / "orchestrator_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "http": {"port": port}}))
    [script] = blocks(sections("README.md")["The dashboard, the API and the metrics"], "sh")
    ran = run_script(script.replace("8780", str(port)), folder)
    assert ran.code == 0, ran.told
    assert '{"status":"ready"}' in ran.out
    assert '"/api/events"' in ran.out
    assert 'nightdesk_schedule_last_run_timestamp_seconds{schedule="nightly-batch"}' in ran.out
