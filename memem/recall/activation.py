"""From candidates to a working state: what may matter for a task, in which role, within which boundaries.

Retrievers propose, each a row of GENERATORS; every row of BOUNDARIES may keep something out, and says why. No model
is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memem.active import ActiveSlice, Continuity, Excluded, Item, Past, Task
from memem.index.reader import Index
from memem.models import Candidate, Query
from memem.recall import continuity, slices, steps
from memem.recall.evidence import weigh
from memem.recall.render import item_line
from memem.recall.roles import ARTIFACTS, BACKGROUND, CONSTRAINTS, GOALS, ROLES, role_of, room_of
from memem.recall.steps import Occasion
from memem.sources.search import Passage
from memem.text import cut, one_line, query_terms, terms, utf16_length
from memem.value import Value

IDENTITY_SCORE = 0.95
_FILE_SCORE = 0.8
_STANDING_SCORE = 0.5
_TASK_SCORE = 1.0
_PASSAGE_SCORE = 0.3
_PLAYBOOK_SCORE = 0.3
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


def activate(
    asked: Asked, id_: str, at: str, environment: tuple[tuple[str, str], ...], past: Past | None = None
) -> ActiveSlice:
    """The working state for a task; `past` is the session's previous slice."""
    proposed: dict[str, Item] = {}
    for generate in GENERATORS:
        for item in generate(asked):
            place = item.candidate.path if item.candidate else item.id  # two notes may have one id
            known = proposed.get(place)
            proposed[place] = _joined(known, item) if known else item
    recalled = sum(item.origin == "memory" for item in proposed.values())
    found, excluded = _bounded(asked, list(proposed.values()))
    handed, settled = continuity.carried(past, found, asked.index) if past else ([], [])
    found, crowded = _bounded(asked, [*found, *handed]) if handed else (found, [])
    settled += _settled(asked) if asked.task.history else []
    return ActiveSlice(
        id=id_,
        at=at,
        query=asked.query,
        task=asked.task,
        environment=environment,
        items=tuple(found),
        resolved=tuple({item.id: item for item in settled}.values()),
        excluded=(*excluded, *crowded),
        considered=len(proposed) + len(handed),
        recalled=recalled,
        confidence=max((item.score for item in found if _found_by_words(item)), default=0.0),
        continuity=continuity.compared(past, found, settled) if past else Continuity(),
    )


# Candidate generation


def identity(asked: Asked) -> list[Item]:
    """Layer 0 of the project: pinned, whatever is asked."""
    found = asked.index.in_scope(asked.query.scope, deepest=0)
    return [_of_memory(candidate, IDENTITY_SCORE, "project identity") for candidate in found]


def concerning(asked: Asked) -> list[Item]:
    """Notes whose paths name one of the files at hand."""
    if not asked.query.paths:
        return []
    found = slices.close_to(asked.index, asked.query)
    return [_of_memory(candidate, _FILE_SCORE, "concerns a file at hand") for candidate in found]


def matching(asked: Asked) -> list[Item]:
    """What shares words with the question, scored by how much of the question's information it holds."""
    found = slices.matching(asked.index, asked.query, asked.query.limit * _WIDE)
    if not found:
        return []
    prompt = weigh(asked.query.text, asked.index)
    rows = tuple(candidate.row for candidate in found)
    held: dict[int, list[str]] = {row: [] for row in rows}
    for word in prompt.information:
        for row in asked.index.matched(word, rows):
            held[row].append(word)
    total = prompt.total or 1.0
    items = []
    for candidate in found:
        words = held[candidate.row]
        share = min(sum(prompt.information[word] for word in words) / total, 1.0)
        items.append(_of_memory(candidate, share, f"matches {', '.join(words[:_NAMED_WORDS])}" if words else "found"))
    return items


def standing(asked: Asked) -> list[Item]:
    """Directives and open blockers: they hold for every task of the project."""
    found = asked.index.of_kinds(asked.query.scope, slices.STANDING_KINDS)
    return [_of_memory(candidate, _STANDING_SCORE, "stands for every task") for candidate in found]


def replaced(asked: Asked) -> list[Item]:
    """What the best matches replaced: with `history` it is shown, otherwise it is named as left out."""
    best = slices.matching(asked.index, asked.query, asked.query.limit)
    ids = list(dict.fromkeys(name for candidate in best for name in candidate.memory.supersedes))[:50]
    if not ids:
        return []
    found = asked.index.notes(f"id IN ({','.join('?' * len(ids))})", ids)
    return [
        _of_memory(candidate, _PASSAGE_SCORE, f"history: {candidate.memory.status}").replace(role=BACKGROUND)
        for candidate in found
    ]


def playbooks(asked: Asked) -> list[Item]:
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


def said(asked: Asked) -> list[Item]:
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


def of_the_task(asked: Asked) -> list[Item]:
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


def artifacts(asked: Asked) -> list[Item]:
    """The files at hand."""
    return [
        Item(
            id=f"artifact:{path}", title=path, role=ARTIFACTS, origin="artifact", score=_TASK_SCORE, why=(state,)
        )
        for path, state in asked.task.files
    ]  # fmt: skip


GENERATORS: tuple[Callable[[Asked], list[Item]], ...] = (
    of_the_task, artifacts, identity, concerning, matching, standing, replaced, playbooks, said,
)  # fmt: skip


# Boundaries


def in_force(asked: Asked, items: list[Item]) -> list[Item]:
    """Without what was superseded, deprecated, archived or resolved, unless history is asked for."""
    return items if asked.task.history else _by(steps.live, asked, items)


def not_archival(asked: Asked, items: list[Item]) -> list[Item]:
    """Without layer 3."""
    return _by(steps.not_archival, asked, items)


def of_scope(asked: Asked, items: list[Item]) -> list[Item]:
    """With `strict` only what belongs to the project or to none."""
    scope = asked.query.scope
    return [
        item for item in items if not asked.query.strict or not item.memory or scope.holds(item.memory.project)
    ]  # fmt: skip


def one_version(asked: Asked, items: list[Item]) -> list[Item]:
    """Of several notes with one id the newest."""
    return _by(steps.one_version, asked, items)


def distinct(asked: Asked, items: list[Item]) -> list[Item]:
    """Each text once."""
    return _by(steps.distinct, asked, items)


def within_role(asked: Asked, items: list[Item]) -> list[Item]:
    """As many of each role as its section holds."""
    room = {role.key: room_of(role, asked.task.mode) for role in ROLES}
    kept = []
    for item in items:
        room[item.role] -= 1
        # Identity is pinned: a section that it fills holds no other.
        if room[item.role] >= 0 or _is_identity(item):
            kept.append(item)
    return kept


def within_limit(asked: Asked, items: list[Item]) -> list[Item]:
    """At most so many memories as were asked for, identity aside."""
    left = asked.query.limit
    kept = []
    for item in items:
        counts = item.memory is not None and not _is_identity(item)
        if counts and left == 0:
            continue
        left -= counts
        kept.append(item)
    return kept


def within_budget(asked: Asked, items: list[Item]) -> list[Item]:
    """As many as the budget has room for in the rendered slice."""
    left = asked.query.budget
    kept = []
    for item in items:
        left -= utf16_length(item_line(item)) + 1
        if left < 0:
            break
        kept.append(item)
    return kept


BOUNDARIES: tuple[tuple[str, Callable[[Asked, list[Item]], list[Item]]], ...] = (
    ("no longer in force", in_force),
    ("archival: only a search finds it", not_archival),
    ("of another project", of_scope),
    ("an older version of the same note", one_version),
    ("says the same as another", distinct),
    ("its section is full", within_role),
    ("beyond the limit", within_limit),
    ("beyond the budget", within_budget),
)


def _bounded(asked: Asked, items: list[Item]) -> tuple[list[Item], list[Excluded]]:
    """The items within every boundary, the best first, and those that are not."""
    items = sorted(items, key=lambda item: (item.carried, not _is_identity(item), -item.score))
    excluded = []
    for reason, boundary in BOUNDARIES:
        kept = boundary(asked, items)
        ids = {id(item) for item in kept}
        excluded += [
            Excluded(id=item.id, title=item.title, reason=reason) for item in items if id(item) not in ids
        ]  # fmt: skip
        items = kept
    return items, excluded


def _by(step: steps.Step, asked: Asked, items: list[Item]) -> list[Item]:
    """A step over candidates, applied to the items that have one; playbooks are archival by design and stay."""
    plain = [item for item in items if item.candidate and item.origin == "memory"]
    kept = {
        id(candidate) for candidate in step(Occasion(query=asked.query), [i.candidate for i in plain if i.candidate])
    }
    return [item for item in items if item.origin != "memory" or id(item.candidate) in kept]


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


def _joined(one: Item, other: Item) -> Item:
    """What two retrievers found: the better score, both reasons."""
    return one.replace(score=max(one.score, other.score), why=tuple(dict.fromkeys((*one.why, *other.why))))


def _is_identity(item: Item) -> bool:
    return item.memory is not None and item.memory.layer == 0


def _found_by_words(item: Item) -> bool:
    return any(reason.startswith("matches ") for reason in item.why)


def _settled(asked: Asked) -> list[Item]:
    """Tensions of the project that were resolved and speak of the question."""
    names = asked.query.scope.names
    where = f"kind IN ('blocker', 'todo') AND status = 'resolved' AND project IN ({','.join('?' * len(names))})"
    wanted = set(query_terms(asked.query.text).words)
    found: Sequence[Candidate] = asked.index.notes(where, names, order="updated DESC, id")
    telling = [item for item in found if wanted.intersection(terms(f"{item.memory.title} {item.memory.body}"))]
    return [_of_memory(candidate, _PASSAGE_SCORE, "settled: resolved") for candidate in telling[:_NAMED_WORDS]]
