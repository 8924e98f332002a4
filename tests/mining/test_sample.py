"""The bundled session yields the lessons that the demo promises."""

from __future__ import annotations

from importlib.resources import as_file

import pytest

from memem.mining.lessons import LONGEST, Lesson
from memem.mining.patterns import mine
from memem.sources.claude_code import ClaudeCode

from ..cli.test_sample import NOISE, SAMPLE

# The core of each lesson in lessons.json, in the words of the session.
CORES = (
    ("berth booking service", "FastAPI", "PostgreSQL 16"),
    ("uv run poe test", "never"),
    ("6397", "ferry tracker"),
    ("hold:{berth}*",),
    ("short answers", "no summary"),
    ("exclusion constraint", "Redis lock"),
    ("UTC", "never in local time"),
    ("webhook twice", "event_id"),
)


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    with as_file(SAMPLE / "session.jsonl") as path:
        return mine(ClaudeCode().read(path))


@pytest.mark.parametrize("core", CORES)
def test_lesson_of_the_sample_is_mined(lessons: list[Lesson], core: tuple[str, ...]) -> None:
    assert any(all(word in lesson.content for word in core) for lesson in lessons)


@pytest.mark.parametrize("noise", NOISE)
def test_noise_of_the_sample_is_not_mined(lessons: list[Lesson], noise: str) -> None:
    assert not [lesson.content for lesson in lessons if noise in lesson.content]


def test_lessons_of_the_sample_cite_their_records(lessons: list[Lesson]) -> None:
    assert all(lesson.evidence for lesson in lessons)
    assert all(len(lesson.content) <= LONGEST for lesson in lessons)
