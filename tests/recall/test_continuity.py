"""From slice to slice of one session: what is carried, what was settled, what is different."""

from __future__ import annotations

from memem.active import ActiveSlice, Past
from memem.recall.render import slice_markdown

from .store import memory
from .test_activation import BLOCKER, TUNNEL, active

RULE = memory(11, "Releases must be signed", kind="convention")
TODO = memory(12, "Rotate the signing keys", kind="todo", status="open")


def past(found: ActiveSlice, name: str = "slice-0") -> Past:
    return Past(id=name, items=tuple((item.id, item.role, item.score, item.carried) for item in found.items))


def test_constraints_tensions_and_files_are_carried_and_the_rest_is_not() -> None:
    notes = (RULE, TODO, TUNNEL)
    first = active(*notes, text="signed releases, signing keys, redis tunnel", current_file="a.py")
    second = active(*notes, text="elephants", past=past(first), current_file="b.py")
    assert {item.id: item.carried for item in second.items} == {
        RULE.id: 1, TODO.id: 1, "artifact:a.py": 1, "artifact:b.py": 0,
    }  # fmt: skip
    assert TUNNEL.id in second.continuity.removed
    assert dict(second.continuity.progression) == {"b.py": "new", "a.py": "carried"}
    text = slice_markdown(second)
    assert "- previous slice: slice-0: 1 new, 3 carried, 1 gone" in text
    assert "## Carry Forward\n" in text
    assert "- [00000011] Releases must be signed [convention, from user, 2026-01-01; carried forward]" in text


def test_what_is_found_again_is_kept_and_not_carried() -> None:
    first = active(RULE, text="signed releases")
    second = active(RULE, text="signed releases", past=past(first))
    assert second.continuity.kept == (RULE.id,)
    assert second.continuity.carried == ()
    assert [item.carried for item in second.items] == [0]


def test_nothing_is_carried_for_ever() -> None:
    found = active(RULE, text="signed releases")
    lengths = []
    for _ in range(5):
        found = active(RULE, text="elephants", past=past(found))
        lengths.append(len(found.items))
    assert lengths == [1, 1, 1, 0, 0]


def test_tension_that_was_settled_meanwhile_is_told_once() -> None:
    first = active(TODO, text="signing keys")
    settled = TODO.replace(status="resolved")
    second = active(settled, text="signing keys", past=past(first))
    assert [item.id for item in second.resolved] == [TODO.id]
    assert second.continuity.resolved == (TODO.id,)
    assert active(settled, text="signing keys", past=past(second)).resolved == ()


def test_constraint_that_was_superseded_or_deleted_is_not_carried() -> None:
    first = past(active(RULE, TODO, text="signed releases and signing keys"))
    second = active(RULE.replace(status="superseded"), text="elephants", past=first)
    assert second.items == ()


def test_standing_blocker_is_no_news() -> None:
    first = active(BLOCKER)
    assert active(BLOCKER, past=past(first)).continuity.kept == (BLOCKER.id,)
