"""Building slices: for a prompt, for the start of a session, for an explicit question. One recall for everyone."""

from __future__ import annotations

from memem.index.schema import AUTOMATIC, LIVE
from memem.models import Candidate, Query, Slice
from memem.recall import steps
from memem.recall.evidence import relevant
from memem.recall.steps import Occasion
from memem.text import query_terms, terms
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memem.index.reader import Index

_WIDE = 4  # candidates fetched for each one asked for, since steps drop some
STANDING_KINDS = ("directive", "blocker")


def for_prompt(index: Index, query: Query, vault: str, shown: Callable[[], Mapping[str, str]]) -> Slice:
    """What to volunteer for a prompt: the relevant few that the session has not seen, or nothing.

    `shown` is asked only when there is something to show, since most prompts are answered with silence.
    """
    found = relevant(query.text, index, query.scope)
    if found:
        found = steps.run(Occasion(query=query, vault=vault, shown=shown()), found, steps.PROMPT_STEPS)
    return Slice(query=query, found=tuple(found))


def for_session(index: Index, query: Query, vault: str) -> Slice:
    """The start of a session: identity and standing notes in full, an index of the rest, in a stable order."""
    found = steps.run(Occasion(query=query, vault=vault), index.in_scope(query.scope), steps.SESSION_STEPS)
    pinned = steps.within_budget(Occasion(query=query), [candidate for candidate in found if _stands(candidate)])
    shown = {candidate.row for candidate in pinned}
    rest = [candidate for candidate in found if candidate.row not in shown]
    # The most important and newest get a line; the lines are ordered by id, so that the block stays cacheable.
    rest.sort(key=lambda candidate: candidate.memory.updated, reverse=True)
    rest.sort(key=lambda candidate: (candidate.memory.layer, -candidate.memory.importance))
    chosen = sorted(rest[: query.limit], key=lambda candidate: (candidate.memory.layer, candidate.memory.id))
    return Slice(query=query, pinned=tuple(pinned), found=tuple(chosen))


def is_behind(index: Index, query: Query, vault: str) -> bool:
    """Whether some note of the scope was edited or deleted since the index was made."""
    return any(steps.is_stale(candidate, vault) for candidate in index.in_scope(query.scope))


def for_question(index: Index, query: Query) -> Slice:
    """An explicit slice: identity pinned, then what matches the question. It never abstains."""
    pinned = [candidate for candidate in index.in_scope(query.scope) if candidate.memory.layer == 0]
    pinned = steps.run(Occasion(query=query), pinned, (steps.distinct,))
    seen = {candidate.memory.id for candidate in pinned}
    found = [candidate for candidate in _matching(index, query, AUTOMATIC) if candidate.memory.id not in seen]
    return Slice(
        query=query,
        pinned=tuple(pinned),
        found=tuple(steps.run(Occasion(query=query), found, steps.SLICE_STEPS)),
    )


def for_search(index: Index, query: Query) -> Slice:
    """An explicit search, through all projects (the scope's own first) and all layers."""
    found = steps.run(Occasion(query=query), _matching(index, query, LIVE), steps.SEARCH_STEPS)
    return Slice(query=query, found=tuple(found))


def _matching(index: Index, query: Query, use: str) -> list[Candidate]:
    wanted = query_terms(f"{query.text} {' '.join(query.paths)}")
    if not wanted.words:  # a question of stop words only, such as "not now", is still a question
        wanted = wanted.replace(words=tuple(dict.fromkeys(terms(query.text)))[:20])
    return index.search(wanted, query.limit * _WIDE, query.scope if query.strict else None, use)


def _stands(candidate: Candidate) -> bool:
    return candidate.memory.layer == 0 or candidate.memory.kind in STANDING_KINDS
