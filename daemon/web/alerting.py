"""The routes of alerts, silences and channels."""

from http import HTTPStatus
from typing import Annotated

from msgspec import Meta

from daemon.web.answers import alerts as shapes
from daemon.web.asking import Answer, Asking
from daemon.web.paging import after, within
from daemon.web.query import LONGEST_WAIT_S, flag, wait, whole
from daemon.web.route import Body, Reason, Route, Short, Until, do, read
from state.records import Alert, Severity, Silence

MOST_ALERTS = 10_000
MOST_MEMBERS = 1000
DEFAULT_MEMBERS = 100
FARTHEST = 1_000_000
SEVERITIES = [severity.value for severity in Severity]


class NewWord(Body):
    """Who has taken on an alert, or says that it is over; who ends a silence."""

    by: Short = "operator"


class NewSilence(Body):
    """What is not to be told, how long, why, and on whose word."""

    match: Short
    until: Until
    reason: Reason
    owner: Short = "operator"


class NewAlertTest(Body):
    """How grave the alert is that is raised to see whether it arrives."""

    severity: Annotated[Short, Meta(extra_json_schema={"enum": SEVERITIES})] = "error"


class NewTest(Body):
    """The channel to try."""

    channel: Short


class NewCheck(Body):
    """The channels to check: one, those of one type, or all."""

    channel: Short | None = None
    type: Short | None = None


async def alerts(asking: Asking) -> Answer:
    """Alerts that are open and those that ended lately, each with whether somebody was told of it."""
    limit, cursor = asking.given["limit"], asking.given["cursor"]
    rows = await asking.operations.alerts.listing(open_only=asking.given["open"])
    return within(rows, limit, cursor, "id")


async def alert(asking: Asking) -> Answer:
    """All about one alert, by its id or its name."""
    limit, offset = asking.given["limit"], asking.given["offset"]
    return Answer(value=await asking.operations.alerts.show(asking.path["id"], limit, offset))


async def acknowledge_alert(asking: Asking) -> Answer:
    """Note that somebody is on an open alert: it is told no further."""
    by = asking.read(NewWord).by
    return Answer(value=await asking.operations.alerts.acknowledge(asking.path["id"], by))


async def resolve_alert(asking: Asking) -> Answer:
    """Close an open alert by its id, or by its name where that is clear."""
    by = asking.read(NewWord).by
    return Answer(value=await asking.operations.alerts.resolve(asking.path["id"], by))


async def test_alert(asking: Asking) -> Answer:
    """Raise a test alert, and wait until it is proved to have arrived."""
    severity = asking.read(NewAlertTest).severity
    return Answer(value=await asking.operations.alerts.test(severity, asking.wait_s))


async def silences(asking: Asking) -> Answer:
    """The silences in force."""
    return Answer(value=await asking.operations.alerts.silences())


async def new_silence(asking: Asking) -> Answer:
    """Tell nobody of what matches, for at most 24 hours."""
    new = asking.read(NewSilence)
    made = await asking.operations.alerts.silence(new.match, new.until, new.reason, new.owner)
    return Answer(value=made)


async def end_silence(asking: Asking) -> Answer:
    """End a silence before its time."""
    by = asking.read(NewWord).by
    return Answer(value=await asking.operations.alerts.end_silence(asking.path["id"], by))


async def channels(asking: Asking) -> Answer:
    """The channels that can be sent on, and how each fares."""
    return Answer(value=await asking.operations.channels.listing())


async def check_channels(asking: Asking) -> Answer:
    """Go as far towards the receivers as one can without a message."""
    wanted = asking.read(NewCheck)
    return Answer(value=await asking.operations.channels.check(wanted.channel, wanted.type))


async def test_channel(asking: Asking) -> Answer:
    """Send a test message on a channel."""
    return Answer(value=await asking.operations.channels.test(asking.read(NewTest).channel))


OPEN = flag("open", "1 for those alone that are open.")
MEMBERS = (
    whole("limit", "How many alerts of each of its incidents.", DEFAULT_MEMBERS, MOST_MEMBERS),
    whole("offset", "How many of them were on the pages before.", 0, FARTHEST),
)
LIMIT = whole("limit", "How many rows at most.", MOST_ALERTS, MOST_ALERTS)
CURSOR = after("The id of the last alert of the page before.")

ALERT_ROUTES: tuple[Route, ...] = (
    read("/api/alerts", alerts, gives=list[shapes.AlertRow], query=(OPEN, LIMIT, CURSOR)),
    do("/api/alerts/test", test_alert, NewAlertTest, gives=shapes.AlertTrial, query=(wait(LONGEST_WAIT_S),)),
    read("/api/alerts/{id}", alert, gives=shapes.AlertPage, query=MEMBERS),
    do("/api/alerts/{id}/ack", acknowledge_alert, NewWord, gives=Alert),
    do("/api/alerts/{id}/resolve", resolve_alert, NewWord, gives=Alert),
    read("/api/silences", silences, gives=list[Silence]),
    do("/api/silences", new_silence, NewSilence, gives=Silence, status=HTTPStatus.CREATED),
    do("/api/silences/{id}/end", end_silence, NewWord, gives=Silence),
    read("/api/channels", channels, gives=list[shapes.ChannelRow]),
    do("/api/channels/check", check_channels, NewCheck, gives=list[shapes.Trial]),
    do("/api/notify/test", test_channel, NewTest, gives=shapes.TestDelivery),
)
