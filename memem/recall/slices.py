"""Building slices: for a prompt, for the start of a session, for an explicit question. One recall for everyone."""

from __future__ import annotations

from memem.index.schema import AUTOMATIC, LIVE
from memem.models import Candidate, Query, Slice
from memem.recall import steps
from memem.recall.evidence import judged, relevant, sifted
from memem.recall.ranking import rank
from memem.recall.steps import Occasion
from memem.text import query_terms, terms
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memem.index.reader import Index

    Shown = Callable[[Sequence[Candidate]], Mapping[str, str]]  # relevant candidates → ids shown before, with etags
    Uses = Callable[[Sequence[str]], Mapping[str, int]]  # ids → how often they helped

_WIDE = 4  # candidates fetched for each one asked for, since steps drop some
_MOST_CLOSE = 50
_NAMING = 3  # so many parts of a file's path tell what it is about; those above are the same for all files
STANDING_KINDS = ("directive", "blocker")
NOTHING: Mapping[str, str] = {}


def _unknown(ids: Sequence[str]) -> Mapping[str, int]:
    return {}


def for_prompt(index: Index, query: Query, vault: str, shown: Shown, uses: Uses = _unknown) -> Slice:
    """What to volunteer for a prompt: the relevant few that the session has not seen, or nothing.

    `shown` is asked, with what is relevant, only when there is something to show: most prompts are answered with
    silence. `uses` tells how often memories helped.
    """
    found, evidence = sifted(query.text, index, query.scope)
    ranked = rank(query, found, evidence, uses([item.memory.id for item in found]))
    return _unseen(query, vault, shown, ranked, steps.PROMPT_STEPS)


def for_file(index: Index, query: Query, vault: str, shown: Shown) -> Slice:
    """What to volunteer when a file is read: notes whose paths concern it, the closest first, then those that name it.

    `query.paths` are the paths of the file below the checkout and below the session's folder.
    """
    from memem.recall.paths import names

    found = close_to(index, query)
    known = {candidate.row for candidate in found}
    path = query.paths[0] if query.paths else ""
    for candidate in relevant("/".join(path.split("/")[-_NAMING:]), index, query.scope):
        # Files share the words of their folders and endings: the words alone are no evidence.
        if candidate.row not in known and names(f"{candidate.memory.title}\n{candidate.memory.body}", path):
            found.append(candidate)
    return _unseen(query, vault, shown, found, steps.GIVEN_STEPS)


def close_to(index: Index, query: Query) -> list[Candidate]:
    """Notes whose paths concern one of the query's files, the closest first."""
    from memem.recall.paths import File

    file = File(query.paths)
    close = {row: file.closeness(globs) for row, globs in index.paths_in_scope(query.scope, [*file.parts])}
    closest = sorted((row for row in close if close[row]), key=lambda row: -close[row])[:_MOST_CLOSE]
    found = index.notes(f"rowid IN ({','.join('?' * len(closest))})", closest) if closest else []
    return sorted(found, key=lambda candidate: closest.index(candidate.row))


def for_agent(index: Index, query: Query, vault: str, fitting: Sequence[str]) -> Slice:
    """What a sub-agent starts with: the project's identity, and the memories that were found to fit its task."""
    pinned = steps.run(Occasion(query=query, vault=vault), index.in_scope(query.scope, deepest=0), steps.SESSION_STEPS)
    known = {candidate.memory.id for candidate in pinned}
    ids = [memory for memory in fitting if memory not in known]
    found = index.notes(f"id IN ({','.join('?' * len(ids))})", ids) if ids else []
    found.sort(key=lambda candidate: ids.index(candidate.memory.id))
    found = steps.run(Occasion(query=query, vault=vault), found, steps.GIVEN_STEPS)
    kept = {candidate.row for candidate in steps.within_budget(Occasion(query=query), [*pinned, *found])}
    return Slice(
        query=query,
        pinned=tuple(candidate for candidate in pinned if candidate.row in kept),
        found=tuple(candidate for candidate in found if candidate.row in kept),
    )


def for_session(
    index: Index,
    query: Query,
    vault: str,
    standing: Sequence[str] = (),
    told: Mapping[str, str] = NOTHING,
    led: list[Candidate] | None = None,
) -> Slice:
    """The start of a session: identity and standing notes in full, an index of the rest, in a stable order.

    `standing` are ids of more notes to tell in full while there is room; `told` maps ids of what the host tells by
    itself to the content hash it had; `led` is what `leading` found, for who has asked already.
    """
    found = leading(index, query, standing) if led is None else led
    found = steps.run(Occasion(query=query, vault=vault), found, steps.SESSION_STEPS)
    found = [candidate for candidate in found if not is_told(candidate, told)]
    pinned = [candidate for candidate in found if _stands(candidate)]
    pinned += [candidate for candidate in found if candidate.memory.id in standing and not _stands(candidate)]
    pinned = steps.within_budget(Occasion(query=query), pinned)
    shown = {candidate.row for candidate in pinned}
    rest = [candidate for candidate in found if candidate.row not in shown]
    # The most important and newest get a line; the lines are ordered by id, so that the block stays cacheable.
    rest.sort(key=lambda candidate: candidate.memory.updated, reverse=True)
    rest.sort(key=lambda candidate: (candidate.memory.layer, -candidate.memory.importance))
    chosen = sorted(rest[: query.limit], key=lambda candidate: (candidate.memory.layer, candidate.memory.id))
    return Slice(query=query, pinned=tuple(pinned), found=tuple(chosen))


def is_told(candidate: Candidate, told: Mapping[str, str]) -> bool:
    """Whether the host tells a memory by itself, as far as it says the same as when that was found."""
    return bool(told) and told.get(candidate.memory.id) == candidate.hash


def leading(index: Index, query: Query, standing: Sequence[str] = ()) -> list[Candidate]:
    """What the start of a session chooses from. The steps drop some, so it is more than is asked for."""
    return index.leading(query.scope, STANDING_KINDS, standing, query.limit * 2)


def is_behind(found: Sequence[Candidate], vault: str) -> bool:
    """Whether one of the notes was edited or deleted since the index was made."""
    return any(steps.is_stale(candidate, vault) for candidate in found)


def matching(index: Index, query: Query, most: int, uses: Uses = _unknown) -> list[Candidate]:
    """What shares words with a question and may be shown for it, best first."""
    return _ranked(index, query, _matching(index, query, most, AUTOMATIC), uses)


def for_search(index: Index, query: Query, uses: Uses = _unknown) -> Slice:
    """An explicit search, through all projects and all layers; with `query.at` of what was valid then."""
    use = "" if query.at else LIVE
    found = _ranked(index, query, _matching(index, query, query.limit * _WIDE, use), uses)
    found = steps.run(Occasion(query=query), found, steps.HISTORY_STEPS if query.at else steps.SEARCH_STEPS)
    return Slice(query=query, found=tuple(found))


def _ranked(index: Index, query: Query, found: list[Candidate], uses: Uses) -> list[Candidate]:
    evidence = judged(query.text, index, found)
    return rank(query, found, evidence, uses([candidate.memory.id for candidate in found]))


def _unseen(query: Query, vault: str, shown: Shown, found: list[Candidate], way: tuple[steps.Step, ...]) -> Slice:
    if found:
        found = steps.run(Occasion(query=query, vault=vault, shown=shown(found)), found, way)
    return Slice(query=query, found=tuple(found))


def _matching(index: Index, query: Query, most: int, use: str) -> list[Candidate]:
    wanted = query_terms(query.text)
    if not wanted.words:  # a question of stop words only, such as "not now", is still a question
        wanted = wanted.replace(words=tuple(dict.fromkeys(terms(query.text)))[:20])
    return index.search(wanted, most, query.scope if query.strict else None, use)


def _stands(candidate: Candidate) -> bool:
    return candidate.memory.layer == 0 or candidate.memory.kind in STANDING_KINDS
