"""The wheel: what is in it, and that it works where nothing else of the project is."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from daemon.data import data_file

PROJECT = Path(__file__).parents[1]
DATA = (
    "examples/flights/airlines.csv",
    "examples/flights/companies.json",
    "examples/flights/flights.csv.gz",
    "examples/flights/orchestrator_config.json",
    "examples/leads.jsonl",
    "orchestrator_config.json",
    "orchestrator_config.schema.json",
    "systemd/nightdesk.service",
    "systemd/nightdesk-failed@.service",
    "systemd/nightdesk-watchdog.service",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)], PROJECT
    )
    [built] = folder.glob("nightdesk-*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from the wheel; of the project's dependencies the ones already here are used."""
    folder = tmp_path_factory.mktemp("installed") / "with a space"
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    # What made this environment also fills that one: uv leaves no pip behind.
    has_pip = importlib.util.find_spec("pip") is not None
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if has_pip else ["uv", "pip"]
    target = [] if has_pip else ["--python", str(python)]
    run([*pip, "install", *target, "--quiet", "--no-index", "--no-deps", str(wheel)], folder)
    beside = run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder)
    (Path(beside.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin/nightdesk"


def run(command: list[str], folder: Path) -> str:
    """What a command prints; it has to succeed."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_holds_the_three_storeys_and_the_data_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(PROJECT).as_posix()
        for storey in ("state", "daemon", "handlers")
        for path in (PROJECT / storey).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sources - names == set()
    assert {f"daemon/_data/{name}" for name in DATA} - names == set()
    others = {name for name in names - sources if not name.startswith("daemon/_data/")}
    assert [name for name in sorted(others) if ".dist-info/" not in name] == []


def test_the_installed_program_tells_what_it_can_do(program: Path, tmp_path: Path) -> None:
    assert "run-once" in run([str(program), "--help"], tmp_path)


def test_the_installed_program_checks_its_defaults_in_an_empty_folder(program: Path, tmp_path: Path) -> None:
    run([str(program), "config", "check"], tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_installed_program_brings_its_data(program: Path, tmp_path: Path) -> None:
    ask = "import sys; from daemon.data import data_file; print(*map(data_file, sys.argv[1:]), sep='\\n')"
    found = run([str(program.parent / "python"), "-c", ask, *DATA], tmp_path).splitlines()

    site = program.parents[1]
    assert [Path(path).relative_to(site).as_posix().split("daemon/_data/")[1] for path in found] == list(DATA)
    for path, name in zip(found, DATA, strict=True):
        assert Path(path).read_bytes() == (PROJECT / name).read_bytes()


@pytest.mark.parametrize("name", DATA)
def test_a_checkout_has_the_same_data_where_people_look_for_it(name: str) -> None:
    assert data_file(name) == PROJECT / name


@pytest.mark.parametrize("name", ["examples/nothing.jsonl", "examples"])
def test_data_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"^{name} is missing from this installation"):
        data_file(name)
