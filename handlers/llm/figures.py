"""Whether every figure in a text is one that the day's material holds."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Context, Decimal

from handlers.llm.material import Material, as_decimal

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"thousand": 3, "k": 3, "million": 6, "m": 6, "billion": 9, "bn": 9}

LONGEST_FIGURE = 40  # characters; nothing that is longer is meant to be read
LARGEST = Decimal(10) ** 40
MOST_PLACES = 12
SHORT_TEXT = 40  # characters; a longer value is a text: what it says is no fact of ours

_EXACT = Context(prec=80)
_SAYS_PERCENT = re.compile(r"(?i)percent|pct|%|share|rate|ratio|quota")
_NUMBER = re.compile(r"(?<![^\s_(])(?:\d{1,3}(?:,\d{3})+|\d{1,18})(?:\.\d{1,9})?(?![^\s_),;%])", re.ASCII)
_EDGES = "\"'()[]{}.,;:!?…“”‘’«»"
_FIGURE = re.compile(
    r"(?P<sign>(?<![\w)])[-−–+])?(?:(?:US)?[$€£¥]\s?)?"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:(?P<points>\s?percentage[ -]points?\b)|(?P<percent>\s?(?:%|percent\b|per\scent\b))"
    r"|[\s-]?(?P<scale>thousand|million|billion)\b|(?P<short>k|m|bn)\b"
    r"|(?:mins?|hrs?|h|s|ms|km|kg|[kmgt]b)\b)?",
    re.ASCII | re.IGNORECASE,
)
_JOINED = re.compile(r"(?<=\d)[\u00a0\u2009\u202f'’](?=\d{3}(?!\d))")  # 1 234 as typographers part it
_COUNT_WORD = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(TENS)})(?:[- ](?P<ones>{'|'.join(UNITS[1:10])}))?"
    rf"|(?P<unit>{'|'.join((UNITS[0], *UNITS[2:]))})"
    r"|(?P<vague>hundreds?|thousands?|millions?|billions?|trillions?|dozens?|half|halved?|halves|halving"
    r"|thirds|quarters|twice|thrice|(?:doubl|tripl|quadrupl)(?:e|es|ed|ing)|\w+fold"
    r"|(?:a|one)[ -](?:third|quarter)))\b",
    re.IGNORECASE,
)


class Figures:
    """The figures of one day's material, in whatever way prose may write them.

    A figure is held if some number of the material, rounded to as many places as are shown, is equal to
    it. A minus needs a negative number; without a sign either will do, for "fell by 12" is said of -12.
    A percentage needs a number that is one. Counts in words are held to the same.
    """

    def __init__(self, material: Material) -> None:
        self._numbers: set[Decimal] = set()
        self._percents: set[Decimal] = set()
        self._words: set[str] = set()
        self._rounded: dict[tuple[bool, int, int], frozenset[Decimal]] = {}
        self._days = _days_pattern(_days_of(material))
        for name, value in material.numbers():
            if isinstance(value, str):
                self._take_text(value)
            elif (number := as_decimal(value)) is not None and abs(number) < LARGEST:
                self._take(name, number)
        for text in material.labels():
            self._take_text(text)
        for change in material.changes.values():
            self._take_change(change.get("difference"), change.get("percent"))

    def unheld(self, text: str) -> str | None:
        """The first figure in a text that the material does not hold; None: it holds all of them."""
        text = _JOINED.sub(",", text)
        text = self._days.sub(" ", text)
        text = " ".join(word for word in text.split() if not self._is_known(word))
        odd = next((it for it in text if not it.isascii() and unicodedata.category(it).startswith("N")), None)
        if odd is not None:
            return odd
        left = []
        at = 0
        for match in _FIGURE.finditer(text):
            if not (_stands_alone(text, match) and self._holds(match)):
                return match.group().strip()
            left.append(text[at : match.start()])
            at = match.end()
        return self._unheld_word(" ".join([*left, text[at:]]))

    def _take(self, name: str, number: Decimal) -> None:
        self._numbers.add(number)
        is_whole = number == number.to_integral_value()
        if _SAYS_PERCENT.search(name) or (not is_whole and abs(number) <= 100):
            self._percents.add(number)
        if abs(number) <= 1:
            self._percents.add(number * 100)

    def _take_text(self, text: str) -> None:
        if len(text) <= SHORT_TEXT:
            self._words |= {bare for word in text.split() if _has_digit(bare := word.strip(_EDGES))}
            # Whole numbers only: of "EWR-B6" or "05:40" no part is a figure.
            self._numbers |= {Decimal(it.replace(",", "")) for it in _NUMBER.findall(text)}

    def _take_change(self, difference: object, percent: object) -> None:
        if (number := as_decimal(difference)) is not None:
            self._numbers.add(number)
        if (number := as_decimal(percent)) is not None:
            self._percents.add(number)

    def _is_known(self, word: str) -> bool:
        return _has_digit(word) and word.strip(_EDGES) in self._words and not word.strip(_EDGES).isdecimal()

    def _holds(self, match: re.Match[str]) -> bool:
        digits = match["number"].replace(",", "")
        places = len(digits.partition(".")[2])
        if len(digits) > LONGEST_FIGURE or places > MOST_PLACES:
            return False
        scale = SCALES[(match["scale"] or match["short"]).lower()] if match["scale"] or match["short"] else 0
        shown = Decimal(digits)
        kinds = (True, False) if match["points"] else (bool(match["percent"]),)
        signs = {"+": (1,), None: (1, -1)}.get(match["sign"], (-1,))
        known = frozenset[Decimal]().union(*(self._as_shown(kind, scale, places) for kind in kinds))
        return any(shown * sign in known for sign in signs)

    def _as_shown(self, is_percent: bool, scale: int, places: int) -> frozenset[Decimal]:
        """Every number of the material as it looks with so many places, both ways of rounding a half."""
        key = (is_percent, scale, places)
        if key not in self._rounded:
            numbers = self._percents if is_percent else self._numbers
            self._rounded[key] = frozenset(_rounded(numbers, scale, places))
        return self._rounded[key]

    def _unheld_word(self, text: str) -> str | None:
        for match in _COUNT_WORD.finditer(text):
            if match["vague"]:
                return match.group()
            count = UNITS.index(match["unit"].lower()) if match["unit"] else _tens(match)
            if Decimal(count) not in self._numbers:
                return match.group()
        return None


def _tens(match: re.Match[str]) -> int:
    ones = UNITS.index(match["ones"].lower()) if match["ones"] else 0
    return (TENS.index(match["tens"].lower()) + 2) * 10 + ones


def _rounded(numbers: Iterable[Decimal], scale: int, places: int) -> Iterator[Decimal]:
    grain = Decimal(1).scaleb(-places)
    for number in numbers:
        scaled = number.scaleb(-scale, _EXACT)
        for way in (ROUND_HALF_UP, ROUND_HALF_DOWN):
            yield scaled.quantize(grain, way, _EXACT)


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """Whether a figure is all of a figure, and no part of a word, a time, a version or a larger one."""
    start, end = match.start("number"), match.end()
    before, after = text[max(start - 1, 0) : start], text[end : end + 2]
    if (
        before.isalnum()
        or before in tuple("._/:#@")
        or (before == "," and text[start - 2 : start - 1].isdigit())
    ):
        return False
    return not after[:1].isalnum() and not (after[:1] in tuple(".,:/'’_") and after[1:].isdigit())


def _has_digit(word: str) -> bool:
    return any(it.isdigit() for it in word)


def _days_of(material: Material) -> set[date]:
    days = {material.day, material.day - timedelta(days=7)}
    for _, value in material.numbers():
        if isinstance(value, str):
            try:
                days.add(date.fromisoformat(value[:10]))
            except ValueError:
                continue
    return days


def _days_pattern(days: Iterable[date]) -> re.Pattern[str]:
    """Every usual way to write one of these days."""
    ways = [way for day in sorted(days) for way in _ways_to_write(day)]
    return re.compile(rf"(?i)(?<![\w.,/-])(?:{'|'.join(ways)})(?![\w/-]|[.,]\d)")


def _ways_to_write(day: date) -> Iterator[str]:
    full = MONTHS[day.month - 1]
    month = rf"(?:{full}|{full[:3]}\.?)"
    number = rf"0?{day.day}(?:st|nd|rd|th)?"
    yield re.escape(day.isoformat())
    yield rf"{number}\s(?:of\s)?{month}(?:,?\s{day.year})?"
    yield rf"{month}\s{number}(?:,?\s{day.year})?"
    yield rf"{month}\s{day.year}"
    yield rf"0?{day.day}([./])0?{day.month}\1{day.year}".replace(r"([./])", "[./]").replace(r"\1", "[./]")
