"""Which command helps against a cause that reports failed of."""

import re

# The first row that fits counts. Words are those of our own messages, and of servers that refuse.
REMEDIES = (
    (re.compile(r"ledger|database", re.IGNORECASE), "nightdesk test database"),
    (re.compile(r"could not be kept|no space|disk|read-only", re.IGNORECASE), "df -h"),
    (
        re.compile(
            r"roster|recipient|no channel|no such user|user unknown|mailbox|\b5\.1\.\d", re.IGNORECASE
        ),
        "nightdesk companies list",
    ),
    (re.compile(r"\bsource\b|facts|query|column", re.IGNORECASE), "nightdesk alerts list"),
    (re.compile(r"went away|it broke"), "nightdesk history --handler write-reports"),
    (
        re.compile(
            r"connect|refused|time|no answer|\btls\b|certificate|resolve|hung up|\b[45]\d\d\b|later|token"
            r"|greylist|\bN s\b",
            re.IGNORECASE,
        ),
        "nightdesk test channels",
    ),
)
OTHERWISE = "nightdesk history --handler write-reports"


def remedy_for(cause: str) -> str:
    """The command to begin with."""
    return next((command for fits, command in REMEDIES if fits.search(cause)), OTHERWISE)
