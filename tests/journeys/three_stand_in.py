"""Three channels of three kinds that one person is reached by, in this order: Slack, mail, a webhook."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.journeys.desk import NEVER, Desk
from tests.journeys.line_stand_in import Copy, Line, Switchboard, Way, switchboard
from tests.journeys.mail_stand_in import Mail, mail_server
from tests.journeys.web_stand_in import Web, slack, webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NAMES = ("room", "post", "hook")


@dataclass(frozen=True)
class Three:
    """The channels, and what they have taken in."""

    room: Web
    post: Mail
    hook: Web

    @property
    def lines(self) -> tuple[Line, ...]:
        return (self.room.line, self.post.line, self.hook.line)

    @property
    def copies(self) -> list[Copy]:
        """All that has arrived, oldest first."""
        return sorted((copy for line in self.lines for copy in line.copies), key=lambda it: it.at)

    @property
    def refused(self) -> list[str]:
        """What the real receivers would not have had of what was sent."""
        return [*self.room.refused, *self.hook.refused]

    def become(self, *ways: Way) -> None:
        """Deal with callers so: one word for each channel, or one for all."""
        for line, way in zip(self.lines, ways * (len(self.lines) // len(ways)), strict=True):
            line.become(way)

    def about(self, *words: str) -> list[Copy]:
        """The copies that hold all the words."""
        return [copy for copy in self.copies if all(word in copy.text for word in words)]

    def write_config(self, desk: Desk, *, jobs: Iterable[str] = (), **settings: Any) -> None:
        """Configure a desk for these channels, with jobs that fail whenever they are triggered."""
        desk.environ |= {"ROOM_URL": self.room.url, "HOOK_URL": self.hook.url, "HOOK_SECRET": SECRET}
        fails = {"command": ["false"], "cron": NEVER, "maxAttempts": 1}
        alerts = {"groupWait": "1s", "receivers": {"oncall": NAMES}, "routes": [{"receiver": "oncall"}]}
        desk.write_config(
            timezone="UTC",
            heartbeatSchedule=NEVER,
            network={"allowPrivate": True},
            schedules=dict.fromkeys(jobs, fails),
            channels={
                "room": {"type": "slack", "url": "env:ROOM_URL"},
                "post": self.post.entry,
                "hook": {"type": "webhook", "url": "env:HOOK_URL", "secret": "env:HOOK_SECRET"},
            },
            alerts={**alerts, **settings.pop("alerts", {})},
            **settings,
        )


def three(board: Switchboard) -> Three:
    """Open the three on a switchboard."""
    return Three(room=slack(board), post=mail_server(board), hook=webhook(board, SECRET))


@contextmanager
def three_channels() -> Iterator[Three]:
    """Open the three, on a switchboard of their own."""
    with switchboard() as board:
        yield three(board)


def fail(desk: Desk, job: str) -> None:
    """Have a job fail for good, which is an alert."""
    desk.client.post(f"/api/schedules/{job}/trigger", {})
