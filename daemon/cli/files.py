"""Answers from the files of a home, for the reading commands, when no daemon can be asked."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from daemon import __version__
from daemon.cli.call import Call
from daemon.cli.client import DaemonDown, DaemonSilent
from daemon.cli.exits import NO_DAEMON, UNREADABLE, WRONG, Stop
from daemon.cli.times import shower

State = dict[str, Any]


def ask_or_read(call: Call, asked: Callable[[], Any], read: Callable[[State], Any]) -> Any:
    """Ask the daemon; where none answers, read the state file, and say so on stderr.

    Raises:
        Stop: there is no state file, or none that can be read.
    """
    try:
        return asked()
    except (DaemonDown, DaemonSilent) as error:
        why = error if isinstance(error, DaemonDown) else f"the daemon at {call.home.folder} gives no answer"
        state = saved_state(call, str(why))
        call.note(f"nightdesk: {why}; this is from {_age_of(call, state)}")
        return read(state)


def saved_state(call: Call, why: str | None = None) -> State:
    """The newest generation of the JSON state that can be read.

    Raises:
        Stop: there is none.
    """
    from state.snapshot import SnapshotDamaged, read

    damage = []
    for path in (call.home.state_file, call.home.previous_state_file):
        try:
            return read(path)
        except FileNotFoundError:
            continue
        except SnapshotDamaged as error:
            damage.append(f"{path}: {error}")
    if damage:
        advice = "`nightdesk state verify` looks at all of it; the next start restores what can be restored"
        raise Stop(UNREADABLE, "\n".join([*damage, f"nightdesk: {advice}"]))
    why = why or f"there is no {call.home.state_file.name} in {call.home.folder}"
    raise Stop(NO_DAEMON, f"nightdesk: {why}, and no state has been saved there; start it: nightdesk run")


def status_of(state: State) -> dict[str, Any]:
    """What the status command shows, from the state file."""
    return {
        "pid": None,
        "httpPort": None,
        "ready": False,
        "version": __version__,
        "lastHeartbeatAt": state["lastHeartbeatAt"],
        "queueDepth": state["queueTotal"],
        "openAlerts": sum(alert["resolvedAt"] is None for alert in state["alerts"]),
        "schedules": state["schedules"],
        "coverageToday": None,
    }


def schedules_of(state: State) -> list[dict[str, Any]]:
    """The schedules as a list."""
    return [{"name": name, **schedule} for name, schedule in state["schedules"].items()]


def digest_paths(call: Call) -> dict[date, Path]:
    """The digest files by date, newest first."""
    found = {}
    for path in call.home.digests.glob("digest-*.json"):
        try:
            found[date.fromisoformat(path.stem.removeprefix("digest-"))] = path
        except ValueError:
            continue
    return dict(sorted(found.items(), reverse=True))


def digest_of(day: date, path: Path) -> dict[str, Any]:
    """One digest file, judged by itself.

    Raises:
        Stop: it is damaged.
    """
    from state.digest_file import judge

    found = judge(path.read_bytes(), day, ())
    if found.digest is None:
        raise Stop(WRONG, f"nightdesk: {path}: {found.detail}; the daemon rewrites it from the database")
    return found.digest


def _age_of(call: Call, state: State) -> str:
    times = shower(call)
    return f"{times(state['savedAt'])} {times.zone_name} ({times.ago(state['savedAt'])})"
