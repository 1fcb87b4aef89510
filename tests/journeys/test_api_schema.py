"""openapi.json is true: another program makes requests of it, good and bad, and finds nothing amiss."""

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.desk import NEVER, Desk, open_desk

TOKEN = "operate-with-this-long-token"
PLENTY = 1_000_000
WITHIN_S = 60
# What fits the schema may still name something that is not there, or a date that is past.
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 304, 400, 404, 409, 422]
"""
COMPANIES = [
    {"id": "acme", "name": "Acme", "timezone": "UTC", "channel": "file"},
    {"id": "blue", "name": "Blue", "timezone": "UTC", "channel": "file"},
]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A daemon that makes reports, and counts no calls."""
    with open_desk(tmp_path) as desk:
        (desk.folder / "companies.json").write_text(json.dumps(COMPANIES))
        (desk.folder / "schemathesis.toml").write_text(SETTINGS)
        desk.environ["TOKEN"] = TOKEN
        paces = dict.fromkeys(["failuresPerMinute", "operatingPerMinute", "emergencyPerMinute"], 100_000)
        desk.write_config(
            http={"port": 0, "token": "env:TOKEN", **paces},
            reports={"companies": "companies.json"},
            schedules={"hello": {"command": ["true"], "cron": NEVER}},
        )
        desk.start()
        yield desk


def test_what_is_made_of_the_description_is_answered_as_it_says(desk: Desk) -> None:
    port = desk.wait_for("a port", lambda: desk.client.get("/api/status")["httpPort"])
    desk.client.post("/api/items", [{"id": "a", "title": "A", "score": 1}])
    desk.client.post("/api/tasks", {"handler": "nightly-batch"}, {"wait": 20}, wait_s=20)
    desk.client.post("/api/tasks", {"handler": "daily-reports"}, {"wait": 20}, wait_s=20)
    program = Path(sysconfig.get_path("scripts"), "schemathesis")
    done = subprocess.run(
        [
            *(program, "--no-color", "run", f"http://127.0.0.1:{port}/openapi.json"),
            *("--header", f"Authorization: Bearer {TOKEN}", "--checks", "all", "--seed", "20261122"),
            # The stream has no end, and is listened to elsewhere.
            *("--exclude-path", "/api/events", "--continue-on-failure", "--request-timeout", "10"),
            *("--phases", "coverage,fuzzing", "--max-examples", "4", "--suppress-health-check", "all"),
        ],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "request.failed" not in desk.home.log_file.read_text()
