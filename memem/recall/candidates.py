"""Retrievers: each proposes what may matter for a task, and sees what those before it in GENERATORS found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memem.active import Item, Task
from memem.index import graph
from memem.index.graph import Edge
from memem.index.reader import Index
from memem.models import Candidate, Query
from memem.recall import slices, steps
from memem.recall.evidence import matches, weigh
from memem.recall.roles import ARTIFACTS, BACKGROUND, CONSTRAINTS, GOALS, TENSIONS, role_of
from memem.recall.steps import Occasion
from memem.sources.search import Passage
from memem.text import cut, one_line, query_terms, terms
from memem.value import Value

IDENTITY_SCORE = 0.95
_FILE_SCORE = 0.8
_STANDING_SCORE = 0.5
_TASK_SCORE = 1.0
_PASSAGE_SCORE = 0.3
_PLAYBOOK_SCORE = 0.3
LINKED, AKIN = "linked from", "akin to"  # how the reason of what an edge led to begins: asserted, derived
_ANCHORS = 3  # memories whose edges are followed
_LEAST_ANCHOR = 0.3  # of the question's information: what hardly fits leads to what does not fit
_MOST_LINKED = 6
_LEAST_EDGE = 0.2  # below, two notes have a few words in common
_EDGES = 12  # read of each
# The relations that are followed, and what they leave of the score that they begin with. What notes relate is often
# what was only near when they were saved, so it counts less than what stands for every task.
_FOLLOWED = {
    "contradicts": 0.6, "related": 0.4, "links_to": 0.4, "depends_on": 0.3, "causal": 0.3, "supports": 0.3,
    "entity": 0.3, "semantic": 0.3, "same_topic": 0.3,
}  # fmt: skip
_TOLD_OTHERWISE = ("playbook", "summary", "narrative")  # name the notes they are made of
_WIDE = 4  # candidates for each one asked for
_NAMED_WORDS = 6
_PLAYBOOK_LINES = 4
_PASSAGE_UNITS = 300


class Asked(Value):
    """What the retrievers look at."""

    index: Index
    query: Query
    task: Task
    passages: tuple[Passage, ...] = ()


def identity(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """Layer 0 of the project: pinned, whatever is asked."""
    found = asked.index.in_scope(asked.query.scope, deepest=0)
    return [_of_memory(candidate, IDENTITY_SCORE, "project identity") for candidate in found]


def concerning(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """Notes whose paths name one of the files at hand."""
    if not asked.query.paths:
        return []
    found = slices.close_to(asked.index, asked.query)
    return [_of_memory(candidate, _FILE_SCORE, "concerns a file at hand") for candidate in found]


def matching(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """What shares words with the question, scored by how much of the question's information it holds."""
    found = slices.matching(asked.index, asked.query, asked.query.limit * _WIDE)
    if not found:
        return []
    prompt = weigh(asked.query.text, asked.index)
    held = matches(prompt, asked.index, found)
    total = prompt.total or 1.0
    items = []
    for candidate in found:
        words = held[candidate.row]
        share = min(sum(prompt.information[word] for word in words) / total, 1.0)
        items.append(_of_memory(candidate, share, f"matches {', '.join(words[:_NAMED_WORDS])}" if words else "found"))
    return items


def standing(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """Directives and open blockers: they hold for every task of the project."""
    found = asked.index.of_kinds(asked.query.scope, slices.STANDING_KINDS)
    return [_of_memory(candidate, _STANDING_SCORE, "stands for every task") for candidate in found]


def linked(asked: Asked, found: Sequence[Item]) -> list[Item]:
    """What the best matches are connected with, what notes assert before what is derived of their words."""
    best = sorted((item for item in found if found_by_words(item)), key=lambda item: -item.score)[:_ANCHORS]
    followed: dict[str, tuple[float, Item, Edge]] = {}
    for anchor in best:
        if anchor.score < _LEAST_ANCHOR:
            break
        for edge in graph.neighbors(asked.index, [anchor.id], _EDGES):
            other, share = edge.other(anchor.id), _FOLLOWED.get(edge.relation, 0.0)
            score = anchor.score * share * edge.score
            if share and edge.score >= _LEAST_EDGE and score > followed.get(other, (0.0,))[0]:
                followed[other] = (score, anchor, edge)
    nearest = dict(sorted(followed.items(), key=lambda of: (-of[1][0], of[0]))[:_MOST_LINKED])
    notes = asked.index.notes(f"id IN ({','.join('?' * len(nearest))})", list(nearest)) if nearest else []
    # What may only be asked for was not asked for by a link, which may be its own.
    notes = steps.run(Occasion(query=asked.query), notes, (steps.readable, steps.trusted))
    return [_linked(note, *nearest[note.memory.id]) for note in notes if note.memory.kind not in _TOLD_OTHERWISE]


def _linked(candidate: Candidate, score: float, anchor: Item, edge: Edge) -> Item:
    how = f"{LINKED if edge.asserted else AKIN} [{anchor.id[:8]}], {edge.relation}"
    item = _of_memory(candidate, score, f"{how}: {edge.why}" if edge.why else how)
    return item.replace(role=TENSIONS) if edge.relation == "contradicts" else item


def replaced(asked: Asked, found: Sequence[Item]) -> list[Item]:
    """What the best matches replaced: with `history` it is shown, otherwise it is named as left out."""
    best = [item.memory for item in found if item.memory and found_by_words(item)][: asked.query.limit]
    ids = list(dict.fromkeys(name for memory in best for name in memory.supersedes))[:50]
    if not ids:
        return []
    return [
        _of_memory(candidate, _PASSAGE_SCORE, f"history: {candidate.memory.status}").replace(role=BACKGROUND)
        for candidate in asked.index.notes(f"id IN ({','.join('?' * len(ids))})", ids)
    ]


def playbooks(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """The lines of the project's playbook that speak of the question."""
    names = asked.query.scope.names
    own = f"kind = 'playbook' AND status = 'active' AND project IN ({','.join('?' * len(names))})"
    wanted = set(query_terms(asked.query.text).words)
    items = []
    for candidate in asked.index.notes(own, names):
        lines = [line[2:] for line in candidate.memory.body.split("\n") if line.startswith("- ")]
        telling = [line for line in lines if len(wanted.intersection(terms(line))) * 2 >= max(len(wanted), 1)]
        if telling:
            item = _of_memory(candidate, _PLAYBOOK_SCORE, "lines about it").replace(origin="playbook", role=BACKGROUND)
            items.append(item.replace(text="\n".join(telling[:_PLAYBOOK_LINES])))
    return items


def said(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """Passages of earlier sessions, when they were asked for."""
    return [
        Item(
            id=f"transcript:{passage.session}#{passage.uuid}",
            title=f"Session of {passage.at[:10] or 'unknown day'}, {passage.role}{' (human)' if passage.human else ''}",
            role=BACKGROUND,
            text=cut(passage.snippet, _PASSAGE_UNITS),
            origin="transcript",
            score=_PASSAGE_SCORE,
            why=(f"session {passage.session[:8]}",),
        )
        for passage in asked.passages
    ]


def of_the_task(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """What the caller said about the task itself."""
    task = asked.task
    named = (
        ("name", GOALS, "Task", task.name),
        ("deadline", CONSTRAINTS, "Due", task.deadline),
        ("stakeholder", BACKGROUND, "For", task.stakeholder),
    )
    return [
        Item(
            id=f"task:{field}", title=f"{title}: {one_line(text)}", role=role, origin="task", score=_TASK_SCORE,
            why=("given with the task",),
        )
        for field, role, title, text in named
        if text
    ]  # fmt: skip


def artifacts(asked: Asked, _: Sequence[Item]) -> list[Item]:
    """The files at hand."""
    return [
        Item(
            id=f"artifact:{path}", title=path, role=ARTIFACTS, origin="artifact", score=_TASK_SCORE, why=(state,)
        )
        for path, state in asked.task.files
    ]  # fmt: skip


GENERATORS: tuple[Callable[[Asked, Sequence[Item]], list[Item]], ...] = (
    of_the_task, artifacts, identity, concerning, matching, standing, replaced, linked, playbooks, said,
)  # fmt: skip


def resolved(asked: Asked) -> list[Item]:
    """Tensions of the project that were resolved and speak of the question."""
    names = asked.query.scope.names
    where = f"kind IN ('blocker', 'todo') AND status = 'resolved' AND project IN ({','.join('?' * len(names))})"
    wanted = set(query_terms(asked.query.text).words)
    found: Sequence[Candidate] = asked.index.notes(where, names, order="updated DESC, id")
    telling = [item for item in found if wanted.intersection(terms(f"{item.memory.title} {item.memory.body}"))]
    return [_of_memory(candidate, _PASSAGE_SCORE, "settled: resolved") for candidate in telling[:_NAMED_WORDS]]


def found_by_words(item: Item) -> bool:
    """Whether it shares words with the question."""
    return any(reason.startswith("matches ") for reason in item.why)


def _of_memory(candidate: Candidate, score: float, why: str) -> Item:
    memory = candidate.memory
    return Item(
        id=memory.id,
        title=memory.title,
        text=memory.lesson,
        role=role_of(memory),
        candidate=candidate,
        score=round(score, 4),
        why=(why,),
    )
