"""The slices for a prompt, a session, a question and a search, over a real index."""

from __future__ import annotations

from pathlib import Path

import pytest

from memem.models import Memory, Query, Scope
from memem.recall import slices
from memem.recall.render import HOST_LIMIT, prompt_block, session_block
from memem.text import etag, utf16_length

from ..home import Home
from .store import HARBOR, filled, memory

ASKED = "why is the redis staging tunnel down?"


def query(text: str = ASKED, **fields: object) -> Query:
    return Query(**{"text": text, "scope": HARBOR, "limit": 3, "budget": 4000} | fields)  # type: ignore[arg-type]


def tunnel(number: int, **fields: object) -> Memory:
    return memory(number, f"The redis staging tunnel has a quirk of number{number}", **fields)


def nothing(_: object) -> dict[str, str]:
    """What a session has seen that has just begun."""
    return {}


def volunteered(*memories: Memory, **fields: object) -> list[str]:
    return slices.for_prompt(filled(*memories), query(**fields), "", nothing).ids


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "superseded"},
        {"status": "deprecated"},
        {"status": "archived"},
        {"status": "resolved"},
        {"replaced_by": "x"},
        {"layer": 3},
        {"trust": "web"},
        {"trust": "tool"},
        {"tags": ("unconfirmed",)},
    ],
    ids=str,
)
def test_history_archive_guesses_and_foreign_words_are_never_volunteered(fields: dict[str, object]) -> None:
    index = filled(tunnel(1, **fields), tunnel(2))
    assert slices.for_prompt(index, query(), "", nothing).ids == [tunnel(2).id]
    assert slices.for_session(index, query(), "").ids == [tunnel(2).id]


def test_what_fits_far_worse_than_the_best_is_not_volunteered_beside_it() -> None:
    best = memory(1, "The redis staging tunnel is down every Sunday")
    worse = memory(2, "The staging of the opera was moved, and the tunnel behind it is wet and dark")
    asked = query("why is the redis staging tunnel down on Sunday?")
    alone, both = filled(worse), filled(best, worse)
    assert slices.for_prompt(alone, asked, "", nothing).ids == [worse.id]
    assert slices.for_prompt(both, asked, "", nothing).ids == [best.id]
    assert slices.for_prompt(both, asked, "", lambda _: {best.id: "0"}).ids == [], "nor once the best was seen"


def test_notes_of_a_file_stand_beside_better_wording() -> None:
    close = memory(1, "Renew it yearly", paths=("api/tunnel.py",))
    named = memory(2, "api/tunnel.py opens the redis tunnel of the api")
    asked = query("", paths=("api/tunnel.py",))
    assert slices.for_file(filled(close, named), asked, "", nothing).ids == [close.id, named.id]


def test_no_more_than_the_limit_are_volunteered() -> None:
    sides = "north crane and buoy, south ferry and quay, east winch and mast, west keel and hull".split(", ")
    notes = [memory(at, f"Redis staging tunnel: {side} of it need two days") for at, side in enumerate(sides)]
    assert len(volunteered(*notes)) == 3
    assert volunteered(tunnel(1), limit=0) == []


def test_each_memory_comes_with_one_short_reason() -> None:
    block = prompt_block(slices.for_prompt(filled(tunnel(1)), query(), "", nothing))
    (line,) = (line for line in block.split("\n") if line.startswith("["))
    assert "(note, from user, 2026-01-01; matches " in line
    assert "redis" in line.partition("; matches ")[2]
    assert "covers" not in line


def test_copies_of_one_text_are_shown_once() -> None:
    same = "The redis staging tunnel is slow"
    assert len(volunteered(memory(1, same), memory(2, f"{same}\n"), memory(3, same.replace(" ", "  ")))) == 1


def test_shown_is_asked_only_when_there_is_something_to_show() -> None:
    def forbidden(_: object) -> dict[str, str]:
        raise AssertionError("the state was opened for nothing")

    assert slices.for_prompt(filled(tunnel(1)), query("write a limerick"), "", forbidden).ids == []


def test_shown_memory_comes_again_when_its_note_changed() -> None:
    index = filled(tunnel(1))
    assert slices.for_prompt(index, query(), "", lambda _: {tunnel(1).id: "0"}).ids == []
    assert slices.for_prompt(index, query(), "", lambda _: {tunnel(1).id: "before"}).ids == [tunnel(1).id]


def test_whatever_a_slice_holds_is_rendered(tmp_path: Path) -> None:
    long = "\n".join(["redis staging tunnel", *("- a b" for _ in range(300))])
    index = filled(*(memory(number, f"{long}\n{number}", layer=number % 2) for number in range(12)))
    for budget in (300, 500, 700, 1000, 2000, 4000, 8000, 20_000):
        asked = query(budget=budget, limit=12)
        for found, block in (
            (prompt := slices.for_prompt(index, asked, "", nothing), prompt_block(prompt)),
            (start := slices.for_session(index, asked, ""), session_block(start)),
        ):
            assert utf16_length(block) <= min(budget, HOST_LIMIT)
            shown = found.pinned if found is start else found.found
            assert all(f"[{item.memory.id8}] (note" in block for item in shown), budget
            assert all(block.count(f"> {item.memory.id8[-1]}\n") for item in shown[1:2]), budget


def test_session_pins_identity_and_standing_notes_and_lists_the_rest() -> None:
    index = filled(
        memory(1, "This project is a harbor", layer=0),
        memory(2, "Always answer in English", kind="directive", layer=1),
        memory(3, "Waiting for the new crane", kind="blocker", status="open"),
        memory(4, "Use tabs", kind="convention", layer=1),
        memory(5, "Old gossip", layer=3),
    )
    found = slices.for_session(index, query(budget=8000, limit=50), "")
    assert [item.memory.id8 for item in found.pinned] == ["00000001", "00000002", "00000003"]
    assert [item.memory.id8 for item in found.found] == ["00000004"]


def test_session_lists_the_weightiest_in_an_order_that_stays() -> None:
    notes = [memory(n, f"Lesson {n}", importance=1 + n % 5, updated=f"2026-01-{1 + n:02}") for n in range(20)]
    first = slices.for_session(filled(*notes), query(limit=5), "").ids
    assert first == slices.for_session(filled(*reversed(notes)), query(limit=5), "").ids == sorted(first)
    assert {int(name[:8]) % 5 for name in first} == {3, 4}


def test_notes_that_changed_on_disk_are_left_out(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number in range(3):
        home.write_note(str(number), f"The redis staging tunnel, number{number}", project="local:harbor")
    (home.notes / "0.md").unlink()
    (home.notes / "1.md").write_text("changed", encoding="utf-8")
    memem = home.open()
    root = memem.config.memory_root
    for found in (
        slices.for_prompt(memem.index, query(), root, nothing),
        slices.for_session(memem.index, query(), root),
    ):
        assert [item.path for item in found.found] == ["memories/2.md"]
        assert found.found[0].etag == etag((home.notes / "2.md").lstat())
    memem.close()


def test_search_prefers_the_scope_and_reaches_beyond_it() -> None:
    away = tunnel(1, project="local:lighthouse")
    index = filled(away, tunnel(2), tunnel(3, layer=3))
    assert slices.for_search(index, query()).ids[-1] == away.id
    assert away.id not in slices.for_search(index, query(strict=True)).ids
    assert len(slices.for_search(index, query()).ids) == 3


def test_what_was_valid_then_is_found_by_a_date() -> None:
    old = tunnel(1, status="superseded", replaced_by=tunnel(2).id, created="2026-01-01T00:00:00+00:00",
                 invalid_at="2026-03-01T00:00:00+00:00")  # fmt: skip
    new = tunnel(2, created="2026-03-01T00:00:00+00:00", supersedes=(old.id,))
    away = tunnel(3, status="deprecated", created="2026-01-01T00:00:00+00:00", updated="2026-02-01T00:00:00+00:00")
    index = filled(old, new, away)
    assert slices.for_search(index, query()).ids == [new.id]
    assert set(slices.for_search(index, query(at="2026-01-31T23:59:59+00:00")).ids) == {old.id, away.id}
    assert slices.for_search(index, query(at="2026-02-20T23:59:59+00:00")).ids == [old.id]
    assert slices.for_search(index, query(at="2026-03-01T23:59:59+00:00")).ids == [new.id]
    assert slices.for_search(index, query(at="2025-12-31T23:59:59+00:00")).ids == []


@pytest.mark.parametrize("text", ["not now", "the", "を", "的"])
def test_search_for_stop_words_only_is_still_a_search(text: str) -> None:
    index = filled(memory(1, f"Say: {text}"))
    assert slices.for_search(index, query(text)).ids == [memory(1, "").id]


def test_general_project_reads_only_general_notes() -> None:
    index = filled(tunnel(1), tunnel(2, project="general"))
    assert slices.for_prompt(index, query(scope=Scope()), "", nothing).ids == [tunnel(2).id]


def test_budget_of_nothing_means_silence() -> None:
    index = filled(tunnel(1), memory(2, "This project is a harbor", layer=0))
    assert slices.for_prompt(index, query(), "", nothing).ids
    assert slices.for_prompt(index, query(budget=0), "", nothing).ids == []
    start = slices.for_session(index, query(budget=0), "")
    assert (start.pinned, session_block(start)) == ((), "")


@pytest.mark.parametrize(
    ("fields", "current"),
    [
        ({"invalid_at": "2020-01-01"}, False),
        ({"invalid_at": "2026-11-20T23:59:00Z"}, False),
        ({"invalid_at": "2026-11-21"}, True),  # its last day
        ({"invalid_at": "2035-01-01"}, True),
        ({"valid_at": "2035-01-01"}, False),
        ({"valid_at": "2026-11-21T23:00:00Z"}, True),
        ({"valid_at": "2020-01-01", "invalid_at": "2035-01-01"}, True),
        ({"valid_at": "2035-01-01T10:00:00Z", "created": "2035-01-01T10:00:00Z"}, True),  # by a clock gone wrong
        ({"valid_at": "soon", "invalid_at": "1.1.2020"}, True),
    ],
    ids=str,
)
def test_what_is_over_or_begins_later_is_not_volunteered_as_current(fields: dict[str, object], current: bool) -> None:
    index = filled(tunnel(1, **fields))
    asked = query(today="2026-11-21")
    assert bool(slices.for_prompt(index, asked, "", nothing).ids) is current
    assert bool(slices.for_session(index, asked, "").ids) is current
    assert slices.for_search(index, asked).ids == [tunnel(1).id]
