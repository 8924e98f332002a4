"""The working state for a task: what is proposed, in which role, and why something was left out."""

from __future__ import annotations

import pytest

from memem.active import ActiveSlice, Past, Task
from memem.models import KINDS, Memory, Query
from memem.recall.activation import activate
from memem.recall.candidates import Asked
from memem.recall.render import item_line, slice_markdown
from memem.recall.roles import CONSTRAINTS, ROLE_OF_KIND, ROLES, role_of
from memem.sources.search import Passage
from memem.text import utf16_length

from .store import HARBOR, filled, memory

ASKED = "why is the redis staging tunnel down?"
IDENTITY = memory(1, "This project is a harbor", layer=0, kind="fact")
DIRECTIVE = memory(2, "Answer in English", kind="directive", layer=1)
BLOCKER = memory(3, "Waiting for the new crane", kind="blocker", status="open")
TUNNEL = memory(4, "The redis staging tunnel closes at night", kind="quirk")
CHOICE = memory(5, "We keep the redis staging tunnel on port 6379", kind="decision")


def active(*memories: Memory, past: Past | None = None, others: int = 0, **fields: object) -> ActiveSlice:
    task = Task(**{"text": ASKED} | fields)  # type: ignore[arg-type]
    query = Query(
        text=task.text,
        scope=HARBOR,
        paths=tuple(path for path, _ in task.files),
        limit=task.limit,
        budget=task.budget,
        strict=task.strict,
    )
    said = (Passage(session="s1", uuid="u1", at="2026-01-02", role="prompt", snippet="we must keep it", human=True),)
    asked = Asked(index=filled(*memories, others=others), query=query, task=task, passages=said[: task.transcripts])
    return activate(asked, "slice-1", "2026-01-03T00:00:00+00:00", (("branch", "main"),), past)


def roles(found: ActiveSlice) -> dict[str, str]:
    return {item.title: item.role for item in found.items}


def why_not(found: ActiveSlice) -> dict[str, str]:
    return {item.id: item.reason for item in found.excluded}


def test_every_kind_has_one_role() -> None:
    assert set(ROLE_OF_KIND) == set(KINDS)
    assert len(ROLE_OF_KIND) == sum(len(role.kinds) for role in ROLES)


def test_each_memory_stands_in_the_section_of_its_kind() -> None:
    assert roles(active(IDENTITY, DIRECTIVE, BLOCKER, TUNNEL, CHOICE)) == {
        IDENTITY.title: "active_background",
        DIRECTIVE.title: "constraints",
        BLOCKER.title: "open_tensions",
        TUNNEL.title: "failure_patterns",
        CHOICE.title: "decisions",
    }


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("We decided to keep Redis", "decisions"),
        ("The import failed because of a BOM", "failure_patterns"),
        ("Releases must be signed", "constraints"),
        ("Dana prefers tabs", "preferences"),
        ("It is still unclear who pays", "open_tensions"),
        ("The aim is a release in May", "goals"),
        ("The crane is blue", "active_background"),
    ],
)
def test_wording_decides_only_for_notes_without_a_kind(text: str, role: str) -> None:
    assert role_of(memory(1, text, kind="note")) == role
    assert role_of(memory(1, text, kind="preference")) == "preferences"


def test_identity_comes_with_every_question_and_the_slice_never_abstains() -> None:
    found = active(IDENTITY, TUNNEL, others=20, text="crane")
    assert found.items[0].id == IDENTITY.id
    assert len(found.items) > 1
    assert len({item.id for item in found.items}) == len(found.items)


def test_found_by_several_retrievers_it_is_listed_once_with_all_reasons() -> None:
    item = active(TUNNEL.replace(layer=0, paths=("src/redis.py",)), current_file="src/redis.py").items[0]
    assert item.why[:2] == ("project identity", "concerns a file at hand")
    assert item.why[2].startswith("matches ")


def test_note_about_a_file_at_hand_is_found_without_a_common_word() -> None:
    found = active(memory(7, "Berths are numbered from one", paths=("src/berths/",)), current_file="src/berths/a.py")
    assert roles(found) == {"src/berths/a.py": "artifacts", "Berths are numbered from one": "active_background"}


def test_files_are_artifacts_once_with_their_most_telling_state() -> None:
    found = active(current_file="a.py", open_files=("a.py", "b.py"), modified_files=("b.py",), artifact="c.md")
    states = {item.title: item.why[0] for item in found.items}
    assert states == {"a.py": "current", "b.py": "modified", "c.md": "artifact"}


def test_what_the_caller_says_of_the_task_has_its_place() -> None:
    found = active(name="Auth rollout", deadline="Friday", stakeholder="the port office")
    assert roles(found) == {
        "Task: Auth rollout": "goals",
        "Due: Friday": CONSTRAINTS,
        "For: the port office": "active_background",
    }


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (TUNNEL.replace(id=memory(9, "").id, body=f" {TUNNEL.body}"), "says the same as another"),
        (TUNNEL.replace(updated="2025-01-01", body="An older text of the redis tunnel"), "an older version"),
        (BLOCKER.replace(id=memory(9, "").id, layer=3, kind="quirk", body="redis tunnel"), ""),
    ],
)
def test_what_is_left_out_is_named_with_the_reason(other: Memory, reason: str) -> None:
    found = active(TUNNEL, other)
    assert [item.title for item in found.items] == [TUNNEL.title]
    assert [why[: len(reason)] for why in why_not(found).values()] == ([reason] if reason else [])


def test_superseded_note_is_left_out_or_told_as_history() -> None:
    old = memory(8, "The redis staging tunnel never closes", status="superseded", replaced_by=TUNNEL.id)
    new = TUNNEL.replace(supersedes=(old.id,))
    assert why_not(active(new, old)) == {old.id: "no longer in force"}
    told = active(new, old, history=True)
    assert {item.id: item.why for item in told.items}[old.id] == ("history: superseded",)


def test_settled_tension_is_told_when_history_is_asked_for() -> None:
    settled = memory(8, "The redis tunnel needs a new key", kind="todo", status="resolved")
    assert active(settled).resolved == ()
    found = active(settled, history=True)
    assert [item.id for item in found.resolved] == [settled.id]
    assert "## Resolved Tensions\n- [00000008]" in slice_markdown(found)


def test_other_projects_stay_out_when_the_slice_is_strict() -> None:
    away = TUNNEL.replace(id=memory(9, "").id, project="local:lighthouse", body="redis tunnel of the lighthouse")
    assert away.id in {item.id for item in active(TUNNEL, away).items}
    assert away.id not in {item.id for item in active(TUNNEL, away, strict=True).items}


def test_sections_the_limit_and_the_budget_bound_the_slice() -> None:
    notes = [memory(n, f"The redis staging tunnel, lesson{n}", kind="decision") for n in range(20)]
    sections = active(*notes, limit=50)
    assert len(sections.items) == 5
    assert set(why_not(sections).values()) == {"its section is full"}
    assert len(active(*notes, limit=50, mode="proposal").items) == 10
    assert set(why_not(active(*notes, limit=2)).values()) == {"its section is full", "beyond the limit"}
    small = active(*notes, budget=300)
    assert sum(utf16_length(item_line(item)) + 1 for item in small.items) <= 300
    assert "beyond the budget" in why_not(small).values()
    assert active(*notes, budget=0).items == ()


def test_passages_come_only_when_asked_for_and_tell_where_they_are_from() -> None:
    assert active().items == ()
    (item,) = active(transcripts=True).items
    assert (item.id, item.origin, item.why) == ("transcript:s1#u1", "transcript", ("session s1",))
    assert "we must keep it" in slice_markdown(active(transcripts=True))


def test_playbook_tells_its_lines_about_the_question_only() -> None:
    lines = "## Decisions\n- The redis staging tunnel is down on Sundays [[a|1]]\n- Cranes are blue [[b|2]]"
    book = memory(8, lines, kind="playbook", layer=3, title="Playbook of harbor")
    (item,) = active(book).items
    assert item.text.startswith("The redis staging tunnel")
    assert "Cranes" not in item.text
    assert active(book, text="unheard of things").items == ()


def test_confidence_is_the_share_of_the_question_that_the_best_match_holds() -> None:
    whole = active(TUNNEL, text="redis staging tunnel")
    part = active(TUNNEL, text="redis lighthouse elephants marching sideways")
    assert whole.confidence == 1.0
    assert 0 < part.confidence < 0.5
    assert active(IDENTITY, text="elephants").confidence == 0.0


def test_markdown_has_the_published_head_and_sections_in_their_order() -> None:
    text = slice_markdown(active(IDENTITY, DIRECTIVE, BLOCKER, TUNNEL, CHOICE, current_file="a.py", mode="debug"))
    assert text.startswith("# Active Memory Slice\n- scope: local:harbor\n- query: why is the redis")
    assert [line[2:] for line in text.split("\n") if line.startswith("- task mode")] == ["task mode: debug"]
    titles = [line[3:] for line in text.split("\n") if line.startswith("## ")]
    assert titles == [
        "Constraints", "Decisions", "Failure Patterns", "Open Tensions", "Artifacts", "Active Background",
    ]  # fmt: skip
    assert "- [00000002] Answer in English [directive, from user, 2026-01-01; stands for every task]" in text
