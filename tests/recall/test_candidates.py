"""What the connections of memories add to a slice: by which edge, how much it counts, and what keeps it out."""

from __future__ import annotations

import pytest

from memem.active import ActiveSlice, Task
from memem.index import edges
from memem.models import Memory, Query
from memem.recall.activation import activate
from memem.recall.candidates import Asked
from memem.recall.render import slice_markdown

from .store import HARBOR, filled, memory

ASKED = "why is the redis staging tunnel down?"
TUNNEL = memory(1, "The redis staging tunnel is down at night", kind="quirk")
CRANE = memory(2, "Cranes are painted by the port office", kind="fact")


def active(*memories: Memory, **fields: object) -> ActiveSlice:
    index = filled(*memories)
    edges.settle(index.connection)
    task = Task(**{"text": ASKED} | fields)  # type: ignore[arg-type]
    query = Query(text=task.text, scope=HARBOR, limit=task.limit, budget=task.budget, strict=task.strict)
    return activate(Asked(index=index, query=query, task=task), "slice-1", "2026-01-03T00:00:00+00:00", ())


def why(found: ActiveSlice) -> dict[str, tuple[str, ...]]:
    return {item.id: item.why for item in found.items}


def why_not(found: ActiveSlice) -> dict[str, str]:
    return {item.id: item.reason for item in found.excluded}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TUNNEL.replace(related=(CRANE.id,)), CRANE),
        (TUNNEL, CRANE.replace(related=(TUNNEL.id,))),
        (TUNNEL, CRANE.replace(body=f"{CRANE.body}, see [[0]]")),
    ],
)
def test_what_a_note_links_to_comes_along_without_a_common_word(one: Memory, other: Memory) -> None:
    found = active(one, other)
    assert [item.id for item in found.items] == [TUNNEL.id, CRANE.id]
    assert why(found)[CRANE.id] in (("linked from [00000001], related",), ("linked from [00000001], links_to",))
    assert found.items[1].score < found.items[0].score
    assert "linked from [00000001]" in slice_markdown(found)


def test_contradiction_of_the_best_match_is_an_open_tension() -> None:
    found = active(TUNNEL, CRANE.replace(kind="decision", contradicts=(TUNNEL.id,)))
    assert {item.id: item.role for item in found.items} == {
        TUNNEL.id: "failure_patterns",
        CRANE.id: "open_tensions",
    }


def test_derived_connection_counts_less_than_an_asserted_one() -> None:
    akin = memory(3, "Moored zeppelins need ballast before the gale, says the redis runbook", kind="procedure")
    tunnel = TUNNEL.replace(body=f"{TUNNEL.body}: zeppelins moored in a gale cut its ballast", related=(CRANE.id,))
    found = active(tunnel, CRANE, akin, text="staging tunnel down at night")
    assert [item.id for item in found.items] == [TUNNEL.id, CRANE.id, akin.id]
    assert why(found)[akin.id] == ("akin to [00000001], supports: ballast, gale, moored, redis",)
    assert found.items[2].score <= 0.3


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (CRANE.replace(status="superseded", replaced_by=memory(9, "").id), "no longer in force"),
        (CRANE.replace(status="deprecated"), "no longer in force"),
        (CRANE.replace(layer=3), "archival: only a search finds it"),
        (CRANE.replace(project="local:lighthouse"), "of another project"),
    ],
)
def test_boundaries_hold_for_what_is_linked(other: Memory, reason: str) -> None:
    found = active(TUNNEL.replace(related=(other.id,)), other, strict=True)
    assert other.id not in why(found)
    assert why_not(found)[other.id] == reason


def test_page_that_names_all_notes_is_no_connection() -> None:
    book = memory(3, "## Facts\n- Cranes [[0]] [[1]]", kind="playbook", layer=3)
    found = active(TUNNEL, book)
    assert book.id not in {*why(found), *why_not(found)}


@pytest.mark.parametrize("fields", [{"trust": "web"}, {"trust": "tool"}, {"tags": ("unconfirmed",)}])
def test_what_may_only_be_asked_for_cannot_link_itself_into_a_slice(fields: dict[str, str]) -> None:
    found = active(TUNNEL, CRANE.replace(contradicts=(TUNNEL.id,), related=(TUNNEL.id,), **fields))
    assert {item.id for item in found.items} == {TUNNEL.id}


def test_what_hardly_fits_leads_nowhere() -> None:
    linked = TUNNEL.replace(related=(CRANE.id,))
    question = "why do elephants march sideways into the redis of a lighthouse keeper?"
    assert CRANE.id not in why(active(linked, CRANE, text=question))


def test_connection_says_something_new_or_is_left_out() -> None:
    again = memory(3, "The crane harness of berth seven squeaks whenever gale warnings are announced", kind="fact")
    anchor = memory(4, "The crane harness of berth seven squeaks whenever gale warnings are up", kind="fact")
    found = active(anchor, again, text="announced up")
    assert why_not(found).get(again.id, "") != "nearly says what it is akin to"  # both were asked for
    found = active(anchor.replace(body=f"{anchor.body} (zorblax)"), again, text="zorblax")
    assert why(found).keys() == {anchor.id}
    assert why_not(found) == {again.id: "nearly says what it is akin to"}


def test_only_a_few_connections_are_followed() -> None:
    others = [memory(n, f"Lesson {n} of the port office", kind="fact") for n in range(10, 40)]
    found = active(TUNNEL.replace(related=tuple(one.id for one in others)), *others, limit=50)
    assert len(found.items) == 7


def test_what_is_asked_for_is_never_crowded_out_by_a_connection() -> None:
    others = [memory(n, f"The redis staging tunnel is down, cause {n}", kind="quirk") for n in range(10, 12)]
    found = active(TUNNEL.replace(related=(CRANE.id,)), *others, CRANE, limit=3)
    assert CRANE.id not in why(found)
    assert why_not(found)[CRANE.id] == "beyond the limit"
