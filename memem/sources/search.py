"""Search in transcripts: a plain scan, newest files first, bounded in bytes and seconds, and what a passage is."""

from __future__ import annotations

import heapq
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from unicodedata import normalize

from memem.errors import NotFound, Unavailable
from memem.sources.claude_code import ClaudeCode, listed
from memem.sources.events import HUMAN, Event
from memem.text import fold, one_line, query_terms
from memem.value import Value

SNIPPET = 300
MOST_BYTES = 400_000_000
MOST_SECONDS = 5.0
Words = list[tuple[str, re.Pattern[str]]]
_MARKS = re.compile("[\u0300-\u036f]+")
_LEAD = 60  # characters of a snippet before its first term
_SHORT = 5  # letters; a shorter term counts only where a word begins
_WEIGHTS = {"result": 0.0, "command": 0.2, "edit": 0.2, "boundary": 0.0}  # of the rest 0.5; less than one more term


class Passage(Value):
    """A place in a transcript: `role` is the kind of event, `human` whether these are a human's words."""

    session: str
    uuid: str
    at: str
    role: str
    snippet: str
    human: bool = False
    folder: str = ""
    terms: int = 0  # distinct terms of the question in it
    score: float = 0.0


class Found(Value):
    """What was found, best first, and how much a scan read; `complete` is false when it stopped at a bound."""

    passages: tuple[Passage, ...]
    files: int = 0
    bytes: int = 0
    complete: bool = True
    indexed: int = 0  # sessions that needed no scan


class Bounds(Value):
    """How long a scan may take."""

    bytes: int = MOST_BYTES
    seconds: float = MOST_SECONDS
    clock: Callable[[], float] = time.monotonic


def search(
    source: ClaudeCode,
    folders: Iterable[str],
    query: str,
    *,
    belongs: Callable[[str], bool],
    redact: Callable[[str], str],
    limit: int = 5,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    begin: Callable[[str, os.stat_result], int] = lambda _path, _about: 0,
    worth: Callable[[str], float] = lambda _term: 1.0,
) -> Found:
    """Places in the transcripts below some folders that hold most terms of the query, of equal ones the newest.

    `belongs` tells whether a session that began in a folder is meant, `begin` from which byte on a file is read,
    `worth` how much a term counts. Texts go through `redact` before a cut could part what a secret is known by.
    """
    terms = words_of(query)
    worths: dict[str, float] = {}
    best: list[tuple[tuple[float, str, int], Event]] = []  # the number keeps the heap from comparing events
    end = bounds.clock() + bounds.seconds
    files, read, number, complete = 0, 0, 0, True
    wanted, indexed = _newest(folders, begin)
    for path, start in wanted:
        if bounds.clock() >= end or read >= bounds.bytes:
            complete = False
            break
        try:
            head = source.head(path)
            if not head.readable or not belongs(head.folder) or source.excludes(path):
                continue
            files += 1
            worths = worths or {stem: worth(stem) for stem, _ in terms}
            transcript = source.read(path, start)
            for event in transcript:
                number += 1
                if held := held_in(event, terms):
                    weight = sum(worths[stem] for stem in held) + weight_of(event)
                    (heapq.heappush if len(best) < limit else heapq.heappushpop)(
                        best, ((weight, event.at, -number), event)
                    )
                if number % 64 == 0 and (bounds.clock() >= end or read + transcript.offset - start > bounds.bytes):
                    complete = False
                    break
            read += transcript.offset - start
        except (NotFound, Unavailable):
            continue  # it went away, or was never ours to read
    ranked = sorted(best, reverse=True)
    passages = tuple(passage(event, terms, redact).replace(score=key[0]) for key, event in ranked)
    return Found(passages=passages, files=files, bytes=read, complete=complete, indexed=indexed)


def _newest(folders: Iterable[str], begin: Callable[[str, os.stat_result], int]) -> tuple[list[tuple[Path, int]], int]:
    """The files that are to be read, newest first, each with where; and how many others there are."""
    wanted: dict[str, tuple[float, str, int]] = {}
    others = 0
    for folder in folders:
        for path, about in listed(folder):
            start = begin(path, about)
            if start < about.st_size:
                wanted[path] = (-about.st_mtime, path, start)
            else:
                others += 1
    return [(Path(path), start) for _, path, start in sorted(wanted.values())], others


def words_of(query: str) -> Words:
    """Terms as they are looked for: a plural's stem, short ones at the start of a word only."""
    found = query_terms(query, limit=12)
    words = dict.fromkeys(found.words or found.compounds or fold(query).split())
    stems = [
        word[:-1] if word.isascii() and len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word
        for word in words
    ]
    return [
        (stem, re.compile(("" if len(stem) >= _SHORT or not stem.isascii() else r"(?<![^\W_])") + re.escape(stem)))
        for stem in dict.fromkeys(stems)
    ]


def held_in(event: Event, terms: Words) -> list[str]:
    """The terms that the text of an event holds."""
    if event.kind == "boundary":
        return []
    text = event.text
    # As text.fold does, for texts a thousand times as long.
    text = text.lower() if text.isascii() else normalize("NFC", _MARKS.sub("", normalize("NFKD", text.casefold())))
    return [stem for stem, pattern in terms if stem in text and pattern.search(text)]


def weight_of(event: Event) -> float:
    """What words are worth for whose they are: less than one more term."""
    return _WEIGHTS.get(event.kind, 0.5)


def passage(event: Event, terms: Words, redact: Callable[[str], str]) -> Passage:
    """An event as it is shown."""
    return Passage(
        session=event.session,
        uuid=event.uuid,
        at=event.at,
        role=event.kind,
        snippet=_snippet(one_line(redact(event.text)), terms),
        human=event.kind in HUMAN,
        folder=event.folder,
        terms=len(held_in(event, terms)),
    )


def _snippet(text: str, terms: Words) -> str:
    """The stretch of a text that holds most terms."""
    if len(text) <= SNIPPET:
        return text
    folded = text.lower()  # as long as the text, so that places agree; a letter with an accent may be missed
    folded = folded if len(folded) == len(text) else text
    places = sorted((match.start(), number) for number, (_, term) in enumerate(terms) for match in _some(term, folded))
    room = SNIPPET - 2 - _LEAD

    def held(start: int) -> int:
        return len({number for place, number in places if start <= place < start + room})

    start = max((place for place, _ in places), key=lambda place: (held(place), -place), default=0)
    first = min(max(0, start - _LEAD), len(text) - (SNIPPET - 2))
    cut = text[first : first + SNIPPET - 2]
    return ("…" if first else "") + cut + ("…" if first + len(cut) < len(text) else "")


def _some(term: re.Pattern[str], text: str) -> list[re.Match[str]]:
    return [match for match, _ in zip(term.finditer(text), range(20), strict=False)]
