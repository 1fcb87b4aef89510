"""A channel that is revoked: what it should have told is told by another, and so is that it is revoked."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.desk import Desk
from tests.journeys.three_stand_in import Three, fail, three_channels
from tests.journeys.web_stand_in import NO_SERVICE

TOLD_S = 15.0
SECOND_S = 80.0  # the second message to somebody comes a minute after the first


@pytest.fixture
def channels() -> Iterator[Three]:
    with three_channels() as made:
        yield made


@pytest.mark.waits
def test_a_revoked_webhook_is_told_by_the_next_channel_left_alone_and_over_once_a_test_arrives(
    desk: Desk, channels: Three
) -> None:
    channels.write_config(desk, jobs=["payroll", "invoices"])
    desk.start()
    channels.room.instead = NO_SERVICE
    fail(desk, "payroll")
    desk.wait_for("the alert by mail", lambda: by_mail(channels, "payroll failed"), patience_s=TOLD_S)
    (down,) = desk.wait_for("the alert of the channel", lambda: open_alerts(desk, "channel.down"))
    assert (down["labels"], down["severity"]) == ({"channel": "room"}, "error")
    assert down["advice"] == "nightdesk notify test room"
    calls = channels.room.line.calls
    fail(desk, "invoices")
    desk.wait_for(
        "both by mail", lambda: by_mail(channels, "The channel room", "invoices failed"), patience_s=SECOND_S
    )
    assert channels.room.line.calls == calls, "a dead channel is left alone"
    assert (channels.room.line.copies, channels.hook.line.copies) == ([], [])

    failed = desk.run("notify", "test", "room", "--json")
    assert (failed.code, failed.json["delivered"]) == (1, False)
    assert open_alerts(desk, "channel.down")
    channels.room.instead = None
    assert desk.does("notify", "test", "room", "--json").json["delivered"] is True
    desk.wait_for("the end of it", lambda: not open_alerts(desk, "channel.down"))
    assert len(channels.room.line.copies) == 1


def test_a_digest_that_its_channel_refuses_is_alerted_by_another(desk: Desk, channels: Three) -> None:
    channels.write_config(
        desk, digestNotificationChannel="room", alerts={"groupWait": "2s", "receivers": {"oncall": ["post"]}}
    )
    desk.start()
    desk.does("items", "add", str(desk.write_leads({"id": "a", "title": "A lamp", "score": 0.9})))
    desk.does("trigger", "nightly-batch", "--wait")
    channels.room.instead = NO_SERVICE
    assert desk.run("trigger", "send-digest", "--wait").code == 1
    (copy,) = desk.wait_for("the alert by mail", lambda: channels.post.line.copies, patience_s=TOLD_S)
    (unsent,) = desk.alerts("digest.unsent")
    assert unsent["summary"] in copy.text
    assert "The channel room refuses messages" in copy.text
    assert channels.room.line.copies == []

    channels.room.instead = None
    desk.does("digest", "send")
    assert "A lamp" in channels.room.line.copies[0].text
    desk.wait_for("the end of both", lambda: not desk.rows("SELECT 1 FROM alert WHERE resolved_at IS NULL"))


def by_mail(channels: Three, *words: str) -> bool:
    """Whether each of the words has come by mail."""
    told = "\n".join(copy.text for copy in channels.post.line.copies)
    return all(word in told for word in words)


def open_alerts(desk: Desk, name: str) -> list[dict[str, Any]]:
    """The open alerts of a name, as the daemon tells them."""
    return [it for it in desk.client.get("/api/alerts", {"open": 1}) if it["name"] == name]
