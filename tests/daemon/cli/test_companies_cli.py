"""`nightdesk companies`, alone and against a real daemon: the same words, the same effect."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Nightdesk = Callable[..., Any]
FAR = "2999-01-01"
ROWS = [
    {"id": "acme", "name": "Acme", "timezone": "Europe/Berlin", "recipients": ["a@acme.example"]},
    {"id": "bolt", "timezone": "UTC", "channel": "log", "weekdays": "mon-fri", "deadline": "09:00"},
    {"id": "cord", "timezone": "Asia/Tokyo", "channel": "log"},
    {"id": "dune", "timezone": "UTC", "channel": "log", "active": False},
]


@pytest.fixture
def desk(desk: Any) -> Any:
    config = json.loads(desk.config.read_text())
    desk.config.write_text(json.dumps({**config, "reports": {}}))
    return desk


@pytest.fixture
def roster(desk: Any) -> Callable[..., str]:
    """Writes a roster into a file; its path."""

    def write(rows: list[Any], name: str = "roster.json") -> str:
        path = desk.folder / name
        path.write_text(json.dumps(rows).replace("}, {", "},\n{"))
        return str(path)

    return write


def walk_through(nightdesk: Nightdesk, roster: Callable[..., str]) -> None:
    """What an operator does to a roster in its first week."""
    path = roster(ROWS)
    trial = nightdesk("companies", "import", path, "--dry-run")
    assert (trial.code, trial.out) == (0, "would be: 4 companies: 4 new, 0 changed, 0 left\n")
    assert nightdesk("companies", "list", "--json").json == []
    done = nightdesk("companies", "import", path, "--json").json
    assert (done["applied"], done["added"], done["total"], done["refused"]) == (True, 4, 4, [])
    names = [row["id"] for row in nightdesk("companies", "list", "--json").json]
    assert names == ["acme", "bolt", "cord", "dune"]
    some = nightdesk("companies", "list", "--after", "acme", "--limit", "2")
    assert "bolt" in some.out
    assert "mon tue wed thu fri" in some.out
    assert "acme" not in some.out
    assert some.err == "there are more: --limit shows them, or --after cord\n"
    paused = nightdesk("companies", "pause", "cord", "--until", FAR, "--reason", "moving house")
    assert (paused.code, paused.out) == (0, f"cord: paused until {FAR}: moving house\n")
    assert f"paused until {FAR}: moving house" in nightdesk("companies").out
    assert nightdesk("companies", "resume", "cord").out == "cord: not paused\n"


def refusals(nightdesk: Nightdesk, roster: Callable[..., str]) -> None:
    """What is refused, and what is not lost by it."""
    bad = [*ROWS[1:], {"id": "../up", "timezone": "UTC"}, {**ROWS[0], "timezone": "Europe/Berlim"}]
    ended = nightdesk("companies", "import", roster(bad, "bad.json"))
    assert ended.code == 1
    assert "4 companies: 0 new, 0 changed, 0 left, 2 rows refused" in ended.out
    assert 'bad.json:5: acme: timezone: "Europe/Berlim" is no time zone; did you mean' in ended.err
    few = roster(ROWS[:2], "few.json")
    ended = nightdesk("companies", "import", few)
    assert ended.code == 1
    assert ended.out.startswith("nothing is changed; it would be: 2 companies")
    assert "2 companies would leave, more than a fifth of all; with --yes they do" in ended.err
    assert "roster.shrunk" in nightdesk("alerts", "list", "--open").out
    assert nightdesk("companies", "import", few, "--yes").code == 0
    assert "roster.shrunk" not in nightdesk("alerts", "list", "--open").out
    assert [row["leftOn"] is None for row in nightdesk("companies", "list", "--all", "--json").json] == [
        True, True, False, False,
    ]  # fmt: skip
    for argv, said in {
        ("pause", "acne", "--until", FAR, "--reason", "x"): 'no company "acne"; did you mean "acme"?',
        ("pause", "acme", "--until", "2020-01-01", "--reason", "x"): "2020-01-01 is not after today",
        ("pause", "acme", "--until", "soon", "--reason", "x"): 'until: "soon" is no date',
        ("pause", "acme", "--until", FAR, "--reason", " "): "reason: say why",
        ("resume", "zz"): "nightdesk companies list names them",
        ("import", roster([], "none.json").replace("none.json", "orchestrator_config.json")): "a JSON object",
    }.items():
        ended = nightdesk("companies", *argv)
        assert (ended.code, said in ended.err) == (2, True), ended.err


def test_a_roster_without_a_daemon(nightdesk: Nightdesk, roster: Callable[..., str]) -> None:
    walk_through(nightdesk, roster)
    refusals(nightdesk, roster)


def test_a_roster_with_a_daemon(daemon: Any, nightdesk: Nightdesk, roster: Callable[..., str]) -> None:
    walk_through(nightdesk, roster)
    refusals(nightdesk, roster)


def test_csv_comes_from_stdin_too(desk: Any) -> None:
    csv = 'id,timezone,recipients,active\nacme,UTC,"a@x.example; b@x.example",yes\nbolt,UTC,,\n'
    ended = desk.run("companies", "import", "-", given=csv)
    assert ended.code == 1
    assert ended.out == "1 companies: 1 new, 0 changed, 0 left, 1 rows refused\n"
    assert ended.err == "stdin:3: bolt: it has no recipients and no channel, so nobody would get its report\n"


def test_every_bad_row_is_named_by_its_line_and_the_good_ones_are_kept(
    desk: Any, nightdesk: Nightdesk
) -> None:
    path = desk.folder / "roster.csv"
    rows = {
        "acme,Acme,Europe/Berlin,a@acme.example,,": "",
        "../etc/passwd,Evil,UTC,a@acme.example,,": 'id: "../etc/passwd" cannot be one; ',
        "mars,Mars,Mars/Olympus,a@acme.example,,": 'mars: timezone: "Mars/Olympus" is no time zone; ',
        "bare,Bare,UTC,,,": "bare: it has no recipients and no channel, so nobody would get its report",
        "acme,Again,UTC,a@acme.example,,": "id: acme stands on line 2 already",
        "late,Late,UTC,a@acme.example,,25:00": 'late: deadline: "25:00" is no time of day; ',
        "short,Short": "2 columns where the header has 6",
        "zinc,Zinc,UTC,,log,": "",
    }
    path.write_text("id,name,timezone,recipients,channel,deadline\n" + "\n".join(rows))
    ended = nightdesk("companies", "import", str(path))
    assert (ended.code, ended.out) == (1, "2 companies: 2 new, 0 changed, 0 left, 6 rows refused\n")
    told = [(line, said) for line, said in enumerate(rows.values(), start=2) if said]
    for (line, said), written in zip(told, ended.err.splitlines(), strict=True):
        assert written.startswith(f"{path}:{line}: {said}")
    assert [row["id"] for row in nightdesk("companies", "list", "--json").json] == ["acme", "zinc"]


def test_a_daemon_serves_pages_of_any_size(daemon: Any, desk: Any, nightdesk: Nightdesk) -> None:
    path = desk.folder / "many.csv"
    path.write_text("id,timezone,channel\n" + "".join(f"c{n:04},UTC,log\n" for n in range(1200)))
    assert nightdesk("companies", "import", str(path)).code == 0
    assert len(nightdesk("companies", "list", "--json").json) == 1200
    assert len(desk.client.get("/api/companies")) == 100
    assert [it["id"] for it in desk.client.get("/api/companies", {"after": "c1197"})] == ["c1198", "c1199"]


def test_without_reports_there_is_no_roster(desk: Any, nightdesk: Nightdesk) -> None:
    desk.config.write_text("{}")
    ended = nightdesk("companies", "list")
    assert ended.code == 2
    assert 'add "reports" to the config' in ended.err


def test_who_joined_today_gets_a_report_of_an_earlier_day_when_somebody_asks(
    nightdesk: Nightdesk, roster: Callable[..., str]
) -> None:
    nightdesk("companies", "import", roster(ROWS))
    assert nightdesk("reports", "list", "--date", "2013-01-09", "--json").json == []
    task = nightdesk("reports", "ensure", "--date", "2013-01-09", "--company", "bolt", "--json").json
    assert task["summary"]["ensured"] == 1
    (found,) = nightdesk("reports", "list", "--date", "2013-01-09", "--json").json
    assert (found["companyId"], found["attempts"]) == ("bolt", 1)
