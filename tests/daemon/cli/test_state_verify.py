"""`nightdesk state`: what is whole is called so, and what is not is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Nightdesk = Callable[..., Any]


@pytest.fixture
def lived_in(desk: Any, nightdesk: Nightdesk) -> Any:
    """A home with a state file and the one before, a database, and a digest."""
    nightdesk("items", "add", str(desk.write_leads({"id": "a", "title": "A", "score": 1})))
    nightdesk("run-once", "nightly-batch")
    return desk


def verdicts(ended: Any) -> dict[str, bool]:
    return {row["what"]: row["ok"] for row in ended.json}


def digest_of(desk: Any) -> Path:
    (path,) = desk.home.digests.iterdir()
    assert isinstance(path, Path)
    return path


def test_a_sound_home_is_sound(lived_in: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("state", "verify", "--json")
    assert ended.code == 0
    assert verdicts(ended) == {
        "orchestrator_state.json": True,
        "orchestrator_state.prev.json": True,
        "nightdesk.db": True,
        digest_of(lived_in).name: True,
    }


@pytest.mark.parametrize("name", ["orchestrator_state.json", "orchestrator_state.prev.json", "nightdesk.db"])
def test_a_damaged_file_is_named_and_left_as_it_is(name: str, lived_in: Any, nightdesk: Nightdesk) -> None:
    path = lived_in.home.folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    damaged = path.read_bytes()
    ended = nightdesk("state", "verify", "--json")
    assert ended.code == 1
    assert [what for what, is_ok in verdicts(ended).items() if not is_ok] == [name]
    assert path.read_bytes() == damaged


def test_a_missing_database_is_named(lived_in: Any, nightdesk: Nightdesk) -> None:
    for path in lived_in.home.folder.glob("nightdesk.db*"):
        path.unlink()
    ended = nightdesk("state", "verify")
    assert ended.code == 1
    assert "nightdesk.db" in ended.out
    assert "it is missing" in ended.out


def test_a_digest_that_is_damaged_stale_or_gone_is_named(lived_in: Any, nightdesk: Nightdesk) -> None:
    path = digest_of(lived_in)
    whole = json.loads(path.read_bytes())
    for content in ("{", json.dumps({**whole, "redditQueue": []})):
        path.write_text(content)
        ended = nightdesk("state", "verify", "--json")
        assert (ended.code, verdicts(ended)[path.name]) == (1, False)
    path.unlink()
    ended = nightdesk("state", "verify")
    assert ended.code == 1
    assert f"{path.name}" in ended.out
    assert "nightdesk digest send" in ended.out


def test_a_damaged_backup_is_named(lived_in: Any, nightdesk: Nightdesk) -> None:
    (lived_in.home.backups / "nightdesk-20261121T000000Z.db").write_bytes(b"")
    ended = nightdesk("state", "verify", "--json")
    assert ended.code == 1
    assert verdicts(ended)["backups/nightdesk-20261121T000000Z.db"] is False


def test_what_was_kept_aside_is_shown_and_not_held_against_the_home(
    lived_in: Any, nightdesk: Nightdesk
) -> None:
    aside = lived_in.home.folder / "nightdesk.db.damaged-20261121T000000Z"
    aside.touch()
    ended = nightdesk("state", "verify", "--json")
    assert (ended.code, verdicts(ended)[aside.name]) == (0, True)


def test_a_home_that_is_not_there_is_no_sound_one(nightdesk: Nightdesk, tmp_path: Path) -> None:
    ended = nightdesk("state", "verify", "--home", str(tmp_path / "typo"))
    assert ended.code == 1
    assert "there is no home" in ended.err


@pytest.mark.usefixtures("daemon")
def test_a_home_is_looked_over_while_its_daemon_runs(nightdesk: Nightdesk) -> None:
    ended = nightdesk("state", "verify", "--json")
    assert (ended.code, verdicts(ended)["nightdesk.db"]) == (0, True)


def test_the_state_is_shown_as_jq_would(lived_in: Any, nightdesk: Nightdesk) -> None:
    shown = nightdesk("state", "show")
    assert shown.out.startswith('{\n  "schema": 2,\n')
    assert json.loads(shown.out)["taskHistory"] == nightdesk("state", "show", "--json").json["taskHistory"]
