"""Search in sessions: the archive's index for what is in it, a scan for the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memem.dates import named, seconds
from memem.errors import StateUnavailable
from memem.sources import search as scan
from memem.sources.claude_code import ClaudeCode
from memem.sources.events import Event
from memem.sources.search import Bounds, Found, Passage, Words
from memem.text import query_terms
from memem.transcripts.archive import Archive, source_key
from memem.transcripts.ranking import recent
from memem.transcripts.turns import Order

_MOST_WORDS = 40
_WIDE = 4  # passages read for each session asked for
_ABOUT_TALK = frozenset(
    """
    across aspects asked brought chat chats conversation conversations discuss discussed discussing earlier list
    mention mentioned order previously throughout told
    """.split()
)
_ABOUT_WORK = frozenset(  # what sessions are asked for in the same words, whatever they are about
    """
    add added address app branch branches bug build change changes check code command comment comments commit commits
    conflict conflicts create debug delete edit error errors fail failed failing fails failure feature feedback file
    files fix fixed fixes following function functions implement implementation implemented improve install issue
    issues line lines local main merge method overview path plan pr pull push refactor remove rename repo repository
    request return review run running script step steps summary test tests update version
    """.split()
)
_CATCH_UP_SECONDS = 1.0  # for what is archived but not indexed yet; the next search goes on


def search(
    archive: Archive | None,
    source: ClaudeCode,
    folders: Iterable[str],
    query: str,
    *,
    belongs: Callable[[str], bool],
    remembered: Callable[[str], bool],
    redact: Callable[[str], str],
    limit: int = 5,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    order: Order = Order(),  # noqa: B008 - frozen
    clock: Callable[[], float] = time.time,
) -> Found:
    """Passages of sessions, best first: at most one for each turn of what is indexed, or for each session.

    `belongs` and `redact` as in `sources.search`; `remembered` tells whether a project is meant, for folders that
    are gone and cannot say any more what they belong to. An archive that is busy or full is done without.
    """
    terms = scan.words_of(query)
    end = bounds.clock() + _CATCH_UP_SECONDS

    def scanned(**how: Any) -> Found:
        """What is not indexed; with the sessions ranked, the best of each."""
        wide = limit * _WIDE if order.by_session else limit
        found = scan.search(source, folders, query, belongs=belongs, redact=redact, limit=wide, bounds=bounds, **how)
        if not order.by_session:
            return found
        worth = how.get("worth", lambda _: 1.0)
        most = sum(worth(stem) for stem, _ in terms)
        return found.replace(passages=_of_sessions(found.passages, most, clock() if order.newest else None)[:limit])

    if archive is None:
        return scanned()
    words = topics(query, by_session=order.by_session) or tuple(stem for stem, _ in terms)
    order = order.replace(when=order.when or named(query, datetime.fromtimestamp(clock(), UTC).date()))
    wanted = 2 * limit if order.by_session else limit  # sub-agents have archives of their own
    try:
        meant = _meant(source, belongs, remembered)
        turns = archive.find(words, wanted, meant, stop=lambda: bounds.clock() >= end, order=order)
        begin = _beginnings(archive)
    except StateUnavailable:
        return scanned()
    indexed = [_best(turn.score, events, terms) for turn, events in turns if events]
    found = scanned(begin=begin, worth=archive.worth)
    ranked = _together(indexed, found.passages, order)
    return found.replace(passages=tuple(ranked[:limit]))


def _together(indexed: Sequence[Passage], scanned: Iterable[Passage], order: Order) -> list[Passage]:
    """All that was found, best first."""
    # A session that was moved is met twice: in the index, and where it is now.
    known = {(passage.uuid, passage.role, passage.snippet) for passage in indexed}
    other = [passage for passage in scanned if (passage.uuid, passage.role, passage.snippet) not in known]
    digits = 3 if order.by_session else 1
    ranked = sorted([*indexed, *other], key=lambda passage: (round(passage.score, digits), passage.at), reverse=True)
    return _one_each(ranked) if order.by_session else ranked  # the end of a session may not be archived yet


def _meant(
    source: ClaudeCode, belongs: Callable[[str], bool], remembered: Callable[[str], bool]
) -> Callable[[str, str], bool]:
    """Whether an archived session is meant, by its folder and its project; it may be excluded by now."""

    def meant(folder: str, project: str) -> bool:
        known = belongs(folder) or (bool(project) and remembered(project) and not Path(folder).is_dir())
        return known and not source.excluded.holds_folder(folder)

    return meant


def topics(query: str, *, by_session: bool = False) -> tuple[str, ...]:
    """What a question is about: its words, those left out that talk about talking, or, for a session, about work."""
    asked = query_terms(query, limit=_MOST_WORDS)
    words = (*asked.words, *asked.compounds)
    told = tuple(word for word in words if word not in _ABOUT_TALK) or words
    return tuple(word for word in told if word not in _ABOUT_WORK) or told if by_session else told


def _of_sessions(passages: Iterable[Passage], most: float, now: float | None) -> tuple[Passage, ...]:
    """The best passage of each session, with a score that compares to those of sessions: the share of what is asked.

    With `now`, in seconds since the epoch, the latest are preferred as those in the index are.
    """

    def score(passage: Passage) -> float:
        share = min(passage.score / most, 1.0) if most else 0.0
        at = None if now is None else seconds(passage.at)
        return share if now is None or at is None else share + recent(now - at)

    return tuple(_one_each(sorted((one.replace(score=score(one)) for one in passages), key=lambda one: -one.score)))


def _one_each(passages: Iterable[Passage]) -> list[Passage]:
    """The first passage of each session."""
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(passage.session, passage)
    return list(first.values())


def _beginnings(archive: Archive) -> Callable[[str, os.stat_result], int]:
    """From which byte on a file is not indexed."""
    reached = archive.reached()

    def begin(path: str, about: os.stat_result) -> int:
        inode, offset = reached.get(source_key(path), (0, 0))
        # A file in the place of another is read whole; its first bytes are compared when it is archived.
        if inode != about.st_ino or offset > about.st_size:
            return 0
        return offset if offset >= 0 else about.st_size

    return begin


def _best(score: float, events: tuple[Event, ...], terms: Words) -> Passage:
    """The event of a turn that holds most of what is asked for."""
    held = [(len(scan.held_in(event, terms)) + scan.weight_of(event), -number) for number, event in enumerate(events)]
    event = events[-max(held)[1]]
    return scan.passage(event, terms, _as_it_is).replace(score=score)


def _as_it_is(text: str) -> str:
    """What is archived holds no secrets any more."""
    return text
