"""Search in sessions: the archive's index for what is in it, a scan for the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from memem.errors import StateUnavailable
from memem.sources import search as scan
from memem.sources.claude_code import ClaudeCode
from memem.sources.events import Event
from memem.sources.search import Bounds, Found, Passage, Words
from memem.text import query_terms
from memem.transcripts.archive import Archive, source_key

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
) -> Found:
    """Passages of sessions, best first: at most one for each turn of what is indexed.

    `belongs` and `redact` as in `sources.search`; `remembered` tells whether a project is meant, for folders that
    are gone and cannot say any more what they belong to. An archive that is busy or full is done without.
    """
    scanned = partial(scan.search, source, folders, query, belongs=belongs, redact=redact, limit=limit, bounds=bounds)
    if archive is None:
        return scanned()
    end = bounds.clock() + _CATCH_UP_SECONDS

    def meant(folder: str, project: str) -> bool:
        return belongs(folder) or (bool(project) and remembered(project) and not Path(folder).is_dir())

    terms = scan.words_of(query)
    asked = query_terms(query, limit=12)
    words = (*asked.words, *asked.compounds) or tuple(stem for stem, _ in terms)
    try:
        turns = archive.find(words, limit, meant, stop=lambda: bounds.clock() >= end)
        begin = _beginnings(archive)
    except StateUnavailable:
        return scanned()
    indexed = [_best(turn.score, events, terms) for turn, events in turns if events]
    found = scanned(begin=begin, worth=archive.worth)
    # A session that was moved is met twice: in the index, and where it is now.
    known = {(passage.uuid, passage.role, passage.snippet) for passage in indexed}
    other = [passage for passage in found.passages if (passage.uuid, passage.role, passage.snippet) not in known]
    ranked = sorted([*indexed, *other], key=lambda passage: (round(passage.score, 1), passage.at), reverse=True)
    return found.replace(passages=tuple(ranked[:limit]))


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
