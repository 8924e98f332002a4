"""What is listed as perhaps outdated, and that nothing is changed by listing it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memem.health.stale import Stale, stale
from memem.health.stats import stats

from ..home import Home

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    (made.project / ".git").mkdir()
    (made.project / ".git" / "config").write_text('[remote "origin"]\n\turl = git@github.com:acme/harbor.git\n')
    (made.project / "src").mkdir()
    (made.project / "src" / "berth.py").touch()
    return made


def note(home: Home, name: str, age: int = 0, **fields: object) -> None:
    day = (NOW - timedelta(days=age)).isoformat()
    number = f"{len(list(home.notes.glob('*.md'))) + 1:08d}-0000-4000-8000-000000000000"
    values = {"id": number, "title": name, "project": "github.com/acme/harbor", "created": day, "updated": day}
    home.write_note(name, f"Lesson of {name}", **values | fields)


def listed(home: Home, days: int = 180, scope: str = "") -> dict[str, Stale]:
    memem = home.open()
    found = stale(memem, NOW.timestamp(), days, scope)
    memem.close()
    return {one.memory.title: one for one in found}


def test_rest_makes_old_sooner_when_unimportant_and_later_when_important(home: Home) -> None:
    for importance in range(1, 6):
        note(home, f"importance {importance}", age=200, importance=importance)
    note(home, "young", age=30)
    note(home, "identity", age=2000, layer=0)
    note(home, "undated", created="", updated="")
    assert set(listed(home)) == {"importance 1", "importance 2", "importance 3"}
    assert "importance 1" in listed(home)["importance 1"].reasons[0]
    assert set(listed(home, days=90)) == {f"importance {level}" for level in range(1, 6)}
    assert set(listed(home, days=20)) - set(listed(home, days=90)) == {"young"}


def test_injected_memory_has_not_rested(home: Home) -> None:
    note(home, "old", age=400)
    assert set(listed(home)) == {"old"}
    memem = home.open()
    assert memem.state
    memem.state.mark_shown("s", {"00000001-0000-4000-8000-000000000000": "0"}, NOW.timestamp() - 86_400)
    memem.close()
    assert listed(home) == {}


@pytest.mark.parametrize(
    ("paths", "gone"),
    [
        (["src/berth.py"], False),
        (["src/*.py"], False),
        (["src/gone.py", "src/berth.py"], False),
        (["src/gone.py"], True),
        (["src/*.rs", "./lib/"], True),
        (["/etc/nowhere"], False),
        (["../nowhere"], False),
        (["~/nowhere"], False),
        (["["], True),
    ],
)
def test_memory_of_files_that_are_gone_is_listed(home: Home, paths: list[str], gone: bool) -> None:
    note(home, "about files", paths=paths)
    assert bool(listed(home)) == gone


def test_files_of_another_project_are_not_judged(home: Home) -> None:
    note(home, "elsewhere", project="github.com/acme/other", paths=["src/gone.py"])
    assert listed(home, scope="*") == {}


def test_memory_whose_time_is_over_is_listed_first(home: Home) -> None:
    note(home, "rested", age=400)
    note(home, "over", age=300, invalid_at="2026-05-01")
    assert list(listed(home)) == ["over", "rested"]
    assert "held until 2026-05-01" in listed(home)["over"].reasons


def test_history_is_not_listed(home: Home) -> None:
    note(home, "superseded", age=400, status="superseded")
    assert listed(home) == {}


def test_time_that_is_none_is_no_crash(home: Home) -> None:
    note(home, "odd", updated="yesterday", invalid_at="9999-99-99")
    assert listed(home) == {}


def test_stats_count_over_time_kind_and_project(home: Home) -> None:
    note(home, "one", age=0, kind="fact")
    note(home, "two", age=40, kind="fact", status="superseded")
    note(home, "three", age=40, kind="quirk", project="general")
    home.welcomed()
    home.prompt("write a limerick about penguins")
    memem = home.open()
    found = stats(memem)
    assert (found["memories"], found["live"]) == (3, 2)
    assert found["by_month"] == {"2026-04": 2, "2026-06": 1}
    assert found["by_kind"] == {"fact": 2, "quirk": 1}
    assert found["by_project"] == {"github.com/acme/harbor": 2, "general": 1}
    assert [day["prompts"] for day in found["by_day"].values()] == [1]
    assert stats(memem, "general")["memories"] == 1
    memem.close()
