"""`nightdesk demo`: a whole night and morning, told as it happens, and where each file lies."""

import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.call import Call
from daemon.cli.command import Command, pass_call
from daemon.cli.exits import WRONG, Stop
from daemon.cli.tables import Column, render

if TYPE_CHECKING:
    from daemon.demo import Night

LEADS_SHOWN = 8


@click.command("demo", cls=Command)
@pass_call
def demo(call: Call) -> None:
    """A whole night and morning on sample data: the real daemon, on a clock that runs fast.

    Leads come in, the batch scores them at 23:00, a job fails at 02:30 and raises an alert, and the digest
    is sent at 06:00. Nothing is needed, nothing leaves this machine. Files go to var/demo, or to --home.
    """
    from daemon.clock import SystemClock
    from daemon.demo import DemoError, fresh_home, show_night

    folder = call.home.folder if call.home_folder else call.home.folder / "demo"
    today = SystemClock().now().date()

    def tell(at: datetime, text: str) -> None:
        if not call.is_json:
            call.say(f"  {at:%a %H:%M}  {text}")

    try:
        home = fresh_home(folder)
    except DemoError as error:
        raise Stop(WRONG, str(error)) from None
    if not call.is_json:
        call.say(f"A night of nightdesk, in {_short(home.folder)}\n")
    night = show_night(home, today, call.environ, tell)
    if call.is_json:
        call.answer(_as_json(night))
    else:
        call.say(_told(night))


def _told(night: "Night") -> str:
    columns = [
        Column(title="SCORE", is_right=True),
        Column(title="LEAD", most=60),
        Column(title="WHY"),
    ]
    marked = sorted(night.digest["redditQueue"], key=lambda it: -it["score"])
    rows = [(f"{it['score']:.2f}", it["title"], _why(it["reasons"])) for it in marked[:LEADS_SHOWN]]
    more = len(marked) - len(rows)
    parts = [f"\nThe digest of {night.date}", render(columns, rows)]
    if more > 0:
        parts.append(f"… and {more} more")
    parts.append("\nAlerts that are open")
    parts += [f"  {alert.severity.value.upper()}  {alert.summary}" for alert in night.alerts]
    home = _short(night.home.folder)
    parts += [
        "\nWhere things are",
        f"  digest  {_short(night.digest_path)}",
        f"  state   {_short(night.home.state_file)}",
        f"  log     {_short(night.home.log_file)}",
        f"  backup  {_short(night.home.backups)}",
        "\nLook around",
        f"  {_program()} --home {home} history",
        f"  {_program()} --home {home} alerts list",
        f"  jq .lastDigestNotificationAt {_short(night.home.state_file)}",
        f"  tail -50 {_short(night.home.log_file)} | grep cron",
    ]
    return "\n".join(parts)


def _why(reasons: dict[str, float]) -> str:
    """The parts of a score, largest first."""
    parts = sorted(reasons.items(), key=lambda it: -it[1])
    return ", ".join(f"{name} {share:.2f}" for name, share in parts if share >= 0.05)


def _as_json(night: "Night") -> dict[str, Any]:
    return {
        "home": str(night.home.folder),
        "date": night.date.isoformat(),
        "digest": str(night.digest_path),
        "summary": night.digest["summary"],
        "alerts": [alert.name for alert in night.alerts],
        "sentAt": night.sent_at,
        "state": str(night.home.state_file),
        "log": str(night.home.log_file),
    }


def _program() -> str:
    """How to call this program from here: after a bare `make` it is not on PATH."""
    return "nightdesk" if shutil.which("nightdesk") else _short(Path(sys.argv[0]))


def _short(path: Path) -> str:
    """A path as one would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
