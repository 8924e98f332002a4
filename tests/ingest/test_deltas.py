"""Deltas: what a slice proposes to write, what the policy lets through, and that doing it twice is doing it once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memem.active import ActiveSlice, Delta, Item, Result, Task
from memem.app import Memem
from memem.errors import BadInput
from memem.ingest import deltas
from memem.models import Candidate, Memory, Query
from memem.vault.note import parse

from ..home import Home
from ..recall.store import memory

NOW = "2026-06-01T00:00:00+00:00"
ONE = "The staging tunnel of the harbor closes every night at ten"
TWO = "The staging tunnel of the harbor closes every night at ten, so berth imports run before the tunnel closes"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def memem(home: Home) -> Iterator[Memem]:
    memem = home.open()
    yield memem
    memem.close()


def found(*memories: Memory, said: str = "") -> ActiveSlice:
    items = [Item(id=m.id, title=m.title, role="decisions", candidate=Candidate(memory=m)) for m in memories]
    if said:
        items.append(
            Item(id="transcript:s", title="Session, prompt (human)", text=said, origin="transcript", why=("s",))
        )
    return ActiveSlice(id="s", query=Query(text="x"), task=Task(text="x"), items=tuple(items))


def proposed(*memories: Memory, said: str = "") -> list[tuple[str, tuple[str, ...]]]:
    return [(delta.type, delta.memories) for delta in deltas.propose(found(*memories, said=said), NOW)]


def settled(memem: Memem, delta: Delta, mode: str) -> Result:
    (result,) = deltas.settle([delta], mode, memem.gate(), memem.scope(), memem.human_owned)
    return result


def link(one: Memory, other: Memory, confidence: float = 0.9) -> Delta:
    return Delta(id="delta-1", type=deltas.LINK, reason="r", confidence=confidence, memories=(one.id, other.id))


def pair(home: Home) -> tuple[Memory, Memory]:
    return home.save("The staging tunnel closes every night at ten"), home.save("Berth exports have semicolons")


def test_pair_that_speaks_of_the_same_is_to_be_linked() -> None:
    one, two, far = memory(1, ONE), memory(2, TWO), memory(3, "Cranes are painted blue in the spring of each year")
    assert proposed(one, two, far) == [(deltas.LINK, (one.id, two.id))]
    linked = (one.replace(related=(two.id,)), two.replace(related=(one.id[:8],)))
    assert proposed(*linked) == []
    assert proposed(one, two.replace(project="local:lighthouse")) == []


def test_note_whose_date_has_passed_is_to_be_deprecated() -> None:
    gone, later = memory(1, ONE, invalid_at="2026-01-01"), memory(2, "Cranes are blue", invalid_at="2027-01-01")
    assert proposed(gone, later) == [(deltas.DEPRECATE, (gone.id,))]


def test_contradiction_in_force_is_an_open_tension() -> None:
    one, two = memory(1, "Redis listens on port 6379"), memory(2, "Redis listens on port 6380")
    assert (deltas.TENSION, (one.id, two.id)) in proposed(one, two)
    asserted = memory(3, "Nobody needs the tunnel", contradicts=(one.id,))
    assert (deltas.TENSION, (one.id, asserted.id)) in proposed(one, asserted)


def test_lesson_that_a_human_said_in_a_session_is_to_be_saved() -> None:
    assert proposed(said="We decided to sign all releases, because the port demands it") == [(deltas.SAVE, ())]
    assert proposed(said="please run the tests again") == []


def test_same_proposal_has_the_same_id_in_any_order() -> None:
    one, two = memory(1, ONE), memory(2, TWO)
    first, second = (deltas.propose(found(*notes), NOW)[0].id for notes in ((one, two), (two, one)))
    assert first == second


def test_of_each_type_a_few_are_proposed() -> None:
    assert len(proposed(*(memory(n, f"{ONE} lesson{n}") for n in range(8)))) <= 2 * 3


def test_nothing_is_written_unless_asked(home: Home, memem: Memem) -> None:
    one, two = pair(home)
    before = {path: path.read_bytes() for path in home.notes.iterdir()}
    memem.sync()
    assert settled(memem, link(one, two), "").status == "not_run"
    assert settled(memem, link(one, two), "preview").status == "dry_run"
    assert {path: path.read_bytes() for path in home.notes.iterdir()} == before


def test_safe_link_is_committed_once(home: Home, memem: Memem) -> None:
    one, two = pair(home)
    memem.sync()
    assert settled(memem, link(one, two), "commit").status == "committed"
    related = {note.id: note.related for note in (parse(path.read_bytes(), "").memory for path in home.notes.iterdir())}
    assert related == {one.id: (two.id,), two.id: (one.id,)}
    after = {path: path.read_bytes() for path in home.notes.iterdir()}
    assert settled(memem, link(one, two), "commit").status == "skipped"
    assert {path: path.read_bytes() for path in home.notes.iterdir()} == after
    assert not memem.human_owned(memem.get([one.id])[0][0])


def test_note_that_a_human_edited_is_not_touched(home: Home, memem: Memem) -> None:
    one, two = pair(home)
    (path,) = (path for path in home.notes.iterdir() if two.id8 in path.name)
    path.write_text(f"{path.read_text(encoding='utf-8')}\nMind the BOM.\n", encoding="utf-8")
    before = path.read_bytes()
    memem.sync()
    result = settled(memem, link(one, two), "commit")
    assert (result.status, result.policy) == ("blocked", "blocked")
    assert path.read_bytes() == before


def test_unsure_link_and_every_other_type_wait_for_a_human(home: Home, memem: Memem) -> None:
    one, two = pair(home)
    memem.sync()
    gone = Delta(id="d", type=deltas.DEPRECATE, reason="r", confidence=1.0, memories=(one.id,))
    new = Delta(id="d", type=deltas.SAVE, reason="r", confidence=1.0, content="We sign all releases", kind="decision")
    open_ = new.replace(type=deltas.TENSION, memories=(one.id, two.id), kind="todo")
    for delta in (link(one, two, confidence=0.71), gone, new, open_):
        assert settled(memem, delta, "preview").message.startswith("would be ") or delta.type == deltas.LINK
        result = settled(memem, delta, "commit")
        assert (result.status, result.policy) == ("blocked", "manual_review")
        assert result.message
    assert len(list(home.notes.iterdir())) == 2


def test_delta_about_what_is_gone_or_over_is_rejected(home: Home, memem: Memem) -> None:
    one, two = pair(home)
    home.save("The staging tunnel closes every night at nine", supersedes=(one.id,))
    memem.sync()
    for delta in (link(one, two), link(two, memory(7, "nowhere")), link(two, two)):
        result = settled(memem, delta, "commit")
        assert result.status == "rejected"
        assert result.errors


def test_unknown_way_to_treat_deltas_is_refused(memem: Memem) -> None:
    with pytest.raises(BadInput, match="preview"):
        deltas.settle([], "force", memem.gate(), memem.scope(), memem.human_owned)
