"""The guard against packages of the same name, on a site folder that another package was put over."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import daemon
from daemon import guard

ROOT = Path(daemon.__file__).parents[1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that holds our three packages, as an installation does."""
    for name in ("daemon", "handlers", "state"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def start(site: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    code = "import sys; from daemon.__main__ import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(site)},
        timeout=30,
    )


def test_a_whole_installation_is_left_alone(site: Path) -> None:
    assert start(site, "--version").returncode == 0
    assert guard.problem(daemon, str(ROOT)) is None


def test_a_package_put_over_ours_is_named_and_ends_in_78(site: Path) -> None:
    (site / "daemon" / "__init__.py").write_text("class DaemonContext: ...\n")
    ended = start(site, "--help")
    assert ended.returncode == 78
    assert str(site / "daemon" / "__init__.py") in ended.stderr
    assert "python-daemon" in ended.stderr
    assert "pipx install nightdesk" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_hole_that_its_removal_leaves_is_named(site: Path) -> None:
    (site / "daemon" / "__init__.py").unlink()
    ended = start(site, "status")
    assert ended.returncode == 78
    # Where a checkout is installed as well, its `daemon` is found in place of the hole.
    assert "this installation is not whole" in ended.stderr
    assert str(site) in ended.stderr


@pytest.mark.parametrize("name", ["daemon/app.py", "handlers/__init__.py", "state/store.py"])
def test_a_missing_module_is_named(site: Path, name: str) -> None:
    (site / name).unlink()
    ended = start(site, "status")
    assert ended.returncode == 78
    assert f"{name} is missing" in ended.stderr


def test_a_package_that_stands_before_ours_is_named(
    site: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "state").mkdir()
    (other / "state" / "__init__.py").touch()
    code = (
        f"import sys; sys.path.insert(0, {str(other)!r}); from daemon.__main__ import main; sys.exit(main())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "status"],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(site)},
        timeout=30,
    )
    assert ended.returncode == 78
    assert str(other / "state" / "__init__.py") in ended.stderr
