"""The shipped unit under a real systemd: the whole life of the service, in a machine of its own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.systemd.machine import PROJECT, Machine, comes_true, missing_tools

# The unit is tested as it is shipped; only its patience is shortened, and it says how it ended:
# systemd forgets that of a unit at rest.
IMPATIENT = """
[Service]
WatchdogSec=4
RestartSec=1
ExecStopPost=/bin/sh -c 'echo ended: $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
"""
HELLO = {"say-hello": {"command": ["echo", "hello"], "cron": "@every 2s"}}
CONFIG: dict[str, Any] = {"timezone": "UTC", "schedules": HELLO}
ADDED = {"schedules": {**HELLO, "added-by-reload": {"command": ["true"], "cron": "0 3 * * *"}}}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if (missing := missing_tools()) is not None:
        pytest.fail(missing)
    files = {
        "etc/systemd/system/nightdesk.service": (PROJECT / "systemd/nightdesk.service").read_text(),
        "etc/systemd/system/nightdesk.service.d/impatient.conf": IMPATIENT,
        "etc/nightdesk/orchestrator_config.json": json.dumps(CONFIG),
    }
    with Machine(tmp_path, files) as machine:
        yield machine


def test_the_service_lives_as_its_unit_says(machine: Machine) -> None:
    it_gets_ready(machine)
    it_runs_as_nobody_in_particular(machine)
    it_works_with_all_that_is_closed_to_it(machine)
    it_answers_the_operator(machine)
    it_takes_a_new_config(machine)
    it_keeps_its_config_when_the_new_one_is_wrong(machine)
    it_is_restarted_when_it_hangs(machine)
    it_is_restarted_when_it_is_killed(machine)
    it_stops_in_order(machine)
    it_stays_down_when_its_config_is_wrong(machine)


def it_gets_ready(machine: Machine) -> None:
    # Type=notify: this returns once READY=1 has come, and fails where it does not come in time.
    started = machine.run("systemctl start nightdesk")
    assert started.returncode == 0, story(machine)
    shown = machine.shows("nightdesk", "ActiveState", "SubState", "NRestarts", "StatusText")
    assert (shown["ActiveState"], shown["SubState"]) == ("active", "running")
    assert shown["NRestarts"] == "0"
    eventually(lambda: machine.shows("nightdesk", "StatusText")["StatusText"] != "", machine)


def it_runs_as_nobody_in_particular(machine: Machine) -> None:
    pid = main_pid(machine)
    status = machine.run(f"cat /proc/{pid}/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["Uid"].split()[0]) >= 61184, "systemd takes dynamic users from 61184-65519"
    assert fields["CapEff"] == "0" * 16
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    mode = machine.run("stat -L -c %a /var/lib/nightdesk").stdout
    assert mode == "700\n"


def it_works_with_all_that_is_closed_to_it(machine: Machine) -> None:
    eventually(lambda: state(machine)["lastHeartbeatAt"] is not None, machine)
    eventually(lambda: "completed" in [run["state"] for run in state(machine)["taskHistory"]], machine)
    assert [run["error"] for run in state(machine)["taskHistory"] if run["error"]] == []


def it_answers_the_operator(machine: Machine) -> None:
    asked = machine.run("/opt/nightdesk/bin/nightdesk --home /var/lib/nightdesk --json status")
    assert asked.returncode == 0, asked.stdout
    answer = json.loads(asked.stdout)
    assert (answer["pid"], answer["ready"]) == (main_pid(machine), True)


def it_takes_a_new_config(machine: Machine) -> None:
    pid = main_pid(machine)
    write_config(machine, CONFIG | ADDED)
    assert machine.run("systemctl reload nightdesk").returncode == 0, story(machine)
    eventually(lambda: "added-by-reload" in state(machine)["schedules"], machine)
    eventually(lambda: machine.shows("nightdesk", "ActiveState")["ActiveState"] == "active", machine)
    assert main_pid(machine) == pid


def it_keeps_its_config_when_the_new_one_is_wrong(machine: Machine) -> None:
    pid = main_pid(machine)
    write_config(machine, {"timezoen": "UTC"})
    assert machine.run("systemctl reload nightdesk").returncode == 0, story(machine)
    eventually(lambda: "timezoen" in log_text(machine), machine)
    assert machine.shows("nightdesk", "ActiveState")["ActiveState"] in ("active", "reloading")
    assert main_pid(machine) == pid
    assert "added-by-reload" in state(machine)["schedules"]
    write_config(machine, CONFIG)


def it_is_restarted_when_it_hangs(machine: Machine) -> None:
    hung = main_pid(machine)
    machine.run(f"kill -STOP {hung}")
    eventually(lambda: main_pid(machine) not in (hung, 0), machine, within_s=30)
    eventually(lambda: machine.shows("nightdesk", "ActiveState")["ActiveState"] == "active", machine)
    assert machine.shows("nightdesk", "NRestarts")["NRestarts"] == "1"


def it_is_restarted_when_it_is_killed(machine: Machine) -> None:
    killed = main_pid(machine)
    machine.run(f"kill -KILL {killed}")
    eventually(lambda: main_pid(machine) not in (killed, 0), machine)
    eventually(lambda: machine.shows("nightdesk", "ActiveState")["ActiveState"] == "active", machine)


def it_stops_in_order(machine: Machine) -> None:
    assert machine.run("systemctl stop nightdesk").returncode == 0
    assert machine.shows("nightdesk", "ActiveState") == {"ActiveState": "inactive"}
    assert endings(machine) == ["watchdog killed ABRT", "signal killed KILL", "success exited 0"]
    assert state(machine)["schema"]


def it_stays_down_when_its_config_is_wrong(machine: Machine) -> None:
    write_config(machine, {"timezoen": "UTC"})
    assert machine.run("systemctl start nightdesk").returncode != 0
    assert machine.shows("nightdesk", "ActiveState") == {"ActiveState": "failed"}
    assert endings(machine)[-1] == "exit-code exited 78"
    assert "timezoen" in story(machine)


def endings(machine: Machine) -> list[str]:
    """How each run of the service ended: result, kind, status."""
    journal = machine.run("journalctl --sync; journalctl -u nightdesk -o cat").stdout
    return [line.removeprefix("ended: ") for line in journal.splitlines() if line.startswith("ended: ")]


def main_pid(machine: Machine) -> int:
    return int(machine.shows("nightdesk", "MainPID")["MainPID"])


def state(machine: Machine) -> dict[str, Any]:
    text = (machine.root / "var/lib/private/nightdesk/orchestrator_state.json").read_text()
    read: dict[str, Any] = json.loads(text)
    return read


def log_text(machine: Machine) -> str:
    return (machine.root / "var/log/private/nightdesk/orchestrator.log").read_text()


def write_config(machine: Machine, config: dict[str, Any]) -> None:
    path = machine.root / "etc/nightdesk/orchestrator_config.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(config))
    fresh.rename(path)


def story(machine: Machine) -> str:
    """Everything that tells why the service is where it is."""
    return machine.run("systemctl status nightdesk --no-pager -l; journalctl -u nightdesk -n 50").stdout


def eventually(holds: Callable[[], bool], machine: Machine, within_s: float = 20) -> None:
    assert comes_true(holds, within_s), story(machine)
