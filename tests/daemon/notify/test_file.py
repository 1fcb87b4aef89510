"""The channel that writes into files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from daemon.clock import VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Failure, Message
from daemon.notify.http import HttpClient
from tests.daemon.notify.hostile import NOW, hostile_message

PAGE = "<!doctype html>\n<p>Ours, and <b>safe</b></p>"
REPORT = Message(
    id="report.acme.2026-11-21",
    kind="report",
    title="Acme",
    text="Acme\n\n  a  b\n",
    html=PAGE,
    created_at=NOW,
)


@asynccontextmanager
async def opened(logs: Path | None, **options: object) -> AsyncIterator[Channel]:
    http = HttpClient()
    try:
        yield open_channel("file", options, Tools(http=http, clock=VirtualClock(NOW), logs=logs))
    finally:
        await http.close()


async def test_a_message_is_written_as_text_and_as_a_page(tmp_path: Path) -> None:
    async with opened(tmp_path) as channel:
        receipt = await channel.send(REPORT)
    [text] = tmp_path.rglob("*.txt")
    assert text.parent == tmp_path / "messages" / NOW.date().isoformat() / "report"
    assert text.name == "report.acme.2026-11-21.txt"
    assert text.read_text() == REPORT.text
    assert text.with_suffix(".html").read_text() == PAGE
    assert "nobody has been told" in receipt.proof


async def test_a_second_copy_is_the_same_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as channel:
        for text in ("first", "second"):
            await channel.send(replace(REPORT, text=text))
    [kept] = tmp_path.rglob("*.txt")
    assert kept.read_text() == "second"


async def test_no_message_leads_out_of_its_folder(tmp_path: Path) -> None:
    async with opened(tmp_path / "logs") as channel:
        for seed in range(100):
            await channel.send(hostile_message(seed))
        await channel.send(replace(REPORT, id="../../../x", kind="../y"))
        await channel.send(replace(REPORT, id="..", kind=".."))
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["messages"]


async def test_what_the_disk_refuses_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "messages").write_text("in the way")
    async with opened(tmp_path) as channel:
        with pytest.raises(ChannelError, match="Not a directory") as caught:
            await channel.send(REPORT)
        [step] = await channel.check()
    assert caught.value.failure is Failure.TRANSIENT
    assert not step.is_ok


async def test_its_check_names_the_folder(tmp_path: Path) -> None:
    async with opened(tmp_path, folder="outbox") as channel:
        [step] = await channel.check()
    assert step.is_ok
    assert step.detail == str(tmp_path / "outbox")


async def test_without_logs_there_is_nowhere_to_write() -> None:
    async with opened(None) as channel:
        with pytest.raises(ChannelError, match="no folder") as caught:
            await channel.send(REPORT)
        [step] = await channel.check()
    assert caught.value.failure is Failure.PERMANENT
    assert not step.is_ok


@pytest.mark.parametrize("folder", ["../x", "/etc", ".hidden", "a/b", ""])
def test_a_folder_is_a_plain_name_below_the_logs(folder: str) -> None:
    with pytest.raises(ValidationError, match="folder"):
        open_channel("file", {"folder": folder}, Tools(http=HttpClient(), clock=VirtualClock(NOW)))
