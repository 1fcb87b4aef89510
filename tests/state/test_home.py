"""Where a home is, and that only one process at a time holds it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from state.home import Home, HomeLocked, find_home, holder, locked

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from state.home import Home, locked
with locked(Home(Path(sys.argv[1]), Path(sys.argv[1]) / "logs")):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_holder(home: Home) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def home(home_folder: Path) -> Home:
    return Home(home_folder, home_folder / "logs")


@pytest.mark.parametrize(
    ("chosen", "environ", "folder", "logs"),
    [
        (None, {}, "/etc/desk/var", "/etc/desk/var/logs"),
        (None, {"STATE_DIRECTORY": "/var/lib/desk"}, "/var/lib/desk", "/var/lib/desk/logs"),
        (None, {"STATE_DIRECTORY": "/var/lib/desk:/var/lib/more"}, "/var/lib/desk", "/var/lib/desk/logs"),
        (None, {"NIGHTDESK_HOME": "/srv/desk", "STATE_DIRECTORY": "/no"}, "/srv/desk", "/srv/desk/logs"),
        ("/mine", {"NIGHTDESK_HOME": "/no", "STATE_DIRECTORY": "/no"}, "/mine", "/mine/logs"),
        (None, {"NIGHTDESK_HOME": "", "STATE_DIRECTORY": ""}, "/etc/desk/var", "/etc/desk/var/logs"),
        ("", {}, "/etc/desk/var", "/etc/desk/var/logs"),
        ("/mine", {"LOGS_DIRECTORY": "/var/log/desk"}, "/mine", "/var/log/desk"),
        (None, {"LOGS_DIRECTORY": "/var/log/desk:/b"}, "/etc/desk/var", "/var/log/desk"),
        (None, {"LOGS_DIRECTORY": ""}, "/etc/desk/var", "/etc/desk/var/logs"),
    ],
)
def test_a_home_is_found_where_it_was_said_first(
    chosen: str | None, environ: dict[str, str], folder: str, logs: str
) -> None:
    assert find_home(chosen, Path("/etc/desk"), environ) == Home(Path(folder), Path(logs))


def test_a_relative_home_is_taken_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_home("here", Path("/etc"), {}) == Home(tmp_path / "here", tmp_path / "here" / "logs")


def test_everything_lies_under_the_home_and_only_its_owner_may_look_inside(home: Home) -> None:
    home.make_folders()
    inside = (home.database, home.state_file, home.previous_state_file, home.backups, home.control_socket)
    assert all(path.is_relative_to(home.folder) for path in (*inside, home.lock_file))
    assert all(path.is_relative_to(home.logs) for path in (home.log_file, home.alert_log, home.digests))
    assert home.folder.stat().st_mode & 0o777 == 0o700
    assert home.backups.is_dir()
    assert home.digests.is_dir()


def test_a_home_is_held_by_one_process_and_the_other_is_told_which(home: Home) -> None:
    with another_holder(home) as process:
        named = rf"held by process {process.pid};.*one daemon at a time"
        with pytest.raises(HomeLocked, match=named), locked(home):
            pass
        assert holder(home) == process.pid


def test_the_lock_goes_with_the_process_that_is_killed(home: Home) -> None:
    with another_holder(home) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert home.lock_file.exists()
        assert holder(home) is None
        with locked(home):
            assert holder(home) == os.getpid()


def test_the_home_can_be_held_again_after_it_was_let_go(home: Home) -> None:
    for _ in range(2):
        with locked(home):
            pass
    assert holder(home) is None


def test_a_lock_without_a_name_still_holds(home: Home) -> None:
    with locked(home):
        home.lock_file.write_text("nonsense")
        with pytest.raises(HomeLocked, match="held by another process"), locked(home):
            pass
        assert holder(home) == -1


def test_nobody_holds_a_home_that_was_never_used(home: Home) -> None:
    assert holder(home) is None


def test_a_lock_that_is_a_link_is_refused_and_its_target_is_left_alone(home: Home, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    home.make_folders()
    home.lock_file.symlink_to(precious)
    with pytest.raises(OSError, match="is a symbolic link; remove it") as caught, locked(home):
        pass
    assert caught.value.filename == str(home.lock_file)
    assert precious.read_text() == "precious"
