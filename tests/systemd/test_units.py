"""The shipped units, as systemd itself reads and rates them; needs systemd-analyze (Debian: systemd)."""

import re
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("*.service"))
# systemd-analyze speaks in tenths: 15 is 1.5, and a bare unit has 9.6.
MOST_EXPOSED = 15


@pytest.fixture(params=UNITS, ids=lambda unit: unit.name)
def unit(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError:
        pytest.fail("systemd-analyze is missing; run: apt install systemd")


def test_there_are_units() -> None:
    assert UNITS


def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    # It wants the program to be there, so the copy names one that is. It exits 0 on an unknown key:
    # only what it says counts.
    # All are copied, for they name each other; a template is read as one of its instances.
    for each in UNITS:
        text = re.sub(r"/opt/nightdesk/bin/(nightdesk|python)\b", "/bin/true", each.read_text())
        (tmp_path / each.name).write_text(text)

    verified = analyze("verify", "--man=no", str(tmp_path / unit.name.replace("@", "@nightdesk.service")))

    assert verified.stderr == ""
    assert verified.returncode == 0


def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    misspelt = tmp_path / "misspelt.service"
    misspelt.write_text("[Service]\nExecStart=/bin/true\nWatchdogSecs=60\n")

    assert "WatchdogSecs" in analyze("verify", "--man=no", str(misspelt)).stderr


def test_hardly_anything_is_open_to_it(unit: Path) -> None:
    rated = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit))

    assert rated.returncode == 0, rated.stdout


def test_a_bare_unit_would_be_refused(tmp_path: Path) -> None:
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")

    assert analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(bare)).returncode != 0
