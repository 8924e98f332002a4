"""Dates that a question names, absolute or relative: which day it is about, and how well another time fits."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from memem.errors import BadInput
from memem.value import Value

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH = r"(?P<month>[A-Z][a-z]{2,8})"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_PATTERNS = (
    re.compile(rf"\b{_YEAR}-(?P<month>[01]\d)(?:-(?P<day>[0-3]\d))?\b"),
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}\b(?:,?\s+{_YEAR})?"),
    re.compile(rf"\b{_MONTH}\s+{_DAY}\b(?:,?\s+{_YEAR})?"),
    re.compile(rf"\b{_MONTH},?\s+{_YEAR}\b"),
    # "may" and "march" are verbs as well: alone they are a month only behind such a word.
    re.compile(rf"\b(?:[Ii]n|[Oo]f|[Dd]uring|[Ss]ince|[Uu]ntil|[Bb]y|[Ll]ast|[Tt]his|[Ll]ate|[Ee]arly)\s+{_MONTH}\b"),
    re.compile(rf"\b{_YEAR}\b"),
)
_AGO = re.compile(
    r"\b(?P<count>\d{1,3}|an?|one|two|three|four|five|six)\s+(?P<unit>day|week|month|year)s?\s+ago\b", re.I
)
_LAST = re.compile(r"\b(?P<which>last|this|past)\s+(?P<unit>week|month|year)\b", re.I)
_DAYS = {"today": 0, "yesterday": 1}
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_LENGTHS = {"day": 1, "week": 7, "month": 30, "year": 365}
_SAME_MONTH, _SAME_YEAR = 0.5, 0.25


class When(Value):
    """A time that a question names: parts of a date, of which 0 is not said, or the days from `first` to `last`."""

    year: int = 0
    month: int = 0
    day: int = 0
    first: str = ""  # ISO 8601
    last: str = ""

    def fits(self, at: str) -> float:
        """How well an ISO 8601 time fits, from 0 (not at all) to 1 (that very day)."""
        if self.first:
            return float(self.first <= at[:10] <= self.last)
        year, month, day = at[:4], at[5:7], at[8:10]
        if self.year and year != f"{self.year:04}":
            return 0.0
        if not self.month:
            return _SAME_YEAR
        if month != f"{self.month:02}":
            return 0.0
        return 1.0 if day == f"{self.day:02}" else _SAME_MONTH


def named(text: str, today: date) -> When | None:
    """The first time that a text names, seen from `today`; None when it names none."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            month = _month(parts.get("month") or "")
            day = int(parts.get("day") or 0)
            if month >= 0 and day <= 31:
                return When(year=int(parts.get("year") or 0), month=month, day=day)
    return _relative(text, today)


def end_of(at: str) -> str:
    """The last second (UTC) of a day, or a time itself, as notes write it.

    Raises:
        BadInput: it is neither.
    """
    try:
        time = datetime.fromisoformat(f"{at}T23:59:59" if len(at) == len("2026-01-31") else at)
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        return time.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{at[:40]!r} is no date: write it like 2026-01-31.") from error


def seconds(at: str) -> float | None:
    """An ISO 8601 time in seconds since the epoch; None when it is none."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return None


def _month(name: str) -> int:
    """The number of a month, 0 for no name, -1 for what is none."""
    if not name or name.isdigit():
        number = int(name or 0)
        return number if number <= 12 else -1
    lower = name.lower()
    found = [number for number, month in enumerate(_MONTHS, 1) if lower in (month, month[:3], month[:4])]
    return found[0] if found else -1


def _relative(text: str, today: date) -> When | None:
    for word, back in _DAYS.items():
        if re.search(rf"\b{word}\b", text, re.I):
            return _between(today, back, back)
    if match := _AGO.search(text):
        length = _LENGTHS[match["unit"].lower()]
        count = _COUNTS.get(match["count"].lower()) or int(match["count"])
        slack = length // 3  # "two weeks ago" is seldom meant to the day
        return _between(today, count * length + slack, count * length - slack)
    if match := _LAST.search(text):
        length = _LENGTHS[match["unit"].lower()]
        return _between(today, 2 * length - 1 if match["which"].lower() == "last" else length - 1, 0)
    return None


def _between(today: date, farthest: int, nearest: int) -> When:
    try:
        return When(
            first=(today - timedelta(days=farthest)).isoformat(), last=(today - timedelta(days=nearest)).isoformat()
        )
    except OverflowError:
        return When(first="0001-01-01", last="0001-01-01")
