"""From candidates to a working state: what may matter for a task, in which role, within which boundaries.

The retrievers of `candidates` propose; every row of BOUNDARIES may keep something out, and says why. No model is asked.
"""

from __future__ import annotations

from collections.abc import Callable

from memem.active import ActiveSlice, Continuity, Excluded, Item, Past
from memem.recall import continuity, steps
from memem.recall.candidates import AKIN, GENERATORS, Asked, found_by_words, resolved
from memem.recall.ranking import alike
from memem.recall.render import item_line
from memem.recall.roles import ROLES, room_of
from memem.recall.steps import Occasion
from memem.text import utf16_length


def activate(
    asked: Asked, id_: str, at: str, environment: tuple[tuple[str, str], ...], past: Past | None = None
) -> ActiveSlice:
    """The working state for a task; `past` is the session's previous slice."""
    proposed: dict[str, Item] = {}
    for generate in GENERATORS:
        for item in generate(asked, list(proposed.values())):
            place = item.candidate.path if item.candidate else item.id  # two notes may have one id
            known = proposed.get(place)
            proposed[place] = _joined(known, item) if known else item
    recalled = sum(item.origin == "memory" for item in proposed.values())
    found, excluded = _bounded(asked, list(proposed.values()))
    handed, settled = continuity.carried(past, found, asked.index) if past else ([], [])
    found, crowded = _bounded(asked, [*found, *handed]) if handed else (found, [])
    settled += resolved(asked) if asked.task.history else []
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
        confidence=max((item.score for item in found if found_by_words(item)), default=0.0),
        continuity=continuity.compared(past, found, settled) if past else Continuity(),
    )


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


def anew(asked: Asked, items: list[Item]) -> list[Item]:
    """What only its words led to from another has to say something that is not there yet."""
    kept: list[Item] = []
    for item in items:
        akin = all(reason.startswith(AKIN) for reason in item.why)
        if not (akin and any(_alike(item, other) for other in kept)):
            kept.append(item)
    return kept


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
    ("nearly says what it is akin to", anew),
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


def _joined(one: Item, other: Item) -> Item:
    """What two retrievers found: the better score, both reasons."""
    return one.replace(score=max(one.score, other.score), why=tuple(dict.fromkeys((*one.why, *other.why))))


def _alike(one: Item, other: Item) -> bool:
    return bool(one.candidate and other.candidate and alike(one.candidate, other.candidate))


def _is_identity(item: Item) -> bool:
    return item.memory is not None and item.memory.layer == 0
