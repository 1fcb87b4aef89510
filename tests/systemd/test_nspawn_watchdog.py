"""The units of the second process under a real systemd: what the daemon cannot tell itself is told."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.systemd.machine import PROJECT, PYTHON, Machine, comes_true, missing_tools

UNITS = ("nightdesk.service", "nightdesk-watchdog.service", "nightdesk-failed@.service")
# Takes whatever is posted, and keeps it.
RECEIVER = """
import http.server

class Keep(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("/received", "ab") as kept:
            kept.write(body + b"\\n")
        self.send_response(204)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", 9000), Keep).serve_forever()
"""
RECEIVER_UNIT = f"""
[Unit]
Description=receives what is told
[Service]
ExecStart={PYTHON} /receiver
"""
CONFIG: dict[str, Any] = {
    "timezone": "UTC",
    "channels": {"ops": {"type": "webhook", "url": "env:ALERTS_TO"}},
    "watchdog": {"hungAfter": "3s"},
    "network": {"allowPrivate": True},
}
PATIENCE_S = 20.0


@pytest.fixture
def machine(tmp_path: Any) -> Iterator[Machine]:
    if (missing := missing_tools()) is not None:
        pytest.fail(missing)
    files = {f"etc/systemd/system/{name}": (PROJECT / "systemd" / name).read_text() for name in UNITS}
    files |= {
        "etc/systemd/system/nightdesk.service.d/impatient.conf": "[Service]\nRestartSec=1\n",
        "etc/systemd/system/receiver.service": RECEIVER_UNIT,
        "receiver": RECEIVER,
        "etc/nightdesk/orchestrator_config.json": json.dumps(CONFIG),
        "etc/nightdesk/environment": "ALERTS_TO=http://127.0.0.1:9000/hook\n",
    }
    with Machine(tmp_path, files) as machine:
        yield machine


def test_what_the_daemon_cannot_tell_itself_is_told(machine: Machine) -> None:
    both_run_as_the_same_nobody(machine)
    a_daemon_that_hangs_is_told_and_so_is_its_recovery(machine)
    a_daemon_that_stays_down_is_told_without_it(machine)
    a_watchdog_that_stays_down_is_told_as_well(machine)


def both_run_as_the_same_nobody(machine: Machine) -> None:
    # The watchdog first, as on a machine where it was installed first: it makes the folder.
    started = machine.run("systemctl start receiver nightdesk-watchdog nightdesk")
    assert started.returncode == 0, story(machine)
    users = {user_of(machine, name) for name in ("nightdesk", "nightdesk-watchdog")}
    assert len(users) == 1, users
    assert int(users.pop()) >= 61184, "systemd takes dynamic users from 61184-65519"
    assert machine.run("stat -L -c %a /var/lib/nightdesk").stdout == "700\n"
    # The lock is what tells a daemon that hangs from one that is gone: it is seen across the units.
    eventually(lambda: "running" in machine.run("cat /var/lib/nightdesk/beat").stdout, machine)


def a_daemon_that_hangs_is_told_and_so_is_its_recovery(machine: Machine) -> None:
    pid = main_pid(machine, "nightdesk")
    machine.run(f"kill -STOP {pid}")
    eventually(lambda: "the daemon hangs" in titles(machine), machine)
    machine.run(f"kill -CONT {pid}")
    eventually(lambda: "the daemon is back" in titles(machine), machine)
    assert titles(machine).count("the daemon hangs") == 1
    assert main_pid(machine, "nightdesk") == pid
    assert machine.run("stat -c %a /var/lib/private/nightdesk/watchdog.json").stdout == "600\n"


def a_daemon_that_stays_down_is_told_without_it(machine: Machine) -> None:
    write_config(machine, {**CONFIG, "timezoen": "UTC"})
    machine.run(f"kill -KILL {main_pid(machine, 'nightdesk')}")
    eventually(lambda: "nightdesk.service" in titles(machine), machine)
    [told] = [it["data"] for it in received(machine) if "nightdesk.service" in it["data"]["title"]]
    assert told["severity"] == "critical"
    facts = {fact["name"]: fact["value"] for fact in told["facts"]}
    assert facts["Exit status"] == "78"
    assert "nightdesk config check" in facts["That means"]
    # And the watchdog sees it by itself, from a config that the daemon refuses.
    eventually(lambda: "the daemon is gone" in titles(machine), machine)
    assert machine.shows("nightdesk-watchdog", "ActiveState", "NRestarts") == {
        "ActiveState": "active",
        "NRestarts": "0",
    }


def a_watchdog_that_stays_down_is_told_as_well(machine: Machine) -> None:
    (machine.root / "etc/nightdesk/orchestrator_config.json").write_text("{")
    environment = machine.root / "etc/nightdesk/environment"
    environment.write_text("ALERT_WEBHOOK_URL=https://127.0.0.1:1/\n")
    assert machine.run("systemctl restart nightdesk-watchdog").returncode != 0
    assert machine.shows("nightdesk-watchdog", "ActiveState") == {"ActiveState": "failed"}
    # The config cannot be read at all, so what the environment brings is tried.
    eventually(lambda: "watchdog.not-told" in journal(machine, "nightdesk-failed@*"), machine)
    machine.run("systemctl stop 'nightdesk-failed@*'")


def received(machine: Machine) -> list[dict[str, Any]]:
    path = machine.root / "received"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def titles(machine: Machine) -> str:
    return "\n".join(it["data"]["title"] for it in received(machine))


def main_pid(machine: Machine, unit: str) -> int:
    return int(machine.shows(unit, "MainPID")["MainPID"])


def user_of(machine: Machine, unit: str) -> str:
    status = machine.run(f"cat /proc/{main_pid(machine, unit)}/status").stdout
    [line] = [line for line in status.splitlines() if line.startswith("Uid:")]
    return line.split()[1]


def write_config(machine: Machine, config: dict[str, Any]) -> None:
    path = machine.root / "etc/nightdesk/orchestrator_config.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(config))
    fresh.rename(path)


def journal(machine: Machine, unit: str) -> str:
    return machine.run(f"journalctl --sync; journalctl -u '{unit}' -o cat").stdout


def story(machine: Machine) -> str:
    """Everything that tells why the services are where they are."""
    return machine.run(
        "systemctl status 'nightdesk*' receiver --no-pager -l; journalctl -n 80; cat /received"
    ).stdout


def eventually(holds: Callable[[], bool], machine: Machine) -> None:
    assert comes_true(holds, PATIENCE_S), story(machine)
