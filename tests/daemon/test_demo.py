"""The demo's night: a failure told, a report cured by the backup, a morning that is certified."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.exits import run
from daemon.demo import MARKER, DemoError, fresh_home


def test_a_night_ends_with_every_report_delivered_and_sealed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "demo"
    environ = {"PATH": os.defpath, "HOME": str(tmp_path)}
    assert run(["--home", str(home), "--json", "demo"], environ) == 0
    told = json.loads(capfd.readouterr().out)

    assert told["summary"]["docsProcessed"] == 60
    assert told["sentAt"] is not None
    assert "handler.failing" in told["alerts"]
    reports: dict[str, Any] = told["reports"]
    coverage = reports["coverage"]
    assert (coverage["expected"], coverage["delivered"], coverage["percent"]) == (16, 16, 100.0)
    assert "the backup stepped in for 1 report" in reports["steppedIn"]
    assert len(list(Path(reports["folder"]).glob("*.txt"))) == 16
    assert list((home / "logs" / "outbox").rglob("report.B6.*.txt")), "the backup has cured what failed"
    assert json.loads(Path(reports["certificate"]).read_text())["coverage"] == coverage
    assert Path(reports["health"]).is_file()
    united = (Path(reports["folder"]) / "UA.txt").read_text()
    assert "Flights: 155, down from 156 a week before" in united
    assert "There are no figures" in (Path(reports["folder"]) / "OO.txt").read_text()

    config = home / "orchestrator_config.json"
    day = coverage["date"]
    assert run(["--config", str(config), "--home", str(home), "certificate", "verify", day], environ) == 0
    assert "the certificate holds, 16 rows" in capfd.readouterr().out


def test_a_folder_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(DemoError, match="is there already and not from a demo"):
        fresh_home(tmp_path)
    assert (tmp_path / "mine").exists()


def test_the_home_of_an_earlier_demo_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    (fresh_home(folder).folder / "left").touch()
    fresh_home(folder)
    assert not (folder / "left").exists()
    assert (folder / MARKER).exists()
