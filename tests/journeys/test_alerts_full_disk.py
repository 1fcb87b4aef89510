"""A failure on a disk without a free byte: it is told all the same, and written down once there is room."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.cli.client import Client, DaemonDown, DaemonSilent, Refused
from state import snapshot
from state.home import Home
from tests.journeys.desk import NEVER, Desk, open_desk
from tests.journeys.line_stand_in import switchboard
from tests.journeys.three_stand_in import SECRET
from tests.journeys.web_stand_in import Web, webhook

SIZE = "8m"
WORKS_S = 4
TOLD_S = 20.0
SECOND_S = 80.0  # the second message to somebody comes a minute after the first
MOUNTED = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'


def test_what_fails_on_a_full_disk_is_told_and_kept_once_there_is_room(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with switchboard() as board, on_a_small_disk(tmp_path) as desk:
        hook = webhook(board, SECRET)
        write_config(desk, hook)
        desk.launch()
        home = seen_home(desk)
        client = Client(home)
        desk.wait_for("a daemon that is ready", lambda: is_ready(desk, client))
        task = client.post("/api/schedules/payroll/trigger", {})
        desk.wait_for("the job in the state file", lambda: is_at_work(home, task["id"]))
        ballast = home.folder / "ballast"
        fill(ballast)
        full_at_s = time.monotonic()
        # The state file that cannot be written is an alert as well, if there was something to write.
        desk.wait_for("a first message", lambda: hook.line.copies, patience_s=TOLD_S)
        first_s = time.monotonic() - full_at_s
        desk.wait_for("the failure", lambda: about(hook, "payroll failed for good"), patience_s=SECOND_S)
        second_s = time.monotonic() - full_at_s
        record_property("full disk", f"told {first_s:.1f} s and {second_s:.1f} s after it was full")
        assert takes_nothing(client), "there was room after all"
        sent = about(hook, "payroll failed for good")
        assert len(sent) == 1

        ballast.unlink()
        desk.wait_for("its end", lambda: client.get(f"/api/tasks/{task['id']}")["state"] == "discarded")
        desk.wait_for("its record", lambda: is_proved(home))
        assert about(hook, "payroll failed for good") == sent
        desk.stop()


@contextmanager
def on_a_small_disk(folder: Path) -> Iterator[Desk]:
    """A desk whose daemon sees a disk of its own where its home is, in a mount namespace of its own."""
    with open_desk(folder) as desk:
        desk.home.folder.mkdir()
        as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        mounted = ("sh", "-c", MOUNTED, "sh", SIZE, str(desk.home.folder))
        desk.within = ("unshare", *as_root, "--mount", *mounted)
        yield desk


def seen_home(desk: Desk) -> Home:
    """The home as the daemon sees it."""
    folder = Path(f"/proc/{desk.pid}/root{desk.home.folder}")
    return Home(folder, folder / "logs")


def write_config(desk: Desk, hook: Web) -> None:
    desk.environ |= {"HOOK": hook.url, "SECRET": SECRET}
    works = {"command": ["sh", "-c", f"sleep {WORKS_S}; exit 1"], "cron": NEVER, "maxAttempts": 1}
    desk.write_config(
        timezone="UTC",
        heartbeatSchedule=NEVER,
        network={"allowPrivate": True},
        schedules={"payroll": works},
        channels={"hook": {"type": "webhook", "url": "env:HOOK", "secret": "env:SECRET"}},
        alerts={"groupWait": "1s", "receivers": {"oncall": ["hook"]}, "routes": [{"receiver": "oncall"}]},
    )


def is_ready(desk: Desk, client: Client) -> bool:
    assert desk.poll() is None, desk.told(
        "the daemon ended; a disk of one's own takes root or user namespaces"
    )
    with suppress(DaemonDown, DaemonSilent):
        return bool(client.get("/readyz")["status"] == "ready")
    return False


def is_at_work(home: Home, task_id: str) -> bool:
    queue = snapshot.read(home.state_file)["queue"]
    return [(it["id"], it["state"]) for it in queue] == [(task_id, "executing")]


def fill(ballast: Path) -> None:
    """Leave no free byte, not even in what the database has set aside for itself."""
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


def takes_nothing(client: Client) -> bool:
    """Whether a task is refused for want of room."""
    try:
        client.post("/api/tasks", {"handler": "command", "args": {"command": ["true"], "more": "x" * 50_000}})
    except Refused as error:
        return error.status == 507
    return False


def about(hook: Web, words: str) -> list[str]:
    return [copy.id for copy in hook.line.copies if words in copy.text]


def is_proved(home: Home) -> bool:
    """Whether the state that jq reads has it that the failure was told, and owes nothing."""
    state = snapshot.read(home.state_file)
    failed = [it["id"] for it in state["alerts"] if it["name"] == "task.failed"]
    told = [it["alertId"] for it in state["tellings"] if it["toldAt"] is not None]
    return bool(failed) and set(failed) <= set(told) and state["outbox"] == []
