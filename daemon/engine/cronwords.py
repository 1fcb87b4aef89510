"""Say in a few words when a cron line fires."""

from daemon.engine.cronfields import Fields

_EVERY_DAY = ("*", "*", "*")
_FULL_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def in_words(fields: Fields, timezone: str) -> str | None:
    """ "every 5 minutes", "daily at 23:00 Europe/Berlin"; None where the line itself says it better."""
    if fields.second not in (None, "0"):
        return None
    if fields.hour == "*" and (fields.day, fields.month, fields.weekday) == _EVERY_DAY:
        return _within_the_hour(fields.minute)
    days = _days(fields)
    if days is None or not (fields.hour.isdigit() and fields.minute.isdigit()):
        return None
    return f"{days} at {int(fields.hour):02}:{int(fields.minute):02} {timezone}"


def _within_the_hour(minute: str) -> str | None:
    if minute == "*":
        return "every minute"
    if minute.isdigit():
        return f"hourly at minute {minute}"
    minutes = [int(number) for number in minute.split(",")]
    step = minutes[1]
    # Only a step that divides the hour is kept from one hour into the next: */7 is 56, 0, 7.
    return f"every {step} minutes" if 60 % step == 0 and minutes == list(range(0, 60, step)) else None


def _days(fields: Fields) -> str | None:
    if fields.month != "*":
        return None
    match (fields.day, fields.weekday):
        case ("*", "*"):
            return "daily"
        case ("*", "1,2,3,4,5"):
            return "Monday to Friday"
        case ("*", weekday) if weekday.isdigit():
            return f"every {_FULL_NAMES[int(weekday)]}"
        case ("l", "*"):
            return "on the last day of the month"
        case (day, "*") if day.isdigit():
            return f"monthly on day {day}"
    return None
