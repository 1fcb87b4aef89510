"""The checksum beside a file that nobody writes to any more."""

import subprocess
from pathlib import Path

import pytest

from state.seal import is_seal_broken, seal, seal_of, unseal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    path.write_bytes(b"as it was")
    return path


def test_a_sealed_file_is_known_for_what_it_was(path: Path) -> None:
    seal(path)
    assert not is_seal_broken(path)
    path.write_bytes(b"as it Was")
    assert is_seal_broken(path)


def test_the_usual_tool_reads_the_seal(path: Path) -> None:
    sealed = seal(path)
    checked = subprocess.run(
        ["sha256sum", "-c", sealed.name], cwd=path.parent, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout) == (0, "a.db: OK\n" * 2)


def test_a_file_can_be_sealed_under_the_name_it_is_about_to_get(path: Path) -> None:
    seal(path, named="b.db")
    moved = path.replace(path.with_name("b.db"))
    assert not is_seal_broken(moved)
    assert seal_of(moved).read_text().endswith("  b.db\n")


def test_a_seal_that_was_taken_off_says_nothing(path: Path) -> None:
    seal(path)
    unseal(path)
    unseal(path)
    path.write_bytes(b"changed")
    assert not is_seal_broken(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"ab  a.db\n"])
def test_a_seal_that_cannot_be_read_says_nothing(path: Path, content: bytes) -> None:
    seal_of(path).write_bytes(content)
    assert not is_seal_broken(path)


def test_a_seal_that_is_damaged_itself_does_not_call_the_file_damaged(path: Path) -> None:
    whole = seal(path).read_bytes()
    for index in range(len(whole)):
        damaged = bytearray(whole)
        damaged[index] ^= 1
        seal_of(path).write_bytes(damaged)
        assert not is_seal_broken(path)
