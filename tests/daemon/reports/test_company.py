"""A row of a roster judged: what makes a company, and what is said of what does not."""

from typing import Any

import pytest

from daemon.reports.company import company_of
from state.ledger.records import Company

ROW = {"id": "acme", "timezone": "Europe/Berlin", "recipients": ["a@x.org"]}


def judged(**fields: Any) -> Company:
    return company_of({**ROW, **fields}, ["ops"])


def test_a_row_of_json_and_one_of_csv_make_the_same_company() -> None:
    from_json = company_of(
        {
            "id": "Acme_1", "name": "Ačme & Söhne", "timezone": "Europe/Prague",
            "recipients": ["a@x.cz", "b@x.cz"],
            "channel": "ops", "deadline": "07:30", "weekdays": [1, 2, 3, 4, 5], "active": False,
        },
        ["ops"],
    )  # fmt: skip
    from_csv = company_of(
        {
            "id": "Acme_1", "name": "Ačme & Söhne", "timezone": "Europe/Prague",
            "recipients": "a@x.cz; b@x.cz",
            "channel": "ops", "deadline": "07:30", "weekdays": "mon-fri", "active": "no",
        },
        ["ops"],
    )  # fmt: skip
    assert from_json == from_csv
    assert from_json == Company(
        id="Acme_1", name="Ačme & Söhne", timezone="Europe/Prague", recipients=("a@x.cz", "b@x.cz"),
        channel="ops", deadline="07:30", weekdays=(1, 2, 3, 4, 5), active=False,
    )  # fmt: skip


def test_little_is_enough() -> None:
    made = company_of({"id": "a", "timezone": "UTC", "channel": "log", "weekdays": None, "name": ""}, [])
    assert made == Company(id="a", name="a", timezone="UTC", channel="log")


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("mon-fri", (1, 2, 3, 4, 5)), ("1-5", (1, 2, 3, 4, 5)), ("Monday, 3 sun", (1, 3, 7)),
        ("mon-sun", None),
        ([1, "wed"], (1, 3)), ("sat;sun;", (6, 7)), ("", None),
    ],
    ids=["names", "numbers", "mixed", "all", "list", "semicolons", "none"],
)  # fmt: skip
def test_weekdays_are_taken_as_people_write_them(said: object, days: tuple[int, ...] | None) -> None:
    assert judged(weekdays=said).weekdays == days


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": "../etc"}, 'id: "../etc" cannot be one; up to 64 letters'),
        ({"id": ""}, "id is missing"),
        ({"id": 7}, "id: 7 cannot be one"),
        ({"id": "x" * 65}, "cannot be one"),
        ({"id": "-a"}, "cannot be one"),
        ({"id": "a\n"}, "cannot be one"),
        ({"timezone": "Europe/Berlim"}, '"Europe/Berlim" is no time zone; did you mean "Europe/Berlin"?'),
        ({"timezone": "../../etc/passwd"}, "is no time zone"),
        ({"timezone": 3}, "timezone: 3 is no text"),
        ({"timezone": None}, "timezone is missing"),
        ({"recipients": []}, "it has no recipients and no channel"),
        ({"recipients": None}, "it has no recipients and no channel"),
        ({"recipients": ["a@x.org", "nobody"]}, 'recipients: "nobody" is no mail address'),
        ({"recipients": 5}, "recipients: is no list of mail addresses"),
        ({"channel": "opps"}, 'channel: "opps" is not configured; did you mean "ops"?'),
        ({"channel": ["ops"]}, "channel: a list is not configured"),
        ({"deadline": "7:00"}, 'deadline: "7:00" is no time of day'),
        ({"deadline": 7}, "deadline: 7 is no text"),
        ({"weekdays": "funday"}, 'weekdays: "funday" is no day'),
        ({"weekdays": [0]}, 'weekdays: "0" is no day'),
        ({"weekdays": "12"}, 'weekdays: "12" is no day'),
        ({"weekdays": "fri-mon"}, 'weekdays: "fri-mon" runs backwards'),
        ({"weekdays": []}, "weekdays: a list names no days"),
        ({"active": "perhaps"}, 'active: "perhaps" is neither true nor false'),
        ({"active": 1}, "active: 1 is neither"),
        ({"name": "a\x1b[2J"}, "name: "),
        ({"name": 5}, "name: 5 is none"),
        ({"recipient": "a@x.org"}, '"recipient" is no field of a company; did you mean "recipients"?'),
    ],
    ids=lambda it: it if isinstance(it, str) else next(iter(it)),
)  # fmt: skip
def test_what_is_no_company_is_told_field_and_value(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as refused:
        judged(**fields)
    assert said in str(refused.value)
