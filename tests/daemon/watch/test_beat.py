"""The beat file: rewritten in place, whole, on a full disk too; and its last word."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.clock import VirtualClock
from daemon.watch.beat import LENGTH, Beat, BeatFile, Beating, BeatState, beating, decode, encode, read_beat

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


def read(path: Path) -> Beat:
    beat = read_beat(path)
    assert beat is not None
    return beat


def test_a_beat_says_who_when_and_how_much_is_in_flight(tmp_path: Path, clock: VirtualClock) -> None:
    file = BeatFile(tmp_path / "beat", clock)
    assert file.say(in_flight=3)
    file.close()

    beat = read(tmp_path / "beat")
    assert (beat.pid, beat.at, beat.started_at, beat.in_flight) == (os.getpid(), NOW, NOW, 3)
    assert (beat.state, beat.monotonic) == (BeatState.RUNNING, 0.0)
    names = {"pid", "bootId", "at", "monotonic", "state", "startedAt", "inFlight"}
    assert set(json.loads((tmp_path / "beat").read_bytes())) == names


async def test_it_is_rewritten_in_place_as_often_as_it_is_asked_for(
    tmp_path: Path, clock: VirtualClock
) -> None:
    file = BeatFile(tmp_path / "beat", clock)
    part = Beating(file, clock, lambda: timedelta(seconds=2), lambda: 7)
    again_at = await part.step()
    first, inode = read(tmp_path / "beat"), (tmp_path / "beat").stat().st_ino
    await clock.advance(seconds=2)
    await part.step()
    file.close()

    second = read(tmp_path / "beat")
    assert again_at == NOW + timedelta(seconds=2)
    assert (second.at, second.monotonic) == (again_at, first.monotonic + 2.0)
    assert second.boot_id == first.boot_id
    assert (tmp_path / "beat").stat().st_ino == inode
    assert (tmp_path / "beat").stat().st_size == LENGTH
    assert (tmp_path / "beat").stat().st_mode & 0o777 == 0o600


def test_a_file_that_vanished_is_made_again(tmp_path: Path, clock: VirtualClock) -> None:
    file = BeatFile(tmp_path / "beat", clock)
    file.say()
    (tmp_path / "beat").unlink()
    file.say(in_flight=1)
    file.close()
    assert read(tmp_path / "beat").in_flight == 1


def test_what_cannot_be_written_is_told_once_and_tried_again(
    tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").write_text("not ours")
    (tmp_path / "beat").symlink_to(tmp_path / "elsewhere")
    file = BeatFile(tmp_path / "beat", clock)
    assert [file.say(), file.say()] == [False, False]
    assert [record.message for record in caplog.records] == ["beat.unwritten"]
    assert (tmp_path / "elsewhere").read_text() == "not ours"

    (tmp_path / "beat").unlink()
    assert file.say()
    file.close()


def test_a_stop_in_good_order_is_the_last_word(tmp_path: Path, clock: VirtualClock) -> None:
    with beating(tmp_path / "beat", clock) as file:
        assert read(tmp_path / "beat").state is BeatState.RUNNING
        file.state = BeatState.STOPPING
        file.say()
        assert read(tmp_path / "beat").state is BeatState.STOPPING
    assert read(tmp_path / "beat").state is BeatState.STOPPED


def test_a_run_that_failed_has_no_last_word(tmp_path: Path, clock: VirtualClock) -> None:
    with pytest.raises(ZeroDivisionError), beating(tmp_path / "beat", clock):
        raise ZeroDivisionError
    assert read(tmp_path / "beat").state is BeatState.RUNNING


BEAT = Beat(
    pid=4711,
    boot_id="ab12",
    at=NOW,
    monotonic=12.5,
    state=BeatState.RUNNING,
    started_at=NOW - timedelta(days=400),
    in_flight=1_000_000,
)


def test_what_is_encoded_is_decoded() -> None:
    assert len(encode(BEAT)) == LENGTH
    assert decode(encode(BEAT)) == BEAT


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * LENGTH,
        encode(BEAT)[:100],
        encode(BEAT).replace(b"running", b"jogging"),
        encode(BEAT).replace(b"4711", b"1e999"),
        encode(BEAT).replace(b"2026-11-21T21:00:00.000000Z", b"2026-11-21T21:00:00.000000 "),
    ],
    ids=["empty", "nothing", "null", "list", "bytes", "deep", "torn", "state", "number", "no offset"],
)
def test_what_is_no_beat_is_none(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(line)
    (tmp_path / "beat").write_bytes(line)
    assert read_beat(tmp_path / "beat") is None


def test_whatever_else_stands_in_its_place_is_none_and_holds_nobody_up(tmp_path: Path) -> None:
    assert read_beat(tmp_path / "beat") is None
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert [read_beat(tmp_path / name) for name in ("pipe", "link", "")] == [None, None, None]


FULL = """
import os, pathlib, subprocess, sys
from daemon.clock import SystemClock
from daemon.watch.beat import BeatFile, read_beat
folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
file = BeatFile(folder / "beat", SystemClock())
assert file.say(1)
with open(folder / "ballast", "wb", buffering=0) as ballast:
    try:
        while ballast.write(bytes(4096)):
            pass
    except OSError:
        pass
assert file.say(2)
print(read_beat(folder / "beat").in_flight)
"""


def test_it_beats_on_a_full_disk(tmp_path: Path) -> None:
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    ran = subprocess.run(
        ["unshare", *as_root, "--mount", sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (ran.stdout, ran.stderr) == ("2\n", "")
