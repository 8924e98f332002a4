"""What every session begins with: chosen rarely, by importance and use, and the same bytes until then."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memem.app import Memem
from memem.recall.render import body_size
from memem.standing import MOST, MOST_UNITS, choose, renew

from .home import Home
from .recall.store import candidate

DAY = 86_400


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.welcomed()
    return home


@pytest.fixture
def memem(home: Home) -> Iterator[Memem]:
    memem = home.open()
    yield memem
    memem.close()


def chosen_again(memem: Memem, now: float) -> list[str]:
    assert memem.state
    scope = memem.scope()
    renew(memem.config, memem.folder, scope, memem.index, memem.state, now)
    return memem.state.stood(scope.id)[1]


def test_weightiest_preferences_and_conventions_stand() -> None:
    found = [
        candidate(1, "Use tabs", kind="convention", importance=3),
        candidate(2, "Dana likes short answers", kind="preference", importance=5),
        candidate(3, "Sign releases", kind="convention", importance=3),
        candidate(4, "We chose Redis", kind="decision", importance=5),
        candidate(5, "A guess", kind="preference", tags=("unconfirmed",)),
        candidate(6, "From a page", kind="preference", trust="web"),
        candidate(7, "Old", kind="preference", status="superseded"),
        candidate(8, "Identity", kind="convention", layer=0),
    ]
    by_use = {found[2].memory.id: 4}
    assert [name[:8] for name in choose(found, by_use)] == ["00000002", "00000003", "00000001"]


def test_choice_keeps_to_its_budget_and_number() -> None:
    short = [candidate(n, f"Rule {n}", kind="convention") for n in range(20)]
    assert len(choose(short, {})) == MOST
    long = [candidate(n, f"Rule {n}\n" + "word " * 90, kind="convention") for n in range(20)]
    kept = [item for item in long if item.memory.id in choose(long, {})]
    assert 0 < sum(body_size(item) for item in kept) <= MOST_UNITS


def test_session_begins_with_what_stands_byte_for_byte_the_same(home: Home) -> None:
    for number in range(9):
        home.save(f"Rule number{number} about thing{number} holds", kind="convention")
    home.sync()
    first = home.start()
    assert first.count("\n[") == 9
    assert first.count("(convention, from user") == MOST
    home.prompt("is rule number3 about thing3 in force?")
    assert home.start("clear") == first


def test_choice_only_grows_until_tomorrow_or_a_directive(home: Home, memem: Memem) -> None:
    now = time.time()
    for number in range(MOST - 1):
        home.save(f"Rule number{number} about thing{number} holds", kind="convention", importance=3)
    memem.sync()
    before = chosen_again(memem, now)
    light = home.save("Sign every release", kind="convention", importance=1)
    memem.sync()
    full = chosen_again(memem, now)
    assert full == [*before, light.id]
    weighty = home.save("Answer in English", kind="preference", importance=5)
    memem.sync()
    assert chosen_again(memem, now) == full
    tomorrow = chosen_again(memem, now + DAY)
    assert tomorrow[0] == weighty.id
    assert set(tomorrow[1:]) == set(before)


def test_new_directive_makes_the_choice_anew(home: Home, memem: Memem) -> None:
    for number in range(MOST):
        home.save(f"Rule number{number} about thing{number} holds", kind="convention", importance=3)
    memem.sync()
    before = chosen_again(memem, time.time())
    weighty = home.save("Answer in English", kind="preference", importance=5)
    home.save("Never push to main", kind="directive")
    memem.sync()
    after = chosen_again(memem, time.time())
    assert after[0] == weighty.id
    assert len(set(before) - set(after)) == 1


def test_use_is_relevance_to_prompts_not_having_been_shown(home: Home, memem: Memem) -> None:
    one = home.save("Use tabs in Go files", kind="convention")
    two = home.save("Sign every release", kind="convention")
    memem.sync()
    lines = [{"at": 1, "event": "prompt", "served": 0, "session": "s", "ids": [two.id]}]
    lines += [{"at": 1, "event": "session", "served": 2, "ids": [one.id] * 5}, {"event": 7}]  # type: ignore[dict-item]
    trail = home.state / "events.jsonl"
    trail.write_text("".join(json.dumps(line) + "\n" for line in lines) + "[]\n{", encoding="utf-8")
    assert chosen_again(memem, time.time() + DAY) == [two.id, one.id]


def test_nothing_is_read_when_nothing_changed(home: Home, memem: Memem) -> None:
    home.save("Use tabs in Go files", kind="convention")
    memem.sync()
    assert memem.state
    scope, now = memem.scope(), time.time()
    renew(memem.config, memem.folder, scope, memem.index, memem.state, now)
    assert not renew(memem.config, memem.folder, scope, memem.index, memem.state, now)
    (home.project / "CLAUDE.md").write_text("x", encoding="utf-8")
    assert renew(memem.config, memem.folder, scope, memem.index, memem.state, now)


def test_what_the_projects_instructions_say_is_not_said_twice(home: Home) -> None:
    home.save("Integration tests need Redis on port 6380", kind="environment")
    home.save("Never push to main on Fridays", kind="directive")
    home.save("Releases must be signed by Dana", kind="convention")
    text = "# Rules\n\n- Never push to main on Fridays.\n- Integration tests need Redis on port 6380\n"
    (home.project / "CLAUDE.md").write_text(text, encoding="utf-8")
    home.sync()
    block = home.start()
    assert "Releases must be signed" in block
    assert "Fridays" not in block
    assert "6380" not in block
    assert home.prompt("why do the integration tests need redis?") == ""
    assert (home.project / "CLAUDE.md").read_text(encoding="utf-8") == text
    (home.project / "CLAUDE.md").unlink()
    home.sync()
    assert "6380" in home.prompt("why do the integration tests need redis?", session_id="s-2")


def test_note_that_changed_since_is_told_again(home: Home) -> None:
    note = home.write_note("redis", "Integration tests need Redis on port 6380", project="local:harbor")
    (home.project / "CLAUDE.md").write_text("Integration tests need Redis on port 6380\n", encoding="utf-8")
    home.sync()
    assert home.prompt("why do the integration tests need redis?") == ""
    note.write_text(note.read_text(encoding="utf-8").replace("6380", "6390"), encoding="utf-8")
    home.sync()
    assert "6390" in home.prompt("why do the integration tests need redis?")


def test_only_what_was_read_since_is_compared_with_the_same_instructions(
    home: Home, memem: Memem, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "- Never push to main on Fridays\n- Releases must be signed by Dana\n- Use tabs in Go files\n"
    (home.project / "CLAUDE.md").write_text(text, encoding="utf-8")
    first = home.save("Never push to main on Fridays", kind="decision")
    memem.sync()
    assert memem.state
    scope, now = memem.scope(), time.time()
    chosen_again(memem, now)
    assert set(memem.state.told(scope.id)) == {first.id}
    monkeypatch.setattr("memem.standing._OVERLAP_NS", 0)
    with monkeypatch.context() as only:
        only.setattr(type(memem.index), "of_kinds", lambda *_: [])  # else it is of directives, and read with texts
        only.setattr(type(memem.index), "in_scope", lambda _, scope, deepest=2: [] if deepest == 0 else pytest.fail())
        second = home.save("Use tabs in Go files", kind="decision")
        memem.sync()
        assert set(memem.state.told(scope.id)) == {first.id, second.id}
    (home.project / "CLAUDE.md").write_text(text.replace("Go", "make"), encoding="utf-8")
    chosen_again(memem, now)
    assert set(memem.state.told(scope.id)) == {first.id}
    chosen_again(memem, now + DAY)
    assert set(memem.state.told(scope.id)) == {first.id}


def test_choice_is_made_again_only_when_a_rule_was_read_or_is_gone(
    home: Home, memem: Memem, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    rule, other = (home.save(said, kind="convention") for said in ("Use tabs in Go files", "Dana signs releases"))
    memem.sync()
    assert set(chosen_again(memem, now)) == {rule.id, other.id}
    home.save("Redis listens on port 6380", kind="environment")
    memem.sync()
    with monkeypatch.context() as unmade:
        unmade.setattr("memem.standing.choose", lambda *_: pytest.fail("nothing to choose"))
        assert set(chosen_again(memem, now)) == {rule.id, other.id}
    next(home.notes.rglob(f"*{rule.id[:8]}.md")).unlink()
    memem.sync()
    assert chosen_again(memem, now) == [other.id]
