"""What the journal of alerts tells of time: how soon somebody knew, how soon it was over."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.reports.alert_times import alert_times
from daemon.watch.journal import Journal

NOW = datetime(2026, 12, 2, 8, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


def noted(path: Path, *events: tuple[str, datetime, dict[str, object]]) -> Path:
    journal = Journal(path)
    for event, at, fields in events:
        journal.add(event, at, **fields)
    journal.close()
    return path


def over(
    at: datetime, minutes: float, name: str = "redis.down", severity: str = "error"
) -> tuple[str, datetime, dict[str, object]]:
    return "resolved", at, {"name": name, "severity": severity, "firstAt": at - timedelta(minutes=minutes)}


def test_proofs_and_ends_of_the_last_days_are_measured_over_a_change_of_month(tmp_path: Path) -> None:
    log = noted(
        tmp_path / "alerts.jsonl",
        ("delivered", NOW - timedelta(days=8), {"took_s": 9999.0}),
        ("delivered", NOW - timedelta(days=3), {"took_s": 12.5}),
        over(NOW - timedelta(days=3), minutes=20),
        ("delivered", NOW - timedelta(hours=1), {"took_s": 3.0}),
        over(NOW - timedelta(hours=1), minutes=10, severity="critical"),
    )
    assert (tmp_path / "alerts-2026-11.jsonl").exists()
    times = alert_times(log, NOW, WEEK)
    assert times.told_s == [12.5, 3.0]
    assert times.over_s == [1200.0, 600.0]


def test_what_is_not_grave_and_the_health_report_itself_are_no_incidents(tmp_path: Path) -> None:
    log = noted(
        tmp_path / "alerts.jsonl",
        over(NOW, minutes=5, severity="warning"),
        over(NOW, minutes=1440, name="health.critical", severity="critical"),
    )
    assert alert_times(log, NOW, WEEK).over_s == []


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    log = noted(tmp_path / "alerts.jsonl", ("delivered", NOW, {"took_s": 1.0}))
    with log.open("ab") as file:
        file.write(b'{"at": "2026-12-\n[]\n"text"\n{"event": "delivered", "took_s": 7}\n\xff\n')
    assert alert_times(log, NOW, WEEK).told_s == [1.0]


def test_no_journal_is_no_time(tmp_path: Path) -> None:
    times = alert_times(tmp_path / "alerts.jsonl", NOW, WEEK)
    assert (times.told_s, times.over_s) == ([], [])
