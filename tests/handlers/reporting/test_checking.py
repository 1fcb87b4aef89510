"""What `config check` says of the section `reports`: file, line and key, before anything is started."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.check import prepare
from daemon.config import ConfigError

FACTS = "SELECT 'acme' AS company WHERE $date IS NOT NULL"


def mistakes(folder: Path, reports: dict[str, Any]) -> list[str]:
    path = folder / "desk.json"
    path.write_text(json.dumps({"reports": reports}, indent=0))
    with pytest.raises(ConfigError) as raised:
        prepare(path, {})
    return [str(problem).removeprefix(f"{path}:") for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"type": "sqlite"}, "3: reports.source.path: a sqlite source needs it; name"),
        ({"type": "postgres"}, "3: reports.source.url: a postgres source needs it; give"),
        ({"type": "http"}, "3: reports.source.url: a http source needs it; give"),
        ({"type": "files", "folders": [".", "nowhere"]}, '5: reports.source.folders: "nowhere" is no folder'),
        ({"type": "files", "facts": "SELECT $day"}, "5: reports.source.facts: $day is no parameter"),
        ({"type": "files", "tables": {"Worst": "DROP TABLE x"}}, "6: reports.source.tables.Worst: it is no"),
    ],
    ids=["sqlite", "postgres", "http", "folders", "facts", "tables"],
)
def test_a_source_that_cannot_be_opened_is_a_mistake_at_its_own_line(
    tmp_path: Path, source: dict[str, Any], said: str
) -> None:
    laid_out = {"type": source.pop("type"), **source} | ({} if "facts" in source else {"facts": FACTS})
    (told,) = mistakes(tmp_path, {"source": laid_out})
    assert told.startswith(said)


def test_a_template_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / "report.html").write_text("<p>\n{% if %}\n")
    (told,) = mistakes(tmp_path, {"templates": "looks"})
    assert told.startswith("3: reports.templates: report.html, line 2: ")
    (told,) = mistakes(tmp_path, {"templates": "elsewhere"})
    assert "is no folder; make it, or leave the key out" in told


def test_templates_and_source_are_told_together(tmp_path: Path) -> None:
    told = mistakes(tmp_path, {"templates": "elsewhere", "source": {"type": "sqlite", "facts": FACTS}})
    assert [line.split(": ")[1] for line in told] == ["reports.templates", "reports.source.path"]


def test_a_secret_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    source = {"type": "postgres", "facts": FACTS, "url": "env:NO_SUCH_VARIABLE"}
    (told,) = mistakes(tmp_path, {"source": source})
    assert "NO_SUCH_VARIABLE is not set" in told


def test_a_section_that_is_fit_is_taken_and_nothing_is_asked_of_its_source(tmp_path: Path) -> None:
    path = tmp_path / "desk.json"
    source = {"type": "sqlite", "path": "not-there-yet.db", "facts": FACTS}
    path.write_text(json.dumps({"reports": {"source": source}}))
    assert prepare(path, {}).config.reports is not None
    assert not (tmp_path / "not-there-yet.db").exists()
