"""Dates that a question names."""

from __future__ import annotations

from datetime import date

import pytest

from memem.dates import named, seconds

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "at", "fits"),
    [
        ("What broke on 7 May 2023?", "2023-05-07T10:00:00Z", 1.0),
        ("What broke on May 7th?", "2025-05-07", 1.0),
        ("What broke on May 7, 2023?", "2023-05-09", 0.5),
        ("the deploy of 2026-03-04", "2026-03-04T23:00:00", 1.0),
        ("in March 2025", "2025-03-30", 0.5),
        ("in March 2025", "2024-03-30", 0.0),
        ("what did we do in June", "2026-06-01", 0.5),
        ("in 2024", "2024-12-31", 0.25),
        ("what did I say yesterday", "2026-11-20T08:00:00Z", 1.0),
        ("what did I say yesterday", "2026-11-21T08:00:00Z", 0.0),
        ("two weeks ago", "2026-11-07", 1.0),
        ("two weeks ago", "2026-10-01", 0.0),
        ("since last week", "2026-11-12", 1.0),
        ("in 2024", "", 0.0),
    ],
)
def test_time_named_fits_a_day(text: str, at: str, fits: float) -> None:
    when = named(text, TODAY)
    assert when is not None
    assert when.fits(at) == fits


@pytest.mark.parametrize(
    "text",
    ["May I delete it?", "it may fail", "March on", "port 6380", "the 7 tests", "1999999", "9999 years ago", "in Bash"],
)
def test_what_is_no_date_names_none(text: str) -> None:
    assert named(text, TODAY) is None


def test_seconds_of_what_is_no_time_are_none() -> None:
    assert seconds("2026-11-21T00:00:00+00:00") == 1795219200
    assert seconds("yesterday") is None
