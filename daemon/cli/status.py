"""`nightdesk status`: how it is."""

from collections.abc import Mapping
from typing import Any

from daemon.cli import files
from daemon.cli.call import Call
from daemon.cli.command import Command, pass_call
from daemon.cli.schedules import table_of
from daemon.cli.times import shower


@pass_call
def show(call: Call) -> None:
    """How it is: whether it runs, when it last gave a sign of life, what waits, what is wrong.

    Where no daemon runs, the answer comes from the state file.
    """
    found = files.ask_or_read(call, lambda: call.client.get("/api/status"), files.status_of)
    if call.is_json:
        call.answer(found)
        return
    call.say(_summary(call, found))
    rows = [{"name": name, **schedule} for name, schedule in found["schedules"].items()]
    if rows:
        call.say("\n" + table_of(call, rows))


def _summary(call: Call, found: Mapping[str, Any]) -> str:
    times = shower(call)
    runs = f"running, process {found['pid']}" if found["pid"] else "not running"
    if found["pid"] and not found["ready"]:
        runs = f"not ready, process {found['pid']}"
    alerts = found["openAlerts"]
    served = [("http", f"port {found['httpPort']}")] if found["httpPort"] else []
    facts = (
        ("nightdesk", f"{found['version']}, {runs}"),
        ("home", str(call.home.folder)),
        *served,
        ("heartbeat", times.ago(found["lastHeartbeatAt"])),
        ("queue", f"{found['queueDepth']} unfinished"),
        ("alerts", f"{alerts} open" + (": nightdesk alerts list" if alerts else "")),
    )
    return "\n".join(f"{name:<10} {text}" for name, text in facts)


status = Command("status", callback=show, help=show.__doc__)
