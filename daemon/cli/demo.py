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
    from state.records import Alert

LEADS_SHOWN = 8


@click.command("demo", cls=Command)
@pass_call
def demo(call: Call) -> None:
    """A whole night and morning on sample data: the real daemon, on a clock that runs fast.

    Leads come in, the batch scores them at 23:00, a job fails at 02:30 and raises an alert. At 05:00 every
    company gets its report; one fails, and the backup cures it. The digest is sent at 06:00, and at 08:00
    the morning is certified. Nothing is needed, nothing leaves this machine. Files go to var/demo, or to
    --home.
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
    parts = [f"\nThe digest of {night.day}", render(columns, rows)]
    if more > 0:
        parts.append(f"… and {more} more")
    parts.append("\nAlerts that are open")
    parts += [f"  {_line(alert)}" for alert in night.alerts]
    if night.rescue is not None and night.rescue.id not in {alert.id for alert in night.alerts}:
        parts += ["\nAlerts that are over", f"  {_line(night.rescue)}"]
    parts += _places(night)
    return "\n".join(parts)


def _line(alert: "Alert") -> str:
    return f"{alert.severity.value.upper()}  {alert.summary}"


def _places(night: "Night") -> list[str]:
    """Where each file is, and the commands that show more."""
    from daemon.sample import CONFIG, FAILING_COMPANY

    home, day = _short(night.home.folder), night.morning
    nightdesk = f"{_program()} --config {home}/{CONFIG} --home {home}"
    return [
        "\nWhere things are",
        f"  digest       {_short(night.digest_path)}",
        f"  reports      {_short(night.reports_path)}/: one a company, as text, HTML and JSON",
        f"  certificate  {_short(night.certificate_path)}",
        f"  health       {_short(night.health_path)}",
        f"  state        {_short(night.home.state_file)}",
        f"  log          {_short(night.home.log_file)}",
        f"  backup       {_short(night.home.backups)}",
        "\nLook around",
        f"  cat {_short(night.reports_path)}/UA.txt",
        f"  {nightdesk} reports list --date {day}",
        f"  {nightdesk} why {FAILING_COMPANY} {day}",
        f"  {nightdesk} certificate verify {day}",
        f"  {nightdesk} history",
        f"  {nightdesk} alerts list",
        f"  jq .lastDigestNotificationAt {_short(night.home.state_file)}",
        f"  tail -50 {_short(night.home.log_file)} | grep cron",
    ]


def _why(reasons: dict[str, float]) -> str:
    """The parts of a score, largest first."""
    parts = sorted(reasons.items(), key=lambda it: -it[1])
    return ", ".join(f"{name} {share:.2f}" for name, share in parts if share >= 0.05)


def _as_json(night: "Night") -> dict[str, Any]:
    return {
        "home": str(night.home.folder),
        "date": night.day.isoformat(),
        "digest": str(night.digest_path),
        "summary": night.digest["summary"],
        "alerts": [alert.name for alert in night.alerts],
        "sentAt": night.sent_at,
        "reports": {
            "folder": str(night.reports_path),
            "coverage": night.coverage.as_row(),
            "certificate": str(night.certificate_path),
            "health": str(night.health_path),
            "steppedIn": None if night.rescue is None else night.rescue.summary,
        },
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
