"""What a cron line may say, and how each mistake is named."""

import pytest

from daemon.engine.cronfields import CronError, read_fields

READ = [
    ("0 23 * * *", "0", "23", "*", "*", "*"),
    ("*/15 9-17/4 1,15 */3 mon-fri", "0,15,30,45", "9,13,17", "1,15", "1,4,7,10", "1,2,3,4,5"),
    ("5/15 * * * *", "5,20,35,50", "*", "*", "*", "*"),
    ("5-5 * * * *", "5", "*", "*", "*", "*"),
    ("0-59 0-23 * JAN-DEC *", "*", "*", "*", "*", "*"),
    ("0 22-2 * nov-feb *", "0", "0,1,2,22,23", "*", "1,2,11,12", "*"),
    ("0 22-2/2 * * *", "0", "0,2,22", "*", "*", "*"),
    ("0 0 * * 7", "0", "0", "*", "*", "0"),
    ("0 0 * * 5-7", "0", "0", "*", "*", "0,5,6"),
    ("0 0 * * 6-0", "0", "0", "*", "*", "0,6"),
    ("0 0 * * fri-mon", "0", "0", "*", "*", "0,1,5,6"),
    ("0 0 * * 7-2", "0", "0", "*", "*", "0,1,2"),
    ("0 0 * * 0-7", "0", "0", "*", "*", "0,1,2,3,4,5,6"),
    ("0 0 1-31 * *", "0", "0", ",".join(map(str, range(1, 32))), "*", "*"),
    ("0 0 ? * ?", "0", "0", "*", "*", "*"),
    ("0 0 15,L * *", "0", "0", "15,l", "*", "*"),
    ("0 0 15W * *", "0", "0", "15w", "*", "*"),
    ("0 0 * * fri#3,1#1", "0", "0", "*", "*", "1#1,5#3"),
    ("0 0 * * Lfri", "0", "0", "*", "*", "l5"),
    ("007 05 * * *", "7", "5", "*", "*", "*"),
]


@pytest.mark.parametrize(("line", "minute", "hour", "day", "month", "weekday"), READ)
def test_names_ranges_and_steps_become_plain_numbers(
    line: str, minute: str, hour: str, day: str, month: str, weekday: str
) -> None:
    fields = read_fields(line)
    assert fields.second is None
    assert (fields.minute, fields.hour, fields.day, fields.month, fields.weekday) == (
        minute,
        hour,
        day,
        month,
        weekday,
    )


def test_a_sixth_field_puts_seconds_first() -> None:
    fields = read_fields("*/20 5 23 * * *")
    assert (fields.second, fields.minute, fields.hour) == ("0,20,40", "5", "23")


@pytest.mark.parametrize(
    ("line", "follows"),
    [("0 * * * *", True), ("0 */6 * * *", True), ("0 0-23 * * *", False), ("* 2 * * *", False)],
)
def test_only_hours_that_begin_with_a_star_follow_elapsed_time(line: str, follows: bool) -> None:
    assert read_fields(line).follows_elapsed_time is follows


@pytest.mark.parametrize(
    ("line", "both"),
    [("0 0 13 * 5", False), ("0 0 */2 * 5", True), ("0 0 13 * */2", True), ("0 0 1-31 * 5", False)],
)
def test_both_day_fields_must_match_once_one_begins_with_a_star(line: str, both: bool) -> None:
    assert read_fields(line).both_days_must_match is both


DAYS_ALLOWED = "days of the month are 1-31, L for the last, 15W for the working day nearest to the 15th"
WEEKDAYS_ALLOWED = (
    "weekdays are 0-7 or sun-sat (0 and 7 are Sunday), 5#3 for the third Friday, L5 for the last"
)
REFUSED = [
    ("0 25 * * *", '"0 25 * * *" has hour 25; hours are 0-23'),
    ("0 24 * * *", '"0 24 * * *" has hour 24; hours are 0-23'),
    ("60 * * * *", '"60 * * * *" has minute 60; minutes are 0-59'),
    ("-5 * * * *", '"-5 * * * *" has minute -5; minutes are 0-59'),
    ("5- * * * *", '"5- * * * *" has minute 5-; minutes are 0-59'),
    ("*-5 * * * *", '"*-5 * * * *" has minute *-5; minutes are 0-59'),
    ("1,,2 * * * *", '"1,,2 * * * *" has an empty minute; minutes are 0-59'),
    ("H * * * *", '"H * * * *" has minute h; minutes are 0-59'),
    ("٥ * * * *", '"٥ * * * *" has minute ٥; minutes are 0-59'),
    ("99999999999999999999 * * * *", "has minute 99999999999999999999; minutes are 0-59"),
    ("60 0 0 * * *", '"60 0 0 * * *" has second 60; seconds are 0-59'),
    ("0 0 0 * *", f'"0 0 0 * *" has day of month 0; {DAYS_ALLOWED}'),
    ("0 0 99W * *", f'"0 0 99W * *" has day of month 99; {DAYS_ALLOWED}'),
    ("0 0 1 13 *", '"0 0 1 13 *" has month 13; months are 1-12 or jan-dec'),
    ("0 0 1 juin *", 'has month juin; months are 1-12 or jan-dec; did you mean "jun"?'),
    ("0 0 * * 8", f'"0 0 * * 8" has weekday 8; {WEEKDAYS_ALLOWED}'),
    ("0 0 * * monday", f'has weekday monday; {WEEKDAYS_ALLOWED}; did you mean "mon"?'),
    ("0 0 * * mon#6", "has weekday mon#6; weekdays are 0-7"),
    ("0 0 * * 5L", "has weekday 5l; weekdays are 0-7"),
    ("*/90 * * * *", "has minute */90, whose step leads nowhere: it means 0 alone; steps here are 1-59"),
    ("0 */24 * * *", "has hour */24, whose step leads nowhere: it means 0 alone; steps here are 1-23"),
    (
        "10-20/15 * * * *",
        "has minute 10-20/15, whose step leads nowhere: it means 10 alone; steps here are 1-10",
    ),
    ("59/15 * * * *", "has minute 59/15, whose step leads nowhere: it means 59 alone; write 59"),
    ("*/0 * * * *", '"*/0 * * * *" has minute step 0; steps are whole numbers from 1'),
    ("*/ * * * *", '"*/ * * * *" has minute step of nothing; steps are whole numbers from 1'),
    ("0 0 1,15W * *", "has day of month 1,15w; W, # and L5 cannot be listed with plain days"),
    ("0 0 * * 1,L5", "has weekday 1,l5; W, # and L5 cannot be listed with plain days"),
    ("0 0 13 * 5#3", "has a day of month and a weekday; beside W, # or L5 the other one has to be *"),
    ("0 0 15W * 1", "has a day of month and a weekday; beside W, # or L5 the other one has to be *"),
    ("* * * * * *", '"* * * * * *" fires every second; if that is meant, write "@every 1s"'),
    ("0-59 */1 * * * *", "fires every second"),
    (
        "0 23 * *",
        '"0 23 * *" has 4 fields; it needs five fields (minute, hour, day of month, month, weekday)',
    ),
    ("0 0 23 * * * 2026", "has 7 fields; it needs five fields"),
    ("hourly", '"hourly" has 1 field; it needs five fields'),
    ("", '"" has 0 fields'),
]


@pytest.mark.parametrize(("line", "said"), REFUSED)
def test_a_mistake_is_named_with_what_is_allowed(line: str, said: str) -> None:
    with pytest.raises(CronError) as caught:
        read_fields(line)
    assert said in str(caught.value)


@pytest.mark.parametrize("line", ["\x1b" + "1," * 50_000 + " * * * *", "7" * 50_000 + " * * * *"])
def test_a_monstrous_line_is_quoted_in_part(line: str) -> None:
    with pytest.raises(CronError) as caught:
        read_fields(line)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
