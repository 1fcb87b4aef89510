"""What a person reads of alerts."""

from datetime import timedelta

from daemon.dispatch.survey import News, Word
from daemon.dispatch.wording import MOST_ENTRIES, Scene, message_of
from daemon.notify.base import Message
from daemon.notify.wire import from_wire, to_wire
from state.codec import from_json, to_json
from state.records import Alert, Severity, replace
from tests.daemon.notify.hostile import hostile_message
from tests.house import NOW


def alert(number: int = 0, **fields: object) -> Alert:
    made = Alert(
        id=f"a{number}",
        fingerprint=f"f{number}",
        name="task.failed",
        severity=Severity.ERROR,
        summary=f"job {number} failed",
        first_at=NOW + timedelta(seconds=number),
        last_at=NOW + timedelta(seconds=number),
    )
    return replace(made, **fields)


def said(*news: News, app_url: str | None = None, children: dict[str, int] | None = None) -> Message:
    scene = Scene(now=NOW, host="desk1", app_url=app_url, children=children or {})
    return message_of(news, scene, message_id="m", thread="t", closes=())


def news(told: Alert, word: Word = Word.FIRED) -> News:
    return News(word=word, alert=told, receiver="oncall", telling=None, since=told.first_at)


def test_one_alert_says_what_since_when_how_often_where_and_what_to_do() -> None:
    told = alert(
        labels={"handler": "nightly-batch"},
        count=1200,
        last_at=NOW + timedelta(hours=1),
        advice="nightdesk history --handler nightly-batch",
        details={"error": "the disk said no", "inFlight": ["a (1)", "b (2)"], "nothing": ""},
    )
    message = said(news(told), app_url="https://desk.example/", children={"a0": 3})
    assert message.title == "job 0 failed"
    assert message.facts == (
        ("Alert", "task.failed"),
        ("Since", "2026-11-21 21:00:00 UTC"),
        ("Times", "1,200, last 2026-11-21 22:00:00 UTC"),
        ("Handler", "nightly-batch"),
        ("In flight", "a (1), b (2)"),
        ("Comes of it", "3 more alerts, not told one by one"),
        ("Host", "desk1"),
    )
    assert message.text.split("\n\n") == [
        "Last error: the disk said no",
        "What to do: nightdesk history --handler nightly-batch",
        "To say that you are on it: nightdesk alerts ack a0",
    ]
    assert message.link == ("Open the alert", "https://desk.example/alerts/a0")


def test_without_an_address_there_is_no_link() -> None:
    assert said(news(alert())).link is None


def test_the_gravest_and_newest_come_first_and_what_is_over_last() -> None:
    over = alert(1, resolved_at=NOW, severity=Severity.CRITICAL)
    message = said(news(over, Word.OVER), news(alert(2)), news(alert(3, severity=Severity.CRITICAL)))
    assert [it.title for it in message.entries] == ["job 3 failed", "job 2 failed", "job 1 failed"]
    assert message.title == "3 alerts: 1 critical, 1 error, 1 over"
    assert message.kind == "alert"
    assert message.severity is Severity.CRITICAL


def test_advice_that_holds_for_all_is_said_once_on_top() -> None:
    same = said(*(news(alert(n, advice="nightdesk status")) for n in range(3)))
    assert same.text == "3 × task.failed: new\n\nWhat to do: nightdesk status"
    mixed = said(news(alert(1, advice="a")), news(alert(2, advice="b")))
    assert "What to do" not in mixed.text
    assert [it.text for it in mixed.entries] == ["a", "b"]


def test_what_is_too_much_for_any_message_is_counted() -> None:
    message = said(*(news(alert(n)) for n in range(MOST_ENTRIES + 7)))
    assert len(message.entries) == MOST_ENTRIES
    assert "7 more are not named here: nightdesk alerts list --open" in message.text


def test_a_message_comes_back_from_json_as_it_was() -> None:
    for seed in range(50):
        message = hostile_message(seed)
        try:
            wire = to_json(to_wire(message))
        except TypeError:
            continue  # alerts are cleaned of what JSON cannot hold before they are written
        assert from_wire(from_json(wire)) == message
    full = said(news(alert()), news(alert(1)), app_url="https://desk.example")
    assert from_wire(from_json(to_json(to_wire(full)))) == full
