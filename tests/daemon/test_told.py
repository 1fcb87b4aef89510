"""What is said of how far people were told of an alert."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.told import Known, everything, latency_s, rows, told
from state.records import Alert, Notice, NoticeState, Severity, Telling

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=4)


def alert(name: str = "x.broke") -> Alert:
    return Alert(
        id=name, fingerprint=name, name=name, severity=Severity.ERROR, summary="s", first_at=NOW, last_at=NOW
    )


def telling(receiver: str = "oncall", alert_id: str = "x.broke", **fields: Any) -> Telling:
    return Telling(id=f"{alert_id}@{receiver}", alert_id=alert_id, receiver=receiver, **fields)


def notice(*alerts: str, receiver: str = "oncall", **fields: Any) -> Notice:
    return Notice(
        id=f"alert-{receiver}",
        receiver=receiver,
        incident="incident-1",
        kind="alert",
        title="t",
        message={},
        alerts=alerts or ("x.broke",),
        since=NOW,
        created_at=NOW,
        next_try_at=NOW,
        **fields,
    )


PROVED = {"state": NoticeState.DELIVERED, "channel": "ops", "delivered_at": LATER}


@pytest.mark.parametrize(
    ("tellings", "notices", "state", "channel", "reason"),
    [
        ([telling()], [], "waiting", None, None),
        ([telling(muted="silenced")], [], "muted", None, "silenced"),
        ([telling(noticed_at=NOW)], [notice(error="ops: no")], "owed", None, "ops: no"),
        ([telling(noticed_at=NOW, told_at=LATER)], [notice(**PROVED)], "delivered", "ops", None),
        ([telling(noticed_at=NOW, told_at=LATER)], [], "delivered", None, None),
        ([telling("b", muted="m"), telling("c", noticed_at=NOW)], [], "owed", None, None),
    ],
    ids=["waiting", "muted", "owed", "delivered", "notice-forgotten", "best-of-two"],
)
def test_an_alert_is_told_as_far_as_the_receiver_who_knows_most(
    tellings: list[Telling], notices: list[Notice], state: str, channel: str | None, reason: str | None
) -> None:
    row = told(tellings, notices)
    assert row is not None
    assert (row["state"], row["channel"], row["reason"]) == (state, channel, reason)


def test_of_what_nothing_was_decided_nothing_is_said() -> None:
    assert told([], []) is None
    (row,) = rows([alert()], Known(alerts={}, tellings={}, notices=()))
    assert row["told"] is None


def test_a_message_to_another_receiver_says_nothing_of_this_one() -> None:
    row = told([telling(noticed_at=NOW, told_at=LATER)], [notice(receiver="boss", **PROVED)])
    assert row is not None
    assert row["channel"] is None


def test_the_latency_runs_from_the_event_to_the_proof() -> None:
    assert latency_s(notice(**PROVED)) == 4.0
    assert latency_s(notice()) is None


def test_an_incident_holds_the_alerts_that_one_receiver_was_told_of_together() -> None:
    names = ("x.broke", "y.broke", "z.broke")
    tellings = {
        name: [telling(alert_id=name, incident="incident-1", noticed_at=NOW)] for name in names[:2]
    } | {"z.broke": [telling("boss", "z.broke", incident="incident-1", noticed_at=NOW)]}
    known = Known(alerts={name: alert(name) for name in names}, tellings=tellings, notices=[notice(*names)])
    (incident,) = everything(alert(), known, limit=1, offset=1)["incidents"]
    assert (incident["total"], [it["id"] for it in incident["alerts"]]) == (2, ["y.broke"])
