"""`nightdesk items add`: everything good is kept, everything bad is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import items

Nightdesk = Callable[..., Any]


def test_bad_lines_are_named_by_file_and_number_and_the_good_ones_kept(
    tmp_path: Path, nightdesk: Nightdesk
) -> None:
    leads = tmp_path / "mixed.jsonl"
    leads.write_text('{"id": "a", "title": "A"}\n{"id": "b"}\nnot json\n{"id": "c", "title": "C"}\n')
    ended = nightdesk("items", "add", str(leads))
    assert ended.code == 1
    assert ended.out == "2 leads added, 2 refused\n"
    first, second = ended.err.splitlines()
    assert first == f"{leads}:2: title is missing; a lead needs an id and a title"
    assert second.startswith(f"{leads}:3: not JSON")
    assert [lead["id"] for lead in nightdesk("items", "list", "--json").json] == ["a", "c"]


def test_the_answer_for_scripts_counts_and_names(tmp_path: Path, nightdesk: Nightdesk) -> None:
    leads = tmp_path / "leads.json"
    leads.write_text(json.dumps([{"id": "a", "title": "A"}, {"id": "a", "title": "A again"}, {"title": "x"}]))
    ended = nightdesk("items", "add", str(leads), "--json")
    assert ended.code == 1
    assert (ended.json["added"], ended.json["duplicates"]) == (1, 1)
    assert [(it["file"], it["line"]) for it in ended.json["refused"]] == [(str(leads), 1)]


def test_several_files_and_stdin_are_taken_together(desk: Any) -> None:
    one = desk.write_leads({"id": "a", "title": "A"})
    ended = desk.run("items", "add", str(one), "-", given='{"id": "b", "title": "B"}\nbad\n')
    assert ended.code == 1
    assert ended.out == "2 leads added, 1 refused\n"
    assert ended.err.startswith("stdin:2: ")


def test_a_file_that_is_not_there_stops_all_before_anything_is_stored(
    desk: Any, nightdesk: Nightdesk
) -> None:
    good = desk.write_leads({"id": "a", "title": "A"})
    ended = nightdesk("items", "add", str(good), str(desk.folder / "missing.jsonl"))
    assert ended.code == 2
    assert "missing.jsonl" in ended.err
    assert not desk.home.folder.exists()


def test_chunks_stay_below_the_size_that_the_daemon_takes() -> None:
    bodies = [{"id": str(n), "title": "x" * 200_000} for n in range(9)]
    chunks = [chunk for _, chunk in items._chunks(bodies)]
    assert [len(chunk) for chunk in chunks] == [3, 3, 3]
    assert [body for chunk in chunks for body in chunk] == bodies
    many = [{"id": str(n), "title": "t"} for n in range(2500)]
    assert [start for start, _ in items._chunks(many)] == [0, 1000, 2000]
    assert [list(chunk) for _, chunk in items._chunks([])] == [[]]


@pytest.mark.usefixtures("daemon")
def test_a_daemon_is_given_the_leads_chunk_by_chunk(desk: Any, nightdesk: Nightdesk) -> None:
    leads = [{"id": f"t3_{n}", "title": "x" * 1000} for n in range(2500)]
    added = nightdesk("items", "add", str(desk.write_leads(*leads)), "--json")
    assert (added.code, added.json) == (0, {"added": 2500, "duplicates": 0, "refused": []})
    listed = nightdesk("items", "list", "--limit", "2", "--offset", "2498")
    assert "t3_2499" in listed.out
    assert listed.err == "2 of 2500; --limit and --offset show others\n"
    again = nightdesk("items", "add", str(desk.write_leads(*leads)))
    assert again.out == "0 leads added, 2500 known already\n"
