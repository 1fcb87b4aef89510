"""Files that are whole at every instant, and damaged ones that are never lost."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from state.disk import keep_aside, remove_leftovers, write_atomically

NOW = datetime(2026, 11, 21, 21, 14, 43, tzinfo=UTC)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for data in (b"one", b"two"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == ["a.json"]
    assert path.stat().st_mode & 0o137 == 0


def test_the_file_before_is_kept_under_its_own_name(tmp_path: Path) -> None:
    path, previous = tmp_path / "a.json", tmp_path / "a.prev.json"
    for data in (b"one", b"two", b"three"):
        write_atomically(path, data, previous=previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"three", b"two")
    assert names(tmp_path) == ["a.json", "a.prev.json"]


def test_a_reader_that_has_the_old_file_open_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old" * 1000)
    with path.open("rb") as file:
        write_atomically(path, b"new")
        assert file.read() == b"old" * 1000


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old")
    with pytest.raises(IsADirectoryError):
        write_atomically(path, b"new", previous=tmp_path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_a_temporary_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "a.json.tmp").symlink_to(precious)
    with pytest.raises(OSError):
        write_atomically(tmp_path / "a.json", b"new")
    assert precious.read_text() == "precious"


def test_a_damaged_file_is_kept_under_a_name_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"damaged")
    kept = keep_aside(path, NOW)
    assert kept.name == "a.json.damaged-20261121T211443Z"
    assert kept.read_bytes() == b"damaged"
    assert not path.exists()


def test_two_damaged_files_of_one_second_are_both_kept(tmp_path: Path) -> None:
    path, kept = tmp_path / "a.json", []
    for number in range(3):
        path.write_text(str(number))
        kept.append(keep_aside(path, NOW))
    assert [it.read_text() for it in kept] == ["0", "1", "2"]


def test_leftovers_go_with_what_sqlite_kept_beside_them_and_all_else_stays(tmp_path: Path) -> None:
    for name in ("a.json.tmp", "b.db.tmp", "b.db.tmp-wal", "b.db.tmp-shm", "b.db.tmp-journal", "a.json"):
        (tmp_path / name).touch()
    (tmp_path / "folder.tmp").mkdir()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["a.json", "folder.tmp"]
