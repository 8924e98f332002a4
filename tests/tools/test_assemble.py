"""context_assemble: one briefing from the same slices as everything else, within its budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memem.errors import BadInput
from memem.text import utf16_length
from memem.tools.arguments import validate
from memem.tools.full import profile

from ..home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def call(home: Home) -> Iterator[Callable[..., str]]:
    memem = home.open()
    (tool,) = (one for one in profile("full", lambda: memem) if one.name == "context_assemble")
    yield lambda **arguments: tool.run(validate(tool.schema, arguments)[0])
    memem.close()


def test_project_that_holds_little_is_completed_by_general_notes(home: Home, call: Callable[..., str]) -> None:
    home.save("The redis tunnel of the harbor closes at ten")
    home.write_note("g", "A redis tunnel needs a keepalive", project="general")
    text = call(query="redis tunnel")
    assert text.count("closes at ten") == 1
    assert text.count("needs a keepalive") == 1


def test_project_that_holds_enough_needs_no_second_slice(home: Home, call: Callable[..., str]) -> None:
    for thing in ("closes at ten", "is painted blue", "belongs to Dana", "leads to the port"):
        home.save(f"The redis tunnel {thing}")
    assert call(query="redis tunnel").count("# Active Memory Slice") == 1


@pytest.mark.parametrize("budget", [700, 1500, 6000])
def test_briefing_keeps_to_its_budget(home: Home, call: Callable[..., str], budget: int) -> None:
    for number in range(12):
        home.save(f"The redis tunnel number{number} leads to berth{number} and {'x' * 200}{number}")
    text = call(query="redis tunnel", budget=budget)
    assert utf16_length(text) <= budget


def test_question_of_nothing_is_refused(call: Callable[..., Any]) -> None:
    with pytest.raises(BadInput):
        call(query=" ")
