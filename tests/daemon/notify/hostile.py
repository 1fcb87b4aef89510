"""What strangers write: made-up messages that try everything at once."""

import random
from datetime import UTC, datetime

from daemon.notify.base import Entry, Message
from state.records import Severity

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)

BARBS = (
    "<!channel>",
    "<!here|here>",
    "<!everyone>",
    "<!subteam^S012|ops>",
    "<@U012AB3CD>",
    "<#C024BE7LR|general>",
    "@here @channel @everyone",
    "<https://evil.example|Your bank>",
    "&lt;!channel&gt;",
    "&amp;lt;!here&amp;gt;",
    "&&&&;<<>>|>",
    "<!date^1392734382^{date}|x>",
    "[click](https://evil.example)",
    "<script>alert(1)</script><img src=x onerror=1>",
    "*bold* _it_ ~gone~ `code` ```block",
    "\x00\x01\x1b[31mred\x1b[0m\x7f\x85",
    "\u202egnp.exe\u202c \u2066\u2069 \u200f\u061c",
    "zero\u200bwidth\ufeff\u2060join\U000e0041",
    "half \ud83d a pair \udc00",
    "line\u2028sep\u2029par\r\nand\rmore\n\n\n\n\nend",
    "👩‍👩‍👧‍👦👍🏽🇩🇪🏴‍☠️ é",
    "Z̷̡̢̛͔̥̗̹̻̱̬̤̏̈́̓̒̍̈́͑a̷l̵g̶o̷",
    "'\"; DROP TABLE item; --",
    "%s %(name)s {0} {x!r} ${HOME}",
    "   \t  ",
    "",
)
URLS = (
    None,
    "",
    "https://www.reddit.com/r/python/comments/1/x/",
    "http://example.com/?a=1&b=<2>|3 4\"5'",
    "https://example.com/" + "ü" * 50,
    "https://example.com/" + "x" * 5000,
    "javascript:alert(1)",
    "None/digests/2026-11-21",
    "https://bank.example@evil.example/",
    "https://evil.example/\n<!channel>",
    "https://evil.example/|<!here>",
    "ftp://example.com",
    "//example.com",
    "https://",
    "https://[::1",
    "https://ex<am>ple.com/",
    "data:text/html,<b>",
    "https://example.com/\u202egnp\ud83d",
)


def hostile_message(seed: int) -> Message:
    """One of endlessly many; the same seed gives the same one."""
    dice = random.Random(seed)

    def words(most: int) -> str:
        text = " ".join(dice.choice(BARBS) for _ in range(dice.randint(0, most)))
        return (text * dice.choice((1, 1, 1, 200)))[:10_000]

    return Message(
        id=f"digest-{seed}",
        kind="digest",
        title=words(6),
        text=words(30),
        severity=dice.choice((None, None, *Severity)),
        facts=tuple((words(2), words(3)) for _ in range(dice.choice((0, 3, 12, 40)))),
        entries=tuple(
            Entry(title=words(6), url=dice.choice(URLS), note=words(3), text=words(20))
            for _ in range(dice.choice((0, 1, 10, 60)))
        ),
        link=dice.choice((None, (words(2), dice.choice(URLS) or ""))),
        created_at=NOW,
    )
