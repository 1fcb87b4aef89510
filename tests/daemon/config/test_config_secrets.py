"""Secrets come from elsewhere, and never come out again."""

import os
from pathlib import Path

import pytest

from daemon.config.secrets import LONGEST_SECRET, Surroundings, is_reference, resolve_secret
from daemon.secret import Secret


def resolved(folder: Path, reference: str, **environ: str) -> Secret:
    return resolve_secret(reference, Surroundings(folder, environ))


def refusal(folder: Path, reference: str, **environ: str) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        resolved(folder, reference, **environ)
    return str(raised.value)


def test_a_variable_is_fetched_without_the_line_end_a_shell_may_leave(tmp_path: Path) -> None:
    assert resolved(tmp_path, "env:KEY", KEY=" two words\r\n") == Secret(" two words")


def test_a_path_starts_at_the_folder_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a").write_text("one\n")
    assert resolved(tmp_path, "file:keys/a") == Secret("one")
    assert resolved(Path("/"), f"file:{tmp_path}/keys/a") == Secret("one")


def test_a_path_starts_at_the_credentials_where_systemd_hands_some_in(tmp_path: Path) -> None:
    (tmp_path / "slack").write_text("two\n")
    assert resolved(Path("/nowhere"), "file:slack", CREDENTIALS_DIRECTORY=str(tmp_path)) == Secret("two")


def test_a_key_of_several_lines_is_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("-----BEGIN-----\nabc\n-----END-----\n")
    assert resolved(tmp_path, "file:pem").reveal() == "-----BEGIN-----\nabc\n-----END-----"


def test_what_is_not_there_is_told_with_the_next_step(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, "env:KEY")
        == "the environment variable KEY is not set; set it where the daemon is started"
    )
    assert refusal(tmp_path, "env:KEY", KEY="\n").startswith("the environment variable KEY is empty; set it")
    assert refusal(tmp_path, "env:") == '"" cannot be the name of an environment variable; write env:NAME'
    assert refusal(tmp_path, "file:none") == f'cannot read "{tmp_path}/none": No such file or directory'


def test_a_file_that_is_no_secret_is_refused_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "long").write_text("hunter2" * LONGEST_SECRET)
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    assert "is empty; write the secret into it" in refusal(tmp_path, "file:empty")
    assert refusal(tmp_path, "file:long").endswith("is longer than 64 KiB, which no secret is")
    assert refusal(tmp_path, "file:binary").endswith("is not UTF-8 text")
    assert refusal(tmp_path, "file:.").endswith("is no plain file")


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "pipe" if kind == "pipe" else Path("/dev/zero")
    assert refusal(tmp_path, f"file:{path}").endswith("is no plain file")


def test_only_texts_that_begin_so_are_references() -> None:
    assert is_reference("env:A")
    assert is_reference("file:a")
    assert not is_reference("https://env:a")
    assert not is_reference(["env:A"])
