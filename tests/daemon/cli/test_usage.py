"""How the program is called, and how it answers what makes no sense."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from daemon.cli.exits import Stop, code_of, run
from daemon.cli.trigger import read_args

ROOT = str(Path(__file__).parents[3])
Nightdesk = Callable[..., Any]


def answer_to(capsys: pytest.CaptureFixture[str], *argv: str, **environ: str) -> tuple[int, str, str]:
    code = run(argv, environ)
    written = capsys.readouterr()
    return code, written.out, written.err


@pytest.mark.parametrize(
    "argv",
    [
        ("--json", "--home", "{home}", "--config", "{config}", "status"),
        ("status", "--json", "--home", "{home}", "--config", "{config}"),
        ("--home", "{home}", "status", "--config", "{config}", "--json"),
    ],
)
def test_global_options_stand_before_or_after_the_command(
    argv: tuple[str, ...], desk: Any, nightdesk: Nightdesk, capsys: pytest.CaptureFixture[str]
) -> None:
    home = desk.folder / "elsewhere"
    assert nightdesk("run-once", "heartbeat", "--home", str(home)).code == 0
    filled = [it.format(home=home, config=desk.config) for it in argv]
    code, out, err = answer_to(capsys, *filled)
    assert (code, out.startswith('{"pid":null')) == (0, True)
    assert str(home) in err


def test_global_options_stand_between_a_group_and_its_command(nightdesk: Nightdesk) -> None:
    nightdesk("run-once", "heartbeat")
    assert nightdesk("alerts", "--json", "list").json == []


def test_the_home_comes_from_the_environment_where_none_is_chosen(
    desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    home = desk.folder / "by-variable"
    code, _, err = answer_to(capsys, "status", NIGHTDESK_HOME=str(home))
    assert code == 69
    assert str(home) in err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("statsu",), 'there is no command "statsu"; did you mean "status"?'),
        (("items", "ad"), 'there is no command "ad"; did you mean "add"?'),
        (("frobnicate",), "there is no command"),
        (("status", "--nope"), "--nope"),
        (("trigger",), "NAME"),
        (("trigger", "x", "--arg", "novalue"), "--arg novalue: write it as NAME=VALUE"),
        (("trigger", "x", "--arg", "a=1", "--arg", "a=2"), "a is given twice"),
        (("trigger", "x", "--wait", "--timeout", "soon"), "soon"),
        (("digest", "show", "yesterday"), '"yesterday" is no date; write it as 2026-11-21'),
        (("items", "add", "/nowhere/leads.jsonl"), "/nowhere/leads.jsonl"),
        (("tasks", "--state", "asleep"), "asleep"),
        (("history", "--limit", "0"), "0"),
    ],
)
def test_a_call_that_makes_no_sense_ends_in_2_with_what_was_meant(
    argv: tuple[str, ...], told: str, nightdesk: Nightdesk
) -> None:
    ended = nightdesk(*argv)
    assert ended.code == 2
    assert told in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("name", ["init", "run", "status", "schedules", "items", "digest", "config", "test"])
def test_every_command_explains_itself_and_the_global_options(name: str, nightdesk: Nightdesk) -> None:
    ended = nightdesk(name, "--help")
    assert ended.code == 0
    for option in ("--config FILE", "--home DIR", "--json", "--help"):
        assert option in ended.out


def test_the_help_tells_of_shell_completion_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer_to(capsys, "--help")
    assert code == 0
    assert "_NIGHTDESK_COMPLETE=bash_source nightdesk" in out
    assert "78 configuration" in out


def test_a_shell_is_told_how_a_word_may_end() -> None:
    environ = {
        "PYTHONPATH": ROOT,
        "_NIGHTDESK_COMPLETE": "bash_complete",
        "COMP_WORDS": "nightdesk sch",
        "COMP_CWORD": "1",
    }
    code = "import sys; from daemon.__main__ import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, timeout=30
    )
    assert ended.stdout.split() == ["plain,schedules"]


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("n=3", 3),
        ("n=true", True),
        ("n=null", None),
        ('n={"a":[1]}', {"a": [1]}),
        ("n=2026-11-21", "2026-11-21"),
        ("n=a=b", "a=b"),
        ("n=", ""),
        ('n="3"', "3"),
        ("n=NaN", "NaN"),
    ],
)
def test_an_argument_is_json_where_it_is_json_and_text_elsewhere(pair: str, value: object) -> None:
    assert read_args([pair]) == {"n": value}


def test_an_argument_without_a_name_is_refused() -> None:
    with pytest.raises(click.UsageError, match="NAME=VALUE"):
        read_args(["=3"])


def test_what_nobody_foresaw_is_one_line_and_70(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the\nmoon is down")

    monkeypatch.setattr("daemon.cli.status.files.ask_or_read", broken)
    code, out, err = answer_to(capsys, "status")
    assert (code, out) == (70, "")
    assert err == "nightdesk: this should not happen: RuntimeError: the moon is down; --debug shows where\n"
    code, _, err = answer_to(capsys, "status", "--debug")
    assert code == 70
    assert "Traceback" in err


def test_what_the_system_refuses_is_told_with_the_path() -> None:
    assert code_of(PermissionError(13, "Permission denied", "/x")) == 1
    assert code_of(Stop(75)) == 75
    assert code_of(RuntimeError()) is None


def test_a_reader_that_has_had_enough_is_no_error(desk: Any, nightdesk: Nightdesk) -> None:
    leads = [{"id": f"t3_{n}", "title": "x" * 100} for n in range(3000)]
    assert nightdesk("items", "add", str(desk.write_leads(*leads))).code == 0
    line = f"{sys.executable} -m daemon --config {desk.config} items list --limit 3000 | head -1"
    script = f"set -o pipefail; {line}"
    ended = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ROOT, "PATH": os.environ["PATH"]},
        timeout=60,
    )
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
