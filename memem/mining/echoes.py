"""Which lessons only repeat what memem told the agent. They are neither news nor a second witness.

A repetition shares most words with one passage that was told before, and has no number, name or negation of its own:
whatever has one is a correction, and stays. What the human states in this session is never a repetition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain

from memem.ingest import likeness
from memem.mining import scoring, sentences
from memem.mining.marks import SPECIFIC
from memem.sources.events import HUMAN, Event
from memem.sources.recalled import Recalled
from memem.value import Value

_SHARED = 0.6  # of a sentence's words, in a passage that was told
_STATED = 0.8  # of a sentence's words, in what the human said; with less it holds more than that
_QUOTED = 0.7  # of a human's words, in what the agent said before
_FEWEST, _FEWEST_QUOTED = 3, 6  # words that a sentence needs to say something, or to be a quotation
_WINDOW = 3  # neighbouring sentences that an agent may make one of
_END = re.compile(r"(?<=[.!?:;…])\s+|(?<=[。！？])|\s—\s")
_CLAUSE = re.compile(r"[,;:.!?]+(?:\s+|$)|(?=\b(?:because|since|so that|otherwise)\b)", re.IGNORECASE)
_ABOUT = re.compile(
    r"^(?:[>#*\s-]|→)*(?:\d{4}-\d\d-\d\d\s)?(?:\[[^\]\s]{1,40}\]\s)?(?:L\d\s)?|\s\([^()]*, from [^()]*\)$"
)  # what memem writes around the words of a note
_ASKED = ("No memories found for: ", "- query: ")  # what the agent said, not what it was told
_LAID_DOWN = ("rule", "preference", "choice", "correction", "decision")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


class _Passage(Value):
    text: str
    words: frozenset[str]
    numbers: frozenset[str]
    denies: bool
    place: int = 0


class Echoes:
    """What memem told in a session, to compare its lessons with. `places`: where the line of each event begins."""

    def __init__(self, events: Sequence[Event], places: Sequence[int], recalled: Sequence[Recalled]) -> None:
        self._every, self._places, self._recalled = events, places, recalled

    def holds(self, content: str, evidence: tuple[str, ...]) -> bool:
        """Whether a lesson that stands on those records is a repetition of what was told before them."""
        if not self._recalled:
            return False
        stated = self._stated(evidence)
        parts = [_passage(part) for part in _END.split(content)]
        parts = [part for part in parts if len(part.words) >= _FEWEST or part.numbers]
        if any(_share(part.words, said) >= _STATED for part in parts for said in stated):
            return False
        until = self._until(evidence)
        told = [passage for passage in self._told if passage.place < until]
        asked = [sentences.words(event.text) for _, event in self._events(evidence) if event.kind in HUMAN]
        own = [part for part in parts if not any(_share(part.words, words) >= _STATED for words in asked)] or parts
        whole = _passage(" ".join(part.text for part in own))
        return _repeats(whole, told) or (bool(own) and all(_repeats(part, told) for part in own))

    @cached_property
    def _told(self) -> list[_Passage]:
        found: dict[str, _Passage] = {}
        for recalled in self._recalled:
            for text in _windows(recalled.text):
                if text not in found or recalled.place < found[text].place:
                    found[text] = _passage(text, recalled.place)
        return list(found.values())

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        """Places in the session's events, by record."""
        found: dict[str, list[int]] = {}
        for number, event in enumerate(self._every):
            found.setdefault(event.uuid, []).append(number)
        return found

    def _events(self, evidence: tuple[str, ...]) -> Iterator[tuple[int, Event]]:
        numbers = chain.from_iterable(self._numbers.get(uuid, ()) for uuid in evidence)
        return ((number, self._every[number]) for number in numbers)

    def _until(self, evidence: tuple[str, ...]) -> float:
        """The byte at which the agent began to say it; of what only stands on the human's words, no end."""
        own = (number for number, event in self._events(evidence) if event.kind not in HUMAN)
        return min((self._places[number] for number in own), default=float("inf"))

    def _stated(self, evidence: tuple[str, ...]) -> list[frozenset[str]]:
        """The words of each human turn among the records, without what asks, what was pasted and quotations."""
        found = []
        for number, event in self._events(evidence):
            if event.kind in HUMAN and not event.agent:
                own = [one.text for one in sentences.human(event.text).own if not one.pasted]
                said = [sentences.words(text) for text in own if not _asks(text)]
                found.append(frozenset().union(*(words for words in said if not self._quoted(words, number))))
        return found

    def _quoted(self, words: frozenset[str], number: int) -> bool:
        """Whether an agent said that in this session before the human did."""
        return len(words) >= _FEWEST_QUOTED and any(
            at < number and _share(words, said) >= _QUOTED for at, said in self._prose
        )

    @cached_property
    def _prose(self) -> list[tuple[int, frozenset[str]]]:
        """The words of each of the agent's sentences, with the event it stands in."""
        prose = ((number, event) for number, event in enumerate(self._every) if event.kind == "prose")
        return [(number, sentences.words(one.text)) for number, event in prose for one in sentences.agent(event.text)]


def _asks(text: str) -> bool:
    """Whether a human's sentence wants to know or to have something, and lays nothing down."""
    cues = scoring.human(text).cues
    return "question" in cues or ("request" in cues and cues.isdisjoint(_LAID_DOWN))


def _repeats(said: _Passage, told: list[_Passage]) -> bool:
    """Whether one passage says the same already."""
    names = frozenset().union(*map(sentences.words, SPECIFIC.findall(said.text)))
    return any(
        _share(said.words, passage.words) >= _SHARED
        and said.numbers <= passage.numbers
        and names & said.words <= passage.words  # a name may be cut otherwise on its own than in a text
        and said.denies == passage.denies
        and not _corrects(said.text, passage.text)
        for passage in told
    )


def _corrects(said: str, told: str) -> bool:
    """Whether a text says otherwise. The same clauses in another order say the same: "A, because B", "because B, A"."""
    return likeness.compare(said, told) == likeness.CORRECTION and _clauses(said) != _clauses(told)


def _clauses(text: str) -> list[tuple[str, ...]]:
    parts = (likeness.telling(clause) for clause in _CLAUSE.split(text))
    return sorted(part for part in parts if part)


def _windows(text: str) -> Iterator[str]:
    """The sentences of each line, and up to three neighbours together; without what memem says about its notes."""
    for line in text.splitlines():
        if not line.startswith(_ASKED):
            parts = [part for part in _END.split(_ABOUT.sub("", line)) if part.strip()]
            for size in range(1, min(_WINDOW, len(parts)) + 1):
                yield from (" ".join(parts[at : at + size]) for at in range(len(parts) - size + 1))


def _passage(text: str, place: int = 0) -> _Passage:
    return _Passage(
        text=text,
        words=sentences.words(text),
        numbers=frozenset(_NUMBER.findall(text)),
        denies=likeness.denies(text),
        place=place,
    )


def _share(words: frozenset[str], others: frozenset[str]) -> float:
    return len(words & others) / len(words) if words else 0.0
